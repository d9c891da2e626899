//! The server that the checks call: it runs in a thread of the check's own process.

use ochre_scheme::abi::event::EPOLLIN;
use ochre_scheme::{Answer, Errno, Op, Port, Request, Scheme, Server, Waiters};
use runtime_tests::Result;
use std::fs::{File, OpenOptions};

/// Adds its first two arguments.
pub const ADD: u16 = 0x100;
/// Gives the caller's descriptor back.
pub const RETURN_FD: u16 = 0x101;
/// Drops the request unanswered.
pub const FORGET: u16 = 0x102;
/// A read of so many bytes waits for a write.
pub const DEFERRED: usize = 13;
/// The only handle's id.
const ID: u64 = 5;

struct Echo {
    waiters: Waiters,
    port: Port,
}

impl Scheme for Echo {
    fn open(&mut self, request: &mut Request, _flags: u32, _mode: u32) -> ochre_scheme::Result<Answer> {
        match request.payload() {
            b"e" => Ok(Answer::opened(ID).not_ready()),
            b"moved" => request.redirect(b"/tmp/schemecheck"),
            _ => Err(Errno::ENOENT),
        }
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> ochre_scheme::Result<Answer> {
        if len == DEFERRED {
            return self.waiters.wait(request);
        }
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        request.put(&bytes)?;
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> ochre_scheme::Result<Answer> {
        if request.data(1 << 20)?.iter().enumerate().any(|(n, byte)| *byte != n as u8) {
            return Err(Errno::EILSEQ);
        }
        if let Some(mut waiter) = self.waiters.pop() {
            waiter.put(b"late")?;
            waiter.answer(Ok(Answer::value(4)));
        }
        self.port.set_ready(ID, EPOLLIN, 0)?;
        Ok(Answer::value(len))
    }

    fn cancel(&mut self, tag: u64, _gone: bool) {
        self.waiters.cancel(tag);
    }

    fn other(&mut self, request: &mut Request, op: Op) -> ochre_scheme::Result<Answer> {
        match op {
            Op::Private { op: ADD, args } => Ok(Answer::value((args[0] + args[1]) as usize)),
            Op::Private { op: RETURN_FD, .. } => Ok(Answer::give(request.take_fd(0)?)),
            Op::Private { op: FORGET, .. } => Ok(Answer::later()),
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// Starts the server and opens its file.
pub fn start() -> Result<File> {
    let mut server = Server::register("schemecheck")?;
    std::thread::spawn(move || {
        let port = server.port();
        server.run(&mut Echo { waiters: Waiters::new(), port })
    });
    Ok(OpenOptions::new().read(true).write(true).open("/scheme/schemecheck/e")?)
}
