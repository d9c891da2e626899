//! Ending the process: `exit`, `atexit`, `abort`. stdlib.h and the Itanium C++ ABI.

use crate::ld::init;
use crate::lock::Lock;
use crate::lock::RawLock;
use crate::sys;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::ptr;

#[derive(Clone, Copy)]
enum Handler {
    Plain(unsafe extern "C" fn()),
    WithObject(unsafe extern "C" fn(*mut c_void), *mut c_void),
    WithStatus(unsafe extern "C" fn(c_int, *mut c_void), *mut c_void),
}

struct Entry {
    handler: Handler,
    /// The object that registered it, for `__cxa_finalize`; null for none.
    dso: *mut c_void,
}

static HANDLERS: Lock<Vec<Entry>> = Lock::new(Vec::new());
static QUICK: Lock<Vec<Entry>> = Lock::new(Vec::new());
/// Held by the thread that exits; another one that calls `exit` waits for the end there.
static EXITING: RawLock = RawLock::new();

fn register(list: &Lock<Vec<Entry>>, handler: Handler, dso: *mut c_void) -> c_int {
    let mut list = list.lock();
    if list.try_reserve(1).is_err() {
        return -1;
    }
    list.push(Entry { handler, dso });
    0
}

unsafe fn call(handler: Handler, status: c_int) {
    match handler {
        Handler::Plain(function) => function(),
        Handler::WithObject(function, object) => function(object),
        Handler::WithStatus(function, object) => function(status, object),
    }
}

/// Calls the handlers of one list, last registered first, also those registered meanwhile.
unsafe fn run(list: &Lock<Vec<Entry>>, status: c_int) {
    loop {
        let last = list.lock().pop();
        match last {
            Some(entry) => call(entry.handler, status),
            None => return,
        }
    }
}

/// Ends the process by SIGABRT, whatever the program does about the signal.
pub fn abort_now() -> ! {
    // SAFETY: no pointer outlives its call.
    unsafe {
        let unblock = 1u64 << (libc::SIGABRT - 1);
        sys::rt_sigprocmask(libc::SIG_UNBLOCK, &unblock, ptr::null_mut(), 8);
        crate::signal::raise(libc::SIGABRT);
        // A handler returned, or the signal is ignored.
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        sys::sigaction(libc::SIGABRT, &action, ptr::null_mut());
        crate::signal::raise(libc::SIGABRT);
    }
    sys::exit_process(127)
}

c_api! {
    /// atexit(3).
    fn atexit(function: unsafe extern "C" fn()) -> c_int {
        register(&HANDLERS, Handler::Plain(function), ptr::null_mut())
    }

    /// on_exit(3).
    fn on_exit(function: unsafe extern "C" fn(c_int, *mut c_void), object: *mut c_void) -> c_int {
        register(&HANDLERS, Handler::WithStatus(function, object), ptr::null_mut())
    }

    /// Registers a destructor of the object `dso`. Itanium C++ ABI, 3.3.6.
    fn __cxa_atexit(function: unsafe extern "C" fn(*mut c_void), object: *mut c_void, dso: *mut c_void) -> c_int {
        register(&HANDLERS, Handler::WithObject(function, object), dso)
    }

    /// Runs the destructors of one object, or of all for null.
    fn __cxa_finalize(dso: *mut c_void) {
        if dso.is_null() {
            run(&HANDLERS, 0);
            return;
        }
        loop {
            let mut list = HANDLERS.lock();
            let Some(index) = list.iter().rposition(|entry| entry.dso == dso) else { return };
            let entry = list.remove(index);
            drop(list);
            call(entry.handler, 0);
        }
    }

    /// at_quick_exit(3).
    fn at_quick_exit(function: unsafe extern "C" fn()) -> c_int {
        register(&QUICK, Handler::Plain(function), ptr::null_mut())
    }

    /// [`at_quick_exit`] for one object. glibc.
    fn __cxa_at_quick_exit(function: unsafe extern "C" fn(*mut c_void), dso: *mut c_void) -> c_int {
        register(&QUICK, Handler::WithObject(function, ptr::null_mut()), dso)
    }

    /// quick_exit(3).
    fn quick_exit(status: c_int) -> ! {
        run(&QUICK, status);
        sys::exit_process(status)
    }

    /// exit(3).
    fn exit(status: c_int) -> ! {
        EXITING.lock();
        crate::pthread::local::run_destructors();
        run(&HANDLERS, status);
        init::destruct_all();
        crate::stdio::file::flush_at_exit();
        sys::exit_process(status)
    }

    /// _exit(2).
    fn _exit(status: c_int) -> ! {
        sys::exit_process(status)
    }

    /// _Exit(3).
    fn _Exit(status: c_int) -> ! {
        sys::exit_process(status)
    }

    /// abort(3).
    fn abort() -> ! {
        abort_now()
    }
}

/// Keeps the lists whole across a fork.
pub fn fork_prepare() {
    HANDLERS.raw.lock();
    QUICK.raw.lock();
}

/// Undoes [`fork_prepare`], in parent and child.
pub fn fork_done() {
    QUICK.raw.unlock();
    HANDLERS.raw.unlock();
}
