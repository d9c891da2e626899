//! The server of the scheme tty.

use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::event::{EPOLLIN, EpollEvent};
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDWR};
use ochre_scheme::abi::syscall::FOREVER;
use ochre_scheme::{Errno, Result, Server};
use ttyd::server::{Queue, Ttys};

/// Tokens beside those of processes, which are their pids.
const REQUESTS: u64 = u64::MAX;
const SERIAL: u64 = u64::MAX - 1;

fn main() -> Result<()> {
    let mut server = Server::register("tty")?;
    let queue = Queue::new()?;
    queue.add(server.fd(), EPOLLIN, REQUESTS)?;
    // Without the serial port (its name is not in this namespace) there are ptys still.
    let serial = syscall::openat(AT_FDCWD, b"/scheme/debug", O_RDWR | O_NONBLOCK | O_CLOEXEC, 0).ok().map(OwnedFd::new);
    if let Some(serial) = &serial {
        queue.add(serial.get(), EPOLLIN, SERIAL)?;
    }
    let mut ttys = Ttys::new(server.port(), queue, serial);
    ochre_scheme::ready();
    let mut events = [EpollEvent::default(); 16];
    loop {
        let timeout = ttys.next_deadline().map_or(FOREVER, |left| left.as_nanos() as u64);
        let count = match ttys.queue.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error),
        };
        for event in &events[..count] {
            match event.data {
                REQUESTS => {
                    server.process_pending(&mut ttys)?;
                }
                SERIAL => ttys.serial_input(),
                pid => ttys.process_ended(pid as u32),
            }
        }
        ttys.expire();
    }
}
