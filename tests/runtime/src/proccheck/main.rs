//! `proccheck`: /proc as proc(5) describes it, and the calls about processes as their man pages do.
#![forbid(unsafe_code)]

mod attributes;
mod files;
mod links;
mod system;
mod timers;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|option| option == "--wait") {
        // A child that others look at: it ends when its input does.
        let _ = std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new());
        return std::process::ExitCode::SUCCESS;
    }
    if arguments.get(1).is_some_and(|option| option == "--umask") {
        println!("{:o}", runtime_tests::sys::exchange_umask(0));
        return std::process::ExitCode::SUCCESS;
    }
    runtime_tests::run(&[files::CHECKS, links::CHECKS, system::CHECKS, attributes::CHECKS, timers::CHECKS])
}
