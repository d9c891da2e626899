//! The udev shim. Drivers and servers register their devices once (`ochre-devd`); from that one registry come /dev, /sys and /run/udev.
//!
//! | module | subject |
//! |---|---|
//! | [`base`] | what is there without any driver |
//! | [`registry`] | who registered what; what of it outlives this server |
//! | [`publish`] | from devices to names |
//! | [`tree`] | names, and paths along them |
//! | [`made`] | what programs made and changed in /dev |
//! | [`server`] | the scheme |

#![forbid(unsafe_code)]

pub mod base;
pub mod made;
pub mod publish;
pub mod registry;
pub mod server;
pub mod tree;
