//! The scheme log: `/scheme/log/NAME` takes lines, which go into the kernel log as `NAME: line`; reading gives the last ones back.

use ochre_scheme::{Answer, Errno, Request, Result, Scheme, Server};
use std::collections::{HashMap, VecDeque};

/// Bytes of lines that are kept.
const KEPT: usize = 64 * 1024;
/// A line that gets longer than this is cut here.
const LINE_MAX: usize = 400;

#[derive(Default)]
struct Log {
    handles: HashMap<u64, Handle>,
    next: u64,
    kept: VecDeque<u8>,
}

struct Handle {
    name: String,
    /// The line so far.
    partial: Vec<u8>,
    /// Where reading goes on in `kept`.
    read: usize,
}

impl Log {
    fn line(&mut self, name: &str, line: &[u8]) {
        let text = format!("{name}: {}\n", String::from_utf8_lossy(line));
        // The kernel's log is a copy for people; if it is not to be had, the line is kept here all the same.
        let _ = ochre_rt::syscall::log(1, text.trim_end().as_bytes());
        let excess = (self.kept.len() + text.len()).saturating_sub(KEPT);
        self.kept.drain(..excess.min(self.kept.len()));
        self.kept.extend(text.as_bytes());
        for handle in self.handles.values_mut() {
            handle.read = handle.read.saturating_sub(excess);
        }
    }
}

impl Scheme for Log {
    fn open(&mut self, request: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        let name = str::from_utf8(request.payload()).map_err(|_| Errno::EINVAL)?;
        let name = if name.is_empty() { format!("pid {}", request.caller().pid) } else { name.to_owned() };
        self.next += 1;
        self.handles.insert(self.next, Handle { name, partial: Vec::new(), read: 0 });
        Ok(Answer::opened(self.next))
    }

    fn close(&mut self, handle: u64) {
        if let Some(handle) = self.handles.remove(&handle).filter(|h| !h.partial.is_empty()) {
            self.line(&handle.name, &handle.partial);
        }
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        let handle = self.handles.get_mut(&request.handle()).ok_or(Errno::EBADF)?;
        let bytes: Vec<u8> = self.kept.iter().skip(handle.read).take(len).copied().collect();
        handle.read += bytes.len();
        request.put(&bytes)?;
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _: Option<u64>, _len: usize) -> Result<Answer> {
        let id = request.handle();
        let data = request.data(KEPT)?;
        let handle = self.handles.get_mut(&id).ok_or(Errno::EBADF)?;
        let name = handle.name.clone();
        let mut lines = Vec::new();
        for byte in data.iter() {
            if *byte == b'\n' || handle.partial.len() >= LINE_MAX {
                lines.push(std::mem::take(&mut handle.partial));
            }
            if *byte != b'\n' {
                handle.partial.push(*byte);
            }
        }
        let taken = data.len();
        for line in lines {
            self.line(&name, &line);
        }
        Ok(Answer::value(taken))
    }
}

fn main() -> Result<()> {
    let mut server = Server::register("log")?;
    ochre_scheme::ready();
    server.run(&mut Log::default())
}
