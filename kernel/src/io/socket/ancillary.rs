//! Control messages: cmsg(3). SCM_RIGHTS carries open files, SCM_CREDENTIALS says who sends.

use super::{MSG_CMSG_CLOEXEC, MSG_CTRUNC, MessageHeader, UserCredentials};
use crate::file::File;
use crate::process::Process;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ochre_abi::process::RIGHT_CREDENTIALS;
use ochre_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const SCM_CREDENTIALS: i32 = 2;
/// Files of one message (SCM_MAX_FD).
const FILES_MAX: usize = 253;
/// Bytes of control messages that one call may bring (Linux: net.core.optmem_max).
const CONTROL_MAX: u64 = 131_072;

/// struct cmsghdr.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct ControlHeader {
    len: u64,
    level: i32,
    kind: i32,
}

const HEADER: u64 = size_of::<ControlHeader>() as u64;

/// What goes with a message.
#[derive(Default)]
pub struct Ancillary {
    /// Open files.
    pub files: Vec<Arc<File>>,
    /// Who sends.
    pub credentials: Option<UserCredentials>,
}

/// Reads what a sender attached.
///
/// EINVAL: a malformed or unknown message, too many files; EBADF: no such file; EPERM: somebody else's credentials; ENOBUFS: too long.
pub fn read(me: &Arc<Thread>, header: &MessageHeader) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    let (start, len) = (header.control, header.control_len);
    if len > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    let mut offset = 0;
    while len - offset >= HEADER {
        let at = start.wrapping_add(offset);
        let control: ControlHeader = user::read(at)?;
        if control.len < HEADER || control.len > len - offset {
            return Err(Errno::EINVAL);
        }
        let (data, data_len) = (at.wrapping_add(HEADER), control.len - HEADER);
        match (control.level, control.kind) {
            (SOL_SOCKET, SCM_RIGHTS) => read_files(me, data, data_len / 4, &mut ancillary.files)?,
            (SOL_SOCKET, SCM_CREDENTIALS) => {
                if data_len != size_of::<UserCredentials>() as u64 {
                    return Err(Errno::EINVAL);
                }
                ancillary.credentials = Some(check(&me.process, user::read(data)?)?);
            }
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            _ => {}
        }
        offset += control.len.next_multiple_of(8);
        if offset > len {
            break;
        }
    }
    Ok(ancillary)
}

fn read_files(me: &Arc<Thread>, addr: u64, count: u64, files: &mut Vec<Arc<File>>) -> Result<()> {
    if count > (FILES_MAX - files.len()) as u64 {
        return Err(Errno::EINVAL);
    }
    for n in 0..count {
        let fd: i32 = user::read(addr.wrapping_add(4 * n))?;
        files.push(me.process.file(fd)?);
    }
    Ok(())
}

/// A process may call itself by any of its ids; with RIGHT_CREDENTIALS by anybody's.
fn check(process: &Process, claimed: UserCredentials) -> Result<UserCredentials> {
    let ids = process.credentials();
    let own = claimed.pid == process.pid
        && [ids.ruid, ids.euid, ids.suid].contains(&claimed.uid)
        && [ids.rgid, ids.egid, ids.sgid].contains(&claimed.gid);
    if own || process.has_right(RIGHT_CREDENTIALS) { Ok(claimed) } else { Err(Errno::EPERM) }
}

/// Writes control messages to a receiver's buffer.
pub struct Writer {
    start: u64,
    len: u64,
    used: u64,
    /// MSG_CTRUNC if something did not fit.
    pub flags: u64,
}

impl Writer {
    /// The buffer that a message header names.
    pub fn new(header: &MessageHeader) -> Writer {
        let len = if header.control == 0 { 0 } else { header.control_len };
        Writer { start: header.control, len, used: 0, flags: 0 }
    }

    /// Bytes written.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Room for data in a message that starts here.
    fn room(&self) -> u64 {
        self.len.saturating_sub(self.used).saturating_sub(HEADER)
    }

    fn finish(&mut self, kind: i32, data_len: u64) -> Result<()> {
        let control = ControlHeader { len: HEADER + data_len, level: SOL_SOCKET, kind };
        user::write(self.start.wrapping_add(self.used), &control)?;
        self.used = (self.used + control.len.next_multiple_of(8)).min(self.len);
        Ok(())
    }

    /// SCM_CREDENTIALS.
    pub fn credentials(&mut self, credentials: UserCredentials) -> Result<()> {
        let size = size_of::<UserCredentials>() as u64;
        if self.room() < size {
            self.flags |= MSG_CTRUNC;
            return Ok(());
        }
        user::write(self.start.wrapping_add(self.used + HEADER), &credentials)?;
        self.finish(SCM_CREDENTIALS, size)
    }

    /// SCM_RIGHTS: gives the receiver descriptors for as many files as fit, and takes those out of `files`; the rest is for the caller
    /// to drop.
    pub fn files(&mut self, me: &Arc<Thread>, files: &mut Vec<Arc<File>>, flags: u64) -> Result<()> {
        let fits = usize::try_from(self.room() / 4).unwrap_or(usize::MAX).min(files.len());
        let cloexec = flags & MSG_CMSG_CLOEXEC != 0;
        let mut count = 0;
        for file in &files[..fits] {
            let Ok(fd) = me.process.install(file.clone(), cloexec) else { break };
            if user::write(self.start.wrapping_add(self.used + HEADER + 4 * count), &fd).is_err() {
                drop(me.process.take(fd));
                break;
            }
            count += 1;
        }
        if (count as usize) < files.len() {
            self.flags |= MSG_CTRUNC;
        }
        if count > 0 { self.finish(SCM_RIGHTS, 4 * count) } else { Ok(()) }
    }
}
