//! What is compiled: the kernel, the C library, the bootstrap program and the programs of an image.

pub mod bootstrap;
pub mod debian;
pub mod elf;
pub mod kernel;
pub mod libc;
pub mod packages;
pub mod stamp;
pub mod strip;
pub mod symbols;
pub mod userland;
