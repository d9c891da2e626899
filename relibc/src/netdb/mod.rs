//! `netdb.h`: hosts, services, protocols and networks, from files and by the [resolver](crate::resolver).

pub mod addresses;
pub mod errors;
pub mod files;
pub mod hosts;
pub mod names;
pub mod order;

use crate::resolver::lookup::{self, Family};
use core::net::IpAddr;

/// The first IPv4 address of a host, in network order.
///
/// # Safety
/// As `gethostbyname`.
pub unsafe fn address_of_host(name: &[u8]) -> Option<[u8; 4]> {
    lookup::by_name(name, Family::V4).ok()?.addresses.into_iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    })
}
