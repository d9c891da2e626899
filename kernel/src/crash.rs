//! What is told of a user program that dies by an exception.

use crate::thread::Thread;
use crate::{log, user};
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::Write;
use hal::UserRegs;
use ochre_hal as hal;

/// Return addresses that are listed at the most.
const FRAMES_MAX: usize = 32;

/// Logs a line that names program, signal and address, and where the code stood, by its frame pointers.
pub fn report(me: &Arc<Thread>, regs: &UserRegs, signal: u32, addr: u64) {
    let name = me.name();
    let name = core::str::from_utf8(&name).unwrap_or("?").trim_end_matches('\0');
    log::write(
        hal::Level::Warn,
        format_args!(
            "{name}[{}.{}]: {} at address {addr:#x}, rip {:#x}, rsp {:#x}",
            me.process.pid,
            me.tid,
            signal_name(signal),
            regs.rip,
            regs.rsp
        ),
    );
    place(me, regs.rip);
    let mut frame = regs.rbp;
    for _ in 0..FRAMES_MAX {
        // A frame record: the caller's rbp, then the return address.
        let mut record = [0u8; 16];
        if frame == 0 || frame % 8 != 0 || user::copy_in(&mut record, frame).is_err() {
            break;
        }
        let (next, back) = record.split_at(8);
        let next = u64::from_le_bytes([next[0], next[1], next[2], next[3], next[4], next[5], next[6], next[7]]);
        let back = u64::from_le_bytes([back[0], back[1], back[2], back[3], back[4], back[5], back[6], back[7]]);
        if back == 0 {
            break;
        }
        place(me, back);
        if next <= frame {
            break;
        }
        frame = next;
    }
}

/// Logs `  at FILE+0xOFFSET` for a code address, as `cargo xtask symbolise` reads it.
fn place(me: &Arc<Thread>, addr: u64) {
    let mut line = String::new();
    me.process.space().areas(&mut |area| {
        if (area.start as u64..area.end as u64).contains(&addr) {
            if let Some(path) = &area.path {
                let offset = addr - area.start as u64 + area.offset;
                let _ = write!(line, "  at {}+{offset:#x}", String::from_utf8_lossy(path));
            }
        }
    });
    if line.is_empty() {
        let _ = write!(line, "  at {addr:#x}");
    }
    log::write(hal::Level::Warn, format_args!("{line}"));
}

/// The name of a signal that exceptions cause.
fn signal_name(signal: u32) -> &'static str {
    use ochre_abi::signal::*;
    match signal {
        SIGSEGV => "SIGSEGV",
        SIGBUS => "SIGBUS",
        SIGILL => "SIGILL",
        SIGFPE => "SIGFPE",
        SIGTRAP => "SIGTRAP",
        _ => "signal",
    }
}
