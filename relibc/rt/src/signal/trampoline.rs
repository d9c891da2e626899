//! The assembly of a delivery. The module above says what it does and why it is safe against further signals.

use super::deliver::{FPU_SIZE, choose, run};
use super::frame::{FPREGS, FS, Frame, RED_ZONE, REGISTERS, RESUME, RETURN_WORDS, SSE};
use core::arch::naked_asm;

/// Where the kernel goes on to deliver signals: rax is the signal page, rip, rsp, rflags and rax of the interrupted code stand in it.
#[unsafe(naked)]
pub unsafe extern "C" fn trampoline() -> ! {
    naked_asm!(
        // Registers in the order of gregs; rax's place is filled later.
        "mov [rax + {regs}], r8",
        "mov [rax + {regs} + 8], r9",
        "mov [rax + {regs} + 16], r10",
        "mov [rax + {regs} + 24], r11",
        "mov [rax + {regs} + 32], r12",
        "mov [rax + {regs} + 40], r13",
        "mov [rax + {regs} + 48], r14",
        "mov [rax + {regs} + 56], r15",
        "mov [rax + {regs} + 64], rdi",
        "mov [rax + {regs} + 72], rsi",
        "mov [rax + {regs} + 80], rbp",
        "mov [rax + {regs} + 88], rbx",
        "mov [rax + {regs} + 96], rdx",
        "mov [rax + {regs} + 112], rcx",
        "fxsave64 [rax + {sse}]",
        "mov rbx, rax",
        "lea rsp, [rax + 4096]",
        "xor ebp, ebp",
        "mov rdi, rax",
        "call {choose}",
        "fxrstor64 [rbx + {sse}]",
        "test rax, rax",
        "jz 5f",

        // The whole FPU state on the chosen stack, then the frame.
        "mov r12, [rip + {fpu_size}]",
        "mov rsp, rax",
        "sub rsp, r12",
        "and rsp, -64",
        "mov rsi, rsp",
        "cmp r12, 512",
        "jbe 2f",
        // XSAVE leaves most of its header as it is, and XRSTOR wants zeroes there.
        "xor eax, eax",
        "lea rdi, [rsp + 512]",
        "mov ecx, 8",
        "rep stosq",
        "mov eax, -1",
        "mov edx, -1",
        "xsave64 [rsp]",
        "jmp 3f",
        "2:",
        "fxsave64 [rsp]",
        "3:",
        "sub rsp, {frame_size}",
        "and rsp, -16",
        "mov rdx, rsp",
        "mov rdi, rbx",
        "call {run}",

        // The interrupted code's FS base, if it was another: nothing below uses it.
        "mov rdi, [rsp + {fs}]",
        "test rdi, rdi",
        "jz 7f",
        "mov eax, {set_fs_base}",
        "syscall",
        "7:",

        // Everything back from the frame; signals may come between any two of these.
        "mov rdi, [rsp + {fpregs}]",
        "mov eax, -1",
        "mov edx, -1",
        "cmp r12, 512",
        "jbe 4f",
        "xrstor64 [rdi]",
        "jmp 6f",
        "4:",
        "fxrstor64 [rdi]",
        "jmp 6f",

        // With signals held: the page stays as it is until the next delivery.
        "5:",
        "lea rsp, [rbx + {regs}]",
        "6:",
        // rip and rflags go below the red zone of the stack that is gone back to, for the last two instructions.
        "mov rax, [rsp + {resume} + 24]",
        "sub rax, {return_words}",
        "mov rcx, [rsp + {resume} + 8]",
        "mov [rax + 8], rcx",
        "mov rcx, [rsp + {resume} + 16]",
        "mov [rax], rcx",
        "mov [rsp + {resume}], rax",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r11",
        "pop r12",
        "pop r13",
        "pop r14",
        "pop r15",
        "pop rdi",
        "pop rsi",
        "pop rbp",
        "pop rbx",
        "pop rdx",
        "pop rax",
        "pop rcx",
        "pop rsp",
        "popfq",
        "ret {red_zone}",
        regs = const REGISTERS,
        sse = const SSE,
        resume = const 15 * 8,
        return_words = const RED_ZONE + RETURN_WORDS,
        red_zone = const RED_ZONE,
        fpregs = const FPREGS,
        fs = const FS,
        set_fs_base = const ochre_abi::syscall::SET_FS_BASE,
        frame_size = const size_of::<Frame>(),
        choose = sym choose,
        run = sym run,
        fpu_size = sym FPU_SIZE,
    )
}

// Both places that registers are popped from are followed by what is resumed.
const _: () = assert!(RESUME == REGISTERS + 15 * 8 && core::mem::offset_of!(Frame, resume) == 15 * 8);
