//! Standard output: line buffering and locking.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::check::{Check, Failure, Outcome, ensure, equal};
use crate::child;

pub const CHECKS: &[Check] = &[
    Check { name: "stdio.line-buffering", run: line_buffering },
    Check { name: "stdio.many-threads", run: many_threads },
];

fn line_buffering() -> Outcome {
    let mut child = child::command("halves")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::new("no pipes"));
    };
    // The child waits for a byte: it has written its whole line, and keeps the half one.
    let mut bytes = [0; 64];
    let count = stdout.read(&mut bytes)?;
    equal!(&bytes[..count], b"first\n");
    stdin.write_all(b"x")?;
    let mut rest = String::new();
    stdout.read_to_string(&mut rest)?;
    equal!(rest, "second\n");
    ensure!(child.wait()?.success());
    Ok(())
}

fn many_threads() -> Outcome {
    let output = child::command("lines")?.output()?;
    ensure!(output.status.success());
    let text = String::from_utf8(output.stdout)?;
    let mut next = [0; 16];
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["thread", thread, "line", number, rest] = words[..] else {
            return Err(Failure::new(format_args!("a broken line: {line:?}")));
        };
        let (thread, number): (usize, usize) = (thread.parse()?, number.parse()?);
        ensure!(thread < 16 && rest == "=".repeat(thread * 4), "a broken line: {line:?}");
        equal!(number, next[thread]);
        next[thread] += 1;
    }
    equal!(next, [100; 16]);
    Ok(())
}
