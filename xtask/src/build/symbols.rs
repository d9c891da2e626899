//! `boot/kernel.sym`: the kernel's functions by address, for its own backtraces.
//!
//! Layout, little-endian: the magic `OCHRESYM`, the count as u64, then for each symbol, sorted by address, its address
//! as u64, and offset and length of its name as u32; then the names, demangled, UTF-8. Offsets count from the start of
//! the names.

use super::elf;
use anyhow::{Context, Result};
use object::{Object, ObjectSymbol, SymbolKind};
use std::path::Path;

const MAGIC: &[u8; 8] = b"OCHRESYM";

/// A function's address and demangled name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// The address of its first byte.
    pub addr: u64,
    /// Its path, without the hash.
    pub name: String,
}

/// Reads the functions of an ELF file, sorted by address, one for each address.
pub fn read(path: &Path) -> Result<Vec<Symbol>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = elf::parse(path, bytes.as_slice())?;
    let mut symbols = Vec::new();
    for symbol in elf.symbols() {
        // Labels of assembly have no kind, but name code all the same.
        let code = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown);
        let name = symbol.name().with_context(|| format!("a symbol's name in {}", path.display()))?;
        if code && symbol.is_definition() && symbol.address() != 0 && !name.is_empty() {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            symbols.push(Symbol { addr: symbol.address(), name });
        }
    }
    symbols.sort();
    symbols.dedup_by_key(|symbol| symbol.addr);
    Ok(symbols)
}

/// The function that holds `addr`, and how far into it `addr` is.
pub fn find(symbols: &[Symbol], addr: u64) -> Option<(&Symbol, u64)> {
    let symbol = &symbols[symbols.partition_point(|s| s.addr <= addr).checked_sub(1)?];
    Some((symbol, addr - symbol.addr))
}

/// Makes the bytes of `boot/kernel.sym`.
pub fn encode(symbols: &[Symbol]) -> Result<Vec<u8>> {
    let mut table = Vec::from(MAGIC);
    let mut names: Vec<u8> = Vec::new();
    table.extend(u64::try_from(symbols.len())?.to_le_bytes());
    for symbol in symbols {
        table.extend(symbol.addr.to_le_bytes());
        table.extend(u32::try_from(names.len())?.to_le_bytes());
        table.extend(u32::try_from(symbol.name.len())?.to_le_bytes());
        names.extend(symbol.name.as_bytes());
    }
    table.extend(names);
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Vec<Symbol> {
        let symbol = |addr, name: &str| Symbol { addr, name: name.into() };
        vec![symbol(0x1000, "first"), symbol(0x1010, "a::second"), symbol(0x2000, "z")]
    }

    #[test]
    fn table_has_the_documented_layout() {
        let table = encode(&symbols()).unwrap();
        assert_eq!(&table[..8], b"OCHRESYM");
        assert_eq!(table[8..16], 3u64.to_le_bytes());
        let names = 16 + 3 * 16;
        assert_eq!(table[32..40], 0x1010u64.to_le_bytes());
        assert_eq!(table[40..44], 5u32.to_le_bytes());
        assert_eq!(table[44..48], 9u32.to_le_bytes());
        assert_eq!(&table[names + 5..names + 14], b"a::second");
        assert_eq!(table.len(), names + 15);
    }

    #[test]
    fn finds_the_function_that_holds_an_address() {
        let symbols = symbols();
        assert_eq!(find(&symbols, 0xfff), None);
        assert_eq!(find(&symbols, 0x1000).unwrap().1, 0);
        let (symbol, offset) = find(&symbols, 0x1fff).unwrap();
        assert_eq!((symbol.name.as_str(), offset), ("a::second", 0xfef));
    }

    #[test]
    fn reads_its_own_executable() {
        let symbols = read(&std::env::current_exe().unwrap()).unwrap();
        assert!(symbols.iter().any(|s| s.name.ends_with("symbols::encode")));
        assert!(symbols.is_sorted_by_key(|s| s.addr));
    }
}
