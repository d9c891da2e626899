//! `ucontext.h`: getcontext(3), setcontext(3), makecontext(3), swapcontext(3).
//!
//! A `ucontext_t` is 968 bytes: flags, link, stack (16), 23 general registers (40), pointer to the FPU state (224), signal mask (296), room for
//! the FPU state (424; 512 bytes in FXSAVE's layout, of which the x87 environment and MXCSR are kept). As in glibc, registers that a function
//! call does not preserve are not kept by getcontext, but all integer ones are loaded by setcontext, for makecontext's arguments.

use crate::sys;
use crate::va::VaList;
use core::arch::naked_asm;
use core::ffi::c_int;
use core::mem::offset_of;
use libc::ucontext_t;

const GREGS: usize = offset_of!(ucontext_t, uc_mcontext);
const FPREGS: usize = offset_of!(ucontext_t, uc_mcontext) + 23 * 8;
const MASK: usize = offset_of!(ucontext_t, uc_sigmask);
/// Room for the FPU state behind the mask.
const FPU: usize = 424;
const MXCSR: usize = FPU + 24;

const fn greg(index: c_int) -> usize {
    GREGS + index as usize * 8
}

/// Reads (and, if `new` is not null, changes) the signal mask; the mask's words are those of two contexts.
unsafe extern "C" fn exchange_mask(new: *const u64, old: *mut u64) {
    sys::rt_sigprocmask(libc::SIG_SETMASK, new, old, 8);
}

/// What runs when a context's function has returned: goes on with the context behind it, or ends the thread. rbx holds the link.
#[unsafe(naked)]
unsafe extern "C" fn after() {
    naked_asm!("mov rdi, rbx", "and rsp, -16", "call {next}", "ud2", next = sym next)
}

unsafe extern "C" fn next(link: *const ucontext_t) -> ! {
    if link.is_null() {
        crate::exit::exit(0);
    }
    setcontext(link);
    crate::exit::abort_now()
}

c_api! {
    /// getcontext(3).
    #[unsafe(naked)]
    fn getcontext(to: *mut ucontext_t) -> c_int {
        naked_asm!(
            "mov [rdi + {rbx}], rbx", "mov [rdi + {rbp}], rbp",
            "mov [rdi + {r12}], r12", "mov [rdi + {r13}], r13", "mov [rdi + {r14}], r14", "mov [rdi + {r15}], r15",
            "mov rax, [rsp]", "mov [rdi + {rip}], rax",
            "lea rax, [rsp + 8]", "mov [rdi + {rsp}], rax",
            "lea rax, [rdi + {fpu}]", "mov [rdi + {fpregs}], rax",
            "fnstenv [rax]", "fldenv [rax]", "stmxcsr [rdi + {mxcsr}]",
            "lea rsi, [rdi + {mask}]", "xor edi, edi",
            "sub rsp, 8", "call {exchange}", "add rsp, 8",
            "xor eax, eax", "ret",
            rbx = const greg(libc::REG_RBX), rbp = const greg(libc::REG_RBP), r12 = const greg(libc::REG_R12),
            r13 = const greg(libc::REG_R13), r14 = const greg(libc::REG_R14), r15 = const greg(libc::REG_R15),
            rip = const greg(libc::REG_RIP), rsp = const greg(libc::REG_RSP), fpu = const FPU, fpregs = const FPREGS,
            mxcsr = const MXCSR, mask = const MASK, exchange = sym exchange_mask,
        )
    }

    /// setcontext(3). Does not return but for an error.
    #[unsafe(naked)]
    fn setcontext(from: *const ucontext_t) -> c_int {
        naked_asm!(
            "push rdi", "lea rdi, [rdi + {mask}]", "xor esi, esi", "call {exchange}", "pop rdx",
            "mov rax, [rdx + {fpregs}]", "fldenv [rax]", "ldmxcsr [rax + 24]",
            "mov rsp, [rdx + {rsp}]",
            "mov rbx, [rdx + {rbx}]", "mov rbp, [rdx + {rbp}]",
            "mov r12, [rdx + {r12}]", "mov r13, [rdx + {r13}]", "mov r14, [rdx + {r14}]", "mov r15, [rdx + {r15}]",
            "push qword ptr [rdx + {rip}]",
            "mov rsi, [rdx + {rsi}]", "mov rdi, [rdx + {rdi}]", "mov rcx, [rdx + {rcx}]",
            "mov r8, [rdx + {r8}]", "mov r9, [rdx + {r9}]", "mov rdx, [rdx + {rdx}]",
            "xor eax, eax", "ret",
            rbx = const greg(libc::REG_RBX), rbp = const greg(libc::REG_RBP), r12 = const greg(libc::REG_R12),
            r13 = const greg(libc::REG_R13), r14 = const greg(libc::REG_R14), r15 = const greg(libc::REG_R15),
            rip = const greg(libc::REG_RIP), rsp = const greg(libc::REG_RSP), rsi = const greg(libc::REG_RSI),
            rdi = const greg(libc::REG_RDI), rcx = const greg(libc::REG_RCX), rdx = const greg(libc::REG_RDX),
            r8 = const greg(libc::REG_R8), r9 = const greg(libc::REG_R9), fpregs = const FPREGS, mask = const MASK,
            exchange = sym exchange_mask,
        )
    }

    /// swapcontext(3).
    #[unsafe(naked)]
    fn swapcontext(to: *mut ucontext_t, from: *const ucontext_t) -> c_int {
        naked_asm!(
            "mov [rdi + {rbx}], rbx", "mov [rdi + {rbp}], rbp",
            "mov [rdi + {r12}], r12", "mov [rdi + {r13}], r13", "mov [rdi + {r14}], r14", "mov [rdi + {r15}], r15",
            "mov rax, [rsp]", "mov [rdi + {rip}], rax",
            "lea rax, [rsp + 8]", "mov [rdi + {rsp}], rax",
            "lea rax, [rdi + {fpu}]", "mov [rdi + {fpregs}], rax",
            "fnstenv [rax]", "fldenv [rax]", "stmxcsr [rdi + {mxcsr}]",
            // The old mask is kept now, for setcontext only sets the new one.
            "push rsi", "lea rsi, [rdi + {mask}]", "xor edi, edi", "call {exchange}", "pop rdi",
            "jmp {set}",
            rbx = const greg(libc::REG_RBX), rbp = const greg(libc::REG_RBP), r12 = const greg(libc::REG_R12),
            r13 = const greg(libc::REG_R13), r14 = const greg(libc::REG_R14), r15 = const greg(libc::REG_R15),
            rip = const greg(libc::REG_RIP), rsp = const greg(libc::REG_RSP), fpu = const FPU, fpregs = const FPREGS,
            mxcsr = const MXCSR, mask = const MASK, exchange = sym exchange_mask, set = sym setcontext,
        )
    }
}

/// Arguments of the first function that stand in registers.
const REGISTER_ARGS: usize = 6;
/// Where they stand.
const ARGS: [c_int; REGISTER_ARGS] =
    [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_RCX, libc::REG_R8, libc::REG_R9];

c_variadic! {
    /// makecontext(3): `function` will run on the context's stack with `count` arguments, each passed as a word.
    fn makecontext = make, 3, "rcx";
}

unsafe extern "C" fn make(context: *mut ucontext_t, function: unsafe extern "C" fn(), count: c_int, args: *mut VaList) {
    let context = &mut *context;
    let on_stack = (count.max(0) as usize).saturating_sub(REGISTER_ARGS);
    let end = context.uc_stack.ss_sp.addr() + context.uc_stack.ss_size;
    // As at a function's start: the return address 8 bytes below a multiple of 16, stack arguments above it.
    let top = ((end - on_stack * 8) & !15) - 8;
    let words = context.uc_stack.ss_sp.with_addr(top).cast::<u64>();
    let gregs = &mut context.uc_mcontext.gregs;
    for index in 0..count.max(0) as usize {
        let value = (*args).word();
        match ARGS.get(index) {
            Some(register) => gregs[*register as usize] = value as i64,
            None => *words.add(1 + index - REGISTER_ARGS) = value,
        }
    }
    *words = after as *const () as u64;
    gregs[libc::REG_RIP as usize] = function as usize as i64;
    gregs[libc::REG_RSP as usize] = top as i64;
    gregs[libc::REG_RBX as usize] = context.uc_link.expose_provenance() as i64;
}
