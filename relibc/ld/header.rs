//! The header of an ELF file: whether it is one that can be loaded. Sources: System V ABI, chapter 4, and the order and the words
//! of glibc's elf/dl-load.c (`open_verify`).

use super::elf::*;
use super::error::Result;
use super::map::File;

/// What is said of a 32-bit file when nothing better was found.
pub const OTHER_CLASS: &str = "wrong ELF class: ELFCLASS32";

/// What a header says about its file.
pub enum Verdict {
    /// It can be loaded, as far as the header goes.
    Good(Header),
    /// A 32-bit file: a search for the name goes on.
    OtherClass,
    /// For another machine: as if it did not exist.
    OtherMachine,
}

/// The most program headers that a file may have.
const PHDRS_MAX: u16 = 512;

/// Reads and judges the header of `file`.
///
/// # Errors
/// The file cannot be read or is no ELF file that this machine understands.
pub fn read(file: &File) -> Result<Verdict> {
    let mut bytes = [0u8; size_of::<Header>()];
    let len = file.read_at(&mut bytes, 0)?;
    if len < bytes.len() {
        return Err(file.bad("file too short"));
    }
    // SAFETY: every bit pattern is a valid header.
    let header: Header = unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() };
    let ident = header.e_ident;
    if ident[..4] != *b"\x7fELF" {
        return Err(file.bad("invalid ELF header"));
    }
    if ident[4] != 2 {
        return Ok(Verdict::OtherClass);
    }
    if ident[5] != 1 {
        return Err(file.bad("ELF file data encoding not little-endian"));
    }
    if ident[6] != 1 {
        return Err(file.bad("ELF file version ident does not match current one"));
    }
    // System V or GNU; the latter has ABI versions up to 3 (IFUNC, unique symbols, absolute symbols).
    if !matches!(ident[7], 0 | 3) {
        return Err(file.bad("ELF file OS ABI invalid"));
    }
    if ident[8] > if ident[7] == 3 { 3 } else { 0 } {
        return Err(file.bad("ELF file ABI version invalid"));
    }
    if ident[9..].iter().any(|&byte| byte != 0) {
        return Err(file.bad("nonzero padding in e_ident"));
    }
    if header.e_version != 1 {
        return Err(file.bad("ELF file version does not match current one"));
    }
    if header.e_machine != EM_X86_64 {
        return Ok(Verdict::OtherMachine);
    }
    if !matches!(header.e_type, ET_DYN | ET_EXEC) {
        return Err(file.bad("only ET_DYN and ET_EXEC can be loaded"));
    }
    if header.e_phentsize as usize != size_of::<Phdr>() {
        return Err(file.bad("ELF file's phentsize not the expected size"));
    }
    if header.e_phnum > PHDRS_MAX {
        return Err(file.bad("too many program headers"));
    }
    Ok(Verdict::Good(header))
}
