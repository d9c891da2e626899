//! Names for the addresses in a guest's log.
//!
//! A program that dies leaves lines such as `  at /bin/foo+0x1234`: a mapped file and an offset in that file. Lines of
//! the kernel's own have its addresses, from 0xffffffff80000000 on. Both get function, source file and line behind them.

use crate::build::elf;
use crate::build::symbols::{self, Symbol};
use addr2line::Loader;
use anyhow::{Context, Result};
use object::Endianness;
use object::elf::PT_LOAD;
use object::read::elf::{FileHeader, ProgramHeader};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the kernel is linked.
const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

/// The files that addresses in a log may belong to.
pub struct Symboliser {
    kernel: Option<PathBuf>,
    programs: BTreeMap<String, PathBuf>,
    open: BTreeMap<PathBuf, Option<Debug>>,
}

/// What is known of one file.
struct Debug {
    lines: Loader,
    symbols: Vec<Symbol>,
}

/// An address as it stands in a line.
#[derive(Debug, PartialEq, Eq)]
enum Address<'line> {
    Kernel(u64),
    /// A path in the image, and the offset in that file.
    Program(&'line str, u64),
}

impl Symboliser {
    /// `kernel` is the kernel's ELF file if it is ours; `programs` are the host's copies of the image's files, by their
    /// path in the image.
    pub fn new(kernel: Option<&Path>, programs: &BTreeMap<String, PathBuf>) -> Symboliser {
        Symboliser { kernel: kernel.map(Path::to_owned), programs: programs.clone(), open: BTreeMap::new() }
    }

    /// Takes files from `dir` for what is below /mnt/put.
    pub fn add_put(&mut self, dir: &Path) {
        self.programs.insert("/mnt/put/".to_owned(), dir.to_owned());
    }

    /// The text with names behind its addresses.
    pub fn annotate(&mut self, log: &str) -> String {
        let mut out = String::with_capacity(log.len());
        let mut callers = false;
        for line in log.lines() {
            out.push_str(line);
            let address = addresses(line).next();
            // The first line of a backtrace is where it happened; the others are where calls return to, which may be
            // in another line of source, or even in the next function.
            let back = u64::from(callers);
            callers = address.is_some();
            if let Some(name) = address.and_then(|address| self.name(&address, back)) {
                out.push_str("  [");
                out.push_str(&name);
                out.push(']');
            }
            out.push('\n');
        }
        out
    }

    /// What stands at an address of the kernel's.
    pub fn kernel_name(&mut self, addr: u64) -> Option<String> {
        self.name(&Address::Kernel(addr), 0)
    }

    /// What stands `back` bytes before an address.
    fn name(&mut self, address: &Address, back: u64) -> Option<String> {
        let (file, addr) = match address {
            Address::Kernel(addr) => (self.kernel.clone()?, *addr),
            Address::Program(path, offset) => {
                let file = self.host_file(path)?;
                let addr = virtual_address(&file, *offset).ok()??;
                (file, addr)
            }
        };
        let load = |file: &PathBuf| Some(Debug { lines: Loader::new(file).ok()?, symbols: symbols::read(file).ok()? });
        describe(self.open.entry(file).or_insert_with_key(load).as_ref()?, addr - back.min(addr))
    }

    fn host_file(&self, path: &str) -> Option<PathBuf> {
        match path.strip_prefix("/mnt/put/") {
            Some(rest) => self.programs.get("/mnt/put/").map(|dir| dir.join(rest)),
            None => self.programs.get(path).cloned(),
        }
    }
}

/// Function, source file and line, with the functions that were inlined there, innermost first.
fn describe(debug: &Debug, addr: u64) -> Option<String> {
    let mut names = Vec::new();
    let mut place = None;
    if let Ok(mut frames) = debug.lines.find_frames(addr) {
        while let Ok(Some(frame)) = frames.next() {
            if let Some(name) = frame.function.as_ref().and_then(|f| f.demangle().ok()) {
                names.push(name.into_owned());
            }
            if place.is_none() {
                place = frame.location.and_then(|l| Some(format!("{}:{}", short(l.file?), l.line?)));
            }
        }
    }
    // The function that the others were inlined into: line tables know only the last part of its name.
    if let Some((symbol, offset)) = symbols::find(&debug.symbols, addr) {
        let inlined = names.pop().is_some();
        names.push(if inlined { symbol.name.clone() } else { format!("{}+{offset:#x}", symbol.name) });
    }
    if names.is_empty() {
        return None;
    }
    let names = names.join(" < ");
    Some(place.map_or_else(|| names.clone(), |place| format!("{names}, {place}")))
}

/// A source path as seen from the workspace, or from its crate if that is elsewhere.
fn short(path: &str) -> &str {
    let root = env!("CARGO_MANIFEST_DIR").trim_end_matches("xtask");
    if let Some(rest) = path.strip_prefix(root) {
        return rest;
    }
    match path.match_indices("/src/").last() {
        Some((at, _)) => path[..at].rfind('/').map_or(path, |start| &path[start + 1..]),
        None => path,
    }
}

/// The address that an ELF file wants the byte at `offset` to have.
fn virtual_address(file: &Path, offset: u64) -> Result<Option<u64>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let elf = elf::parse(file, bytes.as_slice())?;
    let endian = Endianness::Little;
    for program in elf.elf_header().program_headers(endian, bytes.as_slice())? {
        let (start, len) = program.file_range(endian);
        if program.p_type(endian) == PT_LOAD && offset >= start && offset - start < len {
            return Ok(Some(offset - start + program.p_vaddr(endian)));
        }
    }
    Ok(None)
}

/// The addresses in a line.
fn addresses(line: &str) -> impl Iterator<Item = Address<'_>> {
    let words = line.split(|c: char| c.is_whitespace() || "()[],;<>".contains(c));
    words.filter_map(|word| {
        if let Some((path, offset)) = word.rsplit_once("+0x") {
            let offset = u64::from_str_radix(offset.trim_end_matches(':'), 16).ok()?;
            return path.starts_with('/').then_some(Address::Program(path, offset));
        }
        let addr = u64::from_str_radix(word.strip_prefix("0x")?.trim_end_matches(':'), 16).ok()?;
        (addr >= KERNEL_BASE).then_some(Address::Kernel(addr))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_in_lines() {
        let all = |line| addresses(line).collect::<Vec<_>>();
        assert_eq!(all("  at /bin/foo+0x1234"), [Address::Program("/bin/foo", 0x1234)]);
        assert_eq!(all("rip 0xffffffff80100010, x"), [Address::Kernel(0xffff_ffff_8010_0010)]);
        assert_eq!(all("foo+0x12 0x1234 0xzz /bin/foo+0xz"), []);
    }

    #[test]
    fn shortens_paths_to_the_crate() {
        assert_eq!(short("/home/me/ochre/kernel/hal/src/trap.rs"), "hal/src/trap.rs");
        assert_eq!(short("main.rs"), "main.rs");
    }

    #[test]
    fn names_an_offset_in_a_program() {
        let me = std::env::current_exe().unwrap();
        let symbols = crate::build::symbols::read(&me).unwrap();
        let wanted = symbols.iter().find(|s| s.name.ends_with("symbolise::short")).unwrap();
        let bytes = std::fs::read(&me).unwrap();
        let elf = elf::parse(&me, bytes.as_slice()).unwrap();
        let endian = Endianness::Little;
        let headers = elf.elf_header().program_headers(endian, bytes.as_slice()).unwrap();
        let holds = |p: &&object::elf::ProgramHeader64<Endianness>| {
            p.p_type(endian) == PT_LOAD
                && wanted.addr >= p.p_vaddr(endian)
                && wanted.addr - p.p_vaddr(endian) < p.p_memsz(endian)
        };
        let program = headers.iter().find(holds).unwrap();
        let offset = wanted.addr - program.p_vaddr(endian) + program.p_offset(endian);
        let programs = BTreeMap::from([("/bin/me".to_owned(), me.clone())]);
        let text = Symboliser::new(None, &programs).annotate(&format!("  at /bin/me+{offset:#x}\nplain\n"));
        let first = text.lines().next().unwrap();
        assert!(first.contains("short") && first.contains("symbolise.rs:"), "{text}");
        assert!(text.ends_with("\nplain\n"));
    }
}
