//! Checks of descriptors and waiting, by subject.

pub mod datagrams;
pub mod events;
pub mod futexes;
pub mod pipes;
pub mod schemes;
pub mod sockets;
pub mod timers;

use ochre_rt::abi::event::{CLOCK_MONOTONIC, PollFd};
use ochre_rt::syscall;

/// An address at which nothing is ever mapped.
const UNMAPPED: usize = 0x1000;

/// What poll(2) says of one descriptor after at most `timeout` ns.
fn ready(fd: i32, events: u32, timeout: u64) -> ochre_rt::Result<u32> {
    let mut fds = [PollFd { fd, events: events as u16, revents: 0 }];
    syscall::poll(&mut fds, timeout, None)?;
    Ok(u32::from(fds[0].revents))
}

fn sleep_ms(ms: u64) -> ochre_rt::Result<()> {
    syscall::sleep(CLOCK_MONOTONIC, 0, ms * 1_000_000, None)
}
