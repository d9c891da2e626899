//! Setting clocks and files' times: `settimeofday`, `adjtimex`, `utime`, and old readings of the clock.

use super::clocks::clock_gettime;
use crate::errno::{self, int};
use crate::sys;
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;
use libc::{clockid_t, pid_t, time_t, timespec, timeval, timex, utimbuf};

/// `struct timeb`. ftime(3).
#[repr(C)]
pub struct Timeb {
    time: time_t,
    millitm: u16,
    timezone: i16,
    dstflag: i16,
}

/// Microseconds as timespec has them; None outside a second.
fn fine(time: timeval) -> Option<timespec> {
    (0..1_000_000).contains(&time.tv_usec).then_some(timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_usec * 1000 })
}

/// utimensat(2) with times in microseconds, or null for now.
unsafe fn set_times(dir: c_int, path: *const c_char, times: *const timeval, flags: c_int) -> c_int {
    if times.is_null() {
        return int(sys::utimensat(dir, path, ptr::null(), flags));
    }
    match (fine(*times), fine(*times.add(1))) {
        (Some(access), Some(change)) => int(sys::utimensat(dir, path, [access, change].as_ptr(), flags)),
        _ => errno::fail(libc::EINVAL),
    }
}

c_api! {
    /// utimes(2).
    fn utimes(path: *const c_char, times: *const timeval) -> c_int { set_times(libc::AT_FDCWD, path, times, 0) }

    /// lutimes(3).
    fn lutimes(path: *const c_char, times: *const timeval) -> c_int {
        set_times(libc::AT_FDCWD, path, times, libc::AT_SYMLINK_NOFOLLOW)
    }

    /// futimes(3).
    fn futimes(fd: c_int, times: *const timeval) -> c_int { set_times(fd, ptr::null(), times, 0) }

    /// futimesat(2).
    fn futimesat(dir: c_int, path: *const c_char, times: *const timeval) -> c_int { set_times(dir, path, times, 0) }

    /// utime(2).
    fn utime(path: *const c_char, times: *const utimbuf) -> c_int {
        if times.is_null() {
            return utimes(path, ptr::null());
        }
        let times = [(*times).actime, (*times).modtime].map(|time| timeval { tv_sec: time, tv_usec: 0 });
        utimes(path, times.as_ptr())
    }

    /// timespec_get(3): C11's, whose only base is TIME_UTC (1).
    fn timespec_get(out: *mut timespec, base: c_int) -> c_int {
        if base == 1 && clock_gettime(libc::CLOCK_REALTIME, out) == 0 { base } else { 0 }
    }

    /// timespec_getres: C23's clock_getres.
    fn timespec_getres(out: *mut timespec, base: c_int) -> c_int {
        if base == 1 && (out.is_null() || super::clock_getres(libc::CLOCK_REALTIME, out) == 0) { base } else { 0 }
    }

    /// ftime(3). As glibc: it knows no zone.
    fn ftime(out: *mut Timeb) -> c_int {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        if clock_gettime(libc::CLOCK_REALTIME, &mut now) < 0 {
            return -1;
        }
        *out = Timeb { time: now.tv_sec, millitm: (now.tv_nsec / 1_000_000) as u16, timezone: 0, dstflag: 0 };
        0
    }

    /// settimeofday(2). As glibc: time and zone cannot be set at once.
    fn settimeofday(new: *const timeval, zone: *const c_void) -> c_int {
        if !zone.is_null() {
            if !new.is_null() {
                return errno::fail(libc::EINVAL);
            }
            return int(sys::call(libc::SYS_settimeofday, [0, zone.expose_provenance(), 0, 0, 0, 0]));
        }
        match fine(*new) {
            Some(time) => super::clock_settime(libc::CLOCK_REALTIME, &time),
            None => errno::fail(libc::EINVAL),
        }
    }

    /// stime(2).
    fn stime(new: *const time_t) -> c_int {
        super::clock_settime(libc::CLOCK_REALTIME, &timespec { tv_sec: *new, tv_nsec: 0 })
    }

    /// adjtimex(2).
    fn adjtimex(out: *mut timex) -> c_int {
        int(sys::call(libc::SYS_adjtimex, [out.expose_provenance(), 0, 0, 0, 0, 0]))
    }

    /// ntp_adjtime(3).
    fn ntp_adjtime(out: *mut timex) -> c_int { adjtimex(out) }

    /// clock_adjtime(2).
    fn clock_adjtime(clock: clockid_t, out: *mut timex) -> c_int {
        int(sys::call(libc::SYS_clock_adjtime, [clock as usize, out.expose_provenance(), 0, 0, 0, 0]))
    }

    /// adjtime(3): shifts the clock slowly.
    fn adjtime(delta: *const timeval, left: *mut timeval) -> c_int {
        /// adjtimex's modes for one shift, and for asking how much is left of it.
        const SINGLE_SHOT: u32 = 0x8001;
        const READ_SHOT: u32 = 0xa001;
        /// As glibc: what fits in an int of microseconds, with a margin.
        const MOST: c_long = (c_int::MAX / 1_000_000 - 2) as c_long;
        let mut change: timex = core::mem::zeroed();
        change.modes = READ_SHOT;
        if !delta.is_null() {
            let seconds = (*delta).tv_sec + (*delta).tv_usec / 1_000_000;
            if !(-MOST..=MOST).contains(&seconds) {
                return errno::fail(libc::EINVAL);
            }
            change.modes = SINGLE_SHOT;
            change.offset = seconds * 1_000_000 + (*delta).tv_usec % 1_000_000;
        }
        if adjtimex(&mut change) < 0 {
            return -1;
        }
        if !left.is_null() {
            let (sec, usec) = (change.offset / 1_000_000, change.offset % 1_000_000);
            *left = timeval { tv_sec: sec, tv_usec: usec };
        }
        0
    }

    /// clock_getcpuclockid(3). Returns the error number.
    fn clock_getcpuclockid(pid: pid_t, out: *mut clockid_t) -> c_int {
        // Linux's posix-timers_types.h: the process's id, and kind 2 (CPU time that the scheduler counts).
        let clock = (!pid) << 3 | 2;
        match sys::result(sys::clock_getres(clock, ptr::null_mut())) {
            Ok(_) => {
                *out = clock;
                0
            }
            Err(libc::EINVAL) => libc::ESRCH,
            Err(error) => error,
        }
    }
}
