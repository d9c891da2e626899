//! A function in a driver's hands.
//!
//! Without an IOMMU a device can reach all memory, so that a driver is trusted with that. What is kept from it is every other
//! device, and what remains of it when it dies: memory that its device may still write to is held here until the device is quiet.

use crate::ecam::{Ecam, Space, device_memory};
use crate::function::Function;
use ochre_pci::config::{COMMAND_MASTER, COMMAND_MEMORY, COMMAND_NO_LINE, Read, capability, register};
use ochre_pci::protocol::HELD_MAX;
use ochre_rt::call::Call;
use ochre_rt::mapping::Mapping;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::abi::layout::PAGE_SIZE;
use ochre_scheme::abi::memory::{OBJECT_BELOW_4G, OBJECT_CLOEXEC, OBJECT_CONTIGUOUS};
use ochre_scheme::{Errno, Result};
use std::collections::HashMap;
use zerocopy::IntoBytes;

/// Message control of MSI-X (PCIe 6.0, 7.7.2.2).
const MSIX_ENABLE: u16 = 1 << 15;
/// Bytes of a vector's entry: address (8), data (4), control (4; bit 0: masked).
const MSIX_ENTRY: u64 = 16;
/// Message control of MSI (7.7.1.2): enable, 64-bit addresses.
const MSI_ENABLE: u16 = 1;
const MSI_WIDE: u16 = 1 << 7;
/// How many vectors it may use: none but the first.
const MSI_COUNT: u16 = 7 << 4;

/// What a driver got.
#[derive(Default)]
pub struct Claim {
    /// Vectors with the interrupts behind them.
    interrupts: HashMap<u16, OwnedFd>,
    /// Memory that the device may reach: adjacent memory given, and objects under the driver's numbers.
    given: Vec<OwnedFd>,
    held: HashMap<u64, Vec<OwnedFd>>,
}

impl Claim {
    /// The driver's beginning: the function answers at its memory addresses, and does nothing by itself.
    pub fn begin(ecam: &Ecam, function: &Function) -> Result<Claim> {
        let space = ecam.function(function.address);
        let command = space.read16(register::COMMAND) & !COMMAND_MASTER;
        space.write16(register::COMMAND, command | COMMAND_MEMORY | COMMAND_NO_LINE)?;
        Ok(Claim::default())
    }

    /// The memory of a base address register.
    pub fn bar(&self, function: &Function, n: u64) -> Result<OwnedFd> {
        let bar = usize::try_from(n).ok().and_then(|n| function.bars.get(n).copied().flatten());
        let bar = bar.filter(|bar| !bar.ports && bar.address != 0).ok_or(Errno::ENXIO)?;
        device_memory(bar.address, bar.len)
    }

    /// Routes a vector; what the driver waits on.
    pub fn interrupt(&mut self, ecam: &Ecam, function: &Function, vector: u64) -> Result<OwnedFd> {
        let vector = u16::try_from(vector).map_err(|_| Errno::ENXIO)?;
        if self.interrupts.contains_key(&vector) {
            return Err(Errno::EBUSY);
        }
        let space = ecam.function(function.address);
        let fd = OwnedFd::new(syscall::openat(AT_FDCWD, b"/scheme/irq/msi", O_RDWR | O_CLOEXEC, 0)?);
        let mut message = [0u64; 2];
        Call::new(OP_PRIVATE, [0; 3]).output(message.as_mut_bytes()).send(fd.get())?;
        if let Some(at) = function.capability(capability::MSIX) {
            route_msix(&space, function, at, vector, message)?;
        } else if let Some(at) = function.capability(capability::MSI).filter(|_| vector == 0) {
            route_msi(&space, at, message)?;
        } else {
            return Err(Errno::ENXIO);
        }
        // A message is a write to memory: the device must be able to master the bus.
        master(&space)?;
        let driver = duplicate(&fd)?;
        self.interrupts.insert(vector, fd);
        Ok(driver)
    }

    /// Memory for DMA.
    pub fn dma(&mut self, ecam: &Ecam, function: &Function, len: u64, low: bool) -> Result<OwnedFd> {
        if len == 0 || !len.is_multiple_of(PAGE_SIZE as u64) {
            return Err(Errno::EINVAL);
        }
        let flags = OBJECT_CONTIGUOUS | OBJECT_CLOEXEC | if low { OBJECT_BELOW_4G } else { 0 };
        let fd = OwnedFd::new(syscall::object_create(len, flags)?);
        let driver = duplicate(&fd)?;
        self.given.push(fd);
        master(&ecam.function(function.address))?;
        Ok(driver)
    }

    /// Physical addresses of an object's pages; the object is held from now on, unless `number` is 0.
    pub fn addresses(&mut self, object: OwnedFd, offset: u64, number: u64, to: &mut [u64]) -> Result<usize> {
        if number != 0 && !self.held.contains_key(&number) && self.held.len() >= HELD_MAX {
            return Err(Errno::ENFILE);
        }
        let count = syscall::object_phys(object.get(), offset, to)?;
        if number != 0 {
            let held = self.held.entry(number).or_default();
            // A large object comes in pieces, but is held once; others are not to be smuggled in under one number.
            if held.len() < HELD_MAX {
                held.push(object);
            }
        }
        Ok(count)
    }

    /// The driver is done with an object.
    pub fn release(&mut self, number: u64) -> Result<()> {
        self.held.remove(&number).map(|_| ()).ok_or(Errno::EINVAL)
    }

    /// The driver is gone: the device must not touch memory or interrupt any more; then what it could touch goes too.
    pub fn end(self, ecam: &Ecam, function: &Function) {
        let space = ecam.function(function.address);
        let command = space.read16(register::COMMAND) & !COMMAND_MASTER;
        let quiet = space.write16(register::COMMAND, command);
        for (number, bit) in [(capability::MSIX, MSIX_ENABLE), (capability::MSI, MSI_ENABLE)] {
            if let Some(at) = function.capability(number) {
                let _ = space.write16(at + 2, space.read16(at + 2) & !bit);
            }
        }
        // The read follows all that the device had written (PCIe 6.0, 2.4.1); it also shows whether the device obeyed.
        if quiet.is_err() || space.read16(register::COMMAND) & COMMAND_MASTER != 0 {
            eprintln!("pcid: {}: cannot be stopped; its memory is kept", function.address);
            std::mem::forget((self.given, self.held));
        }
    }
}

fn duplicate(fd: &OwnedFd) -> Result<OwnedFd> {
    syscall::dup(fd.get(), 0, O_CLOEXEC).map(OwnedFd::new)
}

fn master(space: &Space<'_>) -> Result<()> {
    space.write16(register::COMMAND, space.read16(register::COMMAND) | COMMAND_MASTER)
}

fn route_msix(space: &Space<'_>, function: &Function, at: u16, vector: u16, message: [u64; 2]) -> Result<()> {
    let control = space.read16(at + 2);
    if vector > control & 0x7ff {
        return Err(Errno::ENXIO);
    }
    let table = space.read32(at + 4);
    let bar =
        function.bars.get((table & 7) as usize).copied().flatten().filter(|bar| !bar.ports).ok_or(Errno::ENXIO)?;
    let offset = u64::from(table & !7) + u64::from(vector) * MSIX_ENTRY;
    if offset + MSIX_ENTRY > bar.len {
        return Err(Errno::ENXIO);
    }
    let start = bar.address + offset;
    let page = start & !(PAGE_SIZE as u64 - 1);
    let entry = Mapping::new(device_memory(page, PAGE_SIZE as u64)?.get(), 0, PAGE_SIZE)?;
    let inside = (start - page) as usize;
    let [address, data] = message;
    entry.write32(inside + 12, 1)?;
    entry.write32(inside, address as u32)?;
    entry.write32(inside + 4, (address >> 32) as u32)?;
    entry.write32(inside + 8, data as u32)?;
    entry.write32(inside + 12, 0)?;
    // Enabled, and without the mask of the whole function (bit 14).
    space.write16(at + 2, control & !(1 << 14) | MSIX_ENABLE)
}

fn route_msi(space: &Space<'_>, at: u16, [address, data]: [u64; 2]) -> Result<()> {
    let control = space.read16(at + 2);
    space.write32(at + 4, address as u32)?;
    if control & MSI_WIDE != 0 {
        space.write32(at + 8, (address >> 32) as u32)?;
        space.write16(at + 12, data as u16)?;
    } else {
        space.write16(at + 8, data as u16)?;
    }
    space.write16(at + 2, control & !MSI_COUNT | MSI_ENABLE)
}
