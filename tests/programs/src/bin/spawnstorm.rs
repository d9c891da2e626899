//! `spawnstorm [N] [--slack KIB]`: spawns itself N times (10,000), waits for each, and checks that the system's free
//! memory comes back to where it was.
//!
//! Where the kernel counts its frames it must come back to within 256 KiB. Linux tells an estimate in which everything
//! else that runs there shows: there the slack is 256 MiB, enough to find 10,000 processes that leave 32 KiB each.

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use test_programs::memory;
use test_programs::options::{Options, parse_number};

/// Spawns before the first look: caches fill, the allocator takes what it keeps.
const WARM_UP: u32 = 50;
/// How long freeing may lag behind the last wait.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // Each child ends with another status, so that none is taken for another.
    if let Some("--child") = env::args().nth(1).as_deref() {
        return ExitCode::from(env::args().nth(2).and_then(|word| word.parse().ok()).unwrap_or(255));
    }
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("spawnstorm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let options = Options::of_process(&["slack"], &[])?;
    let count: u32 = options.rest.first().map_or(Ok(10_000), |word| parse_number(word, "the number of spawns"))?;
    for n in 0..WARM_UP {
        spawn(n)?;
    }
    let before = memory::free()?;
    let slack = options.number("slack", if before.exact { 256 } else { 256 << 10 })? << 10;
    let start = Instant::now();
    for n in 0..count {
        spawn(n).map_err(|error| format!("spawn {n}: {error}"))?;
    }
    let took = start.elapsed();
    let after = settled(before.bytes.saturating_sub(slack))?;
    let lost = before.bytes.saturating_sub(after);
    println!(
        "{count} processes in {:.1} s, {} us each; free before {} KiB, after {} KiB, lost {} KiB",
        took.as_secs_f64(),
        took.as_micros() / u128::from(count.max(1)),
        before.bytes >> 10,
        after >> 10,
        lost >> 10
    );
    if lost > slack {
        println!("FAILED: more than {} KiB lost", slack >> 10);
    }
    Ok(lost <= slack)
}

fn spawn(n: u32) -> Result<(), Box<dyn Error>> {
    let code = n % 251;
    let status =
        Command::new(env::current_exe()?).args(["--child", &code.to_string()]).stdin(Stdio::null()).status()?;
    if status.code() == i32::try_from(code).ok() { Ok(()) } else { Err(format!("{status}, not {code}").into()) }
}

/// Free memory as soon as it is that much again, or at the end of our patience.
fn settled(wanted: u64) -> Result<u64, Box<dyn Error>> {
    let start = Instant::now();
    loop {
        let free = memory::free()?.bytes;
        if free >= wanted || start.elapsed() > PATIENCE {
            return Ok(free);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
