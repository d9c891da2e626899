//! Device memory: which physical ranges may be handed to drivers.

use core::arch::x86_64::__cpuid;

use crate::layout::PAGE;
use crate::{SpinLock, mem};

/// Ranges that hal drives itself, as (start, end).
static OWN: SpinLock<[(u64, u64); 16]> = SpinLock::new([(0, 0); 16]);

/// Keeps a range of device memory for hal: no driver gets it from now on.
///
/// # Panics
/// If there are too many such ranges (a local APIC, and I/O APICs).
pub(crate) fn keep(phys: u64, len: u64) {
    let mut own = OWN.lock();
    let slot = own.iter_mut().find(|slot| slot.1 == 0).expect("a slot for hal's own device");
    *slot = (phys, phys + len);
}

/// The range may be mapped in a program: it is not RAM, not hal's own, not ACPI's tables if it is to be written, and within
/// the CPU's physical addresses.
pub(crate) fn may_map(phys: u64, len: u64, write: bool) -> bool {
    let bits = __cpuid(0x8000_0008).eax & 0xff;
    let Some(end) = phys.checked_add(len) else { return false };
    let own = || OWN.lock().iter().any(|&(start, own_end)| phys < own_end && start < end);
    let trusted = mem::is_managed_ram(phys, len) || (write && mem::is_firmware_data(phys, len));
    end <= 1 << bits && !trusted && !own()
}

/// A range of device memory that a driver may have.
///
/// That a device can write to any memory by DMA is beyond hal: who gives a driver its device's registers trusts the driver
/// with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRange {
    phys: u64,
    len: u64,
}

impl DeviceRange {
    /// `phys` and `len` in bytes, rounded to whole pages outwards. None if it is empty or overlaps RAM, ACPI tables, or devices
    /// that hal drives itself.
    pub fn claim(phys: u64, len: u64) -> Option<DeviceRange> {
        let page = PAGE as u64;
        let start = phys / page * page;
        let end = phys.checked_add(len)?.checked_next_multiple_of(page)?;
        (len > 0 && may_map(start, end - start, true)).then_some(DeviceRange { phys: start, len: end - start })
    }

    /// The first byte's physical address.
    pub fn phys(&self) -> u64 {
        self.phys
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Never: an empty range cannot be claimed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
