//! Against naive models and the host's library, on random input.

use super::*;
use proptest::prelude::*;

/// Bytes with a NUL at the end, of an alphabet small enough for matches to be frequent.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..5, 0..200).prop_map(|mut bytes| {
        bytes.push(0);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn moving_is_exact(len in 0usize..700, from in 0usize..300, to in 0usize..300) {
        let original: Vec<u8> = (0..1024).map(|index| (index * 7 + index / 256) as u8).collect();
        let mut model = original.clone();
        model.copy_within(from..from + len, to);
        let mut actual = original;
        // SAFETY: both ranges are inside the buffer.
        unsafe { memmove(actual[to..].as_mut_ptr().cast(), actual[from..].as_ptr().cast(), len) };
        prop_assert_eq!(model, actual);
    }

    #[test]
    fn filling_is_exact(len in 0usize..700, to in 0usize..100, byte in any::<u8>()) {
        let mut model = vec![0x55u8; 1024];
        let mut actual = model.clone();
        model[to..to + len].fill(byte);
        // SAFETY: the range is inside the buffer.
        unsafe { memset(actual[to..].as_mut_ptr().cast(), byte as i32 | 0x100, len) };
        prop_assert_eq!(model, actual);
    }

    #[test]
    fn scanning_agrees_with_the_model(bytes in text(), skip in 0usize..40, byte in 0u8..6) {
        let start = skip.min(bytes.len() - 1);
        let slice = &bytes[start..];
        let pointer = slice.as_ptr().cast();
        let index = |found: *const core::ffi::c_void| {
            if found.is_null() { None } else { Some(found.addr() - slice.as_ptr().addr()) }
        };
        // SAFETY: the slice ends in NUL.
        unsafe {
            prop_assert_eq!(strlen(pointer), slice.len() - 1);
            prop_assert_eq!(index(memchr(pointer.cast(), byte as i32, slice.len())), slice.iter().position(|&b| b == byte));
            prop_assert_eq!(index(memrchr(pointer.cast(), byte as i32, slice.len())), slice.iter().rposition(|&b| b == byte));
            prop_assert_eq!(index(strchr(pointer, byte as i32).cast()), slice.iter().position(|&b| b == byte));
            prop_assert_eq!(index(strrchr(pointer, byte as i32).cast()), slice.iter().rposition(|&b| b == byte));
            prop_assert_eq!(strnlen(pointer, 17), 17.min(slice.len() - 1));
        }
    }

    #[test]
    fn comparing_agrees_with_the_host(a in text(), b in text(), len in 0usize..220) {
        // SAFETY: both end in NUL; lengths are within the shorter.
        unsafe {
            let (p, q) = (a.as_ptr().cast(), b.as_ptr().cast());
            prop_assert_eq!(strcmp(p, q).signum(), libc::strcmp(p, q).signum());
            prop_assert_eq!(strncmp(p, q, len).signum(), libc::strncmp(p, q, len).signum());
            let len = len.min(a.len()).min(b.len());
            prop_assert_eq!(memcmp(p.cast(), q.cast(), len).signum(), a[..len].cmp(&b[..len]) as i32);
            prop_assert_eq!(bcmp(p.cast(), q.cast(), len) == 0, a[..len] == b[..len]);
            prop_assert_eq!(strspn(p, q), libc::strspn(p, q));
            prop_assert_eq!(strcspn(p, q), libc::strcspn(p, q));
            prop_assert_eq!(strcasecmp(p, q).signum(), libc::strcasecmp(p, q).signum());
            let needle = &b[b.len().saturating_sub(3)..];
            let needle = needle.as_ptr().cast();
            prop_assert_eq!(strstr(p, needle), libc::strstr(p, needle));
        }
    }

    #[test]
    fn versions_sort_as_on_the_host(a in "[a0-9]{0,8}", b in "[a0-9]{0,8}") {
        unsafe extern "C" {
            #[link_name = "strverscmp"]
            fn host(a: *const c_char, b: *const c_char) -> i32;
        }
        let (a, b) = (std::ffi::CString::new(a).unwrap(), std::ffi::CString::new(b).unwrap());
        // SAFETY: both end in NUL.
        unsafe {
            prop_assert_eq!(strverscmp(a.as_ptr(), b.as_ptr()).signum(), host(a.as_ptr(), b.as_ptr()).signum());
        }
    }
}

#[test]
fn messages_are_glibcs() {
    for number in -2..140 {
        let mut ours = [0 as c_char; 80];
        let mut theirs = [0 as c_char; 80];
        // SAFETY: the buffers have the length given.
        unsafe {
            let a = errors::__xpg_strerror_r(number, ours.as_mut_ptr(), 80);
            let b = libc::strerror_r(number, theirs.as_mut_ptr(), 80);
            assert_eq!((a, bytes(ours.as_ptr())), (b, bytes(theirs.as_ptr())));
        }
    }
}
