//! Every base service is killed in turn, while both CPUs are busy: each is back, and serves, within 100 ms; and a service that dies again
//! and again is started less and less often.

use native_tests::{Result, check, pid_of, report};
use ochre_rt::syscall;
use ochre_scheme::abi::signal::SIGKILL;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Services, and what can be opened if they serve.
const SERVICES: [(&str, &str); 10] = [
    ("null", "/scheme/null"),
    ("zero", "/scheme/zero"),
    ("randd", "/scheme/rand"),
    ("logd", "/scheme/log/restarts"),
    ("chand", "/scheme/chan"),
    ("procd", "/scheme/procfs/uptime"),
    ("ipcd", "/scheme/ipc"),
    ("ttyd", "/scheme/tty/sessions"),
    ("pcid", "/scheme/pci"),
    ("acpid", "/scheme/acpi"),
];
/// For a service to be back.
const BOUND: Duration = Duration::from_millis(100);
/// So long a test waits for it at all.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    report("restarts", run())
}

/// Kills the service; how long it takes until it is another process and serves.
fn kill(service: &str, path: &str) -> Result<Duration> {
    let before = pid_of(service)?;
    let killed = Instant::now();
    syscall::kill(before, SIGKILL)?;
    loop {
        // Opening waits as long as nobody serves; a server that does not know the file serves, too.
        let _ = fs::File::open(path);
        let took = killed.elapsed();
        if pid_of(service).is_ok_and(|pid| pid != before) {
            return Ok(took);
        }
        check(took < PATIENCE, format!("{service} does not come back"))?;
        thread::yield_now();
    }
}

fn run() -> Result<()> {
    let over = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = under_load();
        over.store(true, Relaxed);
        result
    });
    result?;
    backs_off()
}

fn under_load() -> Result<()> {
    let mut slow = Vec::new();
    for (service, path) in SERVICES {
        let took = kill(service, path)?;
        println!("{service}: back after {:.1} ms", took.as_secs_f64() * 1000.0);
        if took > BOUND {
            slow.push(service);
        }
    }
    check(slow.is_empty(), format!("not back within {BOUND:?}: {slow:?}"))
}

/// A service that dies at once is not started as fast as the machine can.
fn backs_off() -> Result<()> {
    let (service, path) = SERVICES[0];
    let times = (0..9).map(|_| kill(service, path)).collect::<Result<Vec<_>>>()?;
    let late = times.iter().filter(|took| **took >= BOUND).count();
    check(late >= 3, format!("a service that ends all the time is started after {times:?}"))?;
    check(times.is_sorted_by_key(|took| took.as_millis() / 100), format!("delays do not grow: {times:?}"))
}
