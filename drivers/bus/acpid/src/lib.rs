//! ACPI without AML: the fixed hardware's events, and the tables for whoever wants to read them.
//!
//! Power-off and reset are the kernel's (POWER), which must be able to do both when no server runs.

#![forbid(unsafe_code)]

pub mod event;
pub mod fadt;
pub mod ports;
pub mod scheme;
