//! LD_DEBUG: what the loader does, told on standard error. ld.so(8); the lines are glibc's (elf/rtld.c and others).

use crate::{runtime, sys};
use core::sync::atomic::{AtomicU32, Ordering};

/// Where libraries are looked for.
pub const LIBS: u32 = 1;
/// Relocating.
pub const RELOC: u32 = 2;
/// Constructors and destructors: these alone, but every word asks for them too.
pub const FILES: u32 = 4;
/// Any of these.
pub const ANY: u32 = u32::MAX;
/// Which definition a reference is bound to.
pub const BINDINGS: u32 = 8;

const NAMES: [(&[u8], u32); 5] =
    [(b"libs", LIBS), (b"reloc", RELOC), (b"files", FILES), (b"bindings", BINDINGS), (b"all", ANY)];

const HELP: &str = "Valid options for the LD_DEBUG environment variable are:

  libs        display library search paths
  reloc       display relocation processing
  files       display progress for input file
  bindings    display information about symbol binding
  all         all previous options combined
  help        display this help message and exit
";

static MASK: AtomicU32 = AtomicU32::new(0);

/// Takes the variable's value: words between blanks, commas or colons.
pub fn set(value: &[u8]) {
    for word in value.split(|byte| b" ,:".contains(byte)).filter(|word| !word.is_empty()) {
        if word == b"help" {
            runtime::print(HELP);
            sys::exit_process(0);
        }
        match NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, bits)) => _ = MASK.fetch_or(*bits, Ordering::Relaxed),
            None => runtime::print(&alloc::format!(
                "warning: debug option `{}' unknown; try LD_DEBUG=help\n",
                super::error::show(word)
            )),
        }
    }
}

/// Whether such lines are wanted.
#[inline]
pub fn wants(kind: u32) -> bool {
    MASK.load(Ordering::Relaxed) & kind != 0
}

/// Prints lines, each behind the process's id.
pub fn lines(text: &str) {
    // SAFETY: takes nothing.
    let pid = unsafe { sys::getpid() };
    let out: alloc::string::String = text.split('\n').map(|line| alloc::format!("{pid:10}:\t{line}\n")).collect();
    runtime::print(&out);
}

/// Prints lines of a kind if they are wanted, as `format!` makes them.
macro_rules! debug {
    ($kind:ident, $($arg:tt)*) => {
        if $crate::ld::debug::wants($crate::ld::debug::$kind) {
            $crate::ld::debug::lines(&alloc::format!($($arg)*));
        }
    };
}
pub(crate) use debug;
