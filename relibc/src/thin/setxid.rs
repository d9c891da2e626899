//! Changing the ids of a whole process. nptl(7): Linux's kernel changes one thread's ids, POSIX wants all threads' changed.
//!
//! The calling thread changes its own first; when that worked, each other thread is sent signal 33 and makes the same call
//! in the handler, one after the other.

use crate::errno::int;
use crate::lock::Lock;
use crate::pthread::list;
use crate::{sys, thread};
use alloc::vec::Vec;
use core::ffi::{c_int, c_long};
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The signal for it, as in glibc.
const SIGSETXID: c_int = 33;
/// How long a thread gets before it is asked whether it still lives.
const PATIENCE_NS: c_long = 10_000_000;

/// One change at a time.
static TURN: Lock<()> = Lock::new(());
/// The call that the handler makes: its number and arguments.
static NUMBER: AtomicUsize = AtomicUsize::new(0);
static ARGUMENTS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
/// The thread that made it last.
static DONE: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn on_signal(_signal: c_int) {
    let [a, b, c] = [0, 1, 2].map(|index| ARGUMENTS[index].load(Ordering::Acquire));
    sys::call(NUMBER.load(Ordering::Acquire) as c_long, [a, b, c, 0, 0, 0]);
    DONE.store(thread::current_tid() as u32, Ordering::Release);
    sys::futex_wake(DONE.as_ptr(), 1, false);
}

/// Has a thread make the call, unless it ends first.
unsafe fn ask(tid: c_int) {
    DONE.store(0, Ordering::Release);
    let pid = sys::getpid() as c_int;
    if sys::tgkill(pid, tid, SIGSETXID) < 0 {
        return;
    }
    while DONE.load(Ordering::Acquire) != tid as u32 {
        let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        sys::clock_gettime(libc::CLOCK_MONOTONIC, &mut until);
        until.tv_nsec += PATIENCE_NS;
        if until.tv_nsec >= 1_000_000_000 {
            until.tv_sec += 1;
            until.tv_nsec -= 1_000_000_000;
        }
        let seen = DONE.load(Ordering::Acquire);
        if seen == tid as u32 {
            return;
        }
        sys::futex_wait(DONE.as_ptr(), seen, false, libc::CLOCK_MONOTONIC, &until);
        if sys::tgkill(pid, tid, 0) < 0 {
            return;
        }
    }
}

/// Makes the call in all threads, if it works in this one; sets `errno` and returns −1 if not.
///
/// # Safety
/// The contract of the call.
pub unsafe fn everywhere(number: c_long, arguments: [usize; 3]) -> c_int {
    let _turn = TURN.lock();
    let [a, b, c] = arguments;
    let raw = sys::call(number, [a, b, c, 0, 0, 0]);
    // Ochre's credentials are the process's.
    if raw < 0 || cfg!(ochre_backend = "ochre") {
        return int(raw);
    }
    NUMBER.store(number as usize, Ordering::Release);
    for (place, argument) in ARGUMENTS.iter().zip(arguments) {
        place.store(argument, Ordering::Release);
    }
    let own = thread::current_tid();
    let mut asked = Vec::from([own]);
    let mut installed = false;
    // Threads that the others started meanwhile have their starter's ids, which may be the old ones.
    loop {
        let mut new = Vec::new();
        list::for_each(|thread| {
            // SAFETY: listed blocks are valid.
            let tid = unsafe { (*thread).tid.load(Ordering::Acquire) };
            if tid != 0 && !asked.contains(&tid) {
                new.push(tid);
            }
        });
        if new.is_empty() {
            return int(raw);
        }
        if !installed {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            sys::sigaction(SIGSETXID, &action, ptr::null_mut());
            installed = true;
        }
        for tid in new {
            ask(tid);
            asked.push(tid);
        }
    }
}
