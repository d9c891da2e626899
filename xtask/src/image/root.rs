//! The root file system: the image's tree on a volume of RedoxFS, in a file.

use super::cpio::Meta;
use super::debian::Part;
use super::items::{Entry, Item};
use anyhow::{Context, Result, anyhow};
use ochre_volume::redox::{Format, Options, format};
use ochre_volume::{Ino, NewNode, Time, Volume, kind};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use uuid::Uuid;

/// How much of a file is written at once.
const PIECE: usize = 1 << 20;
/// The unit of room in the file system, and what a node takes beside its content.
const BLOCK: u64 = 4096;
const NODE: u64 = 2 * BLOCK;
/// What an empty file system takes.
const LEAST: u64 = 4 << 20;
const NANOSECONDS: Time = 1_000_000_000;

/// What is filled.
struct Filler<'a, V> {
    volume: &'a mut V,
    /// The folders by path; the root's is empty.
    folders: BTreeMap<String, Ino>,
    /// The first name's node of each part that may have more.
    parts: BTreeMap<Part, Ino>,
    /// The time of what has none of its own, in seconds since 1970.
    time: u64,
}

/// Puts the things into an empty volume, with all that an image says of them.
pub fn fill<V: Volume>(volume: &mut V, items: &BTreeMap<String, Item>, time: u64) -> Result<()> {
    let root = volume.root();
    let mut filler = Filler { volume, folders: BTreeMap::from([(String::new(), root)]), parts: BTreeMap::new(), time };
    // Sorted, so that a folder that was asked for comes before what is in it.
    for (path, item) in items {
        filler.add(path, item).with_context(|| format!("cannot make /{path}"))?;
    }
    volume.commit().context("cannot finish the file system")
}

impl<V: Volume> Filler<'_, V> {
    fn add(&mut self, path: &str, item: &Item) -> Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder)?;
        match item.entry()? {
            Entry::Directory(meta) => {
                if !self.folders.contains_key(path) {
                    let ino = self.node(folder, name, kind::DIRECTORY, meta, b"", None)?;
                    self.folders.insert(path.to_owned(), ino);
                }
            }
            Entry::Link(meta, target) => {
                let meta = Meta { mode: 0o777, ..meta };
                self.node(folder, name, kind::SYMLINK, meta, target.as_bytes(), None)?;
            }
            Entry::Data(meta, mut data) => {
                self.node(folder, name, kind::FILE, meta, b"", Some(&mut data))?;
            }
            Entry::File(meta, file) => {
                let mut open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
                self.node(folder, name, kind::FILE, meta, b"", Some(&mut open))?;
            }
            Entry::Part(meta, part) => match self.parts.get(part) {
                Some(ino) => self.volume.link(folder, name.as_bytes(), *ino)?,
                None => {
                    let ino = self.node(folder, name, kind::FILE, meta, b"", Some(&mut part.open()?))?;
                    self.parts.insert(part.clone(), ino);
                }
            },
        }
        Ok(())
    }

    /// The folder of this path, which is made if nothing has asked for it.
    fn folder(&mut self, path: &str) -> Result<Ino> {
        if let Some(ino) = self.folders.get(path) {
            return Ok(*ino);
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.folder(above)?;
        let ino = self.node(above, name, kind::DIRECTORY, 0o755.into(), b"", None)?;
        self.folders.insert(path.to_owned(), ino);
        Ok(ino)
    }

    fn node(
        &mut self,
        folder: Ino,
        name: &str,
        kind: u32,
        meta: Meta,
        target: &[u8],
        data: Option<&mut dyn Read>,
    ) -> Result<Ino> {
        let seconds = if meta.mtime == 0 { self.time } else { meta.mtime.into() };
        let time = Time::from(seconds) * NANOSECONDS;
        let new = NewNode { mode: kind | meta.mode, uid: meta.uid, gid: meta.gid, rdev: 0, time, target };
        let ino = self.volume.create(&new)?;
        self.volume.link(folder, name.as_bytes(), ino)?;
        if let Some(data) = data {
            let mut piece = Vec::with_capacity(PIECE);
            let mut at = 0;
            while (&mut *data).take(PIECE as u64).read_to_end(&mut piece)? > 0 {
                self.volume.write(ino, at, &piece)?;
                at += piece.len() as u64;
                piece.clear();
            }
        }
        self.volume.release(ino)?;
        Ok(ino)
    }
}

/// Makes the image `out` with `free` bytes of room beside what is in it. `id` tells this file system from others.
pub fn make(out: &Path, items: &BTreeMap<String, Item>, free: u64, time: u64, id: Uuid) -> Result<()> {
    let mut bytes = 0;
    for (path, item) in items {
        bytes += len(item).with_context(|| format!("/{path}"))?.next_multiple_of(BLOCK) + NODE;
    }
    let size = (bytes + bytes / 32 + free + LEAST).next_multiple_of(1 << 20);
    let problem = || format!("cannot write {}", out.display());
    let file = File::options().read(true).write(true).create(true).truncate(true).open(out).with_context(problem)?;
    file.set_len(size).with_context(problem)?;
    let how = Format {
        uuid: id.into_bytes(),
        time: Time::from(time) * NANOSECONDS,
        options: Options { dirty_limit: 64 << 20, ..Options::default() },
        ..Format::default()
    };
    let device = ochre_volume::device::File::new(file, false).with_context(problem)?;
    let mut volume = format(device, &how).map_err(|error| anyhow!("{error}")).with_context(problem)?;
    fill(&mut volume, items, time)
}

fn len(item: &Item) -> Result<u64> {
    Ok(match item.entry()? {
        Entry::Directory(_) | Entry::Link(..) => 0,
        Entry::Data(_, data) => data.len() as u64,
        Entry::File(_, file) => std::fs::metadata(file)?.len(),
        Entry::Part(_, part) => part.len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::config::{Content, Node};
    use crate::image::debian::Member;
    use ochre_volume::device::File as Device;
    use ochre_volume::redox::Redox;

    fn lookup(volume: &mut Redox<Device>, path: &str) -> Ino {
        path.split('/').fold(volume.root(), |folder, name| volume.lookup(folder, name.as_bytes()).unwrap())
    }

    fn tree(file: &Path) -> BTreeMap<String, Item> {
        let part = Part { file: file.to_owned(), offset: 3, len: 5, copy: String::new() };
        let meta = Meta { mode: 0o4755, uid: 1, gid: 42, mtime: 77 };
        let own = Meta { mode: 0o700, uid: 1000, gid: 1000, mtime: 0 };
        BTreeMap::from([
            ("a/first".to_owned(), Item::Debian(Member::File(meta, part.clone()))),
            ("a/second".to_owned(), Item::Debian(Member::File(meta, part.clone()))),
            ("b".to_owned(), Item::Debian(Member::File(meta, Part { copy: "b".into(), ..part }))),
            ("home".to_owned(), Item::Node(Node::Directory(own))),
            ("home/link".to_owned(), Item::Node(Node::Link("../a".into()))),
            ("home/text".to_owned(), Item::Node(Node::File(own, Content::Data("x".repeat(3 << 20))))),
        ])
    }

    #[test]
    fn keeps_what_an_image_says_and_repeats_it() {
        let dir = std::env::temp_dir().join(format!("xtask-root-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let data = dir.join("data");
        std::fs::write(&data, "012abcde89").unwrap();
        let items = tree(&data);
        let (one, two) = (dir.join("one"), dir.join("two"));
        for out in [&one, &two] {
            make(out, &items, 8 << 20, 1000, Uuid::from_bytes([7; 16])).unwrap();
        }
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap(), "the same things make the same bytes");

        let device = Device::new(File::open(&one).unwrap(), true).unwrap();
        let mut volume = Redox::open(device, Options { read_only: true, ..Options::default() }).unwrap();
        let usage = volume.usage().unwrap();
        assert!(usage.available * u64::from(usage.block_size) >= 8 << 20, "{usage:?}");
        let first = lookup(&mut volume, "a/first");
        assert_eq!(first, lookup(&mut volume, "a/second"));
        assert_ne!(first, lookup(&mut volume, "b"));
        let it = volume.attributes(first).unwrap();
        assert_eq!((it.mode, it.uid, it.gid, it.nlink, it.size), (kind::FILE | 0o4755, 1, 42, 2, 5));
        assert_eq!((it.mtime, it.ctime), (77 * NANOSECONDS, 77 * NANOSECONDS));
        let mut bytes = [0; 9];
        assert_eq!(volume.read(first, 0, &mut bytes).unwrap(), 5);
        assert_eq!(&bytes[..5], b"abcde");
        let home = lookup(&mut volume, "home");
        let it = volume.attributes(home).unwrap();
        assert_eq!((it.mode, it.uid, it.mtime), (kind::DIRECTORY | 0o700, 1000, 1000 * NANOSECONDS));
        let link = lookup(&mut volume, "home/link");
        assert_eq!(volume.target(link).unwrap(), b"../a");
        let text = lookup(&mut volume, "home/text");
        assert_eq!(volume.attributes(text).unwrap().size, 3 << 20);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
