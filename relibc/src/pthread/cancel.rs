//! Cancellation: `pthread_cancel`, and the points at which a thread acts on it. pthreads(7), pthread_cancel(3).
//!
//! A request is a bit in the thread's control block, and a signal that ends a wait. Functions that are cancellation points make
//! their call through [`point`]. Each back end has its own way to keep a request from falling between the look at the bit and the
//! wait: Linux's kernel has none, so there the signal's handler acts at once while a point's call is under way (as in glibc up to
//! 2.40); on Ochre the signal is left pending meanwhile, which makes the next wait end at once, so that the handler
//! never acts in the middle of the library's code.

use super::unwind;
use crate::thread::{self, Thread};
use crate::{errno, signal, sys};
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use libc::pthread_t;

/// The signal that ends a cancelled thread's wait; glibc's number too. Programs cannot block or send it.
pub const SIGNAL: c_int = 32;

/// The thread does not act on requests (PTHREAD_CANCEL_DISABLE).
const DISABLED: u32 = 1;
/// It acts on them at once (PTHREAD_CANCEL_ASYNCHRONOUS).
const ASYNC: u32 = 2;
/// There is a request.
const PENDING: u32 = 4;
/// The thread is ending, and acts on nothing.
const EXITING: u32 = 8;

const ENABLE: c_int = 0;
const DISABLE: c_int = 1;
const DEFERRED: c_int = 0;
const ASYNCHRONOUS: c_int = 1;

/// What a cancelled thread is joined with (PTHREAD_CANCELED).
const CANCELED: *mut c_void = ptr::without_provenance_mut(usize::MAX);

/// A request that the thread would act on is there.
fn due(word: u32) -> bool {
    word & (PENDING | DISABLED | EXITING) == PENDING
}

fn word(thread: *mut Thread) -> u32 {
    // SAFETY: callers pass the calling thread's block.
    unsafe { (*thread).cancel.load(Ordering::Relaxed) }
}

/// Ends the calling thread because of a request.
#[cold]
unsafe fn act(thread: *mut Thread) -> ! {
    (*thread).result = CANCELED;
    exit(thread)
}

/// Ends the calling thread, with its cleanup handlers.
///
/// # Safety
/// `thread` is the calling thread's block.
pub unsafe fn exit(thread: *mut Thread) -> ! {
    (*thread).cancel.fetch_or(EXITING, Ordering::Relaxed);
    (*thread).at_point = 0;
    unwind::run(thread)
}

/// The calling thread's start routine has returned: no request is acted on any more.
///
/// # Safety
/// `thread` is the calling thread's block.
pub unsafe fn ending(thread: *mut Thread) {
    (*thread).cancel.fetch_or(EXITING, Ordering::Relaxed);
}

/// Acts on a request, if there is one.
#[inline]
pub fn test() {
    let thread = thread::current();
    if due(word(thread)) {
        // SAFETY: the calling thread's block; the C API's caller expects that its thread may end here.
        unsafe { act(thread) }
    }
}

/// Makes a call that may wait, as a cancellation point; `call` returns a raw result.
#[inline]
pub fn point(call: impl FnOnce() -> isize) -> isize {
    let thread = thread::current();
    if due(word(thread)) {
        // SAFETY: as in `test`.
        unsafe { act(thread) }
    }
    // SAFETY: the calling thread's own block; the handler of SIGNAL, which reads this too, runs on this thread.
    let before = unsafe { (&raw mut (*thread).at_point).replace(1) };
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let raw = call();
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { (*thread).at_point = before };
    if word(thread) & PENDING != 0 {
        after(thread, raw);
    }
    raw
}

/// A request came before or during the call: acts on it if the call did nothing else.
#[cold]
fn after(thread: *mut Thread, raw: isize) {
    sys::take_held_back();
    if raw == -libc::EINTR as isize && due(word(thread)) {
        // SAFETY: as in `test`.
        unsafe { act(thread) }
    }
}

/// Whether the calling thread's cancellation signal is to stay pending for now. For the back end that can do so.
pub fn holds_back() -> bool {
    let thread = thread::current();
    // SAFETY: the calling thread's block.
    unsafe { (*thread).at_point != 0 && due(word(thread)) && word(thread) & ASYNC == 0 }
}

/// The handler of [`SIGNAL`].
extern "C" fn on_signal(_signal: c_int) {
    let thread = thread::current();
    let word = word(thread);
    // SAFETY: the calling thread's block; in asynchronous mode the program promises that its thread may end anywhere, and at a
    // point no lock is held (see the module's documentation).
    unsafe {
        if due(word) && (word & ASYNC != 0 || (*thread).at_point != 0) {
            act(thread);
        }
    }
}

/// Sets the handler, once.
unsafe fn install() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Acquire) {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        // No SA_RESTART: the signal is there to end calls.
        action.sa_flags = libc::SA_SIGINFO;
        sys::sigaction(SIGNAL, &action, ptr::null_mut());
        INSTALLED.store(true, Ordering::Release);
    }
}

/// Sets or clears a bit of the calling thread; returns the old word. Acts on a request that has become due in asynchronous mode.
unsafe fn change(bit: u32, on: bool) -> u32 {
    let thread = thread::current();
    let cancel = &(*thread).cancel;
    let old = if on { cancel.fetch_or(bit, Ordering::SeqCst) } else { cancel.fetch_and(!bit, Ordering::SeqCst) };
    let new = word(thread);
    if due(new) && new & ASYNC != 0 {
        act(thread);
    }
    old
}

c_api! {
    /// pthread_cancel(3).
    fn pthread_cancel(thread: pthread_t) -> c_int {
        let thread = thread as *mut Thread;
        install();
        let old = (*thread).cancel.fetch_or(PENDING, Ordering::SeqCst);
        if old & (PENDING | EXITING) != 0 {
            return 0;
        }
        if thread == thread::current() {
            if due(word(thread)) && old & ASYNC != 0 {
                act(thread);
            }
            return 0;
        }
        let tid = (*thread).tid.load(Ordering::Acquire);
        if tid == 0 || old & DISABLED != 0 {
            return 0;
        }
        match errno::code(signal::to_thread(tid, SIGNAL)) {
            // It has ended meanwhile.
            libc::ESRCH => 0,
            other => other,
        }
    }

    /// pthread_setcancelstate(3).
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int {
        if state != ENABLE && state != DISABLE {
            return libc::EINVAL;
        }
        let before = word(thread::current()) & DISABLED != 0;
        if !old.is_null() {
            *old = before as c_int;
        }
        change(DISABLED, state == DISABLE);
        0
    }

    /// pthread_setcanceltype(3).
    fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int {
        if kind != DEFERRED && kind != ASYNCHRONOUS {
            return libc::EINVAL;
        }
        let before = word(thread::current()) & ASYNC != 0;
        if !old.is_null() {
            *old = before as c_int;
        }
        change(ASYNC, kind == ASYNCHRONOUS);
        0
    }

    /// pthread_testcancel(3).
    fn pthread_testcancel() {
        test();
    }

    /// pthread_exit(3).
    fn pthread_exit(result: *mut c_void) -> ! {
        let thread = thread::current();
        (*thread).result = result;
        exit(thread)
    }
}
