//! The parts of fsd: the store that puts files' bytes into the kernel's page cache and a volume, the pager, and what finds the disk.
#![forbid(unsafe_code)]

pub mod disk;
pub mod memory;
pub mod pager;
pub mod root;
pub mod shared;
pub mod store;

#[cfg(test)]
mod tests;
