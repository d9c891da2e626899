//! Messages of signals, as glibc words them. strsignal(3).

use core::ffi::CStr;
use core::ffi::{c_char, c_int};

/// Messages of the signals from 1.
const MESSAGES: [&CStr; 31] = [
    c"Hangup",
    c"Interrupt",
    c"Quit",
    c"Illegal instruction",
    c"Trace/breakpoint trap",
    c"Aborted",
    c"Bus error",
    c"Floating point exception",
    c"Killed",
    c"User defined signal 1",
    c"Segmentation fault",
    c"User defined signal 2",
    c"Broken pipe",
    c"Alarm clock",
    c"Terminated",
    c"Stack fault",
    c"Child exited",
    c"Continued",
    c"Stopped (signal)",
    c"Stopped",
    c"Stopped (tty input)",
    c"Stopped (tty output)",
    c"Urgent I/O condition",
    c"CPU time limit exceeded",
    c"File size limit exceeded",
    c"Virtual timer expired",
    c"Profiling timer expired",
    c"Window changed",
    c"I/O possible",
    c"Power failure",
    c"Bad system call",
];

/// First real-time signal that belongs to programs, and the last.
const REAL_TIME: core::ops::RangeInclusive<c_int> = 34..=64;

/// Room for the longest message with a number in it.
const ROOM: usize = 40;

struct Static(core::cell::UnsafeCell<[u8; ROOM]>);
// SAFETY: strsignal(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(core::cell::UnsafeCell::new([0; ROOM]));

c_api! {
    /// strsignal(3).
    fn strsignal(signal: c_int) -> *mut c_char {
        let known = usize::try_from(signal).ok().and_then(|signal| MESSAGES.get(signal.checked_sub(1)?));
        if let Some(message) = known {
            return message.as_ptr().cast_mut();
        }
        let text = if REAL_TIME.contains(&signal) {
            alloc::format!("Real-time signal {}", signal - REAL_TIME.start())
        } else {
            alloc::format!("Unknown signal {signal}")
        };
        let place = STATIC.0.get().cast::<u8>();
        core::ptr::copy_nonoverlapping(text.as_ptr(), place, text.len());
        *place.add(text.len()) = 0;
        place.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_hosts() {
        for signal in -1..70 {
            // SAFETY: both return strings.
            unsafe {
                assert_eq!(CStr::from_ptr(strsignal(signal)), CStr::from_ptr(libc::strsignal(signal)), "{signal}");
            }
        }
    }
}
