//! C-variadic functions: `va_list`, and entry points that make one. System V ABI, AMD64 supplement, 3.5.7.
//!
//! Stable Rust cannot define variadic functions. [`c_variadic!`] defines entry points in assembly that save the
//! argument registers, build a `va_list` on the stack and call the function that takes one.

/// C's `va_list` (an array of one of these, so a parameter of that type is a pointer to it).
#[repr(C)]
pub struct VaList {
    gp_offset: u32,
    fp_offset: u32,
    overflow_arg_area: *mut u8,
    reg_save_area: *mut u8,
}

/// Bytes of general registers in the save area.
const GP_END: u32 = 48;
/// Bytes of general and vector registers in the save area.
const FP_END: u32 = 176;

impl VaList {
    unsafe fn overflow(&mut self, alignment: usize, size: usize) -> *mut u8 {
        let misaligned = self.overflow_arg_area.addr() % alignment;
        if misaligned != 0 {
            self.overflow_arg_area = self.overflow_arg_area.add(alignment - misaligned);
        }
        let at = self.overflow_arg_area;
        self.overflow_arg_area = at.add(size);
        at
    }

    /// The next argument of an integer or pointer type.
    ///
    /// # Safety
    /// There is one, as for C's `va_arg`.
    pub unsafe fn word(&mut self) -> u64 {
        if self.gp_offset < GP_END {
            let at = self.reg_save_area.add(self.gp_offset as usize);
            self.gp_offset += 8;
            return at.cast::<u64>().read_unaligned();
        }
        self.overflow(8, 8).cast::<u64>().read_unaligned()
    }

    /// The next argument, a pointer.
    ///
    /// # Safety
    /// As [`Self::word`].
    pub unsafe fn pointer<T>(&mut self) -> *mut T {
        core::ptr::with_exposed_provenance_mut(self.word() as usize)
    }

    /// The next argument, a `double`.
    ///
    /// # Safety
    /// As [`Self::word`].
    pub unsafe fn double(&mut self) -> f64 {
        if self.fp_offset < FP_END {
            let at = self.reg_save_area.add(self.fp_offset as usize);
            self.fp_offset += 16;
            return at.cast::<f64>().read_unaligned();
        }
        self.overflow(8, 8).cast::<f64>().read_unaligned()
    }

    /// The next argument, a `long double`: its 64 bits of significand, then sign and exponent.
    ///
    /// # Safety
    /// As [`Self::word`].
    pub unsafe fn long_double(&mut self) -> (u64, u16) {
        let at = self.overflow(16, 16);
        (at.cast::<u64>().read_unaligned(), at.add(8).cast::<u16>().read_unaligned())
    }
}

/// Defines variadic C functions: `fn printf = vprintf, 1, "rsi";` has 1 named argument (at most 5, integers or
/// pointers) and calls `vprintf` with the named arguments and a `*mut VaList`, in the register given.
macro_rules! c_variadic {
    ($( $(#[$meta:meta])* fn $name:ident = $target:path, $named:literal, $register:literal; )*) => {
        $(
            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    "sub rsp, 216",
                    "mov [rsp + 32], rdi",
                    "mov [rsp + 40], rsi",
                    "mov [rsp + 48], rdx",
                    "mov [rsp + 56], rcx",
                    "mov [rsp + 64], r8",
                    "mov [rsp + 72], r9",
                    "test al, al",
                    "je 2f",
                    "movaps [rsp + 80], xmm0",
                    "movaps [rsp + 96], xmm1",
                    "movaps [rsp + 112], xmm2",
                    "movaps [rsp + 128], xmm3",
                    "movaps [rsp + 144], xmm4",
                    "movaps [rsp + 160], xmm5",
                    "movaps [rsp + 176], xmm6",
                    "movaps [rsp + 192], xmm7",
                    "2:",
                    "mov dword ptr [rsp], {named}",
                    "mov dword ptr [rsp + 4], 48",
                    "lea rax, [rsp + 224]",
                    "mov [rsp + 8], rax",
                    "lea rax, [rsp + 32]",
                    "mov [rsp + 16], rax",
                    concat!("mov ", $register, ", rsp"),
                    "call {target}",
                    "add rsp, 216",
                    "ret",
                    named = const 8 * $named,
                    target = sym $target,
                )
            }
        )*
    };
}
