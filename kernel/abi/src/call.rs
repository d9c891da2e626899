//! Calls to schemes: operations, and the region that a port shares with its server.
//!
//! A port's region (map the port's fd at offset 0, [`REGION_SIZE`] bytes) holds [`SLOTS`] slots. The kernel puts a request into a
//! free slot, in the caller's context: its entry ([`Request`], 64 bytes) at `ENTRIES_OFFSET + 64 × slot`, up to a page of payload at
//! `PAYLOAD_OFFSET + 4096 × slot`. It announces the slot in the ring of [`Header`]. The server keeps the slot until it answers:
//! it may write the answer's payload and arguments in place, then writes a [`Completion`] (16 bytes) and passes the number of
//! completions to REPLY_RECEIVE. Nothing that the server writes is trusted: the kernel keeps its own state of each slot.

use core::sync::atomic::{AtomicU16, AtomicU32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Requests that one port holds at a time; further callers wait their turn.
pub const SLOTS: usize = 64;
/// The greatest payload of a request or an answer, in bytes; longer data goes through windows.
pub const PAYLOAD_MAX: usize = 4096;
/// Where the entries start in the region.
pub const ENTRIES_OFFSET: usize = 4096;
/// Where the payload pages start in the region.
pub const PAYLOAD_OFFSET: usize = 8192;
/// Bytes of a region.
pub const REGION_SIZE: usize = PAYLOAD_OFFSET + SLOTS * PAYLOAD_MAX;
/// Windows that one call can declare.
pub const WINDOWS_MAX: usize = 8;
/// File descriptors that one call can carry.
pub const CALL_FDS_MAX: usize = 16;
/// The greatest path in bytes, without a NUL (Linux: PATH_MAX 4096 with it).
pub const PATH_LEN_MAX: usize = 4095;

/// The region's first page.
#[repr(C)]
#[derive(Debug)]
pub struct Header {
    /// Requests announced so far (the kernel's counter, wraps).
    pub submitted: AtomicU32,
    pub reserved: [AtomicU32; 15],
    /// Slot of the nth request at n % SLOTS.
    pub ring: [AtomicU16; SLOTS],
    /// The answers that the next REPLY_RECEIVE passes.
    pub completions: [Completion; SLOTS],
}

/// Offset of [`Header::ring`] in the region.
pub const RING_OFFSET: usize = core::mem::offset_of!(Header, ring);
/// Offset of [`Header::completions`] in the region.
pub const COMPLETIONS_OFFSET: usize = core::mem::offset_of!(Header, completions);

/// A request: 64 bytes. In an answer the server may have changed `len` and `args`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Request {
    /// One of the `OP_` numbers.
    pub op: u16,
    pub window_count: u8,
    pub fd_count: u8,
    /// Payload bytes in the slot's page; in an answer, those to copy to the caller.
    pub len: u32,
    /// Names the request until it is answered; never 0. Every request is answered, also those that nobody waits for
    /// (OP_CLOSE, OP_CANCEL, OP_PAGE_IN): that frees the slot.
    pub tag: u64,
    /// The server's own id of the handle, 0 for an operation on the scheme (an open by path).
    pub handle: u64,
    /// By operation.
    pub args: [u64; 3],
    /// The calling process.
    pub pid: u32,
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Bytes that the caller has room for in an answer's payload.
    pub out_len: u32,
}

/// An answer: 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Completion {
    /// The request's tag; its top byte says what `result` is (`ANSWER_`).
    pub tag: u64,
    /// A value ≥ 0, or −errno.
    pub result: i64,
}

/// Where the kind of an answer stands in [`Completion::tag`].
pub const ANSWER_SHIFT: u32 = 56;
/// `result` is the call's value.
pub const ANSWER_VALUE: u8 = 0;
/// `result` is the server's id for a newly opened handle; args\[0\] of the entry: `OPENED_` flags, args\[1\]: 1 + an fd of a memory object
/// to attach, or 0; args\[2\]: the attached object's size in bytes. The caller gets a file descriptor.
pub const ANSWER_OPENED: u8 = 1;
/// `result` is an fd of the server; the caller gets its own descriptor for the same open file. args\[0\] = 1: the server's is closed.
pub const ANSWER_FD: u8 = 2;
/// The payload is another path, to be resolved instead: an absolute one (a symbolic link that leaves the scheme), or one without a slash at the
/// beginning, from the root of what is mounted where the caller's path led.
pub const ANSWER_REDIRECT: u8 = 3;
/// The caller has to wait: the kernel makes the same request again once the server sets [`READY_RETRY`] on the handle. Meanwhile nothing
/// of it is held, so that any number of callers can wait. Only for operations on handles that go through CALL.
pub const ANSWER_WAIT: u8 = 4;

/// HANDLE_READY, beside EPOLL bits: who was told to wait ([`ANSWER_WAIT`]) asks again.
pub const READY_RETRY: u32 = 1 << 25;
/// HANDLE_READY: from now on the server is told when a process closes a descriptor of the handle ([`OP_FLUSH`]).
pub const READY_FLUSH: u32 = 1 << 26;
/// HANDLE_READY: from now on reads and writes come to the server also where an attached object could serve them.
pub const READY_TELL: u32 = 1 << 27;

/// [`ANSWER_OPENED`]: the handle has a position: read and write pass and advance an offset, lseek works.
pub const OPENED_SEEKABLE: u64 = 1;
/// [`ANSWER_OPENED`]: the handle is a directory: relative paths can start from it.
pub const OPENED_DIRECTORY: u64 = 2;
/// [`ANSWER_OPENED`]: writes within the attached object's size go straight into it as well (no message, no growth).
pub const OPENED_WRITE_ATTACHED: u64 = 4;
/// [`ANSWER_OPENED`]: readiness starts as not ready; without it readable and writable are set.
pub const OPENED_NOT_READY: u64 = 8;
/// [`ANSWER_OPENED`]: the kernel answers writes itself: all bytes are taken, and go nowhere. No message, also when the server is gone.
pub const OPENED_WRITES_VANISH: u64 = 16;
/// [`ANSWER_OPENED`]: the kernel answers reads itself: the handle is at its end.
pub const OPENED_READS_END: u64 = 32;
/// [`ANSWER_OPENED`]: the kernel answers reads itself: zero bytes, as many as are wanted.
pub const OPENED_READS_ZERO: u64 = 64;
/// [`ANSWER_OPENED`]: the attached fd is one of FIFO_CREATE: the kernel opens the end that the caller's flags ask for, and waits for the
/// other end on the caller's time. Reads and writes come to no server.
pub const OPENED_FIFO: u64 = 128;
/// [`ANSWER_OPENED`]: as with [`READY_FLUSH`].
pub const OPENED_FLUSH: u64 = 256;
/// [`ANSWER_OPENED`]: as with [`READY_TELL`].
pub const OPENED_TELL: u64 = 512;
/// [`ANSWER_OPENED`], with [`OPENED_WRITE_ATTACHED`]: writes behind the attached object's end extend it, up to its limit (OBJECT_LIMIT),
/// without a message; beyond that the server is asked first ([`OP_RESERVE`]). O_APPEND is atomic between such writers.
pub const OPENED_GROW_ATTACHED: u64 = 1024;

/// [`ANSWER_OPENED`]: a read, write or sync that the server had when it ended can be made again: by its successor, if the port is kept.
/// The caller notices nothing. Other calls fail with EIO then, since nobody knows whether they took place.
pub const OPENED_REPEATABLE: u64 = 1024;

/// Nobody waits for the answer: the last descriptor of `handle` is gone.
pub const OP_CLOSE: u16 = 1;
/// Nobody waits for the answer: args\[0\] is the tag of a request whose caller was signalled (answer it soon: EINTR or its result) or is gone (args\[1\] = 1).
pub const OP_CANCEL: u16 = 2;
/// Payload: path below the scheme's root, without a leading '/'; args: flags (O_*), mode. With `handle`: relative to that directory.
pub const OP_OPEN: u16 = 3;
/// Payload: name. Answer: OPENED or FD.
pub const OP_DUP: u16 = 4;
/// args: offset (u64::MAX: none), length, status flags (O_NONBLOCK); the answer's payload is the data. Above PAYLOAD_MAX: window 0.
pub const OP_READ: u16 = 5;
/// args: offset (u64::MAX: none; u64::MAX − 1: append), length, status flags (O_NONBLOCK); the payload is the data. Above PAYLOAD_MAX: window 0.
pub const OP_WRITE: u16 = 6;
/// args: offset (i64), whence; only for SEEK_END, SEEK_DATA and SEEK_HOLE. The answer's value is the new offset.
pub const OP_SEEK: u16 = 7;
/// The answer's payload is a struct stat. With a payload: a path; args\[0\]: AT_SYMLINK_NOFOLLOW and the like.
pub const OP_STAT: u16 = 8;
/// args: position, length; the answer's payload: struct linux_dirent64s. args\[0\] of the answer: the next position.
pub const OP_GETDENTS: u16 = 9;
/// args\[0\]: size.
pub const OP_TRUNCATE: u16 = 10;
/// args\[0\]: 1 = data only, 2 = all of the file system that the handle belongs to.
pub const OP_SYNC: u16 = 11;
/// Path (or the handle); args\[0\]: mode.
pub const OP_CHMOD: u16 = 12;
/// Path (or the handle); args: uid, gid, AT_ flags.
pub const OP_CHOWN: u16 = 13;
/// Path (or the handle); args: atime ns, mtime ns (u64::MAX now, u64::MAX − 1 omit), AT_ flags.
pub const OP_UTIMENS: u16 = 14;
/// Path; args\[0\]: AT_REMOVEDIR.
pub const OP_UNLINK: u16 = 15;
/// Path; args: mode.
pub const OP_MKDIR: u16 = 16;
/// Payload: old path, NUL, new path (both below the scheme's root, or args\[1\], args\[2\]: handles + 1 of the directories they are relative to); args\[0\]: RENAME_ flags.
pub const OP_RENAME: u16 = 17;
/// As OP_RENAME; args\[0\]: AT_ flags.
pub const OP_LINK: u16 = 18;
/// Path of the new link; the target is window 0; args: none.
pub const OP_SYMLINK: u16 = 19;
/// Path; the answer's payload is the target.
pub const OP_READLINK: u16 = 20;
/// Path; args: mode (R_OK …), AT_ flags.
pub const OP_ACCESS: u16 = 21;
/// Path or handle; the answer's payload is a struct statfs.
pub const OP_STATFS: u16 = 22;
/// Path; args: mode with type, device number.
pub const OP_MKNOD: u16 = 23;
/// args: operation (LOCK_*).
pub const OP_FLOCK: u16 = 24;
/// args: command (F_GETLK …), payload: struct flock, in and out.
pub const OP_LOCK: u16 = 25;
/// args: request, argument; payload and windows by the ioctl table.
pub const OP_IOCTL: u16 = 26;
/// args: mode, offset, length.
pub const OP_FALLOCATE: u16 = 27;
/// Nobody waits for the answer: a pager's object lacks pages: args: cookie, offset, length; `handle`: the object's epoch, which
/// OBJECT_SUPPLY gives back: what was read before a truncation is then not taken for what is there after it.
pub const OP_PAGE_IN: u16 = 28;
/// Path of a socket's name, which the caller must be allowed to write to; the answer is an FD of a reference (SOCKET_REFERENCE).
/// A name is made with OP_MKNOD of S_IFSOCK, which the socket goes along with.
pub const OP_REACH: u16 = 29;
/// Nobody waits for the answer: the process `pid` closed a descriptor of `handle`, or ended ([`READY_FLUSH`]).
pub const OP_FLUSH: u16 = 30;
/// Nobody waits for the answer: a caller from the process `pid` who was told to wait on `handle` ([`ANSWER_WAIT`]) does so no more.
pub const OP_GIVE_UP: u16 = 31;
/// Path; args: inotify_add_watch(2)'s mask. An inotify queue goes along; the answer's value is the watch's number.
pub const OP_WATCH: u16 = 32;
/// On an inotify queue: args: the number of the watch to end. EINVAL if there is none.
pub const OP_INOTIFY_REMOVE: u16 = 33;
/// Path or handle; args: AT_ flags, room; window 0: an extended attribute's name; window 1, if there is room: where its value goes. The
/// answer's value is the length (getxattr(2)).
pub const OP_XATTR_GET: u16 = 34;
/// Path or handle; args: AT_ flags, the value's length, XATTR_ flags; window 0: the name; window 1, unless it is empty: the value.
pub const OP_XATTR_SET: u16 = 35;
/// Path or handle; args: AT_ flags, room; window 0, if there is room: where the names go, each with a NUL. The answer's value is the length.
pub const OP_XATTR_LIST: u16 = 36;
/// Path or handle; args: AT_ flags; window 0: the name.
pub const OP_XATTR_REMOVE: u16 = 37;
/// Nobody waits for the answer: an object has its first dirty page since the last OBJECT_CLEAN, or (args\[1\] = 1) its pager's dirty pages
/// are as many as they may be, and writers wait. args: cookie, reason, dirty pages of all the pager's objects.
pub const OP_DIRTY: u16 = 38;
/// A write wants to extend the attached object ([`OPENED_GROW_ATTACHED`]): args: the size wanted, bytes of the write. The server raises
/// the limit (OBJECT_LIMIT) and answers 0, or an error (ENOSPC, EFBIG); what fits below the limit is written all the same.
pub const OP_RESERVE: u16 = 39;
/// args: offset, length (0: to the end), POSIX_FADV_ advice. The kernel itself answers it for its objects and attached ones.
pub const OP_ADVISE: u16 = 40;
/// The first number that schemes define for themselves.
pub const OP_PRIVATE: u16 = 0x100;

/// The caller's description of a call (CALL, PATH_CALL, PATH_CALL2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CallArgs {
    pub op: u32,
    pub window_count: u32,
    pub args: [u64; 3],
    /// Address and length (≤ PAYLOAD_MAX) of the payload.
    pub input: u64,
    pub input_len: u64,
    /// Where an answer's payload goes, and how much fits.
    pub output: u64,
    pub output_len: u64,
    /// Address of `window_count` [`Window`]s.
    pub windows: u64,
    /// Address of `fd_count` i32s.
    pub fds: u64,
    pub fd_count: u64,
}

/// Memory of the caller that the server can copy from or to while it holds the request.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Window {
    pub addr: u64,
    pub len: u64,
    /// [`WINDOW_READ`], [`WINDOW_WRITE`] or both: what the server may do.
    pub access: u64,
}

/// The server may copy from the window.
pub const WINDOW_READ: u64 = 1;
/// The server may copy to the window.
pub const WINDOW_WRITE: u64 = 2;

/// Argument of WINDOW_COPY.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WindowCopy {
    pub window: u32,
    /// WINDOW_READ: from the caller's window to `local`; WINDOW_WRITE: the other way.
    pub direction: u32,
    /// Offset in the window.
    pub offset: u64,
    /// The server's own buffer.
    pub local: u64,
    pub len: u64,
}

/// Argument of PATH_CALL2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PathPair {
    pub dirfd: i32,
    pub dirfd2: i32,
    pub path: u64,
    pub path_len: u64,
    pub path2: u64,
    pub path2_len: u64,
}

/// Argument of SOCKET_NEXT: which reference to a socket comes next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketNext {
    /// The number of the last one, 0 at first; the call writes the next one's.
    pub after: u64,
    /// Address and length of what the keys begin with.
    pub prefix: u64,
    pub prefix_len: u64,
    /// Where the key goes, and the room there; the call writes the key's length.
    pub key: u64,
    pub key_len: u64,
}

/// Argument of PORT_NEXT.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PortNext {
    /// [`NEXT_HANDLE`] and its neighbours.
    pub kind: u32,
    /// In: 0, or −1 if no descriptor is wanted. Out: the object that is attached to a handle (−1: none), that is paged, or parked; close-on-exec.
    pub fd: i32,
    /// In: where to look from; out: where it was found. For the next one pass that and 1.
    pub from: u64,
    /// Out: the handle's id, the pager's cookie, or the key.
    pub key: u64,
    /// Out: a handle's `OPENED_` flags.
    pub flags: u64,
    /// Out: a handle's readiness.
    pub ready: u32,
    pub reserved: u32,
}

/// [`PortNext::kind`]: living handles, in the order of their ids.
pub const NEXT_HANDLE: u32 = 0;
/// [`PortNext::kind`]: objects whose pager the port is.
pub const NEXT_OBJECT: u32 = 1;
/// [`PortNext::kind`]: parked objects, in the order of their keys.
pub const NEXT_PARKED: u32 = 2;

/// Who made a request (CALLER_INFO).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CallerInfo {
    pub pid: u32,
    pub tid: u32,
    pub uid: u32,
    pub gid: u32,
    pub rights: u64,
    /// Process group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// Signals that the calling thread blocks; all of them if it never set signals up.
    pub blocked: u64,
    /// Signals that the process ignores.
    pub ignored: u64,
    /// Real ids.
    pub ruid: u32,
    pub rgid: u32,
}

const _: () = assert!(size_of::<Request>() == 64 && size_of::<Completion>() == 16 && size_of::<Header>() <= 4096);
