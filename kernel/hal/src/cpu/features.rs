//! What the CPU can do, and switching it on.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};

use super::{IA32_EFER, IA32_PAT, rdmsr, wrmsr};
use crate::Once;
use crate::paging::pte;

/// CPU features that hal uses, as found on the bootstrap CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Features {
    pub has_pcid: bool,
    pub has_fsgsbase: bool,
    pub has_smep: bool,
    pub has_smap: bool,
    pub has_umip: bool,
    pub has_xsave: bool,
    pub has_xsaveopt: bool,
    /// The XCR0 bits that are enabled (SDM volume 1, section 13.3): x87, SSE, AVX, AVX-512.
    pub xcr0: u64,
    /// Bytes of a thread's FPU state, including XSAVE's header.
    pub xsave_size: usize,
}

static FEATURES: Once<Features> = Once::new();

/// x87, SSE, AVX, and AVX-512's three parts.
const XCR0_WANTED: u64 = 0b1110_0111;

/// The CPUs' features.
#[inline]
pub fn features() -> Features {
    *FEATURES.get().expect("cpu::init_bsp has run")
}

/// Asks CPUID (SDM volume 2, CPUID).
pub(super) fn detect() {
    let basic = __cpuid(1);
    let extended = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0) } else { __cpuid_count(0x8000_0000, 1) };
    let has7 = __cpuid(0).eax >= 7;
    let bit = |register: u32, bit: u32| register >> bit & 1 != 0;
    let has_xsave = bit(basic.ecx, 26) && __cpuid(0).eax >= 0xd;
    let (mut xcr0, mut xsave_size, mut has_xsaveopt) = (0, 512, false);
    if has_xsave {
        let leaf = __cpuid_count(0xd, 0);
        let supported = u64::from(leaf.edx) << 32 | u64::from(leaf.eax);
        xcr0 = supported & XCR0_WANTED;
        // AVX-512's parts make sense only together and with AVX.
        if xcr0 & XCR0_WANTED != XCR0_WANTED {
            xcr0 &= 0b111;
        }
        has_xsaveopt = bit(__cpuid_count(0xd, 1).eax, 0);
        // The standard format: the legacy area and the header, then each part where CPUID says.
        xsave_size = 576;
        for part in (2..8).filter(|part| xcr0 >> part & 1 != 0) {
            let place = __cpuid_count(0xd, part);
            xsave_size = xsave_size.max((place.eax + place.ebx) as usize);
        }
    }
    let found = Features {
        has_pcid: bit(basic.ecx, 17),
        has_fsgsbase: has7 && bit(extended.ebx, 0),
        has_smep: has7 && bit(extended.ebx, 7),
        has_smap: has7 && bit(extended.ebx, 20),
        has_umip: has7 && bit(extended.ecx, 2),
        has_xsave,
        has_xsaveopt,
        xcr0,
        xsave_size,
    };
    if FEATURES.set(found).is_err() {
        panic!("features are detected once");
    }
}

/// Sets this CPU's control registers (SDM volume 3, section 2.5).
pub(super) fn enable() {
    let features = features();
    const CR0_MP: u64 = 1 << 1;
    const CR0_EM: u64 = 1 << 2;
    const CR0_TS: u64 = 1 << 3;
    const CR0_NE: u64 = 1 << 5;
    const CR0_WP: u64 = 1 << 16;
    const CR0_AM: u64 = 1 << 18;
    const CR4_MCE: u64 = 1 << 6;
    const CR4_PGE: u64 = 1 << 7;
    const CR4_OSFXSR: u64 = 1 << 9;
    const CR4_OSXMMEXCPT: u64 = 1 << 10;
    const CR4_UMIP: u64 = 1 << 11;
    const CR4_FSGSBASE: u64 = 1 << 16;
    const CR4_OSXSAVE: u64 = 1 << 18;
    const CR4_SMEP: u64 = 1 << 20;
    const CR4_SMAP: u64 = 1 << 21;
    const EFER_SCE: u64 = 1;
    const EFER_NXE: u64 = 1 << 11;
    // SAFETY: each bit is one that the CPU has, and none takes away what running code relies on: the kernel does not touch
    // user pages but with AC set (`user`), executes no user code, and its own pages are W^X already.
    unsafe {
        let (mut cr0, mut cr4): (u64, u64);
        asm!("mov {}, cr0", "mov {}, cr4", out(reg) cr0, out(reg) cr4, options(nomem, nostack, preserves_flags));
        cr0 = cr0 & !(CR0_EM | CR0_TS) | CR0_MP | CR0_NE | CR0_WP | CR0_AM;
        cr4 |= CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
        for (has, bit) in [
            (features.has_umip, CR4_UMIP),
            (features.has_fsgsbase, CR4_FSGSBASE),
            (features.has_xsave, CR4_OSXSAVE),
            (features.has_smep, CR4_SMEP),
            (features.has_smap, CR4_SMAP),
        ] {
            if has {
                cr4 |= bit;
            }
        }
        asm!("mov cr0, {}", "mov cr4, {}", in(reg) cr0, in(reg) cr4, options(nostack, preserves_flags));
        if features.has_xsave {
            asm!("xsetbv", in("ecx") 0, in("eax") features.xcr0 as u32, in("edx") (features.xcr0 >> 32) as u32,
                options(nomem, nostack, preserves_flags));
        }
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE | EFER_NXE);
        wrmsr(IA32_PAT, pte::PAT);
    }
}
