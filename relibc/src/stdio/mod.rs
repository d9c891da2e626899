//! `stdio.h`.

pub mod api;
pub mod backend;
pub mod describe;
pub mod file;
pub mod float;
pub mod format;
pub mod input;
pub mod memory;
pub mod read;
pub mod scan;
pub mod shell;
pub mod strings;
#[cfg(test)]
mod tests;
pub mod wide;
