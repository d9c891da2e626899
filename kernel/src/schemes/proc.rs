//! `/scheme/proc/PID/{status,maps,threads,name,limits,fds}`: processes as text. Others' maps and descriptors need the same user or
//! RIGHT_KILL (EACCES).

use super::text::{Directory, Text};
use super::{KernelScheme, components, number, sys};
use crate::file::Object;
use crate::process::{self, Process};
use crate::thread::Thread;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use ochre_abi::memory::{PROT_EXEC, PROT_READ, PROT_WRITE};
use ochre_abi::process::*;
use ochre_abi::{Errno, Result};

const FILES: &[&str] = &["status", "maps", "threads", "name", "limits", "fds"];

/// The scheme.
pub struct Proc;

impl KernelScheme for Proc {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let parts: Vec<&[u8]> = components(path).collect();
        let Some(pid) = parts.first() else {
            let pids = process::all().into_iter().map(|process| (format!("{}", process.pid), true));
            return Directory::open(flags, pids);
        };
        let process = match *pid {
            b"self" => me.process.clone(),
            pid => {
                let pid = number(pid).and_then(|pid| u32::try_from(pid).ok()).ok_or(Errno::ENOENT)?;
                process::find(pid).map_err(|_| Errno::ENOENT)?
            }
        };
        let private = || {
            let allowed = Arc::ptr_eq(&process, &me.process)
                || process.credentials().euid == me.process.credentials().euid
                || me.process.has_right(RIGHT_KILL);
            if allowed { Ok(()) } else { Err(Errno::EACCES) }
        };
        match parts[1..] {
            [] => Directory::of_files(flags, FILES),
            [b"status"] => Text::open(flags, |text| status(&process, text)),
            [b"threads"] => Text::open(flags, |text| {
                process.threads().iter().for_each(|thread| sys::thread(thread, text));
            }),
            [b"name"] => Text::open(flags, |text| {
                text.push_str(&sys::process_name(&process));
                text.push('\n');
            }),
            [b"limits"] => Text::open(flags, |text| limits(&process, text)),
            [b"maps"] => private().and_then(|()| Text::open(flags, |text| maps(&process, text))),
            [b"fds"] => private().and_then(|()| Text::open(flags, |text| descriptors(&process, text))),
            _ => Err(Errno::ENOENT),
        }
    }
}

/// `name value` lines. Writing to a string cannot fail.
fn status(process: &Arc<Process>, text: &mut String) {
    let ids = process.credentials();
    let usage = process.space().usage();
    let lines: [(&str, u64); 17] = [
        ("pid", process.pid.into()),
        ("ppid", process.ppid().into()),
        ("pgid", process.pgid().into()),
        ("sid", process.sid().into()),
        ("ruid", ids.ruid.into()),
        ("euid", ids.euid.into()),
        ("suid", ids.suid.into()),
        ("rgid", ids.rgid.into()),
        ("egid", ids.egid.into()),
        ("sgid", ids.sgid.into()),
        ("rights", process.rights()),
        ("threads", process.threads().len() as u64),
        ("fds", process.with_handles(|table| table.used()) as u64),
        ("virtual_pages", usage.virtual_pages as u64),
        ("resident_pages", usage.resident_pages as u64),
        ("charged_pages", usage.charged_pages as u64),
        ("run_ns", process.run_ns()),
    ];
    let _ = writeln!(text, "name {}\nstate {}", sys::process_name(process), process.state_letter());
    for (name, value) in lines {
        let _ = writeln!(text, "{name} {value}");
    }
}

/// As Linux's /proc/PID/maps, with the memory object's id where the inode stands.
fn maps(process: &Process, text: &mut String) {
    process.space().areas(&mut |area| {
        let flag = |bit, letter| if area.prot & bit != 0 { letter } else { '-' };
        let _ = write!(
            text,
            "{:x}-{:x} {}{}{}{} {:08x} 00:00 {}",
            area.start,
            area.end,
            flag(PROT_READ, 'r'),
            flag(PROT_WRITE, 'w'),
            flag(PROT_EXEC, 'x'),
            if area.shared { 's' } else { 'p' },
            area.offset,
            area.object
        );
        match &area.path {
            Some(path) => {
                let _ = write!(text, " {}", path.escape_ascii());
            }
            None if area.kernel => text.push_str(" [kernel]"),
            None => {}
        }
        text.push('\n');
    });
}

fn descriptors(process: &Process, text: &mut String) {
    let files: Vec<_> = process
        .with_handles(|table| table.iter().map(|(fd, entry)| (fd, entry.close_on_exec, entry.file.clone())).collect());
    for (fd, cloexec, file) in files {
        let _ = write!(text, "{fd} {} flags {:o}", file.object.kind(), file.flags());
        if cloexec {
            text.push_str(" cloexec");
        }
        if let Some(path) = file.path() {
            let _ = write!(text, " {}", path.escape_ascii());
        }
        text.push('\n');
    }
}

fn limits(process: &Process, text: &mut String) {
    let names = [
        ("data", RLIMIT_DATA),
        ("stack", RLIMIT_STACK),
        ("core", RLIMIT_CORE),
        ("processes", RLIMIT_NPROC),
        ("descriptors", RLIMIT_NOFILE),
        ("address_space", RLIMIT_AS),
        ("resident", RLIMIT_RESIDENT),
        ("threads", RLIMIT_THREADS),
    ];
    for (name, resource) in names {
        let _ = match process.limit(resource as usize) {
            RLIM_INFINITY => writeln!(text, "{name} unlimited"),
            limit => writeln!(text, "{name} {limit}"),
        };
    }
}
