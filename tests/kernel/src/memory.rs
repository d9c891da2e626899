//! Checks of memory, by subject.

pub mod anonymous;
pub mod forks;
pub mod objects;
pub mod pager;
pub mod pressure;
pub mod reflect;
pub mod remap;
pub mod spaces;
