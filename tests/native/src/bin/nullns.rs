//! A process in the null namespace can open nothing, by whatever spelling, and cannot get out; what it holds still works.

use native_tests::{Result, check, report};
use ochre_rt::syscall;
use ochre_scheme::Errno;
use ochre_scheme::abi::file::{AT_FDCWD, O_DIRECTORY, O_RDONLY, O_RDWR};
use std::process::ExitCode;

const PATHS: [&[u8]; 10] = [
    b"/",
    b"/bin/nullns",
    b"/dev/null",
    b"/scheme/null",
    b"/scheme/sys/uname",
    b"null:",
    b"sys:uname",
    b"../../etc",
    b"bin",
    b"/scheme/../scheme/rand",
];

fn main() -> ExitCode {
    report("nullns", run())
}

fn run() -> Result<()> {
    let null = syscall::openat(AT_FDCWD, b"/dev/null", O_RDWR, 0)?;
    for path in PATHS.iter().take(5) {
        let before = syscall::openat(AT_FDCWD, path, O_RDONLY, 0);
        check(before.is_ok(), format!("{} cannot be opened before: {before:?}", path.escape_ascii()))?;
    }
    let root = syscall::openat(AT_FDCWD, b"/", O_RDONLY | O_DIRECTORY, 0)?;
    syscall::close(root)?;
    // Nothing may come back by binding: the right goes first.
    syscall::rights_drop(u64::MAX)?;
    syscall::ns_restrict(b"")?;
    for path in PATHS {
        for flags in [O_RDONLY, O_RDWR] {
            let opened = syscall::openat(AT_FDCWD, path, flags, 0);
            check(opened == Err(Errno::ENOENT), format!("{} in the null namespace: {opened:?}", path.escape_ascii()))?;
        }
    }
    check(syscall::ns_bind(b"/dev/null", b"null") == Err(Errno::EPERM), "a prefix could be bound again")?;
    check(syscall::ns_restrict(b"/\0/scheme\0").is_ok(), "restricting again fails")?;
    let opened = syscall::openat(AT_FDCWD, b"/scheme/null", O_RDONLY, 0);
    check(opened == Err(Errno::ENOENT), "restricting gave a prefix back")?;
    check(syscall::write(null, b"still open")? == 10, "a descriptor from before does not work")
}
