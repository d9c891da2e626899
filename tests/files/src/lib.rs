//! What the programs in `bin/` share. They are ordinary Linux programs that judge the file system below a folder, whatever it is.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod judge;
pub mod plan;
pub mod work;
