//! Each thread's free blocks: a list per size class, used without a lock.

use super::{class, small};
use crate::thread;

/// Bytes a list may hold before half of it goes back to the pages.
const LIST_BYTES: usize = 64 << 10;
const LIST_BLOCKS_MAX: usize = 256;
const LIST_BLOCKS_MIN: usize = 4;

/// The first word of a free block.
pub struct Free {
    /// The next free block of the list.
    pub next: *mut Free,
}

#[derive(Clone, Copy)]
struct List {
    head: *mut Free,
    count: usize,
}

/// A thread's lists.
pub struct Cache {
    lists: [List; class::COUNT],
    closed: bool,
}

impl Cache {
    /// Empty lists.
    pub const fn new() -> Cache {
        Cache { lists: [List { head: core::ptr::null_mut(), count: 0 }; class::COUNT], closed: false }
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

/// How many blocks a list of `class` keeps at most.
fn limit(class: usize) -> usize {
    (LIST_BYTES / class::size(class)).clamp(LIST_BLOCKS_MIN, LIST_BLOCKS_MAX)
}

/// A block of `class`, or null when memory is exhausted.
#[inline]
pub fn allocate(class: usize) -> *mut u8 {
    // SAFETY: only the owning thread touches its lists, and a listed block is free, so that its
    // first word is ours.
    unsafe {
        let list = &mut (*(*thread::current()).cache.get()).lists[class];
        let block = list.head;
        if !block.is_null() {
            list.head = (*block).next;
            list.count -= 1;
            return block.cast();
        }
    }
    refill(class)
}

#[cold]
#[inline(never)]
fn refill(class: usize) -> *mut u8 {
    // SAFETY: as above; `take` hands over `count` linked free blocks.
    unsafe {
        let cache = &mut *(*thread::current()).cache.get();
        let wanted = if cache.closed { 1 } else { limit(class) / 2 };
        let (head, count) = small::take(class, wanted);
        if head.is_null() {
            return core::ptr::null_mut();
        }
        let list = &mut cache.lists[class];
        list.head = (*head).next;
        list.count = count - 1;
        head.cast()
    }
}

/// Frees a block of `class`.
///
/// # Safety
/// The block is live, of that class, and not used any more.
#[inline]
pub unsafe fn release(block: *mut u8, class: usize) {
    let cache = &mut *(*thread::current()).cache.get();
    let list = &mut cache.lists[class];
    let free = block.cast::<Free>();
    (*free).next = list.head;
    list.head = free;
    list.count += 1;
    // The mask makes the usual case one test; the exact limit is looked at every few frees.
    if list.count & (LIST_BLOCKS_MIN - 1) == 0 {
        trim(cache, class);
    }
}

#[inline(never)]
fn trim(cache: &mut Cache, class: usize) {
    let list = &mut cache.lists[class];
    let most = limit(class);
    if list.count > most || cache.closed {
        let keep = if cache.closed { 0 } else { most / 2 };
        drain(list, class, list.count - keep);
    }
}

/// Gives the first `count` blocks of a list back.
fn drain(list: &mut List, class: usize, count: usize) {
    list.count -= count;
    // SAFETY: the blocks are free, and `give` detaches exactly `count` of them.
    list.head = unsafe { small::give(class, list.head, count) };
}

/// Gives everything back and keeps nothing from now on: the thread ends.
///
/// # Safety
/// `cache` is the calling thread's.
pub unsafe fn close(cache: *mut Cache) {
    let cache = &mut *cache;
    for class in 0..class::COUNT {
        let list = &mut cache.lists[class];
        if list.count > 0 {
            drain(list, class, list.count);
        }
    }
    cache.closed = true;
}
