//! The scheme tty: `ptmx`, `pts/N`, `tty`, `console`, `ttyS0`, and `sessions`, which tells who controls what.
//!
//! | module | subject |
//! |---|---|
//! | [`termios`] | the settings |
//! | [`line`] | the line discipline: a state machine without side effects |
//! | [`terminal`] | one terminal: line discipline, size, owner, who controls it, who waits for it |
//! | [`names`] | what stands where in the scheme, and what stat says of it |
//! | [`jobs`] | controlling terminals, foreground and background |
//! | [`transfer`] | read and write |
//! | [`control`] | ioctl |
//! | [`server`] | the scheme |
//!
//! What the kernel adds is of processes: it tells of a caller's group, session, blocked and ignored signals (CALLER_INFO), of a group's
//! session and whether it is orphaned (GROUP_INFO), sends signals to groups, and tells of a session leader's end by a pidfd.
#![forbid(unsafe_code)]

pub mod control;
pub mod jobs;
pub mod line;
pub mod names;
pub mod server;
pub mod terminal;
pub mod termios;
pub mod transfer;
