//! Unwinding, backtraces, and the ways a process dies of its own fault.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe};
use std::process::Stdio;
use std::sync::Mutex;

use crate::check::{Check, Failure, Outcome, ensure, equal, panic_text};
use crate::child;

pub const CHECKS: &[Check] = &[
    Check { name: "panics.catch", run: catch },
    Check { name: "panics.payload", run: payload },
    Check { name: "panics.drop-order", run: drop_order },
    Check { name: "panics.deep", run: deep },
    Check { name: "panics.backtrace", run: backtrace },
    Check { name: "panics.abort", run: abort },
    Check { name: "panics.stack-overflow", run: stack_overflow },
];

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

fn catch() -> Outcome {
    equal!(panic::catch_unwind(|| black_box(4)).ok(), Some(4));
    for n in 0..100 {
        match panic::catch_unwind(|| panic!("expected: round {}", black_box(n))) {
            Ok(()) => return Err(Failure::new("the panic was lost")),
            Err(payload) => equal!(panic_text(&*payload), format!("expected: round {n}")),
        }
    }
    // What the language itself panics about.
    let numbers = vec![1, 2, 3];
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let caught = panic::catch_unwind(|| black_box(&numbers)[black_box(3)]);
    panic::set_hook(quiet);
    ensure!(caught.is_err());
    Ok(())
}

fn payload() -> Outcome {
    #[derive(Debug, PartialEq)]
    struct Payload(u32, Vec<u8>);
    let caught = panic::catch_unwind(|| panic::resume_unwind(Box::new(Payload(7, vec![1, 2, 3]))));
    let Err(payload) = caught;
    equal!(payload.downcast_ref::<Payload>(), Some(&Payload(7, vec![1, 2, 3])));
    Ok(())
}

fn drop_order() -> Outcome {
    struct Logged<'a>(&'a Mutex<Vec<u8>>, u8);
    impl Drop for Logged<'_> {
        fn drop(&mut self) {
            if let Ok(mut log) = self.0.lock() {
                log.push(if std::thread::panicking() { self.1 } else { 0xff });
            }
        }
    }
    #[inline(never)]
    fn inner(log: &Mutex<Vec<u8>>) {
        let _third = Logged(log, 3);
        let _fourth = Logged(log, 4);
        if black_box(true) {
            panic!("expected: drop order");
        }
    }
    let log = Mutex::new(Vec::new());
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        let _first = Logged(&log, 1);
        let _second = Logged(&log, 2);
        inner(&log);
    }));
    ensure!(caught.is_err());
    equal!(*log.lock()?, [4, 3, 2, 1]);
    Ok(())
}

fn deep() -> Outcome {
    #[inline(never)]
    fn descend(depth: usize, dropped: &Mutex<usize>) {
        struct Guard<'a>(&'a Mutex<usize>);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if let Ok(mut count) = self.0.lock() {
                    *count += 1;
                }
            }
        }
        let _guard = Guard(dropped);
        if depth == 0 {
            panic!("expected: the bottom");
        }
        descend(black_box(depth - 1), dropped);
    }
    let dropped = Mutex::new(0);
    ensure!(panic::catch_unwind(AssertUnwindSafe(|| descend(500, &dropped))).is_err());
    equal!(*dropped.lock()?, 501);
    Ok(())
}

fn backtrace() -> Outcome {
    let output = child::command("panic")?.env("RUST_BACKTRACE", "1").stdout(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    equal!(output.status.code(), Some(101));
    ensure!(text.contains("marked panic"), "no message: {text}");
    ensure!(text.contains("stdcheck_panic_marker"), "the backtrace does not name the function: {text}");
    ensure!(text.contains("child.rs:"), "the backtrace names no source line: {text}");
    // And none without being asked.
    let output = child::command("panic")?.env_remove("RUST_BACKTRACE").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    equal!(output.status.code(), Some(101));
    ensure!(text.contains("marked panic") && !text.contains("stdcheck_panic_marker"), "{text}");
    Ok(())
}

fn abort() -> Outcome {
    let status = child::command("abort")?.stderr(Stdio::null()).status()?;
    equal!(status.code(), None);
    equal!(status.signal(), Some(SIGABRT));
    Ok(())
}

fn stack_overflow() -> Outcome {
    let output = child::command("overflow")?.output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(matches!(output.status.signal(), Some(SIGABRT | SIGSEGV)), "{}: {text}", output.status);
    ensure!(text.contains("thread 'deep'") && text.contains("has overflowed its stack"), "no message: {text}");
    Ok(())
}
