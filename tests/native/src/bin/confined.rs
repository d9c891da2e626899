//! A server that confined itself, as drivers do, can open nothing, bind nothing, register nothing, and has no power over others; what it
//! holds, and the one right that it kept, still work.

use native_tests::{Result, check, report};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{AT_FDCWD, O_RDONLY, O_RDWR};
use ochre_scheme::abi::memory::OBJECT_CLOEXEC;
use ochre_scheme::abi::process::RIGHT_DEVICE;
use ochre_scheme::abi::syscall::POWER_OFF;
use ochre_scheme::{Errno, Server, confine};
use std::process::ExitCode;

const NAME: &str = "confined";
/// What a driver could harm most.
const PATHS: [&[u8]; 9] = [
    b"/",
    b"/scheme/memory/physical",
    b"/scheme/memory/ports/0-ffff",
    b"/scheme/irq/1",
    b"/scheme/pci",
    b"/scheme/sys/acpi",
    b"/scheme/initfs/sbin/init",
    b"/proc/1/mem",
    b"memory:",
];

fn main() -> ExitCode {
    report("confined", run())
}

fn run() -> Result<()> {
    let object = OwnedFd::new(syscall::object_create(4096, OBJECT_CLOEXEC)?);
    let server = Server::register(NAME)?;
    confine(RIGHT_DEVICE)?;
    for path in PATHS {
        for flags in [O_RDONLY, O_RDWR] {
            let opened = syscall::openat(AT_FDCWD, path, flags, 0);
            check(opened == Err(Errno::ENOENT), format!("{}: {opened:?}", path.escape_ascii()))?;
        }
    }
    let refused = |what: &str, result: std::result::Result<(), Errno>| {
        check(result == Err(Errno::EPERM), format!("{what}: {result:?}"))
    };
    refused("a prefix", syscall::ns_bind(b"/", b"initfs"))?;
    refused("its namespace", syscall::ns_open().map(drop))?;
    refused("a second name", server.serve("confined-too"))?;
    refused("a reservation", syscall::scheme_reserve(NAME.as_bytes(), 1))?;
    refused("another's port", syscall::port_adopt(NAME.as_bytes(), 0).map(drop))?;
    refused("the power", syscall::power(POWER_OFF, 0))?;
    let dropped = syscall::rights_drop(0)?;
    check(dropped as u64 == RIGHT_DEVICE, format!("rights {dropped:x}"))?;
    let mut address = [0];
    check(syscall::object_phys(object.get(), 0, &mut address) == Ok(1), "the right that it kept does not work")
}
