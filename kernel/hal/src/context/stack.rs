//! Kernel stacks. A few free ones are kept: to make a thread is then to take one from the list.

use crate::SpinLock;
use crate::layout::PAGE;
use crate::mem::kvirt;

/// Pages of a stack.
pub const PAGES: usize = 4;
/// Free stacks that are kept; beyond, half of them are given back at once, for one TLB shootdown.
const KEPT: usize = 64;

static FREE: SpinLock<Free> = SpinLock::new(Free { bases: [0; KEPT], len: 0 });

struct Free {
    bases: [usize; KEPT],
    len: usize,
}

/// A kernel stack, with a page below it that is not mapped.
#[derive(Debug)]
pub struct Stack {
    base: usize,
}

impl Stack {
    /// A stack; what it held before is still in it. None without memory.
    #[inline]
    pub fn new() -> Option<Stack> {
        let mut free = FREE.lock();
        if let Some(last) = free.len.checked_sub(1) {
            free.len = last;
            return Some(Stack { base: free.bases[last] });
        }
        drop(free);
        kvirt::alloc(PAGES).map(|base| Stack { base })
    }

    /// The address after its last byte.
    pub fn top(&self) -> usize {
        self.base + PAGES * PAGE
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut free = FREE.lock();
        if free.len < KEPT {
            let len = free.len;
            free.bases[len] = self.base;
            free.len += 1;
            return;
        }
        const BATCH: usize = KEPT / 2;
        let mut out = [0; BATCH];
        out.copy_from_slice(&free.bases[KEPT - BATCH..]);
        free.bases[KEPT - BATCH] = self.base;
        free.len = KEPT - BATCH + 1;
        drop(free);
        kvirt::free_all(&out, PAGES);
    }
}
