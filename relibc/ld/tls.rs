//! Thread-local storage. psABI chapter 8.4, Drepper's "ELF handling for thread-local storage", variant II.
//!
//! Blocks of objects loaded at the start, and of later ones that insist (initial-exec code), are *static*:
//! at a fixed distance below `%fs` in every thread. A surplus is kept for the latter. All other
//! blocks are made when a thread first asks for them.

use super::object::{ObjectRef, TlsSegment};
use crate::heap;
use crate::lock::Lock;
use crate::pthread::list;
use crate::thread::{self, Thread};
use alloc::vec::Vec;
use core::ptr;

/// Static TLS kept for objects loaded later, bytes (glibc keeps 1,664; Mesa's drivers need some hundred each).
const SURPLUS: usize = 4096;
/// Alignment of thread control blocks, and the most that a static block gets.
pub const ALIGN: usize = 64;

#[derive(Clone, Copy)]
struct Module {
    segment: TlsSegment,
    /// Distance below `%fs`, or 0 for a dynamic block.
    offset: usize,
}

struct State {
    /// By module id; entry 0 is unused.
    modules: Vec<Option<Module>>,
    /// Static bytes given out.
    used: usize,
    /// Static bytes of every thread, fixed once the program starts.
    size: usize,
}

static STATE: Lock<State> = Lock::new(State { modules: Vec::new(), used: 0, size: 0 });

/// Gives a segment its module id. Ids are not used again.
pub fn new_module(segment: &TlsSegment) -> usize {
    let mut state = STATE.lock();
    if state.modules.is_empty() {
        state.modules.push(None);
    }
    let id = state.modules.len();
    state.modules.push(Some(Module { segment: TlsSegment { module: id, ..*segment }, offset: 0 }));
    id
}

/// Forgets a module; blocks that threads have made for it go when they end.
pub fn drop_module(module: usize) {
    if let Some(entry) = STATE.lock().modules.get_mut(module) {
        *entry = None;
    }
}

/// The distance below `%fs` for a block behind `used` bytes.
fn place(used: usize, segment: &TlsSegment) -> usize {
    let offset = used + segment.size;
    // The address, `%fs - offset`, is to be congruent to the segment's address.
    offset + (segment.address.wrapping_neg().wrapping_sub(offset) & (segment.align - 1))
}

/// Lays out the blocks of the objects the program starts with, in scope order.
///
/// # Errors
/// An object wants more alignment than control blocks have.
pub fn lay_out(objects: &[ObjectRef]) -> super::error::Result<()> {
    let mut state = STATE.lock();
    for object in objects {
        if let Some(segment) = object.tls {
            let offset = place(state.used, &segment);
            object.tls_offset.set(offset);
            state.used = offset;
            if let Some(Some(module)) = state.modules.get_mut(segment.module) {
                module.offset = offset;
            }
        }
    }
    state.size = (state.used + SURPLUS).next_multiple_of(super::elf::PAGE);
    Ok(())
}

/// Static bytes below every thread's control block.
pub fn static_size() -> usize {
    STATE.lock().size
}

/// The alignment that control blocks need so that every static block gets its own.
pub fn static_align() -> usize {
    let state = STATE.lock();
    state.modules.iter().flatten().map(|module| module.segment.align).fold(ALIGN, usize::max)
}

/// Moves an object's block into the surplus, for all threads. False when no room is left.
pub fn make_static(object: ObjectRef) -> bool {
    let Some(segment) = object.tls else { return false };
    let mut state = STATE.lock();
    let offset = place(state.used, &segment);
    if offset > state.size || segment.align > ALIGN {
        return false;
    }
    state.used = offset;
    object.tls_offset.set(offset);
    if let Some(Some(module)) = state.modules.get_mut(segment.module) {
        module.offset = offset;
    }
    list::for_each(|thread| {
        // SAFETY: a listed thread's static area is mapped, and nobody knows this part of it yet.
        unsafe { fill(block_at(thread, offset), &segment) };
    });
    true
}

fn block_at(thread: *mut Thread, offset: usize) -> *mut u8 {
    thread.cast::<u8>().wrapping_sub(offset)
}

/// Puts the initial bytes into a zeroed block.
unsafe fn fill(block: *mut u8, segment: &TlsSegment) {
    ptr::copy_nonoverlapping(segment.image, block, segment.file_size);
}

/// Fills a new thread's static blocks and makes its vector. False when memory is exhausted.
///
/// # Safety
/// [`static_size`] zeroed bytes lie below `thread`.
pub unsafe fn set_up(thread: *mut Thread) -> bool {
    let state = STATE.lock();
    let entries = state.modules.len().max(1);
    let dtv = heap::allocate_zeroed((entries + 1) * size_of::<usize>()).cast::<usize>();
    if dtv.is_null() {
        return false;
    }
    *dtv = entries;
    for module in state.modules.iter().flatten().filter(|module| module.offset != 0) {
        let block = block_at(thread, module.offset);
        fill(block, &module.segment);
        *dtv.add(module.segment.module) = block.addr();
    }
    (*thread).dtv = dtv;
    true
}

/// Frees a thread's vector and its dynamic blocks.
///
/// # Safety
/// The thread uses no thread-local variable any more.
pub unsafe fn tear_down(thread: *mut Thread) {
    let dtv = core::mem::replace(&mut (*thread).dtv, ptr::null_mut());
    if dtv.is_null() {
        return;
    }
    let size = STATE.lock().size;
    let static_area = thread.addr() - size..thread.addr();
    for module in 1..*dtv {
        let block = *dtv.add(module);
        if block != 0 && !static_area.contains(&block) {
            heap::release(block as *mut u8);
        }
    }
    heap::release(dtv.cast());
}

/// Makes the calling thread's block of a module.
#[cold]
unsafe fn make_block(module: usize) -> usize {
    let thread = thread::current();
    let state = STATE.lock();
    let count = state.modules.len();
    let Some(Some(entry)) = state.modules.get(module).copied() else {
        drop(state);
        crate::runtime::die("access to thread-local storage of an unloaded object");
    };
    drop(state);
    if module >= *(*thread).dtv {
        let old = (*thread).dtv;
        let new = heap::allocate_zeroed((count + 1) * size_of::<usize>()).cast::<usize>();
        if new.is_null() {
            crate::runtime::die("out of memory for thread-local storage");
        }
        ptr::copy_nonoverlapping(old.add(1), new.add(1), *old - 1);
        *new = count;
        (*thread).dtv = new;
        heap::release(old.cast());
    }
    let block = if entry.offset != 0 {
        block_at(thread, entry.offset)
    } else {
        let segment = &entry.segment;
        // The segment's address may be off its alignment; keep the same rest.
        let skew = segment.address & (segment.align - 1);
        let block = heap::allocate_aligned(segment.size + skew, segment.align);
        if block.is_null() {
            crate::runtime::die("out of memory for thread-local storage");
        }
        ptr::write_bytes(block, 0, segment.size + skew);
        fill(block.add(skew), segment);
        // `tear_down` frees what the vector holds, so a skewed block is never freed; linkers
        // align the segment, and then there is none.
        block.add(skew)
    };
    *(*thread).dtv.add(module) = block.addr();
    block.addr()
}

/// The argument of `__tls_get_addr`.
#[repr(C)]
pub struct Index {
    /// Module id.
    pub module: usize,
    /// Offset in the block.
    pub offset: usize,
}

/// The calling thread's block of `module`, or 0 when it has none yet.
unsafe fn existing(module: usize) -> usize {
    let dtv = (*thread::current()).dtv;
    if module < *dtv { *dtv.add(module) } else { 0 }
}

/// The address of a thread-local variable, for `dlsym` and TLS descriptors.
///
/// # Safety
/// The module is loaded.
pub unsafe extern "C" fn address(index: *const Index) -> usize {
    let block = match existing((*index).module) {
        0 => make_block((*index).module),
        block => block,
    };
    block.wrapping_add((*index).offset)
}

/// The calling thread's block of a module if it exists, for `dl_iterate_phdr`.
///
/// # Safety
/// The thread is set up.
pub unsafe fn block_of(module: usize) -> usize {
    existing(module)
}

c_api! {
    /// The address of a thread-local variable. psABI.
    fn __tls_get_addr(index: *const Index) -> usize {
        address(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_congruent_and_apart() {
        let mut used = 0;
        for (size, align, address) in [(0x78, 8, 0x70840), (3, 1, 5), (100, 64, 64), (16, 32, 48), (1, 16, 7)] {
            let segment = TlsSegment { module: 1, image: ptr::null(), file_size: 0, size, align, address };
            let offset = place(used, &segment);
            assert!(offset >= used + size);
            let base = 1usize << 40;
            assert_eq!((base - offset) % align, address % align);
            used = offset;
        }
    }
}
