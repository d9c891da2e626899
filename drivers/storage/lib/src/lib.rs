//! Disks: what drivers and clients say to each other ([`protocol`]), a client that outlives the driver ([`Disk`]), partitions
//! ([`partitions`], [`table`]), and the server that all drivers share ([`server`]).
//!
//! read, write, lseek, fsync and ioctl work as on Linux's block devices, and copy. A client with much to move attaches memory objects
//! and has the device read and write these.

#![forbid(unsafe_code)]

mod client;
mod partition;
pub mod protocol;
pub mod server;
pub mod table;

pub use client::{Disk, partitions};
pub use partition::Partition;
