//! The configuration: /etc/resolv.conf, and the variables LOCALDOMAIN and RES_OPTIONS. resolv.conf(5).

use super::state::{
    DOMAINS, RES_DEFNAMES, RES_DNSRCH, RES_INIT, RES_NOTLDQUERY, RES_RECURSE, RES_ROTATE, RES_TRUSTAD, RES_USE_EDNS0,
    RES_USEVC, SERVERS, State,
};
use crate::inet::text::{parse_loose, parse_v6};
use crate::pwd::read_file;
use crate::{env, heap, string};
use alloc::vec::Vec;
use core::ffi::c_ulong;
use core::net::{IpAddr, Ipv4Addr};
use libc::{in_addr, in6_addr, sockaddr_in, sockaddr_in6};

/// The servers' port.
const PORT: u16 = 53;
/// Most seconds to wait, and times to ask.
const MOST_SECONDS: u32 = 30;
const MOST_TIMES: u32 = 5;
/// Most dots.
const MOST_DOTS: u32 = 15;
/// Options that only set a bit. RES_NOALIASES and sorting are long gone from glibc too.
const SWITCHES: [(&[u8], c_ulong); 10] = [
    (b"rotate", RES_ROTATE),
    (b"edns0", RES_USE_EDNS0),
    (b"single-request", 0x0020_0000),
    (b"single-request-reopen", 0x0040_0000),
    (b"no-tld-query", RES_NOTLDQUERY),
    (b"no_tld_query", RES_NOTLDQUERY),
    (b"no-reload", 0x0200_0000),
    (b"no_reload", 0x0200_0000),
    (b"use-vc", RES_USEVC),
    (b"trust-ad", RES_TRUSTAD),
];

/// What the configuration says.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    servers: Vec<(IpAddr, u32)>,
    domains: Vec<Vec<u8>>,
    seconds: u32,
    times: u32,
    dots: u32,
    options: c_ulong,
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn server(word: &[u8]) -> Option<(IpAddr, u32)> {
    if let Some((address, _)) = parse_loose(word) {
        return Some((IpAddr::V4(address), 0));
    }
    let mut parts = word.splitn(2, |&byte| byte == b'%');
    let address = parse_v6(parts.next()?)?;
    let scope = match parts.next() {
        Some(scope) => core::str::from_utf8(scope).ok()?.parse().ok()?,
        None => 0,
    };
    Some((IpAddr::V6(address), scope))
}

impl Config {
    /// Understands a file's text; lines that mean nothing are passed over.
    pub fn parse(file: &[u8]) -> Config {
        let mut config = Config {
            servers: Vec::new(),
            domains: Vec::new(),
            seconds: 5,
            times: 2,
            dots: 1,
            options: RES_RECURSE | RES_DEFNAMES | RES_DNSRCH,
        };
        for line in file.split(|&byte| byte == b'\n') {
            if matches!(line.first(), Some(b';' | b'#')) {
                continue;
            }
            let mut words = words(line);
            match words.next() {
                Some(b"nameserver") if config.servers.len() < SERVERS => {
                    config.servers.extend(words.next().and_then(server));
                }
                Some(b"domain") => config.search(words.take(1)),
                Some(b"search") => config.search(words),
                Some(b"options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        config
    }

    /// The list of domains to search.
    fn search<'a>(&mut self, words: impl Iterator<Item = &'a [u8]>) {
        self.domains = words.take(DOMAINS).map(<[u8]>::to_vec).collect();
    }

    /// An option of the file or of RES_OPTIONS.
    fn option(&mut self, word: &[u8]) {
        let mut parts = word.splitn(2, |&byte| byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let number = |most: u32| {
            let digits: Vec<u8> = value?.iter().copied().take_while(u8::is_ascii_digit).collect();
            // As in glibc, what is no number is 0.
            let value =
                digits.iter().fold(0u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
            Some(value.min(most))
        };
        match name {
            b"ndots" => self.dots = number(MOST_DOTS).unwrap_or(self.dots),
            b"timeout" => self.seconds = number(MOST_SECONDS).unwrap_or(self.seconds),
            b"attempts" => self.times = number(MOST_TIMES).unwrap_or(self.times),
            _ => {
                let bit = SWITCHES.iter().find(|(switch, _)| *switch == name);
                self.options |= bit.map_or(0, |(_, bit)| *bit);
            }
        }
    }

    /// Puts it into a state.
    unsafe fn store(&self, state: &mut State) {
        state.retrans = self.seconds as i32;
        state.retry = self.times as i32;
        state.options = self.options | RES_INIT;
        state.ndots = state.ndots & !0xf | self.dots;
        state.servers6 = [core::ptr::null_mut(); SERVERS];
        state.nscount = 0;
        for (index, (address, scope)) in self.servers.iter().enumerate() {
            let mut v4: sockaddr_in = core::mem::zeroed();
            match address {
                IpAddr::V4(address) => {
                    v4.sin_family = libc::AF_INET as u16;
                    v4.sin_port = PORT.to_be();
                    v4.sin_addr = in_addr { s_addr: u32::from_ne_bytes(address.octets()) };
                }
                IpAddr::V6(address) => {
                    let place = heap::allocate_zeroed(size_of::<sockaddr_in6>()).cast::<sockaddr_in6>();
                    if place.is_null() {
                        break;
                    }
                    (*place).sin6_family = libc::AF_INET6 as u16;
                    (*place).sin6_port = PORT.to_be();
                    (*place).sin6_addr = in6_addr { s6_addr: address.octets() };
                    (*place).sin6_scope_id = *scope;
                    state.servers6[index] = place;
                }
            }
            state.servers[index] = v4;
            state.nscount = index as i32 + 1;
        }
        state.domains = [core::ptr::null_mut(); DOMAINS + 1];
        let mut used = 0;
        for (place, domain) in state.domains.iter_mut().zip(&self.domains) {
            let Some(room) = state.names.get_mut(used..used + domain.len() + 1) else { break };
            for (to, from) in room.iter_mut().zip(domain.iter().chain(&[0])) {
                *to = *from as i8;
            }
            *place = room.as_mut_ptr();
            used += domain.len() + 1;
        }
    }
}

/// The value of a variable, unless the program runs with others' rights.
unsafe fn variable(name: &core::ffi::CStr) -> Option<Vec<u8>> {
    let value = env::secure_getenv(name.as_ptr());
    (!value.is_null()).then(|| string::bytes(value).to_vec())
}

/// Reads the configuration into a state.
///
/// # Safety
/// The state holds nothing.
pub unsafe fn set_up(state: &mut State) {
    let mut config = Config::parse(&read_file(b"/etc/resolv.conf\0").unwrap_or_default());
    if config.servers.is_empty() {
        config.servers.push((IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
    }
    if let Some(domains) = variable(c"LOCALDOMAIN") {
        config.search(words(&domains));
    }
    if config.domains.is_empty() {
        let mut names: libc::utsname = core::mem::zeroed();
        crate::sys::uname(&mut names);
        let host = string::bytes(names.nodename.as_ptr());
        let domain = host.iter().position(|&byte| byte == b'.').map(|dot| host[dot + 1..].to_vec());
        config.domains.extend(domain);
    }
    if let Some(options) = variable(c"RES_OPTIONS") {
        words(&options).for_each(|word| config.option(word));
    }
    config.store(state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_understood() {
        let file = b"# nameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver fe80::1%2\nnameserver x\nsearch a.b  c.d\n\
            options ndots:99 timeout:1 attempts:x rotate nonsense\n";
        let config = Config::parse(file);
        assert_eq!(config.servers.len(), 2);
        assert_eq!((config.servers[1].1, config.domains.len()), (2, 2));
        assert_eq!((config.dots, config.seconds, config.times), (15, 1, 0));
        assert_eq!(config.options & RES_ROTATE, RES_ROTATE);
        assert!(Config::parse(b"search a\ndomain b.c d").domains == [b"b.c"]);
    }
}
