//! Reading ELF files.

use anyhow::{Context, Result};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, ReadRef};
use std::path::Path;

/// A little-endian 64-bit ELF file over borrowed bytes.
pub type Elf<'data, R = &'data [u8]> = ElfFile<'data, FileHeader64<Endianness>, R>;

/// Parses an ELF file's bytes; `path` is for the error's text.
pub fn parse<'data, R: ReadRef<'data>>(path: &Path, bytes: R) -> Result<Elf<'data, R>> {
    Elf::parse(bytes).with_context(|| format!("{} is not a 64-bit ELF file", path.display()))
}
