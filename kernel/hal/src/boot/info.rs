//! What the loader tells, in one form for all loaders.

use core::fmt;

use crate::{Once, SpinLock};

/// What the loader told. Lives as long as the kernel.
#[derive(Debug)]
pub struct BootInfo {
    /// The kernel's command line; empty if there is none or it is not UTF-8.
    pub cmdline: &'static str,
    /// Boot modules, in the loader's order.
    pub modules: &'static [PhysRange],
    /// Physical address of ACPI's root pointer, if the loader told one.
    pub rsdp: Option<u64>,
    /// The framebuffer that the firmware left on, if any.
    pub framebuffer: Option<Framebuffer>,
    /// Physical memory by address, without overlaps. Usable regions are whole pages.
    pub memory: &'static [MemoryRegion],
    /// `"pvh"` or `"multiboot2"`.
    pub loader: &'static str,
}

/// A range of physical addresses, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PhysRange {
    /// First byte.
    pub start: u64,
    /// Length.
    pub len: u64,
}

impl PhysRange {
    /// First byte after the range.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    /// Whether the two share a byte.
    pub const fn overlaps(&self, other: &PhysRange) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

impl fmt::Debug for PhysRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start, self.end())
    }
}

/// A range of physical memory and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRegion {
    /// Where.
    pub range: PhysRange,
    /// What.
    pub kind: MemoryKind,
}

/// What a range of physical memory is (ACPI specification 6.5, table 15.6). In the order of who wins where two overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryKind {
    /// RAM for the kernel to use.
    Usable,
    /// RAM with ACPI tables.
    AcpiReclaimable,
    /// RAM that firmware keeps over sleep.
    AcpiNvs,
    /// Not RAM, or not ours.
    Reserved,
    /// Broken RAM.
    Bad,
}

impl MemoryKind {
    /// From the type numbers that E820, PVH and multiboot2 share.
    pub(super) fn from_e820(number: u32) -> Self {
        match number {
            1 => Self::Usable,
            3 => Self::AcpiReclaimable,
            4 => Self::AcpiNvs,
            5 => Self::Bad,
            _ => Self::Reserved,
        }
    }

    /// Whether RAM is behind it, to be mapped write-back.
    pub(crate) fn is_ram(self) -> bool {
        matches!(self, Self::Usable | Self::AcpiReclaimable | Self::AcpiNvs)
    }
}

/// A linear framebuffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    /// Physical address of its first byte.
    pub phys: u64,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from one line to the next.
    pub pitch: u32,
    /// Bits in a pixel.
    pub bpp: u8,
    /// Position and size of the red bits in a pixel.
    pub red: (u8, u8),
    /// Position and size of the green bits.
    pub green: (u8, u8),
    /// Position and size of the blue bits.
    pub blue: (u8, u8),
}

/// The most regions and modules that are kept; more are dropped from the end.
pub(super) const MAX_REGIONS: usize = 256;
const MAX_MODULES: usize = 16;
const MAX_CMDLINE: usize = 4096;
const RSDP_LEN: usize = 36;

/// A list with a fixed capacity: there is no heap yet.
#[derive(Clone, Copy)]
pub(super) struct List<T: Copy, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy, const N: usize> List<T, N> {
    pub const fn new(filler: T) -> Self {
        Self { items: [filler; N], len: 0 }
    }

    /// Appends; says whether there was room.
    pub fn push(&mut self, item: T) -> bool {
        let Some(slot) = self.items.get_mut(self.len) else { return false };
        *slot = item;
        self.len += 1;
        true
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T: Copy, const N: usize> core::ops::Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items[..self.len]
    }
}

impl<T: Copy, const N: usize> core::ops::DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..self.len]
    }
}

/// Regions as they are gathered.
pub(super) type Regions = List<MemoryRegion, MAX_REGIONS>;

/// Copies of what the loader told: its structures lie in memory that is about to be used otherwise.
pub(super) struct Gathered {
    pub cmdline: List<u8, MAX_CMDLINE>,
    pub modules: List<PhysRange, MAX_MODULES>,
    pub rsdp: Option<u64>,
    pub rsdp_copy: Option<[u8; RSDP_LEN]>,
    pub framebuffer: Option<Framebuffer>,
    pub regions: Regions,
    pub loader: &'static str,
}

impl Gathered {
    /// Nothing told yet.
    pub const fn new() -> Self {
        let nothing = MemoryRegion { range: PhysRange { start: 0, len: 0 }, kind: MemoryKind::Reserved };
        Self {
            cmdline: List::new(0),
            modules: List::new(PhysRange { start: 0, len: 0 }),
            rsdp: None,
            rsdp_copy: None,
            framebuffer: None,
            regions: List::new(nothing),
            loader: "",
        }
    }
}

/// Filled in place: it is too large to be passed around on the boot stack.
static GATHERED: SpinLock<Gathered> = SpinLock::new(Gathered::new());
static INFO: Once<BootInfo> = Once::new();

/// Gathers the information by `read`, which says whether it could, and keeps it for ever. `None` if it could not.
///
/// # Panics
/// If it was gathered before.
pub(super) fn gather(read: impl FnOnce(&mut Gathered) -> Option<()>) -> Option<&'static BootInfo> {
    let kept = GATHERED.try_lock().expect("boot information is gathered once").leak();
    read(kept)?;
    super::memory::normalise(&mut kept.regions);
    if kept.regions.is_empty() {
        return None;
    }
    let copy = kept.rsdp_copy.as_ref().map(|copy| crate::layout::virt_to_phys(copy.as_ptr() as usize));
    let info = BootInfo {
        cmdline: core::str::from_utf8(&kept.cmdline).unwrap_or(""),
        modules: &kept.modules,
        rsdp: kept.rsdp.or(copy),
        framebuffer: kept.framebuffer,
        memory: &kept.regions,
        loader: kept.loader,
    };
    assert!(INFO.set(info).is_ok(), "boot information is gathered once");
    INFO.get()
}

/// The memory regions, once they are known.
pub(super) fn regions() -> Option<&'static [MemoryRegion]> {
    INFO.get().map(|info| info.memory)
}
