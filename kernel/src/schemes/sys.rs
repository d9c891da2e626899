//! `/scheme/sys`: the state of the system as text, for people and for programs that debug and measure.

use super::kmsg::Kmsg;
use super::text::{Directory, Text};
use super::{KernelScheme, SCHEMES, components};
use crate::file::Object;
use crate::process::{self, Process};
use crate::thread::Thread;
use crate::{log, namespace, stats};
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;
use hal::{BootInfo, Once, cpu};
use ochre_abi::process::RIGHT_DEVICE;
use ochre_abi::syscall::{BASE, NAMES};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

static BOOT: Once<&'static BootInfo> = Once::new();

/// Keeps what the loader told.
pub fn init(info: &'static BootInfo) {
    // Called once.
    let _ = BOOT.set(info);
}

/// The files, and who writes them.
const FILES: &[(&str, fn(&mut String))] = &[
    ("boot", boot),
    ("cmdline", cmdline),
    ("context", threads),
    ("counters", totals),
    ("cpu", cpus),
    ("hostname", hostname),
    ("memory", memory),
    ("process", processes),
    ("scheme", schemes),
    ("stat", counters),
    ("syscall", syscalls),
    ("thread", threads),
    ("trace", trace),
    ("uname", uname),
];

/// The scheme.
pub struct Sys;

impl KernelScheme for Sys {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        match path {
            _ if path.starts_with(b"acpi") => acpi(me, path, flags),
            b"" => Directory::open(
                flags,
                FILES.iter().map(|(name, _)| (String::from(*name), false)).chain([
                    ("kmsg".into(), false),
                    ("log".into(), false),
                    ("acpi".into(), true),
                ]),
            ),
            b"kmsg" => Kmsg::open(me, flags),
            b"log" => Text::of(flags, log::snapshot),
            _ => {
                let (_, write) = FILES.iter().find(|(name, _)| name.as_bytes() == path).ok_or(Errno::ENOENT)?;
                Text::open(flags, write)
            }
        }
    }
}

/// `acpi`: the firmware's tables by signature and number (`MCFG0`, `SSDT0`, `SSDT1`), as they are in memory. Needs RIGHT_DEVICE.
fn acpi(me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
    me.process.need_right(RIGHT_DEVICE)?;
    let mut parts = components(path);
    let (Some(b"acpi"), name, None) = (parts.next(), parts.next(), parts.next()) else { return Err(Errno::ENOENT) };
    let tables = hal::acpi::tables();
    let mut named = tables.iter().enumerate().map(|(n, table)| {
        let before = tables[..n].iter().filter(|other| other.signature == table.signature).count();
        (alloc::format!("{}{before}", table.signature.escape_ascii()), table)
    });
    match name {
        None => Directory::open(flags, named.map(|(name, _)| (name, false))),
        Some(wanted) => {
            let (_, table) = named.find(|(name, _)| name.as_bytes() == wanted).ok_or(Errno::ENOENT)?;
            Text::of(flags, || table.bytes())
        }
    }
}

// Writing to a String cannot fail, so the results below are of no interest.

fn cmdline(text: &mut String) {
    let _ = writeln!(text, "{}", BOOT.get().map_or("", |info| info.cmdline));
}

/// Loader, memory map, framebuffer and where ACPI's tables are.
fn boot(text: &mut String) {
    let Some(info) = BOOT.get() else { return };
    let _ = writeln!(text, "loader {}", info.loader);
    if let Some(rsdp) = info.rsdp {
        let _ = writeln!(text, "rsdp {rsdp:#x}");
    }
    for region in info.memory {
        let end = region.range.start + region.range.len;
        let _ = writeln!(text, "memory {:#x} {:#x} {:?}", region.range.start, end, region.kind);
    }
    if let Some(f) = &info.framebuffer {
        let _ = writeln!(text, "framebuffer {:#x} {} {} {} {}", f.phys, f.width, f.height, f.pitch, f.bpp);
        for (name, (position, size)) in [("red", f.red), ("green", f.green), ("blue", f.blue)] {
            let _ = writeln!(text, "framebuffer_{name} {position} {size}");
        }
    }
}

fn hostname(text: &mut String) {
    let _ = writeln!(text, "{}", String::from_utf8_lossy(&crate::power::host_name()));
}

fn uname(text: &mut String) {
    let _ = writeln!(text, "Ochre\n{}\nx86_64", env!("CARGO_PKG_VERSION"));
}

/// `total_frames N`, `free_frames N`, `kernel_heap_bytes N` and so on; frames are of 4,096 bytes, also those of `peak_used`, the greatest
/// number that was not free since boot. `cached_frames` are pages of files that a pager supplies, `dirty_frames` those of them that it has
/// not taken since they were written, `reclaimed_frames` counts those that were dropped because memory was short.
pub fn memory(text: &mut String) {
    let memory = hal::mem::stats();
    let _ = writeln!(text, "total_frames {}", memory.total_frames);
    let _ = writeln!(text, "free_frames {}", memory.free_frames);
    let _ = writeln!(text, "kernel_heap_bytes {}", memory.kernel_heap_bytes);
    let _ = writeln!(text, "reserve_frames {}", hal::mem::reserve_frames());
    let _ = writeln!(text, "peak_used {}", hal::mem::peak_used_frames());
    let _ = writeln!(text, "cached_frames {}", crate::mm::reclaim::cached());
    let _ = writeln!(text, "dirty_frames {}", crate::mm::dirty::total());
    let reclaimed: u64 = (0..cpu::count()).map(|n| stats::of(n).reclaims.load(Relaxed)).sum();
    let _ = writeln!(text, "reclaimed_frames {reclaimed}");
}

/// The name of a process: its first thread's, or that of the last one that it had.
pub fn process_name(process: &Process) -> String {
    process.threads().first().map_or_else(|| shown(process.last_name()), |thread| thread_name(thread))
}

fn thread_name(thread: &Thread) -> String {
    shown(thread.name())
}

fn shown(name: [u8; 16]) -> String {
    let len = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    alloc::format!("{}", name[..len].escape_ascii())
}

fn processes(text: &mut String) {
    let _ = writeln!(text, "pid ppid pgid sid state threads uid resident_pages run_ns name");
    for p in process::all() {
        let _ = writeln!(
            text,
            "{} {} {} {} {} {} {} {} {} {}",
            p.pid,
            p.ppid(),
            p.pgid(),
            p.sid(),
            p.state_letter(),
            p.threads().len(),
            p.credentials().euid,
            p.space().usage().resident_pages,
            p.run_ns(),
            process_name(&p)
        );
    }
}

fn threads(text: &mut String) {
    let _ = writeln!(text, "pid tid state priority cpu run_ns syscall name");
    for process in process::all() {
        for one in process.threads() {
            thread(&one, text);
        }
    }
}

/// A thread's line: the syscall is what it waits in, `-` in user mode.
pub fn thread(thread: &Thread, text: &mut String) {
    let _ = writeln!(
        text,
        "{} {} {} {} {} {} {} {}",
        thread.process.pid,
        thread.tid,
        thread.sched.name(),
        thread.sched.priority.load(Relaxed),
        thread.sched.cpu.load(Relaxed),
        thread.sched.run_ns.load(Relaxed),
        syscall_name(thread.in_syscall.load(Relaxed)),
        thread_name(thread)
    );
}

fn syscall_name(number: u64) -> &'static str {
    match NAMES.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => name,
        None if number >= BASE => "?",
        None => "-",
    }
}

/// Threads that are in a syscall, by syscall.
fn trace(text: &mut String) {
    for process in process::all() {
        for one in process.threads() {
            let number = one.in_syscall.load(Relaxed);
            if number != 0 {
                let _ = writeln!(text, "{} {} {}", process.pid, one.tid, syscall_name(number));
            }
        }
    }
}

fn syscalls(text: &mut String) {
    for (number, name) in NAMES {
        let _ = writeln!(text, "{number} {name}");
    }
}

fn cpus(text: &mut String) {
    let features = cpu::features();
    let _ = writeln!(text, "count {}", cpu::count());
    for (name, has) in [
        ("pcid", features.has_pcid),
        ("fsgsbase", features.has_fsgsbase),
        ("smep", features.has_smep),
        ("smap", features.has_smap),
        ("umip", features.has_umip),
        ("xsave", features.has_xsave),
        ("xsaveopt", features.has_xsaveopt),
    ] {
        let _ = writeln!(text, "{name} {}", u8::from(has));
    }
    let _ = writeln!(text, "xsave_size {}", features.xsave_size);
}

/// The names of one CPU's counters, and their values.
fn counters_of(n: usize) -> [(&'static str, u64); 10] {
    let (hal, own) = (cpu::counters(n), stats::of(n));
    [
        ("space_switches", hal.space_switches.load(Relaxed)),
        ("tlb_flushes", hal.tlb_flushes.load(Relaxed)),
        ("ipis", hal.ipis.load(Relaxed)),
        ("context_switches", hal.context_switches.load(Relaxed)),
        ("interrupts", hal.interrupts.load(Relaxed)),
        ("bytes_copied", own.bytes_copied.load(Relaxed)),
        ("syscalls", own.syscalls.load(Relaxed)),
        ("faults", own.faults.load(Relaxed)),
        ("page_ins", own.page_ins.load(Relaxed)),
        ("reclaims", own.reclaims.load(Relaxed)),
    ]
}

/// `name value` lines: what a benchmark shows beside a row, summed over all CPUs.
fn totals(text: &mut String) {
    let mut totals = counters_of(0);
    for one in (1..cpu::count()).map(counters_of) {
        for (total, (_, value)) in totals.iter_mut().zip(one) {
            total.1 = total.1.wrapping_add(value);
        }
    }
    for (name, value) in totals {
        let _ = writeln!(text, "{name} {value}");
    }
}

/// `name value` lines: totals first, then `cpuN.name value`.
fn counters(text: &mut String) {
    let all = process::all();
    let running = crate::sched::runnable();
    let _ = writeln!(text, "uptime_ns {}", hal::time::now());
    let _ = writeln!(text, "realtime_ns {}", hal::time::now().wrapping_add(crate::mm::time_page::realtime_offset()));
    let _ = writeln!(text, "run_ns {}", process::total_run_ns());
    let _ = writeln!(text, "cpus {}", cpu::count());
    let _ = writeln!(text, "processes {}", all.len());
    let _ = writeln!(text, "threads {}", all.iter().map(|process| process.threads().len()).sum::<usize>());
    let _ = writeln!(text, "running {running}");
    let _ = writeln!(text, "forks {}", process::made());
    let _ = writeln!(text, "last_pid {}", process::last_id());
    for (minutes, average) in ["load_1", "load_5", "load_15"].into_iter().zip(crate::load::averages()) {
        let _ = writeln!(text, "{minutes} {average}");
    }
    totals(text);
    for (n, one) in (0..cpu::count()).map(counters_of).enumerate() {
        for (name, value) in one {
            let _ = writeln!(text, "cpu{n}.{name} {value}");
        }
    }
}

/// Scheme, state, calls, mean latency, and how many calls took less than 1, 2, 4 … µs each.
fn schemes(text: &mut String) {
    let _ = writeln!(text, "name state calls mean_ns histogram_us_powers_of_two");
    for (name, _) in SCHEMES {
        let _ = writeln!(text, "{} kernel 0 0", name.escape_ascii());
    }
    for entry in namespace::schemes() {
        let state = if entry.is_reserved() { "reserved" } else { "free" };
        let _ = write!(text, "{} ", entry.name.escape_ascii());
        let Some(port) = entry.current_port() else {
            let _ = writeln!(text, "{state} 0 0");
            continue;
        };
        let calls = port.calls.load(Relaxed);
        let state = if port.is_waiting() { "waiting" } else { "served" };
        let _ = write!(text, "{state} {calls} {}", port.latency_ns.load(Relaxed) / calls.max(1));
        for bucket in &port.histogram {
            let _ = write!(text, " {}", bucket.load(Relaxed));
        }
        text.push('\n');
    }
}
