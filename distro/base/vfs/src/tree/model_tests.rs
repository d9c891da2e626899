//! The file system against a naive model: a flat map from whole paths to files.

use super::tests::{Vecs, at, fs};
use super::*;
use ochre_abi::file::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Whole paths (components) to numbers of things; contents by number, `None` for directories.
#[derive(Default)]
struct Model {
    names: BTreeMap<Vec<u8>, usize>,
    things: Vec<Option<Vec<u8>>>,
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(&[], |slash| &path[..slash])
}

fn within(path: &[u8], ancestor: &[u8]) -> bool {
    path == ancestor || path.strip_prefix(ancestor).is_some_and(|rest| rest.first() == Some(&b'/'))
}

impl Model {
    fn is_dir(&self, path: &[u8]) -> bool {
        path.is_empty() || self.names.get(path).is_some_and(|&thing| self.things[thing].is_none())
    }

    /// What looking the path up says of the directories above.
    fn above(&self, path: &[u8]) -> Result<()> {
        let mut prefix = Vec::new();
        for name in parent(path).split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            if !prefix.is_empty() {
                prefix.push(b'/');
            }
            prefix.extend_from_slice(name);
            match self.names.get(&prefix) {
                None => return Err(Errno::ENOENT),
                Some(&thing) if self.things[thing].is_some() => return Err(Errno::ENOTDIR),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &[u8], thing: Option<Vec<u8>>) -> Result<()> {
        self.above(path)?;
        if self.names.contains_key(path) {
            return Err(Errno::EEXIST);
        }
        self.names.insert(path.to_vec(), self.things.len());
        self.things.push(thing);
        Ok(())
    }

    fn has_children(&self, path: &[u8]) -> bool {
        self.names.keys().any(|other| other != path && within(other, path))
    }

    fn remove(&mut self, path: &[u8], directory: bool) -> Result<()> {
        self.above(path)?;
        let &thing = self.names.get(path).ok_or(Errno::ENOENT)?;
        match (self.things[thing].is_none(), directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            (true, true) if self.has_children(path) => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.names.remove(path);
        Ok(())
    }

    fn link(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        self.above(from)?;
        let &thing = self.names.get(from).ok_or(Errno::ENOENT)?;
        self.above(to)?;
        if self.names.contains_key(to) {
            return Err(Errno::EEXIST);
        }
        if self.things[thing].is_none() {
            return Err(Errno::EPERM);
        }
        self.names.insert(to.to_vec(), thing);
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        self.above(from)?;
        self.above(to)?;
        let &thing = self.names.get(from).ok_or(Errno::ENOENT)?;
        let moves_dir = self.things[thing].is_none();
        if moves_dir && within(parent(to), from) {
            return Err(Errno::EINVAL);
        }
        if let Some(&other) = self.names.get(to) {
            if other == thing {
                return Ok(());
            }
            match (moves_dir, self.things[other].is_none()) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) if self.has_children(to) => return Err(Errno::ENOTEMPTY),
                _ => {}
            }
        }
        let moved: Vec<_> = self.names.keys().filter(|path| within(path, from)).cloned().collect();
        let moved: Vec<_> = moved.into_iter().map(|path| (path.clone(), self.names.remove(&path).unwrap())).collect();
        for (path, thing) in moved {
            self.names.insert([to, &path[from.len()..]].concat(), thing);
        }
        Ok(())
    }

    fn write(&mut self, path: &[u8], offset: usize, bytes: &[u8]) -> Result<()> {
        self.above(path)?;
        let &thing = self.names.get(path).ok_or(Errno::ENOENT)?;
        let content = self.things[thing].as_mut().ok_or(Errno::EISDIR)?;
        if content.len() < offset + bytes.len() {
            content.resize(offset + bytes.len(), 0);
        }
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(String),
    Mkdir(String),
    Remove(String, bool),
    Link(String, String),
    Rename(String, String),
    Write(String, usize, Vec<u8>),
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]", 1..4).prop_map(|names| names.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => path().prop_map(Step::Create),
        3 => path().prop_map(Step::Mkdir),
        2 => (path(), any::<bool>()).prop_map(|(path, dir)| Step::Remove(path, dir)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (path(), 0usize..20, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(path, at, bytes)| Step::Write(path, at, bytes)),
    ]
}

fn error_of<T>(outcome: Outcome<T>) -> Result<()> {
    match outcome {
        Ok(_) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Redirect(_)) => panic!("there are no links"),
    }
}

fn apply(fs: &mut Fs<Vecs>, step: &Step) -> Result<()> {
    let root = &Caller::ROOT;
    match step {
        Step::Create(path) => {
            let opened = fs.open(at(path), O_CREAT | O_EXCL | O_WRONLY, 0o644, root);
            if let Ok(opened) = &opened {
                fs.close(opened.handle);
            }
            error_of(opened)
        }
        Step::Mkdir(path) => error_of(fs.make_directory(at(path), 0o755, root)),
        Step::Remove(path, directory) => error_of(fs.remove(at(path), *directory, root)),
        Step::Link(from, to) => error_of(fs.make_link(at(from), false, at(to), root).map_err(|pair| pair.stop)),
        Step::Rename(from, to) => error_of(fs.rename(at(from), at(to), 0, root).map_err(|pair| pair.stop)),
        Step::Write(path, offset, bytes) => {
            let opened = fs.open(at(path), O_WRONLY, 0, root);
            if let Ok(opened) = &opened {
                fs.write(opened.handle, WriteAt::Offset(*offset as u64), bytes).unwrap();
                fs.close(opened.handle);
            }
            error_of(opened)
        }
    }
}

fn apply_to_model(model: &mut Model, step: &Step) -> Result<()> {
    match step {
        Step::Create(path) => model.add(path.as_bytes(), Some(Vec::new())),
        Step::Mkdir(path) => model.add(path.as_bytes(), None),
        Step::Remove(path, directory) => model.remove(path.as_bytes(), *directory),
        Step::Link(from, to) => model.link(from.as_bytes(), to.as_bytes()),
        Step::Rename(from, to) => model.rename(from.as_bytes(), to.as_bytes()),
        // An empty write does not grow a file.
        Step::Write(path, _, bytes) if bytes.is_empty() => model.write(path.as_bytes(), 0, bytes),
        Step::Write(path, offset, bytes) => model.write(path.as_bytes(), *offset, bytes),
    }
}

/// All paths below a directory with their contents, and what counts of links and entries must be.
fn tree(fs: &mut Fs<Vecs>, prefix: &str, out: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>) {
    let handle = fs.open(at(prefix), O_DIRECTORY, 0, &Caller::ROOT).unwrap().handle;
    let mut entries = Vec::new();
    fs.list(handle, 2, |_, _, kind, name| {
        entries.push((String::from_utf8(name.to_vec()).unwrap(), kind));
        true
    })
    .unwrap();
    fs.close(handle);
    let directories = entries.iter().filter(|(_, kind)| *kind == DT_DIR).count() as u64;
    let links = if fs.backed { 1 } else { 2 + directories };
    assert_eq!(fs.attributes(at(prefix), true, &Caller::ROOT).unwrap().1.nlink, links);
    for (name, kind) in entries {
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if kind == DT_DIR {
            out.insert(path.clone().into_bytes(), None);
            tree(fs, &path, out);
        } else {
            let handle = fs.open(at(&path), O_RDONLY, 0, &Caller::ROOT).unwrap().handle;
            let mut content = vec![0; 100];
            let len = fs.read(handle, 0, &mut content).unwrap();
            content.truncate(len);
            fs.close(handle);
            out.insert(path.into_bytes(), Some(content));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn behaves_like_the_model(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut fs, mut model) = (fs(), Model::default());
        for step in &steps {
            prop_assert_eq!(apply(&mut fs, step), apply_to_model(&mut model, step), "{:?}", step);
        }
        let mut found = BTreeMap::new();
        tree(&mut fs, "", &mut found);
        let expected: BTreeMap<_, _> =
            model.names.iter().map(|(path, &thing)| (path.clone(), model.things[thing].clone())).collect();
        prop_assert_eq!(found, expected);
        // Nothing is left of what has no name.
        let distinct: std::collections::BTreeSet<_> = model.names.values().collect();
        prop_assert_eq!(fs.usage().nodes as usize, distinct.len() + 1);
        let names: usize = model.names.keys().map(|path| path.len() - parent(path).len() - usize::from(path.contains(&b'/'))).sum();
        let costs = distinct.len() as u64 * NODE_COST + model.names.len() as u64 * NAME_COST + names as u64;
        prop_assert_eq!(fs.overhead, costs);
        prop_assert!(model.is_dir(b""));
    }

    /// The same over a volume, of which parts are forgotten and which is mounted anew now and then.
    #[test]
    fn a_volume_behaves_like_the_model(steps in proptest::collection::vec((step(), 0u8..8), 0..60)) {
        let volume = Some(crate::model::Model::new(1000));
        let mut fs = Fs::mount(Vecs { volume, ..Vecs::default() }).unwrap();
        let mut model = Model::default();
        for (step, then) in &steps {
            prop_assert_eq!(apply(&mut fs, step), apply_to_model(&mut model, step), "{:?}", step);
            match then {
                0 => fs.trim_to(0, 1),
                1 => {
                    fs.sync_all().unwrap();
                    // A directory goes after those below it.
                    (0..4).for_each(|_| fs.trim_to(0, 1));
                    // Whatever is not in use can be forgotten; the root is.
                    prop_assert_eq!(fs.nodes.len(), 1);
                }
                2 => {
                    fs.sync_all().unwrap();
                    let Fs { store, .. } = fs;
                    fs = Fs::mount(store).unwrap();
                }
                _ => {}
            }
        }
        let mut found = BTreeMap::new();
        tree(&mut fs, "", &mut found);
        let expected: BTreeMap<_, _> =
            model.names.iter().map(|(path, &thing)| (path.clone(), model.things[thing].clone())).collect();
        prop_assert_eq!(found, expected);
        // Nothing is left of what has no name.
        let distinct: std::collections::BTreeSet<_> = model.names.values().collect();
        prop_assert_eq!(fs.store.volume.as_ref().map(crate::model::Model::nodes), Some(distinct.len() + 1));
    }
}
