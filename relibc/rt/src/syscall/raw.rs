//! The `syscall` instruction.

use core::arch::asm;

macro_rules! define {
    ($($name:ident($($arg:ident in $register:tt),*);)*) => {$(
        /// Makes a system call and returns `rax` as it is (−1 to −4095: an error; see [`ochre_abi::errno::decode`]).
        ///
        /// # Safety
        /// What the call reads, writes, maps or unmaps must be the caller's to hand out, as if it did that itself.
        #[inline(always)]
        pub unsafe fn $name(number: u64, $($arg: u64),*) -> u64 {
            let result;
            // SAFETY: the kernel changes rax, rcx and r11 only; memory effects are the caller's contract.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") number => result,
                    $(in($register) $arg,)*
                    lateout("rcx") _,
                    lateout("r11") _,
                    options(nostack),
                );
            }
            result
        }
    )*};
}

define! {
    syscall0();
    syscall1(a in "rdi");
    syscall2(a in "rdi", b in "rsi");
    syscall3(a in "rdi", b in "rsi", c in "rdx");
    syscall4(a in "rdi", b in "rsi", c in "rdx", d in "r10");
    syscall5(a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8");
    syscall6(a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8", f in "r9");
}
