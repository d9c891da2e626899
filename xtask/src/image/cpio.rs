//! Writing cpio archives in the "newc" format.
//!
//! Format: Linux's Documentation/driver-api/early-userspace/buffer-format.rst. In an aligned archive the data of every
//! file that has any starts on a page of the archive, so that the kernel can map it where it lies. The room before it is
//! made with NULs after the entry's name: the name is what stands before the first one.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};

/// The file type bits of a mode, as in stat(2).
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

const HEADER: u64 = 110;
const PAGE: u64 = 4096;
const TRAILER: &str = "TRAILER!!!";

/// Where the data of files starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// On a multiple of 4, as the format asks. Linux reads only such archives: it takes no name longer than a path.
    Word,
    /// On a page.
    Page,
}

/// What an entry says of its file besides the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The time of the last change, in seconds since 1970.
    pub mtime: u32,
}

/// A file of root's with these permission bits.
impl From<u32> for Meta {
    fn from(mode: u32) -> Meta {
        Meta { mode, ..Meta::default() }
    }
}

/// The number of a file in an archive, by which further names refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode(u32);

/// A file's number, and how many names it has.
struct Node {
    inode: Inode,
    names: u32,
}

/// An archive that is being written.
pub struct Archive<W> {
    out: W,
    align: Align,
    /// How much has been written.
    offset: u64,
    inode: u32,
}

impl<W: Write> Archive<W> {
    /// Starts an archive at the beginning of `out`.
    pub fn new(out: W, align: Align) -> Archive<W> {
        Archive { out, align, offset: 0, inode: 0 }
    }

    /// Goes on with an archive that holds `entries` entries in `offset` bytes and has no end yet.
    pub fn resume(out: W, align: Align, entries: u32, offset: u64) -> Archive<W> {
        Archive { out, align, offset, inode: entries }
    }

    /// Adds a folder. `path` has no leading slash, here and below.
    pub fn directory(&mut self, path: &str, meta: impl Into<Meta>) -> Result<()> {
        let inode = self.next_inode();
        self.entry(path, S_IFDIR, meta.into(), Node { inode, names: 2 }, 0, Align::Word)
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str, meta: impl Into<Meta>) -> Result<()> {
        let len = u64::try_from(target.len())?;
        let (inode, meta) = (self.next_inode(), Meta { mode: 0o777, ..meta.into() });
        self.entry(path, S_IFLNK, meta, Node { inode, names: 1 }, len, Align::Word)?;
        self.write(target.as_bytes())?;
        self.pad(4)
    }

    /// Adds a regular file of `len` bytes, which `data` must deliver.
    pub fn file(&mut self, path: &str, meta: impl Into<Meta>, len: u64, data: impl Read) -> Result<()> {
        self.file_with_names(path, meta, 1, len, data).map(|_| ())
    }

    /// Adds a regular file that has `names` names in all. The others are to follow, as [`hard_link`](Archive::hard_link)s.
    pub fn file_with_names(
        &mut self,
        path: &str,
        meta: impl Into<Meta>,
        names: u32,
        len: u64,
        data: impl Read,
    ) -> Result<Inode> {
        let align = if len == 0 { Align::Word } else { self.align };
        let inode = self.next_inode();
        self.entry(path, S_IFREG, meta.into(), Node { inode, names }, len, align)?;
        let copied = std::io::copy(&mut data.take(len), &mut self.out).with_context(|| format!("archiving /{path}"))?;
        ensure!(copied == len, "/{path} became shorter while it was archived");
        self.offset += len;
        self.pad(4)?;
        Ok(inode)
    }

    /// Adds a further name of a file that was added before: an entry without data that has its inode number. So Linux
    /// reads hard links as well (Documentation/driver-api/early-userspace/buffer-format.rst).
    pub fn hard_link(&mut self, path: &str, meta: impl Into<Meta>, names: u32, inode: Inode) -> Result<()> {
        self.entry(path, S_IFREG, meta.into(), Node { inode, names }, 0, Align::Word)
    }

    /// Ends the archive, fills up its last page, and hands `out` back.
    pub fn finish(mut self) -> Result<W> {
        self.entry(TRAILER, 0, Meta::default(), Node { inode: Inode(0), names: 1 }, 0, Align::Word)?;
        self.pad(PAGE)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn next_inode(&mut self) -> Inode {
        self.inode += 1;
        Inode(self.inode)
    }

    fn entry(&mut self, path: &str, kind: u32, meta: Meta, node: Node, len: u64, align: Align) -> Result<()> {
        ensure!(!path.is_empty() && !path.starts_with('/'), "`{path}` cannot be the name of an archive's entry");
        ensure!(!path.contains('\0'), "`{path}` has a NUL in its name");
        let len32 = u32::try_from(len).with_context(|| format!("/{path} is too large for a cpio archive"))?;
        let least = self.offset + HEADER + u64::try_from(path.len())? + 1;
        let data = match align {
            Align::Word => least.next_multiple_of(4),
            Align::Page => least.next_multiple_of(PAGE),
        };
        let name_size = match align {
            Align::Word => u64::try_from(path.len())? + 1,
            Align::Page => data - self.offset - HEADER,
        };
        let mut header = String::from("070701");
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        let Meta { mode, uid, gid, mtime } = meta;
        let name_size = u32::try_from(name_size)?;
        for field in [node.inode.0, kind | mode, uid, gid, node.names, mtime, len32, 0, 0, 0, 0, name_size, 0] {
            header.push_str(&format!("{field:08X}"));
        }
        self.write(header.as_bytes())?;
        self.write(path.as_bytes())?;
        self.zeros(data - self.offset)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).context("writing an archive")?;
        self.offset += u64::try_from(bytes.len())?;
        Ok(())
    }

    fn zeros(&mut self, count: u64) -> Result<()> {
        std::io::copy(&mut std::io::repeat(0).take(count), &mut self.out).context("writing an archive")?;
        self.offset += count;
        Ok(())
    }

    fn pad(&mut self, to: u64) -> Result<()> {
        self.zeros(self.offset.next_multiple_of(to) - self.offset)
    }
}

/// The number of entries of a finished archive, and where its end begins, which more entries can replace.
pub fn end(archive: &[u8]) -> Result<(u32, u64)> {
    let mut at = 0;
    let mut entries = 0;
    loop {
        let field = |index: usize| {
            let start = at + 6 + 8 * index;
            let digits = archive.get(start..start + 8).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()).context("a damaged archive")
        };
        let (len, name_size) = (field(6)?, field(11)?);
        let name = at + HEADER as usize;
        if archive.get(name..).is_some_and(|name| name.starts_with(TRAILER.as_bytes())) {
            return Ok((entries, u64::try_from(at)?));
        }
        entries += 1;
        at = ((name + name_size).next_multiple_of(4) + len).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An entry as read back: name, mode, data, and where the data starts.
    type Entry = (String, u32, Vec<u8>, usize);

    fn read(archive: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            let field =
                |i: usize| u32::from_str_radix(str::from_utf8(&archive[at + 6 + 8 * i..][..8]).unwrap(), 16).unwrap();
            assert_eq!(&archive[at..at + 6], b"070701");
            let (mode, len, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = archive[at + 110..][..name_size].split(|b| *b == 0).next().unwrap();
            let data = (at + 110 + name_size).next_multiple_of(4);
            if name == TRAILER.as_bytes() {
                return entries;
            }
            let name = String::from_utf8(name.into()).unwrap();
            entries.push((name, mode, archive[data..data + len].into(), data));
            at = (data + len).next_multiple_of(4);
        }
    }

    #[test]
    fn holds_folders_links_and_files() {
        let mut archive = Archive::new(Vec::new(), Align::Page);
        archive.directory("etc", 0o755).unwrap();
        archive.file("etc/motd", 0o644, 5, &b"hello"[..]).unwrap();
        archive.symlink("motd", "etc/motd", 0).unwrap();
        archive.file("empty", 0o600, 0, &b""[..]).unwrap();
        let bytes = archive.finish().unwrap();
        let entries = read(&bytes);
        let brief: Vec<_> = entries.iter().map(|(name, mode, data, _)| (name.as_str(), *mode, &data[..])).collect();
        assert_eq!(
            brief,
            [
                ("etc", 0o040_755, &b""[..]),
                ("etc/motd", 0o100_644, b"hello"),
                ("motd", 0o120_777, b"etc/motd"),
                ("empty", 0o100_600, b"")
            ]
        );
    }

    #[test]
    fn more_entries_can_follow() {
        let mut archive = Archive::new(Vec::new(), Align::Page);
        archive.file("a", 0o644, 1, &b"a"[..]).unwrap();
        let mut bytes = archive.finish().unwrap();
        let (entries, offset) = end(&bytes).unwrap();
        bytes.truncate(offset as usize);
        let mut archive = Archive::resume(bytes, Align::Page, entries, offset);
        archive.file("b", 0o644, 1, &b"b"[..]).unwrap();
        let bytes = archive.finish().unwrap();
        let entries = read(&bytes);
        let brief: Vec<_> = entries.iter().map(|(name, _, data, at)| (name.as_str(), &data[..], at % 4096)).collect();
        assert_eq!(brief, [("a", &b"a"[..], 0), ("b", &b"b"[..], 0)]);
        assert_eq!(bytes.len() % 4096, 0);
    }

    #[test]
    fn further_names_share_the_number() {
        let mut archive = Archive::new(Vec::new(), Align::Word);
        let meta = Meta { mode: 0o4755, uid: 1, gid: 42, mtime: 77 };
        let inode = archive.file_with_names("a", meta, 2, 1, &b"x"[..]).unwrap();
        archive.file("b", 0o644, 0, &b""[..]).unwrap();
        archive.hard_link("c", meta, 2, inode).unwrap();
        let bytes = archive.finish().unwrap();
        let numbers = |at: usize| {
            [0, 2, 3, 4, 5]
                .map(|i| u32::from_str_radix(str::from_utf8(&bytes[at + 6 + 8 * i..][..8]).unwrap(), 16).unwrap())
        };
        let (a, b) = (0, 116);
        let c = b + 112;
        assert_eq!([numbers(a), numbers(c)], [[1, 1, 42, 2, 77]; 2]);
        assert_eq!(numbers(b), [2, 0, 0, 1, 0]);
    }

    #[test]
    fn refuses_bad_names_and_short_files() {
        let mut archive = Archive::new(Vec::new(), Align::Page);
        assert!(archive.directory("/etc", 0o755).is_err());
        assert!(archive.directory("", 0o755).is_err());
        assert!(archive.file("a", 0o644, 2, &b"x"[..]).is_err());
    }

    proptest! {
        #[test]
        fn data_starts_on_a_page_and_comes_back(
            files in proptest::collection::vec(("[a-z]{1,200}", proptest::collection::vec(any::<u8>(), 0..9000)), 0..12)
        ) {
            let mut archive = Archive::new(Vec::new(), Align::Page);
            for (name, data) in &files {
                archive.file(name, 0o644, data.len() as u64, &data[..]).unwrap();
            }
            let bytes = archive.finish().unwrap();
            prop_assert_eq!(bytes.len() % 4096, 0);
            let entries = read(&bytes);
            prop_assert_eq!(entries.len(), files.len());
            for ((name, data), (read_name, _, read_data, at)) in files.iter().zip(&entries) {
                prop_assert_eq!(name, read_name);
                prop_assert_eq!(data, read_data);
                prop_assert!(data.is_empty() || at % 4096 == 0);
            }
        }
    }
}
