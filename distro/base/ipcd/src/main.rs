//! The scheme ipc: which abstract name (unix(7)) leads to which socket. `src/lib.rs` tells how.

use ipcd::{Kernel, Names};
use ochre_rt::syscall;
use ochre_scheme::abi::process::{RLIMIT_NOFILE, Rlimit};
use ochre_scheme::{Result, Server};

/// Names at a time: each is a descriptor.
const NAMES_MAX: u64 = 1 << 19;

fn main() -> Result<()> {
    let files = Rlimit { current: NAMES_MAX, max: NAMES_MAX };
    // With the usual limit there are fewer names.
    let _ = syscall::limit(RLIMIT_NOFILE, Some(&files));
    let mut names = Names::recover(Kernel)?;
    let mut server = Server::register("ipc")?;
    ochre_scheme::ready();
    server.run(&mut names)
}
