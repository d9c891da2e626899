//! The memory functions that compilers call (C11 7.24), as string instructions: written in assembly, so that no compiler turns
//! them into calls of themselves.

/// Defines memcpy, memmove, memset, memcmp and bcmp.
#[doc(hidden)]
#[macro_export]
macro_rules! memory_functions {
    () => {
        core::arch::global_asm!(
            ".globl memcpy, memmove, memset, memcmp, bcmp",
            "memmove:",
            "mov rax, rdi",
            "sub rax, rsi",
            "cmp rax, rdx",
            // Backwards if the target begins within the source.
            "jb 2f",
            "memcpy:",
            "mov rax, rdi",
            "mov rcx, rdx",
            "shr rcx, 3",
            "rep movsq",
            "mov ecx, edx",
            "and ecx, 7",
            "rep movsb",
            "ret",
            "2:",
            "mov rax, rdi",
            "lea rdi, [rdi + rdx - 1]",
            "lea rsi, [rsi + rdx - 1]",
            "mov rcx, rdx",
            "std",
            "rep movsb",
            "cld",
            "ret",
            "memset:",
            "mov r8, rdi",
            "movzx eax, sil",
            "mov rcx, 0x0101010101010101",
            "imul rax, rcx",
            "mov rcx, rdx",
            "shr rcx, 3",
            "rep stosq",
            "mov ecx, edx",
            "and ecx, 7",
            "rep stosb",
            "mov rax, r8",
            "ret",
            "memcmp:",
            "bcmp:",
            "xor eax, eax",
            "mov rcx, rdx",
            // With a length of nothing the flags must say equal.
            "cmp rax, rax",
            "repe cmpsb",
            "je 3f",
            "movzx eax, byte ptr [rdi - 1]",
            "movzx ecx, byte ptr [rsi - 1]",
            "sub eax, ecx",
            "3:",
            "ret",
        );
    };
}
