//! Reads a cpio archive of the "newc" kind (cpio(5)) through a function that reads at an offset. Pure.
//!
//! Names are cut at their first NUL: archives of ours lengthen the name's field so that each file's data start on a page.

use alloc::vec;
use alloc::vec::Vec;
use ochre_abi::{Errno, Result};

const HEADER: usize = 110;
const MAGIC: &[u8] = b"070701";
const END: &[u8] = b"TRAILER!!!";

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, without a leading slash.
    pub name: Vec<u8>,
    /// Names of one file have the same number.
    pub inode: u32,
    /// How many names the file has.
    pub names: u32,
    /// With the type's bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    pub device: u64,
    /// Where its data are in the archive.
    pub offset: u64,
    pub size: u64,
}

/// The entry at an offset and where the next one starts; `None` at the archive's end. EIO if the archive is damaged.
///
/// `read` fills its buffer from an offset as far as it can, and says how far.
pub fn entry(mut read: impl FnMut(u64, &mut [u8]) -> Result<usize>, offset: u64) -> Result<Option<(Entry, u64)>> {
    let mut header = [0; HEADER];
    if read(offset, &mut header)? != HEADER || !header.starts_with(MAGIC) {
        return Err(Errno::EIO);
    }
    let field = |index: usize| {
        let start = MAGIC.len() + 8 * index;
        let digits = header.get(start..start + 8).and_then(|digits| core::str::from_utf8(digits).ok());
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or(Errno::EIO)
    };
    let name_size = field(11)? as usize;
    // Names padded to a page are at most a page and a path long.
    if name_size == 0 || name_size > 3 * 4096 {
        return Err(Errno::EIO);
    }
    let mut name = vec![0; name_size];
    if read(offset + HEADER as u64, &mut name)? != name_size {
        return Err(Errno::EIO);
    }
    let end = name.iter().position(|&byte| byte == 0).ok_or(Errno::EIO)?;
    name.truncate(end);
    if name == END {
        return Ok(None);
    }
    let relative = name.iter().position(|&byte| byte != b'/').unwrap_or(name.len());
    name.drain(..relative);
    let data = (offset + (HEADER + name_size) as u64).next_multiple_of(4);
    let size = u64::from(field(6)?);
    let entry = Entry {
        name,
        inode: field(0)?,
        names: field(4)?,
        mode: field(1)?,
        uid: field(2)?,
        gid: field(3)?,
        mtime: field(5)?,
        device: makedev(field(9)?, field(10)?),
        offset: data,
        size,
    };
    Ok(Some((entry, (data + size).next_multiple_of(4))))
}

/// makedev(3) of glibc.
fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & 0xfff) << 8 | (major & !0xfff) << 32 | minor & 0xff | (minor & !0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(archive: &mut Vec<u8>, name: &[u8], mode: u32, data: &[u8]) {
        let fields = [1, mode, 2, 3, 1, 77, data.len() as u32, 0, 0, 1, 3, name.len() as u32, 0];
        archive.extend_from_slice(MAGIC);
        fields.iter().for_each(|field| archive.extend_from_slice(format!("{field:08x}").as_bytes()));
        archive.extend_from_slice(name);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }

    fn reader(archive: &[u8]) -> impl FnMut(u64, &mut [u8]) -> Result<usize> {
        |offset, buffer| {
            let rest = archive.get(offset as usize..).unwrap_or(&[]);
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        }
    }

    #[test]
    fn reads_padded_names_and_data() {
        let mut archive = Vec::new();
        put(&mut archive, b"a/b\0\0\0\0\0", 0o100755, b"hello");
        put(&mut archive, b"/dev/null\0", 0o020666, b"");
        put(&mut archive, b"TRAILER!!!\0", 0, b"");
        let (first, next) = entry(reader(&archive), 0).unwrap().unwrap();
        assert_eq!((first.name.as_slice(), first.mode, first.mtime), (&b"a/b"[..], 0o100755, 77));
        assert_eq!((first.inode, first.names), (1, 1));
        assert_eq!(&archive[first.offset as usize..][..first.size as usize], b"hello");
        let (second, next) = entry(reader(&archive), next).unwrap().unwrap();
        assert_eq!((second.name.as_slice(), second.device), (&b"dev/null"[..], 0x103));
        assert_eq!(entry(reader(&archive), next), Ok(None));
        assert_eq!(entry(reader(&archive), next + 4), Err(Errno::EIO));
    }

    proptest! {
        #[test]
        fn damage_is_an_error(noise in proptest::collection::vec((0usize..300, any::<u8>()), 1..9), len in 0usize..300) {
            let mut archive = Vec::new();
            put(&mut archive, b"some/name\0", 0o100644, &[7; 50]);
            put(&mut archive, b"TRAILER!!!\0", 0, b"");
            archive.resize(300, 0);
            noise.into_iter().for_each(|(at, byte)| archive[at] = byte);
            archive.truncate(300 - len / 3);
            let mut offset = 0;
            while let Ok(Some((_, next))) = entry(reader(&archive), offset) {
                prop_assert!(next > offset);
                offset = next;
            }
        }
    }
}
