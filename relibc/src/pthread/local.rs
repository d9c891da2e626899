//! Destructors of `thread_local` objects: `__cxa_thread_atexit_impl`.

use crate::ld::registry;
use crate::thread::{self, Destructor};
use alloc::boxed::Box;
use core::ffi::{c_int, c_void};
use core::ptr;

/// Runs the calling thread's destructors, last registered first, also those registered meanwhile.
///
/// # Safety
/// The thread is about to end, or the process.
pub unsafe fn run_destructors() {
    let thread = thread::current();
    loop {
        let entry = (*thread).destructors;
        if entry.is_null() {
            return;
        }
        (*thread).destructors = (*entry).next;
        let entry = Box::from_raw(entry);
        (entry.function)(entry.object);
    }
}

c_api! {
    /// Registers a destructor of the calling thread; the object `dso` stays loaded. glibc.
    fn __cxa_thread_atexit_impl(
        function: unsafe extern "C" fn(*mut c_void),
        object: *mut c_void,
        dso: *mut c_void,
    ) -> c_int {
        if let Some(owner) = registry::find(dso.addr())
            && !owner.permanent.get()
        {
            let _held = registry::lock();
            owner.permanent.set(true);
        }
        let thread = thread::current();
        let next = (*thread).destructors;
        (*thread).destructors = Box::into_raw(Box::new(Destructor { next, function, object }));
        debug_assert!(!ptr::eq((*thread).destructors, next));
        0
    }
}
