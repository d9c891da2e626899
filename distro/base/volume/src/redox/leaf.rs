//! The blocks of a directory, as bytes: leaves with names, and branches above them, ordered by the hashes of the names.
//!
//! A leaf is entries (a node's number, a length, a name), and at its end their number and the bytes they take: in this order, because the type
//! `DirList` of the crate `redoxfs` has no fixed layout, and this is how today's compilers lay it out. A branch has entries of a hash and a pointer, in the
//! order of the hashes; each hash is the highest one below its pointer. Names with the same hash may stand in several neighbouring leaves.

use super::layout::{Ptr, get, put};
use crate::device::BLOCK;
use crate::{Errno, Result};

/// Where the number of entries stands in a leaf; entries end before it.
const COUNT: usize = BLOCK - 4;
/// Where the bytes of the entries stand.
const TAKEN: usize = BLOCK - 2;
/// Bytes before the name in an entry.
const PREFIX: usize = 5;
/// Bytes of a branch's entry.
pub const BRANCH_ENTRY: usize = 20;
/// Where the pointer stands in a branch's entry.
pub const BRANCH_PTR: usize = 4;
/// Entries in a branch.
pub const BRANCH_SLOTS: usize = BLOCK / BRANCH_ENTRY;
/// The hash of an entry that is not taken: behind all others.
const VACANT: u32 = u32::MAX;

/// The hash that orders names.
pub fn hash(name: &[u8]) -> u32 {
    #[cfg(test)]
    if let Some(hash) = super::tests::HASH.get() {
        return hash;
    }
    (seahash::hash(name) as u32).min(VACANT - 1)
}

/// The entries of a leaf: where each stands, its node, its name. A damaged leaf ends with `EIO`.
pub fn entries(leaf: &[u8]) -> impl Iterator<Item = Result<(usize, u32, &[u8])>> {
    let mut left = get::<2>(leaf, COUNT);
    let mut at = 0;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        left -= 1;
        let here = at;
        let entry = leaf.get(here..COUNT).filter(|rest| rest.len() > PREFIX).and_then(|rest| {
            let name = rest.get(PREFIX..PREFIX + usize::from(rest[4]))?;
            (!name.is_empty()).then_some((here, get::<4>(rest, 0) as u32, name))
        });
        match entry {
            Some((_, _, name)) => at += PREFIX + name.len(),
            None => left = 0,
        }
        Some(entry.ok_or(Errno::EIO))
    })
}

/// Where a name stands in a leaf, and its node.
pub fn find(leaf: &[u8], name: &[u8]) -> Result<Option<(usize, u32)>> {
    let mut at = 0;
    for _ in 0..get::<2>(leaf, COUNT) {
        let len = usize::from(*leaf.get(at + 4).ok_or(Errno::EIO)?);
        let found = leaf.get(at + PREFIX..at + PREFIX + len).ok_or(Errno::EIO)?;
        if found == name {
            return Ok(Some((at, get::<4>(leaf, at) as u32)));
        }
        at += PREFIX + len;
    }
    Ok(None)
}

/// The bytes taken, checked.
fn taken(leaf: &[u8]) -> Result<usize> {
    let taken = get::<2>(leaf, TAKEN) as usize;
    if taken > COUNT { Err(Errno::EIO) } else { Ok(taken) }
}

/// Adds an entry; `false` if there is no room.
pub fn append(leaf: &mut [u8], ino: u32, name: &[u8]) -> Result<bool> {
    let at = taken(leaf)?;
    let end = at + PREFIX + name.len();
    if end > COUNT {
        return Ok(false);
    }
    put::<4>(leaf, at, u64::from(ino));
    leaf[at + 4] = name.len() as u8;
    leaf[at + PREFIX..end].copy_from_slice(name);
    let count = get::<2>(leaf, COUNT);
    put::<2>(leaf, COUNT, count + 1);
    put::<2>(leaf, TAKEN, end as u64);
    Ok(true)
}

/// Removes the entry at `at`.
pub fn remove(leaf: &mut [u8], at: usize) -> Result<()> {
    let end = taken(leaf)?;
    let next = at + PREFIX + usize::from(*leaf.get(at + 4).ok_or(Errno::EIO)?);
    let count = get::<2>(leaf, COUNT);
    if next > end || count == 0 {
        return Err(Errno::EIO);
    }
    leaf.copy_within(next..end, at);
    leaf[end - (next - at)..end].fill(0);
    put::<2>(leaf, COUNT, count - 1);
    put::<2>(leaf, TAKEN, (end - (next - at)) as u64);
    Ok(())
}

/// Sets the node of the entry at `at`.
pub fn redirect(leaf: &mut [u8], at: usize, ino: u32) {
    put::<4>(leaf, at, u64::from(ino));
}

/// True if a leaf has no entry.
pub fn is_empty(leaf: &[u8]) -> bool {
    get::<2>(leaf, COUNT) == 0
}

/// The highest hash in a leaf.
pub fn highest(leaf: &[u8]) -> Result<u32> {
    let mut highest = 0;
    for entry in entries(leaf) {
        highest = highest.max(hash(entry?.2));
    }
    Ok(highest)
}

/// Splits a full leaf with a new entry into two halves of about as many bytes, by the order of the hashes.
pub fn split(leaf: &[u8], ino: u32, name: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut all = vec![(hash(name), ino, name)];
    for entry in entries(leaf) {
        let (_, ino, name) = entry?;
        all.push((hash(name), ino, name));
    }
    all.sort_by_key(|&(hash, ..)| hash);
    let half = all.iter().map(|(.., name)| PREFIX + name.len()).sum::<usize>() / 2;
    let mut halves = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut bytes = 0;
    for (_, ino, name) in all {
        let into = if bytes < half { &mut halves.0 } else { &mut halves.1 };
        if !append(into, ino, name)? {
            return Err(Errno::EIO);
        }
        bytes += PREFIX + name.len();
    }
    Ok(halves)
}

/// A branch without entries.
pub fn new_branch() -> Vec<u8> {
    let mut branch = vec![0; BLOCK];
    (0..BRANCH_SLOTS).for_each(|slot| put_entry(&mut branch, slot, None));
    branch
}

/// The number of a branch's entries.
pub fn branch_len(branch: &[u8]) -> usize {
    // Vacant entries have the highest hash.
    first_slot(branch, VACANT)
}

/// A branch's entry: its hash and pointer.
pub fn entry(branch: &[u8], slot: usize) -> Option<(u32, Ptr)> {
    let at = slot * BRANCH_ENTRY;
    let ptr = Ptr::read(branch, at + BRANCH_PTR);
    (!ptr.is_null()).then(|| (get::<4>(branch, at) as u32, ptr))
}

/// Sets or clears a branch's entry.
pub fn put_entry(branch: &mut [u8], slot: usize, to: Option<(u32, Ptr)>) {
    let (hash, ptr) = to.unwrap_or((VACANT, Ptr::NULL));
    put::<4>(branch, slot * BRANCH_ENTRY, u64::from(hash));
    ptr.put(branch, slot * BRANCH_ENTRY + BRANCH_PTR);
}

/// Sets an entry's hash.
pub fn put_hash(branch: &mut [u8], slot: usize, hash: u32) {
    put::<4>(branch, slot * BRANCH_ENTRY, u64::from(hash));
}

/// The first entry below which a hash can stand.
pub fn first_slot(branch: &[u8], hash: u32) -> usize {
    let (mut low, mut high) = (0, BRANCH_SLOTS);
    while low < high {
        let middle = (low + high) / 2;
        if (get::<4>(branch, middle * BRANCH_ENTRY) as u32) < hash { low = middle + 1 } else { high = middle }
    }
    low
}

/// Inserts an entry before `slot`; `false` if the branch is full.
pub fn insert_entry(branch: &mut [u8], slot: usize, new: (u32, Ptr)) -> bool {
    let len = branch_len(branch);
    if len == BRANCH_SLOTS || slot > len {
        return false;
    }
    branch.copy_within(slot * BRANCH_ENTRY..len * BRANCH_ENTRY, (slot + 1) * BRANCH_ENTRY);
    put_entry(branch, slot, Some(new));
    true
}

/// Removes an entry.
pub fn remove_entry(branch: &mut [u8], slot: usize) {
    let len = branch_len(branch);
    if slot < len {
        branch.copy_within((slot + 1) * BRANCH_ENTRY..len * BRANCH_ENTRY, slot * BRANCH_ENTRY);
        put_entry(branch, len - 1, None);
    }
}
