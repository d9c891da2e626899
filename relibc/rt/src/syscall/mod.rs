//! A thin typed function for every native system call (numbers and meanings: [`ochre_abi::syscall`]).
//!
//! Functions that take slices and references are safe: the kernel checks every address and length, and touches only what was
//! lent. Functions that take raw addresses, or that change mappings or the flow of control, are `unsafe`; their names end in
//! `_raw` where a safe form stands beside them. Times are nanoseconds; [`FOREVER`] is no timeout.

pub mod raw;

mod handle;
mod memory;
mod misc;
mod port;
mod process;
mod signal;
mod socket;
mod thread;
mod time;
mod wait;

pub use handle::*;
pub use memory::*;
pub use misc::*;
pub use ochre_abi::syscall::FOREVER;
pub use port::*;
pub use process::*;
pub use signal::*;
pub use socket::*;
pub use thread::*;
pub use time::*;
pub use wait::*;

use ochre_abi::Result;
use ochre_abi::errno::decode;

/// A system call whose arguments are numbers, or addresses of slices and references that the caller lends.
///
/// `sys!(NUMBER, arguments…)`: each argument is cast to u64 (i32 with its sign); the value is a `Result<usize>`.
macro_rules! sys {
    ($name:ident $(, $arg:expr)*) => {{
        let args = [$($arg as u64),*];
        // SAFETY: the kernel touches only what the arguments lend; functions for which that is not enough are unsafe themselves.
        unsafe { $crate::syscall::native(ochre_abi::syscall::$name, args) }
    }};
}
pub(crate) use sys;

/// Makes a system call with up to six arguments and decodes its result.
///
/// # Safety
/// As [`raw::syscall6`].
#[inline(always)]
pub(crate) unsafe fn native<const N: usize>(number: u64, args: [u64; N]) -> Result<usize> {
    let arg = |index: usize| args.get(index).copied().unwrap_or(0);
    // SAFETY: the caller's contract.
    decode(unsafe {
        match N {
            0 => raw::syscall0(number),
            1 => raw::syscall1(number, arg(0)),
            2 => raw::syscall2(number, arg(0), arg(1)),
            3 => raw::syscall3(number, arg(0), arg(1), arg(2)),
            4 => raw::syscall4(number, arg(0), arg(1), arg(2), arg(3)),
            5 => raw::syscall5(number, arg(0), arg(1), arg(2), arg(3), arg(4)),
            _ => raw::syscall6(number, arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)),
        }
    })
}

/// The value of a call that returns nothing.
fn unit(result: Result<usize>) -> Result<()> {
    result.map(|_| ())
}

/// The value of a call that returns a descriptor, pid or tid.
fn id(result: Result<usize>) -> Result<i32> {
    result.map(|value| value as i32)
}

/// The address of an optional reference, 0 for none.
fn address<T>(value: Option<&T>) -> u64 {
    value.map_or(0, |value| core::ptr::from_ref(value) as u64)
}

/// The address of an optional mutable reference, 0 for none.
fn address_mut<T>(value: Option<&mut T>) -> u64 {
    value.map_or(0, |value| core::ptr::from_mut(value) as u64)
}
