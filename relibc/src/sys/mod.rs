//! The platform layer: Linux's system calls as plain functions, over two back ends.
//!
//! Every function here takes Linux's arguments (flags, struct layouts, numbers) and returns what
//! the Linux call returns: a value of zero or more, or a negated errno. Nothing here touches
//! `errno` or waits for cancellation; that is the C API's work.
//!
//! A back end supplies [`call`], which carries out a Linux call by its number, and the handful of
//! operations that are no plain calls: threads, `fork`, signal return. The table below is written
//! once and serves both; on Ochre [`call`] is a `match` over the number, which the compiler
//! folds, because every number below is a constant.
//!
//! # Safety
//! Each function has the contract of its Linux manual page (section 2): pointers are null where
//! the page allows it and otherwise valid for what the call reads or writes. The kernel checks
//! them again, so a wrong pointer is EFAULT; but a call such as `munmap` or `read` can break
//! memory that Rust code relies on, so all of them are unsafe.

#[cfg(not(ochre_backend = "ochre"))]
mod linux;
#[cfg(not(ochre_backend = "ochre"))]
use linux as backend;

#[cfg(ochre_backend = "ochre")]
mod ochre;
#[cfg(ochre_backend = "ochre")]
use ochre as backend;

mod table;

#[cfg(not(ochre_backend = "ochre"))]
pub use backend::spawn_vfork;
#[cfg(ochre_backend = "ochre")]
pub use backend::{Attributes, FileAction, spawn};
pub use backend::{
    PerThread, call, clone_thread, early_init, exit_process, exit_thread, exit_thread_unmapping, fork, late_init,
    set_fs, sigaction, start_thread, take_held_back, emulate::begin as emulate,
};
pub use table::*;

use core::ffi::c_int;

/// An error number, positive.
pub type Errno = c_int;

/// Splits a raw result into value and error.
///
/// # Errors
/// The errno that a raw result of −1 to −4095 stands for.
#[inline(always)]
pub fn result(raw: isize) -> Result<usize, Errno> {
    if (-4095..0).contains(&raw) { Err(-raw as Errno) } else { Ok(raw as usize) }
}
