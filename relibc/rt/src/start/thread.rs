//! Threads without a C library.

use crate::syscall;
use alloc::boxed::Box;
use ochre_abi::Result;
use ochre_abi::layout::PAGE_SIZE;
use ochre_abi::memory::{MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, MAP_STACK, PROT_READ, PROT_WRITE};
use ochre_abi::process::ThreadArgs;

type Body = Box<dyn FnOnce() + Send>;

/// Runs `body` in a new thread with `stack_size` bytes of stack above an unmapped page; its tid.
///
/// The thread has no thread-local storage. It is meant to run as long as the process: its stack is not given back.
pub fn spawn(stack_size: usize, body: impl FnOnce() + Send + 'static) -> Result<i32> {
    let size = stack_size.next_multiple_of(PAGE_SIZE) + PAGE_SIZE;
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_POPULATE;
    // SAFETY: a new mapping at an address that the kernel chooses.
    let bottom = unsafe { syscall::mmap(0, size, PROT_READ | PROT_WRITE, flags, -1, 0) }?;
    // SAFETY: nothing uses the mapping yet.
    unsafe { syscall::mprotect(bottom, PAGE_SIZE, 0) }?;
    let body: Box<Body> = Box::new(Box::new(body));
    let arg = Box::into_raw(body);
    let args = ThreadArgs {
        entry: begin as *const () as u64,
        // As after a call: 8 bytes below a multiple of 16, with a null return address (the mapping is zeroed).
        stack: (bottom + size - 8) as u64,
        arg: arg as u64,
        ..ThreadArgs::default()
    };
    // SAFETY: the entry is a function of one argument, which it takes over; the stack is the thread's own, there is no TLS.
    let started = unsafe { syscall::thread_create(&args) };
    if started.is_err() {
        // SAFETY: no thread has taken the box, nor runs on the stack.
        unsafe {
            drop(Box::from_raw(arg));
            let _ = syscall::munmap(bottom, size);
        }
    }
    started
}

extern "C" fn begin(body: *mut Body) -> ! {
    {
        // SAFETY: `spawn` gave this box away for this thread.
        let body = unsafe { Box::from_raw(body) };
        (*body)();
    }
    // SAFETY: the body is done; nothing on this stack is lent to other threads, for it was `'static`.
    unsafe { syscall::thread_exit() }
}
