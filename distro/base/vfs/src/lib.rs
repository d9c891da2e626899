//! What file servers share: a POSIX file tree over memory or over a volume, and the server that answers requests from it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod locks;
pub mod memory;
#[cfg(any(test, feature = "model"))]
pub mod model;
pub mod server;
pub mod tree;
mod watches;
mod xattrs;
