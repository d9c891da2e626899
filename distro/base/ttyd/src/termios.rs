//! `struct termios` as the kernel interface has it (asm-generic/termbits.h): TCGETS's 36 bytes and TCGETS2's 44.

use ochre_scheme::{Errno, Result};

/// Flags and characters; the values are Linux's (crate `libc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; NCCS],
    pub ispeed: u32,
    pub ospeed: u32,
}

/// Control characters of the kernel's structure.
pub const NCCS: usize = 19;
/// Bytes of TCGETS's structure.
pub const SIZE: usize = 36;
/// Bytes of TCGETS2's structure.
pub const SIZE2: usize = 44;
/// A control character of this value stands for none (_POSIX_VDISABLE).
pub const DISABLED: u8 = 0;
/// The speed stands in `ispeed` and `ospeed` and not in the flags.
const BOTHER: u32 = 0o10000;

const CHARACTERS: [u8; NCCS] = [3, 0o34, 0o177, 0o25, 4, 0, 1, 0, 0o21, 0o23, 0o32, 0, 0o22, 0o17, 0o27, 0o26, 0, 0, 0];

impl Termios {
    /// What a terminal starts with on Linux (tty_std_termios), with these control flags (and the speed in them).
    pub fn initial(cflag: u32) -> Termios {
        use libc::*;
        Termios {
            iflag: ICRNL | IXON,
            oflag: OPOST | ONLCR,
            cflag,
            lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            line: 0,
            cc: CHARACTERS,
            ispeed: baud(cflag),
            ospeed: baud(cflag),
        }
    }

    /// An input flag is set.
    pub fn input(&self, flag: u32) -> bool {
        self.iflag & flag != 0
    }

    /// An output flag is set.
    pub fn output(&self, flag: u32) -> bool {
        self.oflag & flag != 0
    }

    /// A local flag is set.
    pub fn local(&self, flag: u32) -> bool {
        self.lflag & flag != 0
    }

    /// `byte` is this control character, which is not disabled.
    pub fn is(&self, index: usize, byte: u8) -> bool {
        byte != DISABLED && self.cc[index] == byte
    }

    /// TCGETS's bytes, or TCGETS2's.
    pub fn encode(&self, with_speeds: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE2);
        for flags in [self.iflag, self.oflag, self.cflag, self.lflag] {
            bytes.extend_from_slice(&flags.to_ne_bytes());
        }
        bytes.push(self.line);
        bytes.extend_from_slice(&self.cc);
        if with_speeds {
            bytes.extend_from_slice(&self.ispeed.to_ne_bytes());
            bytes.extend_from_slice(&self.ospeed.to_ne_bytes());
        }
        bytes
    }

    /// The reverse; EINVAL for another length. Without speeds they follow from the flags.
    pub fn decode(bytes: &[u8]) -> Result<Termios> {
        if bytes.len() != SIZE && bytes.len() != SIZE2 {
            return Err(Errno::EINVAL);
        }
        let word =
            |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let mut cc = [0; NCCS];
        cc.copy_from_slice(&bytes[17..SIZE]);
        let cflag = word(8);
        let speed = |at| if bytes.len() == SIZE2 && cflag & libc::CBAUD == BOTHER { word(at) } else { baud(cflag) };
        Ok(Termios {
            iflag: word(0),
            oflag: word(4),
            cflag,
            lflag: word(12),
            line: bytes[16],
            cc,
            ispeed: speed(36),
            ospeed: speed(40),
        })
    }
}

/// Bits per second of the speed in these control flags.
fn baud(cflag: u32) -> u32 {
    const LOW: [u32; 16] = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
    const HIGH: [u32; 16] = [
        0, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000,
        2_500_000, 3_000_000, 3_500_000, 4_000_000,
    ];
    let index = (cflag & 0o17) as usize;
    if cflag & BOTHER == 0 { LOW[index] } else { HIGH[index] }
}
