//! PCI as drivers see it.
//!
//! A driver takes its device from pcid ([`Device::take`]) and gets everything else through that one handle: registers, interrupts,
//! memory for DMA. Closing the handle, or dying, gives the device back; pcid stops its DMA before the memory goes.

#![forbid(unsafe_code)]

pub mod config;
mod device;
pub mod protocol;

pub use device::{Device, Dma, Interrupt};
