//! Extended attributes: one block behind a pointer in the room that RedoxFS leaves free in a node. It holds the number of attributes (4 bytes)
//! and for each its name's length (2), its value's length (4), its name, its value.

use super::Redox;
use super::blocks::Kind;
use super::layout::{Ptr, get, level_for, node, put};
use crate::device::{BLOCK, Device};
use crate::volume::Ino;
use crate::{Errno, Result};

/// All of a node's attributes, names and values (Linux: `XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const BYTES_MAX: usize = 64 << 10;
/// A name (`XATTR_NAME_MAX`).
const NAME_MAX: usize = 255;

type Attribute = (Vec<u8>, Vec<u8>);

fn decode(bytes: &[u8]) -> Option<Vec<Attribute>> {
    let mut at = 4;
    let mut all = Vec::new();
    for _ in 0..get::<4>(bytes, 0) {
        let head = bytes.get(at..at + 6)?;
        let (name, value) = (get::<2>(head, 0) as usize, get::<4>(head, 2) as usize);
        let name_at = at + 6;
        at = name_at.checked_add(name)?.checked_add(value)?;
        all.push((bytes.get(name_at..name_at + name)?.to_vec(), bytes.get(name_at + name..at)?.to_vec()));
    }
    Some(all)
}

fn encode(all: &[Attribute]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    put::<4>(&mut bytes, 0, all.len() as u64);
    for (name, value) in all {
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
    }
    bytes.resize(BLOCK << level_for(bytes.len()), 0);
    bytes
}

impl<D: Device> Redox<D> {
    pub(super) fn read_xattrs(&mut self, ino: Ino) -> Result<Vec<Attribute>> {
        let ptr = Ptr::read(&*self.node(ino)?, node::XATTRS);
        if ptr.is_null() {
            return Ok(Vec::new());
        }
        let block = self.block(ptr)?;
        decode(&block).ok_or(Errno::EIO)
    }

    /// Checks a new attribute, and returns the attributes with it. Errors: `ERANGE`, `ENOSPC`.
    pub(super) fn with_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8]) -> Result<Vec<Attribute>> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Errno::ERANGE);
        }
        let mut all = self.read_xattrs(ino)?;
        match all.iter_mut().find(|(other, _)| other == name) {
            Some(attribute) => attribute.1 = value.to_vec(),
            None => all.push((name.to_vec(), value.to_vec())),
        }
        if all.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > BYTES_MAX {
            return Err(Errno::ENOSPC);
        }
        Ok(all)
    }

    pub(super) fn write_xattrs(&mut self, ino: Ino, all: &[Attribute]) -> Result<()> {
        let index = self.edit_node(ino)?;
        let old = Ptr::read(self.data(index)?, node::XATTRS);
        let mut new = Ptr::NULL;
        if !all.is_empty() {
            new = self.add(Kind::Leaf, encode(all))?;
            self.owned += new.blocks() as i64;
        }
        new.put(self.data_mut(index)?, node::XATTRS);
        if !old.is_null() {
            self.owned -= old.blocks() as i64;
            self.release_block(old);
        }
        self.account(ino)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all = vec![(b"user.a".to_vec(), vec![]), (vec![255; 255], vec![7; 60_000])];
        let bytes = encode(&all);
        assert_eq!(bytes.len(), 16 * BLOCK);
        assert_eq!(decode(&bytes), Some(all));
        assert_eq!(decode(&[255; BLOCK]), None);
        assert_eq!(decode(&encode(&[])), Some(vec![]));
    }
}
