//! `pthread_atfork`, and `fork` around all of the library's locks.

use super::list;
use crate::ld::registry;
use crate::lock::Lock;
use crate::time::{local, timers};
use crate::{errno, exit, heap, sys, thread};
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use libc::pid_t;

type Handler = Option<unsafe extern "C" fn()>;

#[derive(Clone, Copy)]
struct Handlers {
    prepare: Handler,
    parent: Handler,
    child: Handler,
}

static HANDLERS: Lock<Vec<Handlers>> = Lock::new(Vec::new());

unsafe fn call(handler: Handler) {
    if let Some(function) = handler {
        function();
    }
}

c_api! {
    /// fork(2). Handlers run, and no lock of the library is held by a thread that the child lacks.
    fn fork() -> pid_t {
        let handlers = HANDLERS.lock().clone();
        for entry in handlers.iter().rev() {
            call(entry.prepare);
        }
        timers::fork_prepare();
        local::fork_prepare();
        registry::fork_prepare();
        exit::fork_prepare();
        list::fork_prepare();
        // Before the heap's locks: the list of streams grows under its own.
        let streams = crate::stdio::file::OPEN.lock();
        heap::fork_prepare();
        let thread = thread::current();
        let raw = sys::fork((*thread).tid.as_ptr());
        heap::fork_done();
        if raw == 0 {
            list::fork_child(thread);
            registry::forget_readers();
            crate::stdio::file::fork_child(&streams);
        } else {
            list::fork_parent();
        }
        drop(streams);
        exit::fork_done();
        registry::fork_done();
        local::fork_done();
        timers::fork_done(raw == 0);
        for entry in &handlers {
            call(if raw == 0 { entry.child } else { entry.parent });
        }
        errno::int(raw)
    }

    /// pthread_atfork(3).
    fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int {
        let mut handlers = HANDLERS.lock();
        if handlers.try_reserve(1).is_err() {
            return libc::ENOMEM;
        }
        handlers.push(Handlers { prepare, parent, child });
        0
    }

    /// [`pthread_atfork`] for one object. glibc.
    fn __register_atfork(prepare: Handler, parent: Handler, child: Handler, _dso: *mut c_void) -> c_int {
        pthread_atfork(prepare, parent, child)
    }
}
