//! The framework of Ochre's servers.
//!
//! A server registers a scheme's name and answers requests. What it has to write is an implementation of [`Scheme`]:
//!
//! ```no_run
//! use ochre_scheme::{Answer, Request, Result, Scheme, Server};
//!
//! struct Null;
//!
//! impl Scheme for Null {
//!     fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
//!         Ok(Answer::opened(1))
//!     }
//!     fn read(&mut self, request: &mut Request, _: Option<u64>, _len: usize) -> Result<Answer> {
//!         request.data_answer()
//!     }
//!     fn write(&mut self, _: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
//!         Ok(Answer::value(len))
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     Server::register("null")?.run(&mut Null)
//! }
//! ```
//!
//! Works in std programs and without std (it needs a heap). `drivers/lib/README.md` tells how a request flows.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod client;
mod confine;
mod gate;
mod inheritance;
pub mod locks;
mod op;
#[cfg(feature = "std")]
mod ready;
mod request;
mod scheme;
mod server;
mod waiters;
pub mod watch;

pub use answer::Answer;
pub use client::Client;
pub use confine::confine;
pub use gate::{Gate, KernelGate};
pub use inheritance::{Inheritance, InheritedHandle};
pub use ochre_abi as abi;
pub use ochre_abi::{Errno, Result};
pub use op::{Op, Xattr};
#[cfg(feature = "std")]
pub use ready::ready;
pub use request::{Caller, Request, Window};
pub use scheme::Scheme;
pub use server::{Port, Server};
pub use waiters::Waiters;

#[cfg(test)]
mod tests;
