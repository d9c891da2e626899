//! A plain model of a file system in memory, operations on it and on a volume, and the comparison of both.

#![allow(dead_code)] // each test file uses a part

use std::collections::BTreeMap;

use ochre_volume::{Attributes, Errno, Ino, NewNode, Result, Volume, kind};
use proptest::prelude::*;

pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Makes a node with a name.
pub fn make(volume: &mut impl Volume, directory: Ino, name: &[u8], new: &NewNode<'_>) -> Result<Ino> {
    let ino = volume.create(new)?;
    let linked = volume.link(directory, name, ino);
    volume.release(ino)?;
    linked.map(|()| ino)
}

pub fn file(mode: u32) -> NewNode<'static> {
    NewNode { mode: kind::FILE | mode, uid: 1, gid: 2, rdev: 0, time: 1_000_000_007, target: b"" }
}

pub fn directory() -> NewNode<'static> {
    NewNode { mode: kind::DIRECTORY | 0o755, ..file(0) }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    File(Vec<u8>),
    Directory(BTreeMap<Vec<u8>, Ino>),
    Link(Vec<u8>),
    Other,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub attributes: Attributes,
    pub parent: Option<Ino>,
    pub body: Body,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub nodes: BTreeMap<Ino, Node>,
    pub holds: BTreeMap<Ino, u64>,
}

/// What is done; numbers choose among what there is.
#[derive(Clone, Debug)]
pub enum Op {
    Create { kind: u8, name: u16, directory: u16, link: bool },
    Link { node: u16, directory: u16, name: u16 },
    Unlink { directory: u16, name: u16 },
    Rename { from: (u16, u16), to: (u16, u16), exchange: bool },
    Write { node: u16, offset: u64, len: usize, seed: u8 },
    Resize { node: u16, size: u64 },
    Punch { node: u16, offset: u64, len: u64 },
    SetXattr { node: u16, name: u8, len: usize },
    RemoveXattr { node: u16, name: u8 },
    SetAttributes { node: u16, seed: u32 },
    Hold { node: u16 },
    Release { node: u16 },
    Commit,
    Reopen,
    Crash,
}

fn offset() -> impl Strategy<Value = u64> {
    let near = |to: u64| (to.saturating_sub(40)..to + 40).boxed();
    prop_oneof![
        4 => 0u64..9000,
        2 => near(3967),
        2 => near(4096),
        3 => near(131_072),
        1 => 0u64..2_000_000,
        1 => near(16 << 20),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    let n = any::<u16>;
    let name = || 0u16..40;
    let directory = || prop_oneof![3 => Just(0u16), 2 => 0u16..6];
    prop_oneof![
        9 => (0u8..12, name(), directory(), prop::bool::weighted(0.9))
            .prop_map(|(kind, name, directory, link)| Op::Create { kind, name, directory, link }),
        3 => (n(), directory(), name()).prop_map(|(node, directory, name)| Op::Link { node, directory, name }),
        5 => (directory(), name()).prop_map(|(directory, name)| Op::Unlink { directory, name }),
        5 => ((directory(), name()), (directory(), name()), prop::bool::weighted(0.3))
            .prop_map(|(from, to, exchange)| Op::Rename { from, to, exchange }),
        10 => (n(), offset(), prop_oneof![0usize..200, 0usize..10_000, 100_000usize..300_000], any::<u8>())
            .prop_map(|(node, offset, len, seed)| Op::Write { node, offset, len, seed }),
        5 => (n(), offset()).prop_map(|(node, size)| Op::Resize { node, size }),
        3 => (n(), offset(), offset()).prop_map(|(node, offset, len)| Op::Punch { node, offset, len }),
        2 => (n(), 0u8..5, prop_oneof![0usize..100, 0usize..50_000])
            .prop_map(|(node, name, len)| Op::SetXattr { node, name, len }),
        1 => (n(), 0u8..5).prop_map(|(node, name)| Op::RemoveXattr { node, name }),
        2 => (n(), any::<u32>()).prop_map(|(node, seed)| Op::SetAttributes { node, seed }),
        1 => n().prop_map(|node| Op::Hold { node }),
        3 => n().prop_map(|node| Op::Release { node }),
        3 => Just(Op::Commit),
        1 => Just(Op::Reopen),
        1 => Just(Op::Crash),
    ]
}

/// Names of every sort.
pub fn name(number: u16) -> Vec<u8> {
    match number {
        0 => vec![b'x'; 255],
        1 => vec![0xff; 255],
        2 => vec![0xff; 254],
        3 => b"a:b".to_vec(),
        4 => b"\xc3(".to_vec(),
        5 => "naïve ☃".as_bytes().to_vec(),
        6 => b"\x01".to_vec(),
        7 => b"...".to_vec(),
        8..=19 => format!("{number}-{}", "long".repeat(60)).into_bytes(),
        _ => format!("name{number}").into_bytes(),
    }
}

impl Model {
    pub fn new(volume: &mut impl Volume) -> Model {
        let root = Node {
            attributes: volume.attributes(1).unwrap(),
            parent: Some(1),
            body: Body::Directory(BTreeMap::new()),
            xattrs: BTreeMap::new(),
        };
        Model { nodes: BTreeMap::from([(1, root)]), holds: BTreeMap::new() }
    }

    fn pick(&self, number: u16) -> Ino {
        *self.nodes.keys().nth(usize::from(number) % self.nodes.len()).unwrap()
    }

    fn pick_directory(&self, number: u16) -> Ino {
        let named = |node: &Node| matches!(node.body, Body::Directory(_)) && node.parent.is_some();
        let all: Vec<Ino> = self.nodes.iter().filter(|(_, node)| named(node)).map(|(&ino, _)| ino).collect();
        all[usize::from(number) % all.len()]
    }

    fn entries(&mut self, directory: Ino) -> &mut BTreeMap<Vec<u8>, Ino> {
        match &mut self.nodes.get_mut(&directory).unwrap().body {
            Body::Directory(entries) => entries,
            _ => panic!("{directory} is no directory"),
        }
    }

    fn is_directory(&self, ino: Ino) -> bool {
        matches!(self.nodes[&ino].body, Body::Directory(_))
    }

    fn is_full(&self, ino: Ino) -> bool {
        matches!(&self.nodes[&ino].body, Body::Directory(entries) if !entries.is_empty())
    }

    /// True if `ino` is `below` or above it.
    fn is_above(&self, ino: Ino, mut below: Ino) -> bool {
        while below != ino && below != 1 {
            below = self.nodes[&below].parent.unwrap();
        }
        below == ino
    }

    fn set_parent(&mut self, ino: Ino, parent: Option<Ino>) {
        if self.is_directory(ino) {
            self.nodes.get_mut(&ino).unwrap().parent = parent;
        }
    }

    fn links(&mut self, ino: Ino, by: i64) {
        let node = self.nodes.get_mut(&ino).unwrap();
        node.attributes.nlink = node.attributes.nlink.wrapping_add_signed(by as i32);
        if node.attributes.nlink == 0 {
            self.set_parent(ino, None);
        }
        self.reap(ino);
    }

    fn reap(&mut self, ino: Ino) {
        if self.nodes[&ino].attributes.nlink == 0 && !self.holds.contains_key(&ino) {
            self.nodes.remove(&ino);
        }
    }

    /// What a crash leaves of it.
    pub fn after_crash(&mut self) {
        self.holds.clear();
        self.nodes.retain(|_, node| node.attributes.nlink > 0);
    }

    fn rename(&mut self, from: (Ino, Vec<u8>), to: (Ino, Vec<u8>), exchange: bool) -> Result<()> {
        let ino = *self.entries(from.0).get(&from.1).ok_or(Errno::ENOENT)?;
        let target = self.entries(to.0).get(&to.1).copied();
        if target == Some(ino) {
            return Ok(());
        }
        if exchange {
            let other = target.ok_or(Errno::ENOENT)?;
            self.entries(from.0).insert(from.1, other);
            self.entries(to.0).insert(to.1, ino);
            self.set_parent(other, Some(from.0));
            self.set_parent(ino, Some(to.0));
            return Ok(());
        }
        if let Some(target) = target {
            match (self.is_directory(ino), self.is_directory(target)) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) if self.is_full(target) => return Err(Errno::ENOTEMPTY),
                _ => {}
            }
        }
        self.entries(to.0).insert(to.1, ino);
        self.entries(from.0).remove(&from.1);
        self.set_parent(ino, Some(to.0));
        if let Some(target) = target {
            self.links(target, -1);
        }
        Ok(())
    }

    /// Does the same to the volume and here, and compares the results. `Commit`, `Reopen` and `Crash` are the caller's. An operation for which
    /// there is no room changes nothing here; a write may then have been done in part, which is told as `false`.
    pub fn apply(&mut self, volume: &mut impl Volume, op: &Op) -> bool {
        let full = Err(Errno::ENOSPC);
        match *op {
            Op::Create { kind, name: number, directory, link } => {
                let mode = match kind {
                    0..=5 => kind::FILE | 0o644,
                    6..=8 => kind::DIRECTORY | 0o755,
                    9 => kind::SYMLINK | 0o777,
                    10 => kind::FIFO | 0o600,
                    _ => kind::BLOCK | 0o660,
                };
                let target = pattern(if kind == 9 { 1 + usize::from(number) * 100 } else { 0 }, 5);
                let rdev = if kind == 11 { u64::from(number) << 32 } else { 0 };
                let new = NewNode {
                    mode,
                    uid: 3,
                    gid: u32::MAX,
                    rdev,
                    time: i128::from(number) * 999_999_999,
                    target: &target,
                };
                let ino = match volume.create(&new) {
                    Ok(ino) => ino,
                    error => {
                        assert_eq!(error, Err(Errno::ENOSPC));
                        return true;
                    }
                };
                assert!(!self.nodes.contains_key(&ino));
                let time = new.time;
                let body = match mode & kind::MASK {
                    kind::FILE => Body::File(Vec::new()),
                    kind::DIRECTORY => Body::Directory(BTreeMap::new()),
                    kind::SYMLINK => Body::Link(target.clone()),
                    _ => Body::Other,
                };
                let attributes = Attributes {
                    mode,
                    uid: 3,
                    gid: u32::MAX,
                    rdev,
                    size: target.len() as u64,
                    atime: time,
                    mtime: time,
                    ctime: time,
                    btime: time,
                    ..Attributes::default()
                };
                self.nodes.insert(ino, Node { attributes, parent: None, body, xattrs: BTreeMap::new() });
                self.holds.insert(ino, 1);
                if link {
                    let directory = self.pick_directory(directory);
                    self.link(volume, ino, directory, name(number));
                    volume.release(ino).unwrap();
                    self.release(ino);
                }
            }
            Op::Link { node, directory, name: number } => {
                let (ino, directory) = (self.pick(node), self.pick_directory(directory));
                self.link(volume, ino, directory, name(number));
            }
            Op::Unlink { directory, name: number } => {
                let (directory, name) = (self.pick_directory(directory), name(number));
                let expected = match self.entries(directory).get(&name).copied() {
                    None => Err(Errno::ENOENT),
                    Some(ino) if self.is_full(ino) => Err(Errno::ENOTEMPTY),
                    Some(ino) => Ok(ino),
                };
                assert_eq!(volume.unlink(directory, &name), expected);
                if let Ok(ino) = expected {
                    self.entries(directory).remove(&name);
                    self.links(ino, -1);
                }
            }
            Op::Rename { from, to, exchange } => {
                let from = (self.pick_directory(from.0), name(from.1));
                let to = (self.pick_directory(to.0), name(to.1));
                let moved = self.entries(from.0).get(&from.1).copied();
                let other = self.entries(to.0).get(&to.1).copied();
                // What makes a directory stand below itself is the file server's to refuse.
                if moved.is_some_and(|ino| self.is_directory(ino) && self.is_above(ino, to.0))
                    || other.is_some_and(|ino| exchange && self.is_directory(ino) && self.is_above(ino, from.0))
                {
                    return true;
                }
                let result = volume.rename((from.0, &from.1), (to.0, &to.1), exchange);
                if result != full {
                    assert_eq!(result, self.rename(from, to, exchange));
                }
            }
            Op::Write { node, offset, len, seed } => {
                let ino = self.pick(node);
                let bytes = pattern(len, u64::from(seed));
                let result = volume.write(ino, offset, &bytes);
                if result == full {
                    return false;
                }
                let Body::File(content) = &mut self.nodes.get_mut(&ino).unwrap().body else {
                    assert_eq!(result, Err(Errno::EINVAL));
                    return true;
                };
                assert_eq!(result, Ok(()));
                if len > 0 {
                    let end = offset as usize + len;
                    content.resize(content.len().max(end), 0);
                    content[offset as usize..end].copy_from_slice(&bytes);
                }
            }
            Op::Resize { node, size } => {
                let ino = self.pick(node);
                let result = volume.resize(ino, size);
                if result == full {
                    return false;
                }
                match &mut self.nodes.get_mut(&ino).unwrap().body {
                    Body::File(content) => {
                        assert_eq!(result, Ok(()));
                        content.resize(size as usize, 0);
                    }
                    _ => assert_eq!(result, Err(Errno::EINVAL)),
                }
            }
            Op::Punch { node, offset, len } => {
                let ino = self.pick(node);
                let result = volume.punch(ino, offset, len);
                if result == full {
                    return false;
                }
                match &mut self.nodes.get_mut(&ino).unwrap().body {
                    Body::File(content) => {
                        assert_eq!(result, Ok(()));
                        let end = content.len().min((offset + len) as usize);
                        if let Some(part) = content.get_mut(offset as usize..end) {
                            part.fill(0);
                        }
                    }
                    _ => assert_eq!(result, Err(Errno::EINVAL)),
                }
            }
            Op::SetXattr { node, name, len } => {
                let ino = self.pick(node);
                let (name, value) = (format!("user.{name}").into_bytes(), pattern(len, 77));
                let xattrs = &mut self.nodes.get_mut(&ino).unwrap().xattrs;
                let others =
                    xattrs.iter().filter(|(other, _)| **other != name).map(|(name, value)| name.len() + value.len());
                let fits = others.sum::<usize>() + name.len() + value.len() <= 65536;
                let result = volume.set_xattr(ino, &name, &value);
                assert!(result == Ok(()) && fits || result == full);
                if result.is_ok() {
                    xattrs.insert(name, value);
                }
            }
            Op::RemoveXattr { node, name } => {
                let ino = self.pick(node);
                let name = format!("user.{name}").into_bytes();
                let result = volume.remove_xattr(ino, &name);
                if result != full {
                    let removed = self.nodes.get_mut(&ino).unwrap().xattrs.remove(&name);
                    assert_eq!(result, removed.map(drop).ok_or(Errno::ENODATA));
                }
            }
            Op::SetAttributes { node, seed } => {
                let ino = self.pick(node);
                let to = Attributes {
                    mode: seed & 0o7777,
                    uid: seed,
                    gid: !seed,
                    atime: i128::from(seed) << 30,
                    mtime: -i128::from(seed),
                    ctime: i128::from(seed),
                    ..Attributes::default()
                };
                let result = volume.set_attributes(ino, &to);
                assert!(result == Ok(()) || result == full);
                if result.is_ok() {
                    let have = &mut self.nodes.get_mut(&ino).unwrap().attributes;
                    let (uid, gid, atime, mtime, ctime) = (to.uid, to.gid, to.atime, to.mtime, to.ctime);
                    let mode = have.mode & kind::MASK | to.mode;
                    let rdev = if have.mode & kind::MASK == kind::BLOCK { 0 } else { have.rdev };
                    *have = Attributes { mode, uid, gid, atime, mtime, ctime, rdev, ..*have };
                }
            }
            Op::Hold { node } => {
                let ino = self.pick(node);
                volume.hold(ino).unwrap();
                *self.holds.entry(ino).or_insert(0) += 1;
            }
            Op::Release { node } => {
                let held: Vec<Ino> = self.holds.keys().copied().collect();
                if !held.is_empty() {
                    let ino = held[usize::from(node) % held.len()];
                    volume.release(ino).unwrap();
                    self.release(ino);
                }
            }
            Op::Commit | Op::Reopen | Op::Crash => {}
        }
        true
    }

    fn release(&mut self, ino: Ino) {
        let holds = self.holds.get_mut(&ino).unwrap();
        *holds -= 1;
        if *holds == 0 {
            self.holds.remove(&ino);
            self.reap(ino);
        }
    }

    fn link(&mut self, volume: &mut impl Volume, ino: Ino, directory: Ino, name: Vec<u8>) {
        let expected = if self.entries(directory).contains_key(&name) {
            Err(Errno::EEXIST)
        } else if self.is_directory(ino) && (self.nodes[&ino].attributes.nlink > 0 || ino == directory) {
            Err(Errno::EPERM)
        } else {
            Ok(())
        };
        let result = volume.link(directory, &name, ino);
        if result != Err(Errno::ENOSPC) {
            assert_eq!(result, expected);
            if expected.is_ok() {
                self.entries(directory).insert(name, ino);
                self.links(ino, 1);
                self.set_parent(ino, Some(directory));
            }
        }
    }

    /// Compares everything.
    pub fn compare(&self, volume: &mut impl Volume) {
        for (&ino, node) in &self.nodes {
            let attributes = volume.attributes(ino).unwrap();
            let mut want = Attributes { blocks: attributes.blocks, ..node.attributes };
            match &node.body {
                Body::File(content) => {
                    want.size = content.len() as u64;
                    compare_content(volume, ino, content);
                }
                Body::Directory(entries) => {
                    (want.size, want.nlink) = (attributes.size, 1);
                    let mut have = BTreeMap::new();
                    volume.entries(ino, &mut |name, ino| assert_eq!(have.insert(name.to_vec(), ino), None)).unwrap();
                    assert_eq!(&have, entries);
                    for (name, &child) in entries {
                        assert_eq!(volume.lookup(ino, name), Ok(child));
                    }
                    for number in 0..40 {
                        assert_eq!(volume.lookup(ino, &name(number)).ok(), entries.get(&name(number)).copied());
                    }
                    assert_eq!(volume.is_empty(ino), Ok(entries.is_empty()));
                    assert_eq!(volume.parent(ino), node.parent.ok_or(Errno::ENOENT));
                }
                Body::Link(target) => assert_eq!(volume.target(ino).as_ref(), Ok(target)),
                Body::Other => {}
            }
            assert_eq!(attributes, want, "node {ino}");
            let mut names = volume.list_xattrs(ino).unwrap();
            names.sort();
            assert!(names.iter().eq(node.xattrs.keys()));
            for (name, value) in &node.xattrs {
                assert_eq!(volume.xattr(ino, name).as_ref(), Ok(value));
            }
        }
    }

    /// The volume has done part of a write, a truncation or a hole for which there was no room: takes over its content.
    pub fn adopt(&mut self, volume: &mut impl Volume, op: &Op) {
        let (Op::Write { node, .. } | Op::Resize { node, .. } | Op::Punch { node, .. }) = *op else {
            return;
        };
        let ino = self.pick(node);
        if let Body::File(content) = &mut self.nodes.get_mut(&ino).unwrap().body {
            let size = volume.attributes(ino).unwrap().size as usize;
            content.resize(size, 0);
            assert_eq!(volume.read(ino, 0, content), Ok(size));
        }
    }
}

/// Compares a file's bytes, and that holes are where only zeroes are.
pub fn compare_content(volume: &mut impl Volume, ino: Ino, content: &[u8]) {
    let mut bytes = vec![1; content.len() + 3];
    assert_eq!(volume.read(ino, 0, &mut bytes), Ok(content.len()));
    assert!(bytes[..content.len()] == *content, "content of node {ino}");
    let end = content.len() as u64;
    let mut at = 0;
    while at < end {
        let data = volume.next_data(ino, at).unwrap().unwrap_or(end);
        assert!(content[at as usize..data as usize].iter().all(|&byte| byte == 0), "a hole with bytes in it");
        if data == end {
            break;
        }
        let hole = volume.next_hole(ino, data).unwrap().unwrap();
        assert!(hole > data && hole <= end);
        at = hole;
    }
    assert_eq!(volume.next_data(ino, end), Ok(None));
    assert_eq!(volume.next_hole(ino, end), Ok(None));
}
