//! The scheme: handles, permissions, links, listings.

use crate::kernel;
use crate::node::{NAMESPACES, Node, Place, Walk, Walker, walk};
use crate::process::{self, View};
use crate::{descriptors, mounts, status, system};
use ochre_scheme::abi::file::*;
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The device number of /proc: what no other file system has.
const DEVICE: u64 = mounts::PROC_DEVICE;
/// The greatest part of a write that counts.
const WRITE_MAX: usize = 4096;

/// The scheme's state: what is open.
#[derive(Default)]
pub struct Proc {
    next: u64,
    handles: HashMap<u64, Handle>,
}

struct Handle {
    node: Node,
    /// The text as it was when its start was read last; programs read a file again from its start to see how things are now.
    text: Option<Vec<u8>>,
}

/// What a path leads to.
enum Target {
    Node(Node),
    /// Elsewhere: the path to go on with.
    Elsewhere(Vec<u8>),
}

impl Proc {
    /// Nothing open.
    pub fn new() -> Proc {
        Proc::default()
    }

    fn node(&self, handle: u64) -> Result<Node> {
        self.handles.get(&handle).map(|handle| handle.node).ok_or(Errno::EBADF)
    }

    /// The node that a request's path, or its handle, is about.
    fn target(&self, request: &Request, follow: bool, flags: u32) -> Result<Target> {
        self.target_of(request, request.payload(), request.handle(), follow, flags)
    }

    /// The same of one path of a request, relative to a handle (0: the root).
    fn target_of(&self, request: &Request, path: &[u8], from: u64, follow: bool, flags: u32) -> Result<Target> {
        let from = match from {
            0 => Node::Folder(""),
            handle => self.node(handle)?,
        };
        if path.is_empty() {
            return Ok(Target::Node(from));
        }
        let tid = request.caller_info().map_or(request.caller().pid, |info| info.tid);
        let walker = Walker { pid: request.caller().pid, tid };
        match walk(from, path, walker, follow)? {
            Walk::At(node) => Ok(Target::Node(node)),
            Walk::Out(node, rest) => {
                // A folder is wanted of the link if names follow.
                let flags = if rest.is_empty() { flags } else { O_PATH | O_DIRECTORY };
                let mut path = leave(node, request, flags)?;
                if !rest.is_empty() {
                    path.push(b'/');
                    path.extend_from_slice(rest.as_bytes());
                }
                Ok(Target::Elsewhere(path))
            }
        }
    }
}

impl Proc {
    /// Operations that /proc itself does not have; but their path may lead out of it.
    fn refuse(&self, request: &mut Request, follow: bool, error: Errno) -> Result<Answer> {
        match self.target(request, follow, O_PATH)? {
            Target::Node(_) => Err(error),
            Target::Elsewhere(path) => request.redirect(&path),
        }
    }

    /// The same for two paths: the answer says which of them goes on elsewhere.
    fn refuse_pair(&self, request: &mut Request, from: Option<u64>, to: Option<u64>) -> Result<Answer> {
        let (first, second) = {
            let mut paths = request.payload().splitn(2, |byte| *byte == 0);
            (paths.next().unwrap_or_default().to_vec(), paths.next().unwrap_or_default().to_vec())
        };
        for (number, path, handle) in [(b'1', first, from), (b'2', second, to)] {
            if let Target::Elsewhere(path) = self.target_of(request, &path, handle.unwrap_or(0), false, O_PATH)? {
                return request.redirect(&[&[number, 0], &path[..]].concat());
            }
        }
        Err(Errno::EPERM)
    }
}

/// May the caller look into the process: the same user, or the superuser.
fn check_private(request: &Request, place: Place) -> Result<()> {
    let caller = request.caller();
    if caller.uid == 0 || caller.pid == place.pid {
        return Ok(());
    }
    let ids = kernel::status(place.pid)?;
    let same = ["ruid", "euid", "suid"].iter().all(|id| ids.number(id) == u64::from(caller.uid));
    if same { Ok(()) } else { Err(Errno::EACCES) }
}

/// Where a link out of /proc leads.
fn leave(node: Node, request: &Request, flags: u32) -> Result<Vec<u8>> {
    let place = node.place().ok_or(Errno::ENOENT)?;
    check_private(request, place)?;
    match node {
        Node::Fd(place, fd) => Ok(descriptors::find(place, fd)?.path_for(place, flags)),
        // A kind of namespace is nothing that can be opened here.
        Node::Namespace(..) => Err(Errno::EACCES),
        _ => link(node, request),
    }
}

/// What readlink shows.
fn link(node: Node, request: &Request) -> Result<Vec<u8>> {
    if let Some(place) = node.place() {
        check_private(request, place)?;
    }
    let tid = request.caller_info().map_or(request.caller().pid, |info| info.tid);
    match node {
        Node::Link(_) => {
            let walker = Walker { pid: request.caller().pid, tid };
            node.target(walker).map(String::into_bytes).ok_or(Errno::ENOENT)
        }
        Node::Magic(_, "root") => Ok(b"/".to_vec()),
        Node::Magic(place, name) => {
            let path = kernel::of_process(place.pid, name)?;
            if path.is_empty() { Err(Errno::ENOENT) } else { Ok(path) }
        }
        Node::Fd(place, fd) => Ok(descriptors::find(place, fd)?.link()),
        Node::Namespace(_, name) => {
            let number = NAMESPACES.iter().find(|(own, _)| *own == name).map_or(0, |(_, number)| *number);
            Ok(format!("{name}:[{number}]").into_bytes())
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Files that only the owner may open, whatever the mode says to readers (Linux: ptrace access).
fn is_private(node: Node) -> bool {
    matches!(
        node,
        Node::File(_, "auxv" | "environ" | "maps" | "mem" | "mountinfo" | "personality")
            | Node::Fds(_)
            | Node::FdInfos(_)
            | Node::FdInfo(..)
    )
}

/// Permission bits with the type.
fn mode(node: Node) -> u32 {
    match node {
        Node::Fds(_) | Node::FdInfos(_) => S_IFDIR | 0o500,
        Node::Namespaces(_) => S_IFDIR | 0o511,
        Node::Folder(_) | Node::Process(_) | Node::Tasks(_) => S_IFDIR | 0o555,
        Node::Link(_) | Node::Magic(..) | Node::Namespace(..) => S_IFLNK | 0o777,
        Node::Fd(place, fd) => S_IFLNK | descriptors::find(place, fd).map_or(0o700, |one| one.mode()),
        Node::System("sys/kernel/hostname") | Node::File(_, "comm" | "oom_score_adj" | "oom_adj") => S_IFREG | 0o644,
        Node::File(_, "auxv" | "environ" | "personality") => S_IFREG | 0o400,
        Node::File(_, "mem") => S_IFREG | 0o600,
        _ => S_IFREG | 0o444,
    }
}

fn inode(node: Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.path().hash(&mut hasher);
    // Not 0, and small enough for a signed number.
    hasher.finish() >> 1 | 1
}

fn describe(node: Node) -> Result<Stat> {
    let (uid, gid) = match node.place() {
        Some(place) => {
            let ids = kernel::status(place.pid)?;
            (ids.number("euid") as u32, ids.number("egid") as u32)
        }
        None => (0, 0),
    };
    let now = ochre_rt::time::realtime();
    let (seconds, nanoseconds) = ((now / 1_000_000_000) as i64, (now % 1_000_000_000) as i64);
    Ok(Stat {
        dev: DEVICE,
        ino: inode(node),
        nlink: if node.is_folder() { 2 } else { 1 },
        mode: mode(node),
        uid,
        gid,
        size: if node.is_link() { 64 } else { 0 },
        blksize: 1024,
        atime: seconds,
        atime_nsec: nanoseconds,
        mtime: seconds,
        mtime_nsec: nanoseconds,
        ctime: seconds,
        ctime_nsec: nanoseconds,
        ..Stat::default()
    })
}

/// EACCES unless the mode lets the caller do this (R_OK 4, W_OK 2, X_OK 1).
fn check_access(node: Node, request: &Request, wanted: u32) -> Result<()> {
    let caller = request.caller();
    if is_private(node)
        && let Some(place) = node.place()
    {
        check_private(request, place)?;
    }
    let stat = describe(node)?;
    let class = match () {
        () if caller.uid == 0 => return if wanted & 1 != 0 && !node.is_folder() { Err(Errno::EACCES) } else { Ok(()) },
        () if caller.uid == stat.uid => 6,
        () if caller.gid == stat.gid => 3,
        () => 0,
    };
    if stat.mode >> class & wanted == wanted { Ok(()) } else { Err(Errno::EACCES) }
}

/// The text of a file. ESRCH: its process has ended.
fn text(node: Node, request: &Request) -> Result<Vec<u8>> {
    let gone = |error| if error == Errno::ENOENT { Errno::ESRCH } else { error };
    match node {
        Node::System(path) => system::text(path),
        Node::File(place, name) => file(place, name, request).map_err(gone),
        Node::FdInfo(place, fd) => Ok(descriptors::find(place, fd)?.info()),
        _ => Err(Errno::EINVAL),
    }
}

fn file(place: Place, name: &str, request: &Request) -> Result<Vec<u8>> {
    let view = || View::new(place, request.caller().pid);
    match name {
        "auxv" => kernel::of_process(place.pid, "auxv"),
        "cgroup" => Ok(b"0::/\n".to_vec()),
        "cmdline" => kernel::of_process(place.pid, "args"),
        "comm" => {
            let mut name = view()?.name();
            name.push(b'\n');
            Ok(name)
        }
        "environ" => kernel::of_process(place.pid, "env"),
        "limits" => {
            kernel::of_process(place.pid, "limits").map(|text| process::limits(&String::from_utf8_lossy(&text)))
        }
        "maps" => kernel::of_process(place.pid, "maps"),
        "mountinfo" => mounts::info(place.pid),
        "mounts" => mounts::text(place.pid),
        // Nothing is chosen by scores when memory runs out.
        "oom_adj" | "oom_score" | "oom_score_adj" => Ok(b"0\n".to_vec()),
        "personality" => Ok(b"00000000\n".to_vec()),
        "stat" => {
            let exact = check_private(request, place).is_ok();
            Ok(process::stat(&view()?, exact))
        }
        "statm" => Ok(process::statm(&view()?)),
        "status" => Ok(status::status(&view()?)),
        "wchan" => Ok(match view()?.thread().map(|thread| thread.syscall.to_ascii_lowercase()) {
            Some(call) if call != "-" => call.into_bytes(),
            _ => b"0".to_vec(),
        }),
        _ => Err(Errno::ENOENT),
    }
}

/// Writes to the few files that can be written.
fn write(node: Node, request: &Request, data: &[u8]) -> Result<()> {
    match node {
        // Only a process itself names its threads.
        Node::File(place, "comm") if request.caller().pid == place.pid => {
            let path = format!("/scheme/proc/{}/name", place.pid);
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, data))
                .map_err(|error| Errno(error.raw_os_error().unwrap_or(5)))
        }
        Node::System("sys/kernel/hostname") => {
            let name = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
            ochre_rt::syscall::set_hostname(name)
        }
        Node::System(_) => Err(Errno::EIO),
        _ => Err(Errno::EINVAL),
    }
}

/// Entries of a folder but `.` and `..`.
fn entries(node: Node) -> Result<Vec<(String, Node)>> {
    match node {
        Node::Folder(path) => {
            let mut names = Node::names(path);
            if path.is_empty() {
                let pids = kernel::pids()?;
                names.extend(pids.into_iter().map(|pid| (pid.to_string(), Node::Process(Place { pid, tid: None }))));
            }
            Ok(names)
        }
        Node::Process(place) => Ok(Node::process_names(place)),
        Node::Tasks(pid) => {
            let mut tids: Vec<u32> = kernel::threads(pid)?.iter().map(|thread| thread.tid).collect();
            tids.sort_unstable();
            let entry = |tid: u32| (tid.to_string(), Node::Process(Place { pid, tid: Some(tid) }));
            Ok(tids.into_iter().map(entry).collect())
        }
        Node::Fds(place) => {
            Ok(descriptors::all(place)?.iter().map(|one| (one.fd.to_string(), Node::Fd(place, one.fd))).collect())
        }
        Node::FdInfos(place) => {
            Ok(descriptors::all(place)?.iter().map(|one| (one.fd.to_string(), Node::FdInfo(place, one.fd))).collect())
        }
        Node::Namespaces(place) => {
            Ok(NAMESPACES.iter().map(|(name, _)| ((*name).to_owned(), Node::Namespace(place, name))).collect())
        }
        _ => Err(Errno::ENOTDIR),
    }
}

/// A folder's entry's place in the listing: names that come and go do not move the others. Static names first, then by number.
fn list(node: Node, request: &mut Request, position: u64) -> Result<Answer> {
    let mut all = vec![(".".to_owned(), node), ("..".to_owned(), Node::Folder(""))];
    all.extend(entries(node)?);
    let fixed = all.iter().take_while(|(name, _)| name.parse::<u64>().is_err()).count() as u64;
    let mut page = vec![0; request.room().min(64 * 1024)];
    let mut len = 0;
    let mut next = position;
    for (at, (name, entry)) in (0..).zip(all) {
        let place = name.parse::<u64>().map_or(at, |number| fixed + number);
        if place < position {
            continue;
        }
        let kind = match entry {
            entry if entry.is_folder() => DT_DIR,
            entry if entry.is_link() => DT_LNK,
            _ => DT_REG,
        };
        if !put_dirent(&mut page, &mut len, inode(entry), place + 1, kind, name.as_bytes()) {
            if len == 0 {
                return Err(Errno::EINVAL);
            }
            break;
        }
        next = place + 1;
    }
    request.put(&page[..len])?;
    Ok(Answer::value(len).with_args([next, 0, 0]))
}

impl Scheme for Proc {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let follow = flags & O_NOFOLLOW == 0;
        let node = match self.target(request, follow, flags)? {
            Target::Node(node) => node,
            Target::Elsewhere(path) => return request.redirect(&path),
        };
        if flags & O_CREAT != 0 && flags & O_EXCL != 0 {
            return Err(Errno::EEXIST);
        }
        if node.is_link() && flags & O_PATH == 0 {
            return Err(Errno::ELOOP);
        }
        if flags & O_DIRECTORY != 0 && !node.is_folder() {
            return Err(Errno::ENOTDIR);
        }
        if flags & O_PATH == 0 {
            let wanted = match flags & O_ACCMODE {
                O_RDONLY => 4,
                O_WRONLY => 2,
                _ => 6,
            };
            if node.is_folder() && wanted != 4 {
                return Err(Errno::EISDIR);
            }
            check_access(node, request, if flags & O_EXEC != 0 { 1 } else { wanted })?;
            if let Node::File(place, "mem") = node {
                // The kernel has it, and asks once more who may.
                return request.redirect(format!("/scheme/proc/{}/mem", place.pid).as_bytes());
            }
        }
        self.next += 1;
        self.handles.insert(self.next, Handle { node, text: None });
        let answer = Answer::opened(self.next).seekable();
        Ok(if node.is_folder() { answer.directory() } else { answer })
    }

    fn close(&mut self, handle: u64) {
        self.handles.remove(&handle);
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        let handle = self.handles.get_mut(&request.handle()).ok_or(Errno::EBADF)?;
        if handle.node.is_folder() {
            return Err(Errno::EISDIR);
        }
        let start = position.unwrap_or(0);
        if start == 0 || handle.text.is_none() {
            handle.text = Some(text(handle.node, request)?);
        }
        let text = handle.text.as_deref().unwrap_or_default();
        let rest = text.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
        request.put(&rest[..rest.len().min(len)])?;
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _position: Option<u64>, len: usize) -> Result<Answer> {
        let node = self.node(request.handle())?;
        let data = request.data(WRITE_MAX)?.into_owned();
        write(node, request, &data)?;
        Ok(Answer::value(len))
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::GetDents { position, .. } => list(self.node(request.handle())?, request, position),
            // Files of /proc have no length that could change.
            Op::Truncate { .. } if request.payload().is_empty() => Ok(Answer::done()),
            Op::Truncate { .. } => self.refuse(request, true, Errno::EPERM),
            Op::Seek { .. } => Err(Errno::EINVAL),
            Op::Statfs => {
                if let Target::Elsewhere(path) = self.target(request, true, O_PATH)? {
                    return request.redirect(&path);
                }
                // struct statfs: type PROC_SUPER_MAGIC, block size, …, longest name at +64.
                let mut words = [0u64; 15];
                (words[0], words[1], words[8], words[9]) = (0x9fa0, 4096, 255, 4096);
                words.iter().try_for_each(|word| request.put_value(word))?;
                Ok(Answer::done())
            }
            Op::Mkdir { .. } | Op::Symlink | Op::Mknod { .. } => self.refuse(request, false, Errno::EEXIST),
            Op::Unlink { .. } => self.refuse(request, false, Errno::EPERM),
            Op::Chmod { .. } => self.refuse(request, true, Errno::EPERM),
            Op::Chown { flags, .. } | Op::Utimens { flags, .. } => {
                self.refuse(request, flags & AT_SYMLINK_NOFOLLOW == 0, Errno::EPERM)
            }
            Op::Rename { from, to, .. } | Op::Link { from, to, .. } => self.refuse_pair(request, from, to),
            _ => Err(Errno::EINVAL),
        }
    }

    fn handle(&mut self, request: &mut Request) -> Result<Answer> {
        let op = request.op();
        let answer = |target| match target {
            Target::Node(node) => Ok(node),
            Target::Elsewhere(path) => Err(path),
        };
        match op {
            Op::Stat { flags } => match answer(self.target(request, flags & AT_SYMLINK_NOFOLLOW == 0, O_PATH)?) {
                Ok(node) => {
                    request.put_value(&describe(node)?)?;
                    Ok(Answer::done())
                }
                Err(path) => request.redirect(&path),
            },
            Op::Access { mode, flags } => {
                match answer(self.target(request, flags & AT_SYMLINK_NOFOLLOW == 0, O_PATH)?) {
                    Ok(node) => check_access(node, request, mode & 7).map(|()| Answer::done()),
                    Err(path) => request.redirect(&path),
                }
            }
            Op::Xattr { flags, .. } => match answer(self.target(request, flags & AT_SYMLINK_NOFOLLOW == 0, O_PATH)?) {
                Ok(_) => Err(Errno::EOPNOTSUPP),
                Err(path) => request.redirect(&path),
            },
            Op::Readlink => match answer(self.target(request, false, O_PATH)?) {
                Ok(node) => {
                    let target = link(node, request)?;
                    request.put(&target)?;
                    request.data_answer()
                }
                Err(path) => request.redirect(&path),
            },
            Op::Close => {
                self.close(request.handle());
                Ok(Answer::done())
            }
            Op::Cancel { .. } => Ok(Answer::done()),
            Op::Open { flags, mode } => self.open(request, flags, mode),
            Op::Read { position, len, .. } => self.read(request, position, len),
            Op::Write { position, len, .. } => self.write(request, position, len),
            Op::Ioctl { .. } => Err(Errno::ENOTTY),
            op => self.other(request, op),
        }
    }
}
