//! Memory runs out, and comes back.

use crate::sys::mapping::Mapping;
use crate::sys::process::{end_of, fork};
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::errno::Errno;
use ochre_rt::{OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] =
    &[("pressure.forks-leave-nothing", forks_leave_nothing), ("pressure.exhausted", exhausted)];

/// What may be missing afterwards, in pages: caches of the kernel, and of the C library here.
const SLACK: u64 = 128;

/// The frames that nobody uses.
fn free_frames() -> Result<u64> {
    let text = std::fs::read_to_string("/scheme/sys/memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("free_frames"));
    Ok(line.ok_or("no free_frames in /scheme/sys/memory")?.trim().parse()?)
}

fn forks_leave_nothing() -> Result {
    let own = Mapping::anonymous(2 * PAGE)?;
    let child = || -> ochre_rt::Result<()> {
        let memory = Mapping::anonymous(20 * PAGE)?;
        (0..20).for_each(|page| memory.set(page * PAGE, 1));
        own.set(PAGE, 3);
        let file = OwnedFd::new(syscall::object_create(10 * PAGE as u64, 0)?);
        syscall::pwrite(file.get(), &[1; PAGE], 3 * PAGE as u64)?;
        Mapping::shared(file.get(), 10 * PAGE)?.set(5 * PAGE, 1);
        Mapping::private(file.get(), 10 * PAGE)?.set(3 * PAGE, 2);
        Ok(())
    };
    let round = || -> Result<u64> {
        for _ in 0..200 {
            let pid = fork(|| u64::from(child().is_err()))?;
            same!(end_of(pid)?, (1, 0));
        }
        free_frames()
    };
    let before = round()?;
    let after = round()?;
    holds!(after + SLACK >= before);
    Ok(())
}

/// One process takes anonymous memory, then an object's, until there is no more; another goes on beside it.
fn exhausted() -> Result {
    let before = free_frames()?;
    let eater = fork(|| {
        let mut last = Ok(());
        while last.is_ok() {
            last = Mapping::anonymous(256 * PAGE).map(|memory| {
                (0..256).for_each(|page| memory.set(page * PAGE, 1));
                // Stays mapped until the process ends.
                core::mem::forget(memory);
            });
        }
        if last != Err(Errno::ENOMEM) {
            return 1;
        }
        let Ok(file) = syscall::object_create(1 << 40, 0) else { return 5 };
        let full = (0..1 << 28).find_map(|page| syscall::pwrite(file, &[1; PAGE], page * PAGE as u64).err());
        if matches!(full, Some(Errno::ENOMEM | Errno::ENOSPC)) { 5 } else { 2 }
    })?;
    let mut served = 0;
    for _ in 0..200 {
        let memory = Mapping::anonymous(64 * PAGE)?;
        (0..64).for_each(|page| memory.set(page * PAGE, 1));
        served += usize::from(memory.get(63 * PAGE));
        syscall::yield_now();
    }
    same!(end_of(eater)?, (1, 5));
    same!(served, 200);
    holds!(free_frames()? + SLACK >= before);
    Ok(())
}
