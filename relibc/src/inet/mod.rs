//! `arpa/inet.h`, `net/if.h`, `netinet/ether.h`: addresses as text, and network interfaces.

pub mod ether;
pub mod interfaces;
pub mod text;
