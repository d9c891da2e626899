//! `sigcheck`: signals as signal(7) describes them.
#![forbid(unsafe_code)]

mod actions;
mod children;
mod interrupts;
mod masks;
mod queues;
mod threads;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|option| option == "--inherited") {
        return children::inherited();
    }
    runtime_tests::run(&[
        actions::CHECKS,
        masks::CHECKS,
        queues::CHECKS,
        interrupts::CHECKS,
        threads::CHECKS,
        children::CHECKS,
    ])
}
