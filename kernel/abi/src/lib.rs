//! What the kernel and userland agree on: syscall numbers, structures, constants.
//!
//! Everything that has a Linux x86-64 equivalent (errno values, open flags, poll bits, `struct stat`, signal numbers)
//! uses Linux's value and layout, so that relibc passes them through. What is Ochre's own is documented where it stands.
//! All structures are `repr(C)`, without padding, and plain old data (zerocopy).
#![no_std]
#![forbid(unsafe_code)]

pub mod call;
pub mod errno;
pub mod event;
pub mod file;
pub mod layout;
pub mod memory;
pub mod process;
pub mod signal;
pub mod syscall;

pub use errno::{Errno, Result};
