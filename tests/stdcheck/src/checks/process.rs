//! Child processes: pipes, statuses, signals.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::check::{Check, Outcome, ensure, equal, fails_with, join};
use crate::child;
use crate::tempdir::TempDir;

pub const CHECKS: &[Check] = &[
    Check { name: "process.exit-code", run: exit_code },
    Check { name: "process.output", run: output },
    Check { name: "process.stdin-eof", run: stdin_eof },
    Check { name: "process.pipe-1mib", run: pipe_1mib },
    Check { name: "process.chain", run: chain },
    Check { name: "process.files-as-stdio", run: files_as_stdio },
    Check { name: "process.kill", run: kill },
    Check { name: "process.try-wait", run: try_wait },
    Check { name: "process.not-found", run: not_found },
    Check { name: "process.path-search", run: path_search },
    Check { name: "process.arg0", run: arg0 },
    Check { name: "process.child-sees-broken-pipe", run: child_sees_broken_pipe },
    Check { name: "process.parent-sees-broken-pipe", run: parent_sees_broken_pipe },
    Check { name: "process.parallel", run: parallel },
    Check { name: "process.from-threads", run: from_threads },
    Check { name: "process.anonymous-pipe", run: anonymous_pipe },
];

const SIGKILL: i32 = 9;

fn exit_code() -> Outcome {
    for code in [0, 1, 42, 101, 255] {
        let status = child::command("exit")?.arg(code.to_string()).status()?;
        equal!(status.code(), Some(code));
        equal!(status.success(), code == 0);
        equal!(status.signal(), None);
    }
    Ok(())
}

fn output() -> Outcome {
    let mut child =
        child::command("both")?.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all("text für both".as_bytes())?;
    }
    let output = child.wait_with_output()?;
    equal!(output.status.code(), Some(7));
    equal!(output.stdout, "out text für both".as_bytes());
    equal!(output.stderr, "err text für both".as_bytes());
    Ok(())
}

fn stdin_eof() -> Outcome {
    ensure!(child::command("eof")?.stdin(Stdio::null()).status()?.success());
    let mut child = child::command("eof")?.stdin(Stdio::piped()).spawn()?;
    drop(child.stdin.take());
    ensure!(child.wait()?.success());
    let mut child = child::command("eof")?.stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"not the end")?;
    }
    equal!(child.wait()?.code(), Some(1));
    Ok(())
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn pipe_1mib() -> Outcome {
    let wanted = noise(1 << 20);
    let mut child =
        Command::new(env::current_exe()?).arg("--cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let sent = wanted.clone();
    let writer = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&sent)));
    let output = child.wait_with_output()?;
    ensure!(join(writer)?.is_some_and(|written| written.is_ok()));
    ensure!(output.status.success());
    equal!(output.stdout.len(), wanted.len());
    ensure!(output.stdout == wanted);
    Ok(())
}

fn chain() -> Outcome {
    let mut first = child::command("cat")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut input), Some(between)) = (first.stdin.take(), first.stdout.take()) else {
        return Err(crate::check::Failure::new("no pipes"));
    };
    let second = child::command("cat")?.stdin(between).stdout(Stdio::piped()).spawn()?;
    let wanted = noise(200_000);
    let sent = wanted.clone();
    let writer = thread::spawn(move || input.write_all(&sent));
    let output = second.wait_with_output()?;
    join(writer)??;
    ensure!(first.wait()?.success());
    ensure!(output.stdout == wanted, "{} bytes of {}", output.stdout.len(), wanted.len());
    Ok(())
}

fn files_as_stdio() -> Outcome {
    let dir = TempDir::new("stdio")?;
    let (from, to) = (dir.join("from"), dir.join("to"));
    let wanted = noise(100_000);
    fs::write(&from, &wanted)?;
    let status = child::command("cat")?.stdin(fs::File::open(&from)?).stdout(fs::File::create(&to)?).status()?;
    ensure!(status.success());
    ensure!(fs::read(&to)? == wanted);
    Ok(())
}

fn kill() -> Outcome {
    let mut child = child::command("cat")?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.kill()?;
    let status = child.wait()?;
    equal!(status.code(), None);
    equal!(status.signal(), Some(SIGKILL));
    ensure!(!status.core_dumped());
    // Once waited for, a second kill is no error and a second wait says the same.
    child.kill()?;
    equal!(child.wait()?, status);
    Ok(())
}

fn try_wait() -> Outcome {
    let mut child = child::command("cat")?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    ensure!(child.try_wait()?.is_none());
    drop(child.stdin.take());
    let start = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None => {
                ensure!(start.elapsed() < Duration::from_secs(60), "the child does not end");
                thread::sleep(Duration::from_millis(1));
            }
        }
    };
    ensure!(status.success());
    equal!(child.try_wait()?, Some(status));
    // A child that ends by itself is not seen before it has.
    let (start, wanted) = (Instant::now(), Duration::from_millis(100));
    ensure!(child::command("sleep")?.arg("100").status()?.success());
    ensure!(start.elapsed() >= wanted);
    Ok(())
}

fn not_found() -> Outcome {
    fails_with!(Command::new("/no/such/program").spawn(), ErrorKind::NotFound);
    fails_with!(Command::new("stdcheck-no-such-program").spawn(), ErrorKind::NotFound);
    fails_with!(child::command("exit")?.current_dir("/no/such/folder").spawn(), ErrorKind::NotFound);
    let dir = TempDir::new("not-found")?;
    fails_with!(Command::new(dir.path()).spawn(), ErrorKind::PermissionDenied);
    fs::write(dir.join("plain"), "no program")?;
    fails_with!(Command::new(dir.join("plain")).spawn(), ErrorKind::PermissionDenied);
    Ok(())
}

fn path_search() -> Outcome {
    let exe = env::current_exe()?;
    let (Some(folder), Some(name)) = (exe.parent(), exe.file_name()) else {
        return Err(crate::check::Failure::new("current_exe has no folder"));
    };
    let path = env::join_paths([std::path::Path::new("/no/such/folder"), folder])?;
    let status = Command::new(name).env("PATH", path).args(["--child", "exit", "9"]).status()?;
    equal!(status.code(), Some(9));
    Ok(())
}

fn arg0() -> Outcome {
    // std's own exec path (fork and exec): arg0 and pre-exec settings do not fit posix_spawn everywhere.
    let output = child::command("args")?.arg0("another name").arg("x").process_group(0).output()?;
    equal!(output.stdout, b"78\n");
    Ok(())
}

fn child_sees_broken_pipe() -> Outcome {
    // `flood` succeeds only if its write fails with BrokenPipe: SIGPIPE must not have killed it.
    let mut child = child::command("flood")?.stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_exact(&mut [0; 100])?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn parent_sees_broken_pipe() -> Outcome {
    let mut child = child::command("exit")?.arg("0").stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    ensure!(child.wait()?.success());
    let Some(mut stdin) = stdin else { return Err(crate::check::Failure::new("no pipe")) };
    fails_with!(stdin.write(b"x"), ErrorKind::BrokenPipe);
    Ok(())
}

fn parallel() -> Outcome {
    let mut children = Vec::new();
    for n in 0..32 {
        children.push(child::command("cat")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        equal!(children.len(), n + 1);
    }
    for (n, child) in children.iter_mut().enumerate() {
        if let Some(stdin) = &mut child.stdin {
            writeln!(stdin, "child {n}")?;
        }
    }
    // The last first: no child may hold another one's pipe open.
    for (n, child) in children.into_iter().enumerate().rev() {
        let output = child.wait_with_output()?;
        ensure!(output.status.success());
        equal!(String::from_utf8_lossy(&output.stdout), format!("child {n}\n"));
    }
    Ok(())
}

fn from_threads() -> Outcome {
    let threads: Vec<_> = (0..8)
        .map(|n| {
            thread::spawn(move || -> io::Result<Vec<Option<i32>>> {
                (0..4).map(|m| Ok(child::command("exit")?.arg((n * 4 + m).to_string()).status()?.code())).collect()
            })
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        let n = n as i32;
        equal!(join(thread)??, (n * 4..n * 4 + 4).map(Some).collect::<Vec<_>>());
    }
    Ok(())
}

fn anonymous_pipe() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    // Two writers, this process and a child, into one pipe.
    let mut ours = writer.try_clone()?;
    let mut child = child::command("args")?.arg("z").stdout(writer).spawn()?;
    ensure!(child.wait()?.success());
    ours.write_all(b"ours")?;
    drop(ours);
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    equal!(text, "7a\nours");
    Ok(())
}
