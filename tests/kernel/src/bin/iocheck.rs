//! Checks of what can be read, written and waited for: pipes, sockets, events, timers, futexes, signals, the kernel's schemes.

use kernel_tests::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel_tests::run(&[
        io::pipes::CHECKS,
        io::sockets::CHECKS,
        io::datagrams::CHECKS,
        io::events::CHECKS,
        io::timers::CHECKS,
        io::futexes::CHECKS,
        io::schemes::CHECKS,
    ])
}
