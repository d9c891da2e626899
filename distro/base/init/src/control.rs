//! The scheme init: what is asked of init. The superuser writes how the machine's run is to end into `/scheme/init/power`.

use crate::ending::Ending;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{O_CLOEXEC, S_IFREG, Stat};
use ochre_scheme::{Answer, Errno, Request, Result, Scheme, Server};

/// The file.
const POWER: u64 = 1;

struct Control {
    /// Where requests go: a byte each, an index of [`Ending::ALL`].
    requests: OwnedFd,
}

impl Scheme for Control {
    fn open(&mut self, request: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        if request.payload() != b"power" {
            return Err(Errno::ENOENT);
        }
        if request.caller().uid != 0 {
            return Err(Errno::EACCES);
        }
        Ok(Answer::opened(POWER))
    }

    fn write(&mut self, request: &mut Request, _position: Option<u64>, len: usize) -> Result<Answer> {
        let ending = Ending::of(&request.data(16)?).ok_or(Errno::EINVAL)?;
        syscall::write(self.requests.get(), &[ending as u8])?;
        Ok(Answer::value(len))
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFREG | 0o200, blksize: 4096, ..Stat::default() })
    }
}

/// Serves in a thread of its own; where requests can be read ([`take`]).
pub fn start() -> Result<OwnedFd> {
    let [requests, input] = syscall::pipe(O_CLOEXEC)?.map(OwnedFd::new);
    let mut server = Server::register("init")?;
    std::thread::spawn(move || {
        if let Err(error) = server.run(&mut Control { requests: input }) {
            eprintln!("init: the scheme init ends: {error}");
        }
    });
    Ok(requests)
}

/// The next request; waits for it.
pub fn take(requests: &OwnedFd) -> Option<Ending> {
    let mut byte = [0];
    match syscall::read(requests.get(), &mut byte) {
        Ok(1) => Ending::ALL.get(usize::from(byte[0])).copied(),
        _ => None,
    }
}
