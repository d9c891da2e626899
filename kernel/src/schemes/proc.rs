//! `/scheme/proc/PID/…`: processes as text, from which the server procd makes /proc. Others' memory, descriptors and what they were
//! started with need the same user or RIGHT_KILL (EACCES).
//!
//! | file | holds |
//! |---|---|
//! | `status` | `name value` lines |
//! | `threads` | a line a thread, as in `/scheme/sys/thread` |
//! | `name` | the first thread's name; may be written |
//! | `limits` | `NUMBER SOFT HARD` lines, by Linux's resource numbers |
//! | `maps` | as Linux's |
//! | `fds` | `FD KIND FLAGS POSITION INODE PATH` lines, flags octal, `-` for no path |
//! | `fd/N` | opens what descriptor N refers to, with a position of its own |
//! | `exe`, `cwd` | paths, without a newline; empty if there is none |
//! | `args`, `env`, `auxv` | what exec was given, as it is in memory now |
//! | `mem` | the memory, by address |

use super::text::{Directory, Text};
use super::{KernelScheme, components, kept_flags, number, sys};
use crate::file::{File, Object};
use crate::io::anonymous_stat;
use crate::namespace::Target;
use crate::process::{self, Process, RESOURCES};
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user::UserSlice;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;
use ochre_abi::file::*;
use ochre_abi::memory::{PROT_EXEC, PROT_READ, PROT_WRITE};
use ochre_abi::process::*;
use ochre_abi::{Errno, Result};

const FILES: &[&str] = &[
    "status",
    "threads",
    "name",
    "limits",
    "maps",
    "fds",
    "fd",
    "exe",
    "cwd",
    "args",
    "env",
    "auxv",
    "mem",
    "namespace",
];
/// Column in which a mapping's name stands (Linux's show_map_vma).
const NAME_COLUMN: usize = 73;

/// The scheme.
pub struct Proc;

/// The process that a path names.
fn named(me: &Arc<Thread>, pid: &[u8]) -> Result<Arc<Process>> {
    if pid == b"self" {
        return Ok(me.process.clone());
    }
    let pid = number(pid).and_then(|pid| u32::try_from(pid).ok()).ok_or(Errno::ENOENT)?;
    process::find(pid).map_err(|_| Errno::ENOENT)
}

/// EACCES unless `me` may look into the process.
fn check_private(me: &Arc<Thread>, process: &Arc<Process>) -> Result<()> {
    let allowed = Arc::ptr_eq(process, &me.process)
        || process.credentials().euid == me.process.credentials().euid
        || me.process.has_right(RIGHT_KILL);
    if allowed { Ok(()) } else { Err(Errno::EACCES) }
}

impl KernelScheme for Proc {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let parts: Vec<&[u8]> = components(path).collect();
        let Some(pid) = parts.first() else {
            let pids = process::all().into_iter().map(|process| (format!("{}", process.pid), true));
            return Directory::open(flags, pids);
        };
        let process = named(me, pid)?;
        let private = || check_private(me, &process);
        let program = process.program();
        match parts[1..] {
            [] => Directory::of_files(flags, FILES),
            [b"status"] => Text::open(flags, |text| status(&process, text)),
            [b"threads"] => Text::open(flags, |text| {
                process.threads().iter().for_each(|thread| sys::thread(thread, text));
            }),
            [b"name"] if flags & O_ACCMODE != O_RDONLY => {
                private().map(|()| Arc::new(Name(process)) as Arc<dyn Object>)
            }
            [b"name"] => Text::open(flags, |text| {
                text.push_str(&sys::process_name(&process));
                text.push('\n');
            }),
            [b"namespace"] => Text::open(flags, |text| namespace(&process, text)),
            [b"limits"] => Text::open(flags, |text| limits(&process, text)),
            [b"maps"] => private().and_then(|()| Text::of(flags, || maps(&process))),
            [b"fds"] => private().and_then(|()| Text::open(flags, |text| descriptors(&process, text))),
            [b"fd"] => private().and_then(|()| Directory::open(flags, fd_names(&process).into_iter())),
            [b"fd", fd] => private().and_then(|()| Ok(descriptor(&process, fd, flags)?.object.clone())),
            [b"exe"] => private().and_then(|()| Text::of(flags, || program.path().unwrap_or(b"").to_vec())),
            [b"cwd"] => private().and_then(|()| {
                Text::of(flags, || process.cwd().and_then(|cwd| cwd.path().map(<[u8]>::to_vec)).unwrap_or_default())
            }),
            // As on Linux everybody may see the arguments.
            [b"args"] => Text::of(flags, || program.args(&process)),
            [b"env"] => private().and_then(|()| Text::of(flags, || program.env(&process))),
            [b"auxv"] => private().and_then(|()| Text::of(flags, || program.auxv(&process))),
            [b"mem"] => private().map(|()| Arc::new(Memory(process)) as Arc<dyn Object>),
            _ => Err(Errno::ENOENT),
        }
    }

    fn open_file(&self, me: &Arc<Thread>, path: &[u8], flags: u32, whole: Box<[u8]>) -> Result<Arc<File>> {
        let parts: Vec<&[u8]> = components(path).collect();
        if let [pid, b"fd", fd] = parts[..] {
            let process = named(me, pid)?;
            check_private(me, &process)?;
            let file = descriptor(&process, fd, flags)?;
            let object = file.object.clone();
            return Ok(match file.path() {
                Some(path) => File::with_path(object, kept_flags(flags), path.into()),
                None => File::new(object, kept_flags(flags)),
            });
        }
        Ok(File::with_path(self.open(me, path, flags)?, kept_flags(flags), whole))
    }
}

/// A line for each prefix of the process's namespace, shortest first: `PREFIX SCHEME/PATH`, both with odd bytes escaped.
fn namespace(process: &Process, text: &mut String) {
    let namespace = process.namespace();
    let all: Vec<_> = namespace.prefixes.iter().collect();
    for (prefix, target) in all.into_iter().rev() {
        // Writing to a String cannot fail.
        let _ = match target {
            Target::Scheme(entry, below) => {
                let slash = if below.is_empty() { "" } else { "/" };
                let (prefix, name, below) = (prefix.escape_ascii(), entry.name.escape_ascii(), below.escape_ascii());
                writeln!(text, "{prefix} {name}{slash}{below}")
            }
            Target::Schemes => writeln!(text, "{} *", prefix.escape_ascii()),
        };
    }
}

/// What descriptor `fd` refers to, for another open file. EACCES if `flags` ask for more than it was opened for: who it belongs to
/// has not been asked about that.
fn descriptor(process: &Process, fd: &[u8], flags: u32) -> Result<Arc<File>> {
    let fd = number(fd).and_then(|fd| i32::try_from(fd).ok()).ok_or(Errno::ENOENT)?;
    let file = process.file(fd).map_err(|_| Errno::ENOENT)?;
    let (reads, writes) = match flags & O_ACCMODE {
        _ if flags & O_PATH != 0 => (false, false),
        O_RDONLY => (true, false),
        O_WRONLY => (false, true),
        _ => (true, true),
    };
    if reads && !file.readable() || writes && !file.writable() { Err(Errno::EACCES) } else { Ok(file) }
}

fn fd_names(process: &Process) -> Vec<(String, bool)> {
    process
        .with_handles(|table| table.iter().map(|(fd, _)| fd).collect::<Vec<_>>())
        .into_iter()
        .map(|fd| (format!("{fd}"), false))
        .collect()
}

/// `name value` lines. Writing to a string cannot fail.
fn status(process: &Arc<Process>, text: &mut String) {
    let ids = process.credentials();
    let usage = process.space().usage();
    let threads = process.threads();
    let first = threads.first();
    let (ignored, caught) = process.signals.dispositions();
    let (nice, groups, no_new_privileges) = process.attributes(|of| (of.nice, of.groups.clone(), of.no_new_privileges));
    let lines: [(&str, u64); 32] = [
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
        ("prefixes", process.namespace().prefixes.iter().count() as u64),
        ("threads", threads.len() as u64),
        ("fds", process.with_handles(|table| table.used()) as u64),
        ("virtual_pages", usage.virtual_pages as u64),
        ("resident_pages", usage.resident_pages as u64),
        ("charged_pages", usage.charged_pages as u64),
        ("run_ns", process.run_ns()),
        ("children_ns", process.children_run_ns()),
        ("started_ns", process.started),
        ("exit_code", process.wait_status().into()),
        ("priority", first.map_or(0, |thread| thread.sched.priority.load(Relaxed)).into()),
        ("cpu", first.map_or(0, |thread| thread.sched.cpu.load(Relaxed)) as u64),
        ("affinity", first.map_or(0, |thread| crate::thread::affinity_of(thread))),
        ("pending", first.map_or(0, |thread| thread.signals.pending())),
        ("process_pending", process.signals.pending()),
        ("blocked", first.map_or(0, |thread| thread.signals.mask())),
        ("ignored", ignored),
        ("caught", caught),
        ("umask", process.signals.umask().into()),
        ("no_new_privs", no_new_privileges.into()),
        ("stack", process.program().stack_address()),
    ];
    let _ = writeln!(text, "name {}\nstate {}", sys::process_name(process), process.state_letter());
    for (name, value) in lines {
        let _ = writeln!(text, "{name} {value}");
    }
    let _ = write!(text, "nice {nice}\ngroups");
    for group in groups.iter() {
        let _ = write!(text, " {group}");
    }
    text.push('\n');
}

/// As Linux's /proc/PID/maps, with the memory object's id where the inode stands.
fn maps(process: &Process) -> Vec<u8> {
    let stack = process.program().stack_address() as usize;
    let mut text = Vec::new();
    process.space().areas(&mut |area| {
        let flag = |bit, letter| if area.prot & bit != 0 { letter } else { '-' };
        let line = format!(
            "{:08x}-{:08x} {}{}{}{} {:08x} 00:00 {} ",
            area.start,
            area.end,
            flag(PROT_READ, 'r'),
            flag(PROT_WRITE, 'w'),
            flag(PROT_EXEC, 'x'),
            if area.shared { 's' } else { 'p' },
            area.offset,
            area.object
        );
        let name: &[u8] = match &area.path {
            Some(path) => path,
            None if area.kernel => b"[kernel]",
            None if (area.start..area.end).contains(&stack) => b"[stack]",
            None => b"",
        };
        text.extend_from_slice(line.as_bytes());
        if !name.is_empty() {
            text.resize(text.len() + NAME_COLUMN.saturating_sub(line.len()), b' ');
        }
        for byte in name {
            // Linux's mangling: one mapping, one line.
            if *byte == b'\n' { text.extend_from_slice(b"\\012") } else { text.push(*byte) }
        }
        text.push(b'\n');
    });
    text
}

fn descriptors(process: &Process, text: &mut String) {
    let files: Vec<_> = process
        .with_handles(|table| table.iter().map(|(fd, entry)| (fd, entry.close_on_exec, entry.file.clone())).collect());
    for (fd, cloexec, file) in files {
        let handle = file.object::<SchemeHandle>();
        let kind = match handle {
            Some(handle) if handle.is_directory() => "folder",
            _ => file.object.kind(),
        };
        let flags = file.flags() | if cloexec { O_CLOEXEC } else { 0 };
        // A scheme's handle would have to be asked for its number; its path names it anyway.
        let inode = if handle.is_some() { 0 } else { file.object.stat(&file).map_or(0, |stat| stat.ino) };
        let _ = write!(text, "{fd} {} {flags:o} {} {inode} ", kind.replace(' ', "_"), file.position());
        let _ = match file.path() {
            Some(path) => writeln!(text, "{}", path.escape_ascii()),
            None => writeln!(text, "-"),
        };
    }
}

fn limits(process: &Process, text: &mut String) {
    for resource in 0..RESOURCES {
        let limit = process.limit_pair(resource);
        let _ = writeln!(text, "{resource} {} {}", limit.current, limit.max);
    }
}

/// Writing names the process's first thread, as /proc/PID/comm does.
struct Name(Arc<Process>);

impl Object for Name {
    fn kind(&self) -> &'static str {
        "name"
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let mut name = [0; 16];
        let len = from.len.min(name.len());
        from.copy_in(0, &mut name[..len])?;
        let name = name[..len].split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.0.threads().first().ok_or(Errno::ESRCH)?.set_name(name);
        Ok(from.len)
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(anonymous_stat(S_IFREG | 0o644, 0))
    }
}

/// A process's memory, by address.
struct Memory(Arc<Process>);

/// Bytes that go through the kernel at a time.
const PART: usize = 1024;

impl Object for Memory {
    fn kind(&self) -> &'static str {
        "process memory"
    }

    fn read(&self, _file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        let start = usize::try_from(offset.unwrap_or(0)).map_err(|_| Errno::EINVAL)?;
        let mut part = [0; PART];
        copy(to.len, |done, len| {
            let from = start.checked_add(done).ok_or(Errno::EFAULT)?;
            let seen = self.0.space().read_memory(from, &mut part[..len])?;
            to.copy_out(done, &part[..seen])?;
            Ok(seen)
        })
    }

    fn write(&self, _file: &File, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        let start = usize::try_from(offset.unwrap_or(0)).map_err(|_| Errno::EINVAL)?;
        let mut part = [0; PART];
        copy(from.len, |done, len| {
            from.copy_in(done, &mut part[..len])?;
            self.0.space().write_memory(start.checked_add(done).ok_or(Errno::EFAULT)?, &part[..len])
        })
    }

    fn seekable(&self) -> bool {
        true
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(anonymous_stat(S_IFREG | 0o600, 0))
    }
}

/// Runs `step(done, length)` until all is done or one is short. An error after the first byte is not told; EIO as Linux's.
fn copy(total: usize, mut step: impl FnMut(usize, usize) -> Result<usize>) -> Result<usize> {
    let mut done = 0;
    while done < total {
        let len = (total - done).min(PART);
        match step(done, len) {
            Ok(copied) => {
                done += copied;
                if copied < len || crate::thread::current().is_killed() {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(Errno::EFAULT) => return Err(Errno::EIO),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
