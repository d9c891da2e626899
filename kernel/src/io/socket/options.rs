//! Socket options: socket(7), unix(7).

use super::{AF_UNIX, Socket};
use crate::io::deadline_after;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use ochre_abi::syscall::FOREVER;
use ochre_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const SOL_SOCKET: u64 = 1;
const SO_REUSEADDR: u64 = 2;
const SO_TYPE: u64 = 3;
const SO_ERROR: u64 = 4;
const SO_BROADCAST: u64 = 6;
const SO_SNDBUF: u64 = 7;
const SO_RCVBUF: u64 = 8;
const SO_KEEPALIVE: u64 = 9;
const SO_PASSCRED: u64 = 16;
const SO_PEERCRED: u64 = 17;
const SO_RCVLOWAT: u64 = 18;
const SO_RCVTIMEO: u64 = 20;
const SO_SNDTIMEO: u64 = 21;
const SO_ACCEPTCONN: u64 = 30;
const SO_SNDBUFFORCE: u64 = 32;
const SO_RCVBUFFORCE: u64 = 33;
const SO_PROTOCOL: u64 = 38;
const SO_DOMAIN: u64 = 39;

/// Linux's net.core.wmem_default and wmem_max, and the least that it sets.
const BUFFER_DEFAULT: usize = 212_992;
const BUFFER_MAX: usize = 2 * 212_992;
const BUFFER_MIN: usize = 4_608;

/// struct timeval.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct TimeVal {
    sec: i64,
    usec: i64,
}

/// The options of one socket.
pub struct Options {
    /// Bit n: the option with number n is on; those that are on or off.
    switches: AtomicU32,
    send_buffer: AtomicUsize,
    receive_buffer: AtomicUsize,
    /// ns; FOREVER: none.
    send_timeout: AtomicU64,
    receive_timeout: AtomicU64,
}

impl Options {
    /// As of a new socket.
    pub const fn new() -> Options {
        Options {
            switches: AtomicU32::new(0),
            send_buffer: AtomicUsize::new(BUFFER_DEFAULT),
            receive_buffer: AtomicUsize::new(BUFFER_DEFAULT),
            send_timeout: AtomicU64::new(FOREVER),
            receive_timeout: AtomicU64::new(FOREVER),
        }
    }

    /// SO_PASSCRED, which an accepted socket has from the listening one.
    pub fn inherit(&self, from: &Options) {
        self.switches.fetch_or(from.switches.load(Relaxed) & 1 << SO_PASSCRED, Relaxed);
    }

    /// SO_PASSCRED.
    pub fn pass_credentials(&self) -> bool {
        self.switches.load(Relaxed) & 1 << SO_PASSCRED != 0
    }

    /// Bytes in flight that the socket may have sent.
    pub fn send_buffer(&self) -> usize {
        self.send_buffer.load(Relaxed)
    }

    /// When a send that starts now gives up.
    pub fn send_deadline(&self) -> Option<u64> {
        deadline_after(self.send_timeout.load(Relaxed))
    }

    /// When a receive that starts now gives up.
    pub fn receive_deadline(&self) -> Option<u64> {
        deadline_after(self.receive_timeout.load(Relaxed))
    }
}

fn timeout_of(value: TimeVal) -> Result<u64> {
    // EDOM is Linux's answer to a fraction out of range.
    let usec = u64::try_from(value.usec).ok().filter(|u| *u < 1_000_000).ok_or(Errno::EDOM)?;
    match (value.sec, usec) {
        (..0, _) => Ok(0),
        (0, 0) => Ok(FOREVER),
        (sec, usec) => Ok((sec as u64).saturating_mul(1_000_000_000).saturating_add(usec * 1000).min(FOREVER - 1)),
    }
}

fn time_of(timeout: u64) -> TimeVal {
    let timeout = if timeout == FOREVER { 0 } else { timeout };
    TimeVal { sec: (timeout / 1_000_000_000) as i64, usec: (timeout / 1000 % 1_000_000) as i64 }
}

/// SOCKET_OPTION.
pub fn socket_option(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, level, name, buffer, len_addr, set] = *a;
    let file = me.process.file(fd as i32)?;
    let socket = file.object::<Socket>().ok_or(Errno::ENOTSOCK)?;
    let len: u32 = user::read(len_addr)?;
    if len > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    if set != 0 { set_option(socket, name, buffer, len) } else { get_option(socket, name, buffer, len, len_addr) }?;
    Ok(0)
}

fn argument<T: FromBytes>(buffer: u64, len: u32) -> Result<T> {
    if (len as usize) < size_of::<T>() { Err(Errno::EINVAL) } else { user::read(buffer) }
}

fn set_option(socket: &Socket, name: u64, buffer: u64, len: u32) -> Result<()> {
    let options = &socket.own().options;
    let size = |value: i32| usize::try_from(value).unwrap_or(0).saturating_mul(2).clamp(BUFFER_MIN, BUFFER_MAX);
    match name {
        SO_REUSEADDR | SO_BROADCAST | SO_KEEPALIVE | SO_PASSCRED => {
            let on: i32 = argument(buffer, len)?;
            if on != 0 {
                options.switches.fetch_or(1 << name, Relaxed);
            } else {
                options.switches.fetch_and(!(1 << name), Relaxed);
            }
        }
        SO_SNDBUF | SO_SNDBUFFORCE => {
            options.send_buffer.store(size(argument(buffer, len)?), Relaxed);
            // What waited for room may have it now.
            if let Some(peer) = socket.peer() {
                let inbox = peer.inbox.lock();
                super::send::refresh(&socket.own, &peer, inbox.used());
                drop(inbox);
                peer.writers.wake_all();
            }
        }
        SO_RCVBUF | SO_RCVBUFFORCE => options.receive_buffer.store(size(argument(buffer, len)?), Relaxed),
        SO_SNDTIMEO => options.send_timeout.store(timeout_of(argument(buffer, len)?)?, Relaxed),
        SO_RCVTIMEO => options.receive_timeout.store(timeout_of(argument(buffer, len)?)?, Relaxed),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

fn get_option(socket: &Socket, name: u64, buffer: u64, len: u32, len_addr: u64) -> Result<()> {
    let own = socket.own();
    let options = &own.options;
    let number = match name {
        SO_REUSEADDR | SO_BROADCAST | SO_KEEPALIVE | SO_PASSCRED => (options.switches.load(Relaxed) >> name & 1) as i32,
        SO_TYPE => socket.kind_of().number(),
        SO_ERROR => own.take_error().map_or(0, |error| error.0),
        SO_SNDBUF => options.send_buffer.load(Relaxed) as i32,
        SO_RCVBUF => options.receive_buffer.load(Relaxed) as i32,
        SO_ACCEPTCONN => i32::from(own.is_listening()),
        SO_PROTOCOL => 0,
        SO_RCVLOWAT => 1,
        SO_DOMAIN => AF_UNIX as i32,
        SO_PEERCRED => return answer(*own.peer_credentials.lock(), buffer, len, len_addr),
        SO_SNDTIMEO => return answer(time_of(options.send_timeout.load(Relaxed)), buffer, len, len_addr),
        SO_RCVTIMEO => return answer(time_of(options.receive_timeout.load(Relaxed)), buffer, len, len_addr),
        _ => return Err(Errno::ENOPROTOOPT),
    };
    answer(number, buffer, len, len_addr)
}

/// Writes as much of the value as the caller has room for, and how much that is.
fn answer<T: IntoBytes + Immutable>(value: T, buffer: u64, len: u32, len_addr: u64) -> Result<()> {
    let bytes = value.as_bytes();
    let fits = bytes.len().min(len as usize);
    user::copy_out(buffer, &bytes[..fits])?;
    user::write(len_addr, &(fits as u32))
}
