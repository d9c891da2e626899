//! Virtual machines: how they are described, run, and what comes out of them.

pub mod cmdline;
pub mod console;
pub mod cue;
pub mod machine;
pub mod monitor;
pub mod outcome;
pub mod run;
pub mod sink;
pub mod skip;
pub mod volatile;
