//! Pages of small blocks: the store behind the threads' lists, one lock per size class.

use super::cache::Free;
use super::class;
use super::segment::{self, PAGE, Page};
use crate::lock::Lock;
use core::ptr;

/// The pages of a class that have a block to give.
struct Partial {
    first: *mut Page,
}

static CLASSES: [Lock<Partial>; class::COUNT] = [const { Lock::new(Partial { first: ptr::null_mut() }) }; class::COUNT];

impl Partial {
    unsafe fn push(&mut self, page: *mut Page) {
        (*page).listed = true;
        (*page).prev = ptr::null_mut();
        (*page).next = self.first;
        if !self.first.is_null() {
            (*self.first).prev = page;
        }
        self.first = page;
    }

    unsafe fn remove(&mut self, page: *mut Page) {
        (*page).listed = false;
        let (next, prev) = ((*page).next, (*page).prev);
        if prev.is_null() {
            self.first = next;
        } else {
            (*prev).next = next;
        }
        if !next.is_null() {
            (*next).prev = prev;
        }
    }
}

/// Takes up to `wanted` blocks of `class`: a linked list and its length, at least one block
/// unless memory is exhausted.
pub fn take(class: usize, wanted: usize) -> (*mut Free, usize) {
    let size = class::size(class);
    let mut partial = CLASSES[class].lock();
    let mut head: *mut Free = ptr::null_mut();
    let mut count = 0;
    // SAFETY: pages in the list belong to this class and are ours under its lock; free blocks
    // are unused memory.
    unsafe {
        while count < wanted.max(1) {
            let page = partial.first;
            if page.is_null() {
                if count > 0 {
                    break;
                }
                let fresh = segment::allocate_page(class);
                if fresh.is_null() {
                    break;
                }
                partial.push(fresh);
                continue;
            }
            let start = segment::page_start(page);
            while count < wanted.max(1) {
                let block = if !(*page).free.is_null() {
                    let block = (*page).free;
                    (*page).free = (*block).next;
                    block
                } else if (*page).fresh as usize + size <= PAGE {
                    let block = start.add((*page).fresh as usize).cast::<Free>();
                    (*page).fresh += size as u32;
                    block
                } else {
                    break;
                };
                (*page).used += 1;
                (*block).next = head;
                head = block;
                count += 1;
            }
            if (*page).free.is_null() && (*page).fresh as usize + size > PAGE {
                partial.remove(page);
            }
        }
    }
    (head, count)
}

/// Gives the first `count` blocks of the list `head` back, and returns the rest of the list.
///
/// # Safety
/// The blocks are of `class`, and free.
pub unsafe fn give(class: usize, mut head: *mut Free, count: usize) -> *mut Free {
    let mut partial = CLASSES[class].lock();
    for _ in 0..count {
        let block = head;
        head = (*block).next;
        let page = segment::page_of(block.cast());
        (*block).next = (*page).free;
        (*page).free = block;
        (*page).used -= 1;
        if !(*page).listed {
            partial.push(page);
        }
        // The last page with room stays, so that one block allocated and freed in turn maps nothing.
        let only = partial.first == page && (*page).next.is_null();
        if (*page).used == 0 && !only {
            partial.remove(page);
            segment::release_page(page);
        }
    }
    head
}

/// Takes the locks of all classes.
pub fn lock_all() {
    for class in &CLASSES {
        class.raw.lock();
    }
}

/// Frees the locks of all classes.
pub fn unlock_all() {
    for class in &CLASSES {
        class.raw.unlock();
    }
}
