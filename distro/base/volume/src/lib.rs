//! File systems on disks.
//!
//! The trait [`Volume`] is what a file server (crate `ochre-vfs`) needs of a place where nodes live: nodes by number, directories, bytes,
//! extended attributes, and [`Volume::commit`]. With the feature `redoxfs`, [`redox::Redox`] implements it on a [`device::Device`] in the
//! format of RedoxFS. Without the feature the crate is `no_std` and holds the trait alone.

#![cfg_attr(not(feature = "redoxfs"), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "redoxfs")]
pub mod device;
#[cfg(feature = "redoxfs")]
pub mod redox;
mod volume;

pub use ochre_abi::errno::{Errno, Result};
pub use volume::{Attributes, Ino, NewNode, Time, Usage, Volume, check_name, kind};
