//! The initial tree: what an image holds, and the archive that the kernel gets it in.

pub mod archive;
pub mod config;
pub mod cpio;
pub mod debian;
pub mod iso;
pub mod items;
pub mod programs;
pub mod tree;
