//! All checks, by subject.

mod dirs;
mod env;
mod files;
mod memory;
mod panics;
mod process;
mod sockets;
mod stdio;
mod sync;
mod threads;
mod time;

use crate::check::Check;

/// Every check, the simplest subjects first.
pub fn all() -> impl Iterator<Item = Check> {
    [
        memory::CHECKS,
        time::CHECKS,
        env::CHECKS,
        threads::CHECKS,
        sync::CHECKS,
        panics::CHECKS,
        files::CHECKS,
        dirs::CHECKS,
        sockets::CHECKS,
        process::CHECKS,
        stdio::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
