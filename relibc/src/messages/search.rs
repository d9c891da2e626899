//! Finds a domain's catalogues, and keeps them, their texts in the charset asked for included.

use super::catalogue::Catalogue;
use crate::iconv;
use crate::ld::map::File;
use crate::lock::Lock;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The greatest file that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// A catalogue by its path; None: there is no such file, or it is no catalogue.
struct Known {
    path: Vec<u8>,
    catalogue: Option<&'static Catalogue>,
}

/// A translation in another charset than its catalogue's.
struct Converted {
    catalogue: *const Catalogue,
    index: usize,
    charset: Vec<u8>,
    text: Option<&'static [u8]>,
}

static KNOWN: Lock<Vec<Known>> = Lock::new(Vec::new());
static CONVERTED: Lock<Vec<Converted>> = Lock::new(Vec::new());

fn catalogue(path: Vec<u8>) -> Option<&'static Catalogue> {
    let mut known = KNOWN.lock();
    if let Some(entry) = known.iter().find(|entry| entry.path == path) {
        return entry.catalogue;
    }
    let bytes = File::open(path.clone()).ok().and_then(|file| file.read_all(LARGEST).ok());
    let catalogue = bytes.and_then(Catalogue::new).map(|catalogue| &*Box::leak(Box::new(catalogue)));
    known.push(Known { path, catalogue });
    catalogue
}

/// A codeset as directories are named by it: letters in lower case and digits; `iso` in front of digits alone.
fn normal(codeset: &[u8]) -> Vec<u8> {
    let kept: Vec<u8> =
        codeset.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    if kept.iter().all(u8::is_ascii_digit) { [b"iso", &kept[..]].concat() } else { kept }
}

/// The names under which a locale's catalogues may stand, the most exact first: `language[_territory][.codeset][@modifier]`.
pub(super) fn names(locale: &[u8]) -> Vec<Vec<u8>> {
    let (rest, modifier) = match locale.iter().position(|&byte| byte == b'@') {
        Some(at) => (&locale[..at], &locale[at..]),
        None => (locale, &b""[..]),
    };
    let (rest, codeset) = match rest.iter().position(|&byte| byte == b'.') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, &b""[..]),
    };
    let (language, territory) = match rest.iter().position(|&byte| byte == b'_') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, &b""[..]),
    };
    let mut codesets: Vec<Vec<u8>> = Vec::from([codeset.to_vec()]);
    if codeset.len() > 1 {
        codesets.push([b".", &normal(&codeset[1..])[..]].concat());
        codesets.push(Vec::new());
    }
    let mut names: Vec<Vec<u8>> = Vec::new();
    for modifier in [modifier, b""] {
        for territory in [territory, b""] {
            for codeset in &codesets {
                let name = [language, territory, codeset, modifier].concat();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    names
}

/// A message's translation, all forms of it with a NUL after each, and which of them stands for `count`.
///
/// `charset` is what the text shall be in; the catalogue's own where it names none.
pub(super) fn translation(
    directory: &[u8],
    locale: &[u8],
    category: &[u8],
    domain: &[u8],
    message: &[u8],
    count: u64,
    charset: &[u8],
) -> Option<(&'static [u8], usize)> {
    for name in names(locale) {
        let path = [directory, b"/", &name, b"/", category, b"/", domain, b".mo"].concat();
        let Some(catalogue) = catalogue(path) else { continue };
        let Some(index) = catalogue.find(message) else { continue };
        let text = converted(catalogue, index, charset)?;
        return Some((text, catalogue.forms.pick(count)));
    }
    None
}

/// A translation in a charset. None if it cannot be written so.
fn converted(catalogue: &'static Catalogue, index: usize, charset: &[u8]) -> Option<&'static [u8]> {
    let text = catalogue.translation(index)?;
    let Some(from) = catalogue.charset().filter(|from| !from.eq_ignore_ascii_case(charset)) else {
        return Some(text);
    };
    let mut converted = CONVERTED.lock();
    let known = converted
        .iter()
        .find(|known| core::ptr::eq(known.catalogue, catalogue) && known.index == index && known.charset == charset);
    if let Some(known) = known {
        return known.text;
    }
    let new = iconv::transliterated(from, charset, text).map(|text| &*Box::leak(text.into_boxed_slice()));
    converted.push(Converted { catalogue, index, charset: charset.to_vec(), text: new });
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_most_exact_to_the_language() {
        let shown = |locale: &str| -> Vec<String> {
            names(locale.as_bytes()).into_iter().map(|name| String::from_utf8(name).expect("ASCII")).collect()
        };
        assert_eq!(shown("de"), ["de"]);
        assert_eq!(
            shown("de_AT.UTF-8@euro"),
            [
                "de_AT.UTF-8@euro",
                "de_AT.utf8@euro",
                "de_AT@euro",
                "de.UTF-8@euro",
                "de.utf8@euro",
                "de@euro",
                "de_AT.UTF-8",
                "de_AT.utf8",
                "de_AT",
                "de.UTF-8",
                "de.utf8",
                "de"
            ]
        );
    }
}
