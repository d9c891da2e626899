//! The initial stack: argc, argv, envp and the auxiliary vector, exactly as Linux lays them out.
//!
//! From the top: a null word, the file's name, the environment's and the arguments' strings (ascending, so that a program may
//! overwrite them as one area, as setproctitle does), the platform's name, 16 random bytes, then the vectors down to the
//! 16-byte-aligned stack pointer. Pure. Source: System V ABI AMD64 3.4, Linux's `create_elf_tables`.

use super::strings::Strings;
use ochre_abi::process::{Credentials, ProgramInfo};
use ochre_abi::{Errno, Result};

/// The greatest size of strings and pointers together: a quarter of the stack, as on Linux.
pub const ARGS_MAX: usize = 2 << 20;
/// The greatest length of one string with its NUL (MAX_ARG_STRLEN).
const STRING_MAX: usize = 32 * 4096;
const PLATFORM: &[u8] = b"x86_64\0";
const WORD: usize = 8;

const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_EUID: u64 = 12;
const AT_GID: u64 = 13;
const AT_EGID: u64 = 14;
const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_EXECFN: u64 = 31;
const AT_MINSIGSTKSZ: u64 = 51;
const AUX_ENTRIES: usize = 20;

/// What the auxiliary vector says about the image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aux {
    pub phdr: u64,
    pub phnum: u64,
    pub base: u64,
    pub entry: u64,
    pub credentials: Credentials,
    pub hwcap: u64,
    pub minimum_signal_stack: u64,
    pub random: [u8; 16],
}

/// Sizes of a stack's parts; what [`Plan::write`] fills.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    argc: usize,
    envc: usize,
    strings: usize,
    size: usize,
}

/// A stack that is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The initial stack pointer.
    pub pointer: u64,
    /// Where arguments, environment and auxiliary vector are; no file.
    pub info: ProgramInfo,
}

impl Plan {
    /// Measures. E2BIG if a string or all of it together is too long.
    pub fn new<'a>(argv: impl Strings<'a>, envp: impl Strings<'a>, filename: &[u8]) -> Result<Self> {
        let mut strings = filename.len() + 1;
        let mut count = |list: &mut dyn Iterator<Item = &'a [u8]>| {
            let mut number = 0;
            for string in list {
                strings += string.len() + 1;
                number += 1;
                if string.len() >= STRING_MAX || strings + (number + 2) * WORD > ARGS_MAX {
                    return Err(Errno::E2BIG);
                }
            }
            Ok(number)
        };
        let argc = count(&mut argv.clone())?;
        let envc = count(&mut envp.clone())?;
        let vectors = (1 + argc + 1 + envc + 1 + 2 * AUX_ENTRIES) * WORD;
        // The null word, alignment of the random bytes and of the stack pointer.
        let size = (vectors + 16 + PLATFORM.len() + strings + WORD + 64).next_multiple_of(16);
        if size > ARGS_MAX {
            return Err(Errno::E2BIG);
        }
        Ok(Self { argc, envc, strings, size })
    }

    /// Bytes that [`Self::write`] needs, a multiple of 16.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Fills `out`, whose end will be at the address `top` (a multiple of 16); the stack pointer.
    ///
    /// The lists must be those that were measured; EFAULT if they have changed meanwhile (another thread writes them).
    pub fn write<'a>(
        &self,
        out: &mut [u8],
        top: u64,
        argv: impl Strings<'a>,
        envp: impl Strings<'a>,
        filename: &[u8],
        aux: &Aux,
    ) -> Result<Written> {
        let bottom = top.checked_sub(out.len() as u64).ok_or(Errno::EINVAL)?;
        let strings = out.len().checked_sub(WORD + self.strings).ok_or(Errno::EINVAL)?;
        let platform = strings.checked_sub(PLATFORM.len()).ok_or(Errno::EINVAL)?;
        let random = platform.checked_sub(16).ok_or(Errno::EINVAL)? & !15;
        let vectors = (1 + self.argc + 1 + self.envc + 1 + 2 * AUX_ENTRIES) * WORD;
        let pointer = random.checked_sub(vectors).ok_or(Errno::EINVAL)? & !15;

        let mut writer = Writer { out, words: pointer, strings, bottom };
        writer.bytes(platform, PLATFORM)?;
        writer.bytes(random, &aux.random)?;
        writer.word(self.argc as u64)?;
        let mut info = ProgramInfo { args: [bottom + strings as u64; 2], ..ProgramInfo::default() };
        writer.list(argv, self.argc)?;
        info.args[1] = bottom + writer.strings as u64;
        info.env[0] = info.args[1];
        writer.list(envp, self.envc)?;
        info.env[1] = bottom + writer.strings as u64;
        info.auxv[0] = bottom + writer.words as u64;
        let filename_at = writer.string(filename)?;
        let credentials = &aux.credentials;
        let secure = credentials.ruid != credentials.euid || credentials.rgid != credentials.egid;
        let entries: [(u64, u64); AUX_ENTRIES] = [
            (AT_HWCAP, aux.hwcap),
            (AT_PAGESZ, 4096),
            (AT_CLKTCK, 100),
            (AT_PHDR, aux.phdr),
            (AT_PHENT, crate::elf::PROGRAM_HEADER_SIZE as u64),
            (AT_PHNUM, aux.phnum),
            (AT_BASE, aux.base),
            (AT_FLAGS, 0),
            (AT_ENTRY, aux.entry),
            (AT_UID, credentials.ruid.into()),
            (AT_EUID, credentials.euid.into()),
            (AT_GID, credentials.rgid.into()),
            (AT_EGID, credentials.egid.into()),
            (AT_SECURE, secure.into()),
            (AT_RANDOM, bottom + random as u64),
            (AT_HWCAP2, 0),
            (AT_EXECFN, filename_at),
            (AT_PLATFORM, bottom + platform as u64),
            (AT_MINSIGSTKSZ, aux.minimum_signal_stack),
            (AT_NULL, 0),
        ];
        for (kind, value) in entries {
            writer.word(kind)?;
            writer.word(value)?;
        }
        info.auxv[1] = bottom + writer.words as u64;
        Ok(Written { pointer: bottom + pointer as u64, info })
    }
}

struct Writer<'o> {
    out: &'o mut [u8],
    /// Where the next word goes.
    words: usize,
    /// Where the next string goes.
    strings: usize,
    bottom: u64,
}

impl Writer<'_> {
    fn bytes(&mut self, at: usize, data: &[u8]) -> Result<()> {
        let target = self.out.get_mut(at..at + data.len()).ok_or(Errno::EFAULT)?;
        target.copy_from_slice(data);
        Ok(())
    }

    fn word(&mut self, value: u64) -> Result<()> {
        self.bytes(self.words, &value.to_le_bytes())?;
        self.words += WORD;
        Ok(())
    }

    /// A string with its NUL; its address.
    fn string(&mut self, string: &[u8]) -> Result<u64> {
        let at = self.strings;
        self.bytes(at, string)?;
        self.bytes(at + string.len(), &[0])?;
        self.strings += string.len() + 1;
        Ok(self.bottom + at as u64)
    }

    /// `count` strings and the pointers to them, with the null pointer at the end.
    fn list<'a>(&mut self, list: impl Strings<'a>, count: usize) -> Result<()> {
        let mut left = count;
        for string in list {
            left = left.checked_sub(1).ok_or(Errno::EFAULT)?;
            let address = self.string(string)?;
            self.word(address)?;
        }
        if left != 0 {
            return Err(Errno::EFAULT);
        }
        self.word(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOP: u64 = 0x7fff_0000_0000;

    struct Stack(Vec<u8>);

    impl Stack {
        fn word(&self, address: u64) -> u64 {
            let at = self.0.len() - (TOP - address) as usize;
            u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
        }

        fn string(&self, address: u64) -> &[u8] {
            let at = self.0.len() - (TOP - address) as usize;
            self.0[at..].split(|&byte| byte == 0).next().unwrap()
        }
    }

    fn build(argv: &[Vec<u8>], envp: &[Vec<u8>], aux: &Aux) -> (Stack, u64) {
        let (argv, envp) = (argv.iter().map(Vec::as_slice), envp.iter().map(Vec::as_slice));
        let plan = Plan::new(argv.clone(), envp.clone(), b"/bin/x").unwrap();
        let mut out = vec![0; plan.size()];
        let written = plan.write(&mut out, TOP, argv.clone(), envp.clone(), b"/bin/x", aux).unwrap();
        let bytes = |strings: &mut dyn Iterator<Item = &[u8]>| strings.map(|s| s.len() as u64 + 1).sum::<u64>();
        let info = written.info;
        assert_eq!(info.args[1] - info.args[0], bytes(&mut argv.clone()));
        assert_eq!(info.env[1] - info.env[0], bytes(&mut envp.clone()));
        assert_eq!(info.auxv[1] - info.auxv[0], 16 * AUX_ENTRIES as u64);
        (Stack(out), written.pointer)
    }

    proptest! {
        #[test]
        fn a_program_finds_what_it_was_given(
            argv in proptest::collection::vec(proptest::collection::vec(1u8.., 0..40), 0..20),
            envp in proptest::collection::vec(proptest::collection::vec(1u8.., 0..40), 0..20),
        ) {
            let aux = Aux { phdr: 64, entry: 7, base: 9, random: [5; 16], ..Aux::default() };
            let (stack, pointer) = build(&argv, &envp, &aux);
            prop_assert_eq!(pointer % 16, 0);
            prop_assert_eq!(stack.word(pointer), argv.len() as u64);
            let mut at = pointer + 8;
            let mut last = 0;
            for list in [&argv, &envp] {
                for string in list {
                    prop_assert_eq!(stack.string(stack.word(at)), &string[..]);
                    prop_assert!(stack.word(at) > last);
                    last = stack.word(at);
                    at += 8;
                }
                prop_assert_eq!(stack.word(at), 0);
                at += 8;
            }
            let mut found = std::collections::BTreeMap::new();
            while stack.word(at) != 0 {
                found.insert(stack.word(at), stack.word(at + 8));
                at += 16;
            }
            prop_assert_eq!(found[&AT_PHDR], 64);
            prop_assert_eq!(found[&AT_ENTRY], 7);
            prop_assert_eq!(found[&AT_BASE], 9);
            prop_assert_eq!(stack.string(found[&AT_EXECFN]), b"/bin/x");
            prop_assert_eq!(stack.string(found[&AT_PLATFORM]), b"x86_64");
            prop_assert_eq!(stack.word(found[&AT_RANDOM]), u64::from_le_bytes([5; 8]));
            prop_assert_eq!(stack.word(TOP - 8), 0);
        }
    }

    #[test]
    fn too_much_is_e2big() {
        let long = vec![b'x'; STRING_MAX];
        let none = core::iter::empty();
        assert!(matches!(Plan::new([&long[..]].into_iter(), none.clone(), b""), Err(Errno::E2BIG)));
        assert!(matches!(Plan::new(core::iter::repeat_n(&long[1..], 17), none.clone(), b""), Err(Errno::E2BIG)));
        assert!(matches!(Plan::new(none, core::iter::repeat_n(&b""[..], 300_000), b""), Err(Errno::E2BIG)));
    }

    #[test]
    fn lists_that_change_are_an_error() {
        let none = core::iter::empty::<&[u8]>();
        let plan = Plan::new([&b"a"[..]].into_iter(), none.clone(), b"f").unwrap();
        let mut out = vec![0; plan.size()];
        let longer = [&b"a"[..], b"b"].into_iter();
        assert_eq!(plan.write(&mut out, TOP, longer, none.clone(), b"f", &Aux::default()), Err(Errno::EFAULT));
        assert_eq!(plan.write(&mut out, TOP, none.clone(), none, b"f", &Aux::default()), Err(Errno::EFAULT));
    }
}
