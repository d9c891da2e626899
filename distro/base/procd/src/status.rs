//! /proc/PID/status.

use crate::process::{PAGE, View};
use std::fmt::Write;

/// Capabilities there are: CAP_CHECKPOINT_RESTORE is the last (Linux 6.1).
pub const LAST_CAPABILITY: u32 = 40;

/// The word behind a state's letter.
fn state_word(state: char) -> &'static str {
    match state {
        'R' => "running",
        'T' => "stopped",
        'Z' => "zombie",
        _ => "sleeping",
    }
}

/// A mask of CPUs as a list: `0-3,5`.
pub fn cpu_list(mask: u64) -> String {
    let mut out = String::new();
    let mut cpu = 0;
    while cpu < 64 {
        if mask >> cpu & 1 == 0 {
            cpu += 1;
            continue;
        }
        let run = (mask >> cpu).trailing_ones();
        if !out.is_empty() {
            out.push(',');
        }
        let _ = if run == 1 { write!(out, "{cpu}") } else { write!(out, "{cpu}-{}", cpu + run - 1) };
        cpu += run;
    }
    out
}

/// A name as Linux shows it: backslashes and newlines escaped.
fn shown(name: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'\n' => b"\\n".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        other => vec![*other],
    };
    name.iter().flat_map(escape).collect()
}

/// The text. What is not counted (peaks, page faults, context switches by process) is told as the present value, or as 0.
pub fn status(view: &View) -> Vec<u8> {
    let f = &view.figures;
    let id = view.place.id();
    let mut text = b"Name:\t".to_vec();
    text.extend(shown(&view.name()));
    let mut out = String::new();
    let state = view.state();
    let _ = writeln!(out, "\nUmask:\t{:04o}", f.number("umask"));
    let _ = writeln!(out, "State:\t{state} ({})", state_word(state));
    let _ = writeln!(out, "Tgid:\t{}\nNgid:\t0\nPid:\t{id}", view.place.pid);
    let _ = writeln!(out, "PPid:\t{}\nTracerPid:\t0", f.number("ppid"));
    for (name, real, effective, saved) in [("Uid", "ruid", "euid", "suid"), ("Gid", "rgid", "egid", "sgid")] {
        let effective = f.number(effective);
        let _ = writeln!(out, "{name}:\t{}\t{effective}\t{}\t{effective}", f.number(real), f.number(saved));
    }
    // Linux's table grows in steps from 64.
    let _ = writeln!(out, "FDSize:\t{}", f.number("fds").next_power_of_two().max(64));
    let groups: String = f.text("groups").split(' ').filter(|id| !id.is_empty()).map(|id| format!("{id} ")).collect();
    let _ = writeln!(out, "Groups:\t{groups}");
    let _ = writeln!(out, "NStgid:\t{}\nNSpid:\t{id}", view.place.pid);
    let _ = writeln!(out, "NSpgid:\t{}\nNSsid:\t{}", f.number("pgid"), f.number("sid"));
    if state != 'Z' {
        memory(view, &mut out);
    }
    let _ = writeln!(out, "Threads:\t{}", f.number("threads").max(1));
    let _ = writeln!(out, "SigQ:\t0/1024");
    for (name, figure) in [
        ("SigPnd", "pending"),
        ("ShdPnd", "process_pending"),
        ("SigBlk", "blocked"),
        ("SigIgn", "ignored"),
        ("SigCgt", "caught"),
    ] {
        let _ = writeln!(out, "{name}:\t{:016x}", f.number(figure));
    }
    let all = (1u64 << (LAST_CAPABILITY + 1)) - 1;
    let held = if f.number("euid") == 0 { all } else { 0 };
    for (name, set) in [("CapInh", 0), ("CapPrm", held), ("CapEff", held), ("CapBnd", all), ("CapAmb", 0)] {
        let _ = writeln!(out, "{name}:\t{set:016x}");
    }
    let _ = writeln!(out, "NoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0", f.number("no_new_privs"));
    let cpus = f.number("affinity");
    let _ = writeln!(out, "Cpus_allowed:\t{cpus:x}\nCpus_allowed_list:\t{}", cpu_list(cpus));
    let _ = writeln!(out, "Mems_allowed:\t1\nMems_allowed_list:\t0");
    let _ = writeln!(out, "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0");
    text.extend_from_slice(out.as_bytes());
    text
}

fn memory(view: &View, out: &mut String) {
    let f = &view.figures;
    let sizes = view.sizes();
    let bytes = |pages: u64| pages * PAGE;
    let (size, resident) = (bytes(f.number("virtual_pages")), bytes(f.number("resident_pages")));
    let private = bytes(f.number("charged_pages")).min(resident);
    for (name, amount) in [
        ("VmPeak", size),
        ("VmSize", size),
        ("VmLck", 0),
        ("VmPin", 0),
        ("VmHWM", resident),
        ("VmRSS", resident),
        ("RssAnon", private),
        ("RssFile", resident - private),
        ("RssShmem", 0),
        ("VmData", sizes.data),
        ("VmStk", sizes.stack),
        ("VmExe", sizes.text),
        ("VmLib", sizes.library),
        ("VmSwap", 0),
    ] {
        let _ = writeln!(out, "{name}:\t{:8} kB", amount / 1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpu_list(0), "");
        assert_eq!(cpu_list(1), "0");
        assert_eq!(cpu_list(0b101111), "0-3,5");
        assert_eq!(cpu_list(u64::MAX), "0-63");
    }
}
