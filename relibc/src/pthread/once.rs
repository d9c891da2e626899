//! `pthread_once`: the control word is 0, then 1 while the routine runs, then 2 (3: someone sleeps).

use super::unwind::Cleanup;
use crate::sys;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, Ordering};
use libc::pthread_once_t;

const NEW: u32 = 0;
const RUNNING: u32 = 1;
const DONE: u32 = 2;
const WAITED: u32 = 3;

/// The thread that ran the routine has ended in it: the next caller runs it anew.
unsafe fn again(word: *mut c_void) {
    let word = &*word.cast::<AtomicU32>();
    if word.swap(NEW, Ordering::Release) == WAITED {
        sys::futex_wake(word.as_ptr(), c_int::MAX, false);
    }
}

c_api! {
    /// pthread_once(3).
    fn pthread_once(control: *mut pthread_once_t, routine: unsafe extern "C" fn()) -> c_int {
        let word = &*control.cast::<AtomicU32>();
        if word.load(Ordering::Acquire) == DONE {
            return 0;
        }
        loop {
            match word.compare_exchange(NEW, RUNNING, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    Cleanup::around(again, word.as_ptr().cast(), || routine());
                    if word.swap(DONE, Ordering::Release) == WAITED {
                        sys::futex_wake(word.as_ptr(), c_int::MAX, false);
                    }
                    return 0;
                }
                Err(DONE) => return 0,
                Err(RUNNING) => {
                    // A failed exchange means that the state went on; look again.
                    let _ = word.compare_exchange(RUNNING, WAITED, Ordering::Relaxed, Ordering::Relaxed);
                }
                Err(_) => {
                    sys::futex_wait(word.as_ptr(), WAITED, false, libc::CLOCK_MONOTONIC, core::ptr::null());
                }
            }
        }
    }
}
