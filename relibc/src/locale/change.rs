//! `setlocale`. setlocale(3).

use super::names::{self, CATEGORY_NAMES, intern};
use super::{ALL, CATEGORIES, GLOBAL, Locale};
use crate::lock::Lock;
use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};
use core::ptr;

static CHANGING: Lock<()> = Lock::new(());

/// The twelve categories' numbers.
pub(super) fn categories() -> impl Iterator<Item = usize> {
    (0..CATEGORIES).filter(|&number| number != ALL)
}

/// A locale's name: its categories' if they agree, or all of them.
unsafe fn whole_name(locale: &Locale) -> *const c_char {
    let first = CStr::from_ptr(locale.name(0));
    if categories().all(|number| CStr::from_ptr(locale.name(number)) == first) {
        return locale.name(0);
    }
    let mut text = Vec::new();
    for number in categories() {
        if number != 0 {
            text.push(b';');
        }
        text.extend_from_slice(CATEGORY_NAMES[number].as_bytes());
        text.push(b'=');
        text.extend_from_slice(CStr::from_ptr(locale.name(number)).to_bytes());
    }
    intern(&text)
}

c_api! {
    /// setlocale(3). EINVAL: no such category, or a composite name that is none; ENOENT: no such locale.
    fn setlocale(category: c_int, name: *const c_char) -> *mut c_char {
        let Ok(category) = usize::try_from(category) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        if category >= CATEGORIES {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        }
        let _changing = CHANGING.lock();
        if name.is_null() {
            return if category == ALL { whole_name(&GLOBAL).cast_mut() } else { GLOBAL.name(category) };
        }
        let name = string::bytes(name);
        let result = if category == ALL {
            set_all(name)
        } else {
            names::find(category, name).map(|found| GLOBAL.set(category, &found))
        };
        match result {
            Ok(()) if category == ALL => whole_name(&GLOBAL).cast_mut(),
            Ok(()) => GLOBAL.name(category),
            Err(error) => {
                errno::set(error);
                ptr::null_mut()
            }
        }
    }
}

/// Changes every category, or none.
unsafe fn set_all(name: &[u8]) -> Result<(), c_int> {
    let parts = names::parts(name, |_| true)?;
    let mut found = Vec::with_capacity(CATEGORIES);
    for number in categories() {
        found.push((number, names::find(number, parts[number])?));
    }
    for (number, named) in &found {
        GLOBAL.set(*number, named);
    }
    Ok(())
}
