//! `locale_t` objects, and each thread's locale. newlocale(3), duplocale(3), freelocale(3), uselocale(3).

use super::change::categories;
use super::{C, GLOBAL_HANDLE, Locale, names};
use crate::{errno, string, thread};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;

/// LC_ALL_MASK: a bit for each category. LC_ALL's own bit counts as all of them, as in glibc.
const ALL_MASK: c_int = 0x1fbf;

fn is_c(locale: *const Locale) -> bool {
    ptr::eq(locale, &raw const C)
}

/// Replaces the named categories of an object, or makes one.
unsafe fn make(mask: c_int, name: *const c_char, base: *mut Locale) -> Result<*mut Locale, c_int> {
    let mask = if mask == 1 << libc::LC_ALL { ALL_MASK } else { mask };
    if mask & !ALL_MASK != 0 || name.is_null() {
        return Err(libc::EINVAL);
    }
    let chosen = |number: usize| mask & (1 << number) != 0;
    let parts = names::parts(string::bytes(name), chosen)?;
    let mut found = Vec::new();
    for number in categories().filter(|&number| chosen(number)) {
        found.push((number, names::find(number, parts[number]).map_err(|_| libc::ENOENT)?));
    }
    let is_new = base.is_null() || is_c(base);
    if is_new && found.iter().all(|(_, named)| ptr::eq(named.data, &raw const super::POSIX)) {
        return Ok((&raw const C).cast_mut());
    }
    let object = if is_new { Box::into_raw(Box::new(Locale::posix())) } else { base };
    for (number, named) in &found {
        (*object).set(*number, named);
    }
    Ok(object)
}

c_api! {
    /// newlocale(3). EINVAL: an unknown category or a null name; ENOENT: no such locale. `base` stays as it is on an error.
    fn newlocale(mask: c_int, name: *const c_char, base: *mut Locale) -> *mut Locale {
        make(mask, name, base).unwrap_or_else(|error| {
            errno::set(error);
            ptr::null_mut()
        })
    }

    /// duplocale(3).
    fn duplocale(locale: *mut Locale) -> *mut Locale {
        if is_c(locale) { locale } else { Box::into_raw(Box::new(super::of(locale).copy())) }
    }

    /// freelocale(3).
    fn freelocale(locale: *mut Locale) {
        if !is_c(locale) {
            drop(Box::from_raw(locale));
        }
    }

    /// uselocale(3).
    fn uselocale(new: *mut Locale) -> *mut Locale {
        let slot = &raw mut (*thread::current()).locale;
        let old = *slot;
        if !new.is_null() {
            *slot = if new == GLOBAL_HANDLE { ptr::null() } else { new };
        }
        if old.is_null() { GLOBAL_HANDLE } else { old.cast_mut() }
    }
}

c_alias! {
    fn __newlocale = newlocale[mask: c_int, name: *const c_char, base: *mut Locale] -> *mut Locale;
    fn __duplocale = duplocale[locale: *mut Locale] -> *mut Locale;
    fn __freelocale = freelocale[locale: *mut Locale];
    fn __uselocale = uselocale[locale: *mut Locale] -> *mut Locale;
}
