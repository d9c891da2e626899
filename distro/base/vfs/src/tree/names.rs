//! Names: making, linking, renaming and removing them; attributes.

use super::directory::Directory;
use super::node::{Attributes, Ino, Kind, Node};
use super::permission::{Caller, EXECUTE, SET_GROUP, SET_IDS, WRITE};
use super::walk::{Last, Place, Target};
use super::{At, Fs, NAMES_MAX, Outcome, PATH_MAX, Store};
use alloc::vec::Vec;
use ochre_abi::event::*;
use ochre_abi::file::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK};
use ochre_abi::{Errno, Result};
use ochre_volume::NewNode;

/// rename: fail if the new name is taken (RENAME_NOREPLACE).
pub const NO_REPLACE: u64 = 1;
/// rename: the two change places (RENAME_EXCHANGE).
pub const EXCHANGE: u64 = 2;
/// utimens: the time of the call, and leave it as it is.
const TIME_NOW: u64 = u64::MAX;
const TIME_OMIT: u64 = u64::MAX - 1;
/// chown: leave it as it is.
const ID_OMIT: u32 = u32::MAX;

impl<S: Store> Fs<S> {
    /// A node for a directory, owned by the caller; a set-group-id directory hands its group down.
    pub(super) fn new_node(
        &self,
        kind: Kind<S::Data>,
        directory: Ino,
        mode: u32,
        caller: &Caller,
    ) -> Result<Node<S::Data>> {
        let parent = self.node(directory)?.attributes;
        let inherits = parent.mode & SET_GROUP != 0;
        let gid = if inherits { parent.gid } else { caller.gid };
        let mode = if inherits && matches!(kind, Kind::Directory(_)) { mode | SET_GROUP } else { mode };
        Ok(Node::new(kind, mode, caller.uid, gid, self.store.now()))
    }

    pub(super) fn insert_node(&mut self, node: Node<S::Data>) -> Result<Ino> {
        self.charge(node.cost())?;
        let ino = match self.store.volume() {
            None => {
                self.next_ino += 1;
                self.next_ino - 1
            }
            Some(volume) => {
                let Attributes { mode, uid, gid, rdev, ctime: time, .. } = node.attributes;
                let target = if let Kind::Symlink(target) = &node.kind { target.as_slice() } else { &[] };
                // It holds it once.
                volume.create(&NewNode { mode, uid, gid, rdev, time: time.into(), target })?
            }
        };
        self.add_node(ino, node);
        Ok(ino)
    }

    /// The volume need not hold a new node any more: it has a name or a handle.
    pub(super) fn settle_node(&mut self, ino: Ino) -> Result<()> {
        self.store.volume().map_or(Ok(()), |volume| volume.release(ino))
    }

    /// Gives a new node its name.
    pub(super) fn link_new(&mut self, place: Place, node: Node<S::Data>) -> Result<Ino> {
        if node.is_directory() && self.node(place.directory)?.attributes.nlink >= NAMES_MAX {
            return Err(Errno::EMLINK);
        }
        let ino = self.insert_node(node)?;
        let named = self.charge(name_cost(&place.name)).and_then(|()| {
            if let Some(volume) = self.store.volume() {
                volume.link(place.directory, &place.name, ino)?;
            }
            self.attach(place.directory, &place.name, ino)
        });
        if named.is_err() {
            self.discard(ino);
        } else {
            self.note_name(place.directory, &place.name, ino, IN_CREATE, 0);
        }
        // The volume frees it now if it has no name.
        let settled = self.settle_node(ino);
        named.and(settled).map(|()| ino)
    }

    /// Forgets a node that got no name.
    fn discard(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.get_mut(ino) {
            node.attributes.nlink = 0;
        }
        self.release(ino);
    }

    /// Makes an entry, which is charged already: counts, a directory's parent, times.
    fn attach(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        self.entries(directory)?.insert(name, ino);
        let backed = self.backed;
        let node = self.node_mut(ino)?;
        if let Kind::Directory(child) = &mut node.kind {
            let old = core::mem::replace(&mut child.parent, directory);
            child.name = name.to_vec();
            // A volume does not count the directories in a directory: each has one name (as on btrfs).
            if !backed {
                node.attributes.nlink += 1;
                self.node_mut(directory)?.attributes.nlink += 1;
            }
            self.count_child(old, false);
            self.count_child(directory, true);
        } else {
            node.attributes.nlink += 1;
        }
        self.touch(directory, true);
        self.touch(ino, false);
        Ok(())
    }

    /// Removes an entry: the other way round. The node stays, perhaps without a name.
    fn detach(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        self.entries(directory)?.remove(name);
        let backed = self.backed;
        let node = self.node_mut(ino)?;
        if node.is_directory() && backed {
            // Its one name; whoever removes it says so.
        } else {
            node.attributes.nlink = node.attributes.nlink.saturating_sub(1);
        }
        if node.is_directory() && !backed {
            let parent = &mut self.node_mut(directory)?.attributes;
            parent.nlink = parent.nlink.saturating_sub(1);
        }
        self.touch(directory, true);
        self.touch(ino, false);
        Ok(())
    }

    fn entries(&mut self, ino: Ino) -> Result<&mut Directory> {
        match &mut self.node_mut(ino)?.kind {
            Kind::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// mkdir(2).
    pub fn make_directory(&mut self, at: At<'_>, mode: u32, caller: &Caller) -> Outcome<Ino> {
        let place = self.place(&at, caller, true)?;
        let made = if self.backed { Directory::made } else { Directory::new };
        let kind = Kind::Directory(made(place.directory, &place.name));
        let node = self.new_node(kind, place.directory, mode & 0o1777, caller)?;
        Ok(self.link_new(place, node)?)
    }

    /// mknod(2) of a file, FIFO, socket or (for the superuser) device name.
    pub fn make_node(&mut self, at: At<'_>, mode: u32, device: u64, caller: &Caller) -> Outcome<Ino> {
        let kind = match mode & S_IFMT {
            0 | S_IFREG => Kind::File(None),
            S_IFIFO | S_IFSOCK => Kind::Special,
            S_IFCHR | S_IFBLK if caller.uid == 0 => Kind::Special,
            S_IFCHR | S_IFBLK => return Err(Errno::EPERM.into()),
            S_IFDIR => return Err(Errno::EPERM.into()),
            _ => return Err(Errno::EINVAL.into()),
        };
        let place = self.place(&at, caller, false)?;
        let mut node = self.new_node(kind, place.directory, mode, caller)?;
        node.attributes.rdev = device;
        Ok(self.link_new(place, node)?)
    }

    /// symlink(2).
    pub fn make_symlink(&mut self, at: At<'_>, target: &[u8], caller: &Caller) -> Outcome<Ino> {
        if target.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if target.len() > PATH_MAX {
            return Err(Errno::ENAMETOOLONG.into());
        }
        let place = self.place(&at, caller, false)?;
        let node = self.new_node(Kind::Symlink(target.to_vec()), place.directory, 0o777, caller)?;
        Ok(self.link_new(place, node)?)
    }

    /// readlink(2). EINVAL for what is no symbolic link.
    pub fn read_link(&mut self, at: At<'_>, caller: &Caller) -> Outcome<&[u8]> {
        let ino = self.find(&at, Last::Keep, caller)?;
        match &self.node(ino)?.kind {
            Kind::Symlink(target) => Ok(target),
            _ => Err(Errno::EINVAL.into()),
        }
    }

    /// link(2), with `follow` of a last symbolic link.
    pub fn make_link(
        &mut self,
        from: At<'_>,
        follow: bool,
        to: At<'_>,
        caller: &Caller,
    ) -> core::result::Result<(), PairStop> {
        let last = if follow { Last::Follow } else { Last::Keep };
        let ino = self.find(&from, last, caller).map_err(PairStop::first)?;
        let place = self.place(&to, caller, false).map_err(PairStop::second)?;
        let node = self.node(ino)?;
        if node.is_directory() {
            return Err(Errno::EPERM.into());
        }
        // A file of which the last name is gone gets none again, as on Linux.
        if node.attributes.nlink == 0 && !node.linkable {
            return Err(Errno::ENOENT.into());
        }
        if node.attributes.nlink >= NAMES_MAX {
            return Err(Errno::EMLINK.into());
        }
        self.charge(name_cost(&place.name))?;
        if let Some(volume) = self.store.volume() {
            volume.link(place.directory, &place.name, ino)?;
        }
        self.attach(place.directory, &place.name, ino)?;
        self.node_mut(ino)?.linkable = false;
        self.note_alone(ino, IN_ATTRIB);
        self.note_name(place.directory, &place.name, ino, IN_CREATE, 0);
        Ok(())
    }

    /// unlink(2), or rmdir(2) with `directory`.
    pub fn remove(&mut self, at: At<'_>, directory: bool, caller: &Caller) -> Outcome<()> {
        let Target { parent, name, node, slash } = self.walk(&at, Last::Keep, caller)?;
        let Some(name) = name else {
            // `.`, `..` and the root.
            let dot = at.path.ends_with(b".") && !at.path.ends_with(b"..");
            let error = match directory {
                true if dot => Errno::EINVAL,
                true if at.path.ends_with(b"..") => Errno::ENOTEMPTY,
                true => Errno::EBUSY,
                false => Errno::EISDIR,
            };
            return Err(error.into());
        };
        let ino = node.ok_or(Errno::ENOENT)?;
        let node = self.node(ino)?;
        caller.check_remove(&self.node(parent)?.attributes, &node.attributes)?;
        match (directory, node.is_directory()) {
            (true, false) => return Err(Errno::ENOTDIR.into()),
            (true, true) if !self.is_empty(ino)? => return Err(Errno::ENOTEMPTY.into()),
            (false, true) => return Err(Errno::EISDIR.into()),
            (false, false) if slash => return Err(Errno::ENOTDIR.into()),
            _ => {}
        }
        if let Some(volume) = self.store.volume() {
            volume.unlink(parent, &name)?;
        }
        // After it, nobody knows any more whether it was a directory.
        let kind = if directory { IN_ISDIR } else { 0 };
        self.unlink(parent, &name, ino)?;
        self.note_name(parent, &name, 0, IN_DELETE | kind, 0);
        Ok(())
    }

    /// Removes a name, and the node with its last one unless it is open.
    fn unlink(&mut self, parent: Ino, name: &[u8], ino: Ino) -> Result<()> {
        self.detach(parent, name, ino)?;
        self.overhead = self.overhead.saturating_sub(name_cost(name));
        let node = self.node_mut(ino)?;
        if node.is_directory() {
            // Its own `.` goes with the name.
            node.attributes.nlink = 0;
        } else {
            self.note_alone(ino, IN_ATTRIB);
        }
        self.release(ino);
        Ok(())
    }

    /// renameat2(2).
    pub fn rename(
        &mut self,
        from: At<'_>,
        to: At<'_>,
        flags: u64,
        caller: &Caller,
    ) -> core::result::Result<(), PairStop> {
        if flags & !(NO_REPLACE | EXCHANGE) != 0 || flags == NO_REPLACE | EXCHANGE {
            return Err(PairStop::from(Errno::EINVAL));
        }
        let source = self.walk(&from, Last::Keep, caller).map_err(PairStop::first)?;
        let target = self.walk(&to, Last::Keep, caller).map_err(PairStop::second)?;
        self.rename_found(source, target, flags, caller).map_err(PairStop::from)
    }

    fn rename_found(&mut self, source: Target, target: Target, flags: u64, caller: &Caller) -> Result<()> {
        let (Some(from), Some(to)) = (&source.name, &target.name) else { return Err(Errno::EBUSY) };
        let ino = source.found()?;
        if flags == NO_REPLACE && target.node.is_some() {
            return Err(Errno::EEXIST);
        }
        if flags == EXCHANGE && target.node.is_none() {
            return Err(Errno::ENOENT);
        }
        let moves_directory = self.node(ino)?.is_directory();
        if (source.slash || target.slash && flags != EXCHANGE) && !moves_directory {
            return Err(Errno::ENOTDIR);
        }
        if moves_directory && self.is_within(target.parent, ino)? {
            return Err(Errno::EINVAL);
        }
        self.check_rename(&source, &target, flags, caller)?;
        if target.node == Some(ino) {
            return Ok(());
        }
        if let Some(volume) = self.store.volume() {
            volume.rename((source.parent, from), (target.parent, to), flags == EXCHANGE)?;
        }
        match target.node {
            Some(other) if flags == EXCHANGE => {
                self.detach(source.parent, from, ino)?;
                self.detach(target.parent, to, other)?;
                self.attach(target.parent, to, ino)?;
                self.attach(source.parent, from, other)?;
                self.note_move((source.parent, from), (target.parent, to), ino);
                self.note_move((target.parent, to), (source.parent, from), other);
                Ok(())
            }
            replaced => {
                self.charge(name_cost(to))?;
                self.detach(source.parent, from, ino)?;
                self.overhead = self.overhead.saturating_sub(name_cost(from));
                if let Some(other) = replaced {
                    self.unlink(target.parent, to, other)?;
                }
                self.attach(target.parent, to, ino)?;
                self.note_move((source.parent, from), (target.parent, to), ino);
                Ok(())
            }
        }
    }

    fn note_move(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), ino: Ino) {
        self.cookie = self.cookie.wrapping_add(1).max(1);
        let cookie = self.cookie;
        self.note_name(from.0, from.1, ino, IN_MOVED_FROM, cookie);
        self.note_name(to.0, to.1, ino, IN_MOVED_TO, cookie);
        self.note_alone(ino, IN_MOVE_SELF);
    }

    fn check_rename(&mut self, source: &Target, target: &Target, flags: u64, caller: &Caller) -> Result<()> {
        let ino = source.found()?;
        let node = self.node(ino)?;
        caller.check_remove(&self.node(source.parent)?.attributes, &node.attributes)?;
        let directory = self.node(target.parent)?;
        if directory.attributes.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        // A directory that moves gets another `..`: that is a change in itself.
        if node.is_directory() && source.parent != target.parent {
            caller.check(&node.attributes, WRITE)?;
        }
        let Some(other) = target.node else { return caller.check(&directory.attributes, WRITE | EXECUTE) };
        let other_node = self.node(other)?;
        caller.check_remove(&directory.attributes, &other_node.attributes)?;
        if flags == EXCHANGE {
            let loops = other_node.is_directory() && self.is_within(source.parent, other)?;
            return if loops { Err(Errno::EINVAL) } else { Ok(()) };
        }
        match (node.is_directory(), other_node.is_directory()) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (true, true) if other != ino && !self.is_empty(other)? => Err(Errno::ENOTEMPTY),
            _ => Ok(()),
        }
    }

    /// stat(2) and fstat(2) (an empty path): number, attributes, size.
    pub fn attributes(&mut self, at: At<'_>, follow: bool, caller: &Caller) -> Outcome<(Ino, Attributes, u64)> {
        let ino = self.locate(at, follow, caller)?;
        Ok((ino, self.node(ino)?.attributes, self.size(ino)?))
    }

    /// What a path or a handle leads to.
    pub fn locate(&mut self, at: At<'_>, follow: bool, caller: &Caller) -> Outcome<Ino> {
        self.find(&at, if follow { Last::Follow } else { Last::Keep }, caller)
    }

    /// access(2): the bits of `wanted` are R_OK, W_OK, X_OK.
    pub fn access(&mut self, at: At<'_>, wanted: u32, follow: bool, caller: &Caller) -> Outcome<()> {
        let (_, attributes, _) = self.attributes(at, follow, caller)?;
        if wanted & WRITE != 0 && matches!(attributes.mode & S_IFMT, S_IFREG | S_IFDIR) {
            self.changeable()?;
        }
        Ok(caller.check(&attributes, wanted & 7)?)
    }

    /// A socket's name, for connecting or sending to it: EACCES without write permission, ECONNREFUSED for what is none.
    pub fn reach(&mut self, at: At<'_>, caller: &Caller) -> Outcome<Ino> {
        let ino = self.find(&at, Last::Follow, caller)?;
        let attributes = &self.node(ino)?.attributes;
        caller.check(attributes, WRITE)?;
        if attributes.mode & S_IFMT == S_IFSOCK { Ok(ino) } else { Err(Errno::ECONNREFUSED.into()) }
    }

    /// chmod(2).
    pub fn change_mode(&mut self, at: At<'_>, mode: u32, follow: bool, caller: &Caller) -> Outcome<()> {
        let (ino, old, _) = self.attributes(at, follow, caller)?;
        self.changeable()?;
        caller.check_owner(&old)?;
        if matches!(self.node(ino)?.kind, Kind::Symlink(_)) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        // Only a member gives a file its group's identity.
        let kept = if caller.uid != 0 && !caller.is_member(old.gid) { mode & !SET_GROUP } else { mode };
        self.attributes_mut(ino)?.mode = old.mode & S_IFMT | kept & 0o7777;
        self.touch(ino, false);
        self.note(ino, IN_ATTRIB);
        Ok(())
    }

    /// chown(2): only the superuser gives a file away; its owner may give it his own group.
    pub fn change_owner(&mut self, at: At<'_>, uid: u32, gid: u32, follow: bool, caller: &Caller) -> Outcome<()> {
        let (ino, old, _) = self.attributes(at, follow, caller)?;
        self.changeable()?;
        let new_uid = if uid == ID_OMIT { old.uid } else { uid };
        let new_gid = if gid == ID_OMIT { old.gid } else { gid };
        let own = caller.uid == old.uid && new_uid == old.uid && (new_gid == old.gid || caller.is_member(new_gid));
        if caller.uid != 0 && !own {
            return Err(Errno::EPERM.into());
        }
        let is_file = matches!(self.node(ino)?.kind, Kind::File(_));
        let attributes = self.attributes_mut(ino)?;
        attributes.uid = new_uid;
        attributes.gid = new_gid;
        if is_file && attributes.mode & 0o111 != 0 {
            attributes.mode &= !SET_IDS;
        }
        self.touch(ino, false);
        self.note(ino, IN_ATTRIB);
        Ok(())
    }

    /// utimensat(2): ns, `u64::MAX` for now, one less to leave it.
    pub fn change_times(&mut self, at: At<'_>, atime: u64, mtime: u64, follow: bool, caller: &Caller) -> Outcome<()> {
        let (ino, old, _) = self.attributes(at, follow, caller)?;
        self.changeable()?;
        if atime == TIME_OMIT && mtime == TIME_OMIT {
            return Ok(());
        }
        let both_now = atime == TIME_NOW && mtime == TIME_NOW;
        if caller.check_owner(&old).is_err() {
            // Who may write may say that it is new, but nothing else.
            caller.check(&old, WRITE).map_err(|_| if both_now { Errno::EACCES } else { Errno::EPERM })?;
            if !both_now {
                return Err(Errno::EPERM.into());
            }
        }
        let now = self.store.now();
        let pick = |new, old| match new {
            TIME_NOW => now,
            TIME_OMIT => old,
            time => time,
        };
        let attributes = self.attributes_mut(ino)?;
        attributes.atime = pick(atime, old.atime);
        attributes.mtime = pick(mtime, old.mtime);
        attributes.ctime = now;
        self.note(ino, IN_ATTRIB);
        Ok(())
    }

    /// A directory's absolute path, with a slash at the end.
    pub fn directory_path(&self, ino: Ino) -> Result<Vec<u8>> {
        self.path_of(ino)
    }
}

/// What a name takes in memory, about. It stands in a directory twice, in one allocation.
fn name_cost(name: &[u8]) -> u64 {
    super::NAME_COST + name.len() as u64
}

/// Why an operation on two paths did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairStop {
    pub stop: super::Stop,
    /// It was the second path's walk.
    pub second: bool,
}

impl PairStop {
    fn first(stop: super::Stop) -> Self {
        Self { stop, second: false }
    }

    fn second(stop: super::Stop) -> Self {
        Self { stop, second: true }
    }
}

impl From<Errno> for PairStop {
    fn from(error: Errno) -> Self {
        Self { stop: error.into(), second: false }
    }
}
