//! `syslog.h`: messages for the system's log, as datagrams to /dev/log. syslog(3), RFC 3164.
//!
//! Where nobody listens there, messages vanish, as they do in glibc.

use crate::lock::Lock;
use crate::start::program_invocation_short_name;
use crate::stdio::format::format;
use crate::time::local;
use crate::va::VaList;
use crate::{errno, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;

struct State {
    /// The socket, or −1.
    fd: c_int,
    ident: *const c_char,
    options: c_int,
    facility: c_int,
    mask: c_int,
}

static STATE: Lock<State> =
    Lock::new(State { fd: -1, ident: ptr::null(), options: 0, facility: libc::LOG_USER, mask: 0xff });

const PATH: &[u8] = b"/dev/log";
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl State {
    /// Connects, unless it is.
    unsafe fn connect(&mut self) {
        if self.fd >= 0 {
            return;
        }
        let raw = sys::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if raw < 0 {
            return;
        }
        let mut address: libc::sockaddr_un = core::mem::zeroed();
        address.sun_family = libc::AF_UNIX as u16;
        for (to, &from) in address.sun_path.iter_mut().zip(PATH) {
            *to = from as c_char;
        }
        self.fd = raw as c_int;
        if sys::connect(self.fd, (&raw const address).cast(), size_of::<libc::sockaddr_un>() as u32) < 0 {
            self.disconnect();
        }
    }

    unsafe fn disconnect(&mut self) {
        if self.fd >= 0 {
            sys::close(core::mem::replace(&mut self.fd, -1));
        }
    }

    unsafe fn send(&mut self, message: &[u8]) {
        let flags = libc::MSG_NOSIGNAL;
        for _ in 0..2 {
            self.connect();
            if self.fd < 0 {
                break;
            }
            if sys::sendto(self.fd, message.as_ptr().cast(), message.len(), flags, ptr::null(), 0) >= 0 {
                return;
            }
            // The logger may have been started anew: once more on a new socket.
            self.disconnect();
        }
        if self.options & libc::LOG_CONS != 0 {
            let raw = sys::openat(
                libc::AT_FDCWD,
                c"/dev/console".as_ptr(),
                libc::O_WRONLY | libc::O_NOCTTY | libc::O_CLOEXEC,
                0,
            );
            if raw >= 0 {
                // Without the priority.
                let text = message.splitn(2, |&byte| byte == b'>').nth(1).unwrap_or(message);
                let line = [text, b"\r\n"].concat();
                sys::write(raw as c_int, line.as_ptr().cast(), line.len());
                sys::close(raw as c_int);
            }
        }
    }
}

/// The date of RFC 3164: "Nov  2 03:04:05".
fn date(time: &libc::tm) -> alloc::string::String {
    let name = usize::try_from(time.tm_mon).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"???");
    alloc::format!("{name} {:2} {:02}:{:02}:{:02}", time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec)
}

unsafe fn log(mut priority: c_int, text: *const c_char, arguments: *mut VaList) {
    let number = errno::get();
    priority &= libc::LOG_PRIMASK | libc::LOG_FACMASK;
    let mut state = STATE.lock();
    if 1 << (priority & libc::LOG_PRIMASK) & state.mask == 0 {
        return;
    }
    if priority & libc::LOG_FACMASK == 0 {
        priority |= state.facility;
    }
    let mut now: libc::timespec = core::mem::zeroed();
    sys::clock_gettime(libc::CLOCK_REALTIME, &mut now);
    let mut line = Vec::new();
    let ident = if state.ident.is_null() { program_invocation_short_name } else { state.ident };
    if !ident.is_null() {
        line.extend_from_slice(string::bytes(ident));
    }
    if state.options & libc::LOG_PID != 0 {
        line.extend_from_slice(alloc::format!("[{}]", sys::getpid()).as_bytes());
    }
    if !line.is_empty() {
        line.extend_from_slice(b": ");
    }
    errno::set(number);
    format(&mut line, text, arguments);
    if state.options & libc::LOG_PERROR != 0 {
        let mut shown = line.clone();
        if shown.last() != Some(&b'\n') {
            shown.push(b'\n');
        }
        sys::write(2, shown.as_ptr().cast(), shown.len());
    }
    // Local time, which a log daemon expects without a zone. A time that no calendar tells is given in UTC's first second.
    let mut fields: libc::tm = core::mem::zeroed();
    fields.tm_mday = 1;
    local::localtime_r(&now.tv_sec, &mut fields);
    let message = [alloc::format!("<{priority}>{} ", date(&fields)).as_bytes(), &line].concat();
    state.send(&message);
    errno::set(number);
}

c_api! {
    /// openlog(3). The name is not copied.
    fn openlog(ident: *const c_char, options: c_int, facility: c_int) {
        let mut state = STATE.lock();
        if !ident.is_null() {
            state.ident = ident;
        }
        state.options = options;
        if facility & !libc::LOG_FACMASK == 0 {
            state.facility = facility;
        }
        if options & libc::LOG_NDELAY != 0 {
            state.connect();
        }
    }

    /// closelog(3).
    fn closelog() {
        let mut state = STATE.lock();
        state.disconnect();
        state.ident = ptr::null();
    }

    /// setlogmask(3); 0 only asks.
    fn setlogmask(mask: c_int) -> c_int {
        let mut state = STATE.lock();
        let before = state.mask;
        if mask != 0 {
            state.mask = mask;
        }
        before
    }

    /// vsyslog(3).
    fn vsyslog(priority: c_int, text: *const c_char, arguments: *mut VaList) { log(priority, text, arguments); }

    /// [`vsyslog`]. LSB.
    fn __vsyslog_chk(priority: c_int, _flag: c_int, text: *const c_char, arguments: *mut VaList) {
        log(priority, text, arguments);
    }
}

c_variadic! {
    /// syslog(3).
    fn syslog = vsyslog, 2, "rdx";
    /// [`syslog`]. LSB.
    fn __syslog_chk = __vsyslog_chk, 3, "rcx";
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates() {
        for (time, expected) in [
            (0, "Jan  1 00:00:00"),
            (951_782_400, "Feb 29 00:00:00"),
            (1_700_000_000, "Nov 14 22:13:20"),
            (1_735_689_599, "Dec 31 23:59:59"),
        ] {
            // SAFETY: all zero is a time, and the call fills it in.
            let mut fields: libc::tm = unsafe { core::mem::zeroed() };
            crate::time::local::convert_utc(time, &mut fields).unwrap();
            assert_eq!(date(&fields), expected);
        }
    }
}
