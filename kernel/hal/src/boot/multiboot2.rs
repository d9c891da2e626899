//! Multiboot2's boot information. Source: Multiboot2 Specification version 2.0, section 3.6.

use zerocopy::FromBytes;

use super::info::{Framebuffer, Gathered, MemoryKind, MemoryRegion, PhysRange};
use super::phys;

const COMMAND_LINE: u32 = 1;
const MODULE: u32 = 3;
const MEMORY_MAP: u32 = 6;
const FRAMEBUFFER: u32 = 8;
const ACPI_OLD: u32 = 14;
const ACPI_NEW: u32 = 15;
/// A framebuffer of direct RGB colour.
const RGB: u8 = 1;

#[derive(FromBytes)]
#[repr(C)]
struct TagHeader {
    kind: u32,
    size: u32,
}

#[derive(FromBytes)]
#[repr(C)]
struct ModuleTag {
    start: u32,
    end: u32,
}

#[derive(FromBytes)]
#[repr(C)]
struct MemoryTag {
    entry_size: u32,
    _version: u32,
}

#[derive(FromBytes)]
#[repr(C)]
struct MemoryEntry {
    start: u64,
    len: u64,
    kind: u32,
    _reserved: u32,
}

#[derive(FromBytes)]
#[repr(C)]
struct FramebufferTag {
    phys_low: u32,
    phys_high: u32,
    pitch: u32,
    width: u32,
    height: u32,
    bpp: u8,
    kind: u8,
    _reserved: [u8; 2],
}

/// Reads the information at `info`; `None` if it is damaged.
pub(super) fn read(info: u64, out: &mut Gathered) -> Option<()> {
    out.loader = "multiboot2";
    let end = info.checked_add(u64::from(phys::read::<u32>(info)?))?;
    let mut at = info + 8;
    while at + size_of::<TagHeader>() as u64 <= end {
        let tag: TagHeader = phys::read(at)?;
        let body = at + size_of::<TagHeader>() as u64;
        let tag_end = at.checked_add(u64::from(tag.size)).filter(|&tag_end| body <= tag_end && tag_end <= end)?;
        match tag.kind {
            0 => break,
            COMMAND_LINE => phys::read_string(body, (tag_end - body) as usize, |byte| {
                out.cmdline.push(byte);
            }),
            MODULE => {
                let module: ModuleTag = within(body, tag_end)?;
                let len = module.end.checked_sub(module.start)?;
                out.modules.push(PhysRange { start: module.start.into(), len: len.into() });
            }
            MEMORY_MAP => memory_map(out, body, tag_end)?,
            FRAMEBUFFER => out.framebuffer = framebuffer(body, tag_end),
            ACPI_NEW => out.rsdp_copy = within(body, tag_end).or(out.rsdp_copy),
            ACPI_OLD if out.rsdp_copy.is_none() => {
                // Version 1 of the root pointer has 20 bytes; its revision field (0) says that no more follow.
                let old: [u8; 20] = within(body, tag_end)?;
                let mut copy = [0; 36];
                copy[..20].copy_from_slice(&old);
                out.rsdp_copy = Some(copy);
            }
            _ => {}
        }
        at = tag_end.next_multiple_of(8);
    }
    Some(())
}

/// The `T` at `at`, if it ends by `end`.
fn within<T: FromBytes>(at: u64, end: u64) -> Option<T> {
    (at.checked_add(size_of::<T>() as u64)? <= end).then(|| phys::read(at)).flatten()
}

fn memory_map(out: &mut Gathered, body: u64, end: u64) -> Option<()> {
    let head: MemoryTag = within(body, end)?;
    if (head.entry_size as usize) < size_of::<MemoryEntry>() {
        return None;
    }
    let mut at = body + size_of::<MemoryTag>() as u64;
    while let Some(entry) = within::<MemoryEntry>(at, end) {
        let range = PhysRange { start: entry.start, len: entry.len };
        if !out.regions.push(MemoryRegion { range, kind: MemoryKind::from_e820(entry.kind) }) {
            break;
        }
        at += u64::from(head.entry_size);
    }
    Some(())
}

fn framebuffer(body: u64, end: u64) -> Option<Framebuffer> {
    let tag: FramebufferTag = within(body, end)?;
    if tag.kind != RGB {
        return None;
    }
    // Position and size of red, green and blue.
    let colours: [[u8; 2]; 3] = within(body + size_of::<FramebufferTag>() as u64, end)?;
    Some(Framebuffer {
        phys: u64::from(tag.phys_high) << 32 | u64::from(tag.phys_low),
        width: tag.width,
        height: tag.height,
        pitch: tag.pitch,
        bpp: tag.bpp,
        red: colours[0].into(),
        green: colours[1].into(),
        blue: colours[2].into(),
    })
}
