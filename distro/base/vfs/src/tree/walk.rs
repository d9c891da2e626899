//! From a path to a node.

use super::directory::Found;
use super::node::{Ino, Kind};
use super::permission::{Caller, EXECUTE, WRITE};
use super::{At, Base, Fs, LINKS_MAX, NAME_MAX, Outcome, PATH_MAX, Stop, Store};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use ochre_abi::{Errno, Result};

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Target<'p> {
    /// The directory that has (or would have) the last name.
    pub parent: Ino,
    /// The last name; `None` if the path ends with `.`, `..`, or names the base itself.
    pub name: Option<Cow<'p, [u8]>>,
    /// What is there.
    pub node: Option<Ino>,
    /// A slash stood at the end: it must be a directory.
    pub slash: bool,
}

impl Target<'_> {
    /// What is there; ENOENT if nothing is.
    pub fn found(&self) -> Result<Ino> {
        self.node.ok_or(Errno::ENOENT)
    }
}

/// A free name in a directory.
#[derive(Debug)]
pub(super) struct Place {
    pub directory: Ino,
    pub name: Vec<u8>,
}

/// Whether a last symbolic link is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

impl<S: Store> Fs<S> {
    /// The node where paths of this base start.
    pub(super) fn start(&self, base: Base) -> Result<Ino> {
        match base {
            Base::Root => Ok(self.root),
            Base::Handle(handle) => Ok(self.handles.get(handle).ok_or(Errno::EBADF)?.ino),
        }
    }

    /// Walks a path. An empty one is the base itself, whatever it is.
    pub(super) fn walk<'p>(&mut self, at: &At<'p>, last: Last, caller: &Caller) -> Outcome<Target<'p>> {
        let mut current = self.start(at.base)?;
        let mut path = Cow::Borrowed(at.path);
        // What of the path is walked already.
        let mut walked = 0;
        let mut links = 0;
        loop {
            let rest = path.get(walked..).unwrap_or(&[]);
            let begin = rest.iter().position(|&byte| byte != b'/').unwrap_or(rest.len());
            let tail = rest.get(begin..).unwrap_or(&[]);
            let end = tail.iter().position(|&byte| byte == b'/').unwrap_or(tail.len());
            let (name, after) = tail.split_at(end);
            let (slash, is_last) = (!after.is_empty(), after.iter().all(|&byte| byte == b'/'));
            if name.is_empty() {
                let target = Target { parent: current, name: None, node: Some(current), slash: !rest.is_empty() };
                return self.arrived(target, links);
            }
            let node = self.node(current)?;
            let directory = node.directory().ok_or(Errno::ENOTDIR)?;
            caller.check(&node.attributes, EXECUTE)?;
            if name == b"." || name == b".." {
                current = if name == b".." { directory.parent } else { current };
                walked = path.len() - after.len();
                continue;
            }
            if name.len() > NAME_MAX {
                return Err(Errno::ENAMETOOLONG.into());
            }
            let found = match directory.get(name) {
                Found::Is(ino) => Some(ino),
                Found::Missing => None,
                Found::Unknown => self.ask(current, name)?,
            };
            if let (Some(ino), true) = (found, self.backed) {
                self.ensure(ino, current, name)?;
            }
            let kind = found.map(|ino| self.node(ino).map(|node| &node.kind)).transpose()?;
            match (found, kind) {
                (Some(_), Some(Kind::Symlink(link))) if !is_last || slash || last == Last::Follow => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::ELOOP.into());
                    }
                    let mut next = link.clone();
                    next.extend_from_slice(after);
                    if next.len() > PATH_MAX {
                        return Err(Errno::ENAMETOOLONG.into());
                    }
                    if link.first() == Some(&b'/') {
                        return Err(Stop::Redirect(next));
                    }
                    path = Cow::Owned(next);
                    walked = 0;
                }
                (node, _) if is_last => {
                    let name = match &path {
                        Cow::Borrowed(path) => path.get(walked + begin..walked + begin + end).map(Cow::Borrowed),
                        Cow::Owned(_) => Some(Cow::Owned(name.to_vec())),
                    };
                    let target = Target { parent: current, name, node, slash };
                    return self.arrived(target, links);
                }
                (Some(ino), _) => {
                    current = ino;
                    walked = path.len() - after.len();
                }
                (None, _) if links > 0 => return Err(self.without_links(current, tail)),
                (None, _) => return Err(Errno::ENOENT.into()),
            }
        }
    }

    /// Has a walk that followed links decided once more, without them, if it may have passed where another scheme is mounted.
    fn arrived<'p>(&mut self, target: Target<'p>, links: usize) -> Outcome<Target<'p>> {
        if links > 0 && target.node.map_or(Ok(true), |ino| self.is_empty(ino))? {
            return Err(self.without_links(target.parent, target.name.as_deref().unwrap_or(b".")));
        }
        if let (true, Some(ino)) = (target.slash, target.node)
            && !self.node(ino)?.is_directory()
        {
            return Err(Errno::ENOTDIR.into());
        }
        Ok(target)
    }

    /// Whether a node is a directory without entries.
    pub(super) fn is_empty(&mut self, ino: Ino) -> Result<bool> {
        let Some(directory) = self.node(ino)?.directory() else { return Ok(false) };
        match directory.is_empty() {
            Some(empty) => Ok(empty),
            None => self.store.volume().ok_or(Errno::EIO)?.is_empty(ino),
        }
    }

    fn without_links(&self, directory: Ino, rest: &[u8]) -> Stop {
        match self.path_of(directory) {
            Ok(mut path) => {
                path.extend_from_slice(rest);
                // Where the tree is mounted, the kernel knows.
                path.remove(0);
                if path.len() > PATH_MAX { Errno::ENAMETOOLONG.into() } else { Stop::Redirect(path) }
            }
            Err(error) => error.into(),
        }
    }

    /// A directory's absolute path, with a slash at the end. ENOENT if it was removed.
    pub(super) fn path_of(&self, directory: Ino) -> Result<Vec<u8>> {
        let mut names = Vec::new();
        let mut current = directory;
        while current != self.root {
            let node = self.node(current)?;
            let directory = node.directory().filter(|_| node.attributes.nlink > 0).ok_or(Errno::ENOENT)?;
            names.push(directory.name.as_slice());
            current = directory.parent;
        }
        let mut path = b"/".to_vec();
        for name in names.into_iter().rev() {
            path.extend_from_slice(name);
            path.push(b'/');
        }
        Ok(path)
    }

    /// Whether `directory` is `ancestor` or below it.
    pub(super) fn is_within(&self, directory: Ino, ancestor: Ino) -> Result<bool> {
        let mut current = directory;
        while current != ancestor {
            if current == self.root {
                return Ok(false);
            }
            current = self.node(current)?.directory().ok_or(Errno::ENOTDIR)?.parent;
        }
        Ok(true)
    }

    /// A node by path or handle (with an empty path).
    pub(super) fn find(&mut self, at: &At<'_>, last: Last, caller: &Caller) -> Outcome<Ino> {
        Ok(self.walk(at, last, caller)?.found()?)
    }

    /// Where a new name goes: EEXIST if it is taken, EACCES if the directory is not writable. Only a directory's may end with a slash.
    pub(super) fn place(&mut self, at: &At<'_>, caller: &Caller, for_directory: bool) -> Outcome<Place> {
        let target = self.walk(at, Last::Keep, caller)?;
        if target.node.is_none() && target.slash && !for_directory {
            return Err(Errno::ENOENT.into());
        }
        Ok(self.free_place(target, caller)?)
    }

    /// The place that a walk led to, if it is free.
    pub(super) fn free_place(&self, target: Target<'_>, caller: &Caller) -> Result<Place> {
        let (None, Some(name)) = (target.node, target.name) else { return Err(Errno::EEXIST) };
        let directory = self.node(target.parent)?;
        // A directory that was removed while it was open takes no new names.
        if directory.attributes.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        caller.check(&directory.attributes, WRITE | EXECUTE)?;
        Ok(Place { directory: target.parent, name: name.into_owned() })
    }
}
