//! The parts of the bootstrap program: the initial archive's reader, the file system in memory, and the server over both.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod archive;
pub mod objects;
pub mod ramfs;
pub mod server;
