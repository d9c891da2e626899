//! Ochre's first program: serves the boot module as the root file system and starts init.
//!
//! The kernel starts it with the boot module at descriptor 0 and the console at 1 and 2. It registers the scheme `initfs`, binds `/` to
//! it, and starts `/sbin/init`, whose program file it serves itself: therefore the server is a thread of its own. As process 1 it then waits
//! for children; init's end is the system's.
#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
extern crate alloc;

#[cfg(panic = "abort")]
mod boot;

#[cfg(panic = "abort")]
ochre_rt::program!(boot::main);

/// Without the freestanding profile this is a program of the host, where there is nothing to boot.
#[cfg(not(panic = "abort"))]
fn main() -> std::process::ExitCode {
    eprintln!("bootstrap: this program runs on Ochre only");
    std::process::ExitCode::FAILURE
}
