//! init's logic: scripts, the order of their running, and when a service is started again.

pub mod cmdline;
pub mod mounts;
pub mod order;
pub mod script;
pub mod supervise;
