//! Functions: what is on the buses.

use crate::ecam::{Address, Ecam, Space};
use ochre_pci::config::{
    Bar, COMMAND_IO, COMMAND_MASTER, COMMAND_MEMORY, COMMAND_NO_LINE, Read, capabilities, capability, register,
};
use std::collections::BTreeSet;

/// A function, as it was found.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where.
    pub address: Address,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Class, subclass and programming interface, 8 bits each.
    pub class: u32,
    /// Revision.
    pub revision: u8,
    /// Subsystem's vendor and device.
    pub subsystem: (u16, u16),
    /// A bridge to another bus.
    pub bridge: bool,
    /// By number of the register.
    pub bars: [Option<Bar>; 6],
    /// Numbers and offsets.
    pub capabilities: Vec<(u8, u16)>,
}

impl Function {
    /// The offset of a capability, if the function has it.
    pub fn capability(&self, number: u8) -> Option<u16> {
        self.capabilities.iter().find(|(own, _)| *own == number).map(|(_, at)| *at)
    }

    /// Bytes of its configuration space.
    pub fn config_len(&self) -> usize {
        if self.capability(capability::EXPRESS).is_some() { 4096 } else { 256 }
    }
}

/// All functions, by their address. Buses are walked from 0 on, and behind every bridge that the firmware set up.
pub fn find(ecam: &Ecam) -> Vec<Function> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut buses = vec![0u8];
    while let Some(bus) = buses.pop() {
        // A bridge that leads back is set up wrongly.
        if !seen.insert(bus) {
            continue;
        }
        for device in 0..32 {
            let first = ecam.function(Address { bus, device, function: 0 });
            if first.read16(register::VENDOR) == 0xffff {
                continue;
            }
            let several = first.read8(register::HEADER) & 0x80 != 0;
            for function in 0..if several { 8 } else { 1 } {
                let space = ecam.function(Address { bus, device, function });
                let Some(one) = examine(&space) else { continue };
                if one.bridge {
                    buses.push(space.read8(register::SECONDARY_BUS));
                }
                found.push(one);
            }
        }
    }
    found.sort_by_key(|function| function.address);
    found
}

/// What is there; and no DMA any more from what the firmware left running, nor interrupts by line.
fn examine(space: &Space<'_>) -> Option<Function> {
    let vendor = space.read16(register::VENDOR);
    if vendor == 0xffff {
        return None;
    }
    let header = space.read8(register::HEADER) & 0x7f;
    let class = space.read32(register::REVISION);
    let bridge = header == 1;
    let subsystem = match header {
        0 => (space.read16(register::SUBSYSTEM), space.read16(register::SUBSYSTEM + 2)),
        _ => (0, 0),
    };
    Some(Function {
        address: space.address(),
        vendor,
        device: space.read16(register::DEVICE),
        class: class >> 8,
        revision: class as u8,
        subsystem,
        bridge,
        bars: if header == 0 { bars(space) } else { [None; 6] },
        capabilities: capabilities(space),
    })
}

/// Sizes the base address registers. Meanwhile the function does not answer at its addresses, or what it answers to would move.
/// Display adapters and bridges keep theirs: the framebuffer may be in use, and the memory behind a bridge.
fn bars(space: &Space<'_>) -> [Option<Bar>; 6] {
    let mut bars = [None; 6];
    let command = space.read16(register::COMMAND);
    let busy = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;
    let class = space.read8(register::REVISION + 3);
    let quiet = match class {
        0x03 | 0x06 => command | COMMAND_NO_LINE,
        _ => command & !busy | COMMAND_NO_LINE,
    };
    if space.write16(register::COMMAND, quiet & !(COMMAND_IO | COMMAND_MEMORY)).is_err() {
        return bars;
    }
    let mut n = 0u16;
    while n < 6 {
        let at = register::BAR0 + 4 * n;
        let (value, ones) = probe(space, at);
        let wide = value & 7 == 4 && n < 5;
        let (high, ones_high) = if wide { probe(space, at + 4) } else { (0, 0) };
        bars[usize::from(n)] = Bar::decode(value, high, ones, ones_high);
        n += if wide { 2 } else { 1 };
    }
    // It worked above, so it works here.
    let _ = space.write16(register::COMMAND, quiet);
    bars
}

fn probe(space: &Space<'_>, at: u16) -> (u32, u32) {
    let value = space.read32(at);
    let _ = space.write32(at, u32::MAX);
    let ones = space.read32(at);
    let _ = space.write32(at, value);
    (value, ones)
}
