//! Address spaces: page tables, TLB flushes and shootdowns (Intel SDM volume 3, chapter 4).
//!
//! A [`PageTable`] is the user half of a 4-level table. Its kernel half is the same in all of them: the 256 upper entries
//! of the boot root, which `init` fills once and which never change afterwards.
//!
//! # Invariants
//! - Every occupied leaf entry that is not a device's owns one reference to its frame.
//! - A frame, or a page table's page, that leaves a table is given up only after every CPU that may have the old entry in its
//!   TLB has flushed it.
//! - No user page is writable and executable; the kernel's pages are W^X by `boot::paging`.
//! - `cpus` has the bit of each CPU whose CR3 is this table: set before the load, cleared after the next.
//!
//! # Shootdowns
//! A CPU that takes rights away counts up `flush_wanted` of each other CPU in `cpus`, interrupts it, and waits until its
//! `flush_done` has caught up. It waits with its table's lock held. That cannot deadlock, with interrupts off everywhere: a
//! CPU in user mode or idle takes the interrupt; one in the kernel either reaches user mode or idle, or spins, for a lock or
//! for another shootdown, and every spin loop calls [`service_shootdown`].

pub(crate) mod pte;
mod table;
mod tlb;

use core::sync::atomic::{AtomicU64, Ordering};

pub use pte::{Cache, Prot};
pub use table::{Claim, PageTable};
pub use tlb::service_shootdown;
pub(crate) use tlb::{activate, activate_on, flush_kernel};

use crate::layout::{PAGE, phys_to_virt};
use crate::mem;

/// The first address that no program can map: the last page of the lower half stays empty, so that `syscall` never sits at
/// its end (the return address would not be canonical).
pub const USER_END: usize = 0x0000_7fff_ffff_f000;

/// There is no memory for a page table, or the address or range cannot be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Physical address of the kernel's own root.
static ROOT: AtomicU64 = AtomicU64::new(0);

/// A table's entries.
///
/// `table` is the physical address of a page table's page, as found in a root or entry that the caller keeps alive.
#[inline(always)]
pub(crate) fn entries(table: u64) -> &'static [AtomicU64; 512] {
    // SAFETY: private to hal, whose callers pass page-table pages only; those are RAM in the direct map, and accessed by
    // atomics only.
    unsafe { &*(phys_to_virt(table) as *const [AtomicU64; 512]) }
}

/// Physical address of the kernel's own root, whose user half is empty.
#[inline]
pub(crate) fn kernel_root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

/// Takes over the kernel's tables. Fills all 256 upper entries of the root, so that every address space shares what is
/// mapped later on.
pub(crate) fn init(root: u64) {
    for entry in &entries(root)[256..] {
        if entry.load(Ordering::Relaxed) == 0 {
            let frame = mem::alloc_frame().expect("memory for the kernel's page tables");
            // SAFETY: the frame is new.
            unsafe { mem::zero_frame(frame) };
            entry
                .store((u64::from(frame) * PAGE as u64) | pte::PRESENT | pte::WRITE | pte::ACCESSED, Ordering::Release);
        }
    }
    ROOT.store(root, Ordering::Release);
}
