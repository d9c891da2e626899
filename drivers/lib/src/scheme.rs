//! What a server implements.

use crate::answer::Answer;
use crate::op::Op;
use crate::request::Request;
use ochre_abi::file::{O_PATH, S_IFCHR, Stat};
use ochre_abi::{Errno, Result};

/// A scheme's behaviour. Only [`Self::open`] must be written; the defaults answer as Linux does for a device that cannot do that.
///
/// Handlers may take as long as they like only if no other caller should be served meanwhile: what has to wait is
/// deferred ([`Request::defer`]).
pub trait Scheme {
    /// open(2): [`Request::payload`] is the path below the scheme's root, or below the directory [`Request::handle`].
    /// The answer is usually [`Answer::opened`].
    fn open(&mut self, request: &mut Request, flags: u32, mode: u32) -> Result<Answer>;

    /// The last descriptor of a handle is gone.
    fn close(&mut self, _handle: u64) {}

    /// The caller of a deferred request was signalled (answer it soon, EINTR if there is nothing better) or is gone.
    fn cancel(&mut self, _tag: u64, _gone: bool) {}

    /// Another handle from this one; the payload is a name.
    fn dup(&mut self, _request: &mut Request) -> Result<Answer> {
        Err(Errno::EINVAL)
    }

    /// read(2) and pread(2): put data with [`Request::put`], answer with [`Request::data_answer`].
    fn read(&mut self, _request: &mut Request, _position: Option<u64>, _len: usize) -> Result<Answer> {
        Err(Errno::EINVAL)
    }

    /// write(2) and pwrite(2): get data with [`Request::data`], answer with the number of bytes taken.
    fn write(&mut self, _request: &mut Request, _position: Option<u64>, _len: usize) -> Result<Answer> {
        Err(Errno::EINVAL)
    }

    /// What fstat(2) tells of a handle.
    fn stat(&mut self, handle: u64) -> Result<Stat> {
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFCHR | 0o666, blksize: 4096, ..Stat::default() })
    }

    /// ioctl(2).
    fn ioctl(&mut self, _request: &mut Request, _command: u64, _argument: u64) -> Result<Answer> {
        Err(Errno::ENOTTY)
    }

    /// Every other operation, also the scheme's own ones.
    fn other(&mut self, _request: &mut Request, op: Op) -> Result<Answer> {
        Err(refusal(op))
    }

    /// Hands a request to the function it is for. A scheme with many operations may do that itself.
    fn handle(&mut self, request: &mut Request) -> Result<Answer> {
        match request.op() {
            Op::Close => {
                self.close(request.handle());
                Ok(Answer::done())
            }
            Op::Flush | Op::GiveUp | Op::Dirty { .. } => Ok(Answer::done()),
            Op::Cancel { tag, gone } => {
                self.cancel(tag, gone);
                Ok(Answer::done())
            }
            Op::Open { flags, mode } => self.open(request, flags, mode),
            Op::Dup => self.dup(request),
            Op::Read { position, len, .. } => self.read(request, position, len),
            Op::Write { position, len, .. } => self.write(request, position, len),
            Op::Ioctl { request: command, argument } => self.ioctl(request, command, argument),
            Op::Stat { .. } => {
                let stat = match probe(self, request)? {
                    Probe::Handle(handle) => self.stat(handle)?,
                    Probe::Opened(handle) => {
                        let stat = self.stat(handle);
                        self.close(handle);
                        stat?
                    }
                    Probe::Answer(answer) => return Ok(answer),
                };
                request.put_value(&stat)?;
                Ok(Answer::done())
            }
            // No such attributes here, but the path must lead to something.
            op @ Op::Xattr { .. } => match probe(self, request)? {
                Probe::Handle(_) => Err(refusal(op)),
                Probe::Opened(handle) => {
                    self.close(handle);
                    Err(refusal(op))
                }
                Probe::Answer(answer) => Ok(answer),
            },
            op @ Op::Access { .. } => match probe(self, request)? {
                Probe::Handle(_) => Err(refusal(op)),
                Probe::Opened(handle) => {
                    self.close(handle);
                    Ok(Answer::done())
                }
                Probe::Answer(answer) => Ok(answer),
            },
            op => self.other(request, op),
        }
    }
}

enum Probe {
    /// The request is about a handle.
    Handle(u64),
    /// It is about a path, opened for the moment.
    Opened(u64),
    /// It is about a path that leads elsewhere, or is opened later.
    Answer(Answer),
}

/// Finds what a request by handle or by path is about.
fn probe<S: Scheme + ?Sized>(scheme: &mut S, request: &mut Request) -> Result<Probe> {
    if request.payload().is_empty() && request.handle() != 0 {
        return Ok(Probe::Handle(request.handle()));
    }
    let answer = scheme.open(request, O_PATH, 0)?;
    match answer.kind {
        ochre_abi::call::ANSWER_OPENED => Ok(Probe::Opened(answer.result as u64)),
        ochre_abi::call::ANSWER_REDIRECT => Ok(Probe::Answer(answer)),
        // The path is there, but is no file of this scheme.
        _ => Err(Errno::ENOSYS),
    }
}

/// The errno that Linux gives for an operation that a character device does not have.
fn refusal(op: Op) -> Errno {
    match op {
        Op::Seek { .. } => Errno::ESPIPE,
        Op::GetDents { .. } => Errno::ENOTDIR,
        Op::Truncate { .. } | Op::Sync { .. } | Op::Readlink | Op::Lock { .. } | Op::Flock { .. } => Errno::EINVAL,
        Op::Fallocate { .. } => Errno::ENODEV,
        Op::Xattr { .. } => Errno::EOPNOTSUPP,
        Op::Mkdir { .. } | Op::Unlink { .. } | Op::Rename { .. } | Op::Link { .. } | Op::Symlink | Op::Mknod { .. } => {
            Errno::EPERM
        }
        Op::Chmod { .. } | Op::Chown { .. } | Op::Utimens { .. } => Errno::EPERM,
        _ => Errno::ENOSYS,
    }
}
