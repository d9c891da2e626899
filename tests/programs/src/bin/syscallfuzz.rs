//! `syscallfuzz`: random system calls with random arguments, from unprivileged processes, which may die of them; the
//! system may not.
//!
//! Ochre's native numbers and, on Ochre, Linux's, which are reflected to the C library. On Linux the native numbers are
//! unknown to the kernel, and only they are used.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ochre_abi::syscall;
use test_programs::fuzz::{Limits, Places, Plan, name};
use test_programs::options::{Options, parse_number};
use test_programs::random::Random;
use test_programs::sys::mapping::{Mapping, SharedCounters, limit_address_space};
use test_programs::sys::native::{become_unprivileged, call, is_ochre};
use test_programs::sys::process::{self, Child};

const USAGE: &str = "\
usage: syscallfuzz [--seed S] [--count N] [--seconds T] [--jobs J] [--max-number M]
                   [--skip N,N…] [--only N,N…] [--trace] [--verbose]
  --count       calls in all (1000000)          --seconds  fail if it takes longer (600)
  --jobs        processes at a time (4)         --max-number  native numbers from 0x8000 on (128)
  --skip/--only numbers, native ones with or without 0x8000 (decimal)
  --trace       print each call before it is made (use with --jobs 1)
  --verbose     print which call each process died in";

/// Bytes of address space that a process may have: enough to find limits, not to trouble others.
const ADDRESS_SPACE: u64 = 512 << 20;
const ARENA: usize = 128 << 10;
/// Calls between two fillings of the arena.
const REFILL: u64 = 200;
/// Between two looks at the processes.
const TICK: Duration = Duration::from_millis(2);
/// Without progress for that long, a process is interrupted by a signal: it waits in a call.
const INTERRUPT_AFTER: Duration = Duration::from_millis(4);
/// Without progress for that long, it is killed.
const KILL_AFTER: Duration = Duration::from_millis(250);
/// A killed process that is not gone by then cannot be killed: the system's fault.
const DEAD_AFTER: Duration = Duration::from_secs(20);

const SIGUSR1: i32 = 10;
const SIGKILL: i32 = 9;

/// The shared counters begin with the number of calls that all have begun.
const TOTAL: usize = 0;

/// Where a job's counters are: the number of calls it has begun, then the last one's number.
fn progress_of(job: usize) -> usize {
    1 + 2 * job
}

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("--child") {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("syscallfuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Settings {
    seed: u64,
    count: u64,
    limit: Duration,
    trace: bool,
    verbose: bool,
    plan: Plan,
}

fn numbers(list: Option<&str>) -> Result<Vec<u64>, String> {
    list.map_or(Ok(Vec::new()), |list| list.split(',').map(|word| parse_number(word, "a call's number")).collect())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::of_process(
        &["seed", "count", "seconds", "jobs", "max-number", "skip", "only"],
        &["trace", "verbose", "help"],
    )
    .map_err(|why| format!("{why}\n{USAGE}"))?;
    if options.flag("help") {
        println!("{USAGE}");
        return Ok(());
    }
    let ochre = is_ochre();
    let plan = Plan::new(&Limits {
        native: options.number("max-number", 128)?,
        linux: ochre,
        // On Linux the native numbers are all unknown.
        unprivileged: !ochre || can_become_unprivileged()?,
        skip: &numbers(options.text("skip"))?,
        only: &numbers(options.text("only"))?,
    });
    if plan.is_empty() {
        return Err("no call is left to make".into());
    }
    let settings = Settings {
        seed: options.number("seed", 1)?,
        count: options.number("count", 1_000_000)?,
        limit: Duration::from_secs(options.number("seconds", 600)?),
        trace: options.flag("trace"),
        verbose: options.flag("verbose"),
        plan,
    };
    let jobs = options.number("jobs", 4usize)?.clamp(1, 64);
    let start = Instant::now();
    let mut tally = Tally::default();
    fuzz(&settings, jobs, &mut tally)?;
    still_alive()?;
    println!("{} calls in {:.1} s, seed {}: {tally}", settings.count, start.elapsed().as_secs_f64(), settings.seed);
    Ok(())
}

/// Tried in a child, as there is no way back.
fn can_become_unprivileged() -> Result<bool, Box<dyn Error>> {
    let shared = SharedCounters::new(1)?;
    let mut child = process::fork(|| {
        shared.all()[0].store(u64::from(become_unprivileged()), Ordering::Relaxed);
    })?;
    while child.try_wait()?.is_none() {
        thread::sleep(TICK);
    }
    let can = shared.all()[0].load(Ordering::Relaxed) == 1;
    if !can {
        println!("note: rights cannot be given up; calls that need them are left out");
    }
    Ok(can)
}

/// How the processes ended.
#[derive(Default)]
struct Tally {
    signals: BTreeMap<i32, u64>,
    exits: u64,
    killed: u64,
    interrupted: u64,
}

impl Tally {
    fn count(&mut self, status: ExitStatus) {
        match status.signal() {
            Some(signal) => *self.signals.entry(signal).or_default() += 1,
            None => self.exits += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "processes ended: {} by themselves", self.exits)?;
        for (signal, count) in &self.signals {
            write!(f, ", {count} by signal {signal}")?;
        }
        write!(f, "; {} calls interrupted, {} processes killed as stuck", self.interrupted, self.killed)
    }
}

/// A process that makes calls.
struct Job {
    child: Child,
    /// Its progress at the last look at which there was some, and when that was.
    progress: u64,
    since: Instant,
    killed: bool,
}

fn fuzz(settings: &Settings, jobs: usize, tally: &mut Tally) -> Result<(), Box<dyn Error>> {
    let shared = SharedCounters::new(1 + 2 * jobs)?;
    let counters = shared.all();
    let mut arena = Mapping::private(ARENA)?;
    let start = Instant::now();
    let mut generation = 0;
    let mut running: Vec<Option<Job>> = (0..jobs).map(|_| None).collect();
    loop {
        let finished = counters[TOTAL].load(Ordering::Relaxed) >= settings.count;
        for (n, slot) in running.iter_mut().enumerate() {
            let progress = &counters[progress_of(n)];
            match slot {
                None if finished => {}
                None => {
                    generation += 1;
                    let seed = Random::new(settings.seed ^ (generation << 32)).next_u64();
                    let child = process::fork(|| make_calls(settings, seed, &mut arena, counters, n))?;
                    let progress = progress.load(Ordering::Relaxed);
                    *slot = Some(Job { child, progress, since: Instant::now(), killed: false });
                }
                Some(job) => {
                    if let Some(status) = job.child.try_wait()? {
                        tally.count(status);
                        if settings.verbose && status.signal().is_some() {
                            println!("{status} in {}", name(counters[progress_of(n) + 1].load(Ordering::Relaxed)));
                        }
                        *slot = None;
                    } else {
                        let last = name(counters[progress_of(n) + 1].load(Ordering::Relaxed));
                        job.watch(progress.load(Ordering::Relaxed), finished, tally, &last)?;
                    }
                }
            }
        }
        if finished && running.iter().all(Option::is_none) {
            return Ok(());
        }
        if start.elapsed() > settings.limit {
            let done = counters[TOTAL].load(Ordering::Relaxed);
            return Err(format!("{done} of {} calls within {} s", settings.count, settings.limit.as_secs()).into());
        }
        thread::sleep(TICK);
    }
}

impl Job {
    /// Looks after a running process.
    fn watch(&mut self, progress: u64, finished: bool, tally: &mut Tally, last: &str) -> Result<(), String> {
        if progress != self.progress && !self.killed {
            self.progress = progress;
            self.since = Instant::now();
        }
        let stuck = self.since.elapsed();
        if self.killed {
            if stuck > DEAD_AFTER {
                return Err(format!("a killed process does not end; its last call was {last}"));
            }
        } else if stuck > KILL_AFTER || finished && stuck > INTERRUPT_AFTER {
            tally.killed += 1;
            self.killed = true;
            self.since = Instant::now();
            self.child.signal(SIGKILL);
        } else if stuck > INTERRUPT_AFTER {
            tally.interrupted += 1;
            self.child.signal(SIGUSR1);
        }
        Ok(())
    }
}

/// The child: makes calls until the count is reached or one of them is its end.
fn make_calls(settings: &Settings, seed: u64, arena: &mut Mapping, counters: &[AtomicU64], job: usize) {
    // Whatever fails of this, the calls are made all the same.
    let _ = process::interrupt_on_sigusr1();
    let _ = limit_address_space(ADDRESS_SPACE);
    process::silence(if settings.trace { &[0, 1] } else { &[0, 1, 2] });
    process::open_assortment();
    if is_ochre() {
        become_unprivileged();
    }
    let mut random = Random::new(seed);
    let marker = 0u8;
    let places = Places {
        arena: arena.address()..arena.address() + ARENA as u64,
        code: make_calls as fn(&Settings, u64, &mut Mapping, &[AtomicU64], usize) as usize as u64,
        stack: (&raw const marker).addr() as u64,
    };
    for round in 0.. {
        if round % REFILL == 0 {
            places.fill(arena.bytes_mut(), &mut random);
        }
        let number = settings.plan.number(&mut random);
        let args = [(); 6].map(|()| places.argument(&mut random));
        if counters[TOTAL].fetch_add(1, Ordering::Relaxed) >= settings.count {
            return;
        }
        counters[progress_of(job) + 1].store(number, Ordering::Relaxed);
        counters[progress_of(job)].fetch_add(1, Ordering::Relaxed);
        if settings.trace {
            eprintln!("{} {args:x?}", name(number));
        }
        let result = call(number, args);
        if number == syscall::FORK && result == 0 {
            // We are the copy: one is enough.
            call(syscall::EXIT, [0; 6]);
        }
    }
}

/// What a healthy system does for this process: memory, a child, its status.
fn still_alive() -> Result<(), Box<dyn Error>> {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(8 << 20)?;
    memory.resize(8 << 20, 7);
    if memory.iter().map(|&byte| u64::from(byte)).sum::<u64>() != 7 * (8 << 20) {
        return Err("memory does not keep its contents".into());
    }
    let status = Command::new(env::current_exe()?).arg("--child").status()?;
    if status.success() { Ok(()) } else { Err(format!("a child afterwards: {status}").into()) }
}
