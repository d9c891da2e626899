//! What benchmark programs share.
#![deny(unsafe_code)]

pub mod counters;
