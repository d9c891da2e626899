//! malloc and stdio under 16 threads, which free each other's blocks and print to a shared stream and to their own.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Read;
use std::sync::mpsc;
use std::thread;

unsafe extern "C" {
    fn open_memstream(at: *mut *mut c_char, len: *mut usize) -> *mut libc::FILE;
}

const THREADS: usize = 16;
const ROUNDS: usize = 4000;

/// A block that travels between threads; its bytes say what they must be.
struct Block {
    at: *mut u8,
    len: usize,
    mark: u8,
}

// SAFETY: a block has one owner at a time.
unsafe impl Send for Block {}

/// A stream that all use.
#[derive(Clone, Copy)]
struct Shared(*mut libc::FILE);

// SAFETY: streams lock themselves.
unsafe impl Send for Shared {}

impl Block {
    fn new(len: usize, mark: u8) -> Block {
        // SAFETY: the block is as long as it says.
        unsafe {
            let at = libc::malloc(len).cast::<u8>();
            assert!(!at.is_null());
            at.write_bytes(mark, len);
            Block { at, len, mark }
        }
    }

    /// Whether nobody else wrote to it.
    fn end(self) -> bool {
        // SAFETY: as above; it is freed once.
        unsafe {
            let whole = std::slice::from_raw_parts(self.at, self.len).iter().all(|&byte| byte == self.mark);
            libc::free(self.at.cast::<c_void>());
            whole
        }
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let mut text = String::new();
    std::fs::File::open("/proc/self/statm").expect("/proc").read_to_string(&mut text).expect("text");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4096
}

/// Threads hand blocks on in a ring; the number of blocks that were whole.
fn ring(shared: Shared) -> Vec<usize> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel::<Block>(64)).unzip();
    let mut threads = Vec::new();
    for (number, receiver) in receivers.into_iter().enumerate() {
        let next = senders[(number + 1) % THREADS].clone();
        threads.push(thread::spawn(move || {
            let shared = shared;
            let Shared(shared) = shared;
            let mut random = conform::Random::new(number as u64);
            let (mut at, mut len) = (std::ptr::null_mut(), 0);
            // SAFETY: the places outlive the stream, which this thread closes.
            let own = unsafe { open_memstream(&raw mut at, &raw mut len) };
            let (mut whole, mut got) = (0, 0);
            for round in 0..ROUNDS {
                let size = if round % 500 == 0 { 300_000 } else { 1 + random.below(2000) as usize };
                let mut block = Block::new(size, number as u8 + 1);
                // A full channel: make room by taking first.
                while let Err(mpsc::TrySendError::Full(back)) = next.try_send(block) {
                    block = back;
                    if let Ok(other) = receiver.try_recv() {
                        whole += usize::from(other.end());
                        got += 1;
                    }
                    thread::yield_now();
                }
                // SAFETY: formats fit their arguments.
                unsafe {
                    libc::fprintf(own, c"%d %zu\n".as_ptr(), round as c_int, size);
                    libc::fprintf(
                        shared,
                        c"thread %d round %d size %zu\n".as_ptr(),
                        number as c_int,
                        round as c_int,
                        size,
                    );
                }
            }
            while got < ROUNDS {
                whole += usize::from(receiver.recv().expect("every block arrives").end());
                got += 1;
            }
            // SAFETY: the stream is open, and its text ends in NUL after that.
            unsafe {
                libc::fclose(own);
                let mut digest = conform::Digest::default();
                digest.add(CStr::from_ptr(at).to_bytes());
                libc::free(at.cast());
                (whole, digest.to_string(), len)
            }
        }));
    }
    drop(senders);
    threads
        .into_iter()
        .enumerate()
        .map(|(number, thread)| {
            let (whole, digest, len) = thread.join().expect("no panics");
            println!("thread {number}: own stream {len} bytes, {digest}");
            whole
        })
        .collect()
}

fn main() {
    // SAFETY: the stream is closed once.
    unsafe {
        let file = libc::tmpfile();
        println!("{:?}", ring(Shared(file)));
        libc::fflush(file);
        libc::rewind(file);
        // Each line is whole, and each thread's lines are in order.
        let (mut line, mut rounds, mut digests) = ([0 as c_char; 200], BTreeMap::new(), BTreeMap::new());
        let mut wrong = 0;
        while !libc::fgets(line.as_mut_ptr(), 200, file).is_null() {
            let text = CStr::from_ptr(line.as_ptr()).to_str().expect("ASCII");
            let words: Vec<&str> = text.split_whitespace().collect();
            let ["thread", thread, "round", round, "size", _] = words[..] else {
                wrong += 1;
                continue;
            };
            let (thread, round): (usize, usize) = (thread.parse().expect("a number"), round.parse().expect("a number"));
            let expected = rounds.entry(thread).or_insert(0usize);
            wrong += usize::from(*expected != round);
            *expected = round + 1;
            digests.entry(thread).or_insert_with(conform::Digest::default).add(text.as_bytes());
        }
        libc::fclose(file);
        println!("{wrong} {rounds:?}");
        digests.iter().for_each(|(thread, digest)| println!("{thread} {digest}"));
    }
    // Memory that is freed goes back: 256 MiB in blocks of 64 KiB and of 1 MiB.
    let before = resident();
    let blocks: Vec<Block> =
        (0..2048).map(|_| Block::new(64 << 10, 1)).chain((0..128).map(|_| Block::new(1 << 20, 2))).collect();
    let most = resident();
    let whole = blocks.into_iter().map(Block::end).filter(|&whole| whole).count();
    // SAFETY: asks for what is free to be given back.
    unsafe { libc::malloc_trim(0) };
    println!("{whole} {} {}", most > before + (200 << 20), resident() < before + (32 << 20));
}
