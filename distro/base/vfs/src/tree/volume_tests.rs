//! What is different over a volume: what it is told, its errors, handles that are taken over.

use super::tests::{Vecs, at};
use super::*;
use crate::model::Model;
use ochre_abi::file::*;

const ROOT_USER: Caller = Caller::ROOT;

fn fs() -> Fs<Vecs> {
    Fs::mount(Vecs { volume: Some(Model::new(1000)), ..Vecs::default() }).unwrap()
}

fn volume(fs: &mut Fs<Vecs>) -> &mut Model {
    fs.store.volume.as_mut().unwrap()
}

fn on_volume(fs: &mut Fs<Vecs>, ino: Ino) -> (Vec<u8>, usize) {
    let volume = volume(fs);
    (volume.bytes(ino).unwrap().to_vec(), volume.commits)
}

fn remount(fs: Fs<Vecs>) -> Fs<Vecs> {
    let Fs { store, .. } = fs;
    Fs::mount(store).unwrap()
}

#[test]
fn fsync_brings_bytes_attributes_and_names_to_the_volume() {
    let mut fs = fs();
    let opened = fs.open(at("f"), O_CREAT | O_RDWR, 0o640, &ROOT_USER).unwrap();
    fs.write(opened.handle, WriteAt::End, b"bytes").unwrap();
    fs.change_owner(at("f"), 7, 8, true, &ROOT_USER).unwrap();
    fs.set_xattr(at("f"), true, b"user.a", b"b", 0, &ROOT_USER).unwrap();
    assert_eq!(on_volume(&mut fs, opened.ino), (Vec::new(), 0));
    fs.sync_file(opened.ino).unwrap();
    assert_eq!(on_volume(&mut fs, opened.ino), (b"bytes".to_vec(), 1));
    let before = fs.attributes(at("f"), true, &ROOT_USER).unwrap();
    let mut fs = remount(fs);
    assert_eq!(fs.attributes(at("f"), true, &ROOT_USER).unwrap(), before);
    assert_eq!((before.1.uid, before.1.gid, before.1.mode, before.2), (7, 8, S_IFREG | 0o640, 5));
    assert_eq!(fs.xattr(at("f"), true, b"user.a", &ROOT_USER).unwrap(), b"b");
    fs.remove_xattr(at("f"), true, b"user.a", &ROOT_USER).unwrap();
    assert!(volume(&mut fs).list_xattrs(before.0).unwrap().is_empty());
}

#[test]
fn what_the_volume_refuses_changes_nothing() {
    let mut fs = fs();
    fs.make_directory(at("d"), 0o755, &ROOT_USER).unwrap();
    let file = fs.open(at("f"), O_CREAT | O_RDWR, 0o644, &ROOT_USER).unwrap();
    for error in [Errno::EIO, Errno::ENOSPC, Errno::EROFS] {
        volume(&mut fs).trouble = Some(error);
        let stop = Stop::Error(error);
        assert_eq!(fs.make_directory(at("e"), 0o755, &ROOT_USER).unwrap_err(), stop);
        assert_eq!(fs.open(at("g"), O_CREAT | O_RDWR, 0o644, &ROOT_USER).unwrap_err(), stop);
        assert_eq!(fs.remove(at("d"), true, &ROOT_USER).unwrap_err(), stop);
        assert_eq!(fs.rename(at("f"), at("g"), 0, &ROOT_USER).unwrap_err().stop, stop);
        assert_eq!(fs.make_link(at("f"), false, at("g"), &ROOT_USER).unwrap_err().stop, stop);
        assert_eq!(fs.set_xattr(at("f"), true, b"user.a", b"b", 0, &ROOT_USER).unwrap_err(), stop);
        assert_eq!(fs.sync_file(file.ino), Err(error));
        volume(&mut fs).trouble = None;
        assert!(fs.attributes(at("d"), true, &ROOT_USER).is_ok() && fs.attributes(at("f"), true, &ROOT_USER).is_ok());
        assert!(fs.attributes(at("e"), true, &ROOT_USER).is_err() && fs.attributes(at("g"), true, &ROOT_USER).is_err());
        assert_eq!(volume(&mut fs).nodes(), 3);
        fs.sync_file(file.ino).unwrap();
    }
}

#[test]
fn a_read_only_volume_says_so() {
    let mut fs = fs();
    let file = fs.open(at("f"), O_CREAT | O_RDWR, 0o644, &ROOT_USER).unwrap();
    fs.close(file.handle);
    volume(&mut fs).trouble = Some(Errno::EROFS);
    let refused = Stop::Error(Errno::EROFS);
    assert_eq!(fs.open(at("f"), O_RDWR, 0, &ROOT_USER).unwrap_err(), refused);
    assert_eq!(fs.open(at("f"), O_RDONLY | O_TRUNC, 0, &ROOT_USER).unwrap_err(), refused);
    assert_eq!(fs.change_mode(at("f"), 0o600, true, &ROOT_USER).unwrap_err(), refused);
    assert_eq!(fs.access(at("f"), 2, true, &ROOT_USER).unwrap_err(), refused);
    assert!(fs.open(at("f"), O_RDONLY, 0, &ROOT_USER).is_ok());
}

#[test]
fn unlinked_files_live_while_they_are_open() {
    let mut fs = fs();
    let open = fs.open(at("f"), O_CREAT | O_RDWR, 0o644, &ROOT_USER).unwrap();
    let temporary = fs.open(at(""), O_TMPFILE | O_RDWR, 0o600, &ROOT_USER).unwrap();
    let named = fs.open(at(""), O_TMPFILE | O_RDWR, 0o600, &ROOT_USER).unwrap();
    let by_handle = At { base: Base::Handle(named.handle), path: b"" };
    fs.make_link(by_handle, false, at("named"), &ROOT_USER).unwrap();
    fs.remove(at("f"), false, &ROOT_USER).unwrap();
    fs.write(open.handle, WriteAt::End, b"x").unwrap();
    fs.sync_all().unwrap();
    assert_eq!(volume(&mut fs).nodes(), 4);
    for opened in [open, temporary, named] {
        fs.close(opened.handle);
    }
    assert_eq!(volume(&mut fs).nodes(), 2);
}

#[test]
fn listings_are_of_when_they_began() {
    let mut fs = fs();
    for name in ["a", "b", "c"] {
        fs.make_node(at(name), 0o644, 0, &ROOT_USER).unwrap();
    }
    let handle = fs.open(at(""), O_DIRECTORY, 0, &ROOT_USER).unwrap().handle;
    let mut names = Vec::new();
    let next = fs
        .list(handle, 0, |_, _, _, name| {
            names.len() < 3 && {
                names.push(name.to_vec());
                true
            }
        })
        .unwrap();
    fs.remove(at("b"), false, &ROOT_USER).unwrap();
    fs.make_node(at("d"), 0o644, 0, &ROOT_USER).unwrap();
    let mut types = Vec::new();
    fs.list(handle, next, |_, _, kind, name| {
        types.push(kind);
        names.push(name.to_vec());
        true
    })
    .unwrap();
    assert_eq!(names, [&b"."[..], b"..", b"a", b"b", b"c"]);
    // What is gone has no type.
    assert_eq!(types, [DT_UNKNOWN, DT_REG]);
    names.clear();
    fs.list(handle, 0, |_, _, _, name| {
        names.push(name.to_vec());
        true
    })
    .unwrap();
    assert_eq!(names, [&b"."[..], b"..", b"a", b"c", b"d"]);
}

#[test]
fn the_next_server_goes_on_with_handles() {
    let mut fs = fs();
    fs.make_directory(at("a"), 0o755, &ROOT_USER).unwrap();
    fs.make_directory(at("a/b"), 0o755, &ROOT_USER).unwrap();
    let file = fs.open(at("a/b/f"), O_CREAT | O_RDWR, 0o644, &ROOT_USER).unwrap();
    let reader = fs.open(at("a/b/f"), O_RDONLY, 0, &ROOT_USER).unwrap();
    let directory = fs.open(at("a/b"), O_DIRECTORY, 0, &ROOT_USER).unwrap();
    fs.write(file.handle, WriteAt::End, b"bytes").unwrap();
    fs.sync_all().unwrap();
    let mut fs = remount(fs);
    for opened in [file, reader, directory] {
        assert_eq!(fs.adopt(opened.handle), Ok(opened.ino));
    }
    assert_eq!((fs.access_of(file.handle), fs.access_of(reader.handle)), (Ok((true, true)), Ok((true, false))));
    let up = At { base: Base::Handle(directory.handle), path: b"../b/f" };
    assert_eq!(fs.attributes(up, true, &ROOT_USER).unwrap().0, file.ino);
    assert_eq!(fs.directory_path(directory.ino).unwrap(), b"/a/b/");
    fs.write(file.handle, WriteAt::End, b"!").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(fs.read(reader.handle, 0, &mut buffer), Ok(6));
    // New ones do not get their numbers.
    let new = fs.open(at("a/b/f"), O_RDWR, 0, &ROOT_USER).unwrap();
    assert!(![file.handle, reader.handle].contains(&new.handle));
    assert!(fs.adopt(file.handle ^ 0xffff_ffff).is_err());
}
