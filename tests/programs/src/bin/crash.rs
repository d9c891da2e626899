//! `crash KIND`: dies in that way. Without one, or with a wrong one, it prints the kinds.

use std::process::ExitCode;

use test_programs::fault::Fault;

fn main() -> ExitCode {
    let kind = std::env::args().nth(1).unwrap_or_default();
    match kind.as_str() {
        "panic" => panic!("crash: asked to panic"),
        "abort" => std::process::abort(),
        _ => {}
    }
    let Some(fault) = Fault::named(&kind) else {
        let kinds: Vec<&str> = Fault::ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("usage: crash {}|panic|abort", kinds.join("|"));
        return ExitCode::from(2);
    };
    fault.commit();
    eprintln!("crash: {kind} did no harm");
    ExitCode::FAILURE
}
