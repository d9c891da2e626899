//! Shared objects and programs made by hand, for what no linker of the host's would make: each holds exactly the relocations,
//! tables and tags that a test is about. Sources: System V ABI, x86-64 psABI, glibc's elf.h.
//!
//! All parts have fixed addresses, which are also their offsets in the file: headers and tables, then code, then the dynamic
//! section, the PLT's slots, data, and the thread-local segment.

const TEXT: u64 = 0x4000;
const DYNAMIC: u64 = 0x6000;
const SLOTS: u64 = 0x6800;
const DATA: u64 = 0x7000;
const TLS: u64 = 0x7800;
const END: u64 = 0x8000;

/// R_X86_64_*.
pub const R_64: u64 = 1;
pub const R_COPY: u64 = 5;
pub const R_GLOB_DAT: u64 = 6;
pub const R_JUMP_SLOT: u64 = 7;
pub const R_RELATIVE: u64 = 8;
pub const R_DTPMOD64: u64 = 16;
pub const R_DTPOFF64: u64 = 17;
pub const R_TPOFF64: u64 = 18;
pub const R_TLSDESC: u64 = 36;
pub const R_IRELATIVE: u64 = 37;

/// STT_*.
pub const OBJECT: u8 = 1;
pub const FUNCTION: u8 = 2;
pub const THREAD_LOCAL: u8 = 6;
pub const INDIRECT: u8 = 10;

/// DT_* with plain values.
pub const DT_FLAGS: u64 = 30;
pub const DT_FLAGS_1: u64 = 0x6fff_fffb;

struct Symbol {
    name: String,
    kind: u8,
    /// Weak, for a reference.
    weak: bool,
    /// Address (offset for a thread-local one), size; nothing for a reference.
    place: Option<(u64, u64)>,
    version: Option<(String, String)>,
}

/// A file in the making.
#[derive(Default)]
pub struct File {
    /// ET_EXEC.
    pub fixed: bool,
    /// PT_INTERP.
    pub interpreter: Option<&'static str>,
    /// DT_SONAME.
    pub soname: Option<&'static str>,
    /// DT_RUNPATH.
    pub runpath: Option<String>,
    /// DT_RPATH.
    pub rpath: Option<String>,
    /// DT_HASH instead of DT_GNU_HASH.
    pub old_hash: bool,
    /// DT_NEEDED.
    pub needed: Vec<String>,
    /// Further entries of the dynamic section.
    pub tags: Vec<(u64, u64)>,
    /// Words that DT_RELR relocates.
    pub relr: Vec<u64>,
    /// Constructors and destructors.
    pub constructors: Vec<u64>,
    /// See `constructors`.
    pub destructors: Vec<u64>,
    /// The entry point.
    pub entry: u64,
    text: Vec<u8>,
    data: Vec<u8>,
    thread: Vec<u8>,
    slots: Vec<String>,
    symbols: Vec<Symbol>,
    relocations: Vec<(u64, u64, String, u64)>,
}

impl File {
    /// An empty one.
    pub fn new() -> File {
        // Room for the first PLT entry.
        File { text: vec![0xcc; 16], ..File::default() }
    }

    fn base(&self) -> u64 {
        if self.fixed { 0x40_0000 } else { 0 }
    }

    /// A word of data with a value, and its address.
    pub fn word(&mut self, value: u64) -> u64 {
        self.data.extend(value.to_le_bytes());
        self.base() + DATA + self.data.len() as u64 - 8
    }

    /// Bytes among the data, and their address.
    pub fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let at = self.base() + DATA + self.data.len() as u64;
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        at
    }

    /// Adds a thread-local word and defines its name.
    pub fn thread_local(&mut self, name: &str, value: u64) {
        let at = self.thread.len() as u64;
        self.thread.extend(value.to_le_bytes());
        self.define(name, THREAD_LOCAL, at, 8);
    }

    /// Defines a name.
    pub fn define(&mut self, name: &str, kind: u8, place: u64, size: u64) {
        let place = Some((place, size));
        self.symbols.push(Symbol { name: name.into(), kind, weak: false, place, version: None });
    }

    /// Makes a reference, with the library and the version it is to have.
    pub fn refer(&mut self, name: &str, weak: bool, version: Option<(&str, &str)>) {
        if !self.symbols.iter().any(|symbol| symbol.name == name) {
            let version = version.map(|(file, version)| (file.into(), version.into()));
            self.symbols.push(Symbol { name: name.into(), kind: 0, weak, place: None, version });
        }
    }

    /// Adds a relocation; an empty name is no symbol, an unknown one becomes a reference.
    pub fn relocate(&mut self, place: u64, kind: u64, name: &str, addend: u64) {
        if !name.is_empty() {
            self.refer(name, false, None);
        }
        self.relocations.push((place, kind, name.into(), addend));
    }

    /// A word that holds a symbol's address.
    pub fn got(&mut self, name: &str) -> u64 {
        let place = self.word(0);
        self.relocate(place, R_GLOB_DAT, name, 0);
        place
    }

    /// The address that the next code gets.
    pub fn here(&self) -> u64 {
        self.base() + TEXT + self.text.len() as u64
    }

    /// Adds code.
    pub fn code(&mut self, bytes: &[u8]) -> &mut File {
        self.text.extend_from_slice(bytes);
        self
    }

    /// Adds an instruction that ends in a distance from its end to `target`.
    pub fn relative(&mut self, opcode: &[u8], target: u64) -> &mut File {
        self.code(opcode);
        let distance = target.wrapping_sub(self.here() + 4) as u32;
        self.code(&distance.to_le_bytes())
    }

    /// A function that returns a number, under a name unless that is empty.
    pub fn constant(&mut self, name: &str, value: u32) -> u64 {
        let at = self.here();
        self.code(&[0xb8]).code(&value.to_le_bytes()).code(&[0xc3]);
        if !name.is_empty() {
            self.define(name, FUNCTION, at, 6);
        }
        at
    }

    /// A function that returns the word to which the word at `pointer` points.
    pub fn fetch(&mut self, name: &str, pointer: u64) {
        let at = self.here();
        self.relative(&[0x48, 0x8b, 0x05], pointer).code(&[0x48, 0x8b, 0x00, 0xc3]);
        self.define(name, FUNCTION, at, 11);
    }

    /// A function that jumps to where the word at `pointer` says.
    pub fn forward(&mut self, name: &str, pointer: u64) {
        let at = self.here();
        self.relative(&[0xff, 0x25], pointer);
        self.define(name, FUNCTION, at, 6);
    }

    /// A function that jumps to another through the PLT, for lazy binding.
    pub fn forward_lazily(&mut self, name: &str, to: &str) {
        let index = self.slots.len() as u64;
        self.refer(to, false, None);
        self.slots.push(to.into());
        let (first, slot) = (self.base() + TEXT, self.base() + SLOTS + 8 * (3 + index));
        let at = self.here();
        self.relative(&[0xff, 0x25], slot).code(&[0x68]).code(&(index as u32).to_le_bytes());
        self.relative(&[0xe9], first);
        self.define(name, FUNCTION, at, 16);
    }

    /// A function that writes a text to standard output.
    pub fn say(&mut self, text: &str) -> u64 {
        let write = self.got("write");
        let bytes = self.bytes(text.as_bytes());
        let at = self.here();
        self.code(&[0x48, 0x83, 0xec, 8, 0xbf, 1, 0, 0, 0]).relative(&[0x48, 0x8d, 0x35], bytes);
        self.code(&[0xba]).code(&(text.len() as u32).to_le_bytes()).relative(&[0xff, 0x15], write);
        self.code(&[0x48, 0x83, 0xc4, 8, 0xc3]);
        at
    }

    /// An entry point that runs the function at `main` as a C program's.
    pub fn start(&mut self, main: u64) {
        let begin = self.got("__libc_start_main");
        self.entry = self.here();
        // xor ebp, ebp; mov r9, rdx; pop rsi; mov rdx, rsp; and rsp, -16; push rax; push rsp; xor r8d, r8d; xor ecx, ecx
        self.code(&[0x31, 0xed, 0x49, 0x89, 0xd1, 0x5e, 0x48, 0x89, 0xe2, 0x48, 0x83, 0xe4, 0xf0, 0x50, 0x54]);
        self.code(&[0x45, 0x31, 0xc0, 0x31, 0xc9]).relative(&[0x48, 0x8d, 0x3d], main).relative(&[0xff, 0x15], begin);
        self.code(&[0xf4]);
    }

    /// The file's bytes.
    pub fn build(mut self) -> Vec<u8> {
        let base = self.base();
        self.symbols.sort_by_key(|symbol| symbol.place.is_some());
        let first = self.symbols.iter().take_while(|symbol| symbol.place.is_none()).count() + 1;
        let mut strings = Strings(vec![0]);
        let mut out = vec![0; END as usize];
        let mut cursor = 0x400u64;
        let mut tags = std::mem::take(&mut self.tags);
        let mut table = |out: &mut Vec<u8>, bytes: &[u8]| {
            let at = cursor;
            out[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
            cursor = (at + bytes.len() as u64).next_multiple_of(8);
            base + at
        };

        let (mut symtab, mut versym) = (vec![0; 24], vec![0, 0]);
        let mut needs: Vec<(String, Vec<String>)> = Vec::new();
        let mut versions = Vec::new();
        for symbol in &self.symbols {
            let binding = if symbol.weak { 2 } else { 1 };
            let (value, size) = symbol.place.unwrap_or((0, 0));
            symtab.extend((strings.add(&symbol.name) as u32).to_le_bytes());
            symtab.extend([binding << 4 | symbol.kind, 0]);
            symtab.extend(u16::to_le_bytes(if symbol.place.is_some() { 1 } else { 0 }));
            symtab.extend(value.to_le_bytes());
            symtab.extend(size.to_le_bytes());
            let number = symbol.version.as_ref().map_or(1, |(file, version)| {
                versions.push(version.clone());
                match needs.iter_mut().find(|(known, _)| known == file) {
                    Some((_, list)) => list.push(version.clone()),
                    None => needs.push((file.clone(), vec![version.clone()])),
                }
                versions.len() as u16 + 1
            });
            versym.extend(number.to_le_bytes());
        }
        tags.extend([(6, table(&mut out, &symtab)), (11, 24)]);
        if !needs.is_empty() {
            // One record for each version: Verneed and one Vernaux.
            let mut records = Vec::new();
            let total = versions.len();
            let pairs = self.symbols.iter().filter_map(|symbol| symbol.version.clone());
            for (index, (file, version)) in pairs.enumerate() {
                records.extend([1u16, 1].map(u16::to_le_bytes).concat());
                let next = if index + 1 == total { 0 } else { 32 };
                records.extend([strings.add(&file) as u32, 16, next].map(u32::to_le_bytes).concat());
                records.extend(hash(&version).to_le_bytes());
                records.extend([0u16, index as u16 + 2].map(u16::to_le_bytes).concat());
                records.extend([strings.add(&version) as u32, 0].map(u32::to_le_bytes).concat());
            }
            tags.extend([(0x6fff_fffe, table(&mut out, &records)), (0x6fff_ffff, total as u64)]);
            tags.push((0x6fff_fff0, table(&mut out, &versym)));
        }

        let defined = &self.symbols[first - 1..];
        let mut words: Vec<u32> = Vec::new();
        if self.old_hash {
            // One bucket, whose chain goes through all definitions.
            let count = self.symbols.len() + 1;
            words.extend([1, count as u32, if defined.is_empty() { 0 } else { first as u32 }]);
            words
                .extend((0..count).map(|index| if index >= first && index + 1 < count { index as u32 + 1 } else { 0 }));
        } else {
            // One bucket, and a filter that lets everything pass.
            words.extend([
                1,
                first as u32,
                1,
                0,
                u32::MAX,
                u32::MAX,
                if defined.is_empty() { 0 } else { first as u32 },
            ]);
            for (index, symbol) in defined.iter().enumerate() {
                words.push(gnu_hash(&symbol.name) & !1 | u32::from(index + 1 == defined.len()));
            }
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        tags.push((if self.old_hash { 4 } else { 0x6fff_fef5 }, table(&mut out, &bytes)));

        let number = |name: &str| {
            let index = self.symbols.iter().position(|symbol| symbol.name == name);
            if name.is_empty() { 0 } else { index.map_or(0, |index| index as u64 + 1) }
        };
        let rela: Vec<u8> = self
            .relocations
            .iter()
            .flat_map(|(place, kind, name, addend)| [*place, number(name) << 32 | kind, *addend])
            .flat_map(u64::to_le_bytes)
            .collect();
        if !rela.is_empty() {
            tags.extend([(7, table(&mut out, &rela)), (8, rela.len() as u64), (9, 24)]);
        }
        if !self.slots.is_empty() {
            let jumps = self.slots.iter().enumerate();
            let rela: Vec<u8> = jumps
                .flat_map(|(at, name)| [base + SLOTS + 8 * (3 + at as u64), number(name) << 32 | R_JUMP_SLOT, 0])
                .flat_map(u64::to_le_bytes)
                .collect();
            tags.extend([(23, table(&mut out, &rela)), (2, rela.len() as u64), (20, 7), (3, base + SLOTS)]);
        }
        if !self.relr.is_empty() {
            let bytes: Vec<u8> = self.relr.iter().flat_map(|word| word.to_le_bytes()).collect();
            tags.extend([(36, table(&mut out, &bytes)), (35, bytes.len() as u64), (37, 8)]);
        }
        for name in &self.needed {
            tags.push((1, strings.add(name)));
        }
        for (tag, text) in [(14, self.soname.map(str::to_owned)), (29, self.runpath.clone()), (15, self.rpath.clone())]
        {
            tags.extend(text.map(|text| (tag, strings.add(&text))));
        }
        // The lists of constructors and destructors are relocated words among the tables' neighbours, the data.
        tags.extend([(5, table(&mut out, &strings.0)), (10, strings.0.len() as u64)]);
        let interpreter =
            self.interpreter.map(|path| (table(&mut out, format!("{path}\0").as_bytes()), path.len() as u64 + 1));
        assert!(cursor < TEXT && self.text.len() < 0x2000 && self.data.len() < 0x800, "a part is full");

        if !self.slots.is_empty() {
            let got = SLOTS - TEXT;
            let (push, jump) = ((got + 8 - 6) as u32, (got + 16 - 12) as u32);
            let entry =
                [&[0xff, 0x35], &push.to_le_bytes()[..], &[0xff, 0x25], &jump.to_le_bytes(), &[0x0f, 0x1f, 0x40, 0]];
            self.text[..16].copy_from_slice(&entry.concat());
            out[SLOTS as usize..][..8].copy_from_slice(&(base + DYNAMIC).to_le_bytes());
            for index in 0..self.slots.len() {
                let opcode = [&[0x68], &(index as u32).to_le_bytes()[..], &[0xe9]].concat();
                let at = self.text.windows(6).position(|window| window == opcode).expect("the entry was made");
                let slot = SLOTS as usize + 8 * (3 + index);
                out[slot..slot + 8].copy_from_slice(&(base + TEXT + at as u64).to_le_bytes());
            }
        }
        for (at, bytes) in [(TEXT, &self.text), (DATA, &self.data), (TLS, &self.thread)] {
            out[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        }
        tags.push((0, 0));
        let dynamic: Vec<u8> = tags.iter().flat_map(|(tag, value)| [*tag, *value]).flat_map(u64::to_le_bytes).collect();
        out[DYNAMIC as usize..][..dynamic.len()].copy_from_slice(&dynamic);

        // Type, flags, address, length, alignment.
        let mut phdrs = vec![(6u32, 4u32, 64, 0, 8)];
        phdrs.extend(interpreter.map(|(at, len)| (3, 4, at - base, len, 1)));
        phdrs.extend([(1, 4, 0, TEXT, 4096), (1, 5, TEXT, DYNAMIC - TEXT, 4096), (1, 6, DYNAMIC, END - DYNAMIC, 4096)]);
        phdrs.push((2, 6, DYNAMIC, dynamic.len() as u64, 8));
        if !self.thread.is_empty() {
            phdrs.push((7, 4, TLS, self.thread.len() as u64, 8));
        }
        phdrs.push((0x6474_e551, 6, 0, 0, 16));
        phdrs[0].3 = phdrs.len() as u64 * 56;
        out[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        let halves = [if self.fixed { 2u16 } else { 3 }, 62, 1, 0].map(u16::to_le_bytes).concat();
        out[16..24].copy_from_slice(&halves);
        out[24..48].copy_from_slice(&[self.entry, 64, 0].map(u64::to_le_bytes).concat());
        out[52..64].copy_from_slice(&[64, 56, phdrs.len() as u16, 64, 0, 0].map(u16::to_le_bytes).concat());
        for (index, (kind, flags, at, len, align)) in phdrs.into_iter().enumerate() {
            let entry = [kind, flags].map(u32::to_le_bytes).concat();
            let rest = [at, base + at, base + at, len, len, align].map(u64::to_le_bytes).concat();
            out[64 + 56 * index..][..56].copy_from_slice(&[entry, rest].concat());
        }
        out
    }

    /// Enters the constructors and destructors; call it last.
    pub fn finish(mut self) -> Vec<u8> {
        for (array, size, functions) in
            [(25, 27, std::mem::take(&mut self.constructors)), (26, 28, std::mem::take(&mut self.destructors))]
        {
            let places: Vec<u64> = functions.iter().map(|_| self.word(0)).collect();
            for (place, function) in places.iter().zip(&functions) {
                self.relocate(*place, R_RELATIVE, "", *function);
            }
            if let Some(start) = places.first() {
                self.tags.extend([(array, *start), (size, 8 * places.len() as u64)]);
            }
        }
        self.build()
    }
}

struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        at
    }
}

fn hash(name: &str) -> u32 {
    name.bytes().fold(0u32, |hash, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

fn gnu_hash(name: &str) -> u32 {
    name.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}
