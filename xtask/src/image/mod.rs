//! The initial tree: what an image holds, and the archive that the kernel gets it in.

pub mod accounts;
pub mod alternatives;
pub mod archive;
pub mod config;
pub mod cpio;
pub mod debian;
pub mod initfs;
pub mod items;
pub mod media;
pub mod programs;
pub mod root;
pub mod system;
pub mod tree;
pub mod triggers;
