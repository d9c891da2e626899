//! Looking through memory with SSE2, which every x86-64 processor has: `strlen`, `memchr`, `memcmp` …
//!
//! Functions that do not know where their input ends read aligned blocks of 16 bytes: such a block never
//! crosses a page, so that reading past the end cannot fault.

use core::arch::x86_64::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::size_t;

const BLOCK: usize = 16;

/// Mask of the bytes of a block that satisfy a test, one bit a byte.
#[inline(always)]
unsafe fn zeros(block: *const u8) -> u32 {
    let bytes = _mm_load_si128(block.cast());
    _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) as u32
}

/// Index of the first difference between two aligned-or-not buffers of `len` bytes.
#[inline(always)]
unsafe fn first_difference(a: *const u8, b: *const u8, len: usize) -> Option<usize> {
    let mut at = 0;
    while at + BLOCK <= len {
        let x = _mm_loadu_si128(a.add(at).cast());
        let y = _mm_loadu_si128(b.add(at).cast());
        let same = _mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) as u32;
        if same != 0xffff {
            return Some(at + (!same).trailing_zeros() as usize);
        }
        at += BLOCK;
    }
    if len >= BLOCK {
        // The last 16 bytes, partly seen before.
        if at < len {
            let last = len - BLOCK;
            let x = _mm_loadu_si128(a.add(last).cast());
            let y = _mm_loadu_si128(b.add(last).cast());
            let same = _mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) as u32;
            if same != 0xffff {
                return Some(last + (!same).trailing_zeros() as usize);
            }
        }
        return None;
    }
    if len - at >= 8 {
        let x = a.add(at).cast::<u64>().read_unaligned();
        let y = b.add(at).cast::<u64>().read_unaligned();
        if x != y {
            return Some(at + ((x ^ y).trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    while at < len {
        if *a.add(at) != *b.add(at) {
            return Some(at);
        }
        at += 1;
    }
    None
}

c_api! {
    /// strlen(3).
    fn strlen(text: *const c_char) -> size_t {
        let start = text.cast::<u8>();
        let skew = start.addr() % BLOCK;
        let mut block = start.sub(skew);
        let mut mask = zeros(block) >> skew;
        if mask != 0 {
            return mask.trailing_zeros() as usize;
        }
        loop {
            block = block.add(BLOCK);
            mask = zeros(block);
            if mask != 0 {
                return block.offset_from_unsigned(start) + mask.trailing_zeros() as usize;
            }
        }
    }

    /// strnlen(3).
    fn strnlen(text: *const c_char, most: size_t) -> size_t {
        let end = memchr(text.cast(), 0, most);
        if end.is_null() { most } else { end.offset_from_unsigned(text.cast()) }
    }

    /// memchr(3).
    fn memchr(start: *const c_void, byte: c_int, len: size_t) -> *mut c_void {
        if len == 0 {
            return ptr::null_mut();
        }
        let start = start.cast::<u8>();
        let wanted = _mm_set1_epi8(byte as i8);
        let skew = start.addr() % BLOCK;
        let mut block = start.sub(skew);
        // Offset of the block from `start`, as it may stand before it.
        let mut offset = (skew as isize).wrapping_neg();
        let mut keep = u32::MAX << skew;
        while offset < len as isize || len > isize::MAX as usize {
            let found = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128(block.cast()), wanted)) as u32 & keep;
            if found != 0 {
                let index = offset.wrapping_add(found.trailing_zeros() as isize) as usize;
                return if index < len { start.add(index).cast_mut().cast() } else { ptr::null_mut() };
            }
            keep = u32::MAX;
            block = block.wrapping_add(BLOCK);
            offset = offset.wrapping_add(BLOCK as isize);
        }
        ptr::null_mut()
    }

    /// rawmemchr(3).
    fn rawmemchr(start: *const c_void, byte: c_int) -> *mut c_void {
        memchr(start, byte, usize::MAX)
    }

    /// memrchr(3).
    fn memrchr(start: *const c_void, byte: c_int, len: size_t) -> *mut c_void {
        let start = start.cast::<u8>();
        let wanted = _mm_set1_epi8(byte as i8);
        let mut left = len;
        while left >= BLOCK {
            let block = start.add(left - BLOCK);
            let found = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(block.cast()), wanted)) as u32;
            if found != 0 {
                return block.add(31 - found.leading_zeros() as usize).cast_mut().cast();
            }
            left -= BLOCK;
        }
        while left > 0 {
            left -= 1;
            if *start.add(left) == byte as u8 {
                return start.add(left).cast_mut().cast();
            }
        }
        ptr::null_mut()
    }

    /// strchrnul(3).
    fn strchrnul(text: *const c_char, byte: c_int) -> *mut c_char {
        let start = text.cast::<u8>();
        let wanted = _mm_set1_epi8(byte as i8);
        let skew = start.addr() % BLOCK;
        let mut block = start.sub(skew);
        let mut keep = u32::MAX << skew;
        loop {
            let bytes = _mm_load_si128(block.cast());
            let hit = _mm_or_si128(
                _mm_cmpeq_epi8(bytes, wanted),
                _mm_cmpeq_epi8(bytes, _mm_setzero_si128()),
            );
            let mask = _mm_movemask_epi8(hit) as u32 & keep;
            if mask != 0 {
                return block.add(mask.trailing_zeros() as usize).cast_mut().cast();
            }
            keep = u32::MAX;
            block = block.add(BLOCK);
        }
    }

    /// strchr(3).
    fn strchr(text: *const c_char, byte: c_int) -> *mut c_char {
        let at = strchrnul(text, byte);
        if *at as u8 == byte as u8 { at } else { ptr::null_mut() }
    }

    /// memcmp(3).
    fn memcmp(a: *const c_void, b: *const c_void, len: size_t) -> c_int {
        let (a, b) = (a.cast::<u8>(), b.cast::<u8>());
        match first_difference(a, b, len) {
            Some(at) => c_int::from(*a.add(at)) - c_int::from(*b.add(at)),
            None => 0,
        }
    }

    /// bcmp(3).
    fn bcmp(a: *const c_void, b: *const c_void, len: size_t) -> c_int {
        first_difference(a.cast(), b.cast(), len).is_some() as c_int
    }

    /// strcmp(3).
    fn strcmp(a: *const c_char, b: *const c_char) -> c_int {
        strncmp(a, b, usize::MAX)
    }

    /// strncmp(3).
    fn strncmp(a: *const c_char, b: *const c_char, most: size_t) -> c_int {
        let (a, b) = (a.cast::<u8>(), b.cast::<u8>());
        let mut at = 0usize;
        while at < most {
            let (p, q) = (a.wrapping_add(at), b.wrapping_add(at));
            let crosses = |address: *const u8| address.addr() % 4096 > 4096 - BLOCK;
            if most - at >= BLOCK && !crosses(p) && !crosses(q) {
                let x = _mm_loadu_si128(p.cast());
                let y = _mm_loadu_si128(q.cast());
                let same = _mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) as u32;
                let ends = _mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_setzero_si128())) as u32;
                let stop = (!same & 0xffff) | ends;
                if stop != 0 {
                    let index = stop.trailing_zeros() as usize;
                    return c_int::from(*p.add(index)) - c_int::from(*q.add(index));
                }
                at += BLOCK;
                continue;
            }
            if *p != *q || *p == 0 {
                return c_int::from(*p) - c_int::from(*q);
            }
            at += 1;
        }
        0
    }
}
