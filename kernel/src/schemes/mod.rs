//! The kernel's own schemes: `/scheme/{debug,event,irq,memory,pipe,proc,serio,sys,time}`.

pub mod debug;
mod event;
pub mod irq;
mod kmsg;
mod memory;
mod pipe;
mod ports;
mod proc;
mod serio;
mod sys;
mod text;
mod time;

use crate::file::{File, Object};
use crate::thread::Thread;
use alloc::boxed::Box;
use alloc::sync::Arc;
use hal::BootInfo;
use ochre_abi::Result;
use ochre_abi::file::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH};
use ochre_hal as hal;

/// A scheme that the kernel serves itself.
pub trait KernelScheme: Sync {
    /// Opens `path`, which is below the scheme's root and without a leading '/'. ENOENT: there is no such thing; others by scheme.
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>>;

    /// The open file for `path`; `whole` is the absolute path it is opened under. A scheme may know it under another name.
    fn open_file(&self, me: &Arc<Thread>, path: &[u8], flags: u32, whole: Box<[u8]>) -> Result<Arc<File>> {
        Ok(File::with_path(self.open(me, path, flags)?, kept_flags(flags), whole))
    }
}

/// The flags of an open that stay with the open file.
fn kept_flags(flags: u32) -> u32 {
    flags & (O_ACCMODE | O_NONBLOCK | O_APPEND | O_PATH)
}

/// By name, in alphabetical order.
static SCHEMES: &[(&[u8], &dyn KernelScheme)] = &[
    (b"debug", &debug::Debug),
    (b"event", &event::Event),
    (b"irq", &irq::Irq),
    (b"memory", &memory::Memory),
    (b"pipe", &pipe::Pipe),
    (b"proc", &proc::Proc),
    (b"serio", &serio::Serio),
    (b"sys", &sys::Sys),
    (b"time", &time::Time),
];

/// The kernel scheme with this name.
pub fn find(name: &[u8]) -> Option<&'static dyn KernelScheme> {
    SCHEMES.iter().find(|(own, _)| *own == name).map(|(_, scheme)| *scheme)
}

/// Takes over what the schemes show of the boot.
pub fn init(info: &'static BootInfo) {
    sys::init(info);
}

/// Components of a path; empty ones and "." do not count.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// A whole number, decimal.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// A whole number, hexadecimal without a prefix.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(text).ok()?, 16).ok()
}
