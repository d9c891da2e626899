//! Foreign programs without an interpreter: static Linux programs, which make system calls by themselves.
//!
//! exec maps this library beside such a program and enters it first (`ld::start`). [`begin`] registers [`reflected`] with the kernel, which sends
//! every `syscall` instruction with a Linux number there: the call is carried out by [`super::call`], in the program's own process, and the
//! program goes on behind its instruction with the result in rax, and all other registers as they were, as on Linux.
//!
//! The program has thread-local storage of its own. The kernel switches to the library's FS base for each reflected call and each delivery of a
//! signal (REFLECT_FS) and tells the program's; it is set again on the way back, and around the program's signal handlers.

use crate::sys;
use crate::thread::{self, Thread};
use core::arch::naked_asm;
use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use ochre_rt::abi::syscall as native_calls;

/// Bytes below the stack pointer that leaf functions use (System V ABI AMD64, 3.2.2).
const RED_ZONE: usize = 128;
/// arch_prctl(2).
const ARCH_SET_FS: usize = 0x1002;
const ARCH_GET_FS: usize = 0x1003;
/// Room for the program's heap, which grows by brk(2), in bytes. Reserved, not used, until then.
const HEAP: usize = 1 << 30;
const PAGE: usize = 4096;

/// The program's registers in a call.
#[repr(C)]
struct Registers {
    r15: usize,
    r14: usize,
    r13: usize,
    r12: usize,
    rbp: usize,
    rbx: usize,
    r9: usize,
    r8: usize,
    r10: usize,
    rdx: usize,
    rsi: usize,
    rdi: usize,
    /// The number, and then the result.
    rax: usize,
    fs: usize,
    rip: usize,
    rsp: usize,
}

/// Where the kernel goes on for a call of the program: rcx is the return address, r11 the program's FS base.
#[unsafe(naked)]
unsafe extern "C" fn reflected() -> ! {
    naked_asm!(
        // Registers on the program's stack, below its red zone. Flags and x87 and SSE state survive a system call on Linux.
        "lea rsp, [rsp - {red_zone}]",
        "pushfq",
        "push rax",
        "lea rax, [rsp + {red_zone} + 16]",
        "xchg rax, [rsp]",
        "push rcx",
        "push r11",
        "push rax",
        "push rdi",
        "push rsi",
        "push rdx",
        "push r10",
        "push r8",
        "push r9",
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "cld",
        "mov rbp, rsp",
        "sub rsp, 512",
        "and rsp, -64",
        "fxsave64 [rsp]",
        "mov rdi, rbp",
        "call {carry_out}",
        "fxrstor64 [rsp]",
        "mov rsp, rbp",
        "mov rdi, [rsp + {fs}]",
        "mov eax, {set_fs_base}",
        "syscall",
        // From here on the FS base is the program's.
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "pop r9",
        "pop r8",
        "pop r10",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "pop rax",
        "add rsp, 8",
        "pop rcx",
        "mov r11, [rsp]",
        "push qword ptr [rsp + 8]",
        "popfq",
        "mov rsp, r11",
        "jmp rcx",
        red_zone = const RED_ZONE,
        carry_out = sym carry_out,
        fs = const offset_of!(Registers, fs),
        set_fs_base = const native_calls::SET_FS_BASE,
    )
}

/// Carries out a call.
unsafe extern "C" fn carry_out(registers: *mut Registers) {
    let registers = &mut *registers;
    let thread = thread::current();
    if registers.fs != thread.addr() {
        (*thread).platform.program_fs = registers.fs;
    }
    let Registers { rdi, rsi, rdx, r10, r8, r9, .. } = *registers;
    let args = [rdi, rsi, rdx, r10, r8, r9];
    let result = match registers.rax as i64 {
        libc::SYS_arch_prctl => arch_prctl(registers),
        libc::SYS_brk => brk(rdi) as isize,
        libc::SYS_fork | libc::SYS_vfork => fork(thread, registers, 0, [0; 6]),
        libc::SYS_clone => fork(thread, registers, rdi, args),
        // glibc and musl do with clone what they cannot do with it.
        libc::SYS_clone3 => -(libc::ENOSYS as isize),
        number => super::call(number, args),
    };
    registers.rax = result as usize;
}

unsafe fn arch_prctl(registers: &mut Registers) -> isize {
    match registers.rdi {
        ARCH_SET_FS if registers.rsi < ochre_rt::abi::layout::USER_END => {
            registers.fs = registers.rsi;
            (*thread::current()).platform.program_fs = registers.rsi;
            0
        }
        ARCH_SET_FS => -(libc::EPERM as isize),
        ARCH_GET_FS => {
            with_exposed_provenance_mut::<usize>(registers.rsi).write_unaligned(registers.fs);
            0
        }
        _ => -(libc::EINVAL as isize),
    }
}

/// fork(2), vfork(2), and clone(2) for a process. A child that would borrow the parent's memory gets a copy, as POSIX lets vfork. Threads
/// are refused with ENOSYS.
unsafe fn fork(thread: *mut Thread, registers: &mut Registers, flags: usize, args: [usize; 6]) -> isize {
    let known = libc::CLONE_VM
        | libc::CLONE_VFORK
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_SETTID
        | libc::CLONE_CHILD_CLEARTID
        | 0xff;
    let flags = flags as c_int;
    let shares_memory = flags & libc::CLONE_VM != 0 && flags & libc::CLONE_VFORK == 0;
    if flags & !known != 0 || shares_memory {
        return -(libc::ENOSYS as isize);
    }
    let [_, stack, parent_tid, child_tid, ..] = args;
    let made = sys::fork((*thread).tid.as_ptr());
    let place = with_exposed_provenance_mut::<c_int>;
    if made > 0 && flags & libc::CLONE_PARENT_SETTID != 0 {
        place(parent_tid).write_unaligned(made as c_int);
    }
    if made == 0 {
        if flags & libc::CLONE_CHILD_SETTID != 0 {
            place(child_tid).write_unaligned((*thread).tid.load(Relaxed));
        }
        if stack != 0 {
            registers.rsp = stack;
        }
    }
    made
}

/// The program's heap: its start, or 0 before the first call.
static HEAP_START: AtomicUsize = AtomicUsize::new(0);
/// Where it ends now.
static HEAP_END: AtomicUsize = AtomicUsize::new(0);

/// brk(2) as the kernel has it: the new end, or the present one if it cannot be had.
unsafe fn brk(end: usize) -> usize {
    let mut start = HEAP_START.load(Relaxed);
    if start == 0 {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let Ok(area) = sys::result(sys::mmap(core::ptr::null_mut(), HEAP, libc::PROT_NONE, flags, -1, 0)) else {
            return 0;
        };
        start = area;
        HEAP_START.store(start, Relaxed);
        HEAP_END.store(start, Relaxed);
    }
    let now = HEAP_END.load(Relaxed);
    if end < start || end > start + HEAP {
        return now;
    }
    let (mapped, wanted) = (now.next_multiple_of(PAGE), end.next_multiple_of(PAGE));
    let done = if wanted > mapped {
        let at = with_exposed_provenance_mut(mapped);
        sys::mprotect(at, wanted - mapped, libc::PROT_READ | libc::PROT_WRITE)
    } else if wanted < mapped {
        // What is given back must be zero when it comes again.
        let at = with_exposed_provenance_mut(wanted);
        sys::madvise(at, mapped - wanted, libc::MADV_DONTNEED);
        sys::mprotect(at, mapped - wanted, libc::PROT_NONE)
    } else {
        0
    };
    if done < 0 {
        return now;
    }
    HEAP_END.store(end, Relaxed);
    end
}

/// The program's FS base and the library's, if a program is emulated and has set one.
pub fn program_fs() -> Option<(usize, usize)> {
    let thread = thread::current();
    // SAFETY: the calling thread's block.
    let program = unsafe { (*thread).platform.program_fs };
    (program != 0).then_some((program, thread.addr()))
}

/// From here on the calling thread, the only one, is a foreign program's. Raw result.
///
/// # Safety
/// The library is set up, and the program is entered next.
pub unsafe fn begin() -> isize {
    let own = thread::current().expose_provenance();
    let done = super::native(native_calls::REFLECT_FS, [own, 0, 0, 0, 0, 0])
        .and_then(|_| super::native(native_calls::REFLECT_SET, [reflected as *const () as usize, 0, 0, 0, 0, 0]));
    ochre_rt::abi::errno::encode(done) as isize
}
