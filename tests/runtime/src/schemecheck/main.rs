//! `schemecheck`: servers on ochre-scheme and what their callers see, and the scheme chan.
#![forbid(unsafe_code)]

mod calls;
mod channels;
mod echo;

fn main() -> std::process::ExitCode {
    runtime_tests::run(&[calls::CHECKS, channels::CHECKS])
}
