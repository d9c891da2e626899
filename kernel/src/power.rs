//! Power, entropy and the machine's name.

use crate::log;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::process::{RIGHT_NAMESPACE, RIGHT_POWER};
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

/// Longest name of the machine (Linux: __NEW_UTS_LEN).
const NAME_MAX: u64 = 64;

/// The machine's name until someone sets one: empty.
static NAME: SpinLock<Vec<u8>> = SpinLock::new(Vec::new());

/// The machine's name.
pub fn host_name() -> Vec<u8> {
    let name = NAME.lock();
    if name.is_empty() { b"ochre".to_vec() } else { name.clone() }
}

/// HOSTNAME.
pub fn hostname(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [buffer, len, set, ..] = *a;
    if set == 0 {
        let name = host_name();
        if name.len() as u64 > len {
            return Err(Errno::ERANGE);
        }
        user::copy_out(buffer, &name)?;
        return Ok(name.len());
    }
    me.process.need_right(RIGHT_NAMESPACE)?;
    if len > NAME_MAX {
        return Err(Errno::EINVAL);
    }
    let mut name = alloc::vec![0; len as usize];
    user::copy_in(&mut name, buffer)?;
    let old = core::mem::replace(&mut *NAME.lock(), name);
    drop(old);
    Ok(len as usize)
}
