//! `faults [KIND…]`: commits each kind of fault in a child, and checks that the child died of the right signal and that
//! this process did not notice.

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};

use test_programs::fault::Fault;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [mode, kind] = &args[..]
        && mode == "--child"
        && let Some(fault) = Fault::named(kind)
    {
        fault.commit();
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = args.iter().find(|kind| Fault::named(kind).is_none()) {
        eprintln!("faults: no fault is called {unknown}");
        return ExitCode::from(2);
    }
    let mut failed = 0;
    for (name, fault) in Fault::ALL {
        if !args.is_empty() && !args.iter().any(|kind| kind == name) {
            continue;
        }
        match check(name, *fault) {
            Ok(()) => println!("ok {name}"),
            Err(why) => {
                println!("FAILED {name}: {why}");
                failed += 1;
            }
        }
    }
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn check(name: &str, fault: Fault) -> io::Result<()> {
    let status = Command::new(env::current_exe()?).args(["--child", name]).stderr(Stdio::null()).status()?;
    if status.signal() == Some(fault.signal()) {
        Ok(())
    } else {
        Err(io::Error::other(format!("{status}, not signal {}", fault.signal())))
    }
}
