//! Disks: what drivers and clients say to each other.
//!
//! A disk's scheme is one file. read, write, lseek and fsync work as on Linux's block devices, in whole sectors for writing, and copy. A client
//! with much to move attaches memory objects and has the device read and write these ([`Disk`]).

#![forbid(unsafe_code)]

mod client;
pub mod protocol;

pub use client::Disk;
