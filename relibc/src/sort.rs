//! `stdlib.h`, `search.h`: sorting and searching arrays.

use crate::heap::{c_free, c_malloc};
use core::ffi::{c_int, c_void};
use core::ptr;
use libc::size_t;

type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;
type CompareWith = unsafe extern "C" fn(*const c_void, *const c_void, *mut c_void) -> c_int;

/// An array whose elements' type only the caller knows.
struct Array<F> {
    base: *mut u8,
    size: usize,
    /// Whether the first is greater than the second.
    greater: F,
}

impl<F: Fn(*const u8, *const u8) -> bool> Array<F> {
    unsafe fn at(&self, index: usize) -> *mut u8 {
        self.base.add(index * self.size)
    }

    /// Merges sorted halves of `from..to`, through `spare`, which has room for the first half. Stable, as glibc's
    /// qsort is in practice and programs have come to expect.
    unsafe fn merge_sort(&self, from: usize, to: usize, spare: *mut u8) {
        if to - from < 2 {
            return;
        }
        let middle = from + (to - from) / 2;
        self.merge_sort(from, middle, spare);
        self.merge_sort(middle, to, spare);
        if !(self.greater)(self.at(middle - 1), self.at(middle)) {
            return;
        }
        ptr::copy_nonoverlapping(self.at(from), spare, (middle - from) * self.size);
        let (mut left, mut right, mut out) = (0, middle, from);
        while left < middle - from && right < to {
            let first = spare.add(left * self.size);
            if (self.greater)(first, self.at(right)) {
                // The place written was moved out of before.
                ptr::copy(self.at(right), self.at(out), self.size);
                right += 1;
            } else {
                ptr::copy_nonoverlapping(first, self.at(out), self.size);
                left += 1;
            }
            out += 1;
        }
        ptr::copy_nonoverlapping(spare.add(left * self.size), self.at(out), (middle - from - left) * self.size);
    }

    /// Lets element `root` sink in the heap of the first `count`.
    unsafe fn sink(&self, mut root: usize, count: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= count {
                return;
            }
            if child + 1 < count && (self.greater)(self.at(child + 1), self.at(child)) {
                child += 1;
            }
            if !(self.greater)(self.at(child), self.at(root)) {
                return;
            }
            ptr::swap_nonoverlapping(self.at(root), self.at(child), self.size);
            root = child;
        }
    }

    /// Sorts in place, for when there is no memory to merge in.
    unsafe fn heap_sort(&self, count: usize) {
        for root in (0..count / 2).rev() {
            self.sink(root, count);
        }
        for end in (1..count).rev() {
            ptr::swap_nonoverlapping(self.at(0), self.at(end), self.size);
            self.sink(0, end);
        }
    }

    unsafe fn sort(&self, count: usize) {
        if count < 2 || self.size == 0 {
            return;
        }
        const SMALL: usize = 1024;
        let room = count / 2 * self.size;
        if room <= SMALL {
            let mut spare = [0u8; SMALL];
            return self.merge_sort(0, count, spare.as_mut_ptr());
        }
        let spare = c_malloc(room).cast::<u8>();
        if spare.is_null() {
            return self.heap_sort(count);
        }
        self.merge_sort(0, count, spare);
        c_free(spare.cast());
    }
}

c_api! {
    /// qsort(3).
    fn qsort(base: *mut c_void, count: size_t, size: size_t, compare: Compare) {
        let greater = |a: *const u8, b: *const u8| compare(a.cast(), b.cast()) > 0;
        Array { base: base.cast(), size, greater }.sort(count);
    }

    /// qsort_r(3), GNU's order of arguments.
    fn qsort_r(base: *mut c_void, count: size_t, size: size_t, compare: CompareWith, with: *mut c_void) {
        let greater = |a: *const u8, b: *const u8| compare(a.cast(), b.cast(), with) > 0;
        Array { base: base.cast(), size, greater }.sort(count);
    }

    /// bsearch(3).
    fn bsearch(key: *const c_void, base: *const c_void, count: size_t, size: size_t, compare: Compare) -> *mut c_void {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let element = base.byte_add(middle * size);
            match compare(key, element) {
                0 => return element.cast_mut(),
                order if order < 0 => high = middle,
                _ => low = middle + 1,
            }
        }
        ptr::null_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Compares the high halves only, so that stability shows.
    unsafe extern "C" fn by_high_half(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: elements of the array of u32 below.
        unsafe { (*a.cast::<u32>() >> 16).cmp(&(*b.cast::<u32>() >> 16)) as c_int }
    }

    proptest! {
        #[test]
        fn sorts_stably(mut values in prop::collection::vec(0u32..0x8_0000, 0..2000)) {
            let mut wanted = values.clone();
            wanted.sort_by_key(|value| value >> 16);
            // SAFETY: the vector's elements, compared as such.
            unsafe { qsort(values.as_mut_ptr().cast(), values.len(), 4, by_high_half) };
            prop_assert_eq!(&values, &wanted);
            for key in &values {
                // SAFETY: as above.
                let found = unsafe { bsearch((&raw const *key).cast(), values.as_ptr().cast(), values.len(), 4, by_high_half) };
                prop_assert!(!found.is_null());
            }
        }

        #[test]
        fn sorts_without_memory(mut values in prop::collection::vec(any::<u32>(), 0..500)) {
            let mut wanted = values.clone();
            wanted.sort();
            // SAFETY: elements of the array.
            let greater = |a: *const u8, b: *const u8| unsafe { *a.cast::<u32>() > *b.cast::<u32>() };
            let array = Array { base: values.as_mut_ptr().cast(), size: 4, greater };
            // SAFETY: the array is the vector's.
            unsafe { array.heap_sort(wanted.len()) };
            prop_assert_eq!(values, wanted);
        }
    }
}
