//! Argument and environment lists, without an allocator.

use core::marker::PhantomData;

/// A list of byte strings without NULs that can be walked more than once: argv or envp.
///
/// Every cloneable iterator is one: `["a".as_bytes(), b"b"].into_iter()`, a map over a `Vec`, or [`CStrings`].
pub trait Strings<'a>: Iterator<Item = &'a [u8]> + Clone {}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Strings<'a> for I {}

/// A C list: an array of pointers to NUL-terminated strings that ends with a null pointer.
#[derive(Clone, Debug)]
pub struct CStrings<'a> {
    next: *const *const u8,
    lives: PhantomData<&'a [u8]>,
}

impl CStrings<'_> {
    /// The strings of `list`; none if it is null (as Linux takes it).
    ///
    /// # Safety
    /// `list` is null or such an array; it and its strings stay as they are for the value's lifetime.
    pub const unsafe fn new(list: *const *const u8) -> Self {
        Self { next: list, lives: PhantomData }
    }
}

impl<'a> Iterator for CStrings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.next.is_null() {
            return None;
        }
        // SAFETY: not past the null pointer that ends the array (`next` stays on it).
        let string = unsafe { *self.next };
        if string.is_null() {
            return None;
        }
        // SAFETY: the entry was not the last.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: an entry is a NUL-terminated string that lives long enough.
        Some(unsafe { core::ffi::CStr::from_ptr(string.cast()) }.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_a_c_list_twice() {
        let list = [c"one".as_ptr().cast::<u8>(), c"".as_ptr().cast(), core::ptr::null()];
        // SAFETY: the array above ends with a null pointer and lives as long as the test.
        let strings = unsafe { CStrings::new(list.as_ptr()) };
        assert_eq!(strings.clone().collect::<Vec<_>>(), [&b"one"[..], b""]);
        assert_eq!(strings.count(), 2);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { CStrings::new(core::ptr::null()) }.count(), 0);
    }
}
