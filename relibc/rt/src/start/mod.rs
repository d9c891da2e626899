//! Start-up for programs without a C library: [`crate::program!`] makes one.
//!
//! Such a program gets no arguments; it begins on the stack that the kernel gave it, with all of its segments mapped. Its heap
//! grows by mmap, its threads have no thread-local storage, its panics go to the kernel log and end the process.

mod heap;
mod lock;
#[doc(hidden)]
pub mod mem;
mod thread;

pub use heap::{Heap, heap};
pub use lock::{Lock, RawFutex};
pub use thread::spawn;

use crate::syscall;
use core::fmt::{self, Write};

/// Levels of the kernel log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes a line of the kernel log; what is beyond 240 bytes is cut.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 240], len: 0 };
    // Only cutting can go wrong, and that is said above.
    let _ = line.write_fmt(message);
    // There is nowhere else to complain.
    let _ = syscall::log(level as u64, line.bytes.get(..line.len).unwrap_or(&[]));
}

struct Line {
    bytes: [u8; 240],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.bytes.get_mut(self.len).ok_or(fmt::Error)? = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// Logs a panic and ends the process as abort(3) does.
pub fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    log(Level::Error, format_args!("{info}"));
    syscall::exit(ochre_abi::process::EXIT_SIGNAL | u64::from(ochre_abi::signal::SIGABRT))
}

/// Makes a program without a C library of a crate that is `no_std` and `no_main`: `program!(main)` with `fn main() -> i32`.
///
/// It supplies the entry point, the panic handler, the heap, and the memory functions that the compiler calls.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[global_allocator]
        static HEAP: $crate::start::Heap = $crate::start::heap();

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::start::panicked(info)
        }

        // The kernel enters with an undefined frame pointer and a stack that need not be aligned.
        core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "xor ebp, ebp",
            "and rsp, -16",
            "call {begin}",
            "ud2",
            // Prebuilt `core` and `alloc` name these two, but nothing unwinds here.
            ".globl rust_eh_personality, _Unwind_Resume",
            "rust_eh_personality:",
            "_Unwind_Resume:",
            "ud2",
            begin = sym begin,
        );

        extern "C" fn begin() -> ! {
            let main: fn() -> i32 = $main;
            $crate::syscall::exit(main() as u32 as u64)
        }

        $crate::memory_functions!();
    };
}
