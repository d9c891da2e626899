//! The KMS core: what each GPU driver links to speak Linux's DRM interface.
//!
//! A driver describes its device ([`driver::Setup`]), checks and makes changes ([`driver::Driver`]); objects, properties, atomic and legacy
//! calls, events, clients and their rights are here. Everything is a function of a request and the time: no threads, no clock, no memory of
//! others, so that `cargo test` runs it on the host.

#![forbid(unsafe_code)]

pub mod arrays;
mod buffers;
pub mod client;
pub mod commit;
pub mod device;
pub mod driver;
pub mod format;
pub mod ioctl;
mod legacy;
mod master;
pub mod mode;
pub mod pipeline;
pub mod property;
mod query;
mod sequence;
pub mod state;
pub mod uapi;
pub mod vblank;

pub use commit::Progress;
pub use device::{Device, Wake};
