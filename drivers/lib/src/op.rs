//! Operations, decoded from a request's number and arguments.

use ochre_abi::call::*;

/// What a request asks for. Paths, names and data are the request's payload; times are ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The last descriptor of the handle is gone.
    Close,
    /// The caller of the request `tag` was signalled, or is `gone`.
    Cancel {
        tag: u64,
        gone: bool,
    },
    Open {
        flags: u32,
        mode: u32,
    },
    Dup,
    /// No position: the handle is not seekable.
    Read {
        position: Option<u64>,
        len: usize,
        status: u32,
    },
    /// `position` as for reading; `append`: at the file's end.
    Write {
        position: Option<u64>,
        append: bool,
        len: usize,
        status: u32,
    },
    Seek {
        offset: i64,
        whence: u64,
    },
    Stat {
        flags: u64,
    },
    GetDents {
        position: u64,
        len: usize,
    },
    Truncate {
        size: u64,
    },
    /// `all`: what else the file system has, too (syncfs).
    Sync {
        data_only: bool,
        all: bool,
    },
    Chmod {
        mode: u32,
    },
    Chown {
        uid: u32,
        gid: u32,
        flags: u64,
    },
    Utimens {
        atime: u64,
        mtime: u64,
        flags: u64,
    },
    Unlink {
        flags: u64,
    },
    Mkdir {
        mode: u32,
    },
    /// Handles of the directories that the two paths are relative to, if not the root.
    Rename {
        flags: u64,
        from: Option<u64>,
        to: Option<u64>,
    },
    Link {
        flags: u64,
        from: Option<u64>,
        to: Option<u64>,
    },
    Symlink,
    Readlink,
    Access {
        mode: u32,
        flags: u64,
    },
    Statfs,
    Mknod {
        mode: u32,
        device: u64,
    },
    Flock {
        operation: u64,
    },
    Lock {
        command: u64,
    },
    Ioctl {
        request: u64,
        argument: u64,
    },
    Fallocate {
        mode: u64,
        offset: u64,
        len: u64,
    },
    /// An object of which this port is the pager lacks pages. The request's handle is the object's epoch, for
    /// `ochre_rt::syscall::object_supply_for`.
    PageIn {
        cookie: u64,
        offset: u64,
        len: u64,
    },
    /// An object of which this port is the pager has a dirty page, the first since it was last cleaned; or (`full`) writers wait because the
    /// port's objects have as many dirty pages as they may (`ochre_rt::syscall::pager_limit`). `pages`: how many they have now.
    Dirty {
        cookie: u64,
        full: bool,
        pages: u64,
    },
    /// A write of `len` bytes would make the attached object `size` bytes large: the server raises its limit (`ochre_rt::syscall::object_limit`)
    /// as far as there is space, or says why not.
    Reserve {
        size: u64,
        len: u64,
    },
    /// A process (the caller) closed a descriptor of the handle.
    Flush,
    /// A caller from the process who was told to wait on the handle does so no more.
    GiveUp,
    /// An inotify queue, which came along, wants to know what happens to the file.
    Watch {
        mask: u32,
    },
    /// An extended attribute, or their names; `flags`: AT_SYMLINK_NOFOLLOW.
    Xattr {
        what: Xattr,
        flags: u64,
    },
    /// A socket's name: who asks wants to connect or send to it.
    Reach,
    /// An operation of the scheme's own, from [`OP_PRIVATE`] on.
    Private {
        op: u16,
        args: [u64; 3],
    },
    /// A number that this version does not know.
    Unknown {
        op: u16,
    },
}

/// What is done with extended attributes (xattr(7)). Names and values are windows: [`OP_XATTR_GET`] and the following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xattr {
    /// No room: only the length is wanted.
    Get {
        room: usize,
    },
    Set {
        len: usize,
        flags: u64,
    },
    List {
        room: usize,
    },
    Remove,
}

impl Op {
    /// Decodes a request.
    pub fn decode(request: &Request) -> Self {
        let [a, b, c] = request.args;
        match request.op {
            OP_CLOSE => Op::Close,
            OP_CANCEL => Op::Cancel { tag: a, gone: b == 1 },
            OP_OPEN => Op::Open { flags: a as u32, mode: b as u32 },
            OP_DUP => Op::Dup,
            OP_READ => Op::Read { position: (a != u64::MAX).then_some(a), len: b as usize, status: c as u32 },
            OP_WRITE => {
                let append = a == u64::MAX - 1;
                Op::Write {
                    position: (!append && a != u64::MAX).then_some(a),
                    append,
                    len: b as usize,
                    status: c as u32,
                }
            }
            OP_SEEK => Op::Seek { offset: a as i64, whence: b },
            OP_STAT => Op::Stat { flags: a },
            OP_GETDENTS => Op::GetDents { position: a, len: b as usize },
            OP_TRUNCATE => Op::Truncate { size: a },
            OP_SYNC => Op::Sync { data_only: a == 1, all: a == 2 },
            OP_CHMOD => Op::Chmod { mode: a as u32 },
            OP_CHOWN => Op::Chown { uid: a as u32, gid: b as u32, flags: c },
            OP_UTIMENS => Op::Utimens { atime: a, mtime: b, flags: c },
            OP_UNLINK => Op::Unlink { flags: a },
            OP_MKDIR => Op::Mkdir { mode: a as u32 },
            OP_RENAME => Op::Rename { flags: a, from: b.checked_sub(1), to: c.checked_sub(1) },
            OP_LINK => Op::Link { flags: a, from: b.checked_sub(1), to: c.checked_sub(1) },
            OP_SYMLINK => Op::Symlink,
            OP_READLINK => Op::Readlink,
            OP_ACCESS => Op::Access { mode: a as u32, flags: b },
            OP_STATFS => Op::Statfs,
            OP_MKNOD => Op::Mknod { mode: a as u32, device: b },
            OP_FLOCK => Op::Flock { operation: a },
            OP_LOCK => Op::Lock { command: a },
            OP_IOCTL => Op::Ioctl { request: a, argument: b },
            OP_FALLOCATE => Op::Fallocate { mode: a, offset: b, len: c },
            OP_PAGE_IN => Op::PageIn { cookie: a, offset: b, len: c },
            OP_DIRTY => Op::Dirty { cookie: a, full: b == 1, pages: c },
            OP_RESERVE => Op::Reserve { size: a, len: b },
            OP_REACH => Op::Reach,
            OP_WATCH => Op::Watch { mask: a as u32 },
            OP_XATTR_GET => Op::Xattr { what: Xattr::Get { room: b as usize }, flags: a },
            OP_XATTR_SET => Op::Xattr { what: Xattr::Set { len: b as usize, flags: c }, flags: a },
            OP_XATTR_LIST => Op::Xattr { what: Xattr::List { room: b as usize }, flags: a },
            OP_XATTR_REMOVE => Op::Xattr { what: Xattr::Remove, flags: a },
            OP_FLUSH => Op::Flush,
            OP_GIVE_UP => Op::GiveUp,
            op @ OP_PRIVATE.. => Op::Private { op, args: request.args },
            op => Op::Unknown { op },
        }
    }
}
