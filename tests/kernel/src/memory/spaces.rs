//! Address spaces that are filled from outside: SPACE_CREATE, SPACE_MAP, SPACE_WRITE, PROCESS_CREATE.

use crate::sys::process::{end_of, start};
use crate::{Check, PAGE, Result, same};
use ochre_rt::abi::memory::*;
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[("spaces.run", run), ("spaces.refused", refused)];

const TEXT: u64 = 0x40_0000;
const STACK: u64 = 0x80_0000;
/// mov edi, 7; mov eax, EXIT; syscall
const EXIT_7: [u8; 12] = [0xbf, 7, 0, 0, 0, 0xb8, 0x3e, 0x80, 0, 0, 0x0f, 0x05];

fn anonymous(addr: u64, prot: u64) -> MapArgs {
    MapArgs { addr, len: PAGE as u64, prot, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, fd: -1, offset: 0 }
}

fn run() -> Result {
    let space = syscall::space_create(0)?;
    same!(syscall::space_map(space, &anonymous(TEXT, PROT_READ | PROT_EXEC)), Ok(TEXT as usize));
    same!(syscall::space_map(space, &anonymous(STACK, PROT_READ | PROT_WRITE)), Ok(STACK as usize));
    same!(syscall::space_write(space, TEXT, &EXIT_7), Ok(EXIT_7.len()));
    let child = start(space, TEXT, STACK + PAGE as u64)?;
    same!(end_of(child)?, (1, 7));
    // The process took the descriptor over.
    same!(syscall::close(space), Err(Errno::EBADF));
    Ok(())
}

fn refused() -> Result {
    let space = OwnedFd::new(syscall::space_create(0)?);
    let everything = PROT_READ | PROT_WRITE | PROT_EXEC;
    same!(syscall::space_map(space.get(), &anonymous(TEXT, everything)), Err(Errno::EACCES));
    same!(syscall::space_write(space.get(), TEXT, &EXIT_7), Err(Errno::EFAULT));
    let [reader, _writer] = syscall::pipe(0)?.map(OwnedFd::new);
    same!(syscall::space_map(9999, &anonymous(TEXT, PROT_READ)), Err(Errno::EBADF));
    same!(syscall::space_map(reader.get(), &anonymous(TEXT, PROT_READ)).is_err(), true);
    Ok(())
}
