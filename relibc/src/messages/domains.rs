//! Text domains: which is in use, where each has its catalogues, and in which charset it wants its texts.
//! textdomain(3), bindtextdomain(3), bind_textdomain_codeset(3).

use crate::lock::Lock;
use crate::string;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::ptr;

/// What is known about a domain. Texts are never freed: programs keep what they were given.
struct Domain {
    name: &'static CStr,
    directory: Option<&'static CStr>,
    charset: Option<&'static CStr>,
}

struct Domains {
    current: &'static CStr,
    known: Vec<Domain>,
}

const FIRST: &CStr = c"messages";
const DIRECTORY: &CStr = c"/usr/share/locale";

static DOMAINS: Lock<Domains> = Lock::new(Domains { current: FIRST, known: Vec::new() });

/// A copy that stays.
fn keep(text: &CStr) -> &'static CStr {
    Box::leak(Box::<CStr>::from(text))
}

/// The directory of a domain, and the charset it wants.
pub(super) fn binding(domain: &CStr) -> (&'static CStr, Option<&'static CStr>) {
    let domains = DOMAINS.lock();
    match domains.known.iter().find(|known| known.name == domain) {
        Some(known) => (known.directory.unwrap_or(DIRECTORY), known.charset),
        None => (DIRECTORY, None),
    }
}

/// The domain in use.
pub(super) fn current() -> &'static CStr {
    DOMAINS.lock().current
}

/// Works on a domain's entry; null without a name.
unsafe fn with(name: *const c_char, work: impl FnOnce(&mut Domain) -> *const c_char) -> *mut c_char {
    if name.is_null() || *name == 0 {
        return ptr::null_mut();
    }
    let name = CStr::from_ptr(name);
    let mut domains = DOMAINS.lock();
    let known = &mut domains.known;
    let index = known.iter().position(|domain| domain.name == name).unwrap_or_else(|| {
        known.push(Domain { name: keep(name), directory: None, charset: None });
        known.len() - 1
    });
    work(&mut known[index]).cast_mut()
}

c_api! {
    /// textdomain(3). An empty name means `messages`.
    fn textdomain(name: *const c_char) -> *mut c_char {
        let mut domains = DOMAINS.lock();
        if !name.is_null() {
            let name = CStr::from_ptr(name);
            if name.is_empty() {
                domains.current = FIRST;
            } else if name != domains.current {
                domains.current = keep(name);
            }
        }
        domains.current.as_ptr().cast_mut()
    }

    /// bindtextdomain(3).
    fn bindtextdomain(name: *const c_char, directory: *const c_char) -> *mut c_char {
        with(name, |domain| {
            if !directory.is_null() {
                let wanted = CStr::from_ptr(directory);
                if domain.directory != Some(wanted) {
                    domain.directory = Some(if wanted == DIRECTORY { DIRECTORY } else { keep(wanted) });
                }
            }
            domain.directory.unwrap_or(DIRECTORY).as_ptr()
        })
    }

    /// bind_textdomain_codeset(3).
    fn bind_textdomain_codeset(name: *const c_char, charset: *const c_char) -> *mut c_char {
        with(name, |domain| {
            if !charset.is_null() && domain.charset.map(CStr::to_bytes) != Some(string::bytes(charset)) {
                domain.charset = Some(keep(CStr::from_ptr(charset)));
            }
            domain.charset.map_or(ptr::null(), CStr::as_ptr)
        })
    }
}
