//! What an ELF file exports and imports.

use crate::build::elf;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where names that are not implemented lead.
const MISSING: &str = "__relibc_missing";
/// What relibc/missing makes of a name: `lea rdi, [rip + …]` (7 bytes) and a jump.
const LEA: &[u8] = &[0x48, 0x8d, 0x3d];
/// `jmp` with a displacement of 32 bits.
const JUMP: u8 = 0xe9;

/// The names that a library exports, each with whether it is implemented.
pub fn exports(path: &Path) -> Result<BTreeMap<String, bool>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = elf::parse(path, bytes.as_slice())?;
    let missing = elf.symbols().find(|symbol| symbol.name() == Ok(MISSING)).map(|symbol| symbol.address());
    let mut names = BTreeMap::new();
    for symbol in elf.dynamic_symbols().filter(|symbol| symbol.is_definition()) {
        let name = symbol.name().with_context(|| format!("a symbol's name in {}", path.display()))?;
        let code = symbol.section_index().and_then(|index| elf.section_by_index(index).ok()).and_then(|section| {
            let start = usize::try_from(symbol.address().checked_sub(section.address())?).ok()?;
            section.data().ok()?.get(start..start + 12)
        });
        let stub = code.and_then(|code| target(code, symbol.address())).is_some_and(|target| Some(target) == missing);
        names.insert(name.to_owned(), !stub);
    }
    ensure!(!names.is_empty(), "{} exports nothing", path.display());
    Ok(names)
}

/// Where an entry of relibc/missing jumps to, if this is one.
fn target(code: &[u8], address: u64) -> Option<u64> {
    if !code.starts_with(LEA) || *code.get(7)? != JUMP {
        return None;
    }
    let displacement = i32::from_le_bytes(code.get(8..12)?.try_into().ok()?);
    Some(address.wrapping_add(12).wrapping_add_signed(displacement.into()))
}

/// The names that a program or library imports.
pub fn imports(path: &Path) -> Result<BTreeSet<String>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = elf::parse(path, bytes.as_slice())?;
    let undefined = elf.dynamic_symbols().filter(|symbol| symbol.is_undefined());
    Ok(undefined.filter_map(|symbol| symbol.name().ok()).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_entries_that_abort() {
        let code = [0x48, 0x8d, 0x3d, 1, 2, 3, 4, 0xe9, 0xf4, 0xff, 0xff, 0xff];
        assert_eq!(target(&code, 0x1000), Some(0x1000));
        assert_eq!(target(&[0x55; 12], 0x1000), None);
        assert_eq!(target(&code[..9], 0x1000), None);
    }
}
