//! Texts of /proc itself.

use crate::cpu;
use crate::kernel::{self, Table};
use crate::process::{PAGE, TICK_NS};
use crate::status::LAST_CAPABILITY;
use ochre_scheme::{Errno, Result};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

const NS: u64 = 1_000_000_000;
/// What uname(2) tells (relibc's `sys::ochre::system`): programs look at it to learn what there is.
const RELEASE: &str = "6.1.0-ochre";
const VERSION: &str = "#1 Ochre";

/// The text of a file of [`crate::node::SYSTEM`].
pub fn text(path: &str) -> Result<Vec<u8>> {
    let words = |text: &str| Ok(format!("{text}\n").into_bytes());
    match path {
        "cmdline" => kernel::read("/scheme/sys/cmdline"),
        "consoles" => words("ttyS0                -W- (EC p a)    4:64"),
        "cpuinfo" => Ok(cpu::info(kernel::system()?.number("cpus"))),
        "devices" => words(&devices(
            "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:",
            &block_devices(),
        )),
        "filesystems" => words("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tdevpts\n\tredoxfs"),
        "loadavg" => Ok(loadavg(&kernel::system()?)),
        "meminfo" => Ok(meminfo(&memory()?)),
        "partitions" => Ok(partitions(&block_devices()).into_bytes()),
        "misc" | "swaps" => Ok(header(path)),
        "stat" => Ok(stat(&kernel::system()?)),
        "uptime" => Ok(uptime(&kernel::system()?)),
        "version" => words(&format!("Linux version {RELEASE} (ochre@ochre) (rustc, LLVM) {VERSION}")),
        "vmstat" => Ok(vmstat(&memory()?)),
        "sys/fs/file-max" => words(&i64::MAX.to_string()),
        "sys/fs/inotify/max_queued_events" => words("16384"),
        "sys/fs/inotify/max_user_instances" => words("128"),
        "sys/fs/inotify/max_user_watches" => words("65536"),
        "sys/fs/nr_open" | "sys/fs/pipe-max-size" => words("1048576"),
        "sys/kernel/cap_last_cap" => words(&LAST_CAPABILITY.to_string()),
        "sys/kernel/domainname" => words("(none)"),
        "sys/kernel/hostname" => hostname(),
        "sys/kernel/ngroups_max" => words("65536"),
        "sys/kernel/osrelease" => words(RELEASE),
        "sys/kernel/ostype" => words("Linux"),
        "sys/kernel/overflowgid" | "sys/kernel/overflowuid" => words("65534"),
        "sys/kernel/pid_max" => words("4194304"),
        "sys/kernel/random/boot_id" => words(&boot_id()?),
        // As Linux 5.18 and later: the pool is as full as it can be.
        "sys/kernel/random/entropy_avail" | "sys/kernel/random/poolsize" => words("256"),
        "sys/kernel/random/uuid" => words(&uuid(random()?)),
        "sys/kernel/threads-max" => words("65536"),
        "sys/kernel/version" => words(VERSION),
        "sys/vm/max_map_count" => words("65530"),
        "sys/vm/overcommit_memory" => words("0"),
        _ => Err(Errno::ENOENT),
    }
}

/// Files that hold a headline, because there is nothing of the kind.
fn header(path: &str) -> Vec<u8> {
    match path {
        "swaps" => b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_vec(),
        _ => Vec::new(),
    }
}

/// A block device as devd knows it.
struct Block {
    name: String,
    major: u32,
    minor: u32,
    /// Units of 512 bytes.
    size: u64,
}

/// The block devices by their numbers; none while devd is not there.
fn block_devices() -> Vec<Block> {
    const FOLDER: &str = "/scheme/devd/sys/class/block";
    if !kernel::served().iter().any(|name| name == "devd") {
        return Vec::new();
    }
    let block = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let text = |file: &str| std::fs::read_to_string(format!("{FOLDER}/{name}/{file}")).ok();
        let numbers = text("dev")?;
        let (major, minor) = numbers.trim_end().split_once(':')?;
        let size = text("size")?.trim_end().parse().ok()?;
        Some(Block { major: major.parse().ok()?, minor: minor.parse().ok()?, size, name: name.clone() })
    };
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut all: Vec<Block> = entries.filter_map(block).collect();
    all.sort_by_key(|block| (block.major, block.minor));
    all
}

/// /proc/partitions. Linux leaves out what has no size, such as drives without a medium.
fn partitions(blocks: &[Block]) -> String {
    let mut text = "major minor  #blocks  name\n\n".to_owned();
    for Block { name, major, minor, size } in blocks.iter().filter(|block| block.size > 0) {
        let _ = writeln!(text, "{major:4}  {minor:7} {:10} {name}", size / 2);
    }
    text
}

/// /proc/devices, from what it says of character devices.
fn devices(characters: &str, blocks: &[Block]) -> String {
    let mut text = characters.to_owned();
    let mut majors: Vec<u32> = blocks.iter().map(|block| block.major).collect();
    majors.dedup();
    for major in majors {
        let name = match major {
            8 => "sd",
            11 => "sr",
            254 => "virtblk",
            259 => "blkext",
            _ => "block",
        };
        let _ = write!(text, "\n{major:3} {name}");
    }
    text
}

fn memory() -> Result<Table> {
    kernel::read("/scheme/sys/memory").map(|text| Table::parse(&text))
}

fn hostname() -> Result<Vec<u8>> {
    kernel::read("/scheme/sys/hostname")
}

fn loadavg(f: &Table) -> Vec<u8> {
    let mut text = String::new();
    for average in ["load_1", "load_5", "load_15"].map(|name| f.number(name)) {
        let _ = write!(text, "{}.{:02} ", average / 100, average % 100);
    }
    let _ = writeln!(text, "{}/{} {}", f.number("running"), f.number("threads"), f.number("last_pid"));
    text.into_bytes()
}

fn uptime(f: &Table) -> Vec<u8> {
    let seconds = |ns: u64| format!("{}.{:02}", ns / NS, ns % NS / TICK_NS);
    format!("{} {}\n", seconds(f.number("uptime_ns")), seconds(idle_ns(f))).into_bytes()
}

/// Idle time of all CPUs together.
fn idle_ns(f: &Table) -> u64 {
    (f.number("uptime_ns") * f.number("cpus").max(1)).saturating_sub(f.number("run_ns"))
}

/// /proc/stat. Time is counted by thread, not by CPU: each CPU gets an equal part, all of it as user time.
fn stat(f: &Table) -> Vec<u8> {
    let cpus = f.number("cpus").max(1);
    let (user, idle) = (f.number("run_ns") / TICK_NS, idle_ns(f) / TICK_NS);
    let mut text = format!("cpu  {user} 0 0 {idle} 0 0 0 0 0 0\n");
    for cpu in 0..cpus {
        let _ = writeln!(text, "cpu{cpu} {} 0 0 {} 0 0 0 0 0 0", user / cpus, idle / cpus);
    }
    let boot = f.number("realtime_ns").saturating_sub(f.number("uptime_ns")) / NS;
    let _ = write!(
        text,
        "intr {}\nctxt {}\nbtime {boot}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
        f.number("interrupts"),
        f.number("context_switches"),
        f.number("forks"),
        f.number("running").max(1),
    );
    text.into_bytes()
}

fn meminfo(f: &Table) -> Vec<u8> {
    let kib = |frames: u64| frames * PAGE / 1024;
    let (total, free) = (kib(f.number("total_frames")), kib(f.number("free_frames")));
    let heap = f.number("kernel_heap_bytes") / 1024;
    let (cached, dirty) = (kib(f.number("cached_frames")), kib(f.number("dirty_frames")));
    let available = (free + cached.saturating_sub(dirty)).saturating_sub(kib(f.number("reserve_frames")));
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", available),
        ("Buffers", 0),
        ("Cached", cached),
        ("SwapCached", 0),
        ("Active", total.saturating_sub(free)),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", dirty),
        ("Writeback", 0),
        ("AnonPages", total.saturating_sub(free).saturating_sub(heap).saturating_sub(cached)),
        ("Mapped", 0),
        ("Shmem", 0),
        ("Slab", heap),
        ("SReclaimable", 0),
        ("SUnreclaim", heap),
        ("CommitLimit", total),
        ("Committed_AS", total.saturating_sub(free)),
        ("VmallocTotal", 34_359_738_367),
        ("VmallocUsed", 0),
    ];
    let mut text = String::new();
    for (name, amount) in rows {
        let _ = writeln!(text, "{:<15} {amount:8} kB", format!("{name}:"));
    }
    text.into_bytes()
}

fn vmstat(f: &Table) -> Vec<u8> {
    format!("nr_free_pages {}\n", f.number("free_frames")).into_bytes()
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    ochre_rt::syscall::entropy(&mut bytes)?;
    Ok(bytes)
}

/// The same until the next boot, also when this server is started again: made of what only this boot has.
fn boot_id() -> Result<String> {
    let seed = ochre_rt::time::boot_seed();
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, salt).hash(&mut hasher);
        hasher.finish()
    };
    Ok(uuid((u128::from(half(0)) << 64 | u128::from(half(1))).to_le_bytes()))
}

/// A version-4 UUID (RFC 4122).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (n, byte) in bytes.iter().enumerate() {
        let dash = if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Table {
        Table::parse(
            b"uptime_ns 2500000000\nrun_ns 1000000000\ncpus 2\nrunning 1\nthreads 9\nlast_pid 12\nload_1 5\nload_5 123\n\
              load_15 0\nrealtime_ns 1002500000000\n",
        )
    }

    #[test]
    fn formats() {
        assert_eq!(loadavg(&figures()), b"0.05 1.23 0.00 1/9 12\n");
        assert_eq!(uptime(&figures()), b"2.50 4.00\n");
        let text = String::from_utf8(stat(&figures())).unwrap();
        assert!(text.starts_with("cpu  100 0 0 400 0 0 0 0 0 0\ncpu0 50 0 0 200 "));
        assert!(text.contains("\nbtime 1000\n"));
        let text = meminfo(&Table::parse(b"total_frames 1000\nfree_frames 500\nreserve_frames 100\n"));
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("MemTotal:           4000 kB\nMemFree:            2000 kB\nMemAvailable:       1600 kB\n")
        );
    }

    #[test]
    fn disks() {
        let block = |name: &str, major, minor, size| Block { name: name.into(), major, minor, size };
        let blocks = [block("sr0", 11, 0, 0), block("vda", 254, 0, 2048), block("vda1", 254, 1, 1024)];
        let expected = "major minor  #blocks  name\n\n 254        0       1024 vda\n 254        1        512 vda1\n";
        assert_eq!(partitions(&blocks), expected);
        assert_eq!(devices("Block devices:", &blocks), "Block devices:\n 11 sr\n254 virtblk");
    }

    #[test]
    fn uuids() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn every_name_but_the_kernels_has_a_text() {
        for path in ["devices", "filesystems", "misc", "version", "sys/kernel/ostype", "sys/vm/overcommit_memory"] {
            assert!(text(path).is_ok(), "{path}");
        }
        assert_eq!(text("nothing"), Err(Errno::ENOENT));
    }
}
