//! The user half of an address space.

use alloc::sync::Arc;
use core::arch::asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::Release};

use super::pte::{self, Cache, Prot};
use super::tlb::{self, Range};
use super::{OutOfMemory, USER_END, entries, kernel_root, service_shootdown};
use crate::layout::PAGE;
use crate::mem::{self, Frame, buddy::NONE};
use crate::{SpinLock, device};

/// An entry that leads to a table. Rights are the leaf's business.
const TO_TABLE: u64 = pte::PRESENT | pte::WRITE | pte::USER | pte::ACCESSED;
/// Bytes that a table of 4 KiB pages covers.
const LEAF_SPAN: usize = 512 * PAGE;
/// Pages that are taken out between two flushes.
const BATCH: usize = 64;

/// The user half of an address space; locked inside. Each page that it maps holds a reference to its frame.
///
/// Addresses are page-aligned (else they are rounded down) and below [`USER_END`] (what is beyond is ignored, but by the
/// functions that map, which refuse it).
#[derive(Debug)]
pub struct PageTable {
    /// Physical address of the root.
    pub(super) root: u64,
    /// The CPUs that have it in CR3.
    pub(super) cpus: AtomicU64,
    /// Guards all entries of the user half, and the tables' counts of entries (in their frames' metadata).
    lock: SpinLock<()>,
    /// Pages mapped, without devices'. Written under the lock.
    resident: AtomicUsize,
}

/// What [`PageTable::claim`] found.
pub enum Claim {
    /// The page is this table's alone, and has the rights now.
    Granted,
    /// Somebody else refers to the page as well.
    Shared(Frame),
    /// No page of memory is mapped there.
    Absent,
}

impl PageTable {
    /// An empty address space. None without memory.
    pub fn new() -> Option<Arc<PageTable>> {
        if !mem::has_room() {
            return None;
        }
        let frame = mem::alloc_frame()?;
        mem::meta(frame).info.store(0, Relaxed);
        let root = u64::from(frame) * PAGE as u64;
        let upper = &raw const entries(kernel_root())[256];
        // SAFETY: the frame is new; the kernel's upper entries never change. DF is clear (psABI).
        unsafe {
            asm!("rep stosq", "mov ecx, 256", "rep movsq", inout("rcx") 256usize => _, in("rax") 0,
                inout("rdi") mem::frame_ptr(frame) => _, inout("rsi") upper => _, options(nostack, preserves_flags));
        }
        Some(Arc::new(PageTable {
            root,
            cpus: AtomicU64::new(0),
            lock: SpinLock::new(()),
            resident: AtomicUsize::new(0),
        }))
    }

    /// Maps a page, instead of what was there (whose frame is given up once no CPU can reach it any more).
    ///
    /// # Errors
    /// No memory for a table; `va` not aligned or not below [`USER_END`].
    #[inline]
    pub fn map(&self, va: usize, frame: Frame, prot: Prot) -> Result<(), OutOfMemory> {
        let entry = pte::user(frame.phys(), prot);
        let old = self.set(va, entry)?;
        // The entry owns the reference now.
        let _ = frame.into_raw();
        drop_entry(old);
        Ok(())
    }

    /// Maps device memory. It is not counted as resident, and unmapping it reports nothing.
    ///
    /// # Errors
    /// As for [`PageTable::map`]; also ranges of RAM, of what hal drives itself (APICs), of ACPI tables if `prot` has writing,
    /// and of physical addresses that the CPU does not have. Then nothing is mapped there.
    pub fn map_device(&self, va: usize, phys: u64, pages: usize, prot: Prot, cache: Cache) -> Result<(), OutOfMemory> {
        if !phys.is_multiple_of(PAGE as u64)
            || pages > USER_END / PAGE
            || !device::may_map(phys, (pages * PAGE) as u64, prot.writable())
        {
            return Err(OutOfMemory);
        }
        for page in 0..pages {
            let at = va.checked_add(page * PAGE).ok_or(OutOfMemory);
            let entry = pte::device(phys + (page * PAGE) as u64, prot, cache);
            match at.and_then(|at| self.set(at, entry)) {
                Ok(old) => drop_entry(old),
                Err(error) => {
                    self.unmap(va, page, &mut |_, _, _| {});
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Replaces one entry and flushes what must be; the caller gives up the old one.
    #[inline]
    fn set(&self, va: usize, new: u64) -> Result<u64, OutOfMemory> {
        if va >= USER_END || !va.is_multiple_of(PAGE) {
            return Err(OutOfMemory);
        }
        let _guard = self.lock.lock();
        let table = self.make_leaf(va)?;
        let old = entries(table)[va >> 12 & 511].swap(new, Release);
        let counted = |entry| usize::from(entry != 0 && entry & pte::DEVICE == 0);
        self.resident.store(self.resident.load(Relaxed) + counted(new) - counted(old), Relaxed);
        if old == 0 {
            add_entries(table, 1);
        } else if pte::needs_flush(old, new) {
            tlb::flush(self, Range::Pages(va, 1));
        } else if old & pte::PRESENT != 0 {
            // More rights. Another CPU may fault once for nothing; this one is about to use the page.
            tlb::invlpg(va);
        }
        Ok(old)
    }

    /// Takes pages out. `each` gets address, frame, and whether the page was written through this table, after all CPUs have
    /// flushed it, and without the table's lock. Holes are skipped quickly; device pages just vanish.
    pub fn unmap(&self, va: usize, pages: usize, each: &mut dyn FnMut(usize, Frame, bool)) {
        let (mut at, end) = clamp(va, pages);
        while at < end {
            let mut batch = Batch::new();
            let guard = self.lock.lock();
            at = self.collect(at, end, &mut batch);
            if batch.stale {
                tlb::flush(self, batch.range());
            }
            drop(guard);
            batch.deliver(each);
        }
    }

    /// Takes up to a batch of entries out of the tables, with the lock held; returns where to go on.
    fn collect(&self, mut at: usize, end: usize, batch: &mut Batch) -> usize {
        while at < end && batch.len < BATCH {
            let path = match self.path(at) {
                Ok(path) => path,
                Err(next) => {
                    at = next;
                    continue;
                }
            };
            let table = path[2];
            let limit = end.min((at | (LEAF_SPAN - 1)) + 1);
            let mut removed = 0;
            let base = at & !(LEAF_SPAN - 1);
            let to = (limit - base) / PAGE;
            while at < limit && batch.len < BATCH {
                let index = next_occupied(table, at >> 12 & 511, to);
                at = base + index * PAGE;
                if index < to {
                    // The CPU sets the dirty bit only in an entry that is present: what the exchange returns is final.
                    batch.push(at, entries(table)[index].swap(0, Relaxed));
                    removed += 1;
                    at += PAGE;
                }
            }
            if removed > 0 && remove_entries(table, removed) == 0 {
                self.prune(base, path, batch);
            }
        }
        self.resident.store(self.resident.load(Relaxed) - batch.frames, Relaxed);
        at
    }

    /// Takes out the leaf table of `va`, which is empty, and tables above it that become empty.
    fn prune(&self, va: usize, path: [u64; 3], batch: &mut Batch) {
        batch.stale = true;
        for (parent, table, shift) in [(path[1], path[2], 21), (path[0], path[1], 30), (self.root, path[0], 39)] {
            entries(parent)[va >> shift & 511].store(0, Relaxed);
            let frame = (table / PAGE as u64) as u32;
            mem::meta(frame).next.store(batch.tables, Relaxed);
            batch.tables = frame;
            if remove_entries(parent, 1) > 0 {
                break;
            }
        }
    }

    /// Changes the rights of pages that are there, also of those without any right, and of devices'. Flushes where rights
    /// shrink. Writing is given wherever `prot` has it: pages that are shared copy-on-write are the caller's business.
    pub fn protect(&self, va: usize, pages: usize, prot: Prot) {
        let (at, end) = clamp(va, pages);
        let mut changed = Changed::none();
        let _guard = self.lock.lock();
        self.each_entry(at, end, |va, entry| {
            let old = entry.load(Relaxed);
            let new = pte::with_prot(old, prot);
            // The CPU may set other bits of the entry meanwhile, but none of those that differ here.
            if new != old {
                entry.fetch_xor(old ^ new, Relaxed);
                changed.note(va, old, new);
            }
        });
        changed.flush(self);
    }

    /// Clears dirty bits, takes away writing, and reports the addresses of the pages that were dirty, so that they can be
    /// written back: a later write faults. `each` runs after the flush and without the table's lock.
    pub fn clean(&self, va: usize, pages: usize, each: &mut dyn FnMut(usize)) {
        let (mut at, end) = clamp(va, pages);
        while at < end {
            let guard = self.lock.lock();
            if let Err(next) = self.path(at) {
                at = next;
                continue;
            }
            let part = end.min(at + BATCH * PAGE);
            let mut dirty = 0u64;
            let mut changed = Changed::none();
            self.each_entry(at, part, |va, entry| {
                let cleaned = |old: u64| if old & pte::DEVICE == 0 { old & !(pte::WRITE | pte::DIRTY) } else { old };
                let old = update(entry, cleaned);
                changed.note(va, old, cleaned(old));
                if old & pte::DEVICE == 0 && old & pte::DIRTY != 0 {
                    dirty |= 1 << ((va - at) / PAGE);
                }
            });
            changed.flush(self);
            drop(guard);
            while dirty != 0 {
                each(at + dirty.trailing_zeros() as usize * PAGE);
                dirty &= dirty - 1;
            }
            at = part;
        }
    }

    /// For fork: pages become read-only here and are mapped, read-only too, at the same addresses of `into`, where these are
    /// free. Returns how many. Device pages are left out.
    ///
    /// # Errors
    /// No memory for a table. Pages that are shared by then stay shared.
    pub fn share_readonly(&self, into: &PageTable, va: usize, pages: usize) -> Result<usize, OutOfMemory> {
        if core::ptr::eq(self, into) {
            return Ok(0);
        }
        let (mut at, end) = clamp(va, pages);
        // Two CPUs that share between the same tables take the locks in the same order.
        let self_first = (&raw const *self) < (&raw const *into);
        let (first, second) = if self_first { (self, into) } else { (into, self) };
        let _guards = (first.lock.lock(), second.lock.lock());
        let mut total = 0;
        let mut shrunk = false;
        let mut result = Ok(());
        while at < end {
            let source = match self.path(at) {
                Ok(path) => path[2],
                Err(next) => {
                    at = next;
                    continue;
                }
            };
            let limit = end.min((at | (LEAF_SPAN - 1)) + 1);
            let target_table = match into.make_leaf(at) {
                Ok(table) => table,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            let target = entries(target_table);
            let to = ((limit - 1) >> 12 & 511) + 1;
            let mut index = at >> 12 & 511;
            let mut shared = 0;
            loop {
                index = next_occupied(source, index, to);
                if index == to {
                    break;
                }
                let (entry, new) = (&entries(source)[index], &target[index]);
                index += 1;
                let old = entry.load(Relaxed);
                if old & pte::DEVICE != 0 || new.load(Relaxed) != 0 {
                    continue;
                }
                if old & pte::WRITE != 0 {
                    entry.fetch_and(!pte::WRITE, Relaxed);
                    shrunk = true;
                }
                let _ = Frame::from_entry(frame_of(old)).into_raw();
                new.store(old & !(pte::WRITE | pte::DIRTY), Relaxed);
                shared += 1;
            }
            add_entries(target_table, shared);
            total += shared as usize;
            at = limit;
        }
        into.resident.store(into.resident.load(Relaxed) + total, Relaxed);
        if shrunk {
            tlb::flush(self, Range::All);
        }
        result.map(|()| total)
    }

    /// The page at `va`: its frame (referenced anew) and rights. None for a hole and for device memory.
    #[inline]
    pub fn lookup(&self, va: usize) -> Option<(Frame, Prot)> {
        if va >= USER_END {
            return None;
        }
        let _guard = self.lock.lock();
        let path = self.path(va).ok()?;
        let entry = entries(path[2])[va >> 12 & 511].load(Relaxed);
        if entry == 0 || entry & pte::DEVICE != 0 {
            return None;
        }
        Some((Frame::from_entry(frame_of(entry)), Prot::of(entry)))
    }

    /// Whether the page at `va`, if it is `frame`, was accessed since this was asked last. No flush is made: a CPU that still has the
    /// translation marks the next access only once it has lost it, so the answer is an estimate.
    pub fn take_accessed(&self, va: usize, frame: &Frame) -> bool {
        if va >= USER_END {
            return false;
        }
        let _guard = self.lock.lock();
        let Ok(path) = self.path(va) else { return false };
        let entry = &entries(path[2])[va >> 12 & 511];
        let old = entry.load(Relaxed);
        let is_it = old != 0 && old & pte::DEVICE == 0 && u64::from(frame_of(old)) * PAGE as u64 == frame.phys();
        is_it && old & pte::ACCESSED != 0 && entry.fetch_and(!pte::ACCESSED, Relaxed) & pte::ACCESSED != 0
    }

    /// Breaks copy-on-write: if nothing but this entry refers to the page, the entry gets these rights where it stands (they are to
    /// grow: only this CPU's translation is flushed); if somebody else does, the caller is to copy the page and map the copy.
    pub fn claim(&self, va: usize, prot: Prot) -> Claim {
        if va >= USER_END {
            return Claim::Absent;
        }
        let mut changed = Changed::none();
        let _guard = self.lock.lock();
        let Ok(path) = self.path(va) else { return Claim::Absent };
        let entry = &entries(path[2])[va >> 12 & 511];
        let old = entry.load(Relaxed);
        if old == 0 || old & pte::DEVICE != 0 {
            return Claim::Absent;
        }
        let frame = Frame::from_entry(frame_of(old));
        // The entry's reference and the one just made. Nobody can add to them: that takes one of them, or this table's lock.
        if frame.references() != 2 {
            return Claim::Shared(frame);
        }
        let new = pte::with_prot(old, prot);
        if new != old {
            entry.fetch_xor(old ^ new, Relaxed);
            changed.note(va, old, new);
        }
        changed.flush(self);
        Claim::Granted
    }

    /// Pages mapped, without devices'.
    #[inline]
    pub fn resident(&self) -> usize {
        self.resident.load(Relaxed)
    }

    /// The three tables below the root that lead to `va`, or where the next address is that may have some.
    #[inline(always)]
    fn path(&self, va: usize) -> Result<[u64; 3], usize> {
        let below = |table: u64, shift: u32| {
            let entry = entries(table)[va >> shift & 511].load(Relaxed);
            if entry == 0 { Err(((va >> shift) + 1) << shift) } else { Ok(entry & pte::ADDRESS) }
        };
        let upper = below(self.root, 39)?;
        let middle = below(upper, 30)?;
        Ok([upper, middle, below(middle, 21)?])
    }

    /// The table with the entry for `va`, made if it is not there; with the lock held.
    #[inline]
    fn make_leaf(&self, va: usize) -> Result<u64, OutOfMemory> {
        match self.path(va) {
            Ok(path) => Ok(path[2]),
            Err(_) => self.make_tables(va),
        }
    }

    #[inline(never)]
    fn make_tables(&self, va: usize) -> Result<u64, OutOfMemory> {
        let mut table = self.root;
        for shift in [39, 30, 21] {
            let entry = &entries(table)[va >> shift & 511];
            let mut value = entry.load(Relaxed);
            if value == 0 {
                if !mem::has_room() {
                    return Err(OutOfMemory);
                }
                let frame = mem::alloc_frame().ok_or(OutOfMemory)?;
                // SAFETY: the frame is new.
                unsafe { mem::zero_frame(frame) };
                mem::meta(frame).info.store(0, Relaxed);
                value = (u64::from(frame) * PAGE as u64) | TO_TABLE;
                entry.store(value, Release);
                add_entries(table, 1);
            }
            table = value & pte::ADDRESS;
        }
        Ok(table)
    }

    /// Calls `f` for each occupied entry of a range, with the lock held.
    #[inline(always)]
    fn each_entry(&self, mut at: usize, end: usize, mut f: impl FnMut(usize, &AtomicU64)) {
        while at < end {
            let path = match self.path(at) {
                Ok(path) => path,
                Err(next) => {
                    at = next;
                    continue;
                }
            };
            let base = at & !(LEAF_SPAN - 1);
            let limit = end.min(base + LEAF_SPAN);
            let to = (limit - base) / PAGE;
            let mut index = next_occupied(path[2], at >> 12 & 511, to);
            while index < to {
                f(base + index * PAGE, &entries(path[2])[index]);
                index = next_occupied(path[2], index + 1, to);
            }
            at = limit;
        }
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        // No CPU has it in CR3: each holds a reference while it has (`tlb::activate`).
        free_table(self.root, 4);
    }
}

/// Frees a table, what is below it, and the references that it owns. Answers shootdowns between leaf tables, so that nobody
/// waits for long.
fn free_table(table: u64, level: u32) {
    let frame = (table / PAGE as u64) as u32;
    let mut index = 0;
    for _ in 0..mem::meta(frame).info.load(Relaxed) {
        index = next_occupied(table, index, if level == 4 { 256 } else { 512 });
        let value = entries(table)[index].load(Relaxed);
        if level == 1 {
            drop_entry(value)
        } else {
            free_table(value & pte::ADDRESS, level - 1)
        }
        index += 1;
    }
    if level == 1 {
        service_shootdown();
    }
    mem::meta(frame).info.store(0, Relaxed);
    mem::free_frame(frame);
}

/// The first occupied entry of a table from index `from` on, before `to`; else `to`.
#[inline(always)]
fn next_occupied(table: u64, from: usize, to: usize) -> usize {
    if from >= to || entries(table)[from & 511].load(Relaxed) != 0 { from } else { skip_holes(table, from, to) }
}

fn skip_holes(table: u64, from: usize, to: usize) -> usize {
    let start = &raw const entries(table)[0] as usize;
    let (end, found): (usize, u8);
    // SAFETY: reads entries of a page table, up to the first that is not zero; the CPU may change others meanwhile. DF is
    // clear (psABI). `scas` leaves the address after the last entry that it read.
    unsafe {
        asm!("cmp al, al", "repe scasq", "setne {found}", found = out(reg_byte) found, in("rax") 0,
            inout("rdi") start + 8 * from => end, inout("rcx") to - from => _, options(nostack, readonly));
    }
    if found != 0 { (end - start) / 8 - 1 } else { to }
}

/// Counts entries into a table; only under its address space's lock.
fn add_entries(table: u64, count: u32) {
    let info = &mem::meta((table / PAGE as u64) as u32).info;
    info.store(info.load(Relaxed) + count, Relaxed);
}

/// Counts entries out of a table and returns how many are left.
fn remove_entries(table: u64, count: u32) -> u32 {
    let info = &mem::meta((table / PAGE as u64) as u32).info;
    let left = info.load(Relaxed) - count;
    info.store(left, Relaxed);
    left
}

#[inline(always)]
fn frame_of(entry: u64) -> u32 {
    ((entry & pte::ADDRESS) / PAGE as u64) as u32
}

/// Gives up the reference of an entry that has left its table.
#[inline(always)]
fn drop_entry(entry: u64) {
    if entry != 0 && entry & pte::DEVICE == 0 {
        // SAFETY: an occupied entry owns a reference; this one is in no table any more (or its table is being freed).
        drop(unsafe { Frame::from_raw(frame_of(entry)) });
    }
}

/// Changes an entry while the CPU may set its accessed and dirty bits; returns what it was.
#[inline(always)]
fn update(entry: &AtomicU64, change: impl Fn(u64) -> u64) -> u64 {
    let mut old = entry.load(Relaxed);
    loop {
        let new = change(old);
        if new == old {
            return old;
        }
        match entry.compare_exchange(old, new, Relaxed, Relaxed) {
            Ok(_) => return old,
            Err(now) => old = now,
        }
    }
}

/// A range in whole pages of the user half.
fn clamp(va: usize, pages: usize) -> (usize, usize) {
    let start = (va & !(PAGE - 1)).min(USER_END);
    (start, start + pages.min((USER_END - start) / PAGE) * PAGE)
}

/// Which pages need a flush after a change of rights.
struct Changed {
    first: usize,
    last: usize,
    shrunk: bool,
}

impl Changed {
    fn none() -> Changed {
        Changed { first: usize::MAX, last: 0, shrunk: false }
    }

    #[inline(always)]
    fn note(&mut self, va: usize, old: u64, new: u64) {
        if pte::needs_flush(old, new) {
            self.first = self.first.min(va);
            self.last = va;
            self.shrunk = true;
        }
    }

    fn flush(&self, table: &PageTable) {
        if self.shrunk {
            tlb::flush(table, Range::Pages(self.first, (self.last - self.first) / PAGE + 1));
        }
    }
}

/// Entries and tables that have been taken out and wait for the flush.
struct Batch {
    /// Address and entry; the first `len` are set. Device entries are not kept.
    pages: [MaybeUninit<(usize, u64)>; BATCH],
    len: usize,
    /// Frames among the entries: all of them.
    frames: usize,
    first: usize,
    last: usize,
    /// Some CPU may have a translation of it.
    stale: bool,
    /// Tables, linked through their metadata.
    tables: u32,
}

impl Batch {
    #[inline(always)]
    fn new() -> Batch {
        Batch {
            pages: [const { MaybeUninit::uninit() }; BATCH],
            len: 0,
            frames: 0,
            first: usize::MAX,
            last: 0,
            stale: false,
            tables: NONE,
        }
    }

    #[inline(always)]
    fn push(&mut self, va: usize, entry: u64) {
        self.stale |= entry & pte::PRESENT != 0;
        self.first = self.first.min(va);
        self.last = va;
        if entry & pte::DEVICE == 0 {
            self.pages[self.len].write((va, entry));
            self.len += 1;
            self.frames += 1;
        }
    }

    fn range(&self) -> Range {
        Range::Pages(self.first, (self.last - self.first) / PAGE + 1)
    }

    /// Hands the frames out and frees the tables, after the flush.
    fn deliver(self, each: &mut dyn FnMut(usize, Frame, bool)) {
        let mut table = self.tables;
        while table != NONE {
            let next = mem::meta(table).next.load(Relaxed);
            mem::free_frame(table);
            table = next;
        }
        for page in &self.pages[..self.len] {
            // SAFETY: the first `len` are set, each by `push`.
            let (va, entry) = unsafe { page.assume_init() };
            // SAFETY: the entry owned a reference and is in no table any more.
            let frame = unsafe { Frame::from_raw(frame_of(entry)) };
            each(va, frame, entry & pte::DIRTY != 0);
        }
    }
}
