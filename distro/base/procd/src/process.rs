//! Texts of /proc/PID but `status`.

use crate::kernel::{self, Table};
use crate::node::Place;
use ochre_scheme::Result;
use std::fmt::Write;

/// Clock ticks of 10 ms, as times are shown.
pub const TICK_NS: u64 = 10_000_000;
pub const PAGE: u64 = 4096;
/// Linux's PF_RANDOMIZE and PF_FORKNOEXEC are not told; the field is a kernel's own business.
const FLAGS: u32 = 0x0040_0000;

/// What is shown of a process or thread, read at once.
#[derive(Clone, Debug)]
pub struct View {
    pub place: Place,
    pub figures: Table,
    pub threads: Vec<kernel::Thread>,
    /// The reader is this process: it runs, though it waits for us.
    pub own: bool,
}

impl View {
    /// Reads it. ENOENT.
    pub fn new(place: Place, caller: u32) -> Result<View> {
        let figures = kernel::status(place.pid)?;
        let threads = kernel::threads(place.pid)?;
        Ok(View { place, figures, threads, own: caller == place.pid })
    }

    /// The thread that is shown, or the first.
    pub fn thread(&self) -> Option<&kernel::Thread> {
        self.threads.iter().find(|thread| thread.tid == self.place.id()).or(self.threads.first())
    }

    /// The command's name; a process that has no thread any more has lost it.
    pub fn name(&self) -> Vec<u8> {
        let kept = || kernel::unescape(self.figures.text("name"));
        self.thread().map_or_else(kept, |thread| thread.name.clone())
    }

    /// R, S, T or Z.
    pub fn state(&self) -> char {
        let state = self.figures.text("state").chars().next().unwrap_or('S');
        let waits = self.place.tid.is_some() && self.thread().is_some_and(|thread| thread.state == "waiting");
        match state {
            'S' | 'R' if self.own => 'R',
            'R' if waits => 'S',
            other => other,
        }
    }

    /// CPU time in ticks.
    pub fn ticks(&self) -> u64 {
        let ns = match (self.place.tid, self.thread()) {
            (Some(_), Some(thread)) => thread.run_ns,
            _ => self.figures.number("run_ns"),
        };
        ns / TICK_NS
    }

    /// Nice value, −20 to 19.
    pub fn nice(&self) -> i64 {
        self.figures.signed("nice")
    }

    /// Mappings, which give the sizes of a program's parts. Empty when they are gone.
    fn maps(&self) -> Vec<Mapping> {
        let text = kernel::of_process(self.place.pid, "maps").unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(Mapping::parse).collect()
    }

    /// The sizes of the program's parts.
    pub fn sizes(&self) -> Sizes {
        let program = kernel::of_process(self.place.pid, "exe").unwrap_or_default();
        Sizes::new(&self.maps(), &String::from_utf8_lossy(&program))
    }
}

/// A line of maps.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    flags: String,
    name: String,
}

impl Mapping {
    fn parse(line: &str) -> Option<Mapping> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let flags = words.next()?.to_owned();
        let name = words.nth(3).unwrap_or("").trim_start().to_owned();
        Some(Mapping { start: number(start)?, end: number(end)?, flags, name })
    }

    fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// Sizes in bytes, and where the program's text and data are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The program's own code.
    pub text: u64,
    /// Code of libraries.
    pub library: u64,
    /// Private writable memory but the stack.
    pub data: u64,
    pub stack: u64,
    pub code: (u64, u64),
    pub stack_start: u64,
}

impl Sizes {
    fn new(maps: &[Mapping], program: &str) -> Sizes {
        let mut sizes = Sizes::default();
        for map in maps {
            let has = |letter| map.flags.contains(letter);
            if map.name == "[stack]" {
                sizes.stack += map.len();
                sizes.stack_start = map.end;
            } else if has('x') && map.name == program {
                sizes.text += map.len();
                sizes.code = (if sizes.code.0 == 0 { map.start } else { sizes.code.0 }, map.end);
            } else if has('x') {
                sizes.library += map.len();
            } else if has('w') && has('p') {
                sizes.data += map.len();
            }
        }
        sizes
    }
}

/// /proc/PID/stat. `exact`: the reader may see addresses.
pub fn stat(view: &View, exact: bool) -> Vec<u8> {
    let f = &view.figures;
    let terminal = kernel::terminal(f.number("sid") as u32);
    let (device, foreground) = terminal.map_or((0, -1), |(device, group)| (device as i64, group));
    let sizes = if exact { view.sizes() } else { Sizes::default() };
    let stack = if exact { f.number("stack") } else { 0 };
    let mut text = format!("{} (", view.place.id()).into_bytes();
    text.extend_from_slice(&view.name());
    let nice = view.nice();
    let fields: [i64; 49] = [
        f.signed("ppid"),
        f.signed("pgid"),
        f.signed("sid"),
        device,
        foreground,
        FLAGS.into(),
        // Faults are not counted by process.
        0,
        0,
        0,
        0,
        // All CPU time counts as the program's own.
        view.ticks() as i64,
        0,
        (f.number("children_ns") / TICK_NS) as i64,
        0,
        20 + nice,
        nice,
        f.signed("threads").max(1),
        0,
        (f.number("started_ns") / TICK_NS) as i64,
        (f.number("virtual_pages") * PAGE) as i64,
        f.signed("resident_pages"),
        // RLIMIT_RSS: unlimited, as a long.
        i64::MAX,
        sizes.code.0 as i64,
        sizes.code.1 as i64,
        stack as i64,
        0,
        0,
        (f.number("pending") & 0x7fff_ffff) as i64,
        (f.number("blocked") & 0x7fff_ffff) as i64,
        (f.number("ignored") & 0x7fff_ffff) as i64,
        (f.number("caught") & 0x7fff_ffff) as i64,
        i64::from(view.state() == 'S'),
        0,
        0,
        17,
        view.thread().map_or(0, |thread| thread.cpu) as i64,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        stack as i64,
        0,
        0,
        0,
        if exact { f.signed("exit_code") } else { 0 },
    ];
    let mut rest = format!(") {}", view.state());
    for (number, field) in (4..).zip(fields) {
        // rsslim is unsigned.
        let _ = if number == 25 { write!(rest, " {}", u64::MAX) } else { write!(rest, " {field}") };
    }
    rest.push('\n');
    text.extend_from_slice(rest.as_bytes());
    text
}

/// /proc/PID/statm: size, resident, shared, text, 0, data and stack, 0, in pages.
pub fn statm(view: &View) -> Vec<u8> {
    let f = &view.figures;
    let sizes = view.sizes();
    let resident = f.number("resident_pages");
    let shared = resident.saturating_sub(f.number("charged_pages"));
    let data = (sizes.data + sizes.stack) / PAGE;
    format!("{} {resident} {shared} {} 0 {data} 0\n", f.number("virtual_pages"), sizes.text / PAGE).into_bytes()
}

/// Number, name and unit of each limit, in Linux's order.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// /proc/PID/limits, from lines of `NUMBER SOFT HARD`.
pub fn limits(kernel: &str) -> Vec<u8> {
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    let shown = |limit: &str| if limit == u64::MAX.to_string() { "unlimited".to_owned() } else { limit.to_owned() };
    for (line, (name, unit)) in kernel.lines().zip(LIMITS) {
        let mut words = line.split(' ').skip(1);
        let (soft, hard) = (words.next().unwrap_or("0"), words.next().unwrap_or("0"));
        let _ = writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", shown(soft), shown(hard));
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let figures = Table::parse(
            b"name sh\nstate S\nppid 1\npgid 7\nsid 7\nthreads 1\nrun_ns 25000000\nvirtual_pages 10\nresident_pages 3\n",
        );
        let thread = kernel::Thread {
            tid: 7,
            state: "waiting".into(),
            cpu: 1,
            run_ns: 25_000_000,
            syscall: "READ".into(),
            name: b"a) b".to_vec(),
        };
        View { place: Place { pid: 7, tid: None }, figures, threads: vec![thread], own: false }
    }

    #[test]
    fn stat_has_linuxs_fields() {
        let text = String::from_utf8(stat(&view(), false)).unwrap();
        assert!(text.starts_with("7 (a) b) S 1 7 7 0 -1 "));
        let rest: Vec<&str> = text.rsplit_once(") ").unwrap().1.trim_end().split(' ').collect();
        // proc(5): 52 fields, the first two are before the parenthesis.
        assert_eq!(rest.len(), 50);
        let field = |number: usize| rest[number - 3];
        assert_eq!((field(14), field(18), field(19), field(20)), ("2", "20", "0", "1"));
        assert_eq!((field(23), field(24), field(25)), ("40960", "3", "18446744073709551615"));
        assert_eq!((field(38), field(39)), ("17", "1"));
    }

    #[test]
    fn sizes_of_a_program() {
        let maps: Vec<Mapping> = [
            "00400000-00402000 r-xp 00000000 00:00 5                                  /bin/x y",
            "00500000-00501000 rw-p 00000000 00:00 0 ",
            "7f0000000000-7f0000003000 r-xp 00000000 00:00 5                          /lib/l.so",
            "7ffff0000000-7ffff0001000 rw-p 00000000 00:00 0                          [stack]",
        ]
        .iter()
        .filter_map(|line| Mapping::parse(line))
        .collect();
        let sizes = Sizes::new(&maps, "/bin/x y");
        assert_eq!((sizes.text, sizes.library, sizes.data, sizes.stack), (0x2000, 0x3000, 0x1000, 0x1000));
        assert_eq!(sizes.code, (0x400000, 0x402000));
    }

    #[test]
    fn limits_as_linux_pads_them() {
        let text = String::from_utf8(limits("0 18446744073709551615 18446744073709551615\n1 5 6\n")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Limit                     Soft Limit           Hard Limit           Units     ");
        assert_eq!(lines[1], "Max cpu time              unlimited            unlimited            seconds   ");
        assert_eq!(lines[2], "Max file size             5                    6                    bytes     ");
    }
}
