//! What the kernel tells in `/scheme/proc` and `/scheme/sys`, read and taken apart.

use ochre_scheme::{Errno, Result};
use std::collections::HashMap;

/// Reads a file of a kernel scheme. ENOENT: there is no such process (any more).
pub fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Errno(error.raw_os_error().unwrap_or(5)))
}

/// `name value` lines as a table.
#[derive(Clone, Debug, Default)]
pub struct Table(HashMap<String, String>);

impl Table {
    /// Reads them from a text.
    pub fn parse(text: &[u8]) -> Table {
        let text = String::from_utf8_lossy(text);
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Table(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A value as text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A number; 0 if there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// A number that may be negative; 0 if there is none.
    pub fn signed(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(0)
    }
}

/// A file of `/scheme/proc/PID`.
pub fn of_process(pid: u32, file: &str) -> Result<Vec<u8>> {
    read(&format!("/scheme/proc/{pid}/{file}"))
}

/// A process's figures. ENOENT.
pub fn status(pid: u32) -> Result<Table> {
    of_process(pid, "status").map(|text| Table::parse(&text))
}

/// The system's figures.
pub fn system() -> Result<Table> {
    read("/scheme/sys/stat").map(|text| Table::parse(&text))
}

/// A thread, as `/scheme/proc/PID/threads` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    pub tid: u32,
    /// `running`, `ready`, `waiting` or `dead`.
    pub state: String,
    pub cpu: u64,
    pub run_ns: u64,
    /// The system call it is in, `-` for none.
    pub syscall: String,
    pub name: Vec<u8>,
}

/// A process's threads.
pub fn threads(pid: u32) -> Result<Vec<Thread>> {
    let text = of_process(pid, "threads")?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(thread).collect())
}

/// `pid tid state priority cpu run_ns syscall name`
fn thread(line: &str) -> Option<Thread> {
    let mut words = line.splitn(8, ' ').skip(1);
    let mut next = || words.next();
    let tid = next()?.parse().ok()?;
    let state = next()?.to_owned();
    let _priority = next()?;
    let cpu = next()?.parse().ok()?;
    let run_ns = next()?.parse().ok()?;
    let syscall = next()?.to_owned();
    Some(Thread { tid, state, cpu, run_ns, syscall, name: unescape(next().unwrap_or("")) })
}

/// Undoes what `escape_ascii` did.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'x') => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| (byte as char).to_digit(16)).unwrap_or(0) as u8;
                let high = digit(bytes.next());
                out.push(high << 4 | digit(bytes.next()));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Ids of all processes, ascending.
pub fn pids() -> Result<Vec<u32>> {
    let text = read("/scheme/sys/process")?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// The names of the schemes that somebody serves now.
pub fn served() -> Vec<String> {
    let schemes = read("/scheme/sys/scheme").unwrap_or_default();
    let schemes = String::from_utf8_lossy(&schemes);
    let name = |line: &str| line.split_once(" served ").map(|(name, _)| name.to_owned());
    schemes.lines().filter_map(name).collect()
}

/// The controlling terminal of a session as ttyd tells it: device number, and foreground process group.
///
/// ttyd is asked only while it is there, so that a dead one does not hold /proc up.
pub fn terminal(sid: u32) -> Option<(u64, i64)> {
    if !served().iter().any(|name| name == "tty") {
        return None;
    }
    let text = read("/scheme/tty/sessions").ok()?;
    sessions(&String::from_utf8_lossy(&text), sid)
}

/// Finds a session in lines of `SID RDEV FOREGROUND-PGID`; RDEV is a number or `MAJOR:MINOR`.
fn sessions(text: &str, sid: u32) -> Option<(u64, i64)> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()?.parse() == Ok(sid)).then_some(())?;
        let device = words.next()?;
        let device = match device.split_once(':') {
            Some((major, minor)) => device_number(major.parse().ok()?, minor.parse().ok()?),
            None => device.parse().ok()?,
        };
        Some((device, words.next().and_then(|group| group.parse().ok()).unwrap_or(-1)))
    })
}

/// Linux's encoding of a device number in 32 bits (new_encode_dev).
pub fn device_number(major: u64, minor: u64) -> u64 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_threads() {
        let table = Table::parse(b"name a b\nstate S\nrun_ns 12\n");
        assert_eq!((table.text("name"), table.number("run_ns"), table.number("none")), ("a b", 12, 0));
        let one = thread("7 9 waiting 8 1 1234 READ a\\x20b c").unwrap();
        assert_eq!((one.tid, one.run_ns, &one.name[..]), (9, 1234, &b"a b c"[..]));
        assert_eq!(thread("7 x"), None);
    }

    #[test]
    fn escapes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&all.escape_ascii().to_string()), all);
        assert_eq!(unescape("a\\"), b"a");
    }

    #[test]
    fn a_session_is_found() {
        let text = "5 136:3 9\n7 1025 -1\n";
        assert_eq!(sessions(text, 5), Some((136 << 8 | 3, 9)));
        assert_eq!(sessions(text, 7), Some((1025, -1)));
        assert_eq!(sessions(text, 6), None);
    }
}
