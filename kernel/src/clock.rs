//! Clocks and sleeping.

use crate::mm::time_page::{realtime_offset, set_realtime_offset};
use crate::sched::{self, Wake};
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::SeqCst;
use ochre_abi::event::*;
use ochre_abi::process::RIGHT_TIME;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// A clock's time in ns; EINVAL for an unknown one.
pub fn read(me: &Arc<Thread>, clock: u64) -> Result<u64> {
    Ok(match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE => hal::time::now().wrapping_add(realtime_offset()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => hal::time::now(),
        CLOCK_PROCESS_CPUTIME_ID => me.process.run_ns(),
        CLOCK_THREAD_CPUTIME_ID => me.sched.run_ns.load(SeqCst) + sched::slice_ns(me),
        _ => return Err(Errno::EINVAL),
    })
}

/// A time on a clock as ns since boot, for deadlines.
pub fn to_monotonic(clock: u64, ns: u64) -> Result<u64> {
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE => Ok(ns.saturating_sub(realtime_offset())),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => Ok(ns),
        _ => Err(Errno::EINVAL),
    }
}

/// CLOCK_GET.
pub fn clock_get(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    Ok(read(me, a[0])? as usize)
}

/// CLOCK_SET.
pub fn clock_set(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_TIME)?;
    if a[0] > i64::MAX as u64 {
        return Err(Errno::EINVAL);
    }
    set_realtime_offset(a[0].wrapping_sub(hal::time::now()));
    crate::io::timerfd::clock_was_set();
    Ok(0)
}

/// SLEEP.
pub fn sleep(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [clock, flags, ns, remaining, ..] = *a;
    let absolute = flags & TIMER_ABSTIME != 0;
    let deadline = if absolute {
        to_monotonic(clock, ns)?
    } else {
        to_monotonic(clock, 0)?;
        hal::time::now().saturating_add(ns)
    };
    loop {
        match sched::park(me, Some(deadline), true) {
            Wake::TimedOut => return Ok(0),
            Wake::Unparked => {}
            Wake::Interrupted | Wake::Killed => {
                if !absolute && remaining != 0 {
                    user::write(remaining, &deadline.saturating_sub(hal::time::now()))?;
                }
                return Err(Errno::EINTR);
            }
        }
    }
}
