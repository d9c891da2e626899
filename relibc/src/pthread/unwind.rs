//! The way out of a thread that ends inside functions: cleanup handlers, innermost first.
//!
//! Three kinds of handlers stand on the stack: those of the C macro `pthread_cleanup_push` ([`Buffer`]: a jump buffer into the function that
//! pushed it), the library's own ([`Cleanup`]), and what the compiler generates for C++ destructors and for C under
//! `-fexceptions`, which only an unwinder finds. Where a program brings an unwinder (libgcc_s), the frames are walked with it
//! (_Unwind_ForcedUnwind, Itanium C++ ABI: Exception Handling, 1.5.2), and our handlers run when their frame is reached; otherwise the two lists alone are.

use super::create;
use crate::ld::find::find_loaded;
use crate::setjmp::{self, JmpBuf};
use crate::thread::{self, Thread};
use core::ffi::{c_int, c_void};

/// `__pthread_unwind_buf_t`, which the macro `pthread_cleanup_push` puts on the stack: the start of a `jmp_buf`, then four private words.
#[repr(C)]
pub struct Buffer {
    registers: [u64; 8],
    mask_was_saved: c_int,
    /// The buffer pushed before this one.
    previous: *mut Buffer,
    rest: [*mut c_void; 3],
}

const _: () = assert!(size_of::<Buffer>() == 104);

/// A handler of the library's own, which stands on the stack of the function that it is for.
#[repr(C)]
pub struct Cleanup {
    previous: *mut Cleanup,
    run: unsafe fn(*mut c_void),
    argument: *mut c_void,
}

impl Cleanup {
    /// Runs `body`; if the thread is ended inside it, runs `run(argument)` first.
    ///
    /// # Safety
    /// `argument` is what `run` needs, as long as `body` runs.
    #[inline]
    pub unsafe fn around<R>(run: unsafe fn(*mut c_void), argument: *mut c_void, body: impl FnOnce() -> R) -> R {
        let thread = thread::current();
        let mut cleanup = Cleanup { previous: (*thread).cleanups, run, argument };
        (&raw mut (*thread).cleanups).write_volatile(&raw mut cleanup);
        let result = body();
        (&raw mut (*thread).cleanups).write_volatile(cleanup.previous);
        result
    }
}

/// `struct _Unwind_Exception`.
#[repr(C, align(16))]
pub struct Exception {
    class: u64,
    cleanup: Option<unsafe extern "C" fn(c_int, *mut Exception)>,
    private: [u64; 2],
}

impl Exception {
    /// Of no unwinding that is under way.
    pub const fn new() -> Exception {
        Exception { class: 0, cleanup: None, private: [0; 2] }
    }
}

impl Default for Exception {
    fn default() -> Exception {
        Exception::new()
    }
}

/// _UA_END_OF_STACK: no frame is left.
const END_OF_STACK: c_int = 16;

type Stop = unsafe extern "C" fn(c_int, c_int, u64, *mut Exception, *mut c_void, *mut c_void) -> c_int;
type ForcedUnwind = unsafe extern "C" fn(*mut Exception, Stop, *mut c_void) -> c_int;
type GetCfa = unsafe extern "C" fn(*mut c_void) -> usize;

/// Asked for each frame: runs our handlers of the frames that are left behind.
unsafe extern "C" fn stop(
    _version: c_int,
    actions: c_int,
    _class: u64,
    _exception: *mut Exception,
    context: *mut c_void,
    get_cfa: *mut c_void,
) -> c_int {
    // SAFETY: `run` passed the function.
    let get_cfa = core::mem::transmute::<*mut c_void, GetCfa>(get_cfa);
    let thread = thread::current();
    // The frame's own stack pointer: everything below belongs to frames that have been left.
    let reached = if actions & END_OF_STACK != 0 { usize::MAX } else { get_cfa(context) };
    run_below(thread, reached);
    if reached == usize::MAX {
        create::end(thread);
    }
    0
}

/// Runs the handlers of frames whose stack pointer is at or below `reached`. Does not return if one is a [`Buffer`]: that goes on with
/// `__pthread_unwind_next`.
unsafe fn run_below(thread: *mut Thread, reached: usize) {
    loop {
        let (buffer, cleanup) = ((*thread).buffers, (*thread).cleanups);
        let place = if buffer.is_null() { usize::MAX } else { setjmp::stack_pointer(buffer.cast()) };
        if !cleanup.is_null() && cleanup.addr() < place && cleanup.addr() < reached {
            (*thread).cleanups = (*cleanup).previous;
            ((*cleanup).run)((*cleanup).argument);
        } else if !buffer.is_null() && place <= reached {
            setjmp::jump(buffer.cast_const().cast::<JmpBuf>(), 1);
        } else {
            return;
        }
    }
}

/// Leaves all functions of the calling thread and ends it.
///
/// # Safety
/// `thread` is the calling thread's block; its result is set.
pub unsafe fn run(thread: *mut Thread) -> ! {
    if let (Some(unwind), Some(get_cfa)) = (find_loaded(b"_Unwind_ForcedUnwind"), find_loaded(b"_Unwind_GetCFA")) {
        // SAFETY: libgcc_s's functions of these names have these types.
        let unwind = core::mem::transmute::<*mut c_void, ForcedUnwind>(unwind);
        (*thread).exception = Exception::new();
        unwind(&raw mut (*thread).exception, stop, get_cfa);
        // It returns only if a function refuses to be left; as in glibc that is the program's end.
        crate::exit::abort_now();
    }
    run_below(thread, usize::MAX);
    create::end(thread)
}

c_api! {
    /// What the macro `pthread_cleanup_push` calls: the buffer is filled by `__sigsetjmp`. glibc.
    fn __pthread_register_cancel(buffer: *mut Buffer) {
        let thread = thread::current();
        (*buffer).previous = (*thread).buffers;
        (*thread).buffers = buffer;
    }

    /// What the macro `pthread_cleanup_pop` calls. glibc.
    fn __pthread_unregister_cancel(buffer: *mut Buffer) {
        (*thread::current()).buffers = (*buffer).previous;
    }

    /// What the macro's code calls once its handler has run: goes on with leaving. glibc.
    fn __pthread_unwind_next(buffer: *mut Buffer) -> ! {
        let thread = thread::current();
        (*thread).buffers = (*buffer).previous;
        run(thread)
    }
}
