//! `asctime`, `ctime`. asctime(3).

use super::local;
use crate::errno;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::fmt::{self, Write};
use core::ptr;
use libc::{time_t, tm};

/// Days of the week in the C locale, from Sunday.
pub const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// Months in the C locale.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Bytes that asctime_r and ctime_r may write, by POSIX.
const ROOM: usize = 26;
/// Bytes of the buffer behind asctime: enough for any fields.
const STATIC_ROOM: usize = 3 + 1 + 3 + 11 * 5 + 8;

/// A buffer that counts what did not fit.
struct Out<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Three letters of a name, or `???`.
fn short(names: &[&'static str], index: c_int) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).map_or("???", |name| &name[..3])
}

/// Writes the 26 bytes (or more, for strange fields) of asctime.
///
/// # Errors
/// EINVAL for no fields, EOVERFLOW if the year or the room is too small.
fn write(fields: Option<&tm>, buffer: &mut [u8]) -> Result<(), c_int> {
    let fields = fields.ok_or(libc::EINVAL)?;
    let year = fields.tm_year.checked_add(1900).ok_or(libc::EOVERFLOW)?;
    let mut out = Out { buffer, len: 0 };
    write!(
        out,
        "{} {}{:3} {:02}:{:02}:{:02} {}\n\0",
        short(&WEEKDAYS, fields.tm_wday),
        short(&MONTHS, fields.tm_mon),
        fields.tm_mday,
        fields.tm_hour,
        fields.tm_min,
        fields.tm_sec,
        year
    )
    .map_err(|_| libc::EOVERFLOW)
}

/// Where asctime and ctime put their answer.
struct Static(UnsafeCell<[u8; STATIC_ROOM]>);
// SAFETY: asctime(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new([0; STATIC_ROOM]));

unsafe fn answer(fields: *const tm, buffer: &mut [u8]) -> *mut c_char {
    match write(fields.as_ref(), buffer) {
        Ok(()) => buffer.as_mut_ptr().cast(),
        Err(error) => {
            errno::set(error);
            ptr::null_mut()
        }
    }
}

c_api! {
    /// asctime(3).
    fn asctime(fields: *const tm) -> *mut c_char { answer(fields, &mut *STATIC.0.get()) }

    /// asctime_r(3).
    fn asctime_r(fields: *const tm, out: *mut c_char) -> *mut c_char {
        answer(fields, core::slice::from_raw_parts_mut(out.cast(), ROOM))
    }

    /// ctime(3).
    fn ctime(time: *const time_t) -> *mut c_char { asctime(local::localtime(time)) }

    /// ctime_r(3).
    fn ctime_r(time: *const time_t, out: *mut c_char) -> *mut c_char {
        let mut fields: tm = core::mem::zeroed();
        let fields = local::localtime_r(time, &mut fields);
        if fields.is_null() { ptr::null_mut() } else { asctime_r(fields, out) }
    }
}
