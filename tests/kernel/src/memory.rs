//! Checks of memory, by subject.

pub mod anonymous;
pub mod cache;
pub mod forks;
pub mod hold;
pub mod objects;
pub mod pager;
pub mod pressure;
pub mod reflect;
pub mod remap;
pub mod spaces;
pub mod store;
