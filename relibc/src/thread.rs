//! The thread control block: what `%fs` points to.
//!
//! Its first words are ABI (glibc's `tcbhead_t`): compiled programs read the self pointer, the
//! stack canary and the pointer guard. The rest is relibc's own.

use crate::heap::cache::Cache;
use crate::pthread::ceiling::Ceilings;
use crate::pthread::robust::RobustList;
use crate::pthread::unwind::{Buffer, Cleanup, Exception};
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU32};

/// Thread-specific keys a process may make (glibc's PTHREAD_KEYS_MAX).
pub const KEYS_MAX: usize = 1024;
/// Keys whose values stand in the control block itself.
pub const KEYS_INLINE: usize = 32;

/// A value of a thread-specific key, and the use of the key it belongs to.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct KeyValue {
    /// The key's sequence number when the value was set; another one means the value is stale.
    pub sequence: usize,
    /// The value.
    pub value: *mut c_void,
}

/// A destructor registered by `__cxa_thread_atexit_impl`.
#[repr(C)]
pub struct Destructor {
    /// The one registered before.
    pub next: *mut Destructor,
    /// What to call.
    pub function: unsafe extern "C" fn(*mut c_void),
    /// Its argument.
    pub object: *mut c_void,
}

/// A thread. `pthread_t` is its address.
#[repr(C, align(64))]
pub struct Thread {
    /// `%fs:0`: this block's address.
    pub tcb: *mut Thread,
    /// `%fs:8`: TLS blocks by module id; entry 0 holds the number of entries.
    pub dtv: *mut usize,
    /// `%fs:0x10`: this block's address again.
    pub this: *mut Thread,
    reserved: [usize; 2],
    /// `%fs:0x28`: the stack canary.
    pub canary: usize,
    /// `%fs:0x30`: mangles saved program counters (`setjmp`).
    pub pointer_guard: usize,

    /// The kernel's id; 0 once the thread has ended (the kernel clears it and wakes the futex).
    pub tid: AtomicI32,
    /// This thread's `errno`.
    pub errno: c_int,
    /// Joinable, detached or ending: see `pthread::create`.
    pub state: AtomicU32,
    /// What the start routine returned or `pthread_exit` was given.
    pub result: *mut c_void,
    /// The whole mapping: guard, stack, TLS and this block. Length 0: not ours to free.
    pub map: *mut c_void,
    /// Length of `map` in bytes.
    pub map_len: usize,
    /// Guard bytes at the start of the mapping.
    pub guard_len: usize,
    /// Lowest usable stack address; 0 for the main thread.
    pub stack: usize,
    /// Bytes of stack.
    pub stack_len: usize,
    /// The start routine.
    pub start: Option<unsafe extern "C" fn(*mut c_void) -> *mut c_void>,
    /// Its argument.
    pub arg: *mut c_void,
    /// Destructors of `thread_local` objects, last registered first.
    pub destructors: *mut Destructor,
    /// Values of the first keys.
    pub keys: [KeyValue; KEYS_INLINE],
    /// Values of the others, or null.
    pub more_keys: *mut [KeyValue; KEYS_MAX - KEYS_INLINE],
    /// Whether any key was set, so that an exit need not look.
    pub keys_used: bool,
    /// Neighbours in the list of threads.
    pub next: *mut Thread,
    /// See `next`.
    pub prev: *mut Thread,
    /// What `dlerror` returns next, a malloc'd string.
    pub dlerror: *mut i8,
    /// The last such string returned, to be freed.
    pub dlerror_old: *mut i8,
    /// The resolver's state, `_res`, or null.
    pub resolver: *mut crate::resolver::state::State,
    /// This thread's `h_errno`.
    pub h_errno: c_int,
    /// The thread's own locale (`uselocale`); null: the global one.
    pub locale: *const crate::locale::Locale,
    /// The signal mask the thread starts with.
    pub start_mask: u64,
    /// Cancellation: see `pthread::cancel`.
    pub cancel: AtomicU32,
    /// Whether the call of a cancellation point is under way; the thread's own.
    pub at_point: u32,
    /// Handlers of `pthread_cleanup_push`, innermost first.
    pub buffers: *mut Buffer,
    /// The library's own cleanup handlers, innermost first.
    pub cleanups: *mut Cleanup,
    /// For the unwinder while the thread leaves its functions.
    pub exception: Exception,
    /// The robust mutexes it holds.
    pub robust: RobustList,
    /// The priority ceilings it holds.
    pub ceilings: Ceilings,
    /// The platform's part.
    pub platform: crate::sys::PerThread,
    /// The allocator's free blocks of this thread.
    pub cache: UnsafeCell<Cache>,
}

impl Thread {
    /// A block with everything empty.
    pub const fn new() -> Thread {
        Thread {
            tcb: core::ptr::null_mut(),
            dtv: core::ptr::null_mut(),
            this: core::ptr::null_mut(),
            reserved: [0; 2],
            canary: 0,
            pointer_guard: 0,
            tid: AtomicI32::new(0),
            errno: 0,
            state: AtomicU32::new(0),
            result: core::ptr::null_mut(),
            map: core::ptr::null_mut(),
            map_len: 0,
            guard_len: 0,
            stack: 0,
            stack_len: 0,
            start: None,
            arg: core::ptr::null_mut(),
            destructors: core::ptr::null_mut(),
            keys: [KeyValue { sequence: 0, value: core::ptr::null_mut() }; KEYS_INLINE],
            more_keys: core::ptr::null_mut(),
            keys_used: false,
            next: core::ptr::null_mut(),
            prev: core::ptr::null_mut(),
            dlerror: core::ptr::null_mut(),
            dlerror_old: core::ptr::null_mut(),
            resolver: core::ptr::null_mut(),
            h_errno: 0,
            locale: core::ptr::null(),
            start_mask: 0,
            cancel: AtomicU32::new(0),
            at_point: 0,
            buffers: core::ptr::null_mut(),
            cleanups: core::ptr::null_mut(),
            exception: Exception::new(),
            robust: RobustList::new(),
            ceilings: Ceilings::new(),
            platform: crate::sys::PerThread::new(),
            cache: UnsafeCell::new(Cache::new()),
        }
    }
}

impl Default for Thread {
    fn default() -> Thread {
        Thread::new()
    }
}

/// The calling thread's block.
#[cfg(not(test))]
#[inline(always)]
pub fn current() -> *mut Thread {
    let this;
    // Not `pure`: the loader runs on an early block before the main thread gets its own, and a value read before that must not
    // be used again after it.
    // SAFETY: the loader sets %fs before any other code runs.
    unsafe {
        core::arch::asm!(
            "mov {}, fs:[0x10]",
            out(reg) this,
            options(readonly, nostack, preserves_flags)
        );
    }
    this
}

/// The calling thread's block; in tests `%fs` is the host library's, so there it is another.
#[cfg(test)]
pub fn current() -> *mut Thread {
    std::thread_local! {
        static BLOCK: UnsafeCell<Thread> = const { UnsafeCell::new(Thread::new()) };
    }
    BLOCK.with(UnsafeCell::get)
}

/// The calling thread's kernel id.
pub fn current_tid() -> c_int {
    // SAFETY: the calling thread's block is alive.
    unsafe { (*current()).tid.load(core::sync::atomic::Ordering::Relaxed) }
}
