//! How a driver or server tells devd of its devices: a [`Device`] describes one, a [`Registration`] holds those of a program. devd makes of
//! them what Linux programs look for in /dev, /sys and /run/udev.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use ochre_devd::{Device, Registration};
//! let mut registration = Registration::open()?;
//! registration.add(&Device::of_class("block", "vda").below("pci", "0000:00:05.0").attribute("size", "2048"))
//! # }
//! ```

#![forbid(unsafe_code)]

mod device;
mod registration;

pub use device::{Device, Node, Parent, Subsystem};
pub use registration::{Change, MESSAGE_MAX, REGISTER, Registration};
