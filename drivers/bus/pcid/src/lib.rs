//! The scheme pci.
//!
//! - `announce`: what devd is told.
//! - `ecam`: configuration space in memory, where ACPI's MCFG says that it is.
//! - `function`: what a function is, found by a walk over the buses.
//! - `claim`: a function in a driver's hands: registers, interrupts, memory for DMA, and how it is made quiet again.
//! - `scheme`: the tree of files.

#![forbid(unsafe_code)]

pub mod announce;
pub mod claim;
pub mod ecam;
pub mod function;
pub mod scheme;
