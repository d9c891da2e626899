//! The resolver: `resolv.h`, `arpa/nameser.h`. resolver(3), resolv.conf(5), RFC 1035.
//!
//! `name` and `message` read and write what goes over the wire, `config` reads /etc/resolv.conf into a thread's `state`, `query`
//! asks servers by `transport`, and `lookup` is what `netdb.h` uses.

pub mod config;
pub mod lookup;
pub mod message;
pub mod name;
pub mod query;
pub mod state;
pub mod transport;

/// The kinds of record that are looked up. RFC 1035, 3.2.2; RFC 3596.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// The canonical name of an alias.
    pub const CNAME: u16 = 5;
    /// A name for an address.
    pub const PTR: u16 = 12;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
}

/// Errors of `netdb.h` in `h_errno`.
pub mod error {
    use core::ffi::c_int;
    /// See `errno`.
    pub const NETDB_INTERNAL: c_int = -1;
    /// There is no such name.
    pub const HOST_NOT_FOUND: c_int = 1;
    /// No server answered, or it had trouble.
    pub const TRY_AGAIN: c_int = 2;
    /// A server refuses or does not understand.
    pub const NO_RECOVERY: c_int = 3;
    /// The name exists, but has no record of this kind.
    pub const NO_DATA: c_int = 4;
}
