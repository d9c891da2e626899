//! Power and entropy.

use crate::log;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use ochre_abi::process::RIGHT_POWER;
use ochre_abi::syscall::{POWER_EXIT_VM, POWER_OFF, POWER_REBOOT};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// POWER: does not return if it works.
pub fn power(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_POWER)?;
    match a[0] {
        POWER_OFF => hal::power_off(),
        POWER_REBOOT => hal::reboot(),
        POWER_EXIT_VM => {
            log::write(hal::Level::Info, format_args!("leaving the virtual machine with {:#x}", a[1] as u8));
            hal::exit_vm(a[1] as u8)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// ENTROPY.
pub fn entropy(_: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let len = a[1].min(256) as usize;
    let mut bytes = [0u8; 256];
    for chunk in bytes[..len].chunks_mut(8) {
        let word = hal::random::entropy().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    user::copy_out(a[0], &bytes[..len])?;
    Ok(len)
}
