//! The kernel half of the virtual address space.
//!
//! | from | what |
//! |---|---|
//! | `0xffff_8000_0000_0000` | direct map of physical memory, up to 64 TiB |
//! | `0xffff_c000_0000_0000` | kernel stacks with guard pages, large heap blocks (`paging`, `mem`) |
//! | `0xffff_ffff_8000_0000` | the kernel image (code model "kernel": the last 2 GiB) |

use crate::PhysRange;

/// Where the direct map of physical memory begins.
pub const DIRECT_MAP: usize = 0xffff_8000_0000_0000;
/// Bytes that the direct map can cover.
pub const DIRECT_MAP_LEN: usize = 1 << 46;
/// Where kernel virtual memory that is mapped page by page begins (stacks, large heap blocks).
pub const DYNAMIC: usize = 0xffff_c000_0000_0000;
/// Difference between an address in the kernel image and its physical address.
pub const KERNEL_BASE: usize = 0xffff_ffff_8000_0000;
/// Bytes in a page.
pub const PAGE: usize = 4096;

/// The direct-map address of a physical address.
///
/// Only an address: whether memory is mapped there depends on the memory map (all RAM, and everything below 4 GiB, is).
pub const fn phys_to_virt(phys: u64) -> usize {
    DIRECT_MAP + phys as usize
}

/// The physical address behind a direct-map or kernel-image address.
pub const fn virt_to_phys(virt: usize) -> u64 {
    if virt >= KERNEL_BASE { (virt - KERNEL_BASE) as u64 } else { (virt - DIRECT_MAP) as u64 }
}

macro_rules! symbols {
    ($($(#[$doc:meta])* $name:ident = $symbol:ident;)*) => {
        unsafe extern "C" { $(safe static $symbol: u8;)* }
        $($(#[$doc])* pub fn $name() -> usize { &raw const $symbol as usize })*
    };
}

symbols! {
    /// First byte of the kernel image.
    image_start = __image_start;
    /// First byte of code.
    text_start = __text_start;
    /// First byte after the code.
    text_end = __text_end;
    /// First byte of read-only data.
    rodata_start = __rodata_start;
    /// First byte after the read-only data.
    rodata_end = __rodata_end;
    /// First byte of writable data.
    data_start = __data_start;
    /// First byte after the kernel image, page-aligned.
    image_end = __image_end;
}

/// The physical memory that the kernel image occupies, whole pages.
pub fn image_phys() -> PhysRange {
    let start = virt_to_phys(image_start());
    PhysRange { start, len: virt_to_phys(image_end()) - start }
}
