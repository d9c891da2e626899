//! Linear congruential generators: `drand48` and its kin, `rand_r`. drand48(3), rand(3).

use crate::lock::Lock;
use core::ffi::{c_double, c_int, c_long, c_uint, c_ushort};

const FACTOR: u64 = 0x5_deec_e66d;
const ADDEND: u64 = 0xb;
const MASK: u64 = (1 << 48) - 1;

struct State {
    x: u64,
    factor: u64,
    addend: u64,
}

static STATE: Lock<State> = Lock::new(State { x: 0, factor: FACTOR, addend: ADDEND });
static mut BEFORE: [c_ushort; 3] = [0; 3];

unsafe fn load(words: *const c_ushort) -> u64 {
    (0..3).map(|index| u64::from(*words.add(index)) << (16 * index)).sum()
}

unsafe fn store(words: *mut c_ushort, x: u64) {
    for index in 0..3 {
        *words.add(index) = (x >> (16 * index)) as u16;
    }
}

/// The next 48 bits of the process's generator.
fn next() -> u64 {
    let mut state = STATE.lock();
    state.x = state.x.wrapping_mul(state.factor).wrapping_add(state.addend) & MASK;
    state.x
}

/// The next 48 bits of a generator of the program's.
unsafe fn next_of(words: *mut c_ushort) -> u64 {
    let x = {
        let state = STATE.lock();
        load(words).wrapping_mul(state.factor).wrapping_add(state.addend) & MASK
    };
    store(words, x);
    x
}

fn fraction(x: u64) -> c_double {
    x as f64 / (1u64 << 48) as f64
}

c_api! {
    /// drand48(3).
    fn drand48() -> c_double { fraction(next()) }

    /// erand48(3).
    fn erand48(words: *mut c_ushort) -> c_double { fraction(next_of(words)) }

    /// lrand48(3).
    fn lrand48() -> c_long { (next() >> 17) as c_long }

    /// nrand48(3).
    fn nrand48(words: *mut c_ushort) -> c_long { (next_of(words) >> 17) as c_long }

    /// mrand48(3).
    fn mrand48() -> c_long { c_long::from((next() >> 16) as i32) }

    /// jrand48(3).
    fn jrand48(words: *mut c_ushort) -> c_long { c_long::from((next_of(words) >> 16) as i32) }

    /// srand48(3).
    fn srand48(seed: c_long) {
        *STATE.lock() = State { x: (seed as u64 & 0xffff_ffff) << 16 | 0x330e, factor: FACTOR, addend: ADDEND };
    }

    /// seed48(3).
    fn seed48(words: *mut c_ushort) -> *mut c_ushort {
        let mut state = STATE.lock();
        store((&raw mut BEFORE).cast(), state.x);
        *state = State { x: load(words), factor: FACTOR, addend: ADDEND };
        (&raw mut BEFORE).cast()
    }

    /// lcong48(3).
    fn lcong48(words: *mut c_ushort) {
        *STATE.lock() = State { x: load(words), factor: load(words.add(3)), addend: u64::from(*words.add(6)) };
    }

    /// rand_r(3).
    fn rand_r(seed: *mut c_uint) -> c_int {
        let mut result = 0;
        for (bits, below) in [(0, 2048), (10, 1024), (10, 1024)] {
            *seed = (*seed).wrapping_mul(1_103_515_245).wrapping_add(12_345);
            result = result << bits ^ (*seed / 65_536 % below);
        }
        result as c_int
    }
}
