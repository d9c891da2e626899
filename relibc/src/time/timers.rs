//! Timers that send signals: `alarm`, `setitimer`, and POSIX's. getitimer(2), timer_create(2), sigevent(7).
//!
//! SIGEV_THREAD is the library's own: its timers send signal 32 to a helper thread, which starts a thread for each. A
//! `timer_t` is the kernel's number, or for those the address of what belongs to the timer, with the topmost bit set.

use crate::errno::{self, int};
use crate::heap;
use crate::lock::Lock;
use crate::pthread::attr::{self, pthread_attr_init};
use crate::pthread::create::pthread_create;
use crate::{sys, thread};
use core::ffi::{c_int, c_long, c_uint, c_void};
use core::ptr;
use libc::{clockid_t, itimerspec, itimerval, pthread_attr_t, sigval, timeval, useconds_t};

/// `struct sigevent`, with both members of its union.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    value: sigval,
    signal: c_int,
    notify: c_int,
    function: Union,
    attributes: *mut pthread_attr_t,
    rest: [usize; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
union Union {
    thread: c_int,
    function: Option<unsafe extern "C" fn(sigval)>,
}

/// What SIGEV_THREAD needs to know when the timer ends.
struct Notice {
    kernel: c_int,
    value: sigval,
    function: unsafe extern "C" fn(sigval),
    attributes: Option<pthread_attr_t>,
    next: *mut Notice,
}

/// The timers that start threads, and the helper's thread id (0 before there is one).
struct Helper {
    notices: *mut Notice,
    tid: c_int,
}

static HELPER: Lock<Helper> = Lock::new(Helper { notices: ptr::null_mut(), tid: 0 });

/// The signal that is the library's own for timers, as in glibc.
const SIGTIMER: c_int = 32;
/// Marks a `timer_t` that is an address.
const THREAD_TIMER: usize = 1 << 63;

/// The kernel's number of a timer.
unsafe fn kernel_id(timer: *mut c_void) -> usize {
    let bits = timer.expose_provenance();
    if bits & THREAD_TIMER == 0 {
        return bits;
    }
    let notice: *mut Notice = ptr::with_exposed_provenance_mut((bits & !THREAD_TIMER) << 1);
    (*notice).kernel as usize
}

/// One run of a notification.
struct Run {
    value: sigval,
    function: unsafe extern "C" fn(sigval),
}

extern "C" fn notify(run: *mut c_void) -> *mut c_void {
    let run: *mut Run = run.cast();
    // SAFETY: the helper allocated it for this thread.
    unsafe {
        let Run { value, function } = run.read();
        heap::release(run.cast());
        function(value);
    }
    ptr::null_mut()
}

/// Starts the thread for a timer that has ended, unless it was deleted meanwhile.
unsafe fn start(notice: usize) {
    let helper = HELPER.lock();
    let mut at = helper.notices;
    while !at.is_null() && at.addr() != notice {
        at = (*at).next;
    }
    let Some(found) = at.as_ref() else { return };
    let run = heap::allocate(size_of::<Run>()).cast::<Run>();
    if run.is_null() {
        return;
    }
    run.write(Run { value: found.value, function: found.function });
    let mut attributes: pthread_attr_t = core::mem::zeroed();
    match found.attributes {
        Some(given) => attributes = given,
        None => drop(pthread_attr_init(&mut attributes)),
    }
    attr::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
    let mut id: libc::pthread_t = 0;
    if pthread_create((&raw mut id).cast(), &raw const attributes, notify, run.cast()) != 0 {
        heap::release(run.cast());
    }
}

extern "C" fn helper(ready: *mut c_void) -> *mut c_void {
    let set = 1u64 << (SIGTIMER - 1);
    // SAFETY: the word is alive until it is woken; the rest is this thread's own.
    unsafe {
        let ready: *mut core::sync::atomic::AtomicU32 = ready.cast();
        (*ready).store(thread::current_tid() as u32, core::sync::atomic::Ordering::Release);
        sys::futex_wake(ready.cast(), 1, false);
        loop {
            let mut info: libc::siginfo_t = core::mem::zeroed();
            let raw = sys::rt_sigtimedwait(&set, &mut info, ptr::null(), 8);
            if raw == SIGTIMER as isize {
                start(info.si_value().sival_ptr.addr());
            }
        }
    }
}

/// The helper's thread id; starts it with all signals blocked.
///
/// # Errors
/// EAGAIN if no thread can be made.
unsafe fn helper_tid() -> Result<c_int, c_int> {
    let mut state = HELPER.lock();
    if state.tid != 0 && sys::tgkill(sys::getpid() as c_int, state.tid, 0) == 0 {
        return Ok(state.tid);
    }
    let ready = core::sync::atomic::AtomicU32::new(0);
    // But not the one by which credentials are changed.
    let all = !(1u64 << 32);
    let mut old = 0u64;
    sys::rt_sigprocmask(libc::SIG_SETMASK, &all, &mut old, 8);
    let mut attributes: pthread_attr_t = core::mem::zeroed();
    pthread_attr_init(&mut attributes);
    attr::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
    let mut id: libc::pthread_t = 0;
    let word = (&raw const ready).cast_mut().cast();
    let made = pthread_create((&raw mut id).cast(), &raw const attributes, helper, word);
    sys::rt_sigprocmask(libc::SIG_SETMASK, &old, ptr::null_mut(), 8);
    if made != 0 {
        return Err(libc::EAGAIN);
    }
    while ready.load(core::sync::atomic::Ordering::Acquire) == 0 {
        sys::futex_wait(ready.as_ptr(), 0, false, libc::CLOCK_MONOTONIC, ptr::null());
    }
    state.tid = ready.load(core::sync::atomic::Ordering::Acquire) as c_int;
    Ok(state.tid)
}

/// timer_create for SIGEV_THREAD.
unsafe fn create_with_thread(clock: clockid_t, event: &Event) -> Result<*mut c_void, c_int> {
    let function = event.function.function.ok_or(libc::EINVAL)?;
    let tid = helper_tid()?;
    let notice = heap::allocate(size_of::<Notice>()).cast::<Notice>();
    if notice.is_null() {
        return Err(libc::EAGAIN);
    }
    let attributes = event.attributes.as_ref().copied();
    notice.write(Notice { kernel: 0, value: event.value, function, attributes, next: ptr::null_mut() });
    let mut own: Event = core::mem::zeroed();
    own.value = sigval { sival_ptr: notice.cast() };
    own.signal = SIGTIMER;
    own.notify = libc::SIGEV_THREAD_ID;
    own.function.thread = tid;
    if let Err(error) = sys::result(create(clock, &own, &raw mut (*notice).kernel)) {
        heap::release(notice.cast());
        return Err(error);
    }
    let mut state = HELPER.lock();
    (*notice).next = state.notices;
    state.notices = notice;
    // Blocks are aligned to 16, so that the lowest bit is free to be shifted out.
    Ok(ptr::with_exposed_provenance_mut(notice.expose_provenance() >> 1 | THREAD_TIMER))
}

unsafe fn create(clock: clockid_t, event: *const Event, out: *mut c_int) -> isize {
    let args = [clock as usize, event.expose_provenance(), out.expose_provenance(), 0, 0, 0];
    sys::call(libc::SYS_timer_create, args)
}

/// Takes the lock before a fork.
pub fn fork_prepare() {
    HELPER.raw.lock();
}

/// Gives it back on both sides. A child has no timers, and no helper.
pub fn fork_done(child: bool) {
    HELPER.raw.unlock();
    if child {
        *HELPER.lock() = Helper { notices: ptr::null_mut(), tid: 0 };
    }
}

c_api! {
    /// timer_create(2).
    fn timer_create(clock: clockid_t, event: *const Event, out: *mut *mut c_void) -> c_int {
        if let Some(event) = event.as_ref()
            && event.notify == libc::SIGEV_THREAD
        {
            return match create_with_thread(clock, event) {
                Ok(timer) => {
                    *out = timer;
                    0
                }
                Err(error) => errno::fail(error),
            };
        }
        let mut id = 0;
        let raw = create(clock, event, &mut id);
        if raw == 0 {
            *out = ptr::without_provenance_mut(id as usize);
        }
        int(raw)
    }

    /// timer_settime(2).
    fn timer_settime(timer: *mut c_void, flags: c_int, new: *const itimerspec, old: *mut itimerspec) -> c_int {
        let args = [kernel_id(timer), flags as usize, new.expose_provenance(), old.expose_provenance(), 0, 0];
        int(sys::call(libc::SYS_timer_settime, args))
    }

    /// timer_gettime(2).
    fn timer_gettime(timer: *mut c_void, out: *mut itimerspec) -> c_int {
        int(sys::call(libc::SYS_timer_gettime, [kernel_id(timer), out.expose_provenance(), 0, 0, 0, 0]))
    }

    /// timer_getoverrun(2).
    fn timer_getoverrun(timer: *mut c_void) -> c_int {
        int(sys::call(libc::SYS_timer_getoverrun, [kernel_id(timer), 0, 0, 0, 0, 0]))
    }

    /// timer_delete(2).
    fn timer_delete(timer: *mut c_void) -> c_int {
        let result = int(sys::call(libc::SYS_timer_delete, [kernel_id(timer), 0, 0, 0, 0, 0]));
        let bits = timer.expose_provenance();
        if result == 0 && bits & THREAD_TIMER != 0 {
            let notice: *mut Notice = ptr::with_exposed_provenance_mut((bits & !THREAD_TIMER) << 1);
            let mut state = HELPER.lock();
            let mut at = &raw mut state.notices;
            while !(*at).is_null() && *at != notice {
                at = &raw mut (**at).next;
            }
            if *at == notice {
                *at = (*notice).next;
                heap::release(notice.cast());
            }
        }
        result
    }

    /// getitimer(2).
    fn getitimer(which: c_int, out: *mut itimerval) -> c_int {
        int(sys::call(libc::SYS_getitimer, [which as usize, out.expose_provenance(), 0, 0, 0, 0]))
    }

    /// setitimer(2).
    fn setitimer(which: c_int, new: *const itimerval, old: *mut itimerval) -> c_int {
        int(sys::call(libc::SYS_setitimer, [which as usize, new.expose_provenance(), old.expose_provenance(), 0, 0, 0]))
    }

    /// alarm(2).
    fn alarm(seconds: c_uint) -> c_uint {
        let zero = timeval { tv_sec: 0, tv_usec: 0 };
        let new = itimerval { it_interval: zero, it_value: timeval { tv_sec: seconds.into(), tv_usec: 0 } };
        let mut old = itimerval { it_interval: zero, it_value: zero };
        if setitimer(libc::ITIMER_REAL, &new, &mut old) < 0 {
            return 0;
        }
        // Rounded, but never to 0 while a timer was running.
        let up = old.it_value.tv_usec >= 500_000 || old.it_value.tv_sec == 0 && old.it_value.tv_usec > 0;
        (old.it_value.tv_sec + c_long::from(up)) as c_uint
    }

    /// ualarm(3).
    fn ualarm(value: useconds_t, interval: useconds_t) -> useconds_t {
        let time = |micros: useconds_t| timeval { tv_sec: 0, tv_usec: micros.into() };
        let new = itimerval { it_interval: time(interval), it_value: time(value) };
        let mut old = itimerval { it_interval: time(0), it_value: time(0) };
        if setitimer(libc::ITIMER_REAL, &new, &mut old) < 0 {
            return u32::MAX;
        }
        (old.it_value.tv_sec * 1_000_000 + old.it_value.tv_usec) as useconds_t
    }
}
