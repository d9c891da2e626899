//! The kernel's pure data structures: no hardware, no unsafe code, so that `cargo test -p ochre-logic` checks them on the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fd_table;
pub mod interval;
pub mod path;
pub mod radix;
pub mod ready_list;
pub mod ring;
pub mod run_queue;
