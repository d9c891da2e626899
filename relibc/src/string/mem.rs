//! `memcpy`, `memmove`, `memset`.
//!
//! Written in assembly, because the compiler turns a copying loop into a call of memcpy. Short sizes
//! are done with overlapping loads and stores, without a loop; long ones 64 bytes a turn. `rep movsb` is
//! not used: it has a start-up cost, and an emulator counts an instruction a byte.

use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use libc::size_t;

/// memmove(3): all bytes of a short block are loaded before one is stored, and long blocks are
/// walked from the side that is safe.
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 16",
        "jb 20f",
        "cmp rdx, 32",
        "ja 30f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "ret",
        // 0 to 15 bytes.
        "20:",
        "cmp edx, 8",
        "jae 21f",
        "cmp edx, 4",
        "jae 22f",
        "test edx, edx",
        "jz 23f",
        "movzx ecx, byte ptr [rsi]",
        "cmp edx, 2",
        "jb 24f",
        "movzx r8d, word ptr [rsi + rdx - 2]",
        "mov [rdi + rdx - 2], r8w",
        "24:",
        "mov [rdi], cl",
        "23:",
        "ret",
        "22:",
        "mov ecx, [rsi]",
        "mov r8d, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        "21:",
        "mov rcx, [rsi]",
        "mov r8, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], r8",
        "ret",
        // 33 bytes and more.
        "30:",
        "cmp rdx, 64",
        "ja 40f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + rdx - 32], xmm2",
        "movups [rdi + rdx - 16], xmm3",
        "ret",
        "40:",
        "cmp rdx, 128",
        "ja 50f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm7, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "movups [rdi + rdx - 64], xmm4",
        "movups [rdi + rdx - 48], xmm5",
        "movups [rdi + rdx - 32], xmm6",
        "movups [rdi + rdx - 16], xmm7",
        "ret",
        // More than 128 bytes: the last 64 (or first 64) are loaded before the loop, so that it may
        // run over whole turns only.
        "50:",
        "mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        "jb 60f",
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm7, [rsi + rdx - 16]",
        "lea r8, [rdi + rdx - 64]",
        "movups xmm8, [rsi]",
        "lea r9, [rdi + 16]",
        "and r9, -16",
        "mov rcx, r9",
        "sub rcx, rdi",
        "add rsi, rcx",
        "mov r10, rdi",
        // Stores are aligned from here on.
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups [r10], xmm8",
        "jmp 52f",
        ".p2align 4",
        "51:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "52:",
        "add rsi, 64",
        "movaps [r9], xmm0",
        "movaps [r9 + 16], xmm1",
        "movaps [r9 + 32], xmm2",
        "movaps [r9 + 48], xmm3",
        "add r9, 64",
        "cmp r9, r8",
        "jb 51b",
        "movups [r8], xmm4",
        "movups [r8 + 16], xmm5",
        "movups [r8 + 32], xmm6",
        "movups [r8 + 48], xmm7",
        "ret",
        // Overlapping with the target above the source: backwards.
        "60:",
        "movups xmm4, [rsi]",
        "movups xmm5, [rsi + 16]",
        "movups xmm6, [rsi + 32]",
        "movups xmm7, [rsi + 48]",
        "61:",
        "movups xmm0, [rsi + rdx - 16]",
        "movups xmm1, [rsi + rdx - 32]",
        "movups xmm2, [rsi + rdx - 48]",
        "movups xmm3, [rsi + rdx - 64]",
        "movups [rdi + rdx - 16], xmm0",
        "movups [rdi + rdx - 32], xmm1",
        "movups [rdi + rdx - 48], xmm2",
        "movups [rdi + rdx - 64], xmm3",
        "sub rdx, 64",
        "cmp rdx, 64",
        "ja 61b",
        "movups [rdi], xmm4",
        "movups [rdi + 16], xmm5",
        "movups [rdi + 32], xmm6",
        "movups [rdi + 48], xmm7",
        "ret",
    )
}

/// memcpy(3): the same as [`memmove`], whose test for overlap costs three instructions.
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void {
    naked_asm!("jmp {}", sym memmove)
}

/// memset(3).
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, len: size_t) -> *mut c_void {
    naked_asm!(
        "mov rax, rdi",
        "movzx esi, sil",
        "mov rcx, 0x0101010101010101",
        "imul rcx, rsi",
        "cmp rdx, 16",
        "jb 20f",
        "movq xmm0, rcx",
        "punpcklqdq xmm0, xmm0",
        "cmp rdx, 64",
        "ja 40f",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm0",
        "cmp rdx, 32",
        "jbe 21f",
        "movups [rdi + 16], xmm0",
        "movups [rdi + rdx - 32], xmm0",
        "21:",
        "ret",
        "20:",
        "cmp edx, 8",
        "jae 22f",
        "cmp edx, 4",
        "jae 23f",
        "test edx, edx",
        "jz 21b",
        "mov [rdi], cl",
        "mov [rdi + rdx - 1], cl",
        "shr edx, 1",
        "mov [rdi + rdx], cl",
        "ret",
        "22:",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], rcx",
        "ret",
        "23:",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], ecx",
        "ret",
        "40:",
        "lea r8, [rdi + rdx - 64]",
        "movups [rdi], xmm0",
        "add rdi, 16",
        "and rdi, -16",
        "cmp rdi, r8",
        "jae 42f",
        ".p2align 4",
        "41:",
        "movaps [rdi], xmm0",
        "movaps [rdi + 16], xmm0",
        "movaps [rdi + 32], xmm0",
        "movaps [rdi + 48], xmm0",
        "add rdi, 64",
        "cmp rdi, r8",
        "jb 41b",
        "42:",
        "movups [r8], xmm0",
        "movups [r8 + 16], xmm0",
        "movups [r8 + 32], xmm0",
        "movups [r8 + 48], xmm0",
        "ret",
    )
}

c_api! {
    /// mempcpy(3).
    fn mempcpy(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void {
        memcpy(to, from, len).byte_add(len)
    }

    /// explicit_bzero(3).
    fn explicit_bzero(to: *mut c_void, len: size_t) {
        memset(to, 0, len);
        // The compiler cannot see that nobody reads the bytes any more.
        core::arch::asm!("/* {0} */", in(reg) to, options(nostack, preserves_flags));
    }

    /// bzero(3).
    fn bzero(to: *mut c_void, len: size_t) {
        memset(to, 0, len);
    }

    /// bcopy(3).
    fn bcopy(from: *const c_void, to: *mut c_void, len: size_t) {
        memmove(to, from, len);
    }
}
