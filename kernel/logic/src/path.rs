//! Paths and namespaces: which scheme a path belongs to, and what remains of it there.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A scheme that a path leads to, and the path below that scheme's root (no leading '/').
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved<'a, 'p, T> {
    /// What the longest matching prefix is bound to.
    pub target: &'a T,
    /// Length of that prefix: tells two mounts of one scheme apart.
    pub prefix_len: usize,
    /// The rest, as the scheme is to see it. It may hold `.` and `..`, which the scheme walks physically.
    pub rest: Cow<'p, [u8]>,
}

/// Path prefixes and what they are bound to. A prefix is absolute and in normal form; `/` matches every path.
#[derive(Clone, Debug)]
pub struct Prefixes<T> {
    /// Longest first, so that the first match is the longest.
    list: Vec<(Vec<u8>, T)>,
}

impl<T> Prefixes<T> {
    /// The null namespace.
    pub const fn new() -> Self {
        Prefixes { list: Vec::new() }
    }

    /// Binds a prefix (normalised first), instead of what it was bound to.
    pub fn bind(&mut self, prefix: &[u8], target: T) {
        let prefix = normalize(prefix);
        match self.list.iter_mut().find(|(p, _)| *p == prefix) {
            Some((_, t)) => *t = target,
            None => {
                let at = self.list.partition_point(|(p, _)| p.len() >= prefix.len());
                self.list.insert(at, (prefix, target));
            }
        }
    }

    /// Keeps the prefixes that are in `keep`.
    pub fn restrict(&mut self, keep: &[Vec<u8>]) {
        self.list.retain(|(p, _)| keep.contains(p));
    }

    /// Prefixes and their targets, longest first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &T)> {
        self.list.iter().map(|(p, t)| (p.as_slice(), t))
    }

    /// Resolves an absolute path.
    ///
    /// `..` is taken lexically only where that decides the prefix: if the path in normal form has the same prefix as the
    /// path as written, the rest goes to the scheme as written, and the scheme walks `..` through its symbolic links as
    /// POSIX wants (XBD 4.13); if not, the normal form counts.
    pub fn resolve<'p>(&self, path: &'p [u8]) -> Option<Resolved<'_, 'p, T>> {
        if is_normal(path) {
            // Most paths: a comparison with each prefix is enough.
            let (prefix, target, rest) = self.list.iter().find_map(|(p, t)| Some((p, t, strip_normal(path, p)?)))?;
            return Some(Resolved { target, prefix_len: prefix.len(), rest: Cow::Borrowed(rest) });
        }
        let normal;
        let path = if has_dots(path) {
            normal = normalize(path);
            match (self.longest(path), self.longest(&normal)) {
                (Some(written), Some(lexical)) if written == lexical => path,
                _ => &normal,
            }
        } else {
            path
        };
        let index = self.longest(path)?;
        let (prefix, target) = &self.list[index];
        let rest = strip(path, prefix)?;
        Some(Resolved { target, prefix_len: prefix.len(), rest: Cow::Owned(rest.to_vec()) })
    }

    fn longest(&self, path: &[u8]) -> Option<usize> {
        self.list.iter().position(|(prefix, _)| strip(path, prefix).is_some())
    }
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What follows `prefix` in `path`, without leading slashes, if the path's first components are the prefix's.
fn strip<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let mut rest = trim_slashes(path);
    for component in prefix.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
        let after = rest.strip_prefix(component)?;
        if !after.is_empty() && after[0] != b'/' {
            return None;
        }
        rest = trim_slashes(after);
    }
    Some(rest)
}

/// [`strip`] for a path that [`is_normal`].
fn strip_normal<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let len = prefix.len();
    if len == 1 {
        return path.get(1..);
    }
    // The boundary and the first letter tell most prefixes apart before a comparison is called.
    let ends = path.len() == len || path.get(len) == Some(&b'/');
    if !ends || path.get(1) != prefix.get(1) || !path.starts_with(prefix) {
        return None;
    }
    Some(path.get(len + 1..).unwrap_or(&[]))
}

/// The path is as [`normalize`] would make it, and not the root.
fn is_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    // A slash before a slash or a dot is rare, and looked at closely.
    let suspect = path.windows(2).enumerate().filter(|(_, pair)| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'));
    let odd =
        |rest: &[u8]| matches!(rest, [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..]);
    path.last() != Some(&b'/') && !suspect.into_iter().any(|(at, _)| odd(&path[at + 1..]))
}

fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let [b'/', rest @ ..] = path {
        path = rest;
    }
    path
}

fn has_dots(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|c| c == b".." || c == b".")
}

/// The lexical normal form: absolute, no empty, `.` or `..` components, no slash at the end.
pub fn normalize(path: &[u8]) -> Vec<u8> {
    if is_normal(path) {
        return path.to_vec();
    }
    let mut out: Vec<u8> = Vec::with_capacity(path.len() + 1);
    for component in path.split(|b| *b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let parent = out.iter().rposition(|b| *b == b'/').unwrap_or(0);
                out.truncate(parent);
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// `path` seen from directory `base`: itself if it is absolute. The old spelling `tcp:rest` means `/scheme/tcp/rest`.
pub fn join<'p>(base: &[u8], path: &'p [u8]) -> Cow<'p, [u8]> {
    if path.first() == Some(&b'/') {
        return Cow::Borrowed(path);
    }
    if let Some(scheme) = old_scheme(path) {
        let mut out = b"/scheme/".to_vec();
        out.extend_from_slice(scheme);
        out.push(b'/');
        out.extend_from_slice(trim_slashes(&path[scheme.len() + 1..]));
        return Cow::Owned(out);
    }
    let mut out = Vec::with_capacity(base.len() + 1 + path.len());
    out.extend_from_slice(base);
    if out.last() != Some(&b'/') {
        out.push(b'/');
    }
    out.extend_from_slice(path);
    Cow::Owned(out)
}

/// The scheme of a path in the old spelling: letters, digits, `.`, `_`, `-` before a colon that comes before any slash.
pub fn old_scheme(path: &[u8]) -> Option<&[u8]> {
    let colon = path.iter().position(|b| *b == b':')?;
    let name = &path[..colon];
    (!name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Prefixes<&'static str> {
        let mut p = Prefixes::new();
        p.bind(b"/", "file");
        p.bind(b"/dev/", "dev");
        p.bind(b"/dev/null", "null");
        p.bind(b"/scheme", "schemes");
        p
    }

    fn resolve(path: &str) -> Option<(&'static str, String)> {
        example().resolve(path.as_bytes()).map(|r| (*r.target, String::from_utf8(r.rest.into_owned()).unwrap()))
    }

    extern crate std;
    use std::string::{String, ToString};

    #[test]
    fn longest_prefix_wins_by_components() {
        assert_eq!(resolve("/etc/passwd"), Some(("file", "etc/passwd".to_string())));
        assert_eq!(resolve("//dev//null"), Some(("null", "".to_string())));
        assert_eq!(resolve("/dev/nullify"), Some(("dev", "nullify".to_string())));
        assert_eq!(resolve("/device"), Some(("file", "device".to_string())));
        assert_eq!(resolve("/"), Some(("file", "".to_string())));
        assert!(Prefixes::<u8>::new().resolve(b"/").is_none());
    }

    #[test]
    fn dot_dot_is_the_schemes_unless_it_decides_the_prefix() {
        assert_eq!(resolve("/a/link/../b"), Some(("file", "a/link/../b".to_string())));
        assert_eq!(resolve("/a/../dev/null"), Some(("null", "".to_string())));
        assert_eq!(resolve("/dev/../etc/./passwd"), Some(("file", "etc/passwd".to_string())));
        assert_eq!(resolve("/../../x"), Some(("file", "../../x".to_string())));
    }

    #[test]
    fn old_spelling() {
        assert_eq!(join(b"/home", b"tcp:1.2.3.4:80")[..], b"/scheme/tcp/1.2.3.4:80"[..]);
        assert_eq!(join(b"/home", b"a/b:c")[..], b"/home/a/b:c"[..]);
        assert_eq!(join(b"/", b"x")[..], b"/x"[..]);
        assert_eq!(join(b"/home", b":x")[..], b"/home/:x"[..]);
    }

    proptest! {
        /// The normal form is a fixed point, absolute, and free of dots; a path that is in it resolves to prefix + rest = itself.
        #[test]
        fn normal_form(path in "[a-c./]{0,24}") {
            let normal = normalize(path.as_bytes());
            prop_assert_eq!(&normalize(&normal), &normal);
            prop_assert_eq!(normal[0], b'/');
            prop_assert!(!has_dots(&normal));
            let mut prefixes = Prefixes::new();
            prefixes.bind(b"/", 0);
            prefixes.bind(b"/a", 1);
            prefixes.bind(b"/a/b", 2);
            let r = prefixes.resolve(&normal).unwrap();
            let whole = match *r.target { 0 => join(b"/", &r.rest), 1 => join(b"/a", &r.rest), _ => join(b"/a/b", &r.rest) };
            prop_assert_eq!(normalize(&whole), normal);
        }

        /// Paths in normal form take a short way: to the same place as those that are not.
        #[test]
        fn the_short_way_leads_to_the_same_place(path in "(/[ab.]{1,3}){1,4}") {
            let mut prefixes = Prefixes::new();
            for (n, prefix) in ["/", "/a", "/ab", "/a/b", "/.a", "/a/b/a"].into_iter().enumerate() {
                prefixes.bind(prefix.as_bytes(), n);
            }
            prop_assert_eq!(is_normal(path.as_bytes()), normalize(path.as_bytes()) == path.as_bytes());
            let short = prefixes.resolve(path.as_bytes()).unwrap();
            let longer = std::format!("/{path}");
            let long = prefixes.resolve(longer.as_bytes()).unwrap();
            prop_assert_eq!((short.target, short.prefix_len, short.rest), (long.target, long.prefix_len, long.rest));
        }

        /// Whatever the path, resolving does not escape the namespace: a restricted one never yields a removed target.
        #[test]
        fn restriction_holds(path in "[a-c./]{0,24}") {
            let mut prefixes = Prefixes::new();
            prefixes.bind(b"/", 0);
            prefixes.bind(b"/a", 1);
            prefixes.restrict(&[b"/a".to_vec()]);
            if let Some(r) = prefixes.resolve(path.as_bytes()) {
                prop_assert_eq!(*r.target, 1);
            }
        }
    }
}
