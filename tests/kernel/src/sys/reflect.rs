//! System calls with Linux's numbers, and a handler for them.

use core::arch::naked_asm;
use ochre_rt::{Result, syscall};

/// Linux's number of getpid on x86-64.
pub const LINUX_GETPID: u64 = 39;

/// Has the kernel reflect foreign numbers to a handler that answers [`LINUX_GETPID`] with the sum of all six arguments and
/// everything else with −1 (EPERM).
pub fn answer_linux() -> Result<()> {
    // SAFETY: the handler keeps to the convention: it changes rax, rcx, r11 and returns to rcx.
    unsafe { syscall::reflect_set(handler as *const () as usize) }
}

/// Sets a handler's address that the kernel must refuse, or 0: no handler.
pub fn set_address(address: usize) -> Result<()> {
    // SAFETY: 0 sets none; another address is not the process's to run, so that a call would end in a signal.
    unsafe { syscall::reflect_set(address) }
}

/// A raw system call with Linux's number.
pub fn linux(number: u64, args: [u64; 6]) -> Result<usize> {
    // SAFETY: the tests' numbers are either unknown or answered by the handler, which touches no memory.
    unsafe { syscall::any(number, args) }
}

/// Entered by the kernel in place of the instruction after `syscall`: rcx is its address, r11 the flags, all else as it was.
/// The stack is the caller's, red zone included, and stays untouched. `lea`, `mov` and `jmp` change no flags.
#[unsafe(naked)]
extern "C" fn handler() {
    naked_asm!(
        "cmp rax, {getpid}",
        "mov rax, -1",
        "jne 2f",
        "lea rax, [rdi + rsi]",
        "lea rax, [rax + rdx]",
        "lea rax, [rax + r10]",
        "lea rax, [rax + r8]",
        "lea rax, [rax + r9]",
        "2: jmp rcx",
        getpid = const LINUX_GETPID,
    )
}
