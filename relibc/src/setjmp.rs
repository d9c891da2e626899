//! `setjmp.h`.
//!
//! A `jmp_buf` holds rbx, rbp, r12 to r15, rsp and rip (the last two XORed with the pointer guard at `%fs:0x30`), then
//! at +64 whether the signal mask was saved, and at +72 the mask: glibc's layout, 200 bytes.

use crate::signal;
use core::arch::naked_asm;
use core::ffi::c_int;
use core::ptr;

/// `struct __jmp_buf_tag`.
#[repr(C)]
pub struct JmpBuf {
    registers: [u64; 8],
    mask_was_saved: c_int,
    mask: libc::sigset_t,
}

const _: () = assert!(size_of::<JmpBuf>() == 200 && core::mem::offset_of!(JmpBuf, mask_was_saved) == 64);

/// Ends every setjmp: saves the signal mask if that is wanted, and returns 0.
unsafe extern "C" fn save_mask(env: *mut JmpBuf, save: c_int) -> c_int {
    (*env).mask_was_saved =
        (save != 0 && signal::mask(libc::SIG_BLOCK, ptr::null(), &raw mut (*env).mask) == 0) as c_int;
    0
}

/// The stack pointer that a jump to `env` brings back.
///
/// # Safety
/// `env` was filled by a setjmp of this thread.
pub unsafe fn stack_pointer(env: *const JmpBuf) -> usize {
    (*env).registers[6] as usize ^ (*crate::thread::current()).pointer_guard
}

/// Takes the registers back and returns from the setjmp, with 1 for 0.
///
/// # Safety
/// As longjmp(3).
#[unsafe(naked)]
pub unsafe extern "C" fn jump(env: *const JmpBuf, value: c_int) -> ! {
    naked_asm!(
        "mov eax, esi",
        "cmp eax, 1",
        "adc eax, 0",
        "mov rbx, [rdi]",
        "mov rbp, [rdi + 8]",
        "mov r12, [rdi + 16]",
        "mov r13, [rdi + 24]",
        "mov r14, [rdi + 32]",
        "mov r15, [rdi + 40]",
        "mov rcx, [rdi + 48]",
        "mov rdx, [rdi + 56]",
        "xor rcx, fs:[0x30]",
        "xor rdx, fs:[0x30]",
        "mov rsp, rcx",
        "jmp rdx",
    )
}

c_api! {
    /// sigsetjmp(3), which is a macro for this.
    #[unsafe(naked)]
    fn __sigsetjmp(env: *mut JmpBuf, save: c_int) -> c_int {
        naked_asm!(
            "mov [rdi], rbx",
            "mov [rdi + 8], rbp",
            "mov [rdi + 16], r12",
            "mov [rdi + 24], r13",
            "mov [rdi + 32], r14",
            "mov [rdi + 40], r15",
            "lea rcx, [rsp + 8]",
            "mov rdx, [rsp]",
            "xor rcx, fs:[0x30]",
            "xor rdx, fs:[0x30]",
            "mov [rdi + 48], rcx",
            "mov [rdi + 56], rdx",
            "jmp {save_mask}",
            save_mask = sym save_mask,
        )
    }

    /// _setjmp(3): without the signal mask. The macro `setjmp` is this.
    #[unsafe(naked)]
    fn _setjmp(env: *mut JmpBuf) -> c_int {
        naked_asm!("xor esi, esi", "jmp {set}", set = sym __sigsetjmp)
    }

    /// longjmp(3), siglongjmp(3).
    fn longjmp(env: *mut JmpBuf, value: c_int) -> ! {
        if (*env).mask_was_saved != 0 {
            signal::mask(libc::SIG_SETMASK, &raw const (*env).mask, ptr::null_mut());
        }
        jump(env, value)
    }
}

c_alias! {
    fn _longjmp = longjmp[env: *mut JmpBuf, value: c_int] -> !;
    fn siglongjmp = longjmp[env: *mut JmpBuf, value: c_int] -> !;
    fn __longjmp_chk = longjmp[env: *mut JmpBuf, value: c_int] -> !;
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::arch::asm;

    /// Calls `_setjmp`, then `then` the first time; returns what the second return gave, and whether rbx survived.
    #[inline(never)]
    fn jumps_with(value: c_int) -> u32 {
        let mut env = core::mem::MaybeUninit::<JmpBuf>::zeroed();
        let result: u32;
        // SAFETY: a call that returns twice inside one block of assembly: rustc sees one entry and one exit. rdi is
        // kept on the stack, below which the calls work.
        unsafe {
            asm!(
                "push rdi",
                "push rsi",
                "call {set}",
                "pop rsi",
                "pop rdi",
                "test eax, eax",
                "jne 2f",
                "sub rsp, 16",
                "call {jump}",
                "2:",
                set = sym _setjmp,
                jump = sym longjmp,
                inout("rdi") env.as_mut_ptr() => _,
                inout("rsi") u64::from(value as u32) => _,
                lateout("eax") result,
                clobber_abi("C"),
            );
        }
        result
    }

    #[test]
    fn returns_the_value_and_never_zero() {
        assert_eq!(jumps_with(7), 7);
        assert_eq!(jumps_with(0), 1);
        assert_eq!(jumps_with(-1), u32::MAX);
    }
}
