//! futex(2).

use super::clocks::{ns_of, timeout};
use super::{Args, Result, get_opt, native};
use libc::timespec;
use ochre_rt::abi::Errno;
use ochre_rt::abi::event::{FUTEX_BITSET_ALL, FUTEX_NO_COMPARE, FUTEX_REALTIME, FUTEX_SHARED, FUTEX_TRY};
use ochre_rt::abi::syscall::{self as sys, FOREVER};
use ochre_rt::time;

/// FUTEX_WAIT's timeout is relative, the native one absolute.
unsafe fn deadline(pointer: usize, realtime: bool) -> Result<u64> {
    let Some(timeout) = get_opt::<timespec>(pointer)? else { return Ok(FOREVER) };
    let now = if realtime { time::realtime() } else { time::monotonic() };
    Ok(now.saturating_add(ns_of(timeout)?).min(FOREVER - 1))
}

/// FUTEX_LOCK_PI with a deadline on either clock, of Linux 5.14.
const FUTEX_LOCK_PI2: i32 = 13;

unsafe fn lock_pi(word: usize, deadline: u64, flags: usize) -> Result {
    native(sys::FUTEX_LOCK_PI, [word, deadline as usize, flags, 0, 0, 0])
}

pub unsafe fn futex(a: Args) -> Result {
    let [word, operation, value, timeout_or_count, word2, value3] = a;
    let operation = operation as i32;
    let realtime = operation & libc::FUTEX_CLOCK_REALTIME != 0;
    let shared = if operation & libc::FUTEX_PRIVATE_FLAG != 0 { 0 } else { FUTEX_SHARED as usize };
    let value = value as u32 as usize;
    let count2 = timeout_or_count as u32 as usize;
    let wait = |bitset: usize, deadline: u64| {
        let flags = if realtime { shared | FUTEX_REALTIME as usize } else { shared };
        native(sys::FUTEX_WAIT, [word, value, bitset, deadline as usize, flags, 0])
    };
    let wake = |bitset: usize| native(sys::FUTEX_WAKE, [word, value, bitset, shared, 0, 0]);
    match operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) {
        libc::FUTEX_WAIT => wait(FUTEX_BITSET_ALL as usize, deadline(timeout_or_count, realtime)?),
        libc::FUTEX_WAIT_BITSET => wait(value3 as u32 as usize, timeout(timeout_or_count)?),
        libc::FUTEX_WAKE => wake(FUTEX_BITSET_ALL as usize),
        libc::FUTEX_WAKE_BITSET => wake(value3 as u32 as usize),
        libc::FUTEX_REQUEUE => {
            native(sys::FUTEX_REQUEUE, [word, value, count2, word2, 0, shared | FUTEX_NO_COMPARE as usize])
        }
        libc::FUTEX_CMP_REQUEUE => {
            native(sys::FUTEX_REQUEUE, [word, value, count2, word2, value3 as u32 as usize, shared])
        }
        libc::FUTEX_WAKE_OP => native(sys::FUTEX_WAKE_OP, [word, value, count2, word2, value3 as u32 as usize, shared]),
        libc::FUTEX_LOCK_PI => lock_pi(word, timeout(timeout_or_count)?, shared | FUTEX_REALTIME as usize),
        FUTEX_LOCK_PI2 => {
            let clock = if realtime { FUTEX_REALTIME as usize } else { 0 };
            lock_pi(word, timeout(timeout_or_count)?, shared | clock)
        }
        libc::FUTEX_TRYLOCK_PI => lock_pi(word, FOREVER, shared | FUTEX_TRY as usize),
        libc::FUTEX_UNLOCK_PI => native(sys::FUTEX_UNLOCK_PI, [word, shared, 0, 0, 0, 0]),
        _ => Err(Errno::ENOSYS),
    }
}

pub unsafe fn set_robust_list(a: Args) -> Result {
    native(sys::SET_ROBUST_LIST, a)
}
