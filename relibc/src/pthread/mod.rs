//! POSIX threads: `pthread.h`. Layouts are glibc's (abi/README.md): the types of the crate `libc`.
//!
//! Waiting is done on futexes inside the objects; [`stack`] maps stacks, [`list`] knows all threads.

pub mod atfork;
pub mod attr;
pub mod barrier;
pub mod cancel;
pub mod ceiling;
pub mod cond;
pub mod create;
pub mod inherit;
pub mod keys;
pub mod list;
pub mod local;
pub mod misc;
pub mod mutex;
pub mod once;
pub mod robust;
pub mod rwlock;
pub mod sem;
pub mod spin;
pub mod stack;
pub mod unwind;
