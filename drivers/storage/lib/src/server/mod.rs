//! The server that every disk driver is: what is left to a driver is a [`Drive`] for each disk, and [`serve`] with them.
//!
//! - `drive`: what a driver implements.
//! - `unit`: the requests of one disk, waiting and under way.
//! - `engine`: all disks of a driver, and the memory that clients attached.
//! - `front`: the scheme; `ioctl`: Linux's ioctls of block devices; `listing`: its directory.
//! - `identity`: what a handle's number says, so that a driver goes on with the handles of one that died.
//! - `announce`: what devd is told.
//! - `run`: threads: requests, interrupts, the watchdog.

mod announce;
mod drive;
mod engine;
mod front;
mod identity;
mod ioctl;
mod job;
mod listing;
mod medium;
mod run;
#[cfg(test)]
mod tests;
mod unit;

pub use drive::{BUFFER, BUFFERS, Drive, Family, Kind, Limits, Memory, Pages, Segment, Work, text};
pub use engine::Engine;
pub use run::{Events, MEMORY, serve};
