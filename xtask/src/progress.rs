//! Progress lines for long work, on standard error, so that standard output stays the command's own.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long work may take before it is worth a line.
const QUIET: Duration = Duration::from_millis(700);
/// How often work that goes on says so.
const TICK: Duration = Duration::from_secs(15);

/// Prints one line of information.
pub fn note(text: impl AsRef<str>) {
    let text = text.as_ref();
    if std::io::stderr().is_terminal() {
        eprintln!("\x1b[1mxtask\x1b[0m: {text}");
    } else {
        eprintln!("xtask: {text}");
    }
}

/// A piece of work that is under way. Says what it is once it has taken long enough to be noticed, repeats that
/// with the elapsed time while it lasts, and says how long it took when it is dropped.
pub struct Step {
    stop: Option<Sender<()>>,
    ticker: Option<JoinHandle<()>>,
}

impl Step {
    /// Starts the clock on `what`, for example "building the kernel".
    pub fn start(what: impl Into<String>) -> Step {
        let what = what.into();
        let (stop, stopped) = channel();
        let ticker = std::thread::spawn(move || tick(&what, &stopped));
        Step { stop: Some(stop), ticker: Some(ticker) }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(ticker) = self.ticker.take() {
            // The ticker only prints; there is nothing to do about one that could not.
            let _ = ticker.join();
        }
    }
}

fn tick(what: &str, stopped: &Receiver<()>) {
    let begin = Instant::now();
    if stopped.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    note(format!("{what} ..."));
    while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        note(format!("still {what}, {:.0} s", begin.elapsed().as_secs_f64()));
    }
    note(format!("{what}: {:.1} s", begin.elapsed().as_secs_f64()));
}
