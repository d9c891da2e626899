//! Making a volume.

use redoxfs::{Header, SIGNATURE, VERSION};

use super::layout::RING;
use super::{Options, Redox};
use crate::device::{BLOCK, Device};
use crate::volume::{NewNode, Time, kind};
use crate::{Errno, Result};

/// The smallest volume: its headers and 2 MiB.
const SMALLEST: u64 = RING + 512;

/// How a volume is made. The same values make the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The number that tells this volume from others.
    pub uuid: [u8; 16],
    /// The root directory's times.
    pub time: Time,
    /// The root directory's permission bits.
    pub mode: u32,
    /// How the new volume is opened.
    pub options: Options,
}

impl Default for Format {
    fn default() -> Format {
        Format { uuid: [0; 16], time: 0, mode: 0o755, options: Options::default() }
    }
}

/// Makes an empty volume on the whole device, whatever was there, and opens it. Errors: `ENOSPC` if the device has less than 3 MiB; `EROFS`.
pub fn format<D: Device>(mut device: D, how: &Format) -> Result<Redox<D>> {
    let blocks = device.len() / BLOCK as u64;
    if blocks < SMALLEST {
        return Err(Errno::ENOSPC);
    }
    // Headers of a file system that was here before must not be taken for newer ones.
    device.write(0, &vec![0; RING as usize * BLOCK])?;
    let header = Header {
        signature: *SIGNATURE,
        version: VERSION.into(),
        uuid: how.uuid,
        size: (blocks * BLOCK as u64).into(),
        ..Header::default()
    };
    let mut volume = Redox::with(device, header, how.options);
    volume.free.add(RING, blocks - RING);
    volume.plant_tree()?;
    let root = NewNode { mode: kind::DIRECTORY | how.mode, uid: 0, gid: 0, rdev: 0, time: how.time, target: &[] };
    let ino = volume.new_node(&root)?;
    // Redox' own programs expect one link here.
    volume.set_links(ino, 1)?;
    volume.commit_now()?;
    Ok(volume)
}
