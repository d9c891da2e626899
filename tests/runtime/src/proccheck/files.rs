//! /proc/PID: what a process is.

use runtime_tests::sys;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, Stdio};

checks!("files": stat, status, memory, arguments, name, limits, maps, auxv, others, threads, gone, twice, listing);

/// A child of this program that waits, with these arguments after its name; ended by [`end`].
fn waiting(extra: &[&str]) -> Result<Child> {
    let program = std::env::current_exe()?;
    let child =
        Command::new(program).arg("--wait").args(extra).env("PROC_CHECK", "a b").stdin(Stdio::piped()).spawn()?;
    Ok(child)
}

fn end(mut child: Child) -> Result {
    drop(child.stdin.take());
    ensure!(child.wait()?.success());
    Ok(())
}

/// The fields of stat from the third on; field N of proc(5) is at N − 3.
fn fields(pid: &str) -> Result<Vec<i64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(") ").ok_or("no name")?.1;
    Ok(rest
        .split_ascii_whitespace()
        .skip(1)
        .map(|word| word.parse::<u64>().map_or_else(|_| word.parse().unwrap_or(0), |n| n as i64))
        .collect())
}

fn stat() -> Result {
    let text = fs::read_to_string("/proc/self/stat")?;
    ensure!(text.starts_with(&format!("{} (proccheck) R ", std::process::id())));
    same!(text.split(' ').count(), 52);
    ensure!(text.ends_with('\n'));
    let own = fields("self")?;
    same!(own[0], i64::from(std::os::unix::process::parent_id()));
    same!((own[1], own[2]), (i64::from(sys::pgid(0)?), i64::from(sys::sid(0)?)));
    // Field 20: threads; 18 and 19: priority and nice value.
    same!((own[16], own[14], own[15]), (1, 20, 0));
    let thread = std::thread::spawn(|| fields("self"));
    let two = thread.join().map_err(|_| "a thread panicked")??;
    same!(two[16], 2);
    Ok(())
}

/// A value of status by its name.
fn value(pid: u32, name: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    Ok(line.ok_or(format!("no {name}"))?.to_owned())
}

fn status() -> Result {
    let child = waiting(&[])?;
    let pid = child.id();
    same!(value(pid, "Name")?, "proccheck");
    same!(value(pid, "PPid")?, std::process::id().to_string());
    same!((value(pid, "Tgid")?, value(pid, "Pid")?), (pid.to_string(), pid.to_string()));
    let ids = format!("{0}\t{0}\t{0}\t{0}", sys::user());
    same!(value(pid, "Uid")?, ids);
    same!(value(pid, "Threads")?, "1");
    ensure!(value(pid, "VmRSS")?.ends_with(" kB"));
    sys::kill(pid as i32, libc::SIGSTOP)?;
    same!(sys::wait(pid as i32, libc::WUNTRACED)?, sys::Ended::Stopped(libc::SIGSTOP));
    same!(value(pid, "State")?, "T (stopped)");
    sys::kill(pid as i32, libc::SIGCONT)?;
    end(child)
}

fn memory() -> Result {
    let pages =
        |text: String| -> Vec<u64> { text.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0)).collect() };
    let before = pages(fs::read_to_string("/proc/self/statm")?);
    same!(before.len(), 7);
    let block = std::hint::black_box(vec![1u8; 16 << 20]);
    let after = pages(fs::read_to_string("/proc/self/statm")?);
    ensure!(after[0] >= before[0] + 4096);
    ensure!(after[1] >= before[1] + 4096);
    ensure!(before[1] <= before[0] && before[2] <= before[1]);
    drop(block);
    Ok(())
}

fn arguments() -> Result {
    let child = waiting(&["one", "", "two words"])?;
    let pid = child.id();
    // On Linux exec lets the parent go on a little before the new stack is there.
    let line = loop {
        let line = fs::read(format!("/proc/{pid}/cmdline"))?;
        if !line.is_empty() {
            break line;
        }
        std::thread::yield_now();
    };
    let words: Vec<&[u8]> = line.strip_suffix(b"\0").ok_or("no NUL at the end")?.split(|byte| *byte == 0).collect();
    same!(words[1..], [&b"--wait"[..], b"one", b"", b"two words"]);
    let environment = fs::read(format!("/proc/{pid}/environ"))?;
    ensure!(environment.split(|byte| *byte == 0).any(|variable| variable == b"PROC_CHECK=a b"));
    end(child)
}

fn name() -> Result {
    same!(fs::read_to_string("/proc/self/comm")?, "proccheck\n");
    fs::write("/proc/self/comm", "a new name that is long")?;
    same!(fs::read_to_string("/proc/self/comm")?, "a new name that\n");
    ensure!(fs::read_to_string("/proc/self/stat")?.contains("(a new name that) R"));
    let child = waiting(&[])?;
    // Only a process itself may: Linux says EINVAL.
    same!(errno(fs::write(format!("/proc/{}/comm", child.id()), "x")), libc::EINVAL);
    end(child)
}

fn limits() -> Result {
    let text = fs::read_to_string("/proc/self/limits")?;
    let lines: Vec<&str> = text.lines().collect();
    same!(lines.len(), 17);
    same!(lines[0], "Limit                     Soft Limit           Hard Limit           Units     ");
    ensure!(lines[8].starts_with("Max open files            ") && lines[8].ends_with("files     "));
    Ok(())
}

fn maps() -> Result {
    let text = fs::read_to_string("/proc/self/maps")?;
    let here = maps as fn() -> Result as usize;
    let local = 0u8;
    let stack = &raw const local as usize;
    let find = |address: usize| {
        text.lines().find(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
            range.is_some_and(|(start, end)| (number(start)..number(end)).contains(&address))
        })
    };
    let code = find(here).ok_or("this code is not there")?;
    ensure!(code.contains(" r-xp ") && code.ends_with("/proccheck"));
    same!(code.find('/'), Some(73));
    ensure!(find(stack).ok_or("the stack is not there")?.ends_with("[stack]"));
    Ok(())
}

fn auxv() -> Result {
    let bytes = fs::read("/proc/self/auxv")?;
    let words: Vec<u64> =
        bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default())).collect();
    let find = |kind: u64| words.chunks_exact(2).find(|pair| pair[0] == kind).map(|pair| pair[1]);
    same!((find(6), find(17), find(3).is_some()), (Some(4096), Some(100), true));
    same!(words[words.len() - 2], 0);
    Ok(())
}

/// Who may look into whose process.
fn others() -> Result {
    if sys::user() != 0 {
        return Ok(());
    }
    let child = waiting(&[])?;
    let pid = child.id();
    sys::as_user(1234, || {
        for name in ["environ", "maps", "auxv", "fd", "mem"] {
            same!((name, errno(fs::File::open(format!("/proc/{pid}/{name}")))), (name, libc::EACCES));
        }
        same!(errno(fs::read_link(format!("/proc/{pid}/exe"))), libc::EACCES);
        same!(errno(fs::read_link(format!("/proc/{pid}/cwd"))), libc::EACCES);
        for name in ["stat", "statm", "status", "cmdline", "comm", "limits", "mounts"] {
            ensure!(!fs::read(format!("/proc/{pid}/{name}"))?.is_empty());
        }
        same!(value(std::process::id(), "Uid")?, "1234\t1234\t1234\t1234");
        Ok(())
    })?;
    end(child)
}

fn threads() -> Result {
    let (wake, wait) = std::sync::mpsc::channel::<()>();
    let (told, tell) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("second".into()).spawn(move || {
        let id = fs::read_link("/proc/thread-self");
        let name = fs::read_to_string("/proc/thread-self/comm");
        let _ = told.send((id, name));
        let _ = wait.recv();
    })?;
    let (id, name) = tell.recv()?;
    let id = id?.to_string_lossy().into_owned();
    let tid = id.strip_prefix(&format!("{}/task/", std::process::id())).ok_or("a link elsewhere")?.to_owned();
    same!(name?, "second\n");
    let names: Vec<String> = fs::read_dir("/proc/self/task")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    same!(names, [std::process::id().to_string(), tid.clone()]);
    let text = fs::read_to_string(format!("/proc/self/task/{tid}/status"))?;
    ensure!(text.contains(&format!("\nTgid:\t{}\n", std::process::id())) && text.contains(&format!("\nPid:\t{tid}\n")));
    drop(wake);
    thread.join().map_err(|_| "the thread panicked")?;
    // The thread is joined a little before the system is done with it.
    while errno(fs::metadata(format!("/proc/self/task/{tid}"))) != libc::ENOENT {
        std::thread::yield_now();
    }
    Ok(())
}

/// A process that ends while it is looked at; a zombie.
fn gone() -> Result {
    let mut child = waiting(&[])?;
    let pid = child.id();
    let mut open = fs::File::open(format!("/proc/{pid}/stat"))?;
    child.kill()?;
    let zombie = loop {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        if text.contains(") Z ") {
            break text;
        }
        std::thread::yield_now();
    };
    ensure!(zombie.starts_with(&format!("{pid} (proccheck) Z ")));
    same!(fs::read(format!("/proc/{pid}/cmdline"))?.len(), 0);
    child.wait()?;
    same!(errno(open.read_to_string(&mut String::new())), libc::ESRCH);
    same!(errno(fs::metadata(format!("/proc/{pid}"))), libc::ENOENT);
    Ok(())
}

/// A file that is read again from its start shows how things are now.
fn twice() -> Result {
    let mut file = fs::OpenOptions::new().read(true).write(true).open("/proc/self/comm")?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    same!(text, "proccheck\n");
    file.write_all(b"other")?;
    file.rewind()?;
    text.clear();
    file.read_to_string(&mut text)?;
    same!(text, "other\n");
    Ok(())
}

fn listing() -> Result {
    let mut names = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == std::process::id().to_string() {
            ensure!(entry.file_type()?.is_dir());
        }
        names.push(name);
    }
    for name in ["self", "stat", "meminfo", "1", &std::process::id().to_string()] {
        ensure!(names.iter().filter(|own| *own == name).count() == 1);
    }
    let meta = fs::metadata("/proc/self/stat")?;
    ensure!(meta.is_file() && meta.len() == 0);
    same!(errno(fs::write("/proc/stat", "x")), if sys::user() == 0 { libc::EIO } else { libc::EACCES });
    same!(errno(fs::create_dir("/proc/x")), libc::ENOENT);
    same!(errno(fs::File::create("/proc/nothing")), libc::ENOENT);
    Ok(())
}
