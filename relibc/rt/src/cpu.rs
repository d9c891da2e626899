//! What the CPU says about itself, as user code needs it.

use core::arch::x86_64::{__cpuid, __cpuid_count};

/// CPUID leaf 1, edx: Linux's AT_HWCAP.
pub fn hwcap() -> u64 {
    __cpuid(1).edx.into()
}

/// Whether the kernel has switched XSAVE on (CPUID leaf 1, ecx bit 27: OSXSAVE).
pub fn has_xsave() -> bool {
    __cpuid(1).ecx & (1 << 27) != 0
}

/// Bytes of the FPU state that a signal frame holds: XSAVE's for the components that are on, or FXSAVE's 512.
pub fn fpu_state_size() -> usize {
    if has_xsave() { __cpuid_count(0xd, 0).ebx as usize } else { 512 }
}
