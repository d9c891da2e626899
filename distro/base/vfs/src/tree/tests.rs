//! One case at a time; what POSIX and Linux say of the corners.

use super::*;
use crate::model::Model;
use core::cell::Cell;
use ochre_abi::file::*;

/// Data in vectors; some of them read-only, as the archive's.
#[derive(Debug, Default)]
pub struct Vecs {
    pub clock: Cell<u64>,
    /// What is behind the tree.
    pub volume: Option<Model>,
}

#[derive(Debug)]
pub struct Bytes {
    pub bytes: Vec<u8>,
    pub read_only: bool,
    pub modified: u64,
    pub ino: Ino,
}

impl Store for Vecs {
    type Data = Bytes;

    fn volume(&mut self) -> Option<&mut dyn Volume> {
        Some(self.volume.as_mut()?)
    }
    fn create(&mut self, ino: Ino, size: u64) -> Result<Bytes> {
        let mut bytes = vec![0; size as usize];
        if let Some(volume) = &mut self.volume {
            assert_eq!(volume.read(ino, 0, &mut bytes), Ok(bytes.len()));
        }
        Ok(Bytes { bytes, read_only: false, modified: 0, ino })
    }
    fn write_back(&mut self, data: &mut Bytes) -> Result<()> {
        let volume = self.volume.as_mut().unwrap();
        volume.resize(data.ino, data.bytes.len() as u64)?;
        volume.write(data.ino, 0, &data.bytes)
    }
    fn copy(&mut self, data: &Bytes) -> Result<Bytes> {
        Ok(Bytes { bytes: data.bytes.clone(), read_only: false, modified: 0, ino: data.ino })
    }
    fn is_read_only(&self, data: &Bytes) -> bool {
        data.read_only
    }
    fn size(&self, data: &Bytes) -> u64 {
        data.bytes.len() as u64
    }
    fn read(&mut self, data: &Bytes, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = data.bytes.get(offset as usize..).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
    fn write(&mut self, data: &mut Bytes, offset: u64, bytes: &[u8]) -> Result<usize> {
        assert!(!data.read_only);
        let end = offset as usize + bytes.len();
        if data.bytes.len() < end {
            data.bytes.resize(end, 0);
        }
        data.bytes[offset as usize..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }
    fn truncate(&mut self, data: &mut Bytes, size: u64) -> Result<()> {
        assert!(!data.read_only);
        data.bytes.resize(size as usize, 0);
        Ok(())
    }
    fn punch(&mut self, data: &mut Bytes, offset: u64, len: u64) -> Result<()> {
        data.bytes[offset as usize..(offset + len) as usize].fill(0);
        Ok(())
    }
    fn status(&mut self, data: &mut Bytes, _: bool) -> Result<Status> {
        // As if all but zeroes took memory.
        let allocated = data.bytes.iter().filter(|byte| **byte != 0).count() as u64;
        Ok(Status { modified: data.modified, allocated })
    }
    fn now(&self) -> u64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }
}

const ROOT_USER: Caller = Caller::ROOT;
const USER: Caller = Caller { uid: 1000, gid: 1000, groups: &[] };

pub fn at(path: &str) -> At<'_> {
    At { base: Base::Root, path: path.as_bytes() }
}

pub fn fs() -> Fs<Vecs> {
    Fs::new(Vecs::default(), 1 << 20)
}

fn error<T>(outcome: Outcome<T>) -> Errno {
    match outcome {
        Err(Stop::Error(error)) => error,
        Err(Stop::Redirect(path)) => panic!("redirected to {}", String::from_utf8_lossy(&path)),
        Ok(_) => Errno(0),
    }
}

fn redirect<T>(outcome: Outcome<T>) -> String {
    match outcome {
        Err(Stop::Redirect(path)) => String::from_utf8(path).unwrap(),
        Err(Stop::Error(error)) => panic!("{error}"),
        Ok(_) => panic!("no redirect"),
    }
}

fn rename(fs: &mut Fs<Vecs>, from: &str, to: &str, flags: u64) -> Errno {
    match fs.rename(at(from), at(to), flags, &ROOT_USER) {
        Err(PairStop { stop: Stop::Error(error), .. }) => error,
        Err(stop) => panic!("{stop:?}"),
        Ok(()) => Errno(0),
    }
}

fn open(fs: &mut Fs<Vecs>, path: &str, flags: u32) -> u64 {
    fs.open(at(path), flags, 0o644, &ROOT_USER).unwrap().handle
}

fn touch(fs: &mut Fs<Vecs>, path: &str) {
    let handle = open(fs, path, O_CREAT | O_WRONLY);
    fs.close(handle);
}

fn mkdir(fs: &mut Fs<Vecs>, path: &str) {
    fs.make_directory(at(path), 0o755, &ROOT_USER).unwrap();
}

fn symlink(fs: &mut Fs<Vecs>, path: &str, target: &str) {
    fs.make_symlink(at(path), target.as_bytes(), &ROOT_USER).unwrap();
}

fn content(fs: &mut Fs<Vecs>, path: &str) -> String {
    let handle = open(fs, path, O_RDONLY);
    let mut buffer = [0; 100];
    let len = fs.read(handle, 0, &mut buffer).unwrap();
    fs.close(handle);
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

fn names(fs: &mut Fs<Vecs>, handle: u64) -> Vec<String> {
    let mut names = Vec::new();
    fs.list(handle, 0, |_, _, _, name| {
        names.push(String::from_utf8(name.to_vec()).unwrap());
        true
    })
    .unwrap();
    names
}

#[test]
fn open_flags() {
    let mut fs = fs();
    assert_eq!(error(fs.open(at("f"), O_RDONLY, 0, &ROOT_USER)), Errno::ENOENT);
    touch(&mut fs, "f");
    mkdir(&mut fs, "d");
    symlink(&mut fs, "l", "f");
    symlink(&mut fs, "dangling", "nothing");
    let mut try_open = |path: &str, flags| error(fs.open(at(path), flags, 0o644, &ROOT_USER));
    assert_eq!(try_open("f", O_CREAT | O_EXCL), Errno::EEXIST);
    assert_eq!(try_open("dangling", O_CREAT | O_EXCL), Errno::EEXIST);
    assert_eq!(try_open("d", O_WRONLY), Errno::EISDIR);
    assert_eq!(try_open("d", O_CREAT), Errno::EISDIR);
    assert_eq!(try_open("f", O_DIRECTORY), Errno::ENOTDIR);
    assert_eq!(try_open("f/", O_RDONLY), Errno::ENOTDIR);
    assert_eq!(try_open("f/x", O_RDONLY), Errno::ENOTDIR);
    assert_eq!(try_open("new/", O_CREAT | O_WRONLY), Errno::EISDIR);
    assert_eq!(try_open("x", O_CREAT | O_DIRECTORY), Errno::EINVAL);
    assert_eq!(try_open("l", O_NOFOLLOW), Errno::ELOOP);
    assert_eq!(try_open("l", O_NOFOLLOW | O_PATH), Errno(0));
    assert_eq!(try_open("l", O_RDONLY), Errno(0));
    assert_eq!(try_open("f", O_EXEC), Errno::EACCES);
    assert_eq!(try_open("d", O_EXEC), Errno::EACCES);
    assert_eq!(try_open("d", O_TMPFILE | O_RDONLY), Errno::EINVAL);
    assert_eq!(try_open(&"x".repeat(256), O_CREAT), Errno::ENAMETOOLONG);
    assert_eq!(try_open("", O_RDONLY), Errno(0));
}

#[test]
fn data_grow_shrink_append_and_have_holes() {
    let mut fs = fs();
    let handle = open(&mut fs, "f", O_CREAT | O_RDWR);
    assert_eq!(fs.write(handle, WriteAt::Offset(2), b"abc"), Ok((3, false)));
    assert_eq!(fs.write(handle, WriteAt::End, b"d"), Ok((1, false)));
    assert_eq!(content(&mut fs, "f"), "\0\0abcd");
    fs.truncate_handle(handle, 3).unwrap();
    fs.truncate_handle(handle, 5).unwrap();
    assert_eq!(content(&mut fs, "f"), "\0\0a\0\0");
    assert_eq!(fs.usage().used, 5);
    let opened = fs.open(at("f"), O_WRONLY | O_TRUNC, 0, &ROOT_USER).unwrap();
    assert_eq!((content(&mut fs, "f").as_str(), fs.usage().used), ("", 0));
    assert_eq!(fs.read(opened.handle, 0, &mut [0]), Err(Errno::EBADF));
}

#[test]
fn the_limit_is_enospc() {
    let mut fs = Fs::new(Vecs::default(), 10);
    let handle = open(&mut fs, "f", O_CREAT | O_RDWR);
    assert_eq!(fs.write(handle, WriteAt::Offset(0), b"0123456789ab"), Ok((10, false)));
    assert_eq!(fs.write(handle, WriteAt::End, b"x"), Err(Errno::ENOSPC));
    assert_eq!(fs.write(handle, WriteAt::Offset(3), b"x"), Ok((1, false)));
    assert_eq!(fs.truncate_handle(handle, 11), Err(Errno::ENOSPC));
    assert_eq!(fs.write(handle, WriteAt::Offset(u64::MAX - 2), b"x"), Err(Errno::EFBIG));
    fs.remove(at("f"), false, &ROOT_USER).unwrap();
    assert_eq!(fs.usage().used, 10);
    fs.close(handle);
    assert_eq!((fs.usage().used, fs.usage().nodes), (0, 1));
}

#[test]
fn the_archives_files_are_copied_before_they_change() {
    let mut fs = Fs::new(Vecs::default(), 10);
    let data = |text: &str| Bytes { bytes: text.as_bytes().to_vec(), read_only: true, modified: 0, ino: 0 };
    fs.add_file(at("a"), 0o755, 5, data("old")).unwrap();
    fs.add_file(at("b"), 0o755, 5, data("longer than the limit")).unwrap();
    let reader = fs.open(at("a"), O_RDONLY, 0, &ROOT_USER).unwrap();
    assert!(!reader.replaced);
    let writer = fs.open(at("a"), O_RDWR, 0, &ROOT_USER).unwrap();
    assert!(writer.replaced && fs.usage().used == 3);
    assert_eq!(fs.handles_of(writer.ino).collect::<Vec<_>>(), [reader.handle, writer.handle]);
    assert_eq!(fs.write(writer.handle, WriteAt::Offset(0), b"n"), Ok((1, false)));
    assert_eq!(content(&mut fs, "a"), "nld");
    assert_eq!(error(fs.open(at("b"), O_WRONLY, 0, &ROOT_USER)), Errno::ENOSPC);
    assert!(fs.open(at("b"), O_WRONLY | O_TRUNC, 0, &ROOT_USER).unwrap().replaced);
    assert_eq!((content(&mut fs, "b").as_str(), fs.usage().used), ("", 3));
}

#[test]
fn files_live_while_they_are_open() {
    let mut fs = fs();
    let handle = open(&mut fs, "f", O_CREAT | O_RDWR);
    fs.write(handle, WriteAt::End, b"still here").unwrap();
    fs.remove(at("f"), false, &ROOT_USER).unwrap();
    assert_eq!(error(fs.open(at("f"), O_RDONLY, 0, &ROOT_USER)), Errno::ENOENT);
    let by_handle = At { base: Base::Handle(handle), path: b"" };
    assert_eq!(fs.attributes(by_handle, true, &ROOT_USER).unwrap().1.nlink, 0);
    assert_eq!(fs.read(handle, 6, &mut [0; 4]), Ok(4));
    let temporary = fs.open(at(""), O_TMPFILE | O_RDWR, 0o600, &ROOT_USER).unwrap();
    assert_eq!(fs.usage().nodes, 3);
    fs.close(handle);
    fs.close(temporary.handle);
    assert_eq!(fs.usage().nodes, 1);
}

#[test]
fn dot_dot_is_physical_and_links_are_followed() {
    let mut fs = fs();
    for path in ["a", "a/b", "c"] {
        mkdir(&mut fs, path);
    }
    touch(&mut fs, "a/f");
    symlink(&mut fs, "c/l", "../a/b");
    let mut found = |path: &str| error(fs.attributes(at(path), true, &ROOT_USER));
    assert_eq!(found("c/l/../f"), Errno(0));
    assert_eq!(found("../../a/./f"), Errno(0));
    assert_eq!(found("c/f"), Errno::ENOENT);
    assert_eq!(found("a/f/.."), Errno::ENOTDIR);
    symlink(&mut fs, "loop", "loop");
    assert_eq!(error(fs.attributes(at("loop"), true, &ROOT_USER)), Errno::ELOOP);
    assert_eq!(fs.read_link(at("c/l"), &ROOT_USER), Ok(&b"../a/b"[..]));
    assert_eq!(error(fs.read_link(at("a"), &ROOT_USER)), Errno::EINVAL);
}

#[test]
fn what_leaves_the_tree_is_redirected() {
    let mut fs = fs();
    for path in ["etc", "proc"] {
        mkdir(&mut fs, path);
    }
    symlink(&mut fs, "etc/absolute", "/dev/x");
    symlink(&mut fs, "etc/mtab", "../proc/mounts");
    symlink(&mut fs, "etc/p", "../proc");
    assert_eq!(redirect(fs.open(at("etc/absolute/y"), O_RDONLY, 0, &ROOT_USER)), "/dev/x/y");
    assert_eq!(redirect(fs.open(at("etc/mtab"), O_RDONLY, 0, &ROOT_USER)), "proc/mounts");
    assert_eq!(redirect(fs.open(at("etc/p"), O_RDONLY, 0, &ROOT_USER)), "proc");
    assert_eq!(redirect(fs.open(at("etc/p/self/maps"), O_RDONLY, 0, &ROOT_USER)), "proc/self/maps");
    // Asked again without the link, it is simply not there.
    assert_eq!(error(fs.open(at("proc/mounts"), O_RDONLY, 0, &ROOT_USER)), Errno::ENOENT);
}

#[test]
fn rename_in_all_its_cases() {
    let mut fs = fs();
    for path in ["a", "a/b", "d", "d/e", "empty"] {
        mkdir(&mut fs, path);
    }
    touch(&mut fs, "f");
    touch(&mut fs, "g");
    assert_eq!(rename(&mut fs, "a", "a/b/c", 0), Errno::EINVAL);
    assert_eq!(rename(&mut fs, "a", "a/x", 0), Errno::EINVAL);
    assert_eq!(rename(&mut fs, "a", "d", 0), Errno::ENOTEMPTY);
    assert_eq!(rename(&mut fs, "a/b", "a", 0), Errno::ENOTEMPTY);
    assert_eq!(rename(&mut fs, "f", "d", 0), Errno::EISDIR);
    assert_eq!(rename(&mut fs, "d", "f", 0), Errno::ENOTDIR);
    assert_eq!(rename(&mut fs, "f", "g", NO_REPLACE), Errno::EEXIST);
    assert_eq!(rename(&mut fs, "f", "h", EXCHANGE), Errno::ENOENT);
    assert_eq!(rename(&mut fs, "f", "g", NO_REPLACE | EXCHANGE), Errno::EINVAL);
    assert_eq!(rename(&mut fs, ".", "x", 0), Errno::EBUSY);
    assert_eq!(rename(&mut fs, "none", "x", 0), Errno::ENOENT);
    assert_eq!(rename(&mut fs, "f", "x/", 0), Errno::ENOTDIR);
    assert_eq!(rename(&mut fs, "a/b", "a", EXCHANGE), Errno::EINVAL);
    assert_eq!(rename(&mut fs, "a", "empty", 0), Errno(0));
    assert_eq!(rename(&mut fs, "empty/b", "d/e", EXCHANGE), Errno(0));
    assert_eq!(rename(&mut fs, "f", "g", EXCHANGE), Errno(0));
    fs.make_link(at("f"), false, at("same"), &ROOT_USER).unwrap();
    assert_eq!(rename(&mut fs, "f", "same", 0), Errno(0));
    assert_eq!(error(fs.attributes(at("f"), true, &ROOT_USER)), Errno(0));
    assert_eq!(rename(&mut fs, "d/", "moved/", 0), Errno(0));
    let root = fs.attributes(at(""), true, &ROOT_USER).unwrap().1;
    assert_eq!(root.nlink, 4);
}

#[test]
fn removing() {
    let mut fs = fs();
    mkdir(&mut fs, "d");
    mkdir(&mut fs, "d/e");
    touch(&mut fs, "f");
    let mut remove = |path: &str, directory| error(fs.remove(at(path), directory, &ROOT_USER));
    assert_eq!(remove("d", true), Errno::ENOTEMPTY);
    assert_eq!(remove("d", false), Errno::EISDIR);
    assert_eq!(remove("f", true), Errno::ENOTDIR);
    assert_eq!(remove("f/", false), Errno::ENOTDIR);
    assert_eq!(remove("d/.", true), Errno::EINVAL);
    assert_eq!(remove("d/..", true), Errno::ENOTEMPTY);
    assert_eq!(remove("", true), Errno::EBUSY);
    let handle = open(&mut fs, "d/e", O_DIRECTORY);
    assert_eq!(error(fs.remove(at("d/e/"), true, &ROOT_USER)), Errno(0));
    let below = At { base: Base::Handle(handle), path: b"x" };
    assert_eq!(error(fs.open(below, O_CREAT | O_WRONLY, 0o600, &ROOT_USER)), Errno::ENOENT);
}

#[test]
fn permissions_bind_all_but_the_superuser() {
    let mut fs = fs();
    mkdir(&mut fs, "tmp");
    fs.change_mode(at("tmp"), 0o1777, true, &ROOT_USER).unwrap();
    mkdir(&mut fs, "private");
    fs.change_mode(at("private"), 0o700, true, &ROOT_USER).unwrap();
    touch(&mut fs, "private/f");
    touch(&mut fs, "tmp/roots");
    let user = &USER;
    assert_eq!(error(fs.open(at("private/f"), O_RDONLY, 0, user)), Errno::EACCES);
    assert_eq!(error(fs.open(at("new"), O_CREAT | O_WRONLY, 0o600, user)), Errno::EACCES);
    assert_eq!(error(fs.open(at("tmp/roots"), O_WRONLY, 0, user)), Errno::EACCES);
    assert_eq!(error(fs.remove(at("tmp/roots"), false, user)), Errno::EPERM);
    let mine = fs.open(at("tmp/mine"), O_CREAT | O_WRONLY, 0o400, user).unwrap();
    assert_eq!(fs.write(mine.handle, WriteAt::End, b"x"), Ok((1, false)));
    assert_eq!(error(fs.open(at("tmp/mine"), O_WRONLY, 0, user)), Errno::EACCES);
    assert_eq!(error(fs.change_owner(at("tmp/mine"), 0, 0, true, user)), Errno::EPERM);
    assert_eq!(error(fs.change_mode(at("tmp/roots"), 0o777, true, user)), Errno::EPERM);
    assert_eq!(error(fs.access(at("tmp/mine"), 4, true, user)), Errno(0));
    assert_eq!(error(fs.access(at("tmp/mine"), 2, true, user)), Errno::EACCES);
    assert_eq!(error(fs.access(at("tmp/mine"), 1, true, &ROOT_USER)), Errno::EACCES);
    assert_eq!(error(fs.change_times(at("tmp/roots"), 1, 1, true, user)), Errno::EPERM);
    assert_eq!(error(fs.make_node(at("tmp/dev"), S_IFCHR | 0o600, 5, user)), Errno::EPERM);
    assert_eq!(error(fs.make_node(at("tmp/pipe"), S_IFIFO | 0o600, 0, user)), Errno(0));
    assert_eq!(error(fs.open(at("tmp/pipe"), O_RDONLY, 0, user)), Errno(0));
    assert_eq!(error(fs.make_node(at("tmp/socket"), S_IFSOCK | 0o755, 0, &ROOT_USER)), Errno(0));
    assert_eq!(error(fs.open(at("tmp/socket"), O_RDONLY, 0, user)), Errno::ENXIO);
    assert_eq!(error(fs.reach(at("tmp/socket"), user)), Errno::EACCES);
    assert_eq!(error(fs.reach(at("tmp/socket"), &ROOT_USER)), Errno(0));
    assert_eq!(error(fs.reach(at("tmp/pipe"), user)), Errno::ECONNREFUSED);
    assert_eq!(error(fs.remove(at("tmp/mine"), false, user)), Errno(0));
}

#[test]
fn set_group_directories_hand_their_group_down() {
    let mut fs = fs();
    mkdir(&mut fs, "d");
    fs.change_owner(at("d"), u32::MAX, 50, true, &ROOT_USER).unwrap();
    fs.change_mode(at("d"), 0o2777, true, &ROOT_USER).unwrap();
    fs.make_directory(at("d/sub"), 0o755, &USER).unwrap();
    let sub = fs.attributes(at("d/sub"), true, &ROOT_USER).unwrap().1;
    assert_eq!((sub.gid, sub.mode), (50, S_IFDIR | 0o2755));
}

#[test]
fn listings_go_on_where_they_were() {
    let mut fs = fs();
    for path in ["a", "b", "c", "d"] {
        touch(&mut fs, path);
    }
    let handle = open(&mut fs, "", O_DIRECTORY);
    assert_eq!(names(&mut fs, handle), [".", "..", "a", "b", "c", "d"]);
    let mut budget = 4;
    let next = fs
        .list(handle, 0, |_, _, _, _| {
            budget -= 1;
            budget >= 0
        })
        .unwrap();
    fs.remove(at("a"), false, &ROOT_USER).unwrap();
    fs.remove(at("c"), false, &ROOT_USER).unwrap();
    touch(&mut fs, "e");
    let mut rest = Vec::new();
    fs.list(handle, next, |_, _, kind, name| {
        assert_eq!(kind, DT_REG);
        rest.push(name.to_vec());
        true
    })
    .unwrap();
    assert_eq!(rest, [b"d", b"e"]);
}

#[test]
fn times() {
    let mut fs = fs();
    touch(&mut fs, "f");
    let times = |fs: &mut Fs<Vecs>| fs.attributes(at("f"), true, &ROOT_USER).unwrap().1;
    fs.change_times(at("f"), 11, u64::MAX - 1, true, &ROOT_USER).unwrap();
    let before = times(&mut fs);
    assert_eq!(before.atime, 11);
    let handle = open(&mut fs, "f", O_WRONLY);
    assert_eq!(times(&mut fs).mtime, before.mtime);
    fs.write(handle, WriteAt::End, b"x").unwrap();
    assert!(times(&mut fs).mtime > before.mtime && times(&mut fs).atime == 11);
}

#[test]
fn names_are_not_free() {
    let mut fs = fs();
    let free = fs.overhead;
    let root = &ROOT_USER;
    let made = (0..).take_while(|n| fs.make_symlink(at(&format!("{n}")), &[b'x'; 4000], root).is_ok()).count();
    assert!((200..300).contains(&made), "{made}");
    assert_eq!(error(fs.make_symlink(at("one-more"), &[b'x'; 4000], root)), Errno::ENOSPC);
    assert_eq!(fs.usage().nodes, made as u64 + 1);
    assert_eq!(rename(&mut fs, "1", "other", 0), Errno(0));
    assert_eq!(rename(&mut fs, "2", "other", 0), Errno(0));
    for name in (0..made).map(|n| format!("{n}")).chain(["other".to_string()]) {
        let _ = fs.remove(at(&name), false, root);
    }
    assert_eq!((fs.usage().nodes, fs.overhead), (1, free));
}
