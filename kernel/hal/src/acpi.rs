//! The few ACPI tables that the kernel itself needs: MADT (CPUs, interrupt controllers) and FADT (PM timer, power,
//! reset). All tables are listed, for the user-space ACPI server.
//!
//! Every read is bounds-checked against the memory map and the table's own length; a damaged table is ignored.
//! Source: ACPI Specification 6.5, chapters 4 and 5.

use alloc::vec::Vec;

use crate::boot::phys;
use crate::io::port;
use crate::{BootInfo, Once, PhysRange};

/// One ACPI table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its signature, such as `*b"APIC"`.
    pub signature: [u8; 4],
    /// Where it lies.
    pub range: PhysRange,
}

impl Table {
    /// A copy of the whole table, header included; shorter if part of it lies outside the memory map.
    pub fn bytes(&self) -> Vec<u8> {
        (self.range.start..self.range.start + self.range.len).map_while(phys::read::<u8>).collect()
    }
}

/// A CPU that the firmware reports as usable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub apic_id: u32,
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IoApic {
    pub phys: u64,
    pub first_gsi: u32,
}

/// An ISA interrupt that is not wired one to one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsaOverride {
    pub isa: u8,
    pub gsi: u32,
    pub flags: u16,
}

#[derive(Default)]
struct Found {
    tables: Vec<Table>,
    cpus: Vec<Cpu>,
    io_apics: Vec<IoApic>,
    overrides: Vec<IsaOverride>,
    local_apic: Option<u64>,
    pm: Power,
}

#[derive(Clone, Copy, Default)]
struct Power {
    timer: u16,
    timer_is_32_bits: bool,
    control: [u16; 2],
    /// SLP_TYP values for S5.
    s5: Option<[u8; 2]>,
    reset: Option<(u8, u64, u8)>,
    century: u8,
}

static FOUND: Once<Found> = Once::new();

const HEADER: u64 = 36;
/// More entries than any firmware's root table has.
const MAX_TABLES: u64 = 256;
/// More bytes than any table has.
const LARGEST: u64 = 16 << 20;

/// Reads the tables.
///
/// # Panics
/// If called twice.
pub(crate) fn init(info: &BootInfo) {
    let mut found = Found::default();
    if let Some(rsdp) = info.rsdp.or_else(scan_for_rsdp) {
        found.tables = list(rsdp).unwrap_or_default();
    }
    for table in found.tables.clone() {
        match &table.signature {
            b"APIC" => madt(&mut found, table.range),
            b"FACP" => found.pm = fadt(table.range).unwrap_or_default(),
            _ => {}
        }
    }
    if found.tables.is_empty() {
        crate::log!(crate::Level::Warn, "acpi: no tables");
    }
    assert!(FOUND.set(found).is_ok(), "acpi::init called twice");
}

fn found() -> Option<&'static Found> {
    FOUND.get()
}

/// All tables that the root table lists, and the DSDT.
pub fn tables() -> &'static [Table] {
    found().map_or(&[], |found| &found.tables)
}

pub(crate) fn cpus() -> &'static [Cpu] {
    found().map_or(&[], |found| &found.cpus)
}

pub(crate) fn io_apics() -> &'static [IoApic] {
    found().map_or(&[], |found| &found.io_apics)
}

pub(crate) fn isa_override(isa: u8) -> Option<IsaOverride> {
    found()?.overrides.iter().copied().find(|entry| entry.isa == isa)
}

/// Physical address of the local APICs' registers, if the MADT tells it.
pub(crate) fn local_apic() -> Option<u64> {
    found()?.local_apic
}

/// The power-management timer's port, and whether it counts 32 bits (else 24).
pub(crate) fn pm_timer() -> Option<(u16, bool)> {
    found().filter(|found| found.pm.timer != 0).map(|found| (found.pm.timer, found.pm.timer_is_32_bits))
}

/// The CMOS register that holds the century, if there is one.
pub(crate) fn century_register() -> Option<u8> {
    found().map(|found| found.pm.century).filter(|&register| register != 0)
}

/// Ports that switch the machine off or that the clock is read from: not for others to use. Unused entries are empty.
pub(crate) fn pm_ports() -> [(u16, u16); 3] {
    let pm = found().map(|found| found.pm).unwrap_or_default();
    let len = |port: u16, len| if port == 0 { 0 } else { len };
    [(pm.timer, len(pm.timer, 4)), (pm.control[0], len(pm.control[0], 2)), (pm.control[1], len(pm.control[1], 2))]
}

fn scan_for_rsdp() -> Option<u64> {
    let ebda = u64::from(phys::read::<u16>(0x40e)?) << 4;
    let areas = [(ebda, 1024), (0xe_0000, 0x2_0000)];
    areas.into_iter().filter(|area| area.0 != 0).find_map(|(start, len)| {
        (start..start + len).step_by(16).find(|&at| phys::read(at) == Some(*b"RSD PTR ") && checksum(at, 20))
    })
}

/// Whether the bytes add up to 0.
fn checksum(start: u64, len: u64) -> bool {
    phys::is_mapped(start, len)
        && (start..start + len).fold(0u8, |sum, at| sum.wrapping_add(phys::read(at).unwrap_or(1))) == 0
}

fn list(rsdp: u64) -> Option<Vec<Table>> {
    if phys::read(rsdp) != Some(*b"RSD PTR ") || !checksum(rsdp, 20) {
        return None;
    }
    let revision: u8 = phys::read(rsdp + 15)?;
    let xsdt = if revision >= 2 { phys::read::<u64>(rsdp + 24)? } else { 0 };
    let (root, width) = if xsdt != 0 { (xsdt, 8) } else { (phys::read::<u32>(rsdp + 16)?.into(), 4) };
    let root = table(root)?;
    let mut tables = Vec::new();
    for i in 0..((root.range.len - HEADER) / width).min(MAX_TABLES) {
        let at = root.range.start + HEADER + i * width;
        let address = if width == 8 { phys::read::<u64>(at)? } else { phys::read::<u32>(at)?.into() };
        tables.extend(table(address));
    }
    let dsdt = tables.iter().find(|table| table.signature == *b"FACP").and_then(|fadt| dsdt(fadt.range));
    tables.extend(dsdt);
    Some(tables)
}

/// The table at `address`, if its length and checksum are right.
fn table(address: u64) -> Option<Table> {
    let len = u64::from(phys::read::<u32>(address.checked_add(4)?)?);
    if !(HEADER..=LARGEST).contains(&len) || !checksum(address, len) {
        return None;
    }
    Some(Table { signature: phys::read(address)?, range: PhysRange { start: address, len } })
}

/// The `T` at `offset` of a table, if it has one there.
fn field<T: zerocopy::FromBytes>(table: PhysRange, offset: u64) -> Option<T> {
    (offset + size_of::<T>() as u64 <= table.len).then(|| phys::read(table.start + offset)).flatten()
}

fn dsdt(fadt: PhysRange) -> Option<Table> {
    let wide = field::<u64>(fadt, 140).filter(|&address| address != 0);
    table(match wide {
        Some(address) => address,
        None => field::<u32>(fadt, 40)?.into(),
    })
}

fn madt(found: &mut Found, madt: PhysRange) {
    found.local_apic = field::<u32>(madt, 36).map(u64::from);
    let mut at = HEADER + 8;
    while let (Some(kind), Some(len)) = (field::<u8>(madt, at), field::<u8>(madt, at + 1)) {
        let len = u64::from(len);
        if len < 2 || at + len > madt.len {
            return;
        }
        let entry = PhysRange { start: madt.start + at, len };
        let _ = madt_entry(found, kind, entry);
        at += len;
    }
}

fn madt_entry(found: &mut Found, kind: u8, entry: PhysRange) -> Option<()> {
    let mut cpu = |apic_id: u32, flags: u32| {
        let known = found.cpus.iter().any(|cpu| cpu.apic_id == apic_id);
        if flags & 1 != 0 && !known {
            found.cpus.push(Cpu { apic_id });
        }
    };
    match kind {
        0 => cpu(field::<u8>(entry, 3)?.into(), field(entry, 4)?),
        1 => found.io_apics.push(IoApic { phys: field::<u32>(entry, 4)?.into(), first_gsi: field(entry, 8)? }),
        2 => {
            found.overrides.push(IsaOverride { isa: field(entry, 3)?, gsi: field(entry, 4)?, flags: field(entry, 8)? })
        }
        5 => found.local_apic = Some(field(entry, 4)?),
        9 => cpu(field(entry, 4)?, field(entry, 8)?),
        _ => {}
    }
    Some(())
}

fn fadt(fadt: PhysRange) -> Option<Power> {
    let flags: u32 = field(fadt, 112)?;
    let io = |narrow: u64, wide: u64| {
        let address = field::<u32>(fadt, narrow).filter(|&port| port != 0).map(u64::from).or_else(|| {
            // A Generic Address Structure; space 1 is I/O ports.
            (field::<u8>(fadt, wide) == Some(1)).then(|| field(fadt, wide + 4)).flatten()
        });
        address.and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
    };
    let reset =
        (flags & 1 << 10 != 0).then(|| Some((field(fadt, 116)?, field(fadt, 120)?, field(fadt, 128)?))).flatten();
    Some(Power {
        timer: io(76, 208),
        timer_is_32_bits: flags & 1 << 8 != 0,
        control: [io(64, 172), io(68, 184)],
        s5: dsdt(fadt).and_then(|dsdt| find_s5(dsdt.range)),
        reset,
        century: field(fadt, 108)?,
    })
}

/// The sleep types for S5. They stand in the DSDT as `Name (_S5, Package () { a, b, … })`; the kernel has no AML
/// interpreter, so this looks for just that encoding (ACPI section 20.2): NameOp, "_S5_", PackageOp, length, count, values.
fn find_s5(dsdt: PhysRange) -> Option<[u8; 2]> {
    let mut at = (HEADER + 1..dsdt.len.saturating_sub(4)).find(|&at| {
        let before: Option<u8> = field(dsdt, at - 1);
        field(dsdt, at) == Some(*b"_S5_") && matches!(before, Some(0x08 | b'\\'))
    })? + 4;
    if field::<u8>(dsdt, at)? != 0x12 {
        return None;
    }
    at += 2 + u64::from(field::<u8>(dsdt, at + 1)? >> 6) + 1;
    let mut value = || {
        let byte: u8 = field(dsdt, at)?;
        at += 1;
        match byte {
            0x0a => {
                let value = field(dsdt, at);
                at += 1;
                value
            }
            0 | 1 => Some(byte),
            _ => None,
        }
    };
    Some([value()?, value()?])
}

/// Enters S5 (soft off). Returns where that is not possible.
pub(crate) fn enter_s5() {
    let Some(pm) = found().map(|found| found.pm) else { return };
    let Some(types) = pm.s5 else { return };
    for (port, kind) in pm.control.into_iter().zip(types).filter(|(port, _)| *port != 0) {
        // SAFETY: PM1 control: SLP_TYP and SLP_EN; the machine goes off, other bits are kept.
        unsafe {
            let keep = port::in16(port) & 0x203;
            port::out16(port, keep | u16::from(kind & 7) << 10 | 1 << 13);
        }
    }
}

/// Writes the reset register, if there is one in I/O space.
pub(crate) fn reset() {
    if let Some((1, address, value)) = found().and_then(|found| found.pm.reset)
        && let Ok(port) = u16::try_from(address)
    {
        // SAFETY: the register that firmware names for resetting the machine.
        unsafe { port::out8(port, value) };
    }
}
