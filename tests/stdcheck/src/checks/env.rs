//! Arguments, environment and what a process knows about itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::{env, fs, process};

use crate::check::{Check, Failure, Outcome, ensure, equal};
use crate::child::{self, hex};

pub const CHECKS: &[Check] = &[
    Check { name: "env.arguments", run: arguments },
    Check { name: "env.variables", run: variables },
    Check { name: "env.cleared", run: cleared },
    Check { name: "env.current-exe", run: current_exe },
    Check { name: "env.pid", run: pid },
    Check { name: "env.hash-randomness", run: hash_randomness },
];

/// Standard output of a child that must succeed.
fn output(command: &mut process::Command) -> Outcome<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn arguments() -> Outcome {
    let odd: Vec<OsString> = [
        &b"plain"[..],
        b"",
        b"two words",
        b"\xff\xfe not UTF-8 \x80",
        "Grüße, 世界".as_bytes(),
        b"--looks-like-an-option",
        b"line\nbreak\ttab\\ \"quotes\" 'single' $HOME `x` *",
        b"",
        &[b'a'; 20_000],
    ]
    .map(|bytes| OsString::from_vec(bytes.to_vec()))
    .into();
    let text = output(child::command("args")?.args(&odd))?;
    let seen: Vec<&str> = text.lines().collect();
    let sent: Vec<String> = odd.iter().map(|arg| hex(arg.as_bytes())).collect();
    equal!(seen, sent);
    ensure!(env::args_os().next().is_some_and(|name| !name.is_empty()), "no argv[0]");
    Ok(())
}

fn variables() -> Outcome {
    let odd = OsStr::from_bytes(b"\xc3\x28 = \xff");
    let text = output(
        child::command("env")?
            .env("STDCHECK_ODD", odd)
            .env("STDCHECK_EMPTY", "")
            .env("STDCHECK_GONE", "x")
            .env_remove("STDCHECK_GONE"),
    )?;
    let seen: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    equal!(seen.get(hex(b"STDCHECK_ODD").as_str()), Some(&hex(odd.as_bytes()).as_str()));
    equal!(seen.get(hex(b"STDCHECK_EMPTY").as_str()), Some(&""));
    equal!(seen.get(hex(b"STDCHECK_GONE").as_str()), None);
    // The rest is inherited.
    for (name, value) in env::vars_os() {
        if !name.as_bytes().starts_with(b"STDCHECK_") {
            equal!(seen.get(hex(name.as_bytes()).as_str()), Some(&hex(value.as_bytes()).as_str()));
        }
    }
    equal!(env::var_os("STDCHECK_NEVER_SET"), None);
    Ok(())
}

fn cleared() -> Outcome {
    let text = output(child::command("env")?.env_clear())?;
    equal!(text, "");
    let text = output(child::command("env")?.env_clear().env("ONLY", "this"))?;
    equal!(text, format!("{}={}\n", hex(b"ONLY"), hex(b"this")));
    Ok(())
}

fn current_exe() -> Outcome {
    let path = env::current_exe()?;
    ensure!(path.is_absolute(), "{path:?} is not absolute");
    let start = fs::read(&path)?;
    equal!(start.get(..4), Some(&b"\x7fELF"[..]));
    Ok(())
}

fn pid() -> Outcome {
    let mut child = child::command("exit")?.arg("0").spawn()?;
    let id = child.id();
    ensure!(id != 0 && id != process::id());
    ensure!(child.wait()?.success());
    ensure!(process::id() == process::id());
    Ok(())
}

fn hash_randomness() -> Outcome {
    let first = output(&mut child::command("hash")?)?;
    let second = output(&mut child::command("hash")?)?;
    u64::from_str_radix(first.trim(), 16).map_err(Failure::from)?;
    ensure!(first != second, "two processes hash 1 to {}", first.trim());
    Ok(())
}
