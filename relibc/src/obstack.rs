//! `obstack.h`: stacks of objects in chunks. The macros of the header work on the structure themselves; what is here is
//! called when a chunk is full. glibc's manual, "Obstacks".

use crate::stdio::format::{Sink, format};
use crate::va::VaList;
use core::ffi::{c_char, c_int, c_long, c_uint, c_void};
use core::ptr;
use libc::size_t;

/// The head of a chunk.
#[repr(C)]
pub struct Chunk {
    limit: *mut u8,
    prev: *mut Chunk,
}

/// `struct obstack`.
#[repr(C)]
pub struct Obstack {
    chunk_size: c_long,
    chunk: *mut Chunk,
    object_base: *mut u8,
    next_free: *mut u8,
    chunk_limit: *mut u8,
    temp: usize,
    alignment_mask: c_int,
    allocate: *mut c_void,
    free: *mut c_void,
    extra: *mut c_void,
    flags: c_uint,
}

const _: () = assert!(size_of::<Obstack>() == 88);

/// The allocation function takes `extra` first.
const USE_EXTRA: c_uint = 1;
/// The chunk may hold an object of no bytes, whose address matters.
const MAYBE_EMPTY: c_uint = 2;
/// Bytes of a chunk when the program names none: a page without what malloc needs.
const CHUNK: c_long = 4064;
const ALIGNMENT: usize = 16;

type Allocate = unsafe extern "C" fn(size_t) -> *mut Chunk;
type AllocateWith = unsafe extern "C" fn(*mut c_void, size_t) -> *mut Chunk;
type Free = unsafe extern "C" fn(*mut Chunk);
type FreeWith = unsafe extern "C" fn(*mut c_void, *mut Chunk);

unsafe extern "C" fn exhausted() {
    crate::runtime::print("memory exhausted\n");
    crate::exit::exit(obstack_exit_failure);
}

/// What is called when memory is exhausted; it does not return. A program may set it.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut obstack_alloc_failed_handler: unsafe extern "C" fn() = exhausted;

/// The status that the handler above ends the process with.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut obstack_exit_failure: c_int = 1;

impl Obstack {
    unsafe fn make_chunk(&mut self, size: usize) -> *mut Chunk {
        let chunk = if self.flags & USE_EXTRA != 0 {
            // SAFETY: the program, or its header's macros, said that it is such a function.
            core::mem::transmute::<*mut c_void, AllocateWith>(self.allocate)(self.extra, size)
        } else {
            // SAFETY: as above.
            core::mem::transmute::<*mut c_void, Allocate>(self.allocate)(size)
        };
        if chunk.is_null() {
            obstack_alloc_failed_handler();
        }
        (*chunk).limit = chunk.cast::<u8>().add(size);
        chunk
    }

    unsafe fn free_chunk(&mut self, chunk: *mut Chunk) {
        if self.flags & USE_EXTRA != 0 {
            // SAFETY: as in `make_chunk`.
            core::mem::transmute::<*mut c_void, FreeWith>(self.free)(self.extra, chunk);
        } else {
            // SAFETY: as above.
            core::mem::transmute::<*mut c_void, Free>(self.free)(chunk);
        }
    }

    /// Where objects of a chunk start.
    unsafe fn contents(&self, chunk: *mut Chunk) -> *mut u8 {
        let start = chunk.add(1).cast::<u8>();
        let mask = self.alignment_mask as usize;
        start.add(start.addr().wrapping_neg() & mask)
    }

    unsafe fn begin(&mut self, size: c_int, alignment: c_int) -> c_int {
        self.alignment_mask = if alignment == 0 { ALIGNMENT as c_int } else { alignment } - 1;
        self.chunk_size = if size == 0 { CHUNK } else { c_long::from(size) };
        let chunk = self.make_chunk(self.chunk_size as usize);
        (*chunk).prev = ptr::null_mut();
        self.chunk = chunk;
        self.object_base = self.contents(chunk);
        self.next_free = self.object_base;
        self.chunk_limit = (*chunk).limit;
        self.flags &= USE_EXTRA;
        1
    }
}

impl Sink for Obstack {
    fn put(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: the pointers are those of a chunk, into which the object grows.
        unsafe {
            if self.chunk_limit.offset_from_unsigned(self.next_free) < bytes.len() {
                _obstack_newchunk(self, bytes.len() as c_int);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.next_free, bytes.len());
            self.next_free = self.next_free.add(bytes.len());
        }
        true
    }
}

c_api! {
    /// What `obstack_begin` calls. glibc.
    fn _obstack_begin(stack: *mut Obstack, size: c_int, alignment: c_int, allocate: *mut c_void, free: *mut c_void) -> c_int {
        let stack = &mut *stack;
        (stack.allocate, stack.free) = (allocate, free);
        stack.flags &= !USE_EXTRA;
        stack.begin(size, alignment)
    }

    /// What `obstack_specify_allocation_with_arg` calls. glibc.
    fn _obstack_begin_1(stack: *mut Obstack, size: c_int, alignment: c_int, allocate: *mut c_void, free: *mut c_void, extra: *mut c_void) -> c_int {
        let stack = &mut *stack;
        (stack.allocate, stack.free, stack.extra) = (allocate, free, extra);
        stack.flags |= USE_EXTRA;
        stack.begin(size, alignment)
    }

    /// Moves the growing object to a new chunk with room for `len` bytes more. glibc.
    fn _obstack_newchunk(stack: *mut Obstack, len: c_int) {
        let stack = &mut *stack;
        let old = stack.chunk;
        let object = stack.next_free.offset_from_unsigned(stack.object_base);
        let wanted = object + len as usize + (object >> 3) + stack.alignment_mask as usize + 100;
        let new = stack.make_chunk(wanted.max(stack.chunk_size as usize));
        (*new).prev = old;
        let base = stack.contents(new);
        ptr::copy_nonoverlapping(stack.object_base, base, object);
        // The old chunk held nothing but this object.
        if stack.flags & MAYBE_EMPTY == 0 && stack.object_base == stack.contents(old) {
            (*new).prev = (*old).prev;
            stack.free_chunk(old);
        }
        stack.chunk = new;
        stack.chunk_limit = (*new).limit;
        stack.object_base = base;
        stack.next_free = base.add(object);
        stack.flags &= !MAYBE_EMPTY;
    }

    /// Whether an object lies in the stack. glibc.
    fn _obstack_allocated_p(stack: *mut Obstack, object: *mut c_void) -> c_int {
        let mut chunk = (*stack).chunk;
        while !chunk.is_null() && (chunk.cast() >= object || (*chunk).limit.cast() < object) {
            chunk = (*chunk).prev;
        }
        !chunk.is_null() as c_int
    }

    /// Frees an object and all that came later; with a null pointer everything. glibc.
    fn obstack_free(stack: *mut Obstack, object: *mut c_void) {
        let stack = &mut *stack;
        let mut chunk = stack.chunk;
        while !chunk.is_null() && (chunk.cast() >= object || (*chunk).limit.cast() < object) {
            let prev = (*chunk).prev;
            stack.free_chunk(chunk);
            chunk = prev;
            stack.flags |= MAYBE_EMPTY;
        }
        if !chunk.is_null() {
            stack.object_base = object.cast();
            stack.next_free = object.cast();
            stack.chunk_limit = (*chunk).limit;
            stack.chunk = chunk;
        } else if !object.is_null() {
            crate::exit::abort();
        }
    }

    /// Bytes of all chunks. glibc.
    fn _obstack_memory_used(stack: *mut Obstack) -> c_int {
        let (mut bytes, mut chunk) = (0, (*stack).chunk);
        while !chunk.is_null() {
            bytes += (*chunk).limit.offset_from_unsigned(chunk.cast());
            chunk = (*chunk).prev;
        }
        bytes as c_int
    }

    /// Adds formatted text to the growing object. glibc.
    fn obstack_vprintf(stack: *mut Obstack, text: *const c_char, arguments: *mut VaList) -> c_int {
        format(&mut *stack, text, arguments)
    }

    /// [`obstack_vprintf`]. LSB.
    fn __obstack_vprintf_chk(stack: *mut Obstack, _flag: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        format(&mut *stack, text, arguments)
    }
}

c_variadic! {
    /// Adds formatted text to the growing object. glibc.
    fn obstack_printf = obstack_vprintf, 2, "rdx";
    /// [`obstack_printf`]. LSB.
    fn __obstack_printf_chk = __obstack_vprintf_chk, 3, "rcx";
}
