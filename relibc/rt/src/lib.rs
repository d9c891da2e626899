//! Ochre's native layer below the C library: system calls, program loading, signals, clocks.
//!
//! Everything here works without an allocator and without a C library, so that relibc can call it between fork and exec, and
//! programs that have no C library (the bootstrap) can stand on it. Errors are Linux's errno values ([`Errno`]).
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod call;
pub mod cpu;
pub mod elf;
pub mod exec;
pub mod fd;
pub mod mapping;
#[cfg(feature = "alloc")]
pub mod region;
pub mod signal;
#[cfg(feature = "start")]
pub mod start;
pub mod syscall;
pub mod time;

pub use fd::OwnedFd;
pub use ochre_abi as abi;
pub use ochre_abi::{Errno, Result};
