//! `malloc` and its family: `stdlib.h`, `malloc.h`.
//!
//! A program may define these names itself; then the whole process, this library included, uses
//! its definitions. So whatever a C function hands to its caller to `free` comes from [`c_malloc`],
//! which calls through the global offset table, while the loader's own tables come from
//! [`super::allocate`].

use super::{allocate, allocate_aligned, allocate_zeroed, reallocate, release};
use crate::errno;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::size_t;

c_api! {
    /// malloc(3).
    #[inline(never)]
    fn malloc(size: size_t) -> *mut c_void {
        let block = allocate(size);
        if block.is_null() {
            errno::set(libc::ENOMEM);
        }
        block.cast()
    }

    /// free(3). Leaves `errno` alone.
    #[inline(never)]
    fn free(block: *mut c_void) {
        release(block.cast())
    }

    /// calloc(3).
    #[inline(never)]
    fn calloc(count: size_t, size: size_t) -> *mut c_void {
        let block = match count.checked_mul(size) {
            Some(bytes) => allocate_zeroed(bytes),
            None => ptr::null_mut(),
        };
        if block.is_null() {
            errno::set(libc::ENOMEM);
        }
        block.cast()
    }

    /// realloc(3). As glibc: a size of 0 frees the block and returns null.
    #[inline(never)]
    fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
        if block.is_null() {
            return malloc(size);
        }
        if size == 0 {
            free(block);
            return ptr::null_mut();
        }
        let new = reallocate(block.cast(), size);
        if new.is_null() {
            errno::set(libc::ENOMEM);
        }
        new.cast()
    }

    /// reallocarray(3).
    fn reallocarray(block: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
        match count.checked_mul(size) {
            Some(bytes) => realloc(block, bytes),
            None => {
                errno::set(libc::ENOMEM);
                ptr::null_mut()
            }
        }
    }

    /// posix_memalign(3).
    #[inline(never)]
    fn posix_memalign(out: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int {
        if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<*mut c_void>()) {
            return libc::EINVAL;
        }
        let block = allocate_aligned(size, alignment);
        if block.is_null() {
            return libc::ENOMEM;
        }
        *out = block.cast();
        0
    }

    /// aligned_alloc(3).
    #[inline(never)]
    fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
        if !alignment.is_power_of_two() {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        }
        let block = allocate_aligned(size, alignment);
        if block.is_null() {
            errno::set(libc::ENOMEM);
        }
        block.cast()
    }

    /// memalign(3): as glibc, an alignment that is no power of two is rounded up to one.
    fn memalign(alignment: size_t, size: size_t) -> *mut c_void {
        match alignment.checked_next_power_of_two() {
            Some(alignment) => aligned_alloc(alignment, size),
            None => {
                errno::set(libc::EINVAL);
                ptr::null_mut()
            }
        }
    }

    /// valloc(3).
    fn valloc(size: size_t) -> *mut c_void {
        aligned_alloc(4096, size)
    }

    /// malloc_usable_size(3).
    fn malloc_usable_size(block: *mut c_void) -> size_t {
        if block.is_null() { 0 } else { super::usable(block.cast()) }
    }

    /// malloc_trim(3): memory goes back as it is freed, so there is nothing left to give.
    fn malloc_trim(_pad: size_t) -> c_int {
        0
    }
}

/// `malloc` as the program sees it, which may be the program's own.
///
/// # Safety
/// The result is to be freed with `free`.
pub unsafe fn c_malloc(size: size_t) -> *mut c_void {
    libc::malloc(size)
}

/// `free` as the program sees it.
///
/// # Safety
/// `block` came from [`c_malloc`] or is null.
pub unsafe fn c_free(block: *mut c_void) {
    libc::free(block)
}

/// A copy of `bytes` with a NUL behind it, to be freed by the C caller. Null when exhausted.
///
/// # Safety
/// As [`c_malloc`].
pub unsafe fn c_string(bytes: &[u8]) -> *mut c_char {
    let out = c_malloc(bytes.len() + 1).cast::<u8>();
    if !out.is_null() {
        ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len());
        *out.add(bytes.len()) = 0;
    }
    out.cast()
}

/// The allocator for this library's own Rust data.
pub struct Own;

// SAFETY: blocks are unique, live until released, and aligned as asked.
unsafe impl GlobalAlloc for Own {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocate_aligned(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        release(block)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= super::ALIGNMENT {
            return reallocate(block, size);
        }
        let new = allocate_aligned(size, layout.align());
        if !new.is_null() {
            ptr::copy_nonoverlapping(block, new, layout.size().min(size));
            release(block);
        }
        new
    }
}

#[cfg(panic = "abort")]
#[global_allocator]
static OWN: Own = Own;
