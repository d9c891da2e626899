//! Entries into the kernel: `syscall`, exceptions, interrupts; and the ways back to user mode.
//!
//! Sources: Intel SDM volume 3, chapter 6 (IDT), section 5.8.8 (`syscall`), volume 2 (SYSRET, IRET, SWAPGS).
//!
//! Each entry from user mode builds a [`UserRegs`] at the top of the running context's kernel stack. On the way back,
//! `cs`, `ss` and the system flags are forced, so whatever the kernel wrote there, user mode is what is returned to.
//!
//! # GS
//! Entries from user mode exchange GS bases by `swapgs`. Those that can hit the kernel before it has done so (NMI, double
//! fault, machine check, and a debug exception after `mov ss`) run on stacks of their own, and take the kernel's GS base
//! from the word above the stack: with FSGSBASE a program can give its GS base any value, so looking at that tells nothing.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::mem::offset_of;

use crate::cpu::{self, IA32_FMASK, IA32_GS_BASE, IA32_LSTAR, IA32_STAR, PerCpu};
use crate::gdt::{self, KERNEL_CS, SYSRET_BASE, USER_CS, USER_SS};
use crate::paging::USER_END;
use crate::{Exception, UserRegs, debug, glue, irq, smp};

const CF_TO_OF: u64 = 0xcd5;
const TF: u64 = 1 << 8;
const IF: u64 = 1 << 9;
const RF: u64 = 1 << 16;
const AC: u64 = 1 << 18;
const ID: u64 = 1 << 21;
/// Flags that are the program's own: the arithmetic ones and DF, and TF, RF, AC, ID.
const USER_FLAGS: u64 = CF_TO_OF | TF | RF | AC | ID;
/// `syscall` clears all flags that user mode can set but the arithmetic ones: TF, IF, DF, IOPL, NT, RF, AC, ID.
const SYSCALL_CLEARS: u64 = 0x0025_7700;
/// Flags that make `sysret` the wrong way back: TF, IOPL, NT, RF, VM, VIF, VIP set, or IF clear.
const SYSRET_CHECK: u64 = 0x001b_7300;

/// The exception vectors by name (SDM volume 3, table 6-1).
const NAMES: [&str; 22] = [
    "divide error",
    "debug exception",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection fault",
    "page fault",
    "reserved exception",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualization exception",
    "control protection exception",
];

const NMI: u8 = 2;
const PAGE_FAULT: u8 = 14;

global_asm!(
    r#"
.pushsection .text.trap, "ax"
.balign 64
.global __ochre_syscall_entry
__ochre_syscall_entry:
    swapgs
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{stack_top}]
    push {USER_SS}
    push qword ptr gs:[{user_rsp}]
    push r11
    push {USER_CS}
    push rcx
    push rax
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rax                        // keeps the stack aligned to 16
    xor ebp, ebp                    // backtraces end here
    lea rdi, [rsp + 8]
    call __ochre_syscall

// Back to user mode with the registers at rsp + 8. sysret where it gives the same as iretq would: rcx and r11 must be rip
// and rflags, and rip canonical (else sysret would fault in the kernel, on the user's stack).
.global __ochre_syscall_exit
__ochre_syscall_exit:
    mov rcx, [rsp + 8 + {rip}]
    cmp rcx, [rsp + 8 + {rcx}]
    jne 2f
    mov r11, [rsp + 8 + {rflags}]
    cmp r11, [rsp + 8 + {r11}]
    jne 2f
    mov rax, rcx
    shr rax, 47
    jnz 2f
    mov eax, r11d
    and eax, {SYSRET_CHECK}
    cmp eax, {IF}
    jne 2f
    mov r15, [rsp + 8]
    mov r14, [rsp + 16]
    mov r13, [rsp + 24]
    mov r12, [rsp + 32]
    mov rbp, [rsp + 40]
    mov rbx, [rsp + 48]
    mov r10, [rsp + 64]
    mov r9, [rsp + 72]
    mov r8, [rsp + 80]
    mov rax, [rsp + 88]
    mov rdx, [rsp + 104]
    mov rsi, [rsp + 112]
    mov rdi, [rsp + 120]
    mov rsp, [rsp + 8 + {rsp}]
    swapgs
    sysretq
2:
    add rsp, 8

// Back to user mode by iretq, with the registers at rsp.
3:
    mov rax, [rsp + {rip}]
    shr rax, 47
    jnz 4f
    mov eax, [rsp + {rflags}]
    and eax, {USER_FLAGS}
    or eax, {IF_AND_1}
    mov [rsp + {rflags}], rax
    mov qword ptr [rsp + {cs}], {USER_CS}
    mov qword ptr [rsp + {ss}], {USER_SS}
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
    swapgs
    iretq
4:
    mov rdi, rsp
    sub rsp, 8
    call {on_wild_rip}
    add rsp, 8
    jmp 3b

// All other entries: the stub has pushed the vector over the error code (or a zero).
.macro SAVE_REGISTERS               // leaves the vector in rsi; its place becomes rdi's
    push rsi
    mov rsi, [rsp + 8]
    mov [rsp + 8], rdi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push 2                          // clears AC, DF, NT: an interrupt gate does not
    popfq
    mov rdi, rsp
    sub rsp, 8
.endm
.macro RESTORE_REGISTERS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
.endm

.balign 64
5:
    test byte ptr [rsp + 24], 3
    jz 6f
    swapgs
    SAVE_REGISTERS
    xor ebp, ebp
    call {on_user_trap}
    add rsp, 8
    jmp 3b
6:
    SAVE_REGISTERS
    call {on_kernel_trap}
    add rsp, 8
    RESTORE_REGISTERS
    iretq

// A debug exception, on its own stack. From user mode it goes on on the context's stack like any other.
7:
    test byte ptr [rsp + 24], 3
    jz 8f
    swapgs
    push rax
    mov rax, rsp
    mov rsp, gs:[{stack_top}]
    swapgs
    push qword ptr [rax + 56]
    push qword ptr [rax + 48]
    push qword ptr [rax + 40]
    push qword ptr [rax + 32]
    push qword ptr [rax + 24]
    push qword ptr [rax + 16]
    push qword ptr [rax + 8]
    mov rax, [rax]
    jmp 5b

// NMI, machine check, double fault: anything may have been going on. The kernel's GS base is above the stack.
8:
    SAVE_REGISTERS
    mov r12, rsi
    mov ecx, {GS_BASE}
    rdmsr
    mov r13d, eax
    mov r14d, edx
    mov rax, [rsp + 8 + {frame}]
    mov rdx, rax
    shr rdx, 32
    wrmsr
    mov rsi, r12
    call {on_ist_trap}
    mov ecx, {GS_BASE}
    mov eax, r13d
    mov edx, r14d
    wrmsr
    add rsp, 8
    RESTORE_REGISTERS
    iretq

.altmacro
.macro STUB vector
    .balign 16
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
        push 0
    .endif
    push \vector
    .if (\vector == 2) || (\vector == 8) || (\vector == 18)
        jmp 8b
    .elseif \vector == 1
        jmp 7b
    .else
        jmp 5b
    .endif
.endm
.balign 16
.global __ochre_trap_stubs
__ochre_trap_stubs:
.set vector, 0
.rept 256
    STUB %vector
    .set vector, vector + 1
.endr
.noaltmacro
.popsection
"#,
    user_rsp = const cpu::USER_RSP,
    stack_top = const cpu::STACK_TOP,
    USER_SS = const USER_SS,
    USER_CS = const USER_CS,
    SYSRET_CHECK = const SYSRET_CHECK,
    USER_FLAGS = const USER_FLAGS,
    IF = const IF,
    IF_AND_1 = const IF | 2,
    GS_BASE = const IA32_GS_BASE,
    rip = const offset_of!(UserRegs, rip),
    rcx = const offset_of!(UserRegs, rcx),
    r11 = const offset_of!(UserRegs, r11),
    rflags = const offset_of!(UserRegs, rflags),
    rsp = const offset_of!(UserRegs, rsp),
    cs = const offset_of!(UserRegs, cs),
    ss = const offset_of!(UserRegs, ss),
    frame = const size_of::<UserRegs>(),
    on_user_trap = sym on_user_trap,
    on_kernel_trap = sym on_kernel_trap,
    on_ist_trap = sym on_ist_trap,
    on_wild_rip = sym on_wild_rip,
);

unsafe extern "C" {
    fn __ochre_syscall_entry();
    safe static __ochre_trap_stubs: u8;
}

/// Bytes between the entries of two vectors.
const STUB_SIZE: usize = 16;

extern "C" fn on_user_trap(regs: &mut UserRegs, vector: u8) {
    let error = regs.orig_rax;
    regs.orig_rax |= u64::from(vector) << 32;
    if vector >= 32 {
        irq::dispatch(vector);
    } else {
        glue::exception(regs, exception(vector, error));
    }
    glue::exit_to_user(regs);
}

/// The kernel asked for a return to an address that is not canonical: the program gets the exception that the CPU would
/// raise. If the address is still wild afterwards, it becomes one where nothing is ever mapped.
extern "C" fn on_wild_rip(regs: &mut UserRegs) {
    regs.orig_rax = 13 << 32;
    glue::exception(regs, Exception::GeneralProtection(0));
    glue::exit_to_user(regs);
    if regs.rip >> 47 != 0 {
        regs.rip = USER_END as u64;
    }
}

extern "C" fn on_kernel_trap(regs: &mut UserRegs, vector: u8) {
    if vector >= 32 {
        return irq::dispatch(vector);
    }
    let address = (vector == PAGE_FAULT).then(cr2);
    if let Some(address) = address
        && address < USER_END
        && let Some(fixup) = crate::user::fixup(regs.rip as usize)
    {
        cpu::this().fault_address.set(address);
        regs.rip = fixup as u64;
        return;
    }
    fatal(regs, vector, address)
}

extern "C" fn on_ist_trap(regs: &mut UserRegs, vector: u8) {
    match vector {
        NMI => smp::on_nmi(),
        // A debug exception in the kernel: one that was pending when the program entered it. It comes again when it matters.
        1 => {}
        _ => fatal(regs, vector, (vector == 8).then(cr2)),
    }
}

fn fatal(regs: &UserRegs, vector: u8, address: Option<usize>) -> ! {
    let name = NAMES.get(vector as usize).copied().unwrap_or("exception");
    debug::kernel_fault(name, regs.orig_rax, address, regs)
}

fn cr2() -> usize {
    let address: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

fn exception(vector: u8, error: u64) -> Exception {
    match vector {
        0 => Exception::DivideError,
        1 => Exception::Debug,
        3 => Exception::Breakpoint,
        4 => Exception::Overflow,
        5 => Exception::Bound,
        6 => Exception::InvalidOpcode,
        7 => Exception::DeviceNotAvailable,
        12 => Exception::StackFault(error),
        13 => Exception::GeneralProtection(error),
        // SDM volume 3, figure 4-12.
        PAGE_FAULT => {
            Exception::PageFault { addr: cr2(), write: error & 2 != 0, exec: error & 16 != 0, present: error & 1 != 0 }
        }
        16 => Exception::FloatingPoint,
        17 => Exception::AlignmentCheck,
        19 => Exception::SimdFloatingPoint,
        _ => Exception::Other(vector, error),
    }
}

/// The interrupt descriptor table, the same for all CPUs.
#[repr(C, align(4096))]
struct Idt(UnsafeCell<[[u64; 2]; 256]>);

// SAFETY: every CPU writes the same values before it takes its first interrupt.
unsafe impl Sync for Idt {}

static IDT: Idt = Idt(UnsafeCell::new([[0; 2]; 256]));

/// Sets this CPU's IDT and syscall entry.
pub fn init() {
    let stubs = &raw const __ochre_trap_stubs as u64;
    for vector in 0..256 {
        let address = stubs + (vector * STUB_SIZE) as u64;
        let ist = match vector {
            1 => gdt::IST_DEBUG + 1,
            2 => gdt::IST_NMI + 1,
            8 => gdt::IST_DOUBLE_FAULT + 1,
            18 => gdt::IST_MACHINE_CHECK + 1,
            _ => 0,
        } as u64;
        // Programs may raise breakpoint and overflow by instruction.
        let dpl: u64 = if vector == 3 || vector == 4 { 3 } else { 0 };
        let low = address & 0xffff
            | u64::from(KERNEL_CS) << 16
            | ist << 32
            | 0xe << 40
            | dpl << 45
            | 1 << 47
            | (address >> 16 & 0xffff) << 48;
        // SAFETY: inside the table; other CPUs that read it meanwhile find the value that they had written themselves.
        unsafe { (IDT.0.get() as *mut [u64; 2]).add(vector).write_volatile([low, address >> 32]) };
    }
    #[repr(C, packed)]
    struct Pointer(u16, u64);
    let pointer = Pointer(size_of::<Idt>() as u16 - 1, IDT.0.get() as u64);
    // SAFETY: a table of valid gates that stays for ever; the MSRs lead to the entry above with the selectors of `gdt`.
    unsafe {
        asm!("lidt [{}]", in(reg) &pointer, options(nostack, preserves_flags));
        cpu::wrmsr(IA32_STAR, u64::from(SYSRET_BASE) << 48 | u64::from(KERNEL_CS) << 32);
        cpu::wrmsr(IA32_LSTAR, __ochre_syscall_entry as *const () as u64);
        cpu::wrmsr(IA32_FMASK, SYSCALL_CLEARS);
    }
}

const _: () = {
    // What the assembly above takes for granted.
    assert!(offset_of!(UserRegs, rdi) == 112 && offset_of!(UserRegs, orig_rax) == 120 && size_of::<UserRegs>() == 168);
    assert!(offset_of!(PerCpu, stack_top) == cpu::STACK_TOP);
};
