//! Anonymous memory: mmap(2), munmap(2), mprotect(2), madvise(2), mincore(2), mlock(2).

use crate::sys::mapping::{Mapping, unmap_unaligned};
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::memory::*;
use ochre_rt::{Errno, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("anonymous.zeroed", zeroed),
    ("anonymous.hole", hole),
    ("anonymous.protection", protection),
    ("anonymous.refused", refused),
    ("anonymous.fixed", fixed),
    ("anonymous.sparse", sparse),
    ("anonymous.resident", resident),
];

const ANONYMOUS: u64 = MAP_PRIVATE | MAP_ANONYMOUS;

fn zeroed() -> Result {
    let memory = Mapping::anonymous(16 * PAGE)?;
    same!(memory.get(5 * PAGE + 7), 0);
    memory.set(5 * PAGE + 7, 9);
    same!(memory.get(5 * PAGE + 7), 9);
    memory.discard(0, 16 * PAGE)?;
    same!(memory.get(5 * PAGE + 7), 0);
    Ok(())
}

fn hole() -> Result {
    let memory = Mapping::anonymous(16 * PAGE)?;
    for page in 0..16 {
        memory.set(page * PAGE, page as u8);
    }
    memory.unmap(4 * PAGE, PAGE)?;
    let across = memory.protect(0, 16 * PAGE, PROT_READ);
    let filled = memory.replace(4 * PAGE, PAGE, MAP_FIXED_NOREPLACE);
    same!(across, Err(Errno::ENOMEM));
    same!(filled, Ok(memory.address() + 4 * PAGE));
    same!((memory.get(3 * PAGE), memory.get(4 * PAGE), memory.get(5 * PAGE)), (3, 0, 5));
    Ok(())
}

fn protection() -> Result {
    let file = syscall::object_create(PAGE as u64, 0)?;
    let memory = Mapping::anonymous(2 * PAGE)?;
    memory.set(0, 1);
    memory.protect(0, PAGE, PROT_READ)?;
    same!(memory.read_from(0, 100, file), Err(Errno::EFAULT));
    same!(memory.get(0), 1);
    memory.protect(0, PAGE, PROT_READ | PROT_WRITE)?;
    same!(memory.read_from(0, 100, file), Ok(100));
    memory.set(1, 77);
    same!((memory.get(0), memory.get(1)), (0, 77));
    syscall::close(file)?;
    Ok(())
}

fn refused() -> Result {
    let of = |len, prot, fd, flags| Mapping::new(len, prot, flags, fd, 0).map(|memory| memory.address());
    same!(of(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, -1, ANONYMOUS), Err(Errno::EACCES));
    same!(of(0, PROT_READ, -1, ANONYMOUS), Err(Errno::EINVAL));
    same!(of(usize::MAX, PROT_READ, -1, ANONYMOUS), Err(Errno::ENOMEM));
    same!(of(PAGE, PROT_READ, 9999, MAP_PRIVATE), Err(Errno::EBADF));
    let memory = Mapping::anonymous(2 * PAGE)?;
    same!(unmap_unaligned(&memory), Err(Errno::EINVAL));
    Ok(())
}

fn fixed() -> Result {
    let memory = Mapping::anonymous(4 * PAGE)?;
    memory.set(PAGE + 1, 77);
    same!(memory.replace(PAGE, PAGE, MAP_FIXED_NOREPLACE), Err(Errno::EEXIST));
    same!(memory.get(PAGE + 1), 77);
    same!(memory.replace(PAGE, PAGE, MAP_FIXED), Ok(memory.address() + PAGE));
    same!(memory.get(PAGE + 1), 0);
    Ok(())
}

/// 64 TiB with one page in the middle: page tables are made, and go, only where there is something.
fn sparse() -> Result {
    let memory = Mapping::new(1 << 46, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_NORESERVE, -1, 0)?;
    memory.set(1 << 45, 1);
    same!(memory.get(1 << 45), 1);
    same!(memory.get((1 << 46) - 1), 0);
    Ok(())
}

fn resident() -> Result {
    let memory = Mapping::anonymous(3 * PAGE)?;
    memory.set(PAGE, 1);
    let mut pages = [0xffu8; 3];
    syscall::mincore(memory.address(), 3 * PAGE, &mut pages)?;
    same!(pages.map(|page| page & 1), [0, 1, 0]);
    syscall::mlock(memory.address(), 3 * PAGE, true)?;
    syscall::mincore(memory.address(), 3 * PAGE, &mut pages)?;
    holds!(pages.iter().all(|page| page & 1 == 1));
    syscall::mlock(memory.address(), 3 * PAGE, false)?;
    Ok(())
}
