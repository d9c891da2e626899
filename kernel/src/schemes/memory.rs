//! `/scheme/memory`: memory objects as files.
//!
//! - `memory/device/ADDRESS/LENGTH/CACHE`: device memory, hexadecimal; CACHE is `uncached` (also if it is left out), `write-combining`
//!   or `write-back`. Needs RIGHT_DEVICE; EPERM for RAM and what the kernel drives itself.
//! - `memory/anonymous`: an empty object; ftruncate gives it a size.
//! - `memory/ports/BASE/LENGTH`: I/O ports ([`super::ports`]).
//! - `memory/stat`: how much there is.

use super::ports::PortRange;
use super::text::{Directory, Text};
use super::{KernelScheme, components, hexadecimal, sys};
use crate::file::Object;
use crate::io::need_room;
use crate::mm::object::MemoryObject;
use crate::mm::object_file::MemoryFile;
use crate::thread::Thread;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::device::DeviceRange;
use hal::paging::Cache;
use ochre_abi::process::RIGHT_DEVICE;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The scheme.
pub struct Memory;

impl KernelScheme for Memory {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let parts: Vec<&[u8]> = components(path).collect();
        match parts[..] {
            [] => Directory::of_files(flags, &["anonymous", "device", "ports", "stat"]),
            [b"stat"] => Text::open(flags, sys::memory),
            [b"anonymous"] => {
                need_room(0)?;
                let account = me.process.space().account().clone();
                Ok(Arc::new(MemoryFile::new(MemoryObject::anonymous_for(0, account))))
            }
            [b"device", address, len] => device(me, address, len, Cache::Uncached),
            [b"device", address, len, b"uncached"] => device(me, address, len, Cache::Uncached),
            [b"device", address, len, b"write-combining"] => device(me, address, len, Cache::WriteCombining),
            [b"device", address, len, b"write-back"] => device(me, address, len, Cache::WriteBack),
            [b"ports", base, len] => {
                me.process.need_right(RIGHT_DEVICE)?;
                need_room(0)?;
                let (Some(base), Some(len)) = (hexadecimal(base), hexadecimal(len)) else { return Err(Errno::ENOENT) };
                PortRange::open(base, len)
            }
            _ => Err(Errno::ENOENT),
        }
    }
}

fn device(me: &Arc<Thread>, address: &[u8], len: &[u8], cache: Cache) -> Result<Arc<dyn Object>> {
    me.process.need_right(RIGHT_DEVICE)?;
    need_room(0)?;
    let (Some(address), Some(len)) = (hexadecimal(address), hexadecimal(len)) else { return Err(Errno::ENOENT) };
    let range = DeviceRange::claim(address, len).ok_or(Errno::EPERM)?;
    Ok(Arc::new(MemoryFile::new(MemoryObject::device(range, cache))))
}
