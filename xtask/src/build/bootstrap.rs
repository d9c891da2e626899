//! `boot/bootstrap`: the first process's program as a flat image, so that the kernel needs no ELF reader.
//!
//! Layout, little-endian: the magic `OCHREBT1`, the entry's address as u64, the number of segments as u64, then for each
//! segment vaddr, offset in this file (a multiple of 4096), size in the file, size in memory and flags (those of ELF:
//! 1 executable, 2 writable, 4 readable), all u64; then the segments' bytes.

use super::{elf, userland};
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf as abi};
use std::path::{Path, PathBuf};

/// The package of the bootstrap program, and the name of its ELF file.
pub const PACKAGE: &str = "bootstrap";

const MAGIC: &[u8; 8] = b"OCHREBT1";
const PAGE: u64 = 4096;

/// It is mapped where it was linked, by a kernel that relocates nothing, and starts without a C runtime.
const RUSTFLAGS: &str = "-Crelocation-model=static -Ctarget-feature=+crt-static -Clink-arg=-nostartfiles \
                         -Clink-arg=-nostdlib -Clink-arg=-static -Clink-arg=-no-pie \
                         -Clink-arg=-Wl,-z,separate-code,-z,max-page-size=4096,-z,norelro,--build-id=none";

/// Builds the bootstrap program and returns its ELF file.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    if !workspace.require(PACKAGE)?.bins.iter().any(|bin| bin == PACKAGE) {
        bail!("package `{PACKAGE}` has no program of that name");
    }
    let _step = Step::start("building the bootstrap program");
    Ok(userland::build_freestanding(workspace, PACKAGE, RUSTFLAGS)?.join(PACKAGE))
}

/// A part of the program that is mapped with one protection.
#[derive(Debug, PartialEq, Eq)]
struct Segment<'data> {
    vaddr: u64,
    memsz: u64,
    flags: u64,
    data: &'data [u8],
}

/// Makes the flat image of a static ELF program.
pub fn flatten(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = elf::parse(path, bytes.as_slice())?;
    let header = elf.elf_header();
    let endian = Endianness::Little;
    let mut segments = Vec::new();
    for program in header.program_headers(endian, bytes.as_slice())? {
        match program.p_type(endian) {
            abi::PT_INTERP | abi::PT_DYNAMIC => {
                bail!("{} is dynamically linked; the bootstrap program must be static", path.display())
            }
            abi::PT_LOAD => {}
            _ => continue,
        }
        let data = program.data(endian, bytes.as_slice()).ok().context("a segment outside the file")?;
        segments.push(Segment {
            vaddr: program.p_vaddr(endian),
            memsz: program.p_memsz(endian),
            flags: u64::from(program.p_flags(endian).0),
            data,
        });
    }
    encode(header.e_entry(endian), &segments).with_context(|| format!("{}", path.display()))
}

fn encode(entry: u64, segments: &[Segment]) -> Result<Vec<u8>> {
    let mut image = Vec::from(MAGIC);
    image.extend(entry.to_le_bytes());
    image.extend(u64::try_from(segments.len())?.to_le_bytes());
    let mut offset = (u64::try_from(image.len())? + 40 * u64::try_from(segments.len())?).next_multiple_of(PAGE);
    for segment in segments {
        let Segment { vaddr, memsz, flags, data } = segment;
        ensure!(vaddr % PAGE == 0, "the segment at {vaddr:#x} does not start on a page");
        ensure!(flags & 3 != 3, "the segment at {vaddr:#x} is both writable and executable");
        let filesz = u64::try_from(data.len())?;
        for field in [*vaddr, offset, filesz, *memsz, *flags] {
            image.extend(field.to_le_bytes());
        }
        offset = (offset + filesz).next_multiple_of(PAGE);
    }
    for segment in segments {
        image.resize(image.len().next_multiple_of(4096), 0);
        image.extend(segment.data);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_has_the_documented_layout() {
        let text = Segment { vaddr: 0x40_0000, memsz: 5, flags: 5, data: b"text!" };
        let data = Segment { vaddr: 0x40_2000, memsz: 0x3000, flags: 6, data: b"data" };
        let image = encode(0x40_0001, &[text, data]).unwrap();
        let word = |at: usize| u64::from_le_bytes(image[at..at + 8].try_into().unwrap());
        assert_eq!(&image[..8], b"OCHREBT1");
        assert_eq!([word(8), word(16)], [0x40_0001, 2]);
        assert_eq!([24, 32, 40, 48, 56].map(word), [0x40_0000, 4096, 5, 5, 5]);
        assert_eq!([64, 72, 80, 88, 96].map(word), [0x40_2000, 8192, 4, 0x3000, 6]);
        assert_eq!(&image[4096..4101], b"text!");
        assert_eq!(&image[8192..], b"data");
    }

    #[test]
    fn refuses_what_cannot_be_mapped() {
        assert!(encode(0, &[Segment { vaddr: 1, memsz: 1, flags: 4, data: b"" }]).is_err());
        assert!(encode(0, &[Segment { vaddr: 0, memsz: 1, flags: 7, data: b"" }]).is_err());
    }
}
