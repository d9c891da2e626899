//! TLS descriptors: entry points that compute a variable's offset from `%fs` and keep every register but rax.

use super::tls::{self, Index};
use alloc::boxed::Box;
use core::arch::naked_asm;

/// Descriptor of a static block: the argument is the offset.
pub fn fixed(offset: usize) -> (usize, usize) {
    (resolve_fixed as *const () as usize, offset)
}

/// Descriptor of an undefined weak variable: its address is the addend.
pub fn undefined(addend: usize) -> (usize, usize) {
    (resolve_undefined as *const () as usize, addend)
}

/// Descriptor of a dynamic block. Its argument lives as long as the process, as the object's
/// code may.
pub fn dynamic(module: usize, offset: usize) -> (usize, usize) {
    let index = Box::leak(Box::new(Index { module, offset }));
    (resolve_dynamic as *const () as usize, &raw const *index as usize)
}

#[unsafe(naked)]
unsafe extern "C" fn resolve_fixed() {
    naked_asm!("mov rax, [rax + 8]", "ret")
}

#[unsafe(naked)]
unsafe extern "C" fn resolve_undefined() {
    naked_asm!("mov rax, [rax + 8]", "sub rax, fs:[0]", "ret")
}

#[unsafe(naked)]
unsafe extern "C" fn resolve_dynamic() {
    naked_asm!(
        "push rdi",
        "push rsi",
        "mov rdi, [rax + 8]",
        "mov rax, fs:[8]",
        "mov rsi, [rdi]",
        "cmp rsi, [rax]",
        "jae 2f",
        "mov rax, [rax + rsi * 8]",
        "test rax, rax",
        "jz 2f",
        "add rax, [rdi + 8]",
        "3:",
        "sub rax, fs:[0]",
        "pop rsi",
        "pop rdi",
        "ret",
        // The first access: a call of Rust code, which uses SSE registers and no wider ones.
        "2:",
        "push rbp",
        "mov rbp, rsp",
        "push rcx",
        "push rdx",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "sub rsp, 512",
        "and rsp, -16",
        "fxsave64 [rsp]",
        "call {address}",
        "fxrstor64 [rsp]",
        "lea rsp, [rbp - 48]",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdx",
        "pop rcx",
        "pop rbp",
        "jmp 3b",
        address = sym tls::address,
    )
}
