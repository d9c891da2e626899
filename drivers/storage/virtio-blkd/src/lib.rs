//! virtio block devices.
//!
//! - `transport`: the device's registers on PCI.
//! - `queue`: the ring of requests that driver and device share.
//! - `disk`: the device's commands.
//!
//! All that disks have in common is `ochre_block::server`'s.
//!
//! Source: Virtual I/O Device (VIRTIO) Version 1.2, sections 2.7 (split virtqueues), 4.1 (PCI), 5.2 (block devices).

#![forbid(unsafe_code)]

pub mod disk;
pub mod queue;
pub mod transport;
