//! The schemes that the kernel serves itself, as text and as folders.

use crate::{Check, Result, holds, same};
use ochre_rt::abi::file::{AT_FDCWD, O_RDONLY, O_RDWR};
use ochre_rt::{Errno, syscall};
use std::fs;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("schemes.sys", sys),
    ("schemes.process", process),
    ("schemes.folders", folders),
    ("schemes.devices", devices),
    ("schemes.empty", empty),
];

fn sys() -> Result {
    for name in ["boot", "cmdline", "cpu", "memory", "process", "scheme", "stat", "thread", "uname"] {
        let text = fs::read_to_string(format!("/scheme/sys/{name}"))?;
        holds!(name == "cmdline" || !text.trim().is_empty());
    }
    holds!(fs::read("/scheme/sys/log")?.len() > 100);
    same!(syscall::openat(AT_FDCWD, b"/scheme/sys/nothing", O_RDONLY, 0), Err(Errno::ENOENT));
    Ok(())
}

fn process() -> Result {
    for name in ["status", "maps", "threads", "name", "limits", "fds"] {
        holds!(!fs::read(format!("/scheme/proc/self/{name}"))?.is_empty());
    }
    Ok(())
}

fn folders() -> Result {
    for folder in ["/scheme/sys", "/scheme/proc", "/scheme/proc/1"] {
        let names = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
        holds!(!names.is_empty());
    }
    Ok(())
}

/// Memory that is no device's is nobody's to map.
fn devices() -> Result {
    let ram = syscall::openat(AT_FDCWD, b"/scheme/memory/device/100000/1000", O_RDWR, 0);
    same!(ram, Err(Errno::EPERM));
    Ok(())
}

/// null(4): the kernel answers for the server.
fn empty() -> Result {
    let null = syscall::openat(AT_FDCWD, b"/dev/null", O_RDWR, 0)?;
    let mut buffer = [7; 8];
    same!(syscall::read(null, &mut buffer), Ok(0));
    same!(syscall::write(null, &[1; 100_000]), Ok(100_000));
    same!(syscall::write(null, &[]), Ok(0));
    same!(buffer, [7; 8]);
    let zero = syscall::openat(AT_FDCWD, b"/dev/zero", O_RDWR, 0)?;
    same!(syscall::read(zero, &mut buffer), Ok(8));
    same!(buffer, [0; 8]);
    syscall::close(null)?;
    syscall::close(zero)?;
    Ok(())
}
