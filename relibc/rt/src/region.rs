//! A server's view of its port's region ([`ochre_abi::call`]): typed, and safe to use.
//!
//! The kernel writes a slot only while the server does not hold it, and the server touches a slot only through its one [`Slot`]
//! value: so a payload can be lent as a slice. The header's words are atomics or written by one thread.

use crate::syscall;
use alloc::sync::Arc;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use ochre_abi::call::*;
use ochre_abi::memory::{MAP_SHARED, PROT_READ, PROT_WRITE};
use ochre_abi::{Errno, Result};

/// A mapped region.
#[derive(Debug)]
pub struct Region {
    base: NonNull<u8>,
    /// Slots for which a [`Slot`] exists.
    taken: AtomicU64,
    /// The memory is the heap's and not a port's (tests).
    heap: bool,
}

// SAFETY: the memory belongs to no thread; accesses go by the rules above.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

#[repr(C, align(4096))]
struct Memory([u8; REGION_SIZE]);

impl Region {
    /// Maps the region of a port.
    pub fn map(port: i32) -> Result<Arc<Self>> {
        // SAFETY: a new mapping at an address that the kernel chooses.
        let address = unsafe { syscall::mmap(0, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, port, 0) }?;
        let base = NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(Errno::EFAULT)?;
        Ok(Arc::new(Self { base, taken: AtomicU64::new(0), heap: false }))
    }

    /// A region without a port, for tests that play the kernel's part ([`Self::announce`], [`Self::completion`]).
    pub fn on_heap() -> Arc<Self> {
        let layout = alloc::alloc::Layout::new::<Memory>();
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc::alloc::alloc_zeroed(layout) };
        let Some(base) = NonNull::new(memory) else { alloc::alloc::handle_alloc_error(layout) };
        Arc::new(Self { base, taken: AtomicU64::new(0), heap: true })
    }

    /// Requests announced so far; what the kernel wrote before is visible.
    pub fn submitted(&self) -> u32 {
        // SAFETY: the header is mapped, and its first word an atomic.
        unsafe { &*self.base.cast::<AtomicU32>().as_ptr() }.load(Ordering::Acquire)
    }

    /// The slot of the `n`th request, not checked: [`Self::take`] does that.
    pub fn announced(&self, n: u32) -> usize {
        usize::from(self.ring(n).load(Ordering::Relaxed))
    }

    /// Takes a slot to work on; `None` if there is no such slot or it is taken.
    pub fn take(self: &Arc<Self>, index: usize) -> Option<Slot> {
        let bit = 1u64.checked_shl(u32::try_from(index).ok()?)?;
        let before = self.taken.fetch_or(bit, Ordering::Acquire);
        (before & bit == 0).then(|| Slot { region: self.clone(), index })
    }

    /// Writes an answer for the next REPLY_RECEIVE. Only the receiving thread does this. Indexes from [`SLOTS`] on are ignored.
    pub fn set_completion(&self, index: usize, completion: Completion) {
        if index < SLOTS {
            // SAFETY: within the header page; the kernel reads it during REPLY_RECEIVE of this same thread.
            unsafe { self.at::<Completion>(COMPLETIONS_OFFSET).add(index).write_volatile(completion) }
        }
    }

    /// The kernel's part: announces a slot as the next request.
    pub fn announce(&self, slot: usize) {
        let n = self.submitted();
        self.ring(n).store(slot as u16, Ordering::Relaxed);
        // SAFETY: as in `submitted`.
        unsafe { &*self.base.cast::<AtomicU32>().as_ptr() }.store(n.wrapping_add(1), Ordering::Release);
    }

    /// The kernel's part: an answer as it was written.
    pub fn completion(&self, index: usize) -> Completion {
        // SAFETY: within the header page, the index cut; any bytes are a Completion.
        unsafe { self.at::<Completion>(COMPLETIONS_OFFSET).add(index % SLOTS).read_volatile() }
    }

    fn ring(&self, n: u32) -> &AtomicU16 {
        // SAFETY: within the header page, aligned for u16, and an atomic.
        unsafe { &*self.at::<AtomicU16>(RING_OFFSET).add(n as usize % SLOTS) }
    }

    /// A pointer into the region; callers keep `offset` within it.
    fn at<T>(&self, offset: usize) -> *mut T {
        self.base.as_ptr().wrapping_add(offset).cast()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.heap {
            // SAFETY: allocated in `on_heap` with this layout; no Slot is left, for each holds the Arc.
            unsafe { alloc::alloc::dealloc(self.base.as_ptr(), alloc::alloc::Layout::new::<Memory>()) }
        } else {
            // SAFETY: mapped in `map`; no Slot is left. An error would leave it mapped, which harms nothing.
            let _ = unsafe { syscall::munmap(self.base.as_ptr() as usize, REGION_SIZE) };
        }
    }
}

/// A slot that the server holds: the request's entry and a page of payload. There is one value a slot at a time.
#[derive(Debug)]
pub struct Slot {
    region: Arc<Region>,
    index: usize,
}

impl Slot {
    /// The slot's number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The request.
    pub fn entry(&self) -> Request {
        // SAFETY: within the entries' page; any bytes are a Request.
        unsafe { self.entry_at().read_volatile() }
    }

    /// Writes the entry: what an answer changes in it, or the kernel's part in a test.
    pub fn set_entry(&mut self, entry: &Request) {
        // SAFETY: within the entries' page, which only the holder of the slot writes.
        unsafe { self.entry_at().write_volatile(*entry) }
    }

    /// The payload's page.
    pub fn payload(&self) -> &[u8; PAYLOAD_MAX] {
        // SAFETY: the page is mapped, and nobody writes it while this value is borrowed.
        unsafe { &*self.payload_at() }
    }

    /// The payload's page, to put an answer's payload into.
    pub fn payload_mut(&mut self) -> &mut [u8; PAYLOAD_MAX] {
        // SAFETY: the page is mapped, and nobody else uses it while this value is borrowed mutably.
        unsafe { &mut *self.payload_at() }
    }

    fn entry_at(&self) -> *mut Request {
        self.region.at::<Request>(ENTRIES_OFFSET).wrapping_add(self.index)
    }

    fn payload_at(&self) -> *mut [u8; PAYLOAD_MAX] {
        self.region.at::<[u8; PAYLOAD_MAX]>(PAYLOAD_OFFSET).wrapping_add(self.index)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.region.taken.fetch_and(!(1 << self.index), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_a_slot() {
        let region = Region::on_heap();
        let mut slot = region.take(63).unwrap();
        assert!(region.take(63).is_none() && region.take(64).is_none() && region.take(usize::MAX).is_none());
        slot.payload_mut()[4095] = 7;
        slot.set_entry(&Request { tag: 5, ..Request::default() });
        drop(slot);
        let slot = region.take(63).unwrap();
        assert_eq!((slot.payload()[4095], slot.entry().tag), (7, 5));
    }

    #[test]
    fn the_ring_wraps() {
        let region = Region::on_heap();
        for n in 0..200u32 {
            region.announce(n as usize % 50);
            assert_eq!((region.submitted(), region.announced(n)), (n + 1, n as usize % 50));
        }
    }
}
