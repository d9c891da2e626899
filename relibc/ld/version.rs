//! Whether the versions that an object needs exist. Source: glibc's elf/dl-version.c.

use super::error::{Error, Occasion, Result, show};
use super::load;
use super::object::ObjectRef;
use super::registry::Held;

/// Checks the versions that `object` needs of libraries that are loaded.
///
/// # Errors
/// The first that is missing.
pub fn check(held: &Held, object: ObjectRef) -> Result<()> {
    for version in object.versions.iter().flatten().filter(|version| !version.file.is_empty() && !version.weak) {
        let Some(library) = load::find_loaded(held, version.file) else { continue };
        let mut defined =
            library.versions.iter().flatten().filter(|other| other.file.is_empty()).map(|other| other.name);
        // A library without versions serves every reference.
        let missing = match library.is_self {
            true => !serves(defined, version.name),
            false => {
                library.versions.iter().flatten().any(|other| other.file.is_empty())
                    && !defined.any(|name| name == version.name)
            }
        };
        if missing {
            let what = alloc::format!("version `{}' not found (required by {})", show(version.name), object.shown());
            return Err(Error::new(library.shown(), what, 0).on(Occasion::Version));
        }
    }
    Ok(())
}

/// Whether this library, which has a node only for versions that brought names, serves one: any up to its newest.
fn serves<'a>(defined: impl Iterator<Item = &'a [u8]>, wanted: &[u8]) -> bool {
    let Some(wanted) = number(wanted) else { return true };
    defined.filter_map(number).any(|newest| newest >= wanted)
}

/// The 36 of GLIBC_2.36; nothing for names of another kind (GLIBC_PRIVATE, GLIBC_ABI_DT_RELR).
fn number(version: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(version.strip_prefix(b"GLIBC_2.")?).ok()?;
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_are_served() {
        let nodes = [b"GLIBC_2.2.5".as_slice(), b"GLIBC_2.36", b"GLIBC_ABI_DT_RELR"];
        for (wanted, served) in
            [("GLIBC_2.31", true), ("GLIBC_2.2.6", true), ("GLIBC_2.99", false), ("GLIBC_PRIVATE", true)]
        {
            assert_eq!(serves(nodes.into_iter(), wanted.as_bytes()), served, "{wanted}");
        }
    }
}
