//! Child processes made by the kernel's calls.

use ochre_rt::abi::process::{P_PID, ProcessArgs, StartArgs, WEXITED, WNOHANG};
use ochre_rt::{Errno, Result, syscall};

/// Runs `child` in a forked copy of this process, which ends with the status that it returns; the copy's pid.
///
/// Only this thread goes on in the copy, so `child` keeps to system calls and mappings: no heap, no locks, no output.
pub fn fork(child: impl FnOnce() -> u64) -> Result<i32> {
    // SAFETY: `child` takes no locks, see above.
    match unsafe { syscall::fork(0) }? {
        0 => syscall::exit(child()),
        pid => Ok(pid),
    }
}

/// Waits for the end of a child: its siginfo code (1: it exited) and status.
pub fn end_of(pid: i32) -> Result<(i32, i32)> {
    loop {
        match syscall::wait(P_PID, pid as u64, WEXITED) {
            Ok(Some(end)) => return Ok((end.code, end.status)),
            Ok(None) => return Err(Errno::ECHILD),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// As [`end_of`], without waiting: `None` while it runs.
pub fn exited(pid: i32) -> Result<Option<(i32, i32)>> {
    Ok(syscall::wait(P_PID, pid as u64, WEXITED | WNOHANG)?.map(|end| (end.code, end.status)))
}

/// Starts a child in an address space, without descriptors or rights; its pid.
pub fn start(space: i32, entry: u64, stack: u64) -> Result<i32> {
    let start = StartArgs { entry, stack, ..StartArgs::default() };
    // SAFETY: there are no descriptor pairs.
    unsafe { syscall::process_create(&ProcessArgs { start, space, cwd: -1, ..ProcessArgs::default() }) }
}

/// Gives the kernel a robust list whose one entry is a word of shared memory: `list` has the head at 0 and the entry at 24.
///
/// For a forked child that ends at once, see set_robust_list(2).
pub fn robust_list(list: &super::mapping::Mapping, word_at: usize) -> Result<()> {
    let head = list.address() as u64;
    let entry = head + 24;
    // struct robust_list_head: next, offset from an entry to its word, pending; then the entry, which ends the circle.
    for (at, value) in [(0, entry), (8, (head + word_at as u64).wrapping_sub(entry)), (16, 0), (24, head)] {
        for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
            list.set(at + i, byte);
        }
    }
    // SAFETY: the list lies in shared memory that this child keeps mapped until it ends.
    unsafe { syscall::set_robust_list(list.address(), 24) }
}
