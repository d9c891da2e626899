//! `stdio.h`.

pub mod float;
pub mod format;
pub mod strings;
#[cfg(test)]
mod tests;
