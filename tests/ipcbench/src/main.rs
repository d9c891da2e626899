//! What a call to a scheme costs, in instructions when a nanosecond is one (`-icount shift=0`).
//!
//! `bench ipc` runs it for the rows that only Ochre has. It starts itself as the server, in a process of its own. A row is one line:
//! `row NAME VALUE UNIT key=value…`, the keys counting per operation what the kernel counted meanwhile.

mod server;

use bench::counters::Counters;
use ochre_rt::call::Call;
use ochre_rt::syscall;
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use std::process::{Child, Command, ExitCode};
use std::time::Instant;

/// Rounds that are measured; the best counts.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("--serve") => server::serve(arguments.get(1).and_then(|cpu| cpu.parse().ok())),
        _ => measure(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipcbench: {error}");
            ExitCode::FAILURE
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A running server, ended with this value.
struct Server(Child);

impl Server {
    /// Starts the server, on one CPU if that is given, and waits until it is ready.
    fn start(cpu: Option<usize>) -> Result<Server> {
        let [ready, notify] = syscall::pipe(0)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").args(cpu.map(|cpu| cpu.to_string())).env("INIT_NOTIFY", notify.to_string());
        let child = command.spawn();
        syscall::close(notify)?;
        let server = Server(child?);
        let mut byte = [0];
        let got = syscall::read(ready, &mut byte);
        syscall::close(ready)?;
        match got? {
            1 => Ok(server),
            _ => Err("the server ended before it was ready".into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open() -> Result<i32> {
    Ok(syscall::openat(AT_FDCWD, b"/scheme/ipcbench", O_RDWR | O_CLOEXEC, 0)?)
}

/// Runs `operation` `count` times a round and prints the best round's cost of one; each does its work `each` times.
fn row_of(name: &str, count: u64, each: u64, mut operation: impl FnMut() -> Result<()>) -> Result<()> {
    for _ in 0..count / 4 + 1 {
        operation()?;
    }
    let before = Counters::now();
    let mut best = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..count {
            operation()?;
        }
        best = best.min(start.elapsed().as_nanos());
    }
    let counted = Counters::now().per_operation(&before, count * each * ROUNDS as u64);
    println!("row {name} {:.1} ns{counted}", best as f64 / (count * each) as f64);
    Ok(())
}

/// The same for an operation that does its work once.
fn row(name: &str, count: u64, operation: impl FnMut() -> Result<()>) -> Result<()> {
    row_of(name, count, 1, operation)
}

fn measure() -> Result<()> {
    row("null_syscall_native", 10_000, || {
        syscall::getpid();
        Ok(())
    })?;
    {
        let _server = Server::start(None)?;
        calls("call")?;
        batched()?;
    }
    if syscall::cpu_count() >= 2 {
        syscall::set_affinity(0, 1)?;
        let _server = Server::start(Some(1))?;
        let fd = open()?;
        row("call_8_cross_cpu", 1000, || Ok(Call::new(OP_PRIVATE, [1, 2, 3]).input(&[7; 8]).send(fd).map(drop)?))?;
        syscall::close(fd)?;
        syscall::set_affinity(0, u64::MAX)?;
    }
    Ok(())
}

fn calls(name: &str) -> Result<()> {
    let fd = open()?;
    row(&format!("{name}_8"), 2000, || Ok(Call::new(OP_PRIVATE, [1, 2, 3]).input(&[7; 8]).send(fd).map(drop)?))?;
    let page = [7; 4096];
    row(&format!("{name}_4096"), 1000, || Ok(Call::new(OP_PRIVATE, [1, 2, 3]).input(&page).send(fd).map(drop)?))?;
    let big = vec![7u8; 1 << 20];
    row(&format!("{name}_window_1MiB"), 20, || Ok(Call::new(OP_PRIVATE + 1, [0; 3]).lend(&big).send(fd).map(drop)?))?;
    let mut buffer = [0; 8];
    row("read_8", 1000, || Ok(syscall::read(fd, &mut buffer).map(drop)?))?;
    row("write_8", 1000, || Ok(syscall::write(fd, &[7; 8]).map(drop)?))?;
    syscall::close(fd)?;
    row("open_close", 500, || Ok(syscall::close(open()?)?))?;
    Ok(())
}

/// Sixteen clients at once: the server finds several requests each time it looks.
fn batched() -> Result<()> {
    const CLIENTS: usize = 16;
    const CALLS: usize = 200;
    row_of("call_8_batched", 1, (CLIENTS * CALLS) as u64, || {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let fd = syscall::openat(AT_FDCWD, b"/scheme/ipcbench", O_RDWR | O_CLOEXEC, 0)?;
                        for _ in 0..CALLS {
                            Call::new(OP_PRIVATE, [1, 2, 3]).input(&[7; 8]).send(fd)?;
                        }
                        syscall::close(fd)
                    })
                })
                .collect();
            for client in clients {
                client.join().map_err(|_| "a client panicked")??;
            }
            Ok(())
        })
    })
}
