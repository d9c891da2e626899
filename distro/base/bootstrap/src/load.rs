//! The boot module's archive as the first contents of the tree.

use crate::archive::{self, Entry};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use ochre_abi::file::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use ochre_abi::{Errno, Result};
use ochre_vfs::memory::Objects;
use ochre_vfs::tree::{At, Base, Caller, Fs, PATH_MAX, Stop};

/// Fills a tree from the boot module; how many entries. An entry that cannot be made is told to `complain`, and left out.
pub fn load(fs: &mut Fs<Objects>, mut complain: impl FnMut(&Entry, Errno)) -> Result<usize> {
    let mut offset = 0;
    let mut count = 0;
    let mut linked = BTreeMap::new();
    while let Some((entry, next)) = archive::entry(|offset, buffer| fs.store().read_module(offset, buffer), offset)? {
        if let Err(stop) = add(fs, &entry, &mut linked) {
            complain(&entry, if let Stop::Error(error) = stop { error } else { Errno::ELOOP });
        }
        count += 1;
        offset = next;
    }
    Ok(count)
}

/// Makes one entry. `linked` has the first name of each file that has several, by inode number.
fn add(fs: &mut Fs<Objects>, entry: &Entry, linked: &mut BTreeMap<u32, Vec<u8>>) -> core::result::Result<(), Stop> {
    let root = &Caller::ROOT;
    let at = At { base: Base::Root, path: &entry.name };
    let mtime = u64::from(entry.mtime) * 1_000_000_000;
    // The parents may have no entries of their own.
    for (index, _) in entry.name.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let parent = At { base: Base::Root, path: entry.name.get(..index).unwrap_or(&[]) };
        match fs.make_directory(parent, 0o755, root) {
            Ok(_) | Err(Stop::Error(Errno::EEXIST)) => {}
            Err(stop) => return Err(stop),
        }
    }
    match entry.mode & S_IFMT {
        S_IFDIR => match fs.make_directory(at, entry.mode, root) {
            // Made before, as a parent; or the root itself.
            Ok(_) | Err(Stop::Error(Errno::EEXIST)) => fs.change_mode(at, entry.mode, true, root)?,
            Err(stop) => return Err(stop),
        },
        S_IFLNK => {
            let mut target = vec![0; (entry.size as usize).min(PATH_MAX + 1)];
            fs.store().read_module(entry.offset, &mut target)?;
            fs.make_symlink(at, &target, root)?;
        }
        S_IFREG if entry.names > 1 && linked.contains_key(&entry.inode) => {
            let first = linked.get(&entry.inode).map_or(&[][..], Vec::as_slice);
            let from = At { base: Base::Root, path: first };
            return fs.make_link(from, false, at, root).map_err(|stop| stop.stop);
        }
        S_IFREG => {
            if entry.names > 1 {
                linked.insert(entry.inode, entry.name.clone());
            }
            let data = fs.store_mut().part(entry.offset, entry.size)?;
            fs.add_file(at, entry.mode, mtime, data)?;
        }
        _ => {
            fs.make_node(at, entry.mode, entry.device, root)?;
        }
    }
    if (entry.uid, entry.gid) != (0, 0) {
        fs.change_owner(at, entry.uid, entry.gid, false, root)?;
    }
    fs.change_times(at, mtime, mtime, false, root)
}
