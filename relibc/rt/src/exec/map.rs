//! Puts an ELF image into another address space.

use super::PageBuffer;
use crate::elf::{Header, Program, Segment, page_down, page_up};
use crate::{OwnedFd, syscall};
use ochre_abi::layout::{PAGE_SIZE, USER_START};
use ochre_abi::memory::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, MAP_STACK, MapArgs, PROT_READ, PROT_WRITE,
};
use ochre_abi::{Errno, Result};

/// Bytes of the initial thread's stack.
pub const STACK_SIZE: u64 = 8 << 20;
/// Bytes below it that nothing else is mapped at (Linux's stack_guard_gap).
const STACK_GUARD: u64 = 1 << 20;

static ZEROES: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// Where an image went.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// Added to the file's addresses.
    pub bias: u64,
    /// Entry point in the new space.
    pub entry: u64,
    /// The program headers in the new space, 0 if they are not in the image.
    pub phdr: u64,
    pub phnum: u64,
}

/// The program headers of a file of which `first` has the first bytes; `spare` takes them if they stand further on.
pub fn program<'a>(file: &OwnedFd, first: &'a [u8], spare: &'a mut PageBuffer) -> Result<Program<'a>> {
    let header = Header::parse(first)?;
    let table = usize::try_from(header.table_offset)
        .ok()
        .and_then(|start| first.get(start..start.checked_add(header.table_size())?));
    match table {
        Some(table) => Program::new(header, table),
        None => {
            let table = spare.get_mut(..header.table_size()).ok_or(Errno::ENOEXEC)?;
            read_exactly(file, table, header.table_offset)?;
            Program::new(header, table)
        }
    }
}

/// Fills `buffer` from the file; ENOEXEC if the file ends before.
pub fn read_exactly(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match syscall::pread(file.get(), rest, offset + done as u64)? {
            0 => return Err(Errno::ENOEXEC),
            read => done += read,
        }
    }
    Ok(())
}

/// Maps all segments; a relocatable image goes to `base`, rounded up to its alignment.
pub fn image(space: &OwnedFd, file: &OwnedFd, program: &Program<'_>, base: u64) -> Result<Mapped> {
    let header = program.header();
    let bias = if header.relocatable {
        base.next_multiple_of(program.align).wrapping_sub(page_down(program.start))
    } else if program.start < USER_START as u64 {
        return Err(Errno::ENOEXEC);
    } else {
        0
    };
    for segment in program.segments() {
        map_segment(space, file, &segment, bias)?;
    }
    Ok(Mapped {
        bias,
        entry: header.entry.wrapping_add(bias),
        phdr: program.table_address.map_or(0, |address| address.wrapping_add(bias)),
        phnum: header.table_count.into(),
    })
}

fn map_segment(space: &OwnedFd, file: &OwnedFd, segment: &Segment, bias: u64) -> Result<()> {
    let start = page_down(segment.address);
    let file_end = segment.address + segment.file_size;
    let mut mapped_end = start;
    if segment.file_size > 0 {
        mapped_end = page_up(file_end);
        let args = MapArgs {
            addr: start.wrapping_add(bias),
            len: mapped_end - start,
            prot: segment.protection,
            flags: MAP_PRIVATE | MAP_FIXED,
            fd: file.get().into(),
            offset: page_down(segment.offset),
        };
        match syscall::space_map(space.get(), &args) {
            Ok(_) => {}
            // The file's server keeps no memory object for it.
            Err(Errno::ENODEV) => copy_pages(space, file, &args)?,
            Err(error) => return Err(error),
        }
        if segment.memory_size > segment.file_size {
            let tail = ZEROES.get(..(mapped_end - file_end) as usize).unwrap_or(&ZEROES);
            write(space, file_end.wrapping_add(bias), tail)?;
        }
    }
    let end = page_up(segment.end());
    if end > mapped_end {
        anonymous(space, mapped_end.wrapping_add(bias), end - mapped_end, segment.protection, 0)?;
    }
    Ok(())
}

fn anonymous(space: &OwnedFd, addr: u64, len: u64, prot: u64, flags: u64) -> Result<()> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags;
    syscall::space_map(space.get(), &MapArgs { addr, len, prot, flags, fd: -1, offset: 0 }).map(|_| ())
}

/// Fills anonymous memory from a file that cannot be mapped.
fn copy_pages(space: &OwnedFd, file: &OwnedFd, args: &MapArgs) -> Result<()> {
    anonymous(space, args.addr, args.len, args.prot, 0)?;
    let mut buffer = [0; PAGE_SIZE];
    let mut done = 0;
    while done < args.len {
        let want = (args.len - done).min(PAGE_SIZE as u64) as usize;
        let chunk = buffer.get_mut(..want).ok_or(Errno::EINVAL)?;
        let read = syscall::pread(file.get(), chunk, args.offset + done)?;
        if read == 0 {
            break;
        }
        write(space, args.addr + done, chunk.get(..read).ok_or(Errno::EIO)?)?;
        done += read as u64;
    }
    Ok(())
}

/// Writes all of `data` into the new space.
pub fn write(space: &OwnedFd, mut addr: u64, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        let written = syscall::space_write(space.get(), addr, data)?;
        if written == 0 {
            return Err(Errno::EFAULT);
        }
        addr += written as u64;
        data = data.get(written..).unwrap_or(&[]);
    }
    Ok(())
}

/// Maps the initial thread's stack below `top`, with its guard.
pub fn stack(space: &OwnedFd, top: u64) -> Result<()> {
    anonymous(space, top - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_STACK | MAP_NORESERVE)?;
    anonymous(space, top - STACK_SIZE - STACK_GUARD, STACK_GUARD, 0, MAP_NORESERVE)
}
