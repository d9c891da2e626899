//! init's logic: scripts, the order of their running, when a service is started again, and how the machine's run ends.

pub mod cmdline;
pub mod control;
pub mod ending;
pub mod family;
pub mod mounts;
pub mod order;
pub mod script;
pub mod supervise;
