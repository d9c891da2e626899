//! Timers that send signals: setitimer(2), timer_create(2).

use super::clocks::{ns_of, time_of, timeval_of};
use super::{Args, Result, get, get_opt, native, put_opt};
use libc::{itimerspec, itimerval, timeval};
use ochre_rt::abi::Errno;
use ochre_rt::abi::process::TimerArgs;
use ochre_rt::abi::signal::SIGALRM;
use ochre_rt::abi::syscall as sys;

/// Microseconds of a second.
const MILLION: i64 = 1_000_000;

/// One of setitimer's timers, by its number.
fn itimer(which: usize) -> Result {
    match which as i32 {
        which @ 0..=2 => Ok(sys::ITIMER_FIRST as usize + which as usize),
        _ => Err(Errno::EINVAL),
    }
}

fn ns_of_timeval(time: timeval) -> Result<u64> {
    match (u64::try_from(time.tv_sec), time.tv_usec) {
        (Ok(seconds), 0..MILLION) => {
            Ok(seconds.saturating_mul(1_000_000_000).saturating_add(time.tv_usec as u64 * 1000))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Sets and reads a timer: its value and interval, ns.
unsafe fn exchange(id: usize, flags: usize, new: Option<[u64; 2]>) -> Result<[u64; 2]> {
    let mut old = [0; 2];
    let pointer = new.as_ref().map_or(0, |new| new.as_ptr().expose_provenance());
    native(sys::SIGNAL_TIMER_SET, [id, flags, pointer, (&raw mut old).expose_provenance(), 0, 0])?;
    Ok(old)
}

fn itimerval_of([value, interval]: [u64; 2]) -> itimerval {
    itimerval { it_interval: timeval_of(interval), it_value: timeval_of(value) }
}

pub unsafe fn getitimer(a: Args) -> Result {
    let id = itimer(a[0])?;
    super::put(a[1], itimerval_of(exchange(id, 0, None)?))
}

/// setitimer(2); without a new value the timer is stopped, as Linux does.
pub unsafe fn setitimer(a: Args) -> Result {
    let id = itimer(a[0])?;
    let new = match get_opt::<itimerval>(a[1])? {
        Some(new) => [ns_of_timeval(new.it_value)?, ns_of_timeval(new.it_interval)?],
        None => [0; 2],
    };
    let old = exchange(id, 0, Some(new))?;
    put_opt(a[2], itimerval_of(old));
    Ok(0)
}

/// alarm(2): the seconds that were left, rounded as Linux does, but never to 0.
pub unsafe fn alarm(a: Args) -> Result {
    let [left, _] = exchange(itimer(0)?, 0, Some([u64::from(a[0] as u32) * 1_000_000_000, 0]))?;
    let seconds = (left + 500_000_000) / 1_000_000_000;
    Ok(if left > 0 { seconds.max(1) } else { 0 } as usize)
}

/// The part of `struct sigevent` that the kernel reads: value, signal, how, thread.
#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    value: u64,
    signal: i32,
    notify: i32,
    tid: i32,
}

pub unsafe fn timer_create(a: Args) -> Result {
    let args = match get_opt::<Event>(a[1])? {
        None => TimerArgs { signal: SIGALRM, value_is_id: 1, ..TimerArgs::default() },
        Some(event) => {
            let tid = if event.notify == libc::SIGEV_THREAD_ID { event.tid as u32 } else { 0 };
            let signal = match event.notify {
                libc::SIGEV_NONE => 0,
                libc::SIGEV_SIGNAL | libc::SIGEV_THREAD_ID if (1..=64).contains(&event.signal) => event.signal as u32,
                _ => return Err(Errno::EINVAL),
            };
            if event.notify == libc::SIGEV_THREAD_ID && event.tid <= 0 {
                return Err(Errno::EINVAL);
            }
            TimerArgs { signal, tid, value: event.value, value_is_id: 0 }
        }
    };
    let id =
        native(sys::SIGNAL_TIMER_CREATE, [a[0] as u32 as usize, (&raw const args).expose_provenance(), 0, 0, 0, 0])?;
    super::put(a[2], id as i32)
}

/// A POSIX timer's id; setitimer's are not reached by these calls.
fn posix(id: usize) -> Result {
    match id as i32 {
        id @ 0.. if (id as u64) < sys::ITIMER_FIRST => Ok(id as usize),
        _ => Err(Errno::EINVAL),
    }
}

fn itimerspec_of([value, interval]: [u64; 2]) -> itimerspec {
    itimerspec { it_interval: time_of(interval), it_value: time_of(value) }
}

pub unsafe fn timer_settime(a: Args) -> Result {
    let new: itimerspec = get(a[2])?;
    let new = [ns_of(new.it_value)?, ns_of(new.it_interval)?];
    let old = exchange(posix(a[0])?, a[1] as u32 as usize, Some(new))?;
    put_opt(a[3], itimerspec_of(old));
    Ok(0)
}

pub unsafe fn timer_gettime(a: Args) -> Result {
    super::put(a[1], itimerspec_of(exchange(posix(a[0])?, 0, None)?))
}

pub unsafe fn timer_getoverrun(a: Args) -> Result {
    native(sys::SIGNAL_TIMER_OVERRUN, [posix(a[0])?, 0, 0, 0, 0, 0])
}

pub unsafe fn timer_delete(a: Args) -> Result {
    native(sys::SIGNAL_TIMER_DELETE, [posix(a[0])?, 0, 0, 0, 0, 0])
}
