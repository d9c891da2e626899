//! Memory management: objects (what can be mapped) and address spaces (where it is mapped).
//!
//! # How a page gets to a program
//! `mmap` only notes an [`area`]. The first access faults ([`fault`]): an anonymous private area gets a zeroed page that only
//! the page table knows; an area over an [`object`] gets the object's page, read-only if the area is private, until a write
//! copies it. An object brings absent pages in by itself, or asks its [`pager`], a server, by a PAGE_IN message. What is written is noted for
//! the pager ([`dirty`]); what is clean goes when memory is short ([`reclaim`]).
//!
//! # Locks
//! Each [`space::Space`] and each [`object::MemoryObject`] has one spin lock. Order: space, object, page table (hal's own). None of
//! them is held while a thread waits for a pager, or copies from or to user memory; a fault that finds a page missing lets go, waits,
//! and starts over. Interrupts are off in the kernel, so loops over many pages let go of their locks every few hundred pages and call
//! `poll_interrupts`.
//!
//! Objects know the spaces that map them (weakly), so that truncation, eviction and write-protection reach every mapping. These three
//! are one at a time for an object ([`maintenance`]).

pub mod account;
pub mod area;
pub mod dirty;
pub mod fault;
mod fork;
mod invalidate;
mod maintenance;
mod map;
pub mod object;
pub mod object_file;
mod object_io;
mod object_syscalls;
pub mod pager;
mod peek;
mod protect;
mod read_ahead;
pub mod reclaim;
mod remap;
pub mod space;
mod space_syscalls;
pub mod syscalls;
pub mod time_page;

pub(crate) use ochre_abi::layout::PAGE_SIZE;

/// [`PAGE_SIZE`] for offsets.
pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

/// Pages that a loop goes through at a time before it lets interrupts in.
pub(crate) const CHUNK: usize = 256;

/// Between two chunks of a long loop, with no lock held: lets interrupts in. EINTR if the thread is to end.
pub(crate) fn breathe() -> ochre_abi::Result<()> {
    ochre_hal::cpu::poll_interrupts();
    match crate::thread::try_current() {
        Some(me) if me.is_killed() => Err(ochre_abi::Errno::EINTR),
        _ => Ok(()),
    }
}

/// How many pages hold `bytes`.
pub(crate) fn pages_of(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

/// Rounds a length up to whole pages; `None` if that overflows.
pub(crate) fn round_up(len: u64) -> Option<usize> {
    usize::try_from(len.checked_next_multiple_of(PAGE)?).ok()
}
