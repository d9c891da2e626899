//! `stdio.h`.

pub mod api;
pub mod file;
pub mod float;
pub mod format;
pub mod shell;
pub mod strings;
#[cfg(test)]
mod tests;
