//! All unsafe code of these tests, behind functions that are safe to call.
#![allow(unsafe_code, reason = "mappings, fork and raw system calls; each block says why it is sound")]

pub mod futex;
pub mod mapping;
pub mod process;
pub mod reflect;
pub mod socket;
