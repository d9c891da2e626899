//! Port I/O: the instructions, and claims on port ranges for the kernel and, through it, for drivers.

use alloc::vec::Vec;

use crate::SpinLock;

/// The I/O instructions.
pub(crate) mod port {
    use core::arch::asm;

    macro_rules! access {
        ($in:ident, $out:ident, $type:ty, $reg:tt, $name:literal) => {
            #[doc = concat!("Reads ", $name, " from a port.")]
            ///
            /// # Safety
            /// The caller owns the device behind the port and knows what reading does to it.
            #[inline]
            pub unsafe fn $in(port: u16) -> $type {
                let value: $type;
                // SAFETY: the instruction touches nothing but its registers; the device is the caller's affair.
                unsafe { asm!(concat!("in ", $reg, ", dx"), in("dx") port, out($reg) value, options(nostack, preserves_flags)) };
                value
            }

            #[doc = concat!("Writes ", $name, " to a port.")]
            ///
            /// # Safety
            /// The caller owns the device behind the port and knows what the write makes it do.
            #[inline]
            pub unsafe fn $out(port: u16, value: $type) {
                // SAFETY: as for reading.
                unsafe { asm!(concat!("out dx, ", $reg), in("dx") port, in($reg) value, options(nostack, preserves_flags)) };
            }
        };
    }

    access!(in8, out8, u8, "al", "a byte");
    access!(in16, out16, u16, "ax", "a 16-bit word");
    access!(in32, out32, u32, "eax", "a 32-bit word");
}

/// Ports that hal drives itself and hands to nobody: (first, length).
const OWN: &[(u16, u16)] = &[
    (0x00, 0x20), // DMA controller 1: could write anywhere in memory
    (0x20, 2),    // PIC 1
    (0x40, 4),    // PIT
    (0x61, 1),    // PIT gate
    (0x70, 2),    // CMOS
    (0x80, 0x10), // DMA page registers
    (0xa0, 2),    // PIC 2
    (0xc0, 0x20), // DMA controller 2
    (0x2f8, 8),   // COM2
    (0x3f8, 8),   // COM1
];

static CLAIMED: SpinLock<Vec<(u16, u16)>> = SpinLock::new(Vec::new());

fn overlap(a: (u16, u16), b: (u16, u16)) -> bool {
    let (a0, a1) = (u32::from(a.0), u32::from(a.0) + u32::from(a.1));
    let (b0, b1) = (u32::from(b.0), u32::from(b.0) + u32::from(b.1));
    a0 < b1 && b0 < a1
}

/// The right to use a range of I/O ports. Exclusive; dropping it gives it up.
pub struct Ports {
    base: u16,
    len: u16,
}

impl Ports {
    /// Claims `len` ports from `base`. `None` if the range is empty, runs past port 0xffff, is claimed, or is one that
    /// hal drives itself: PIC, PIT, CMOS, DMA controllers, serial ports, the chipset's power-management block.
    pub fn claim(base: u16, len: u16) -> Option<Ports> {
        if len == 0 || u32::from(base) + u32::from(len) > 0x1_0000 {
            return None;
        }
        let range = (base, len);
        let pm = crate::acpi::pm_ports();
        if OWN.iter().chain(pm.iter()).any(|&own| overlap(own, range)) {
            return None;
        }
        let mut claimed = CLAIMED.lock();
        if claimed.iter().any(|&other| overlap(other, range)) {
            return None;
        }
        claimed.push(range);
        Some(Ports { base, len })
    }

    /// First port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// Number of ports; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u16 {
        self.len
    }

    fn port(&self, offset: u16, size: u16) -> Option<u16> {
        (offset <= self.len.checked_sub(size)?).then(|| self.base + offset)
    }

    /// Reads a byte at `offset`; `None` out of the range.
    pub fn in8(&self, offset: u16) -> Option<u8> {
        // SAFETY: a claimed port, none of hal's own. A device that masters the bus could be made to write to memory; without an IOMMU
        // that is what trusting a driver with a device means, and to whom ports are handed is the kernel's policy.
        Some(unsafe { port::in8(self.port(offset, 1)?) })
    }

    /// Reads 16 bits at `offset`; `None` out of the range.
    pub fn in16(&self, offset: u16) -> Option<u16> {
        // SAFETY: as for `in8`.
        Some(unsafe { port::in16(self.port(offset, 2)?) })
    }

    /// Reads 32 bits at `offset`; `None` out of the range.
    pub fn in32(&self, offset: u16) -> Option<u32> {
        // SAFETY: as for `in8`.
        Some(unsafe { port::in32(self.port(offset, 4)?) })
    }

    /// Writes a byte at `offset`; `None` out of the range.
    pub fn out8(&self, offset: u16, value: u8) -> Option<()> {
        // SAFETY: as for `in8`.
        unsafe { port::out8(self.port(offset, 1)?, value) };
        Some(())
    }

    /// Writes 16 bits at `offset`; `None` out of the range.
    pub fn out16(&self, offset: u16, value: u16) -> Option<()> {
        // SAFETY: as for `in8`.
        unsafe { port::out16(self.port(offset, 2)?, value) };
        Some(())
    }

    /// Writes 32 bits at `offset`; `None` out of the range.
    pub fn out32(&self, offset: u16, value: u32) -> Option<()> {
        // SAFETY: as for `in8`.
        unsafe { port::out32(self.port(offset, 4)?, value) };
        Some(())
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        CLAIMED.lock().retain(|&range| range != (self.base, self.len));
    }
}
