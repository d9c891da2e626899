//! What the programs of this package share.
//!
//! Each program in `src/bin` tries one subject of the C library and prints what it sees, and nothing that differs from run to run
//! (addresses, ids, times of day). The same file runs on glibc, on relibc over Linux, and on Ochre; its output must be the
//! same three times. So a program holds no expectations: glibc 2.36 is what relibc has to be like.
//!
//! With no arguments a program ends within a few seconds natively and prints at most some 10,000 lines; for more inputs than
//! that it prints digests ([`Digest`]) of groups of results, and the single results with `--verbose`.

pub mod elf;

use std::fmt::{self, Write};

/// Random numbers that are the same in every run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers by a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// A digest of lines (FNV-1a, 64 bits), for more results than can be printed.
#[derive(Clone, Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// Whether the command line asks for the single results behind the digests.
pub fn verbose() -> bool {
    std::env::args().any(|word| word == "--verbose")
}

/// Results of which one digest is printed, or all with `--verbose`.
#[derive(Debug)]
pub struct Group {
    name: &'static str,
    digest: Digest,
    count: u64,
    verbose: bool,
}

impl Group {
    /// An empty group of this name.
    pub fn new(name: &'static str) -> Group {
        Group { name, digest: Digest::default(), count: 0, verbose: verbose() }
    }

    /// Adds a result; equal results have equal texts.
    pub fn add(&mut self, result: fmt::Arguments<'_>) {
        self.count += 1;
        if self.verbose {
            println!("{}: {result}", self.name);
        }
        self.digest.write_fmt(result).expect("a digest takes everything");
        self.digest.add(b"\n");
    }

    /// Prints the digest.
    pub fn end(self) {
        println!("{}: {} results, digest {}", self.name, self.count, self.digest);
    }
}
