//! The PVH boot protocol's start info. Source: Xen, "xen/include/public/arch-x86/hvm/start_info.h".

use zerocopy::FromBytes;

use super::info::{Gathered, MemoryKind, MemoryRegion, PhysRange};
use super::phys;

const MAGIC: u32 = 0x336e_c578;

#[derive(FromBytes)]
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    _flags: u32,
    modules: u32,
    module_list: u64,
    cmdline: u64,
    rsdp: u64,
    memory_map: u64,
    memory_entries: u32,
    _reserved: u32,
}

#[derive(FromBytes)]
#[repr(C)]
struct Module {
    start: u64,
    len: u64,
    _cmdline: u64,
    _reserved: u64,
}

#[derive(FromBytes)]
#[repr(C)]
struct MemoryEntry {
    start: u64,
    len: u64,
    kind: u32,
    _reserved: u32,
}

/// Reads the start info at `info`; `None` if it is none, damaged, or of version 0, which tells no memory map.
pub(super) fn read(info: u64, out: &mut Gathered) -> Option<()> {
    let start: StartInfo = phys::read(info)?;
    if start.magic != MAGIC || start.version < 1 {
        return None;
    }
    out.loader = "pvh";
    if start.cmdline != 0 {
        phys::read_string(start.cmdline, 4096, |byte| {
            out.cmdline.push(byte);
        });
    }
    for i in 0..u64::from(start.modules) {
        let module: Module = phys::read(start.module_list.checked_add(i * size_of::<Module>() as u64)?)?;
        if !out.modules.push(PhysRange { start: module.start, len: module.len }) {
            break;
        }
    }
    for i in 0..u64::from(start.memory_entries) {
        let entry: MemoryEntry = phys::read(start.memory_map.checked_add(i * size_of::<MemoryEntry>() as u64)?)?;
        let range = PhysRange { start: entry.start, len: entry.len };
        if !out.regions.push(MemoryRegion { range, kind: MemoryKind::from_e820(entry.kind) }) {
            break;
        }
    }
    out.rsdp = (start.rsdp != 0).then_some(start.rsdp);
    Some(())
}
