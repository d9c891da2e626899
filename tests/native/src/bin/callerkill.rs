//! A caller is killed inside a call: the server is told (Cancel), its late answer does no harm, and it goes on serving others.

use native_tests::{Result, check, report, start_self};
use ochre_rt::call::Call;
use ochre_rt::syscall;
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::{Answer, Errno, Op, Request, Scheme, Server};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Waits until the test ends it.
const HANG: u16 = OP_PRIVATE;
/// Tells how many calls hang, how many were cancelled, and with the third argument 1 answers the cancelled ones late.
const ASK: u16 = OP_PRIVATE + 1;
const ROUNDS: u64 = 50;

#[derive(Default)]
struct Keeper {
    hanging: Vec<Request>,
    cancelled: u64,
    late: u64,
}

impl Scheme for Keeper {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> ochre_scheme::Result<Answer> {
        Ok(Answer::opened(1))
    }

    fn cancel(&mut self, tag: u64, _gone: bool) {
        if let Some(index) = self.hanging.iter().position(|r| r.tag() == tag) {
            // Answered although nobody waits any more.
            self.hanging.swap_remove(index).answer(Ok(Answer::value(1)));
            self.late += 1;
        }
        self.cancelled += 1;
    }

    fn other(&mut self, request: &mut Request, op: Op) -> ochre_scheme::Result<Answer> {
        match op {
            Op::Private { op: HANG, .. } => {
                self.hanging.push(request.defer());
                Ok(Answer::later())
            }
            Op::Private { op: ASK, args } => {
                Ok(Answer::value([self.hanging.len() as u64, self.cancelled, self.late][args[0] as usize % 3] as usize))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--serve") => report("serve", serve()),
        Some("--hang") => report("hang", hang()),
        _ => report("callerkill", run()),
    }
}

fn serve() -> Result<()> {
    let mut server = Server::register("callerkill")?;
    ochre_scheme::ready();
    server.run(&mut Keeper::default())?;
    Ok(())
}

fn open() -> Result<i32> {
    Ok(syscall::openat(AT_FDCWD, b"/scheme/callerkill", O_RDWR | O_CLOEXEC, 0)?)
}

fn hang() -> Result<()> {
    let fd = open()?;
    ochre_scheme::ready();
    let answer = Call::new(HANG, [0; 3]).send(fd);
    Err(format!("the call that hangs ended with {answer:?}").into())
}

/// Asks until the value is there.
fn wait_for(fd: i32, what: u64, value: u64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = Call::new(ASK, [what, 0, 0]).send(fd)? as u64;
        if now == value {
            return Ok(());
        }
        check(Instant::now() < deadline, format!("value {what} is {now} and not {value}"))?;
        std::thread::yield_now();
    }
}

fn run() -> Result<()> {
    let mut server = start_self(&["--serve"])?;
    let fd = open()?;
    for round in 1..=ROUNDS {
        let mut caller = start_self(&["--hang"])?;
        wait_for(fd, 0, 1)?;
        caller.kill()?;
        let status = caller.wait()?;
        check(!status.success(), format!("the killed caller ended with {status}"))?;
        wait_for(fd, 1, round)?;
        wait_for(fd, 2, round)?;
        wait_for(fd, 0, 0)?;
    }
    server.kill()?;
    server.wait()?;
    Ok(())
}
