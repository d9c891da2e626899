//! Start and end of the process and its threads.

use super::processes::{EXIT_BITS, exec_name};
use super::{Args, Result, native, signals};
use core::arch::naked_asm;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};
use ochre_rt::abi::call::PATH_LEN_MAX;
use ochre_rt::abi::errno::encode;
use ochre_rt::abi::process::ThreadArgs;
use ochre_rt::abi::syscall as sys;
use ochre_rt::signal::{AltStack, SignalPage};
use ochre_rt::syscall;

/// What the platform keeps in each thread's control block.
pub struct PerThread {
    /// The page shared with the kernel; none until the thread can have signals.
    pub page: Option<&'static SignalPage>,
    /// What sigaltstack set.
    pub alternate: AltStack,
    /// The name that PR_SET_NAME gave it, ended by a NUL; empty: none.
    pub name: [u8; 16],
    /// Under emulation: the FS base of the foreign program, once it has set one; else 0.
    pub program_fs: usize,
}

impl PerThread {
    /// Of a thread that does not run yet.
    pub const fn new() -> PerThread {
        PerThread { page: None, alternate: AltStack::NONE, name: [0; 16], program_fs: 0 }
    }
}

impl Default for PerThread {
    fn default() -> PerThread {
        PerThread::new()
    }
}

/// The absolute path of the program.
struct Program {
    bytes: UnsafeCell<[u8; PATH_LEN_MAX + 1]>,
    len: AtomicUsize,
}

// SAFETY: written once, by the only thread there is then.
unsafe impl Sync for Program {}

static PROGRAM: Program = Program { bytes: UnsafeCell::new([0; PATH_LEN_MAX + 1]), len: AtomicUsize::new(0) };

/// The path under which the program was started, made absolute: what /proc/self/exe shows.
pub fn program() -> &'static [u8] {
    // SAFETY: not written any more.
    let bytes = unsafe { &*PROGRAM.bytes.get() };
    bytes.get(..PROGRAM.len.load(Ordering::Relaxed)).unwrap_or(&[])
}

/// Keeps the program's path.
unsafe fn keep_program(name: &[u8]) {
    let bytes = &mut *PROGRAM.bytes.get();
    let mut len = 0;
    if !name.starts_with(b"/") {
        // Without a working directory the name alone must do.
        len = syscall::getcwd(&mut bytes[..PATH_LEN_MAX]).unwrap_or(0);
        if bytes[..len].last() != Some(&b'/') {
            bytes[len] = b'/';
            len += 1;
        }
    }
    let name = name.strip_prefix(b"./").unwrap_or(name);
    for (to, from) in bytes[len..].iter_mut().zip(name) {
        *to = *from;
        len += 1;
    }
    PROGRAM.len.store(len, Ordering::Relaxed);
}

/// What the platform needs before anything else runs: it notes the program's path and the ignored signals.
///
/// # Safety
/// Called once, by the loader's start.
pub unsafe fn early_init(auxv: *const [usize; 2]) {
    const AT_EXECFN: usize = 31;
    let mut entry = auxv;
    while (*entry)[0] != 0 {
        if (*entry)[0] == AT_EXECFN {
            keep_program(CStr::from_ptr(core::ptr::with_exposed_provenance::<c_char>((*entry)[1])).to_bytes());
        }
        entry = entry.add(1);
    }
    signals::start_process();
}

/// What the platform needs once the main thread has its control block: from here on it can have signals.
///
/// # Safety
/// Called once, by the loader.
pub unsafe fn late_init() {
    start_thread();
}

/// A new thread's first act: its signal page. Without memory for one the thread runs with all signals blocked.
///
/// # Safety
/// The control block is in place.
pub unsafe fn start_thread() {
    // See above for the error.
    let _ = signals::start_thread();
}

/// Sets the thread pointer.
///
/// # Safety
/// `pointer` is a complete thread control block that outlives the thread.
pub unsafe fn set_fs(pointer: *mut c_void) -> isize {
    encode(native(sys::SET_FS_BASE, [pointer.expose_provenance(), 0, 0, 0, 0, 0])) as isize
}

/// Ends the process.
pub fn exit_process(status: c_int) -> ! {
    syscall::exit(status as u64 & EXIT_BITS)
}

/// Ends the calling thread.
pub fn exit_thread() -> ! {
    // SAFETY: the C library lends nothing on a stack beyond its thread's end.
    unsafe { syscall::thread_exit() }
}

/// Unmaps the calling thread's own stack and ends the thread.
///
/// # Safety
/// `start..start + len` holds nothing that anyone uses any more but this thread's stack, signals are blocked, and the kernel has
/// been told not to write the thread's tid word.
#[unsafe(naked)]
pub unsafe extern "C" fn exit_thread_unmapping(start: *mut c_void, len: usize) -> ! {
    naked_asm!(
        "mov eax, {munmap}",
        "syscall",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        munmap = const sys::MUNMAP,
        exit = const sys::THREAD_EXIT,
    )
}

/// What a new thread finds on its stack.
#[repr(C)]
struct First {
    entry: unsafe extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
}

unsafe extern "C" fn begin(first: *const First) -> ! {
    ((*first).entry)((*first).arg)
}

/// Starts a thread of this process at `entry(arg)` on the stack that ends at `stack_top`
/// (16-byte aligned), with thread pointer `tls`. The kernel writes the thread's id to `*tid` before
/// the thread runs, and when it ends writes 0 there and wakes the futex. Returns the id.
///
/// # Safety
/// Stack and `tls` stay valid until the thread ends; `entry` does not return.
pub unsafe fn clone_thread(
    stack_top: *mut c_void,
    entry: unsafe extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
    tls: *mut c_void,
    tid: *mut c_int,
) -> isize {
    let first = stack_top.cast::<First>().sub(1);
    first.write(First { entry, arg });
    // As after a call: a null return address, 8 bytes below a multiple of 16.
    let stack = first.cast::<usize>().sub(1);
    stack.write(0);
    let tid = tid.expose_provenance() as u64;
    let args = ThreadArgs {
        entry: begin as *const () as u64,
        stack: stack.expose_provenance() as u64,
        arg: first.expose_provenance() as u64,
        tls: tls.expose_provenance() as u64,
        set_tid: tid,
        clear_tid: tid,
        sigmask: signals::current_mask(),
    };
    encode(syscall::thread_create(&args).map(|tid| tid as usize)) as isize
}

/// Duplicates the process (`fork`): 0 in the child, the child's id in the parent. `tid` is where
/// the child finds its own thread id.
///
/// # Safety
/// As fork(2): only the calling thread exists in the child.
pub unsafe fn fork(tid: *mut c_int) -> isize {
    let made = signals::around_fork(|| syscall::fork(0));
    if made == Ok(0) {
        let own = syscall::gettid();
        tid.write(own);
        // Cannot fail: it only stores the address.
        let _ = syscall::set_clear_tid(tid.expose_provenance());
    }
    encode(made.map(|pid| pid as usize)) as isize
}

/// set_tid_address(2): the caller's id.
pub unsafe fn set_tid_address(a: Args) -> Result {
    native(sys::SET_CLEAR_TID, a)
}

/// The name that the first thread has until it is given another.
pub fn first_name() -> [u8; 16] {
    exec_name(program())
}
