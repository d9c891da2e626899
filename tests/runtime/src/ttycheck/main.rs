//! `ttycheck`: terminals as pty(7), termios(3) and ioctl_tty(2) describe them, and job control.
#![forbid(unsafe_code)]

mod editing;
mod jobs;
mod modes;
mod names;
mod pair;

fn main() -> std::process::ExitCode {
    runtime_tests::run(&[names::CHECKS, editing::CHECKS, modes::CHECKS, jobs::CHECKS])
}
