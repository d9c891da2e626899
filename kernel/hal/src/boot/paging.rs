//! The kernel half of the page tables: the direct map and the kernel image, no page of it writable and executable.
//!
//! Source: Intel SDM volume 3, chapter 4 (4-level paging), section 12.12 (PAT: as reset leaves it, PCD and PWT together
//! mean uncached).

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

use super::info::{BootInfo, MemoryKind, PhysRange};
use crate::layout::{self, DIRECT_MAP_LEN, KERNEL_BASE, PAGE, phys_to_virt};

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const UNCACHED: u64 = 1 << 3 | 1 << 4;
const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const MIB2: u64 = 2 << 20;
const GIB: u64 = 1 << 30;
/// Below this everything is mapped, RAM or not: local and I/O APICs, HPET, PCI configuration space.
const LOW: u64 = 4 * GIB;

static FINAL: AtomicBool = AtomicBool::new(false);

/// Whether the final tables are in use.
pub(super) fn is_final() -> bool {
    FINAL.load(Ordering::Acquire)
}

/// The final tables.
pub(crate) struct Tables {
    /// Physical address of the root (PML4); its lower half is empty.
    pub root: u64,
    /// The memory that the tables occupy.
    pub used: PhysRange,
}

/// Builds the final tables and goes over to them.
///
/// # Panics
/// If there is no room for them below 4 GiB.
pub(super) fn build(info: &BootInfo) -> Tables {
    let top =
        info.memory.iter().filter(|region| region.kind.is_ram()).map(|region| region.range.end()).max().unwrap_or(0);
    let top = top.clamp(LOW, DIRECT_MAP_LEN as u64);
    // A table for each GiB of 2 MiB pages, and a few for the image and the chunk of the direct map that it lies in.
    let frames = top.div_ceil(GIB) + top.div_ceil(512 * GIB) + 64;
    let room = find_room(info, frames * PAGE as u64).expect("no memory for the kernel's page tables");
    let mut builder = Builder { next: room, end: room + frames * PAGE as u64, root: 0, gib_pages: has_gib_pages() };
    builder.root = builder.table();
    direct_map(&mut builder, info, top);
    image(&mut builder);
    // SAFETY: the new tables map the running code, its stack and everything that references point to at the same addresses
    // as the first ones.
    unsafe { asm!("mov cr3, {}", in(reg) builder.root, options(nostack, preserves_flags)) };
    FINAL.store(true, Ordering::Release);
    Tables { root: builder.root, used: PhysRange { start: room, len: builder.next - room } }
}

/// An address with `len` free bytes of RAM below 4 GiB, clear of the image, the modules and the first MiB.
fn find_room(info: &BootInfo, len: u64) -> Option<u64> {
    let image = layout::image_phys();
    let taken = || info.modules.iter().chain([&image]);
    let usable = info.memory.iter().filter(|region| region.kind == MemoryKind::Usable);
    usable
        .filter_map(|region| {
            let mut at = region.range.start.max(1 << 20);
            let limit = region.range.end().min(LOW);
            while at.checked_add(len)? <= limit {
                let wanted = PhysRange { start: at, len };
                match taken().find(|range| range.overlaps(&wanted)) {
                    None => return Some(at),
                    Some(range) => at = range.end().next_multiple_of(PAGE as u64),
                }
            }
            None
        })
        .next()
}

fn has_gib_pages() -> bool {
    use core::arch::x86_64::__cpuid;
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx & 1 << 26 != 0
}

struct Builder {
    next: u64,
    end: u64,
    root: u64,
    gib_pages: bool,
}

impl Builder {
    /// An empty table.
    fn table(&mut self) -> u64 {
        assert!(self.next < self.end, "the kernel's page tables outgrew the estimate");
        let frame = self.next;
        self.next += PAGE as u64;
        // SAFETY: RAM below 4 GiB that is mapped and nobody's, see `find_room`.
        unsafe { core::ptr::write_bytes(phys_to_virt(frame) as *mut u8, 0, PAGE) };
        frame
    }

    /// Maps one page of `size` (4 KiB, 2 MiB or 1 GiB); both addresses are multiples of it.
    fn map(&mut self, virt: usize, phys: u64, size: u64, flags: u64) {
        let last = match size {
            GIB => 2,
            MIB2 => 1,
            _ => 0,
        };
        let mut table = self.root;
        for level in (last + 1..4).rev() {
            let entry = entry(table, virt, level);
            // SAFETY: an entry of one of the builder's own tables.
            table = match unsafe { entry.read() } {
                0 => {
                    let new = self.table();
                    // SAFETY: as above.
                    unsafe { entry.write(new | PRESENT | WRITABLE) };
                    new
                }
                existing => existing & ADDRESS,
            };
        }
        let large = if last > 0 { LARGE } else { 0 };
        // SAFETY: as above.
        unsafe { entry(table, virt, last).write(phys | flags | large | PRESENT | GLOBAL | ACCESSED_DIRTY) };
    }
}

/// The entry for `virt` in a table of `level` (0 is the one of 4 KiB pages).
fn entry(table: u64, virt: usize, level: u32) -> *mut u64 {
    let index = virt >> (12 + 9 * level) & 511;
    (phys_to_virt(table) as *mut u64).wrapping_add(index)
}

/// What a stretch of physical memory wants of its direct mapping.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    /// No mapping.
    Nothing,
    /// RAM.
    Cached,
    /// Device memory.
    Uncached,
    /// Holds the image's read-only part: page by page.
    Image,
}

fn need(info: &BootInfo, read_only: &PhysRange, chunk: PhysRange) -> Need {
    if chunk.overlaps(read_only) {
        return Need::Image;
    }
    let ram = info.memory.iter().any(|region| region.kind.is_ram() && region.range.overlaps(&chunk));
    match ram {
        true => Need::Cached,
        false if chunk.start < LOW => Need::Uncached,
        false => Need::Nothing,
    }
}

fn direct_map(builder: &mut Builder, info: &BootInfo, top: u64) {
    let start = layout::virt_to_phys(layout::text_start());
    let read_only = PhysRange { start, len: layout::virt_to_phys(layout::data_start()) - start };
    let mut at = 0;
    while at < top {
        let whole = whole_gib(info, &read_only, at).filter(|_| builder.gib_pages && at % GIB == 0);
        if let Some(need) = whole {
            map_direct(builder, at, GIB, need);
            at += GIB;
            continue;
        }
        match need(info, &read_only, PhysRange { start: at, len: MIB2 }) {
            Need::Image => {
                for page in (at..at + MIB2).step_by(PAGE) {
                    let writable = !read_only.overlaps(&PhysRange { start: page, len: PAGE as u64 });
                    let flags = if writable { WRITABLE | NO_EXECUTE } else { NO_EXECUTE };
                    builder.map(phys_to_virt(page), page, PAGE as u64, flags);
                }
            }
            need => map_direct(builder, at, MIB2, need),
        }
        at += MIB2;
    }
}

fn map_direct(builder: &mut Builder, phys: u64, size: u64, need: Need) {
    let flags = match need {
        Need::Cached => WRITABLE | NO_EXECUTE,
        Need::Uncached => WRITABLE | NO_EXECUTE | UNCACHED,
        Need::Nothing | Need::Image => return,
    };
    builder.map(phys_to_virt(phys), phys, size, flags);
}

/// What a whole GiB needs, if all of it needs the same and that is not page by page.
fn whole_gib(info: &BootInfo, read_only: &PhysRange, at: u64) -> Option<Need> {
    let range = PhysRange { start: at, len: GIB };
    if range.overlaps(read_only) {
        return None;
    }
    let inside = |region: &PhysRange| region.start <= range.start && range.end() <= region.end();
    let ram = || info.memory.iter().filter(|region| region.kind.is_ram());
    if ram().any(|region| inside(&region.range)) {
        Some(Need::Cached)
    } else if ram().any(|region| region.range.overlaps(&range)) {
        None
    } else {
        Some(if at < LOW { Need::Uncached } else { Need::Nothing })
    }
}

fn image(builder: &mut Builder) {
    let guard = super::stack().start - PAGE;
    let parts = [
        (layout::text_start(), layout::text_end(), 0),
        (layout::rodata_start(), layout::rodata_end(), NO_EXECUTE),
        (layout::data_start(), layout::image_end(), NO_EXECUTE | WRITABLE),
    ];
    for (start, end, flags) in parts {
        for page in (start..end).step_by(PAGE).filter(|&page| page != guard) {
            builder.map(page, (page - KERNEL_BASE) as u64, PAGE as u64, flags);
        }
    }
}

/// Whether a kernel address is mapped: a walk of the tables in use, for the panic path, which must not fault again.
pub(crate) fn is_mapped(virt: usize) -> bool {
    if !is_final() || virt < layout::DIRECT_MAP {
        return false;
    }
    let mut table: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) table, options(nomem, nostack, preserves_flags)) };
    table &= ADDRESS;
    for level in (0..4).rev() {
        // SAFETY: a table in use, which lies in RAM and so in the direct map.
        let value = unsafe { entry(table, virt, level).read_volatile() };
        if value & PRESENT == 0 {
            return false;
        }
        if level == 0 || (level < 3 && value & LARGE != 0) {
            return true;
        }
        table = value & ADDRESS;
    }
    true
}
