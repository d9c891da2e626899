//! Clocks and sleeping.

use super::{Args, Result, get, put, put_opt};
use core::sync::atomic::Ordering::Relaxed;
use libc::{timespec, timeval, tms};
use ochre_rt::abi::Errno;
use ochre_rt::abi::event::*;
use ochre_rt::abi::syscall::FOREVER;
use ochre_rt::{syscall, time as rt_time};

const NS: u64 = 1_000_000_000;

/// A time as nanoseconds; EINVAL if it is negative or its fraction is none. Times beyond 2^64 ns are the greatest there is.
pub fn ns_of(time: timespec) -> Result<u64> {
    match (u64::try_from(time.tv_sec), time.tv_nsec) {
        (Ok(seconds), ns @ 0..1_000_000_000) => {
            Ok(seconds.saturating_mul(NS).saturating_add(ns as u64).min(FOREVER - 1))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Nanoseconds as a time.
pub fn time_of(ns: u64) -> timespec {
    timespec { tv_sec: (ns / NS) as i64, tv_nsec: (ns % NS) as i64 }
}

/// A timeout argument; null is for ever.
pub unsafe fn timeout(pointer: usize) -> Result<u64> {
    super::get_opt::<timespec>(pointer)?.map_or(Ok(FOREVER), ns_of)
}

/// A timeout in milliseconds; negative is for ever.
pub fn milliseconds(arg: usize) -> u64 {
    u64::try_from(arg as i32).map_or(FOREVER, |ms| ms * 1_000_000)
}

/// The native clock. The negative ids are CPU clocks of processes and threads (Linux's posix-timers_types.h):
/// `!id << 3`, bit 2 for a thread, low bits for the kind; only the caller's own can be read.
unsafe fn clock(arg: usize) -> Result<u64> {
    let clock = arg as i32;
    if clock >= 0 {
        return Ok(clock as u64);
    }
    let (id, of_thread) = (!(clock >> 3), clock & 4 != 0);
    let own = if of_thread { syscall::gettid() } else { ochre_rt::signal::process_page().pid.load(Relaxed) as i32 };
    match id == 0 || id == own {
        true if of_thread => Ok(CLOCK_THREAD_CPUTIME_ID),
        true => Ok(CLOCK_PROCESS_CPUTIME_ID),
        false => Err(Errno::EINVAL),
    }
}

#[inline]
pub unsafe fn clock_gettime(a: Args) -> Result {
    put(a[1], time_of(rt_time::now(clock(a[0])?)?))
}

pub unsafe fn clock_getres(a: Args) -> Result {
    rt_time::now(clock(a[0])?)?;
    put_opt(a[1], time_of(1));
    Ok(0)
}

pub unsafe fn clock_settime(a: Args) -> Result {
    let time = ns_of(get(a[1])?)?;
    if a[0] as u32 as u64 != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    syscall::clock_set(time)?;
    Ok(0)
}

pub unsafe fn clock_nanosleep(a: Args) -> Result {
    let flags = a[1] as u32 as u64 & TIMER_ABSTIME;
    let time = ns_of(get(a[2])?)?;
    let mut left = 0;
    let done = syscall::sleep(u64::from(a[0] as u32), flags, time, Some(&mut left));
    if done == Err(Errno::EINTR) && flags == 0 {
        put_opt(a[3], time_of(left));
    }
    done.map(|()| 0)
}

pub unsafe fn nanosleep(a: Args) -> Result {
    clock_nanosleep([CLOCK_MONOTONIC as usize, 0, a[0], a[1], 0, 0])
}

pub unsafe fn gettimeofday(a: Args) -> Result {
    let now = rt_time::realtime();
    put_opt(a[0], timeval_of(now));
    // The time zone: UTC, two ints.
    put_opt(a[1], [0i32; 2]);
    Ok(0)
}

pub unsafe fn time(a: Args) -> Result {
    let seconds = rt_time::realtime() / NS;
    put_opt(a[0], seconds as i64);
    Ok(seconds as usize)
}

pub unsafe fn times(a: Args) -> Result {
    /// Ticks a second (AT_CLKTCK).
    const TICK: u64 = NS / 100;
    let (own, children) = (syscall::process_usage(0)?, syscall::process_usage(-1)?);
    let ticks = |ns: u64| (ns / TICK) as i64;
    let value = tms {
        tms_utime: ticks(own.user_ns),
        tms_stime: ticks(own.system_ns),
        tms_cutime: ticks(children.user_ns),
        tms_cstime: ticks(children.system_ns),
    };
    put_opt(a[0], value);
    Ok((rt_time::monotonic() / TICK) as usize)
}

/// A duration as `struct timeval`.
pub fn timeval_of(ns: u64) -> timeval {
    timeval { tv_sec: (ns / NS) as i64, tv_usec: (ns % NS / 1000) as i64 }
}
