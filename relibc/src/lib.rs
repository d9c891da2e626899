//! Ochre's C library: the glibc x86-64 ABI, and the dynamic loader, in one shared object.
//!
//! `libc.so.6` and `ld-linux-x86-64.so.2` are the same file, as in musl: one copy of the memory
//! allocator, of thread creation and of the loader's tables serves both. The C API (`src/`) and
//! the loader (`ld/`) stand on one platform layer, [`sys`], which has Linux's functions with
//! Linux's meanings and two implementations: raw Linux system calls, and Ochre's.
//!
//! # Exported names
//! C names are exported only under `panic = "abort"`, the profile `libc.so.6` is built with. A
//! test build (`cargo test`, which unwinds) runs on the host's C library and must not replace it.
//!
//! # Safety
//! Functions of the C API are `unsafe extern "C"`: their contract is the one of the manual page of
//! that name. Pointers are valid for what the page says the function reads or writes, strings end in
//! NUL, and objects such as mutexes were initialised. Their bodies rely on that contract, and only
//! that, at each dereference of an argument; where a body needs more, a `SAFETY` comment says what.

#![cfg_attr(not(test), no_std)]
#![allow(clippy::missing_safety_doc, reason = "the contract above holds for every C function")]
#![allow(unsafe_op_in_unsafe_fn, reason = "same: a C function's body is under its contract")]
#![allow(non_upper_case_globals, non_snake_case, reason = "C names stand as they are")]

extern crate alloc;
#[cfg(panic = "abort")]
extern crate relibc_missing as _;

#[macro_use]
mod macros;
#[macro_use]
pub mod va;
#[macro_use]
pub mod x87;

#[path = "../ld/mod.rs"]
pub mod ld;
pub mod sys;

pub mod argz;
pub mod arithmetic;
pub mod auxv;
pub mod backtrace;
pub mod context;
pub mod ctype;
pub mod database;
pub mod dirent;
pub mod dirname;
pub mod env;
pub mod errno;
pub mod exit;
#[cfg(test)]
mod exports;
pub mod error;
pub mod fcntl;
pub mod fenv;
pub mod fnmatch;
pub mod fortify;
pub mod fts;
pub mod ftw;
pub mod getopt;
pub mod glob;
pub mod grp;
pub mod heap;
pub mod inet;
pub mod iconv;
pub mod locale;
pub mod lock;
pub mod math;
pub mod messages;
pub mod mman;
pub mod mntent;
pub mod netdb;
pub mod numbers;
pub mod obstack;
pub mod poll;
pub mod process;
pub mod pthread;
pub mod pty;
pub mod pwd;
pub mod random;
pub mod regex;
pub mod resolver;
mod runtime;
pub mod scandir;
pub mod sched;
pub mod search;
pub mod setjmp;
pub mod shadow;
pub mod shm;
pub mod signal;
pub mod socket;
pub mod sort;
pub mod spawn;
pub mod start;
pub mod stat;
pub mod stdio;
pub mod stdlib;
pub mod string;
pub mod sysconf;
pub mod syslog;
pub mod tempfile;
pub mod termios;
#[macro_use]
pub mod thin;
pub mod thread;
pub mod threads;
pub mod time;
pub mod ttyent;
pub mod ttyname;
pub mod unistd;
pub mod utmp;
pub mod wide;
