//! A server is killed while 100 calls are outstanding: every caller gets a clean error at once, nothing hangs, and the name is free.

use native_tests::{Result, check, report, start_self};
use ochre_rt::call::Call;
use ochre_rt::syscall;
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::{Answer, Errno, Op, Request, Scheme, Server, Waiters};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const CALLS: usize = 100;
const PATH: &[u8] = b"/scheme/serverkill";

/// Never answers.
struct Silent(Waiters);

impl Scheme for Silent {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> ochre_scheme::Result<Answer> {
        Ok(Answer::opened(1))
    }

    fn other(&mut self, request: &mut Request, op: Op) -> ochre_scheme::Result<Answer> {
        match op {
            Op::Private { .. } => self.0.wait(request),
            _ => Err(Errno::EINVAL),
        }
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        return report("serve", serve());
    }
    report("serverkill", run())
}

fn serve() -> Result<()> {
    let mut server = Server::register("serverkill")?;
    ochre_scheme::ready();
    server.run(&mut Silent(Waiters::new()))?;
    Ok(())
}

fn run() -> Result<()> {
    let mut server = start_self(&["--serve"])?;
    let started = AtomicUsize::new(0);
    let fd = syscall::openat(AT_FDCWD, PATH, O_RDWR | O_CLOEXEC, 0)?;
    let errors = std::thread::scope(|scope| -> Result<Vec<_>> {
        let callers: Vec<_> = (0..CALLS)
            .map(|_| {
                scope.spawn(|| {
                    started.fetch_add(1, SeqCst);
                    Call::new(OP_PRIVATE, [0; 3]).input(b"never").send(fd)
                })
            })
            .collect();
        while started.load(SeqCst) < CALLS {
            std::thread::yield_now();
        }
        // The last ones are on their way into the kernel; 64 are held by the server, the rest waits for a slot.
        std::thread::sleep(Duration::from_millis(200));
        let killed = Instant::now();
        server.kill()?;
        let errors = callers
            .into_iter()
            .map(|c| c.join().map_err(|_| "a caller panicked"))
            .collect::<std::result::Result<_, _>>()?;
        println!("all callers back {:?} after the kill", killed.elapsed());
        Ok(errors)
    })?;
    server.wait()?;
    check(errors.len() == CALLS, "callers are missing")?;
    for (n, result) in errors.iter().enumerate() {
        check(*result == Err(Errno::EIO), format!("caller {n} got {result:?}"))?;
    }
    check(Call::new(OP_PRIVATE, [0; 3]).send(fd) == Err(Errno::EIO), "a later call on the dead handle works")?;
    let open = syscall::openat(AT_FDCWD, PATH, O_RDWR, 0);
    check(open == Err(Errno::ENOENT), format!("opening the dead scheme: {open:?}"))?;
    // The name is free for the next server.
    let mut second = start_self(&["--serve"])?;
    let reopened = syscall::openat(AT_FDCWD, PATH, O_RDWR | O_CLOEXEC, 0);
    second.kill()?;
    second.wait()?;
    check(reopened.is_ok(), format!("opening the restarted scheme: {reopened:?}"))
}
