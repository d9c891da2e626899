//! The kernel's pure data structures: no hardware, no unsafe code, so that `cargo test -p ochre-logic` checks them on the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fd_table;
pub mod path;
pub mod run_queue;
