//! The Linux back end: raw system calls.

use core::arch::{asm, naked_asm};
use core::ffi::{c_int, c_long, c_void};

/// Makes the Linux system call `number`. Returns its value or a negated errno.
///
/// # Safety
/// The contract of the call.
#[inline(always)]
pub unsafe fn call(number: c_long, a: [usize; 6]) -> isize {
    let out: isize;
    // SAFETY: the kernel preserves everything but rax, rcx and r11; memory effects are the
    // caller's contract.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => out,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    out
}

/// What the platform needs before anything else runs: nothing on Linux.
///
/// # Safety
/// Called once, by the loader's start.
pub unsafe fn early_init(_auxv: *const [usize; 2]) {}

/// What the platform needs once the main thread has its control block: nothing on Linux.
///
/// # Safety
/// Called once, by the loader.
pub unsafe fn late_init() {}

/// What the platform keeps for each thread: nothing on Linux.
#[derive(Default)]
pub struct PerThread;

impl PerThread {
    /// Nothing.
    pub const fn new() -> PerThread {
        PerThread
    }
}

/// A new thread's first act: nothing on Linux.
///
/// # Safety
/// The control block is in place.
pub unsafe fn start_thread() {}

/// Sets the thread pointer.
///
/// # Safety
/// `pointer` is a complete thread control block that outlives the thread.
pub unsafe fn set_fs(pointer: *mut c_void) -> isize {
    const ARCH_SET_FS: usize = 0x1002;
    call(libc::SYS_arch_prctl, [ARCH_SET_FS, pointer as usize, 0, 0, 0, 0])
}

/// Ends the process.
pub fn exit_process(status: c_int) -> ! {
    loop {
        // SAFETY: exit_group takes no pointer and does not return.
        unsafe { call(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Ends the calling thread.
pub fn exit_thread() -> ! {
    loop {
        // SAFETY: exit takes no pointer and does not return.
        unsafe { call(libc::SYS_exit, [0; 6]) };
    }
}

/// Unmaps the calling thread's own stack and ends the thread.
///
/// # Safety
/// `start..start + len` holds nothing that anyone uses any more but this thread's stack, and the
/// kernel has been told not to write the thread's tid word.
#[unsafe(naked)]
pub unsafe extern "C" fn exit_thread_unmapping(start: *mut c_void, len: usize) -> ! {
    naked_asm!(
        "mov eax, {munmap}",
        "syscall",
        "xor edi, edi",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        munmap = const libc::SYS_munmap,
        exit = const libc::SYS_exit,
    )
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
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    // SAFETY: the new thread starts with these two words on its own stack.
    let stack = unsafe {
        let stack = (stack_top as *mut usize).sub(2);
        *stack = entry as usize;
        *stack.add(1) = arg as usize;
        stack
    };
    clone_raw(flags as usize, stack, tid, tid, tls)
}

#[unsafe(naked)]
unsafe extern "C" fn clone_raw(
    flags: usize,
    stack: *mut usize,
    parent_tid: *mut c_int,
    child_tid: *mut c_int,
    tls: *mut c_void,
) -> isize {
    naked_asm!(
        "mov r10, rcx",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "ud2",
        clone = const libc::SYS_clone,
    )
}

/// Duplicates the process (`fork`): 0 in the child, the child's id in the parent. `tid` is where
/// the child finds its own thread id.
///
/// # Safety
/// As fork(2): only the calling thread exists in the child.
pub unsafe fn fork(tid: *mut c_int) -> isize {
    let flags = libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    call(libc::SYS_clone, [flags as usize, 0, 0, tid as usize, 0, 0])
}

/// Runs `child(arg)` in a new process that borrows this one's memory, on the stack that ends at
/// `stack_top`; the calling thread continues once the child has called `execve` or exited.
/// Returns the child's id.
///
/// # Safety
/// `child` only makes system calls, touches only memory it may share, and ends in `execve` or
/// `exit_process`. All signals are blocked.
pub unsafe fn spawn_vfork(
    stack_top: *mut c_void,
    child: unsafe extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> isize {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: as in clone_thread.
    let stack = unsafe {
        let stack = (stack_top as *mut usize).sub(2);
        *stack = child as usize;
        *stack.add(1) = arg as usize;
        stack
    };
    let none = core::ptr::null_mut();
    clone_raw(flags as usize, stack, none, none, core::ptr::null_mut())
}

/// Foreign programs without an interpreter.
pub mod emulate {
    /// Nothing: on Linux such a program never has this library beside it.
    ///
    /// # Safety
    /// None; as the other back end's.
    pub unsafe fn begin() -> isize {
        -(libc::ENOSYS as isize)
    }
}

/// Nothing: on Linux no signal is held back (see `pthread::cancel`).
pub fn take_held_back() {}

/// The kernel's `struct sigaction` on x86-64.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

const SA_RESTORER: u64 = 0x0400_0000;

/// Where a signal handler returns to.
#[unsafe(naked)]
unsafe extern "C" fn restorer() {
    naked_asm!("mov eax, {n}", "syscall", "ud2", n = const libc::SYS_rt_sigreturn)
}

/// Changes and reads the action of `signal`.
///
/// # Safety
/// `new` and `old` are null or valid; the handler may run at any moment from here on.
pub unsafe fn sigaction(signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction) -> isize {
    let mut kernel_new = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let mut kernel_old = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    if !new.is_null() {
        // SAFETY: valid by contract; a sigset's first word holds the 64 signals there are.
        unsafe {
            kernel_new.handler = (*new).sa_sigaction;
            kernel_new.flags = (*new).sa_flags as u32 as u64 | SA_RESTORER;
            kernel_new.restorer = restorer as *const () as usize;
            kernel_new.mask = *(&raw const (*new).sa_mask).cast::<u64>();
        }
    }
    let new_ptr = if new.is_null() { 0 } else { &raw const kernel_new as usize };
    let out = call(libc::SYS_rt_sigaction, [signal as usize, new_ptr, &raw mut kernel_old as usize, 8, 0, 0]);
    if out == 0 && !old.is_null() {
        // SAFETY: valid by contract; all-zero is a valid sigaction.
        unsafe {
            old.write_bytes(0, 1);
            (*old).sa_sigaction = kernel_old.handler;
            (*old).sa_flags = (kernel_old.flags & !SA_RESTORER) as c_int;
            *(&raw mut (*old).sa_mask).cast::<u64>() = kernel_old.mask;
        }
    }
    out
}
