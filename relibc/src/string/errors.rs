//! Messages of error numbers, as glibc words them, since programs compare them. strerror(3).

use crate::errno;
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::size_t;

const MESSAGES: [&str; 134] = [
    "Success",
    "Operation not permitted",
    "No such file or directory",
    "No such process",
    "Interrupted system call",
    "Input/output error",
    "No such device or address",
    "Argument list too long",
    "Exec format error",
    "Bad file descriptor",
    "No child processes",
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "Permission denied",
    "Bad address",
    "Block device required",
    "Device or resource busy",
    "File exists",
    "Invalid cross-device link",
    "No such device",
    "Not a directory",
    "Is a directory",
    "Invalid argument",
    "Too many open files in system",
    "Too many open files",
    "Inappropriate ioctl for device",
    "Text file busy",
    "File too large",
    "No space left on device",
    "Illegal seek",
    "Read-only file system",
    "Too many links",
    "Broken pipe",
    "Numerical argument out of domain",
    "Numerical result out of range",
    "Resource deadlock avoided",
    "File name too long",
    "No locks available",
    "Function not implemented",
    "Directory not empty",
    "Too many levels of symbolic links",
    "",
    "No message of desired type",
    "Identifier removed",
    "Channel number out of range",
    "Level 2 not synchronized",
    "Level 3 halted",
    "Level 3 reset",
    "Link number out of range",
    "Protocol driver not attached",
    "No CSI structure available",
    "Level 2 halted",
    "Invalid exchange",
    "Invalid request descriptor",
    "Exchange full",
    "No anode",
    "Invalid request code",
    "Invalid slot",
    "",
    "Bad font file format",
    "Device not a stream",
    "No data available",
    "Timer expired",
    "Out of streams resources",
    "Machine is not on the network",
    "Package not installed",
    "Object is remote",
    "Link has been severed",
    "Advertise error",
    "Srmount error",
    "Communication error on send",
    "Protocol error",
    "Multihop attempted",
    "RFS specific error",
    "Bad message",
    "Value too large for defined data type",
    "Name not unique on network",
    "File descriptor in bad state",
    "Remote address changed",
    "Can not access a needed shared library",
    "Accessing a corrupted shared library",
    ".lib section in a.out corrupted",
    "Attempting to link in too many shared libraries",
    "Cannot exec a shared library directly",
    "Invalid or incomplete multibyte or wide character",
    "Interrupted system call should be restarted",
    "Streams pipe error",
    "Too many users",
    "Socket operation on non-socket",
    "Destination address required",
    "Message too long",
    "Protocol wrong type for socket",
    "Protocol not available",
    "Protocol not supported",
    "Socket type not supported",
    "Operation not supported",
    "Protocol family not supported",
    "Address family not supported by protocol",
    "Address already in use",
    "Cannot assign requested address",
    "Network is down",
    "Network is unreachable",
    "Network dropped connection on reset",
    "Software caused connection abort",
    "Connection reset by peer",
    "No buffer space available",
    "Transport endpoint is already connected",
    "Transport endpoint is not connected",
    "Cannot send after transport endpoint shutdown",
    "Too many references: cannot splice",
    "Connection timed out",
    "Connection refused",
    "Host is down",
    "No route to host",
    "Operation already in progress",
    "Operation now in progress",
    "Stale file handle",
    "Structure needs cleaning",
    "Not a XENIX named type file",
    "No XENIX semaphores available",
    "Is a named type file",
    "Remote I/O error",
    "Disk quota exceeded",
    "No medium found",
    "Wrong medium type",
    "Operation canceled",
    "Required key not available",
    "Key has expired",
    "Key has been revoked",
    "Key was rejected by service",
    "Owner died",
    "State not recoverable",
    "Operation not possible due to RF-kill",
    "Memory page has hardware error",
];

/// The message of an error number; empty when there is none.
pub fn text(number: c_int) -> &'static str {
    usize::try_from(number).ok().and_then(|index| MESSAGES.get(index)).copied().unwrap_or("")
}

/// Where `strerror` puts messages; the C standard lets one buffer serve all callers.
struct Buffer(core::cell::UnsafeCell<[u8; 64]>);
// SAFETY: strerror(3) is documented not to be thread-safe.
unsafe impl Sync for Buffer {}
static BUFFER: Buffer = Buffer(core::cell::UnsafeCell::new([0; 64]));

/// Writes the message of any number, with NUL, cut to `room`. Returns its full length.
unsafe fn write(number: c_int, to: *mut c_char, room: size_t) -> usize {
    let unknown;
    let mut message = text(number);
    if message.is_empty() {
        unknown = alloc::format!("Unknown error {number}");
        message = &unknown;
    }
    if room > 0 {
        let count = message.len().min(room - 1);
        ptr::copy_nonoverlapping(message.as_ptr(), to.cast(), count);
        *to.add(count) = 0;
    }
    message.len()
}

c_api! {
    /// strerror(3).
    fn strerror(number: c_int) -> *mut c_char {
        let buffer = BUFFER.0.get().cast::<c_char>();
        write(number, buffer, 64);
        buffer
    }

    /// strerror_r(3), POSIX's.
    fn __xpg_strerror_r(number: c_int, to: *mut c_char, room: size_t) -> c_int {
        let len = write(number, to, room);
        if text(number).is_empty() {
            libc::EINVAL
        } else if len >= room {
            libc::ERANGE
        } else {
            0
        }
    }

    /// strerror_r(3), GNU's.
    fn strerror_r(number: c_int, to: *mut c_char, room: size_t) -> *mut c_char {
        write(number, to, room);
        to
    }

    /// strerror_l(3): all locales of ours speak English.
    fn strerror_l(number: c_int, _locale: *mut core::ffi::c_void) -> *mut c_char { strerror(number) }

    /// perror(3).
    fn perror(prefix: *const c_char) {
        let number = errno::get();
        let prefix = if prefix.is_null() { &[] } else { super::bytes(prefix) };
        let mut buffer = [0 as c_char; 64];
        write(number, buffer.as_mut_ptr(), buffer.len());
        let message = alloc::string::String::from_utf8_lossy(super::bytes(buffer.as_ptr())).into_owned();
        if prefix.is_empty() {
            crate::runtime::print(&alloc::format!("{message}\n"));
        } else {
            crate::runtime::print(&alloc::format!("{}: {message}\n", alloc::string::String::from_utf8_lossy(prefix)));
        }
        errno::set(number);
    }
}
