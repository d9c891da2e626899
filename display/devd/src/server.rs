//! The scheme: handles, permissions, listings.

use crate::base;
use crate::made::Made;
use crate::publish::publish;
use crate::registry::Registry;
use crate::tree::{Entry, Kind, PLACES, Tree, Walk, inode, parent};
use ochre_devd::{Change, MESSAGE_MAX};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::*;
use ochre_scheme::{Answer, Errno, Inheritance, Op, Port, Request, Result, Scheme};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The name under which registrations are taken.
const REGISTER: &[u8] = b"register";
/// st_dev of the first of [`PLACES`]; the others have the following ones.
const DEVICE: u64 = 23;
/// statfs(2)'s types of [`PLACES`]: devtmpfs is a tmpfs.
const MAGICS: [u64; 3] = [TMPFS_MAGIC, SYSFS_MAGIC, TMPFS_MAGIC];
const TMPFS_MAGIC: u64 = 0x0102_1994;
const SYSFS_MAGIC: u64 = 0x6265_6572;
const PAGE: usize = 4096;

/// The scheme's state.
pub struct Devd {
    port: Port,
    registry: Registry,
    made: Made,
    tree: Tree,
    /// The tree is not what the registry says any more.
    stale: bool,
    cpus: u64,
    handles: HashMap<u64, Handle>,
    next: u64,
    /// When all names were made, ns since 1970.
    started: i64,
}

enum Handle {
    /// A name, by its path; a file with its text as it was opened.
    Name(Vec<u8>, Option<Vec<u8>>),
    /// [`REGISTER`], opened only to look at it.
    Register,
}

/// What a request is about.
enum Target {
    /// A path of the tree, whose last name may be missing.
    At(Vec<u8>),
    Elsewhere(Vec<u8>),
}

impl Devd {
    /// With what a predecessor left: registrations, which go on; its other handles are gone.
    pub fn new(port: Port, inheritance: &Inheritance) -> Result<Devd> {
        let mut registry = Registry::new(base::devices());
        let mut parked: HashMap<u64, OwnedFd> = inheritance.parked()?.into_iter().collect();
        let next = inheritance.free_id()?;
        for handle in inheritance.handle_ids()? {
            match parked.remove(&handle) {
                Some(object) => registry.begin(handle, Registry::restore(&contents(&object)?)),
                None => port.drop_handle(handle)?,
            }
        }
        for gone in parked.into_keys() {
            port.unpark(gone)?;
        }
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i64);
        Ok(Devd {
            port,
            registry,
            made: Made::default(),
            tree: Tree::default(),
            stale: true,
            cpus: cpus(),
            handles: HashMap::new(),
            next,
            started,
        })
    }

    /// Makes the tree what it should be.
    fn refresh(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.tree = publish(&self.registry.known(), self.cpus);
            self.made.apply(&mut self.tree);
        }
    }

    fn handle_path(&self, handle: u64) -> Result<Vec<u8>> {
        match self.handles.get(&handle) {
            Some(Handle::Name(path, _)) => Ok(path.clone()),
            _ if handle == 0 => Ok(Vec::new()),
            _ => Err(Errno::EBADF),
        }
    }

    fn target(&self, path: &[u8], from: u64, follow: bool) -> Result<Target> {
        let from = self.handle_path(from)?;
        Ok(match self.tree.walk(&from, path, follow)? {
            Walk::At(path) => Target::At(path),
            Walk::Out(path) => Target::Elsewhere(path),
        })
    }

    fn entry(&self, path: &[u8]) -> Result<&Entry> {
        self.tree.get(path).ok_or(Errno::ENOENT)
    }

    /// What stat(2) tells of a path.
    fn describe(&self, path: &[u8]) -> Result<Stat> {
        let entry = self.entry(path)?;
        let place = place_of(path);
        let (rdev, size) = match &entry.kind {
            Kind::Node { number, .. } => (*number, 0),
            Kind::File(_) if place == Some(1) => (0, PAGE),
            Kind::File(text) | Kind::Link(text) => (0, text.len()),
            Kind::Folder | Kind::Elsewhere(_) => (0, 0),
        };
        let folders = || self.tree.list(path).iter().filter(|(_, entry)| entry.kind == Kind::Folder).count();
        let nlink = if entry.kind == Kind::Folder { 2 + folders() as u64 } else { 1 };
        let (seconds, nanoseconds) = (self.started / 1_000_000_000, self.started % 1_000_000_000);
        Ok(Stat {
            dev: DEVICE + place.unwrap_or(0) as u64,
            ino: inode(path),
            nlink,
            mode: entry.format() | entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            rdev,
            size: size as i64,
            blksize: PAGE as i64,
            atime: seconds,
            mtime: seconds,
            ctime: seconds,
            atime_nsec: nanoseconds,
            mtime_nsec: nanoseconds,
            ctime_nsec: nanoseconds,
            ..Stat::default()
        })
    }

    /// Adds a handle.
    fn opened(&mut self, handle: Handle) -> u64 {
        let id = self.next;
        self.next += 1;
        self.handles.insert(id, handle);
        id
    }

    fn register(&mut self, request: &mut Request, flags: u32) -> Result<Answer> {
        if flags & O_PATH != 0 {
            return Ok(Answer::opened(self.opened(Handle::Register)));
        }
        if request.caller().uid != 0 {
            return Err(Errno::EACCES);
        }
        let handle = self.next;
        self.next += 1;
        self.registry.begin(handle, Vec::new());
        self.park(handle)?;
        Ok(Answer::opened(handle))
    }

    /// Keeps what a registration says for a successor.
    fn park(&self, handle: u64) -> Result<()> {
        let bytes = self.registry.save(handle);
        let object = OwnedFd::new(syscall::object_create(bytes.len().next_multiple_of(PAGE) as u64, 0)?);
        syscall::pwrite(object.get(), &bytes, 0)?;
        self.port.park(handle, object.get())
    }

    fn list(&self, request: &mut Request, position: u64) -> Result<Answer> {
        let folder = self.handle_path(request.handle())?;
        if self.entry(&folder)?.kind != Kind::Folder {
            return Err(Errno::ENOTDIR);
        }
        let own = [(&b"."[..], inode(&folder), DT_DIR), (b"..", inode(parent(&folder)), DT_DIR)];
        let inner = self.tree.list(&folder).into_iter();
        let inner = inner.map(|(name, entry)| (name, inode(&crate::tree::below(&folder, name)), entry.dirent_kind()));
        let mut page = [0u8; PAGE];
        let room = request.room().min(PAGE);
        let (mut len, mut next, mut more) = (0, position, false);
        for (name, ino, kind) in own.into_iter().chain(inner).skip(position as usize) {
            if !put_dirent(&mut page[..room], &mut len, ino, next + 1, kind, name) {
                more = true;
                break;
            }
            next += 1;
        }
        if len == 0 && more {
            return Err(Errno::EINVAL);
        }
        request.put(&page[..len])?;
        Ok(Answer::value(len).with_args([next, 0, 0]))
    }

    /// Operations on names.
    fn change(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        // rename(2) and unlink(2) are about a link itself.
        let follow = match op {
            Op::Chmod { .. } => true,
            Op::Chown { flags, .. } | Op::Utimens { flags, .. } => flags & AT_SYMLINK_NOFOLLOW == 0,
            _ => false,
        };
        let payload = request.payload().to_vec();
        let path = match self.target(&payload, request.handle(), follow)? {
            Target::At(path) => path,
            Target::Elsewhere(path) => return request.redirect(&path),
        };
        let makes = matches!(op, Op::Mkdir { .. } | Op::Symlink | Op::Mknod { .. });
        let there = self.tree.get(&path).cloned();
        match &there {
            None if !makes => return Err(Errno::ENOENT),
            Some(_) if makes => return Err(Errno::EEXIST),
            Some(Entry { kind: Kind::Elsewhere(path), .. }) => return request.redirect(&path.clone().into_bytes()),
            _ => {}
        }
        let caller = request.caller();
        if caller.uid != 0 {
            return Err(if matches!(op, Op::Chmod { .. } | Op::Chown { .. }) { Errno::EPERM } else { Errno::EACCES });
        }
        let owned = |kind, mode| Entry { kind, mode, uid: caller.uid, gid: caller.gid };
        let rights = there.map_or((0, 0, 0), |entry| (entry.mode, entry.uid, entry.gid));
        let (made, tree) = (&mut self.made, &mut self.tree);
        match op {
            Op::Mkdir { mode } => made.make(tree, &path, owned(Kind::Folder, mode & 0o7777))?,
            Op::Symlink => {
                let mut target = vec![0; PAGE];
                let len = request.window(0)?.read_at(0, &mut target)?;
                target.truncate(len);
                made.make(tree, &path, owned(Kind::Link(target), 0o777))?;
            }
            Op::Mknod { mode, device } => {
                let block = match mode & S_IFMT {
                    S_IFBLK => true,
                    S_IFCHR => false,
                    _ => return Err(Errno::EPERM),
                };
                let found = tree.iter().find_map(|(_, entry)| match &entry.kind {
                    Kind::Node { block: b, number, path } if *b == block && *number == device => path.clone(),
                    _ => None,
                });
                let node = Kind::Node { block, number: device, path: found };
                made.make(tree, &path, owned(node, mode & 0o7777))?;
            }
            Op::Unlink { flags } => drop(made.remove(tree, &path, flags & AT_REMOVEDIR != 0)?),
            Op::Chmod { mode } => made.set_rights(tree, &path, (mode & 0o7777, rights.1, rights.2))?,
            Op::Chown { uid, gid, .. } => {
                let given = |new: u32, old: u32| if new == u32::MAX { old } else { new };
                made.set_rights(tree, &path, (rights.0, given(uid, rights.1), given(gid, rights.2)))?;
            }
            _ => return Err(Errno::EPERM),
        }
        Ok(Answer::done())
    }

    fn rename(&mut self, request: &mut Request, from: Option<u64>, to: Option<u64>) -> Result<Answer> {
        let (first, second) = {
            let mut paths = request.payload().splitn(2, |byte| *byte == 0);
            (paths.next().unwrap_or_default().to_vec(), paths.next().unwrap_or_default().to_vec())
        };
        let mut found = Vec::new();
        for (number, path, handle) in [(b'1', first, from), (b'2', second, to)] {
            match self.target(&path, handle.unwrap_or(0), false)? {
                Target::At(path) => found.push(path),
                Target::Elsewhere(path) => return request.redirect(&[&[number, 0], &path[..]].concat()),
            }
        }
        if request.caller().uid != 0 {
            return Err(Errno::EACCES);
        }
        self.made.rename(&mut self.tree, &found[0], &found[1])?;
        Ok(Answer::done())
    }
}

/// How many CPUs there are. Not by std, which looks into /sys/fs/cgroup, and so would ask this server before it serves.
fn cpus() -> u64 {
    let text = std::fs::read_to_string("/scheme/sys/cpu").unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("count ")?.parse().ok());
    count.unwrap_or(1)
}

/// Which of [`PLACES`] a path is in.
fn place_of(path: &[u8]) -> Option<usize> {
    let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
    PLACES.iter().position(|(own, _)| own.as_bytes() == first)
}

/// All of a memory object.
fn contents(object: &OwnedFd) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut page = vec![0; PAGE];
    loop {
        match syscall::pread(object.get(), &mut page, bytes.len() as u64)? {
            0 => return Ok(bytes),
            got => bytes.extend_from_slice(&page[..got]),
        }
    }
}

/// EACCES unless the caller may do what the bits (4, 2, 1) say.
fn check(entry: &Entry, request: &Request, uid: u32, gid: u32, wanted: u32) -> Result<()> {
    let execute = entry.kind == Kind::Folder || entry.mode & 0o111 != 0;
    if uid == 0 {
        return if wanted & 1 == 0 || execute { Ok(()) } else { Err(Errno::EACCES) };
    }
    let member = || gid == entry.gid || request.caller_groups().is_ok_and(|groups| groups.contains(&entry.gid));
    let bits = match () {
        () if uid == entry.uid => entry.mode >> 6,
        () if member() => entry.mode >> 3,
        () => entry.mode,
    };
    if bits & wanted == wanted { Ok(()) } else { Err(Errno::EACCES) }
}

impl Scheme for Devd {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        if request.handle() == 0 && request.payload() == REGISTER {
            return self.register(request, flags);
        }
        let follow = flags & O_NOFOLLOW == 0;
        let payload = request.payload().to_vec();
        let path = match self.target(&payload, request.handle(), follow)? {
            Target::At(path) => path,
            Target::Elsewhere(path) => return request.redirect(&path),
        };
        let Some(entry) = self.tree.get(&path) else {
            // Files of programs' own making belong elsewhere.
            return Err(if flags & O_CREAT != 0 { Errno::EPERM } else { Errno::ENOENT });
        };
        if flags & O_CREAT != 0 && flags & O_EXCL != 0 {
            return Err(Errno::EEXIST);
        }
        let looks = flags & O_PATH != 0;
        if let (Kind::Link(_), false) = (&entry.kind, looks) {
            return Err(Errno::ELOOP);
        }
        if flags & O_DIRECTORY != 0 && entry.kind != Kind::Folder {
            return Err(Errno::ENOTDIR);
        }
        let writes = flags & O_ACCMODE != O_RDONLY;
        if !looks {
            let wanted = match flags & O_ACCMODE {
                O_RDONLY => 4,
                O_WRONLY => 2,
                _ => 6,
            };
            check(entry, request, request.caller().uid, request.caller().gid, wanted)?;
        }
        let text = match &entry.kind {
            Kind::Folder if writes && !looks => return Err(Errno::EISDIR),
            // sysfs says so of what has no use for writes.
            Kind::File(_) if writes && !looks => return Err(Errno::EACCES),
            Kind::File(text) => Some(text.clone()),
            Kind::Node { path: Some(path), .. } | Kind::Elsewhere(path) if !looks => {
                return request.redirect(&path.clone().into_bytes());
            }
            Kind::Node { path: None, .. } if !looks => return Err(Errno::ENXIO),
            _ => None,
        };
        let folder = entry.kind == Kind::Folder;
        let answer = Answer::opened(self.opened(Handle::Name(path, text))).seekable();
        Ok(if folder { answer.directory() } else { answer })
    }

    fn close(&mut self, handle: u64) {
        self.handles.remove(&handle);
        if self.registry.has(handle) {
            self.stale |= self.registry.end(handle);
            // What nobody holds any more, no successor needs; it would only find a key without a handle.
            let _ = self.port.unpark(handle);
        }
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        let text = match self.handles.get(&request.handle()) {
            Some(Handle::Name(_, Some(text))) => text,
            Some(Handle::Name(path, None)) if self.entry(path).is_ok_and(|e| e.kind == Kind::Folder) => {
                return Err(Errno::EISDIR);
            }
            _ => return Err(Errno::EBADF),
        };
        let start = usize::try_from(position.unwrap_or(0)).unwrap_or(usize::MAX);
        let rest = text.get(start..).unwrap_or_default();
        request.put(&rest[..rest.len().min(len)])?;
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _position: Option<u64>, len: usize) -> Result<Answer> {
        let handle = request.handle();
        if !self.registry.has(handle) {
            return Err(Errno::EBADF);
        }
        if len > MESSAGE_MAX {
            return Err(Errno::EFBIG);
        }
        let change = Change::decode(&request.data(MESSAGE_MAX)?).ok_or(Errno::EINVAL)?;
        self.registry.change(handle, change, ochre_rt::time::monotonic() / 1000)?;
        self.stale = true;
        self.park(handle)?;
        Ok(Answer::value(len))
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::GetDents { position, .. } => self.list(request, position),
            Op::Mkdir { .. }
            | Op::Symlink
            | Op::Mknod { .. }
            | Op::Unlink { .. }
            | Op::Chmod { .. }
            | Op::Chown { .. }
            | Op::Utimens { .. } => self.change(request, op),
            Op::Rename { from, to, .. } => self.rename(request, from, to),
            Op::Link { .. } => Err(Errno::EPERM),
            // O_TRUNC's part: nothing here has a length that could change.
            Op::Truncate { .. } => Err(Errno::EINVAL),
            Op::Seek { .. } | Op::Sync { .. } => Err(Errno::EINVAL),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn handle(&mut self, request: &mut Request) -> Result<Answer> {
        let op = request.op();
        match op {
            Op::Close => {
                self.close(request.handle());
                return Ok(Answer::done());
            }
            Op::Flush | Op::GiveUp | Op::Cancel { .. } => return Ok(Answer::done()),
            Op::Write { position, len, .. } => return self.write(request, position, len),
            _ => {}
        }
        self.refresh();
        let follow = match op {
            Op::Stat { flags } | Op::Access { flags, .. } | Op::Xattr { flags, .. } => flags & AT_SYMLINK_NOFOLLOW == 0,
            Op::Readlink => false,
            Op::Statfs => true,
            Op::Open { flags, mode } => return self.open(request, flags, mode),
            Op::Read { position, len, .. } => return self.read(request, position, len),
            Op::Ioctl { .. } => return Err(Errno::ENOTTY),
            op => return self.other(request, op),
        };
        let handle = request.handle();
        let by_path = !request.payload().is_empty();
        if self.registry.has(handle) || handle == 0 && request.payload() == REGISTER {
            if let Op::Stat { .. } = op {
                request.put_value(&Stat { nlink: 1, mode: S_IFCHR | 0o600, ..Stat::default() })?;
                return Ok(Answer::done());
            }
            return Err(Errno::EINVAL);
        }
        let payload = request.payload().to_vec();
        let path = match self.target(&payload, handle, follow)? {
            Target::At(path) => path,
            Target::Elsewhere(path) => return request.redirect(&path),
        };
        match &self.entry(&path)?.kind {
            Kind::Elsewhere(path) if by_path => return request.redirect(&path.clone().into_bytes()),
            _ => {}
        }
        match op {
            Op::Stat { .. } => request.put_value(&self.describe(&path)?)?,
            Op::Access { mode, flags } => {
                let caller = request.caller();
                let (uid, gid) = match flags & AT_EACCESS {
                    0 => request.caller_info().map(|info| (info.ruid, info.rgid))?,
                    _ => (caller.uid, caller.gid),
                };
                check(self.entry(&path)?, request, uid, gid, mode & 7)?;
            }
            Op::Xattr { .. } => return Err(Errno::EOPNOTSUPP),
            Op::Readlink => {
                let Kind::Link(target) = &self.entry(&path)?.kind else { return Err(Errno::EINVAL) };
                request.put(&target.clone())?;
                return request.data_answer();
            }
            _ => {
                // struct statfs: type, block size, …, longest name at +64, fragment size.
                let mut words = [0u64; 15];
                let magic = place_of(&path).map_or(TMPFS_MAGIC, |place| MAGICS[place]);
                (words[0], words[1], words[8], words[9]) = (magic, PAGE as u64, 255, PAGE as u64);
                words.iter().try_for_each(|word| request.put_value(word))?;
            }
        }
        Ok(Answer::done())
    }
}
