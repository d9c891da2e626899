//! The server: requests to file system operations, files to attached memory objects.
//!
//! What is written within a file's size goes from the kernel straight into its object; only growth, truncation and names come here. The
//! kernel notes when an object was written to, and stat(2) asks for it; what is changed by a shared mapping alone moves no time.

use crate::tree::{At, Attributes, Base, Caller, Fs, Ino, PairStop, Stop, Store, Usage, WriteAt};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use ochre_abi::call::OPENED_TELL;
use ochre_abi::event::IN_ACCESS;
use ochre_abi::file::*;
use ochre_abi::{Errno, Result};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::locks::LockTable;
use ochre_scheme::watch::{Source, Watches};
use ochre_scheme::{Answer, InheritedHandle, Op, Port, Request, Scheme};
use zerocopy::{Immutable, IntoBytes};

/// Bytes of data handled at a time.
const CHUNK: usize = 64 * 1024;
/// Under which key the kernel notes sockets with names here. A name's socket does not outlive this server, so nobody asks for it.
const SOCKET_KEY: &[u8] = b"file";

/// struct statfs of Linux x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable)]
pub struct Statfs {
    /// The file system's magic number (statfs(2)).
    pub kind: i64,
    pub block_size: i64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub id: [i32; 2],
    pub name_max: i64,
    pub fragment_size: i64,
    pub flags: i64,
    pub spare: [i64; 4],
}

/// A store of which the kernel reads and maps the data by itself.
pub trait Objects: Store {
    /// A file's memory object and its size, to attach to a handle.
    fn object(&self, data: &Self::Data) -> Result<(i32, u64)>;
    /// Keeps a descriptor open for a while that an answer may have named which is not sent yet.
    fn retire_fd(&mut self, fd: OwnedFd);
    /// The device number of the tree, in stat(2).
    fn device(&self) -> u64;
    /// statfs(2).
    fn statfs(&mut self, usage: &Usage) -> Result<Statfs>;
}

/// The file tree as a scheme.
pub struct FileServer<S: Objects> {
    pub(crate) fs: Fs<S>,
    pub(crate) port: Port,
    /// Handles whose file's object changed before the answer that opened them was sent.
    unattached: Vec<u64>,
    /// What stands behind FIFOs (FIFO_CREATE's) and sockets (references).
    behind: BTreeMap<Ino, OwnedFd>,
    pub(crate) locks: LockTable<Ino>,
    /// Files with locks of processes, of which closes are told.
    pub(crate) flushed: BTreeSet<Ino>,
    pub(crate) watches: Watches<Ino, Source>,
    /// Handles opened with O_SYNC or O_DSYNC.
    synchronous: BTreeSet<u64>,
}

impl<S: Objects> FileServer<S> {
    /// A tree for the port that serves it.
    pub fn new(fs: Fs<S>, port: Port) -> Self {
        Self {
            fs,
            port,
            unattached: Vec::new(),
            behind: BTreeMap::new(),
            locks: LockTable::new(),
            flushed: BTreeSet::new(),
            watches: Watches::default(),
            synchronous: BTreeSet::new(),
        }
    }

    /// Goes on with the handles of a server that died, on the same volume. What they knew besides the file is gone: locks, watches and the
    /// places in listings. How many there are; those of files that are not on the volume are dropped.
    pub fn adopt(&mut self, handles: Vec<InheritedHandle>) -> usize {
        let mut adopted = 0;
        for InheritedHandle { id, flags, .. } in handles {
            let Ok(ino) = self.fs.adopt(id) else {
                // It may have been closed meanwhile.
                let _ = self.port.drop_handle(id);
                continue;
            };
            adopted += 1;
            if flags & OPENED_TELL != 0 {
                self.synchronous.insert(id);
            }
            if self.fs.data(ino).is_ok() {
                self.unattached.push(id);
            }
        }
        self.attach();
        adopted
    }

    /// The tree.
    pub fn tree(&mut self) -> &mut Fs<S> {
        &mut self.fs
    }

    fn dispatch(&mut self, request: &mut Request) -> core::result::Result<Answer, Stop> {
        let groups = groups(request);
        let caller = Caller { uid: request.caller().uid, gid: request.caller().gid, groups: &groups };
        let follow = |flags: u64| flags & AT_SYMLINK_NOFOLLOW == 0;
        match request.op() {
            Op::Close => {
                self.unlock(request.handle(), None);
                self.synchronous.remove(&request.handle());
                self.fs.close(request.handle());
            }
            Op::Flush => self.unlock(request.handle(), Some(request.caller().pid)),
            Op::GiveUp => self.locks.give_up(request.caller().pid, request.handle()),
            Op::Cancel { .. } => {}
            Op::Sync { all: true, .. } => self.fs.sync_all()?,
            Op::Sync { .. } => {
                let ino = self.fs.ino(request.handle())?;
                self.fs.sync_file(ino)?;
            }
            Op::Open { flags, mode } => return self.open_path(request, flags, mode, &caller),
            Op::Read { position, len, .. } => return Ok(self.read(request, position, len)?),
            Op::Write { position, append, len, .. } => return Ok(self.write(request, position, append, len)?),
            Op::Seek { offset, whence } => return Ok(self.seek(request.handle(), offset, whence)?),
            Op::Stat { flags } => {
                let ino = match request.handle() {
                    // fstat(2): nothing has to be walked.
                    handle if handle != 0 && request.payload().is_empty() => self.fs.ino(handle)?,
                    _ => self.fs.locate(at(request), follow(flags), &caller)?,
                };
                let (attributes, size, allocated) = self.fs.refresh(ino)?;
                request.put_value(&stat(self.fs.store().device(), ino, &attributes, size, allocated))?;
            }
            Op::GetDents { position, len } => return Ok(self.list(request, position, len)?),
            Op::Truncate { size } if request.payload().is_empty() => {
                let replaced = self.fs.truncate_handle(request.handle(), size)?;
                self.changed(self.fs.ino(request.handle())?, replaced);
            }
            Op::Truncate { size } => {
                let (ino, replaced) = self.fs.truncate_path(at(request), size, &caller)?;
                self.changed(ino, replaced);
            }
            Op::Fallocate { mode, offset, len } => {
                let replaced = self.fs.allocate(request.handle(), mode, offset, len)?;
                self.changed(self.fs.ino(request.handle())?, replaced);
            }
            Op::Chmod { mode } => self.fs.change_mode(at(request), mode, true, &caller)?,
            Op::Chown { uid, gid, flags } => self.fs.change_owner(at(request), uid, gid, follow(flags), &caller)?,
            Op::Utimens { atime, mtime, flags } => {
                self.fs.change_times(at(request), atime, mtime, follow(flags), &caller)?
            }
            Op::Unlink { flags } => self.fs.remove(at(request), flags & AT_REMOVEDIR != 0, &caller)?,
            Op::Mkdir { mode } => {
                self.fs.make_directory(at(request), mode, &caller)?;
            }
            Op::Mknod { mode, .. } if mode & S_IFMT == S_IFSOCK && request.fd_count() > 0 => {
                self.bind(request, mode, &caller)?;
            }
            Op::Mknod { mode, device } => {
                self.fs.make_node(at(request), mode, device, &caller)?;
            }
            Op::Xattr { what, flags } => return self.xattr(request, what, follow(flags), &caller),
            Op::Watch { mask } => return self.watch(request, mask, &caller),
            Op::Reach => {
                let ino = self.fs.reach(at(request), &caller)?;
                return Ok(Answer::share(self.behind.get(&ino).ok_or(Errno::ECONNREFUSED)?.get()));
            }
            Op::Symlink => {
                let mut target = vec![0; crate::tree::PATH_MAX + 1];
                let len = request.window(0)?.read_at(0, &mut target)?;
                self.fs.make_symlink(at(request), target.get(..len).unwrap_or(&[]), &caller)?;
            }
            Op::Readlink => {
                let target = self.fs.read_link(at(request), &caller)?.to_vec();
                request.put(&target)?;
                return Ok(request.data_answer()?);
            }
            Op::Access { mode, flags } => {
                let real = request.caller_info()?;
                let caller = match flags & AT_EACCESS {
                    0 => Caller { uid: real.ruid, gid: real.rgid, ..caller },
                    _ => caller,
                };
                self.fs.access(at(request), mode, follow(flags), &caller)?
            }
            Op::Statfs => {
                self.fs.attributes(at(request), true, &caller)?;
                let usage = self.fs.usage();
                request.put_value(&self.fs.store_mut().statfs(&usage)?)?;
            }
            Op::Rename { flags, from, to } => {
                return self.pair(request, from, to, |fs, a, b| fs.rename(a, b, flags, &caller));
            }
            Op::Link { flags, from, to } => {
                let follow = flags & AT_SYMLINK_FOLLOW != 0;
                return self.pair(request, from, to, |fs, a, b| fs.make_link(a, follow, b, &caller));
            }
            Op::Dup => return Err(Errno::EINVAL.into()),
            Op::Ioctl { .. } => return Err(Errno::ENOTTY.into()),
            Op::Flock { operation } => return Ok(self.flock(request.handle(), operation)?),
            Op::Lock { command } => return Ok(self.lock(request, command)?),
            Op::PageIn { .. } | Op::Dirty { .. } | Op::Reserve { .. } | Op::Private { .. } | Op::Unknown { .. } => {
                return Err(Errno::ENOSYS.into());
            }
        }
        Ok(Answer::done())
    }

    fn open_path(
        &mut self,
        request: &Request,
        flags: u32,
        mode: u32,
        caller: &Caller,
    ) -> core::result::Result<Answer, Stop> {
        let opened = self.fs.open(at(request), flags, mode, caller)?;
        let mut answer = Answer::opened(opened.handle);
        if flags & O_DSYNC != 0 && !opened.path_only {
            // O_SYNC has O_DSYNC's bit.
            self.synchronous.insert(opened.handle);
            answer = answer.told();
        }
        if self.flushed.contains(&opened.ino) {
            answer = answer.flushed();
        }
        if self.is_watched(opened.ino) {
            answer = answer.told();
        }
        if opened.path_only {
            // A path starts at such a directory, too.
            let (_, attributes, _) = self.fs.attributes(by_handle(opened.handle), true, caller)?;
            return Ok(if attributes.mode & S_IFMT == S_IFDIR { answer.directory() } else { answer });
        }
        if self.fs.is_fifo(opened.ino) {
            let fifo = self.fifo(opened.ino).inspect_err(|_| self.fs.close(opened.handle))?;
            return Ok(answer.fifo(fifo));
        }
        self.changed(opened.ino, opened.replaced);
        let object = match self.fs.data(opened.ino).map(drop) {
            Err(Errno::EISDIR) => return Ok(answer.directory().seekable()),
            Err(error) => Err(error),
            Ok(()) => self.object(opened.ino),
        };
        match object {
            Ok((fd, size)) => Ok(answer.seekable().attach(fd, size).writes_attached()),
            Err(error) => {
                self.fs.close(opened.handle);
                Err(error.into())
            }
        }
    }

    /// What the kernel opens the ends of a FIFO from.
    fn fifo(&mut self, ino: Ino) -> Result<i32> {
        if let Some(fifo) = self.behind.get(&ino) {
            return Ok(fifo.get());
        }
        let fifo = OwnedFd::new(syscall::fifo_create(O_CLOEXEC)?);
        let number = fifo.get();
        self.behind.insert(ino, fifo);
        Ok(number)
    }

    /// bind(2): a name for the socket that came along.
    fn bind(&mut self, request: &Request, mode: u32, caller: &Caller) -> core::result::Result<(), Stop> {
        let socket = request.take_fd(0)?;
        let ino = self.fs.make_node(at(request), mode, 0, caller)?;
        match syscall::socket_reference(socket.get(), SOCKET_KEY) {
            Ok(reference) => {
                self.behind.insert(ino, OwnedFd::new(reference));
                Ok(())
            }
            Err(error) => {
                self.fs.remove(at(request), false, &Caller::ROOT)?;
                Err(error.into())
            }
        }
    }

    /// Forgets what stood behind names that are gone.
    fn forget(&mut self) {
        for ino in self.fs.take_gone() {
            if let Some(fd) = self.behind.remove(&ino) {
                self.fs.store_mut().retire_fd(fd);
            }
        }
    }

    fn object(&self, ino: Ino) -> Result<(i32, u64)> {
        self.fs.store().object(self.fs.existing_data(ino)?)
    }

    /// Tells the kernel of a file's new object.
    fn changed(&mut self, ino: Ino, replaced: bool) {
        if replaced {
            self.unattached.extend(self.fs.handles_of(ino));
            self.attach();
        }
    }

    /// Attaches what still has to be attached. The kernel knows a handle only once the answer with it was sent, with its batch.
    fn attach(&mut self) {
        let mut waiting = core::mem::take(&mut self.unattached);
        waiting.retain(|&handle| {
            let Ok(ino) = self.fs.ino(handle) else { return false };
            let attached = self.object(ino).and_then(|object| self.port.attach(handle, Some(object)));
            attached.is_err()
        });
        self.unattached = waiting;
    }

    /// Reads come here only for what has no object: directories, O_PATH.
    fn read(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        let mut offset = position.ok_or(Errno::ESPIPE)?;
        let mut buffer = vec![0; len.min(CHUNK)];
        let mut left = len;
        while left > 0 {
            let want = left.min(CHUNK);
            let read = self.fs.read(request.handle(), offset, buffer.get_mut(..want).ok_or(Errno::EIO)?)?;
            if read == 0 {
                break;
            }
            request.put(buffer.get(..read).ok_or(Errno::EIO)?)?;
            offset += read as u64;
            left -= read;
        }
        self.fs.note(self.fs.ino(request.handle())?, IN_ACCESS);
        request.data_answer()
    }

    fn write(&mut self, request: &Request, position: Option<u64>, append: bool, len: usize) -> Result<Answer> {
        let handle = request.handle();
        let mut place = match position {
            _ if append => WriteAt::End,
            Some(offset) => WriteAt::Offset(offset),
            None => return Err(Errno::ESPIPE),
        };
        let mut buffer = vec![0; len.min(CHUNK)];
        let mut done = 0;
        while done < len {
            let want = (len - done).min(CHUNK);
            let got = request.data_at(done, buffer.get_mut(..want).ok_or(Errno::EIO)?)?;
            let result = match buffer.get(..got) {
                Some(bytes) if got > 0 => match self.fs.write(handle, place, bytes) {
                    // A volume has the room of what was removed only once that is written.
                    Err(Errno::ENOSPC) if self.fs.sync_all().is_ok() => self.fs.write(handle, place, bytes),
                    other => other,
                },
                _ => break,
            };
            let written = match result {
                // What is written is written.
                Err(_) if done > 0 => break,
                other => {
                    let (written, replaced) = other?;
                    self.changed(self.fs.ino(handle)?, replaced);
                    written
                }
            };
            done += written;
            if let WriteAt::Offset(offset) = &mut place {
                *offset += written as u64;
            }
            if written < got {
                break;
            }
        }
        if done > 0 && self.synchronous.contains(&handle) {
            self.fs.sync_file(self.fs.ino(handle)?)?;
        }
        Ok(Answer::value(done))
    }

    fn seek(&mut self, handle: u64, offset: i64, whence: u64) -> Result<Answer> {
        let size = self.fs.size(self.fs.ino(handle)?)?;
        let start = u64::try_from(offset).ok();
        match whence {
            SEEK_END => {
                let target =
                    i64::try_from(size).ok().and_then(|size| size.checked_add(offset)).ok_or(Errno::EOVERFLOW)?;
                Ok(Answer::value(usize::try_from(target).map_err(|_| Errno::EINVAL)?))
            }
            SEEK_DATA | SEEK_HOLE => {
                let start = start.filter(|&start| start < size).ok_or(Errno::ENXIO)?;
                Ok(Answer::value(self.fs.seek(handle, start, whence == SEEK_HOLE)? as usize))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn list(&mut self, request: &mut Request, position: u64, len: usize) -> Result<Answer> {
        let mut buffer = vec![0; len.min(CHUNK)];
        let mut filled = 0;
        let mut refused = false;
        let next = self.fs.list(request.handle(), position, |ino, next, kind, name| {
            let fits = put_dirent(&mut buffer, &mut filled, ino, next, kind, name);
            refused |= !fits;
            fits
        })?;
        if filled == 0 && refused {
            return Err(Errno::EINVAL);
        }
        request.put(buffer.get(..filled).ok_or(Errno::EIO)?)?;
        Ok(request.data_answer()?.with_args([next, 0, 0]))
    }

    /// An operation on two paths, which the payload has with a NUL between.
    fn pair(
        &mut self,
        request: &mut Request,
        from: Option<u64>,
        to: Option<u64>,
        operation: impl FnOnce(&mut Fs<S>, At<'_>, At<'_>) -> core::result::Result<(), PairStop>,
    ) -> core::result::Result<Answer, Stop> {
        // The kernel sends these on two paths, not on a handle; a caller's own would name others' directories.
        if request.handle() != 0 {
            return Err(Errno::EINVAL.into());
        }
        let mut paths = request.payload().splitn(2, |&byte| byte == 0);
        let (Some(first), Some(second)) = (paths.next(), paths.next()) else { return Err(Errno::EINVAL.into()) };
        let base = |handle: Option<u64>| handle.map_or(Base::Root, Base::Handle);
        let result = operation(&mut self.fs, At { base: base(from), path: first }, At { base: base(to), path: second });
        match result {
            Ok(()) => Ok(Answer::done()),
            // Which of the two goes on elsewhere stands before its path.
            Err(PairStop { stop: Stop::Redirect(path), second }) => {
                let mut named = if second { b"2\0".to_vec() } else { b"1\0".to_vec() };
                named.extend_from_slice(&path);
                Err(Stop::Redirect(named))
            }
            Err(PairStop { stop, .. }) => Err(stop),
        }
    }
}

impl<S: Objects> Scheme for FileServer<S> {
    fn open(&mut self, request: &mut Request, flags: u32, mode: u32) -> Result<Answer> {
        let groups = groups(request);
        let caller = Caller { uid: request.caller().uid, gid: request.caller().gid, groups: &groups };
        let outcome = self.open_path(request, flags, mode, &caller);
        settle(request, outcome)
    }

    fn handle(&mut self, request: &mut Request) -> Result<Answer> {
        if !self.unattached.is_empty() {
            self.attach();
        }
        self.fs.trim();
        let outcome = self.dispatch(request);
        self.tell_changes();
        self.forget();
        settle(request, outcome)
    }
}

/// The caller's supplementary groups; nobody asks for the superuser's.
fn groups(request: &Request) -> Vec<u32> {
    match request.caller().uid {
        0 => Vec::new(),
        // Who is gone meanwhile needs no answer.
        _ => request.caller_groups().unwrap_or_default(),
    }
}

fn settle(request: &mut Request, outcome: core::result::Result<Answer, Stop>) -> Result<Answer> {
    match outcome {
        Ok(answer) => Ok(answer),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Redirect(path)) => request.redirect(&path),
    }
}

pub(crate) fn at(request: &Request) -> At<'_> {
    let base = if request.handle() == 0 { Base::Root } else { Base::Handle(request.handle()) };
    At { base, path: request.payload() }
}

fn by_handle(handle: u64) -> At<'static> {
    At { base: Base::Handle(handle), path: b"" }
}

fn stat(device: u64, ino: Ino, attributes: &Attributes, size: u64, allocated: u64) -> Stat {
    let seconds = |time: u64| (time / 1_000_000_000) as i64;
    let nanoseconds = |time: u64| (time % 1_000_000_000) as i64;
    Stat {
        dev: device,
        ino,
        nlink: attributes.nlink,
        mode: attributes.mode,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: attributes.rdev,
        size: size as i64,
        blksize: 4096,
        blocks: (allocated / 512) as i64,
        atime: seconds(attributes.atime),
        atime_nsec: nanoseconds(attributes.atime),
        mtime: seconds(attributes.mtime),
        mtime_nsec: nanoseconds(attributes.mtime),
        ctime: seconds(attributes.ctime),
        ctime_nsec: nanoseconds(attributes.ctime),
        ..Stat::default()
    }
}
