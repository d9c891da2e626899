//! What the programs in `bin/` share. They are ordinary Linux programs; those that use Ochre's native system calls say
//! so and do no harm on Linux.
#![deny(unsafe_code)]

pub mod fault;
pub mod fuzz;
pub mod memory;
pub mod options;
pub mod random;
pub mod sys;
