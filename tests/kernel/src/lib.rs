//! What the kernel promises a program that calls it directly: named checks, run by `memcheck` and `iocheck`.
#![deny(unsafe_code)]

pub mod io;
pub mod memory;
pub mod sys;

use std::process::ExitCode;

/// A check's result; the error says what went wrong.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A named check.
pub type Check = (&'static str, fn() -> Result);

/// The size of a page in bytes.
pub const PAGE: usize = 4096;

/// Fails unless the two values are equal; says where, and what they are.
#[macro_export]
macro_rules! same {
    ($left:expr, $right:expr) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            return Err(format!("{}:{}: {} is {left:?}, not {right:?}", file!(), line!(), stringify!($left)).into());
        }
    }};
}

/// Fails unless the condition holds; says where.
#[macro_export]
macro_rules! holds {
    ($condition:expr) => {
        if !$condition {
            return Err(format!("{}:{}: not so: {}", file!(), line!(), stringify!($condition)).into());
        }
    };
}

/// Runs the checks, or with arguments those whose names start with one of them. Prints `ok NAME` or `FAILED NAME: why` for
/// each, then `N passed, N failed`. The exit status tells whether all passed.
pub fn run(subjects: &[&[Check]]) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in subjects.iter().copied().flatten() {
        if !wanted.is_empty() && !wanted.iter().any(|start| name.starts_with(start.as_str())) {
            continue;
        }
        match check() {
            Ok(()) => {
                passed += 1;
                println!("ok {name}");
            }
            Err(why) => {
                failed += 1;
                println!("FAILED {name}: {why}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
