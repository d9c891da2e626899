//! `cachehold [SECONDS [SEED]]`: the page cache under load and memory pressure; prints `ok cachehold: …` with what was done. With `--write` or
//! `--squeeze` it is one of the processes that this takes.

use kernel_tests::Result;
use kernel_tests::memory::hold;
use std::process::ExitCode;

fn run(args: &[String]) -> Result<String> {
    let number = |n: usize, default: u64| args.get(n).map_or(Ok(default), |arg| arg.parse());
    match args.first().map(String::as_str) {
        Some("--write") => {
            let steps = hold::write(number(1, 0)? as i32, number(2, 0)?, number(3, 0)?)?;
            Ok(format!("{steps} steps"))
        }
        Some("--squeeze") => hold::squeeze().map(|()| String::new()),
        _ => hold::hold(number(0, 30)?, number(1, 1)?),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(told) if told.is_empty() => ExitCode::SUCCESS,
        Ok(told) => {
            println!("ok cachehold: {told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("FAILED cachehold: {why}");
            ExitCode::FAILURE
        }
    }
}
