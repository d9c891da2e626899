//! What an executable file says about its image: ELF's header and program headers, read with suspicion.
//!
//! Pure: bytes in, checked numbers out, so that it is tested on the host. Whatever the file says, every [`Segment`] handed out
//! lies within an address range of less than 2⁴⁷ bytes, does not overflow with its offsets and can be mapped as it stands.
//! Source: System V ABI, chapters 4 and 5, and Linux's `fs/binfmt_elf.c` for what is accepted.

use ochre_abi::layout::{PAGE_SIZE, USER_END};
use ochre_abi::memory::{PROT_EXEC, PROT_READ, PROT_WRITE};
use ochre_abi::{Errno, Result};

/// Bytes of the file header.
pub const HEADER_SIZE: usize = 64;
/// Bytes of a program header.
pub const PROGRAM_HEADER_SIZE: usize = 56;
/// The greatest number of program headers: their table fits a page.
pub const PROGRAM_HEADERS_MAX: usize = PAGE_SIZE / PROGRAM_HEADER_SIZE;

const PAGE: u64 = PAGE_SIZE as u64;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;

/// `address` rounded down to a page.
pub const fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// `address` rounded up to a page; callers pass checked addresses, below 2⁴⁷.
pub const fn page_up(address: u64) -> u64 {
    page_down(address + (PAGE - 1))
}

/// The file header's useful part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether the image can be loaded anywhere (ET_DYN) or only where it says (ET_EXEC).
    pub relocatable: bool,
    /// Entry point, before the load bias.
    pub entry: u64,
    /// Offset of the program headers in the file.
    pub table_offset: u64,
    /// Their number, 1 to [`PROGRAM_HEADERS_MAX`].
    pub table_count: u16,
}

impl Header {
    /// Reads the header at the start of a file. ENOEXEC for anything but a little-endian x86-64 executable or shared object.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let header = file.get(..HEADER_SIZE).ok_or(Errno::ENOEXEC)?;
        // Magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT.
        let known = header.starts_with(b"\x7fELF\x02\x01\x01")
            && u16_at(header, 18) == EM_X86_64
            && u16_at(header, 54) as usize == PROGRAM_HEADER_SIZE;
        let kind = u16_at(header, 16);
        let count = u16_at(header, 56);
        let offset = u64_at(header, 32);
        if !known
            || !(kind == ET_EXEC || kind == ET_DYN)
            || count == 0
            || count as usize > PROGRAM_HEADERS_MAX
            || offset >= 1 << 62
        {
            return Err(Errno::ENOEXEC);
        }
        Ok(Self { relocatable: kind == ET_DYN, entry: u64_at(header, 24), table_offset: offset, table_count: count })
    }

    /// Bytes of the table of program headers, at most a page.
    pub const fn table_size(&self) -> usize {
        self.table_count as usize * PROGRAM_HEADER_SIZE
    }
}

/// A PT_LOAD entry: `file_size` bytes at `offset` of the file go to `address`, zeroes follow up to `memory_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    /// Before the load bias. Congruent to `offset` modulo the page size if there is anything in the file.
    pub address: u64,
    /// At most `memory_size`.
    pub file_size: u64,
    pub memory_size: u64,
    /// PROT_ bits.
    pub protection: u64,
    /// Power of two, at least a page.
    pub align: u64,
}

impl Segment {
    /// One past the segment's last byte, before the load bias.
    pub const fn end(&self) -> u64 {
        self.address + self.memory_size
    }
}

/// Checked program headers.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    header: Header,
    table: &'a [u8],
    /// Lowest and one past the highest address of all segments, page-aligned, before the load bias.
    pub start: u64,
    pub end: u64,
    /// The greatest alignment that a segment asks for.
    pub align: u64,
    /// Where the program headers are in memory, before the load bias; `None` if no segment has them.
    pub table_address: Option<u64>,
    /// Offset and length in the file of the interpreter's path with its NUL.
    pub interpreter: Option<(u64, usize)>,
}

impl<'a> Program<'a> {
    /// Checks all program headers; `table` starts with them. ENOEXEC if there is nothing to load or a segment makes no sense.
    pub fn new(header: Header, table: &'a [u8]) -> Result<Self> {
        let table = table.get(..header.table_size()).ok_or(Errno::ENOEXEC)?;
        let mut program =
            Self { header, table, start: u64::MAX, end: 0, align: PAGE, table_address: None, interpreter: None };
        let mut phdr = None;
        for entry in table.chunks_exact(PROGRAM_HEADER_SIZE) {
            match u32_at(entry, 0) {
                PT_LOAD => {
                    let Some(segment) = segment(entry)? else { continue };
                    program.start = program.start.min(page_down(segment.address));
                    program.end = program.end.max(page_up(segment.end()));
                    program.align = program.align.max(segment.align);
                    let within = header.table_offset.checked_sub(segment.offset);
                    if let Some(distance) = within.filter(|&distance| distance < segment.file_size)
                        && program.table_address.is_none()
                    {
                        program.table_address = Some(segment.address + distance);
                    }
                }
                PT_INTERP if program.interpreter.is_none() => {
                    let (offset, len) = (u64_at(entry, 8), u64_at(entry, 32));
                    // A path with its NUL: at least one byte and it, at most PATH_MAX.
                    if !(2..=4096).contains(&len) || offset >= 1 << 62 {
                        return Err(Errno::ENOEXEC);
                    }
                    program.interpreter = Some((offset, len as usize));
                }
                PT_PHDR => phdr = Some(u64_at(entry, 16)),
                _ => {}
            }
        }
        if program.start >= program.end {
            return Err(Errno::ENOEXEC);
        }
        // PT_PHDR is the linker's word; keep to it only if it lies in the image.
        if let Some(address) = phdr.filter(|address| (program.start..program.end).contains(address)) {
            program.table_address = Some(address);
        }
        Ok(program)
    }

    /// The file header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The segments to load, in the file's order; empty ones are left out.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + use<'a> {
        self.table
            .chunks_exact(PROGRAM_HEADER_SIZE)
            .filter(|entry| u32_at(entry, 0) == PT_LOAD)
            .filter_map(|entry| segment(entry).ok().flatten())
    }

    /// Bytes from [`Self::start`] to [`Self::end`].
    pub const fn span(&self) -> u64 {
        self.end - self.start
    }
}

/// Checks a PT_LOAD entry; `None` for an empty one.
fn segment(entry: &[u8]) -> Result<Option<Segment>> {
    let flags = u32_at(entry, 4);
    let segment = Segment {
        offset: u64_at(entry, 8),
        address: u64_at(entry, 16),
        file_size: u64_at(entry, 32),
        memory_size: u64_at(entry, 40),
        protection: if flags & 4 != 0 { PROT_READ } else { 0 }
            | if flags & 2 != 0 { PROT_WRITE } else { 0 }
            | if flags & 1 != 0 { PROT_EXEC } else { 0 },
        align: u64_at(entry, 48).max(PAGE),
    };
    if segment.memory_size == 0 {
        return Ok(None);
    }
    let end = segment.address.checked_add(segment.memory_size);
    let sound = segment.file_size <= segment.memory_size
        && end.is_some_and(|end| end <= USER_END as u64)
        && segment.offset.checked_add(segment.file_size).is_some_and(|end| end < 1 << 62)
        && (segment.file_size == 0 || segment.offset % PAGE == segment.address % PAGE)
        && segment.align.is_power_of_two()
        && segment.align <= 1 << 30;
    if sound { Ok(Some(segment)) } else { Err(Errno::ENOEXEC) }
}

/// `N` bytes at `at`; zeroes beyond the end, which no caller reaches.
fn bytes<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    data.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(data, at))
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(data, at))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(data, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(file: &[u8]) -> Result<Program<'_>> {
        let header = Header::parse(file)?;
        Program::new(header, file.get(header.table_offset as usize..).ok_or(Errno::ENOEXEC)?)
    }

    fn own_image() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn reads_a_real_program() {
        let file = own_image();
        let program = load(&file).unwrap();
        assert!(program.header().relocatable);
        let (offset, len) = program.interpreter.unwrap();
        assert_eq!(&file[offset as usize..offset as usize + len], b"/lib64/ld-linux-x86-64.so.2\0");
        assert!(program.segments().count() >= 2);
        assert_eq!(program.table_address, Some(64));
        assert!(program.segments().any(|segment| segment.protection == PROT_READ | PROT_EXEC));
    }

    #[test]
    fn refuses_what_is_no_program() {
        assert_eq!(Header::parse(b"#!/bin/sh\n"), Err(Errno::ENOEXEC));
        assert_eq!(Header::parse(&[]), Err(Errno::ENOEXEC));
        let mut other_machine = own_image();
        other_machine[18] = 3;
        assert_eq!(Header::parse(&other_machine), Err(Errno::ENOEXEC));
    }

    proptest! {
        #[test]
        fn hostile_headers_are_data(noise in proptest::collection::vec((0usize..1024, any::<u8>()), 0..24), len in 0usize..1024) {
            let mut file = own_image();
            file.truncate(1024);
            for (at, value) in noise {
                file[at] = value;
            }
            file.truncate(1024 - len / 4);
            if let Ok(program) = load(&file) {
                prop_assert!(program.start < program.end && program.end <= page_up(USER_END as u64));
                prop_assert!(program.align.is_power_of_two());
                for segment in program.segments() {
                    prop_assert!(segment.file_size <= segment.memory_size);
                    prop_assert!(segment.address >= program.start && segment.end() <= program.end);
                }
            }
        }
    }
}
