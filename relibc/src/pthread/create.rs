//! Starting and ending threads: `pthread_create`, `_exit`, `_join`, `_detach`.

use super::attr::Attr;
use super::{cancel, keys, list, local, stack};
use crate::ld::tls;
use crate::thread::{self, Thread};
use crate::{heap, signal, sys};
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering;
use libc::{pthread_attr_t, pthread_t, timespec};

/// Someone will join the thread.
pub const JOINABLE: u32 = 0;
/// The thread frees itself.
pub const DETACHED: u32 = 1;
/// A joinable thread is ending.
pub const ENDING: u32 = 2;
/// Someone is joining it.
pub const JOINED: u32 = 3;

type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// A thread's first function.
unsafe extern "C" fn run(argument: *mut c_void) -> ! {
    let thread = argument.cast::<Thread>();
    sys::start_thread();
    let mask = (*thread).start_mask;
    sys::rt_sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut(), 8);
    if let Some(start) = (*thread).start {
        (*thread).result = start((*thread).arg);
    }
    end(thread)
}

/// Ends the calling thread, whose functions have been left.
///
/// # Safety
/// `thread` is the calling thread's block.
pub unsafe fn end(thread: *mut Thread) -> ! {
    cancel::ending(thread);
    local::run_destructors();
    keys::run_destructors();
    // From here on no signal handler may run: what it would use is going away.
    let all = u64::MAX;
    sys::rt_sigprocmask(libc::SIG_BLOCK, &all, ptr::null_mut(), 8);
    if list::remove(thread) == 0 {
        // The last thread: the process ends as if by exit(0).
        list::add(thread);
        crate::exit::exit(0);
    }
    heap::c_free((*thread).dlerror.cast());
    heap::c_free((*thread).dlerror_old.cast());
    crate::resolver::state::release((*thread).resolver);
    tls::tear_down(thread);
    heap::cache::close((*thread).cache.get());
    if (*thread).state.compare_exchange(JOINABLE, ENDING, Ordering::AcqRel, Ordering::Acquire) == Err(DETACHED) {
        let (map, len) = ((*thread).map, (*thread).map_len);
        if len > 0 {
            // The kernel is not to clear a word in memory that is gone.
            sys::set_tid_address(ptr::null_mut());
            sys::exit_thread_unmapping(map, len);
        }
    }
    sys::exit_thread()
}

/// Waits until a thread has ended, or `deadline` on `clock`.
unsafe fn wait_end(thread: *mut Thread, clock: c_int, deadline: *const timespec) -> c_int {
    loop {
        let tid = (*thread).tid.load(Ordering::Acquire);
        if tid == 0 {
            return 0;
        }
        // The kernel wakes this word as a shared futex.
        let word = (*thread).tid.as_ptr().cast::<u32>();
        let raw = cancel::point(|| sys::futex_wait(word, tid as u32, true, clock, deadline));
        if raw == -libc::ETIMEDOUT as isize {
            return libc::ETIMEDOUT;
        }
    }
}

unsafe fn join(thread: *mut Thread, out: *mut *mut c_void, clock: c_int, deadline: *const timespec) -> c_int {
    if thread == thread::current() {
        return libc::EDEADLK;
    }
    match (*thread).state.load(Ordering::Acquire) {
        DETACHED | JOINED => return libc::EINVAL,
        _ => {}
    }
    match wait_end(thread, clock, deadline) {
        0 => {}
        errno => return errno,
    }
    (*thread).state.store(JOINED, Ordering::Release);
    if !out.is_null() {
        *out = (*thread).result;
    }
    stack::unmap(thread);
    0
}

c_api! {
    /// pthread_create(3).
    fn pthread_create(out: *mut pthread_t, attr: *const pthread_attr_t, start: Start, arg: *mut c_void) -> c_int {
        let attr = if attr.is_null() { Attr::default_now() } else { *attr.cast::<Attr>() };
        let made = if attr.stack_address != 0 {
            stack::map_for_stack(attr.stack_address - attr.stack_size, attr.stack_size)
        } else {
            stack::map_control(attr.stack_size, attr.guard_size).map(|(_, thread)| thread)
        };
        let Some(thread) = made else { return libc::EAGAIN };
        let me = thread::current();
        (*thread).canary = (*me).canary;
        (*thread).pointer_guard = (*me).pointer_guard;
        (*thread).start = Some(start);
        (*thread).arg = arg;
        (*thread).state.store(if attr.detached() { DETACHED } else { JOINABLE }, Ordering::Relaxed);
        if !tls::set_up(thread) {
            stack::unmap(thread);
            return libc::EAGAIN;
        }
        // The new thread starts with all signals blocked, so that no handler runs half set up.
        let all = u64::MAX;
        let mut mask = 0u64;
        sys::rt_sigprocmask(libc::SIG_BLOCK, &all, &mut mask, 8);
        (*thread).start_mask = if attr.has_mask != 0 { attr.mask } else { mask };
        list::add(thread);
        // Whoever reads the id may do so before the thread runs.
        *out = thread.addr() as pthread_t;
        let top = ((*thread).stack + (*thread).stack_len) & !15;
        let raw = sys::clone_thread(
            top as *mut c_void,
            run,
            thread.cast(),
            thread.cast(),
            (*thread).tid.as_ptr(),
        );
        sys::rt_sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut(), 8);
        if sys::result(raw).is_err() {
            list::remove(thread);
            tls::tear_down(thread);
            stack::unmap(thread);
            return libc::EAGAIN;
        }
        if let Some((len, set)) = attr.affinity() {
            // It may have ended already; CPUs that do not exist were the caller's choice.
            sys::sched_setaffinity(raw as c_int, len, set.cast());
        }
        0
    }

    /// pthread_join(3).
    fn pthread_join(thread: pthread_t, out: *mut *mut c_void) -> c_int {
        join(thread as *mut Thread, out, libc::CLOCK_REALTIME, ptr::null())
    }

    /// pthread_tryjoin_np(3).
    fn pthread_tryjoin_np(thread: pthread_t, out: *mut *mut c_void) -> c_int {
        if (*(thread as *mut Thread)).tid.load(Ordering::Acquire) != 0 {
            return libc::EBUSY;
        }
        pthread_join(thread, out)
    }

    /// pthread_timedjoin_np(3).
    fn pthread_timedjoin_np(thread: pthread_t, out: *mut *mut c_void, deadline: *const timespec) -> c_int {
        join(thread as *mut Thread, out, libc::CLOCK_REALTIME, deadline)
    }

    /// pthread_clockjoin_np(3).
    fn pthread_clockjoin_np(thread: pthread_t, out: *mut *mut c_void, clock: c_int, deadline: *const timespec) -> c_int {
        if clock != libc::CLOCK_REALTIME && clock != libc::CLOCK_MONOTONIC {
            return libc::EINVAL;
        }
        join(thread as *mut Thread, out, clock, deadline)
    }

    /// pthread_detach(3).
    fn pthread_detach(thread: pthread_t) -> c_int {
        let thread = thread as *mut Thread;
        match (*thread).state.compare_exchange(JOINABLE, DETACHED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => 0,
            Err(ENDING) => {
                // Too late for it to free itself.
                wait_end(thread, libc::CLOCK_REALTIME, ptr::null());
                stack::unmap(thread);
                0
            }
            Err(_) => libc::EINVAL,
        }
    }

    /// pthread_self(3).
    fn pthread_self() -> pthread_t {
        thread::current().addr() as pthread_t
    }

    /// pthread_equal(3).
    fn pthread_equal(a: pthread_t, b: pthread_t) -> c_int {
        (a == b) as c_int
    }

    /// pthread_kill(3).
    fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
        let tid = (*(thread as *mut Thread)).tid.load(Ordering::Acquire);
        if tid == 0 {
            return 0;
        }
        crate::errno::code(signal::to_thread(tid, signal))
    }
}
