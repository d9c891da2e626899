//! The kernel's heap: slabs of one page per size class with a list of free objects per CPU; larger blocks are whole pages.
//!
//! The common path touches this CPU's list only: about ten instructions and no lock (interrupts are off, and the NMI
//! handler does not allocate). Lists exchange batches with the slabs under the class's lock. A slab whose objects are all
//! free goes back to the frame allocator, if its class has another one.
//!
//! A slab's [`FrameMeta`](super::buddy::FrameMeta): `info` = free objects << 16 | index of the first, `next`/`prev` = the
//! class's list of slabs with free objects. A free object in a slab begins with the index of the next (u16); a free object in
//! a CPU's list begins with the address of the next.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::buddy::NONE;
use super::classes::{self, SIZES, class_of};
use super::{alloc_adjacent, alloc_frame, frame_ptr, free_adjacent, free_frame, kvirt, meta};
use crate::SpinLock;
use crate::cpu;
use crate::layout::{DYNAMIC, PAGE, virt_to_phys};

#[global_allocator]
static HEAP: Heap = Heap;
static BYTES: AtomicUsize = AtomicUsize::new(0);
static SLABS: [SpinLock<Slabs>; classes::COUNT] = [const { SpinLock::new(Slabs { head: NONE }) }; classes::COUNT];
/// No further free object.
const LAST: u16 = u16::MAX;

/// The slabs of one class that have free objects.
struct Slabs {
    head: u32,
}

/// Bytes of memory in the heap.
pub fn bytes() -> usize {
    BYTES.load(Relaxed)
}

struct Heap;

// SAFETY: an object belongs to one class by its layout alone, so alloc and dealloc agree. A list hands an object out once:
// it is unlinked when it is allocated and linked again when it is freed. Sizes and alignment: see `class_of`; pages are
// aligned to their (rounded) size by the buddy allocator, or to a page from `kvirt`, which is used for no more.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout.size(), layout.align()) else { return alloc_pages(layout) };
        let list = &cpu::this().heap[class];
        let object = list.head.get();
        if object.is_null() {
            return refill(class);
        }
        // SAFETY: a free object in this CPU's list holds the next one's address in its first word.
        list.head.set(unsafe { object.cast::<*mut u8>().read() });
        list.count.set(list.count.get() - 1);
        object
    }

    #[inline]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout.size(), layout.align()) else { return free_pages(object, layout) };
        let list = &cpu::this().heap[class];
        // SAFETY: the object is the caller's, given up here; every class has room for a pointer.
        unsafe { object.cast::<*mut u8>().write(list.head.get()) };
        list.head.set(object);
        let count = list.count.get() + 1;
        list.count.set(count);
        if count as usize > 2 * classes::batch(class) {
            flush(class);
        }
    }

    unsafe fn realloc(&self, object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let same = match (class_of(layout.size(), layout.align()), class_of(new_size, layout.align())) {
            (Some(old), Some(new)) => old == new,
            (None, None) => pages(layout.size()) == pages(new_size),
            _ => false,
        };
        if same {
            return object;
        }
        // SAFETY: the caller's layout is valid, and it promises that the new size is too.
        unsafe {
            let new_layout = Layout::from_size_align_unchecked(new_size, layout.align());
            let new = self.alloc(new_layout);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(object, new, layout.size().min(new_size));
                self.dealloc(object, layout);
            }
            new
        }
    }
}

fn pages(size: usize) -> usize {
    size.div_ceil(PAGE)
}

/// Blocks of whole pages: adjacent frames, or where memory is too scattered for that, pages mapped side by side.
#[cold]
#[inline(never)]
fn alloc_pages(layout: Layout) -> *mut u8 {
    let count = pages(layout.size().max(layout.align().min(1 << 27)));
    let block = if count == 1 {
        alloc_frame().map(frame_ptr)
    } else {
        // Above 1 page a block is as aligned as its size rounded up to a power of two.
        alloc_adjacent(count, u64::MAX).map(frame_ptr)
    };
    let block = match block {
        Some(block) => block,
        None if layout.align() <= PAGE => match kvirt::alloc(count) {
            Some(address) => address as *mut u8,
            None => return core::ptr::null_mut(),
        },
        None => return core::ptr::null_mut(),
    };
    BYTES.fetch_add(count * PAGE, Relaxed);
    block
}

#[cold]
#[inline(never)]
fn free_pages(object: *mut u8, layout: Layout) {
    let count = pages(layout.size().max(layout.align().min(1 << 27)));
    BYTES.fetch_sub(count * PAGE, Relaxed);
    if object as usize >= DYNAMIC {
        return kvirt::free(object as usize, count);
    }
    let first = (virt_to_phys(object as usize) / PAGE as u64) as u32;
    if count == 1 { free_frame(first) } else { free_adjacent(first, count) }
}

/// Fills this CPU's empty list of a class and returns one object more; null if memory is exhausted.
#[cold]
#[inline(never)]
fn refill(class: usize) -> *mut u8 {
    let size = SIZES[class];
    let mut slabs = SLABS[class].lock();
    let mut list: *mut u8 = core::ptr::null_mut();
    let mut count = 0;
    while count < classes::batch(class) {
        if slabs.head == NONE {
            // One object is enough; a new slab is worth it only for the first.
            if count > 0 || !grow(&mut slabs, size) {
                break;
            }
        }
        let slab = slabs.head;
        let info = meta(slab).info.load(Relaxed);
        let (free, index) = (info >> 16, info as u16);
        let object = frame_ptr(slab).wrapping_add(index as usize * size);
        // SAFETY: a free object of the slab; it holds the next one's index, and becomes part of the list here.
        let next = unsafe {
            let next = object.cast::<u16>().read();
            object.cast::<*mut u8>().write(list);
            next
        };
        list = object;
        count += 1;
        meta(slab).info.store((free - 1) << 16 | u32::from(next), Relaxed);
        if free == 1 {
            unlink(&mut slabs, slab);
        }
    }
    drop(slabs);
    if list.is_null() {
        return list;
    }
    let own = &cpu::this().heap[class];
    // SAFETY: the first object of the list made above; the rest goes to this CPU.
    own.head.set(unsafe { list.cast::<*mut u8>().read() });
    own.count.set(count as u32 - 1);
    list
}

/// Gives a batch of objects from this CPU's list back to their slabs.
#[cold]
#[inline(never)]
fn flush(class: usize) {
    let size = SIZES[class];
    let capacity = (PAGE / size) as u32;
    let list = &cpu::this().heap[class];
    let mut slabs = SLABS[class].lock();
    for _ in 0..classes::batch(class) {
        let object = list.head.get();
        let address = object as usize;
        let slab = (virt_to_phys(address) / PAGE as u64) as u32;
        let info = meta(slab).info.load(Relaxed);
        let free = (info >> 16) + 1;
        // SAFETY: a free object of this CPU's list (which holds more than a batch), moved to its slab's list here.
        unsafe {
            list.head.set(object.cast::<*mut u8>().read());
            object.cast::<u16>().write(info as u16);
        }
        meta(slab).info.store(free << 16 | (address % PAGE / size) as u32, Relaxed);
        if free == 1 {
            link(&mut slabs, slab);
        }
        if free == capacity && (slabs.head != slab || meta(slab).next.load(Relaxed) != NONE) {
            unlink(&mut slabs, slab);
            meta(slab).info.store(0, Relaxed);
            meta(slab).refs.store(0, Relaxed);
            BYTES.fetch_sub(PAGE, Relaxed);
            free_frame(slab);
        }
    }
    list.count.set(list.count.get() - classes::batch(class) as u32);
}

/// A new slab of free objects for the class.
fn grow(slabs: &mut Slabs, size: usize) -> bool {
    let Some(slab) = alloc_frame() else { return false };
    let objects = PAGE / size;
    for index in 0..objects {
        let next = if index + 1 == objects { LAST } else { index as u16 + 1 };
        // SAFETY: the page is new, and the object inside it.
        unsafe { frame_ptr(slab).add(index * size).cast::<u16>().write(next) };
    }
    meta(slab).refs.store(1, Relaxed);
    meta(slab).info.store((objects as u32) << 16, Relaxed);
    link(slabs, slab);
    BYTES.fetch_add(PAGE, Relaxed);
    true
}

fn link(slabs: &mut Slabs, slab: u32) {
    meta(slab).prev.store(NONE, Relaxed);
    meta(slab).next.store(slabs.head, Relaxed);
    if slabs.head != NONE {
        meta(slabs.head).prev.store(slab, Relaxed);
    }
    slabs.head = slab;
}

fn unlink(slabs: &mut Slabs, slab: u32) {
    let (next, prev) = (meta(slab).next.load(Relaxed), meta(slab).prev.load(Relaxed));
    if prev == NONE {
        slabs.head = next;
    } else {
        meta(prev).next.store(next, Relaxed);
    }
    if next != NONE {
        meta(next).prev.store(prev, Relaxed);
    }
}
