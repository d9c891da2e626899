//! `sleepms MILLISECONDS`: sleeps that long.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    match std::env::args().nth(1).and_then(|word| word.parse().ok()) {
        Some(milliseconds) => {
            thread::sleep(Duration::from_millis(milliseconds));
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("usage: sleepms MILLISECONDS");
            ExitCode::from(2)
        }
    }
}
