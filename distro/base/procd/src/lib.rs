//! /proc as proc(5) describes it, in Linux's exact formats.
//!
//! procd keeps nothing: what a process is (ids, groups, sessions, credentials, limits) is state of the kernel, because fork, exit,
//! signals and terminals need it at every step, and a message for each would be the greater part of what they cost. So fork asks
//! nobody, and a procd that is killed takes nothing along: only handles that were open at that moment are gone. What is decided here is
//! policy (who may see what) and form.
//!
//! | module | subject |
//! |---|---|
//! | [`node`] | names: from a path to what it stands for |
//! | [`kernel`] | the kernel's own words about processes and the system |
//! | [`process`], [`status`], [`descriptors`] | texts of /proc/PID |
//! | [`mounts`] | /proc/PID/mounts and mountinfo |
//! | [`system`], [`cpu`] | texts of /proc itself |
//! | [`server`] | the scheme |

pub mod cpu;
pub mod descriptors;
pub mod kernel;
pub mod mounts;
pub mod node;
pub mod process;
pub mod server;
pub mod status;
pub mod system;

pub use server::Proc;
