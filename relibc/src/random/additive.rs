//! `random` and its kin: additive feedback generators, with glibc's numbers. random(3), random_r(3).
//!
//! Generator number g keeps [`DEGREES`]`[g]` words; each number is the sum of two of them, [`DISTANCES`]`[g]` apart.
//! Generator 0 is a linear congruential one of a single word.

use crate::errno;
use crate::lock::Lock;
use core::ffi::{c_char, c_int, c_long, c_uint};
use core::ptr;
use libc::size_t;

const DEGREES: [usize; 5] = [0, 7, 15, 31, 63];
const DISTANCES: [usize; 5] = [0, 3, 1, 3, 1];
/// Bytes of state that each generator needs.
const SIZES: [usize; 5] = [8, 32, 64, 128, 256];

/// `struct random_data`.
#[repr(C)]
pub struct State {
    front: *mut u32,
    rear: *mut u32,
    words: *mut u32,
    kind: c_int,
    degree: c_int,
    distance: c_int,
    end: *mut u32,
}

// SAFETY: used under the lock below.
unsafe impl Send for State {}

static mut FIRST: [u32; 32] = [0; 32];
static STATE: Lock<State> = Lock::new(State {
    front: ptr::null_mut(),
    rear: ptr::null_mut(),
    words: ptr::null_mut(),
    kind: 0,
    degree: 0,
    distance: 0,
    end: ptr::null_mut(),
});

impl State {
    unsafe fn seed(&mut self, seed: c_uint) {
        let mut word = seed.max(1) as i32;
        *self.words = word as u32;
        if self.kind == 0 {
            return;
        }
        for index in 1..self.degree as usize {
            // 16807 × word modulo 2³¹ − 1 without overflow (Schrage).
            let (high, low) = (word / 127_773, word % 127_773);
            word = 16_807i32.wrapping_mul(low).wrapping_sub(2_836 * high);
            if word < 0 {
                word = word.wrapping_add(i32::MAX);
            }
            *self.words.add(index) = word as u32;
        }
        self.front = self.words.add(self.distance as usize);
        self.rear = self.words;
        for _ in 0..10 * self.degree {
            self.next();
        }
    }

    unsafe fn next(&mut self) -> i32 {
        if self.kind == 0 {
            *self.words = (*self.words).wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            return *self.words as i32;
        }
        *self.front = (*self.front).wrapping_add(*self.rear);
        let value = *self.front >> 1;
        for pointer in [&mut self.front, &mut self.rear] {
            *pointer = pointer.add(1);
            if *pointer >= self.end {
                *pointer = self.words;
            }
        }
        value as i32
    }

    /// Notes in front of the words where the generator stands.
    unsafe fn save(&mut self) {
        if !self.words.is_null() {
            let rear = if self.kind == 0 { 0 } else { self.rear.offset_from_unsigned(self.words) };
            *self.words.sub(1) = (rear * 5) as u32 + self.kind as u32;
        }
    }

    unsafe fn become_kind(&mut self, kind: usize, words: *mut u32) {
        self.kind = kind as c_int;
        self.degree = DEGREES[kind] as c_int;
        self.distance = DISTANCES[kind] as c_int;
        self.words = words;
        self.end = words.add(DEGREES[kind]);
    }

    unsafe fn start(&mut self, seed: c_uint, block: *mut u32, size: usize) -> bool {
        let Some(kind) = SIZES.iter().rposition(|&least| size >= least) else {
            errno::set(libc::EINVAL);
            return false;
        };
        self.save();
        self.become_kind(kind, block.add(1));
        self.seed(seed);
        self.save();
        true
    }

    unsafe fn go_on(&mut self, block: *mut u32) -> bool {
        let kind = (*block % 5) as usize;
        let rear = (*block / 5) as usize;
        if rear >= DEGREES[kind].max(1) {
            errno::set(libc::EINVAL);
            return false;
        }
        self.save();
        self.become_kind(kind, block.add(1));
        if kind != 0 {
            self.rear = self.words.add(rear);
            self.front = self.words.add((rear + DISTANCES[kind]) % DEGREES[kind]);
        }
        true
    }
}

/// Works on the process's generator, which starts with the seed 1.
unsafe fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    let mut state = STATE.lock();
    if state.words.is_null() {
        state.start(1, (&raw mut FIRST).cast(), 128);
    }
    work(&mut state)
}

c_api! {
    /// random(3).
    fn random() -> c_long { c_long::from(with(|state| state.next())) }

    /// srandom(3).
    fn srandom(seed: c_uint) { with(|state| state.seed(seed)); }

    /// rand(3), which is random(3).
    fn rand() -> c_int { with(|state| state.next()) }

    /// srand(3).
    fn srand(seed: c_uint) { srandom(seed); }

    /// initstate(3).
    fn initstate(seed: c_uint, block: *mut c_char, size: size_t) -> *mut c_char {
        with(|state| {
            let before = state.words.sub(1);
            if state.start(seed, block.cast(), size) { before.cast() } else { ptr::null_mut() }
        })
    }

    /// setstate(3).
    fn setstate(block: *mut c_char) -> *mut c_char {
        with(|state| {
            let before = state.words.sub(1);
            if state.go_on(block.cast()) { before.cast() } else { ptr::null_mut() }
        })
    }

    /// random_r(3).
    fn random_r(state: *mut State, out: *mut i32) -> c_int {
        if state.is_null() || out.is_null() {
            return errno::fail(libc::EINVAL);
        }
        *out = (*state).next();
        0
    }

    /// srandom_r(3).
    fn srandom_r(seed: c_uint, state: *mut State) -> c_int {
        if state.is_null() || !(0..5).contains(&(*state).kind) {
            return errno::fail(libc::EINVAL);
        }
        (*state).seed(seed);
        0
    }

    /// initstate_r(3). What the structure points to before must be null or a state.
    fn initstate_r(seed: c_uint, block: *mut c_char, size: size_t, state: *mut State) -> c_int {
        if state.is_null() || block.is_null() {
            return errno::fail(libc::EINVAL);
        }
        if (*state).start(seed, block.cast(), size) { 0 } else { -1 }
    }

    /// setstate_r(3).
    fn setstate_r(block: *mut c_char, state: *mut State) -> c_int {
        if state.is_null() || block.is_null() {
            return errno::fail(libc::EINVAL);
        }
        if (*state).go_on(block.cast()) { 0 } else { -1 }
    }
}
