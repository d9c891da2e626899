//! gettext(3), ngettext(3) and their kin.

use super::{domains, search};
use crate::locale::{self, CATEGORIES};
use crate::{errno, start};
use core::ffi::{CStr, c_char, c_int, c_ulong};
use core::ptr;

/// A message, or two, and the count that chooses between them.
struct Message {
    domain: *const c_char,
    singular: *const c_char,
    plural: *const c_char,
    count: Option<c_ulong>,
    category: c_int,
}

/// The translation, or the message itself.
unsafe fn translate(message: &Message) -> *mut c_char {
    let own = match message.count {
        Some(count) if count != 1 => message.plural,
        _ => message.singular,
    };
    if message.singular.is_null() {
        return ptr::null_mut();
    }
    let errno = errno::get();
    let found = find(message);
    errno::set(errno);
    found.unwrap_or(own).cast_mut()
}

unsafe fn find(message: &Message) -> Option<*const c_char> {
    let category =
        usize::try_from(message.category).ok().filter(|&number| number < CATEGORIES && number != locale::ALL)?;
    let locale = locale::current();
    let name = CStr::from_ptr(locale.name(category)).to_bytes();
    if name == b"C" {
        return None;
    }
    let languages = crate::env::value(b"LANGUAGE").filter(|list| !list.is_empty()).unwrap_or(name);
    let domain = if message.domain.is_null() { domains::current() } else { CStr::from_ptr(message.domain) };
    let (directory, charset) = domains::binding(domain);
    let charset = match charset {
        Some(charset) => charset.to_bytes(),
        None => crate::env::value(b"OUTPUT_CHARSET")
            .filter(|charset| !charset.is_empty())
            .unwrap_or(locale.charset().name().to_bytes()),
    };
    for language in languages.split(|&byte| byte == b':').filter(|language| !language.is_empty()) {
        if start::__libc_enable_secure != 0 && language.contains(&b'/') {
            continue;
        }
        if language == b"C" || language == b"POSIX" {
            break;
        }
        let found = search::translation(
            directory.to_bytes(),
            language,
            locale::category_name(category).as_bytes(),
            domain.to_bytes(),
            CStr::from_ptr(message.singular).to_bytes(),
            message.count.unwrap_or(0),
            charset,
        );
        if let Some((text, form)) = found {
            let form = if message.count.is_some() { form } else { 0 };
            return Some(nth(text, form).as_ptr().cast());
        }
    }
    None
}

/// A form of a translation; the first, if it has not as many.
fn nth(text: &[u8], form: usize) -> &[u8] {
    let mut rest = text;
    for _ in 0..form {
        let end = rest.iter().position(|&byte| byte == 0).map_or(rest.len(), |end| end + 1);
        rest = &rest[end..];
        if rest.is_empty() {
            return text;
        }
    }
    rest
}

c_api! {
    /// dcgettext(3).
    fn dcgettext(domain: *const c_char, message: *const c_char, category: c_int) -> *mut c_char {
        translate(&Message { domain, singular: message, plural: ptr::null(), count: None, category })
    }

    /// dgettext(3).
    fn dgettext(domain: *const c_char, message: *const c_char) -> *mut c_char {
        dcgettext(domain, message, libc::LC_MESSAGES)
    }

    /// gettext(3).
    fn gettext(message: *const c_char) -> *mut c_char { dgettext(ptr::null(), message) }

    /// dcngettext(3).
    fn dcngettext(
        domain: *const c_char, singular: *const c_char, plural: *const c_char, count: c_ulong, category: c_int,
    ) -> *mut c_char {
        translate(&Message { domain, singular, plural, count: Some(count), category })
    }

    /// dngettext(3).
    fn dngettext(
        domain: *const c_char, singular: *const c_char, plural: *const c_char, count: c_ulong,
    ) -> *mut c_char {
        dcngettext(domain, singular, plural, count, libc::LC_MESSAGES)
    }

    /// ngettext(3).
    fn ngettext(singular: *const c_char, plural: *const c_char, count: c_ulong) -> *mut c_char {
        dngettext(ptr::null(), singular, plural, count)
    }
}

c_alias! {
    fn __dcgettext = dcgettext[domain: *const c_char, message: *const c_char, category: c_int] -> *mut c_char;
    fn __dgettext = dgettext[domain: *const c_char, message: *const c_char] -> *mut c_char;
}
