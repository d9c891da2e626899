//! Hosts by name and names by address, from /etc/hosts and from name servers in the order that /etc/nsswitch.conf gives. hosts(5),
//! nsswitch.conf(5).

use super::error::{HOST_NOT_FOUND, NO_DATA, TRY_AGAIN};
use super::{kind, message, name, query, state};
use crate::database::words;
use crate::inet::text::{parse_loose, parse_v6};
use crate::pwd::read_file;
use alloc::format;
use alloc::vec::Vec;
use core::ffi::c_int;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is known about a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its canonical name.
    pub name: Vec<u8>,
    /// Other names.
    pub aliases: Vec<Vec<u8>>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// The families of addresses that are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Both.
    Any,
}

impl Family {
    /// Whether it has this address.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
            Family::Any => true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Files,
    Dns,
}

/// The places that nsswitch.conf's text names for hosts; what it says about when to stop is passed over.
fn places(file: &[u8]) -> Vec<Place> {
    let rule = file.split(|&byte| byte == b'\n').find_map(|line| line.trim_ascii_start().strip_prefix(b"hosts:"));
    match rule {
        None => Vec::from([Place::Files, Place::Dns]),
        Some(rule) => words(rule)
            .filter_map(|word| match word {
                b"files" => Some(Place::Files),
                b"dns" => Some(Place::Dns),
                _ => None,
            })
            .collect(),
    }
}

fn order() -> Vec<Place> {
    places(&read_file(b"/etc/nsswitch.conf\0").unwrap_or_default())
}

/// An address of a hosts file; an IPv6 one that means an IPv4 one is that for who wants IPv4 only.
fn address(word: &[u8], family: Family) -> Option<IpAddr> {
    if let Some((address, len)) = parse_loose(word) {
        return (len == word.len() && family != Family::V6).then_some(IpAddr::V4(address));
    }
    let address = parse_v6(word)?;
    match (family, address.to_ipv4_mapped()) {
        (Family::V4, Some(mapped)) => Some(IpAddr::V4(mapped)),
        (Family::V4, None) => (address == Ipv6Addr::LOCALHOST).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => Some(IpAddr::V6(address)),
    }
}

/// The entries of a hosts file.
fn entries(file: &[u8], family: Family) -> impl Iterator<Item = Host> {
    file.split(|&byte| byte == b'\n').filter_map(move |line| {
        let mut words = words(line);
        let address = address(words.next()?, family)?;
        let name = words.next()?.to_vec();
        Some(Host { name, aliases: words.map(<[u8]>::to_vec).collect(), addresses: Vec::from([address]) })
    })
}

/// All lines with the name, put together, as with `multi on` in host.conf(5).
fn in_hosts(file: &[u8], wanted: &[u8], family: Family) -> Option<Host> {
    let mut found: Option<Host> = None;
    for entry in entries(file, family) {
        let mut names = core::iter::once(&entry.name).chain(&entry.aliases);
        if !names.any(|name| name.eq_ignore_ascii_case(wanted)) {
            continue;
        }
        match &mut found {
            None => found = Some(entry),
            Some(host) => {
                // As in glibc, one that stands there twice is told twice.
                host.addresses.extend(entry.addresses);
                let more = core::iter::once(entry.name).chain(entry.aliases);
                for name in more {
                    if name != host.name && !host.aliases.contains(&name) {
                        host.aliases.push(name);
                    }
                }
            }
        }
    }
    found
}

/// The addresses of an answer, whose names follow the aliases in it.
fn from_answer(answer: &[u8], wanted: u16) -> Option<Host> {
    let records = message::answers(answer);
    let (question, _) = name::unpack(answer, message::HEADER).ok()?;
    let mut host = Host { name: name::text(&question), ..Host::default() };
    // Each alias is followed once, so that none leads in a circle.
    for _ in 0..records.len() {
        let alias = records.iter().find(|it| it.kind == kind::CNAME && it.owner.eq_ignore_ascii_case(&host.name));
        let Some(target) = alias.and_then(|alias| name::unpack(answer, alias.at).ok()) else { break };
        let before = core::mem::replace(&mut host.name, name::text(&target.0));
        host.aliases.push(before);
    }
    for record in records.iter().filter(|it| it.kind == wanted && it.owner.eq_ignore_ascii_case(&host.name)) {
        let address = match record.data.len() {
            4 => <[u8; 4]>::try_from(record.data).ok().map(|it| IpAddr::V4(it.into())),
            16 => <[u8; 16]>::try_from(record.data).ok().map(|it| IpAddr::V6(it.into())),
            _ => None,
        };
        host.addresses.extend(address);
    }
    (!host.addresses.is_empty()).then_some(host)
}

/// Asks name servers.
unsafe fn by_dns(wanted: &[u8], family: Family) -> Result<Host, c_int> {
    let state = state::current().as_mut().ok_or(TRY_AGAIN)?;
    let kinds: &[u16] = match family {
        Family::V4 => &[kind::A],
        Family::V6 => &[kind::AAAA],
        Family::Any => &[kind::A, kind::AAAA],
    };
    let mut host: Option<Host> = None;
    let mut worst = HOST_NOT_FOUND;
    for &kind in kinds {
        match query::search(state, wanted, 1, kind) {
            Ok(answer) => match from_answer(&answer, kind) {
                Some(more) => match &mut host {
                    None => host = Some(more),
                    Some(host) => host.addresses.extend(more.addresses),
                },
                None => worst = NO_DATA,
            },
            Err(TRY_AGAIN) if host.is_none() => return Err(TRY_AGAIN),
            Err(HOST_NOT_FOUND) => {}
            Err(error) => worst = error,
        }
    }
    host.ok_or(worst)
}

/// Looks for a name.
///
/// # Errors
/// What `h_errno` is to be.
///
/// # Safety
/// The program does not change the environment or the thread's `_res` meanwhile.
pub unsafe fn by_name(wanted: &[u8], family: Family) -> Result<Host, c_int> {
    let mut error = HOST_NOT_FOUND;
    for place in order() {
        let found = match place {
            Place::Files => {
                let file = read_file(b"/etc/hosts\0").unwrap_or_default();
                in_hosts(&file, wanted, family).ok_or(HOST_NOT_FOUND)
            }
            Place::Dns => by_dns(wanted, family),
        };
        match found {
            Ok(host) => return Ok(host),
            Err(now) => error = now,
        }
    }
    // RFC 6761: localhost is the loopback, whatever the files and servers say.
    let lower = wanted.to_ascii_lowercase();
    if lower == b"localhost" || lower.ends_with(b".localhost") {
        let both = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let addresses = both.into_iter().filter(|&address| family.has(address)).collect();
        return Ok(Host { name: wanted.to_vec(), aliases: Vec::new(), addresses });
    }
    Err(error)
}

/// The name under which an address's name is found. RFC 1035, 3.5; RFC 3596, 2.5.
fn reverse(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa").into_bytes()
        }
        IpAddr::V6(address) => {
            let mut name = Vec::new();
            for byte in address.octets().into_iter().rev() {
                name.extend_from_slice(format!("{:x}.{:x}.", byte & 0xf, byte >> 4).as_bytes());
            }
            name.extend_from_slice(b"ip6.arpa");
            name
        }
    }
}

/// Looks for an address's names.
///
/// # Errors
/// As [`by_name`].
///
/// # Safety
/// As [`by_name`].
pub unsafe fn by_address(wanted: IpAddr) -> Result<Host, c_int> {
    let mut error = HOST_NOT_FOUND;
    for place in order() {
        if place == Place::Files {
            let family = if wanted.is_ipv4() { Family::V4 } else { Family::V6 };
            let file = read_file(b"/etc/hosts\0").unwrap_or_default();
            if let Some(found) = entries(&file, family).find(|entry| entry.addresses.contains(&wanted)) {
                return Ok(found);
            }
            continue;
        }
        let Some(state) = state::current().as_mut() else { return Err(TRY_AGAIN) };
        match query::ask(state, &reverse(wanted), 1, kind::PTR) {
            Ok(answer) => {
                let mut names = message::answers(&answer)
                    .into_iter()
                    .filter(|it| it.kind == kind::PTR)
                    .filter_map(|it| Some(name::text(&name::unpack(&answer, it.at).ok()?.0)));
                match names.next() {
                    Some(name) => {
                        return Ok(Host { name, aliases: names.collect(), addresses: Vec::from([wanted]) });
                    }
                    None => error = NO_DATA,
                }
            }
            Err(now) => error = now,
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_files_are_understood() {
        let file = b"127.0.0.1 localhost lo # other\n::1\tlocalhost ip6\nbad line\n10.0.0.2 Box\n";
        let found = in_hosts(file, b"LOCALHOST", Family::Any).expect("an entry");
        assert_eq!(found.addresses.len(), 2);
        assert_eq!(found.aliases, [b"lo".to_vec(), b"ip6".to_vec()]);
        assert_eq!(in_hosts(file, b"ip6", Family::V4).map(|it| it.addresses[0]), Some(Ipv4Addr::LOCALHOST.into()));
        assert!(in_hosts(file, b"other", Family::Any).is_none() && in_hosts(file, b"box", Family::V6).is_none());
    }

    #[test]
    fn the_order_is_the_files() {
        assert_eq!(places(b"passwd: files\nhosts: dns [!UNAVAIL=return] files # mdns\n"), [Place::Dns, Place::Files]);
        assert_eq!(places(b""), [Place::Files, Place::Dns]);
    }

    #[test]
    fn addresses_turn_round() {
        assert_eq!(reverse(Ipv4Addr::new(1, 2, 3, 4).into()), b"4.3.2.1.in-addr.arpa");
        assert!(reverse(Ipv6Addr::LOCALHOST.into()).starts_with(b"1.0.0.0."));
    }
}
