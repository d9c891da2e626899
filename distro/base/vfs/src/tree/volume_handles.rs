//! Handles over a volume: ids by which the next server can go on with them, and listings.

use super::handles::{Access, Handle};
use super::node::Ino;
use super::{Fs, Store};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ochre_abi::file::{DT_UNKNOWN, S_IFMT};
use ochre_abi::{Errno, Result};

/// Of a volume's file the id of a handle tells all that a server that takes it over has to know: the node's number in the low 32 bits, a
/// number of its own in the next 13, then 16 that tell the node from others that had its number before or have it since, and these.
const WRITABLE: u64 = 1 << 61;
const READABLE: u64 = 1 << 62;
const SERIAL_SHIFT: u32 = 32;
const SERIAL_MASK: u64 = (1 << 13) - 1;
const BIRTH_SHIFT: u32 = 45;

impl<S: Store> Fs<S> {
    /// ENFILE: as many handles as the ids of one file can tell apart.
    pub(super) fn telling_id(&mut self, ino: Ino, access: Access) -> Result<u64> {
        let mode = if access.readable { READABLE } else { 0 } | if access.writable { WRITABLE } else { 0 };
        let fixed = mode | self.birth(ino)? << BIRTH_SHIFT | ino & u64::from(u32::MAX);
        for _ in 0..=SERIAL_MASK {
            self.next_handle += 1;
            let id = fixed | (self.next_handle & SERIAL_MASK) << SERIAL_SHIFT;
            if self.handles.get(id).is_none() {
                return Ok(id);
            }
        }
        Err(Errno::ENFILE)
    }

    /// 16 bits of the time at which the volume's node was made: the number may be another's after a crash.
    fn birth(&mut self, ino: Ino) -> Result<u64> {
        if let Some(birth) = self.node(ino)?.birth {
            return Ok(birth.into());
        }
        let time = self.store.volume().ok_or(Errno::EIO)?.attributes(ino)?.btime as u64;
        // The high bits of a product depend on all bits (Knuth's multiplicative hash).
        let birth = (time.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16;
        self.node_mut(ino)?.birth = Some(birth);
        Ok(birth.into())
    }

    /// Takes over a handle that a server before this one opened on the same volume: the node's number. ENOENT, EIO or
    /// ESTALE if it is gone.
    pub fn adopt(&mut self, handle: u64) -> Result<Ino> {
        let ino = handle & u64::from(u32::MAX);
        self.recall(ino)?;
        if handle >> BIRTH_SHIFT & u64::from(u16::MAX) != self.birth(ino)? {
            return Err(Errno::ESTALE);
        }
        if self.node(ino)?.opens == 0
            && let Some(volume) = self.store.volume()
        {
            volume.hold(ino)?;
        }
        let (readable, writable) = (handle & READABLE != 0, handle & WRITABLE != 0);
        let node = self.node_mut(ino)?;
        node.opens += 1;
        if writable {
            node.writers += 1;
        }
        node.written = true;
        // Somebody may have written who has closed it since.
        self.unsaved(ino);
        self.handles.insert(handle, Handle { ino, readable, writable, listing: None });
        Ok(ino)
    }

    /// [`Self::list`] of a volume's directory.
    pub(super) fn list_volume(
        &mut self,
        handle: u64,
        position: u64,
        mut emit: impl FnMut(Ino, u64, u8, &[u8]) -> bool,
    ) -> Result<u64> {
        let Self { store, handles, nodes, .. } = self;
        let handle = handles.get_mut(handle).ok_or(Errno::EBADF)?;
        let node = nodes.get(handle.ino).ok_or(Errno::EBADF)?;
        let parent = node.directory().ok_or(Errno::ENOTDIR)?.parent;
        let volume = store.volume().ok_or(Errno::EIO)?;
        if position == 0 || handle.listing.is_none() {
            let mut entries = Vec::new();
            // A directory that was removed has no entries, and no place on the volume that could be read by name.
            if node.attributes.nlink > 0 {
                volume.entries(handle.ino, &mut |name, ino| entries.push((name.into(), ino)))?;
            }
            handle.listing = Some(Box::new(entries));
        }
        let listing = handle.listing.as_deref().map_or(&[][..], Vec::as_slice);
        let mut next = position;
        let dots: [(&[u8], Ino); 2] = [(b".", handle.ino), (b"..", parent)];
        let named = listing.iter().map(|(name, ino)| (&**name, *ino));
        for (position, (name, ino)) in (0..).zip(dots.into_iter().chain(named)).skip(position as usize) {
            let kind = match nodes.get(ino) {
                Some(node) => node.entry_type(),
                // The numbers of DT_ are those of S_IF without the low bits. What is gone meanwhile has no type any more.
                None => {
                    volume.attributes(ino).map_or(DT_UNKNOWN, |attributes| ((attributes.mode & S_IFMT) >> 12) as u8)
                }
            };
            if !emit(ino, position + 1, kind, name) {
                break;
            }
            next = position + 1;
        }
        Ok(next)
    }
}
