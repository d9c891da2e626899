//! `time.h`, `sys/time.h`: clocks and sleeping.

use crate::pthread::cancel::point;
use crate::errno::{self, int};
use crate::sys;
use core::ffi::{c_int, c_void};
use libc::{clock_t, clockid_t, time_t, timespec, timeval};

c_api! {
    /// clock_gettime(2).
    fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int { int(sys::clock_gettime(clock, out)) }

    /// clock_getres(2).
    fn clock_getres(clock: clockid_t, out: *mut timespec) -> c_int { int(sys::clock_getres(clock, out)) }

    /// clock_settime(2).
    fn clock_settime(clock: clockid_t, new: *const timespec) -> c_int {
        int(sys::call(libc::SYS_clock_settime, [clock as usize, new.expose_provenance(), 0, 0, 0, 0]))
    }

    /// clock_nanosleep(2): returns the error number.
    fn clock_nanosleep(clock: clockid_t, flags: c_int, request: *const timespec, left: *mut timespec) -> c_int {
        if clock == libc::CLOCK_THREAD_CPUTIME_ID {
            return libc::EINVAL;
        }
        errno::code(point(|| sys::clock_nanosleep(clock, flags, request, left)))
    }

    /// nanosleep(2).
    fn nanosleep(request: *const timespec, left: *mut timespec) -> c_int {
        int(point(|| sys::clock_nanosleep(libc::CLOCK_REALTIME, 0, request, left)))
    }

    /// gettimeofday(2).
    fn gettimeofday(out: *mut timeval, _zone: *mut c_void) -> c_int {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        let raw = sys::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        if raw == 0 && !out.is_null() {
            *out = timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1000 };
        }
        int(raw)
    }

    /// time(2).
    fn time(out: *mut time_t) -> time_t {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        if int(sys::clock_gettime(libc::CLOCK_REALTIME, &mut now)) < 0 {
            return -1;
        }
        if !out.is_null() {
            *out = now.tv_sec;
        }
        now.tv_sec
    }

    /// clock(3).
    fn clock() -> clock_t {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        if int(sys::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now)) < 0 {
            return -1;
        }
        now.tv_sec * 1_000_000 + now.tv_nsec / 1000
    }

    /// times(2): in ticks of 10 ms.
    fn times(out: *mut libc::tms) -> clock_t {
        let ticks = |time: timeval| time.tv_sec * 100 + time.tv_usec / 10_000;
        let mut usage: [libc::rusage; 2] = core::mem::zeroed();
        for (usage, who) in usage.iter_mut().zip([libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]) {
            if int(sys::getrusage(who, usage)) < 0 {
                return -1;
            }
        }
        if !out.is_null() {
            *out = libc::tms {
                tms_utime: ticks(usage[0].ru_utime),
                tms_stime: ticks(usage[0].ru_stime),
                tms_cutime: ticks(usage[1].ru_utime),
                tms_cstime: ticks(usage[1].ru_stime),
            };
        }
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        if int(sys::clock_gettime(libc::CLOCK_MONOTONIC, &mut now)) < 0 {
            return -1;
        }
        now.tv_sec * 100 + now.tv_nsec / 10_000_000
    }

    /// difftime(3).
    fn difftime(end: time_t, start: time_t) -> f64 { end.wrapping_sub(start) as f64 }
}
