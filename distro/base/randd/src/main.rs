//! The scheme rand, bound to /dev/urandom and /dev/random: bytes from a cryptographic generator (random(4)).
//!
//! ChaCha20, keyed from the kernel's entropy. After each read the generator takes a new key from its own output, so that what was
//! given out cannot be computed from what is in memory later ("fast key erasure"); every [`RESEED_BYTES`] fresh entropy is
//! mixed in. Bytes written by anyone are mixed in too, and can never make the state weaker.

use ochre_scheme::abi::file::{S_IFCHR, Stat};
use ochre_scheme::{Answer, Request, Result, Scheme, Server};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Output between two reseedings.
const RESEED_BYTES: usize = 1 << 20;
/// Bytes made at a time.
const CHUNK: usize = 4096;
/// The greatest part of a write that is mixed in.
const MIX_MAX: usize = 4096;

struct Rand {
    generator: ChaCha20Rng,
    since_reseed: usize,
}

fn entropy() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    ochre_rt::syscall::entropy(&mut seed)?;
    Ok(seed)
}

impl Rand {
    fn new() -> Result<Self> {
        Ok(Rand { generator: ChaCha20Rng::from_seed(entropy()?), since_reseed: 0 })
    }

    /// A new key: the generator's own output, XORed with `input`.
    fn rekey(&mut self, input: &[u8; 32]) {
        let mut key = [0; 32];
        self.generator.fill_bytes(&mut key);
        key.iter_mut().zip(input).for_each(|(k, i)| *k ^= i);
        self.generator = ChaCha20Rng::from_seed(key);
    }
}

impl Scheme for Rand {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        Ok(Answer::opened(1).repeatable())
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        let mut left = len;
        while left > 0 {
            let mut chunk = [0; CHUNK];
            let part = left.min(CHUNK);
            self.generator.fill_bytes(&mut chunk[..part]);
            request.put(&chunk[..part])?;
            left -= part;
        }
        self.since_reseed += len;
        if self.since_reseed >= RESEED_BYTES {
            self.since_reseed = 0;
            self.rekey(&entropy()?);
        } else {
            self.rekey(&[0; 32]);
        }
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        for chunk in request.data(MIX_MAX)?.chunks(32) {
            let mut input = [0; 32];
            input[..chunk.len()].copy_from_slice(chunk);
            self.rekey(&input);
        }
        Ok(Answer::value(len))
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        // Linux's device number of /dev/urandom: 1, 9.
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFCHR | 0o666, rdev: 1 << 8 | 9, blksize: 4096, ..Stat::default() })
    }
}

fn main() -> Result<()> {
    // There is nothing about a handle to remember.
    let (mut server, _) = Server::register_keeping("rand")?;
    ochre_scheme::ready();
    server.run(&mut Rand::new()?)
}
