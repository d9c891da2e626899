//! Whether a folder can be what a power cut left of a plan's steps.
//!
//! Names: the folder must be as it was after some one step, not before the last acknowledged fsync of the folder. That makes a rename atomic,
//! and a step that comes after another is not there without it: what a journal or copy on write gives.
//! Bytes: of what was written after the last acknowledged fsync of the file any part may be there, down to the single byte; the rest is as it
//! was then. Bytes that were never written are zero.

use crate::bytes;
use crate::plan::{Id, Plan, Step, mode, name};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many steps the guest may have been ahead of what it had told.
const AHEAD: u64 = 300;

/// What may be in a file.
#[derive(Clone, Debug, Default)]
struct Content {
    /// At the last acknowledged fsync.
    safe: Vec<u8>,
    /// What happened since: offset, length, tag.
    writes: Vec<(u64, u64, u64)>,
    /// The lengths since, that at the fsync among them.
    lengths: Vec<u64>,
}

impl Content {
    fn new() -> Content {
        Content { lengths: vec![0], ..Content::default() }
    }

    fn length(&self) -> u64 {
        self.lengths.last().copied().unwrap_or(0)
    }

    fn write(&mut self, offset: u64, len: u64, tag: u64) {
        self.writes.push((offset, len, tag));
        self.lengths.push(self.length().max(offset + len));
    }

    /// From now on all that happened must be there. A length has no bytes: a tag of its own says so.
    fn sync(&mut self) {
        let mut length = self.lengths[0];
        let mut lengths = self.lengths.iter().skip(1);
        for (offset, len, tag) in std::mem::take(&mut self.writes) {
            length = lengths.next().copied().unwrap_or(length);
            self.safe.resize(length as usize, 0);
            if tag != TRUNCATED {
                self.safe[offset as usize..][..len as usize].copy_from_slice(&bytes::run(tag, offset, len));
            }
        }
        self.lengths = vec![length];
    }

    fn truncate(&mut self, len: u64) {
        self.writes.push((len, 0, TRUNCATED));
        self.lengths.push(len);
    }

    /// Why these bytes cannot be in the file.
    fn wrong(&self, found: &[u8]) -> Option<String> {
        let (least, most) = (self.lengths.iter().min()?, self.lengths.iter().max()?);
        let length = found.len() as u64;
        if length < *least || length > *most {
            return Some(format!("it has {length} bytes, not {least} to {most}"));
        }
        let may_be_zero = |at: u64| {
            at >= self.safe.len() as u64 || self.writes.iter().any(|(from, _, tag)| *tag == TRUNCATED && at >= *from)
        };
        let bad = found.iter().zip(0..).find(|(byte, at)| {
            let written = |(offset, len, tag): &(u64, u64, u64)| {
                *tag != TRUNCATED && (*offset..offset + len).contains(at) && bytes::byte(*tag, *at) == **byte
            };
            let safe = self.safe.get(*at as usize) == Some(*byte);
            !(safe || (**byte == 0 && may_be_zero(*at)) || self.writes.iter().any(written))
        });
        bad.map(|(byte, at)| format!("its byte {at} of {length} is {byte:#x}; {} bytes were safe", self.safe.len()))
    }
}

/// The tag of a truncation.
const TRUNCATED: u64 = u64::MAX;

/// What is in a folder: each name's permission bits, node number and bytes.
type Found = BTreeMap<String, (u32, u64, Vec<u8>)>;

/// Reads the folder.
///
/// # Errors
/// The file system's, with the name.
pub fn read(folder: &Path) -> io::Result<Found> {
    let mut found = Found::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let problem = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        let meta = entry.metadata().map_err(problem)?;
        let bytes = fs::read(entry.path()).map_err(problem)?;
        found.insert(name, (meta.mode() & 0o7777, meta.ino(), bytes));
    }
    Ok(found)
}

/// What is known of the file that the name led to.
fn of<'a>(contents: &'a mut BTreeMap<Id, Content>, names: &BTreeMap<u8, Id>, name: u8) -> &'a mut Content {
    contents.entry(names[&name]).or_insert_with(Content::new)
}

/// Says what is wrong with a folder in which the plan of `seed` was under way, when the steps before `told` had been acknowledged.
pub fn judge(found: &Found, seed: u64, told: u64) -> Result<(), String> {
    let mut plan = Plan::new(seed);
    let mut contents: BTreeMap<Id, Content> = BTreeMap::new();
    let mut states = vec![plan.names().clone()];
    for number in 0..told + AHEAD {
        let before = plan.names().clone();
        let Some(step) = plan.next() else { break };
        match step {
            Step::Create(_, id) => drop(contents.insert(id, Content::new())),
            Step::Write(name, offset, len) => of(&mut contents, &before, name).write(offset, len, number),
            Step::Truncate(name, len) => of(&mut contents, &before, name).truncate(len),
            Step::Sync(name, _) if number < told => of(&mut contents, &before, name).sync(),
            Step::SyncFolder if number < told => states.clear(),
            _ => {}
        }
        states.push(plan.names().clone());
    }
    let seen: BTreeMap<&str, u32> = found.iter().map(|(name, (mode, ..))| (name.as_str(), *mode)).collect();
    let matches = |state: &&BTreeMap<u8, Id>| {
        state.len() == seen.len() && state.iter().all(|(file, id)| seen.get(name(*file).as_str()) == Some(&mode(*id)))
    };
    let Some(state) = states.iter().find(matches) else {
        let text = |state: &BTreeMap<u8, Id>| {
            let names: Vec<_> = state.iter().map(|(file, id)| format!("{}={:03o}", name(*file), mode(*id))).collect();
            names.join(" ")
        };
        let names: Vec<_> = seen.iter().map(|(name, mode)| format!("{name}={mode:03o}")).collect();
        let (first, last) = (states.first().map(text).unwrap_or_default(), states.last().map(text).unwrap_or_default());
        return Err(format!(
            "the names are those of no moment after the last fsync: found {}; then {first}; at last {last}",
            names.join(" ")
        ));
    };
    let mut nodes: BTreeMap<Id, u64> = BTreeMap::new();
    for (file, id) in state {
        let (_, node, bytes) = &found[name(*file).as_str()];
        if *nodes.entry(*id).or_insert(*node) != *node {
            return Err(format!("{} was a further name of a file, and is one of its own", name(*file)));
        }
        if let Some(why) = contents.get(id).and_then(|content| content.wrong(bytes)) {
            return Err(format!("{}: {why}", name(*file)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("file-tests-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        folder
    }

    /// Does `steps` steps and reads what is there then.
    fn after(name: &str, seed: u64, steps: u64) -> Found {
        let folder = folder(name);
        for (step, number) in Plan::new(seed).zip(0..steps) {
            work::step(&folder, number, step).expect("a file system that works");
        }
        let found = read(&folder).expect("a folder that can be read");
        fs::remove_dir_all(&folder).expect("a folder that can be removed");
        found
    }

    #[test]
    fn what_was_done_is_right() {
        for seed in 0..20 {
            let found = after(&format!("right-{seed}"), seed, 150 + seed);
            assert_eq!(judge(&found, seed, 150 + seed), Ok(()), "seed {seed}");
            assert_eq!(judge(&found, seed, 100), Ok(()), "seed {seed}: told late");
        }
    }

    #[test]
    fn losses_are_seen() {
        // Told of 500 steps, of which only 150 are there.
        assert!(judge(&after("old", 3, 150), 3, 500).is_err());
        let found = after("lost", 7, 400);
        // A folder that has just been synchronised, and a file in it: no byte and no name may be missing.
        let last = Plan::new(7).zip(0..400).filter(|(step, _)| *step == Step::SyncFolder).last();
        let (_, at) = last.expect("some fsync");
        let found_then = after("then", 7, at + 1);
        assert_eq!(judge(&found_then, 7, at + 1), Ok(()));
        let mut less = found.clone();
        less.clear();
        assert!(judge(&less, 7, 400).is_err(), "all names are gone");
        let mut foreign = found_then.clone();
        for (_, _, bytes) in foreign.values_mut() {
            bytes.iter_mut().for_each(|byte| *byte = 2);
        }
        assert!(judge(&foreign, 7, at + 1).is_err(), "bytes that nobody wrote");
    }

    #[test]
    fn a_file_is_safe_after_its_fsync() {
        let mut content = Content::new();
        content.write(0, 100, 1);
        assert_eq!(content.wrong(&[]), None);
        content.sync();
        let mut bytes = bytes::run(1, 0, 100);
        assert_eq!(content.wrong(&bytes), None);
        assert!(content.wrong(&bytes[..50]).is_some());
        bytes[7] = 0;
        assert!(content.wrong(&bytes).is_some());
        content.truncate(5);
        content.write(200, 10, 2);
        assert_eq!(content.wrong(&bytes), None, "it may have been cut before the byte");
        content.sync();
        assert_eq!(content.safe.len(), 210);
        assert!(content.safe[5..200].iter().all(|byte| *byte == 0));
    }
}
