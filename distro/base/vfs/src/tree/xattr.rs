//! Extended attributes: the rules of xattr(7) and of Linux's xattr_permission for the classes `user.` and `trusted.`.
//!
//! `security.` and `system.` are refused: nothing here would act on capabilities of files or on access control lists.

use super::node::{Ino, Kind, Node};
use super::permission::{Caller, READ, STICKY, WRITE};
use super::walk::Last;
use super::{At, Base, Fs, Outcome, Store};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ochre_abi::event::IN_ATTRIB;
use ochre_abi::file::{XATTR_CREATE, XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_REPLACE, XATTR_SIZE_MAX};
use ochre_abi::{Errno, Result};

/// What an attribute takes in memory besides its bytes, about.
const COST: u64 = 96;

/// A file's attributes, by name.
#[derive(Debug, Default)]
pub struct Xattrs {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes of the names, each with a NUL.
    names: usize,
    cost: u64,
}

impl Xattrs {
    /// What they take in memory, about.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}

fn cost_of(name: &[u8], value: &[u8]) -> u64 {
    COST + (name.len() + value.len()) as u64
}

/// Which attributes a name belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    User,
    Trusted,
}

/// ERANGE for the length, EOPNOTSUPP for other classes.
fn class(name: &[u8]) -> Result<Class> {
    if name.is_empty() || name.len() > XATTR_NAME_MAX {
        return Err(Errno::ERANGE);
    }
    if name.starts_with(b"user.") {
        Ok(Class::User)
    } else if name.starts_with(b"trusted.") {
        Ok(Class::Trusted)
    } else {
        Err(Errno::EOPNOTSUPP)
    }
}

/// A name has something behind its class.
fn check_name(name: &[u8]) -> Result<()> {
    if name.ends_with(b".") && name.iter().filter(|byte| **byte == b'.').count() == 1 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

fn permit<D>(node: &Node<D>, class: Class, wanted: u32, caller: &Caller) -> Result<()> {
    let refusal = if wanted == WRITE { Errno::EPERM } else { Errno::ENODATA };
    match class {
        Class::Trusted if caller.uid != 0 => return Err(refusal),
        Class::Trusted => {}
        Class::User => match node.kind {
            Kind::Directory(_) if wanted == WRITE && node.attributes.mode & STICKY != 0 => {
                caller.check_owner(&node.attributes)?;
            }
            Kind::File(_) | Kind::Directory(_) => {}
            _ => return Err(refusal),
        },
    }
    caller.check(&node.attributes, wanted)
}

impl<S: Store> Fs<S> {
    fn xattr_file(&mut self, at: &At<'_>, follow: bool, caller: &Caller) -> Outcome<Ino> {
        if let (Base::Handle(handle), true) = (at.base, at.path.is_empty()) {
            let (readable, writable) = self.access_of(handle)?;
            // O_PATH opened nothing.
            if !readable && !writable {
                return Err(Errno::EBADF.into());
            }
        }
        let ino = self.find(at, if follow { Last::Follow } else { Last::Keep }, caller)?;
        if self.backed && self.node(ino)?.xattrs.is_none() {
            self.load_xattrs(ino)?;
        }
        Ok(ino)
    }

    /// Has a node's attributes in memory.
    fn load_xattrs(&mut self, ino: Ino) -> Result<()> {
        let volume = self.store.volume().ok_or(Errno::EIO)?;
        let mut xattrs = Box::<Xattrs>::default();
        for name in volume.list_xattrs(ino)? {
            let value = volume.xattr(ino, &name)?;
            xattrs.names += name.len() + 1;
            xattrs.values.insert(name, value);
        }
        self.node_mut(ino)?.xattrs = Some(xattrs);
        Ok(())
    }

    /// getxattr(2), lgetxattr(2) and (with an empty path) fgetxattr(2). ENODATA.
    pub fn xattr(&mut self, at: At<'_>, follow: bool, name: &[u8], caller: &Caller) -> Outcome<&[u8]> {
        let ino = self.xattr_file(&at, follow, caller)?;
        let node = self.node(ino)?;
        permit(node, class(name)?, READ, caller)?;
        check_name(name)?;
        let value = node.xattrs.as_ref().and_then(|xattrs| xattrs.values.get(name));
        Ok(value.ok_or(Errno::ENODATA)?)
    }

    /// listxattr(2): the names, each with a NUL. Only the superuser sees the trusted ones.
    pub fn list_xattrs(&mut self, at: At<'_>, follow: bool, caller: &Caller) -> Outcome<Vec<u8>> {
        let ino = self.xattr_file(&at, follow, caller)?;
        let node = self.node(ino)?;
        let mut list = Vec::new();
        for name in node.xattrs.iter().flat_map(|xattrs| xattrs.values.keys()) {
            if caller.uid == 0 || name.starts_with(b"user.") {
                list.extend_from_slice(name);
                list.push(0);
            }
        }
        Ok(list)
    }

    /// setxattr(2). EEXIST and ENODATA by the flags, E2BIG, ENOSPC.
    pub fn set_xattr(
        &mut self,
        at: At<'_>,
        follow: bool,
        name: &[u8],
        value: &[u8],
        flags: u64,
        caller: &Caller,
    ) -> Outcome<()> {
        if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
            return Err(Errno::EINVAL.into());
        }
        if value.len() > XATTR_SIZE_MAX {
            return Err(Errno::E2BIG.into());
        }
        let ino = self.xattr_file(&at, follow, caller)?;
        let node = self.node(ino)?;
        permit(node, class(name)?, WRITE, caller)?;
        check_name(name)?;
        let own = node.xattrs.as_ref();
        let old = own.and_then(|xattrs| xattrs.values.get(name)).map(|old| cost_of(name, old));
        match old {
            Some(_) if flags & XATTR_CREATE != 0 => return Err(Errno::EEXIST.into()),
            None if flags & XATTR_REPLACE != 0 => return Err(Errno::ENODATA.into()),
            None if own.map_or(0, |xattrs| xattrs.names) + name.len() + 1 > XATTR_LIST_MAX => {
                return Err(Errno::ENOSPC.into());
            }
            _ => {}
        }
        let (old_cost, new_cost) = (old.unwrap_or(0), cost_of(name, value));
        self.charge(new_cost)?;
        if let Some(volume) = self.store.volume() {
            volume.set_xattr(ino, name, value)?;
        }
        self.overhead = self.overhead.saturating_sub(old_cost);
        let xattrs = self.node_mut(ino)?.xattrs.get_or_insert_with(Box::default);
        xattrs.cost = xattrs.cost.saturating_sub(old_cost) + new_cost;
        if old.is_none() {
            xattrs.names += name.len() + 1;
        }
        xattrs.values.insert(name.to_vec(), value.to_vec());
        self.touch(ino, false);
        self.note(ino, IN_ATTRIB);
        Ok(())
    }

    /// removexattr(2). ENODATA.
    pub fn remove_xattr(&mut self, at: At<'_>, follow: bool, name: &[u8], caller: &Caller) -> Outcome<()> {
        let ino = self.xattr_file(&at, follow, caller)?;
        let node = self.node(ino)?;
        permit(node, class(name)?, WRITE, caller)?;
        check_name(name)?;
        let own = node.xattrs.as_ref();
        if own.is_none_or(|xattrs| !xattrs.values.contains_key(name)) {
            return Err(Errno::ENODATA.into());
        }
        if let Some(volume) = self.store.volume() {
            volume.remove_xattr(ino, name)?;
        }
        let xattrs = self.node_mut(ino)?.xattrs.as_mut().ok_or(Errno::ENODATA)?;
        let value = xattrs.values.remove(name).ok_or(Errno::ENODATA)?;
        let cost = cost_of(name, &value);
        xattrs.cost = xattrs.cost.saturating_sub(cost);
        xattrs.names -= name.len() + 1;
        self.overhead = self.overhead.saturating_sub(cost);
        self.touch(ino, false);
        self.note(ino, IN_ATTRIB);
        Ok(())
    }
}
