//! poweroff(8), reboot(8), halt(8), shutdown(8): ask init, by `/scheme/init/power`. `shutdown +MINUTES` waits in the foreground.

#![forbid(unsafe_code)]

use init::ending::Ending;
use std::process::ExitCode;
use std::time::Duration;

/// Where init takes requests.
const REQUESTS: &str = "/scheme/init/power";

/// Does what the program `name` is for.
pub fn main(name: &str) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Ending::of_command(name, &arguments) {
        Ok((ending, minutes)) => {
            std::thread::sleep(Duration::from_secs(minutes.saturating_mul(60)));
            match std::fs::write(REQUESTS, ending.word()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{name}: {REQUESTS}: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(what) => {
            let usage = if name == "shutdown" { "[-P|-r|-H] [now|+MINUTES]" } else { "[-p|--reboot|--halt]" };
            eprintln!("{name}: {what}\nusage: {name} {usage}");
            ExitCode::from(2)
        }
    }
}
