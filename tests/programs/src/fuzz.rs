//! Random system calls: which number, which arguments.
//!
//! The arguments lean towards what finds faults: small numbers that are valid descriptors, flags and signals, pointers to
//! memory full of further such arguments, pointers that are unaligned, that straddle the end of a mapping, that belong to
//! the kernel or are no addresses at all, and lengths that overflow.

use std::ops::Range;

use ochre_abi::syscall;

use crate::random::Random;

/// Linux's greatest number here (6.5's cachestat and friends are behind it).
const LINUX_NUMBERS: Range<u64> = 0..463;

/// Linux's calls that end the caller or make a second one: fork, vfork, clone, clone3, exit, exit_group. reboot is
/// refused by the C library's emulation, but is not worth finding out here.
const LINUX_SKIPPED: [u64; 7] = [56, 57, 58, 435, 60, 231, 169];

/// Native calls that end the caller.
const NATIVE_SKIPPED: [u64; 2] = [syscall::EXIT, syscall::THREAD_EXIT];

/// Native calls that do harm if rights could not be given up before.
const NATIVE_HARMFUL: [u64; 6] =
    [syscall::POWER, syscall::KILL, syscall::TGKILL, syscall::SIGQUEUE, syscall::CLOCK_SET, syscall::SET_PRIORITY];

/// One in so many calls of [`syscall::LOG`] is made: each is a line on the serial port, which takes longer than all the rest.
const LOG_EVERY: u64 = 64;

/// Which calls are made.
#[derive(Debug)]
pub struct Plan {
    native: Vec<u64>,
    linux: Vec<u64>,
}

/// What limits a [`Plan`].
pub struct Limits<'a> {
    /// How many native numbers from [`syscall::BASE`] on.
    pub native: u64,
    /// Whether Linux's numbers too. Never on Linux itself, where they do what they say.
    pub linux: bool,
    /// Whether the caller has no rights, so that harmful calls fail.
    pub unprivileged: bool,
    /// Numbers to leave out: native ones may be given without the base.
    pub skip: &'a [u64],
    /// If not empty, the only numbers.
    pub only: &'a [u64],
}

impl Plan {
    /// The calls within the limits.
    pub fn new(limits: &Limits<'_>) -> Self {
        let named = |list: &[u64], number: u64| {
            list.contains(&number) || number >= syscall::BASE && list.contains(&(number - syscall::BASE))
        };
        let wanted =
            |number: &u64| !named(limits.skip, *number) && (limits.only.is_empty() || named(limits.only, *number));
        let native = (syscall::BASE..syscall::BASE.saturating_add(limits.native))
            .filter(|number| !NATIVE_SKIPPED.contains(number))
            .filter(|number| limits.unprivileged || !NATIVE_HARMFUL.contains(number))
            .filter(wanted)
            .collect();
        // A bare number in `only` means the native call.
        let linux_wanted = limits.linux && limits.only.is_empty();
        let linux = LINUX_NUMBERS
            .filter(|number| linux_wanted && !LINUX_SKIPPED.contains(number))
            .filter(|number| !limits.skip.contains(&(number + syscall::BASE)))
            .collect();
        Self { native, linux }
    }

    /// Whether there is any call to make.
    pub fn is_empty(&self) -> bool {
        self.native.is_empty() && self.linux.is_empty()
    }

    /// The next call's number. Seven of eight are native.
    pub fn number(&self, random: &mut Random) -> u64 {
        let linux = !self.linux.is_empty() && (self.native.is_empty() || random.below(8) == 0);
        let number = random.pick(if linux { &self.linux } else { &self.native });
        match number {
            syscall::LOG if random.below(LOG_EVERY) != 0 => syscall::GETPID,
            number => number,
        }
    }
}

/// Addresses that mean something to the process.
#[derive(Clone, Debug)]
pub struct Places {
    /// Memory for the calls to read and write.
    pub arena: Range<u64>,
    /// Somewhere in the code.
    pub code: u64,
    /// Somewhere on the stack.
    pub stack: u64,
}

/// Paths that the calls may open, change and remove: nothing that anybody needs.
const STRINGS: [&[u8]; 8] = [
    b"/tmp/fuzz-a\0",
    b"/tmp/fuzz-b\0",
    b"/dev/null\0",
    b"/scheme/sys/memory\0",
    b"no such file\0",
    b"/\0",
    b"//../.././tmp/./fuzz-a/\0",
    b"/scheme/none/\xff\xfe\0",
];

impl Places {
    /// One argument.
    pub fn argument(&self, random: &mut Random) -> u64 {
        let len = self.arena.end - self.arena.start;
        match random.below(100) {
            0..28 => random.below(16),
            28..40 => random.below(40),
            40..60 => self.arena.start + random.below(len / 64) * 64,
            60..66 => self.arena.start + random.below(len),
            66..70 => self.arena.end - random.below(64),
            70..76 => random.below(4096).wrapping_neg(),
            76..82 => 1 << random.below(64),
            82..87 => {
                random.pick(&[4096, 8192, 0x1_0000, 0x7fff_ffff, 0xffff_ffff, 1 << 47, u64::MAX >> 1]) + random.below(3)
                    - 1
            }
            87..90 => 0xffff_8000_0000_0000 | random.next_u64(),
            90..92 => 0x0000_8000_0000_0000 ^ (random.next_u64() >> 8),
            92..94 => 0x0000_7fff_ffff_0000 + random.below(0x1_0000),
            94..96 => random.below(0x1_0000),
            96 => self.code & !0xfff,
            97 => self.stack + random.below(4096) - 2048,
            98 => random.next_u64() & 0xffff_ffff,
            _ => random.next_u64(),
        }
    }

    /// Fills the arena with arguments, so that structures and vectors in it are as odd as the arguments themselves, and
    /// with strings.
    pub fn fill(&self, memory: &mut [u8], random: &mut Random) {
        for word in memory.chunks_exact_mut(8) {
            // Half of it small, as counts and flags in structures are.
            let value = if random.below(2) == 0 { random.below(4) } else { self.argument(random) };
            word.copy_from_slice(&value.to_ne_bytes());
        }
        for chunk in memory.chunks_exact_mut(256) {
            if random.below(2) == 0 {
                let string = random.pick(&STRINGS);
                chunk[..string.len()].copy_from_slice(string);
            }
        }
    }
}

/// The name of a call, for reports.
pub fn name(number: u64) -> String {
    match syscall::NAMES.iter().find(|(own, _)| *own == number) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("{number:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits<'static> = Limits { native: 128, linux: true, unprivileged: true, skip: &[], only: &[] };

    #[test]
    fn calls_that_end_the_caller_are_left_out() {
        let plan = Plan::new(&LIMITS);
        let mut random = Random::new(1);
        for _ in 0..100_000 {
            let number = plan.number(&mut random);
            assert!(!NATIVE_SKIPPED.contains(&number) && !LINUX_SKIPPED.contains(&number));
            assert!(number < 463 || (syscall::BASE..syscall::BASE + 128).contains(&number));
        }
    }

    #[test]
    fn limits_hold() {
        let numbers = |limits| {
            let (plan, mut random) = (Plan::new(&limits), Random::new(2));
            (0..10_000).map(|_| plan.number(&mut random)).collect::<Vec<_>>()
        };
        assert!(numbers(Limits { linux: false, ..LIMITS }).iter().all(|&number| number >= syscall::BASE));
        assert!(!numbers(Limits { unprivileged: false, ..LIMITS }).contains(&syscall::POWER));
        assert!(!numbers(Limits { skip: &[8], ..LIMITS }).contains(&syscall::READ));
        assert!(!numbers(Limits { skip: &[syscall::READ], ..LIMITS }).contains(&syscall::READ));
        assert!(numbers(Limits { only: &[8], ..LIMITS }).iter().all(|&number| number == syscall::READ));
        assert!(Plan::new(&Limits { only: &[62], ..LIMITS }).is_empty());
    }

    #[test]
    fn the_arena_is_filled_and_pointed_into() {
        let places = Places { arena: 0x10_0000..0x12_0000, code: 0x40_1000, stack: 0x7ffd_0000_0000 };
        let mut random = Random::new(3);
        let mut memory = vec![0; 0x2_0000];
        places.fill(&mut memory, &mut random);
        assert!(memory.windows(9).any(|window| window == b"/dev/null"));
        let inside = (0..1000).filter(|_| places.arena.contains(&places.argument(&mut random))).count();
        assert!((200..400).contains(&inside), "{inside} of 1000 arguments point into the arena");
    }
}
