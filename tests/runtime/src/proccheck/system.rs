//! /proc itself: what the system is.

use runtime_tests::{Result, checks, ensure, same};
use std::fs;
use std::io::Read;
use std::time::Duration;

checks!("system": memory, processors, times, names, random, restarted);

/// A figure of meminfo, in KiB.
fn kib(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or(format!("no {name}"))?;
    Ok(value.parse()?)
}

fn memory() -> Result {
    let text = fs::read_to_string("/proc/meminfo")?;
    let (total, free, available) = (kib(&text, "MemTotal")?, kib(&text, "MemFree")?, kib(&text, "MemAvailable")?);
    ensure!(total > free && free > 0 && available > 0 && available <= total);
    kib(&text, "SwapTotal")?;
    Ok(())
}

fn processors() -> Result {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let stat = fs::read_to_string("/proc/stat")?;
    let count = info.lines().filter(|line| line.starts_with("processor\t: ")).count();
    let rows = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    same!(count, rows);
    ensure!(count >= std::thread::available_parallelism()?.get());
    ensure!(info.lines().any(|line| line.starts_with("flags\t\t: ") && line.contains(" sse2 ")));
    for name in ["ctxt", "btime", "processes", "procs_running"] {
        ensure!(stat.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '))));
    }
    same!(stat.lines().next().map_or(0, |line| line.split_ascii_whitespace().count()), 11);
    Ok(())
}

fn times() -> Result {
    let up = || -> Result<f64> {
        let text = fs::read_to_string("/proc/uptime")?;
        Ok(text.split(' ').next().unwrap_or("").parse()?)
    };
    let before = up()?;
    std::thread::sleep(Duration::from_millis(50));
    let after = up()?;
    ensure!(after - before >= 0.04);
    let load = fs::read_to_string("/proc/loadavg")?;
    let words: Vec<&str> = load.split_ascii_whitespace().collect();
    same!(words.len(), 5);
    ensure!(words[..3].iter().all(|word| word.parse::<f64>().is_ok()));
    ensure!(words[3].split_once('/').is_some_and(|(_, all)| all.parse::<u32>().is_ok_and(|all| all >= 1)));
    Ok(())
}

fn names() -> Result {
    same!(fs::read_to_string("/proc/sys/kernel/ostype")?, "Linux\n");
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    ensure!(fs::read_to_string("/proc/version")?.starts_with(&format!("Linux version {} (", release.trim())));
    ensure!(fs::read_to_string("/proc/sys/kernel/pid_max")?.trim().parse::<u32>()? >= 32_768);
    ensure!(fs::read_to_string("/proc/filesystems")?.contains("nodev\tproc\n"));
    ensure!(fs::read_to_string("/proc/mounts")?.lines().any(|line| line.starts_with("proc /proc proc ")));
    ensure!(fs::read_to_string("/proc/self/mountinfo")?.lines().any(|line| line.contains(" /proc ")));
    ensure!(!fs::read_to_string("/proc/sys/kernel/hostname")?.trim().is_empty());
    Ok(())
}

fn random() -> Result {
    let uuid = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/random/{name}"));
    let (one, two) = (uuid("uuid")?, uuid("uuid")?);
    same!((one.len(), &one[14..15]), (37, "4"));
    ensure!(one != two);
    same!(uuid("boot_id")?, uuid("boot_id")?);
    Ok(())
}

/// On Ochre: the server of /proc is killed, and nothing is lost.
fn restarted() -> Result {
    if fs::metadata("/scheme/sys").is_err() {
        return Ok(());
    }
    let before = (fs::read("/proc/self/cmdline")?, fs::read("/proc/sys/kernel/random/boot_id")?);
    let mut open = fs::File::open("/proc/self/comm")?;
    let server = fs::read_dir("/proc")?
        .flatten()
        .find(|entry| fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name == "procd\n"))
        .ok_or("procd does not run")?;
    let pid: i32 = server.file_name().to_string_lossy().parse()?;
    runtime_tests::sys::kill(pid, libc::SIGKILL)?;
    while open.read(&mut [0; 16]).is_ok() {
        open = match fs::File::open("/proc/self/comm") {
            Ok(file) if fs::metadata(format!("/proc/{pid}")).is_ok() => file,
            _ => break,
        };
    }
    // What the killed server still opened answers no more (EIO); what the next one opens does.
    let after = loop {
        match (fs::read("/proc/self/cmdline"), fs::read("/proc/sys/kernel/random/boot_id")) {
            (Err(error), _) | (_, Err(error)) if error.raw_os_error() == Some(libc::EIO) => continue,
            (cmdline, boot_id) => break (cmdline?, boot_id?),
        }
    };
    same!(after, before);
    ensure!(fs::metadata(format!("/proc/{pid}")).is_err());
    Ok(())
}
