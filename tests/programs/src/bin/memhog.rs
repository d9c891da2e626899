//! `memhog [--limit MIB | --no-limit]`: takes memory until there is none, and checks that this is an error and no
//! catastrophe: what it holds keeps its contents, what it gives back can be had again, and a process beside it does not
//! notice.
//!
//! The limit (256 MiB) is RLIMIT_AS of the hog. Without one it takes what the machine has: right for a virtual machine
//! that refuses to promise what it has not, wrong for a Linux host, where the kernel would kill somebody.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::thread;

use test_programs::options::Options;
use test_programs::random::Random;
use test_programs::sys::mapping::{Mapping, limit_address_space};

/// What the hog takes at a time.
const CHUNK: usize = 1 << 20;
const PAGE: usize = 4096;
/// The sibling's memory.
const SIBLING: usize = 4 << 20;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        Some("--hog") => hog(),
        Some("--sibling") => sibling(),
        _ => run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("memhog: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::of_process(&["limit"], &["no-limit"])?;
    let limit: u64 = if options.flag("no-limit") { 0 } else { options.number("limit", 256)? };
    let (mut sibling, mut lines) = start("--sibling", 0)?;
    // It has touched all its memory by then.
    let mut line = String::new();
    lines.read_line(&mut line)?;
    if line != "ready\n" {
        return Err(format!("the sibling says {line:?}").into());
    }
    let (mut hog, mut told) = start("--hog", limit)?;
    let mut report = String::new();
    told.read_to_string(&mut report)?;
    let status = hog.wait()?;
    print!("{report}");
    if !status.success() {
        return Err(format!("the hog: {status}").into());
    }
    // The end of its input ends the sibling.
    drop(sibling.stdin.take());
    let mut rounds = String::new();
    lines.read_to_string(&mut rounds)?;
    print!("{rounds}");
    let status = sibling.wait()?;
    if !status.success() {
        return Err(format!("the sibling: {status}").into());
    }
    println!("ok");
    Ok(())
}

fn start(mode: &str, limit: u64) -> Result<(Child, BufReader<ChildStdout>), Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?)
        .arg(mode)
        .arg(limit.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no pipe")?;
    Ok((child, BufReader::new(stdout)))
}

/// A page's word, by where it is.
fn mark(chunk: usize, page: usize) -> u64 {
    Random::new((chunk << 16 | page) as u64).next_u64()
}

fn write_marks(memory: &mut [u8], chunk: usize) {
    for (page, bytes) in memory.chunks_exact_mut(PAGE).enumerate() {
        bytes[..8].copy_from_slice(&mark(chunk, page).to_ne_bytes());
    }
}

fn marks_hold(memory: &[u8], chunk: usize) -> bool {
    memory.chunks_exact(PAGE).enumerate().all(|(page, bytes)| bytes[..8] == mark(chunk, page).to_ne_bytes())
}

fn hog() -> Result<(), Box<dyn Error>> {
    let limit: u64 = env::args().nth(2).and_then(|word| word.parse().ok()).ok_or("no limit")?;
    if limit > 0 {
        limit_address_space(limit << 20)?;
    }
    // Room for the list first: 64 GiB.
    let mut chunks: Vec<Mapping> = Vec::with_capacity(64 << 10);
    let error = loop {
        if chunks.len() == chunks.capacity() {
            return Err("64 GiB and still no end".into());
        }
        match Mapping::private(CHUNK) {
            Ok(mut chunk) => {
                write_marks(chunk.bytes_mut(), chunks.len());
                chunks.push(chunk);
            }
            Err(error) => break error,
        }
    };
    // Now, with nothing left: the error is the right one, the heap's answer is an error too, what we hold is intact.
    let heap_refuses = Vec::<u8>::new().try_reserve_exact(64 << 20).is_err();
    let intact = chunks.iter().enumerate().all(|(n, chunk)| marks_hold(chunk.bytes(), n));
    let taken = chunks.len();
    drop(chunks);
    if error.kind() != io::ErrorKind::OutOfMemory {
        return Err(format!("{error:?}, not ENOMEM").into());
    }
    if taken == 0 || !heap_refuses || !intact {
        return Err(format!("{taken} chunks taken, heap refuses: {heap_refuses}, contents intact: {intact}").into());
    }
    // What was given back can be had again, by mmap, heap and threads.
    for n in 0..taken / 2 {
        let mut chunk = Mapping::private(CHUNK)?;
        write_marks(chunk.bytes_mut(), n);
        if !marks_hold(chunk.bytes(), n) {
            return Err("memory taken again does not keep its contents".into());
        }
    }
    let sorted = thread::Builder::new().spawn(|| {
        let mut random = Random::new(7);
        let mut numbers: Vec<u64> = (0..200_000).map(|_| random.next_u64()).collect();
        numbers.sort_unstable();
        numbers.is_sorted()
    })?;
    if !sorted.join().unwrap_or(false) {
        return Err("work afterwards failed".into());
    }
    println!("hog: {} MiB, then ENOMEM; freed; works on", (taken * CHUNK) >> 20);
    Ok(())
}

/// Computes over its memory and checks it, until its input ends.
fn sibling() -> Result<(), Box<dyn Error>> {
    let ended = thread::Builder::new().spawn(|| io::stdin().read_to_end(&mut Vec::new()).map(drop))?;
    let mut memory = vec![0u8; SIBLING];
    let mut rounds = 0usize;
    loop {
        for (n, word) in memory.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&Random::new((n ^ rounds) as u64).next_u64().to_ne_bytes());
        }
        let right = black_box(&memory)
            .chunks_exact(8)
            .enumerate()
            .all(|(n, word)| word == Random::new((n ^ rounds) as u64).next_u64().to_ne_bytes());
        if !right {
            return Err(format!("round {rounds}: memory changed").into());
        }
        if rounds == 0 {
            println!("ready");
            io::stdout().flush()?;
        }
        rounds += 1;
        if ended.is_finished() {
            break;
        }
    }
    println!("sibling: {rounds} rounds over {} MiB, all right", SIBLING >> 20);
    Ok(())
}
