//! A call from its caller's side: a request, the wait, the answer.

use crate::file::File;
use crate::port::{Port, Reserved};
use crate::sched::{self, Wake};
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::call::{self as abi, Request, Window};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// A request's payload.
pub enum Input<'a> {
    /// In the caller's memory.
    User(UserSlice),
    /// The kernel's own (a path).
    Kernel(&'a [u8]),
}

/// What to ask.
pub struct Call<'a> {
    /// `OP_`.
    pub op: u16,
    /// The server's id of the handle, or 0.
    pub handle: u64,
    /// By operation.
    pub args: [u64; 3],
    /// Payload, at most PAYLOAD_MAX bytes.
    pub input: Input<'a>,
    /// Where the answer's payload goes.
    pub output: UserSlice,
    /// Memory that the server can reach meanwhile.
    pub windows: &'a [Window],
    /// Open files that go along.
    pub files: Vec<Arc<File>>,
    /// If the server ends meanwhile, its successor can be asked the same. Not with files.
    pub repeats: bool,
}

impl Call<'_> {
    /// An operation on a handle without payload.
    pub fn plain(op: u16, handle: u64, args: [u64; 3]) -> Self {
        Call {
            op,
            handle,
            args,
            input: Input::Kernel(&[]),
            output: UserSlice { addr: 0, len: 0 },
            windows: &[],
            files: Vec::new(),
            repeats: false,
        }
    }
}

/// Kind of an answer that no server gave: it ended meanwhile.
pub(crate) const SERVER_GONE: u8 = u8::MAX;

/// What came back.
pub enum Answer {
    /// A number; the answer's arguments.
    Value(usize, [u64; 3]),
    /// A new handle of the server.
    Opened(Arc<SchemeHandle>),
    /// An open file.
    File(Arc<File>),
    /// Another absolute path to try.
    Redirect(Vec<u8>),
    /// Ask again when the server says so.
    Wait,
}

/// An answer as the replier leaves it for the caller.
pub(crate) struct Done {
    pub kind: u8,
    pub result: i64,
    pub len: usize,
    pub args: [u64; 3],
    /// For ANSWER_FD, and the object to attach for ANSWER_OPENED.
    pub file: Option<Arc<File>>,
    /// For ANSWER_OPENED.
    pub handle: Option<Arc<SchemeHandle>>,
    /// The slot is still the caller's, who copies the payload out and frees it.
    pub holds_slot: bool,
}

/// The call that a thread waits for: each thread has one at a time.
pub struct CallState {
    inner: SpinLock<Inner>,
}

struct Inner {
    done: Option<Done>,
    windows: [Window; abi::WINDOWS_MAX],
    window_count: usize,
    files: Vec<Arc<File>>,
}

impl CallState {
    /// No call.
    pub const fn new() -> Self {
        const NONE: Window = Window { addr: 0, len: 0, access: 0 };
        CallState {
            inner: SpinLock::new(Inner {
                done: None,
                windows: [NONE; abi::WINDOWS_MAX],
                window_count: 0,
                files: Vec::new(),
            }),
        }
    }

    fn begin(&self, windows: &[Window], files: Vec<Arc<File>>) {
        let mut inner = self.inner.lock();
        inner.done = None;
        inner.window_count = windows.len();
        inner.windows[..windows.len()].copy_from_slice(windows);
        let old = core::mem::replace(&mut inner.files, files);
        drop(inner);
        drop(old);
    }

    pub(crate) fn finish(&self, done: Done) {
        self.inner.lock().done = Some(done);
    }

    fn take(&self) -> Option<Done> {
        let mut inner = self.inner.lock();
        let done = inner.done.take();
        if done.is_some() && !inner.files.is_empty() {
            let files = core::mem::take(&mut inner.files);
            drop(inner);
            drop(files);
        }
        done
    }

    /// A declared window.
    pub(crate) fn window(&self, index: usize) -> Option<Window> {
        let inner = self.inner.lock();
        inner.windows[..inner.window_count].get(index).copied()
    }

    /// A file that went along.
    pub(crate) fn file(&self, index: usize) -> Option<Arc<File>> {
        self.inner.lock().files.get(index).cloned()
    }
}

/// Calls a server and waits for its answer.
///
/// EIO: the server is gone, or went while it had the call. EINTR: a signal came (the server was told, and this is its answer), or the thread is to end.
pub fn call(me: &Arc<Thread>, port: &Arc<Port>, what: Call<'_>) -> Result<Answer> {
    let input_len = match &what.input {
        Input::User(slice) => slice.len,
        Input::Kernel(bytes) => bytes.len(),
    };
    if input_len > abi::PAYLOAD_MAX {
        return Err(Errno::E2BIG);
    }
    let started = hal::time::now();
    let credentials = me.process.credentials();
    let mut request = Request {
        op: what.op,
        window_count: what.windows.len() as u8,
        fd_count: what.files.len() as u8,
        len: input_len as u32,
        tag: 0,
        handle: what.handle,
        args: what.args,
        pid: me.process.pid,
        uid: credentials.euid,
        gid: credentials.egid,
        out_len: what.output.len.min(abi::PAYLOAD_MAX) as u32,
    };
    let repeats = what.repeats && what.files.is_empty();
    me.call.begin(what.windows, what.files);
    loop {
        let (slot, server) = match place(me, port, &what.input, &mut request) {
            Ok(placed) => placed,
            Err(error) => {
                // The files that would have gone along are let go of.
                me.call.begin(&[], Vec::new());
                return Err(error);
            }
        };
        match server {
            Some(server) if !me.wants_attention() => sched::switch_direct(me, server),
            Some(server) => sched::unpark(&server),
            None => {}
        }
        let done = wait(me, port, &slot)?;
        if done.kind == SERVER_GONE && repeats {
            continue;
        }
        port.note_latency(hal::time::now() - started);
        let answer = collect(&done, &slot.payload, what.output);
        if done.holds_slot {
            port.release(slot.index);
        }
        return answer;
    }
}

/// Puts a request into a slot of the port, and announces it; a server that waits for one.
fn place(
    me: &Arc<Thread>,
    port: &Arc<Port>,
    input: &Input<'_>,
    request: &mut Request,
) -> Result<(Reserved, Option<Arc<Thread>>)> {
    loop {
        let slot = port.reserve()?;
        let filled = match input {
            Input::User(slice) if slice.len > 0 => user::frame_in(&slot.payload, 0, slice.addr, slice.len),
            Input::Kernel(bytes) if !bytes.is_empty() => {
                slot.payload.write(0, bytes);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = filled {
            port.release(slot.index);
            return Err(error);
        }
        request.tag = slot.tag;
        // If not: the server ended meanwhile.
        if let Ok(server) = port.announce(&slot, *request, me) {
            return Ok((slot, server));
        }
    }
}

/// Waits for the answer. EINTR: the thread is to end.
fn wait(me: &Arc<Thread>, port: &Arc<Port>, slot: &Reserved) -> Result<Done> {
    let mut cancelled = false;
    loop {
        if let Some(done) = me.call.take() {
            return Ok(done);
        }
        match sched::park(me, None, !cancelled) {
            Wake::Killed => {
                if port.detach(slot.tag) {
                    return Err(Errno::EINTR);
                }
                // The answer is being written right now, on another CPU.
                let done = loop {
                    match me.call.take() {
                        Some(done) => break done,
                        None => hal::paging::service_shootdown(),
                    }
                };
                if done.holds_slot {
                    port.release(slot.index);
                }
                return Err(Errno::EINTR);
            }
            Wake::Interrupted => {
                cancelled = true;
                port.post(Request { op: abi::OP_CANCEL, args: [slot.tag, 0, 0], ..Request::default() });
            }
            Wake::Unparked | Wake::TimedOut => {}
        }
    }
}

/// Turns what the replier left into an answer, and copies its payload.
fn collect(done: &Done, payload: &hal::mem::Frame, output: UserSlice) -> Result<Answer> {
    if done.result < 0 {
        let errno = i32::try_from(-done.result).ok().filter(|e| *e <= 4095).unwrap_or(Errno::EIO.0);
        return Err(Errno(errno));
    }
    match done.kind {
        abi::ANSWER_VALUE => {
            let len = done.len.min(output.len);
            if len > 0 {
                user::frame_out(output.addr, payload, 0, len)?;
            }
            Ok(Answer::Value(done.result as usize, done.args))
        }
        abi::ANSWER_OPENED => done.handle.clone().map(Answer::Opened).ok_or(Errno::EIO),
        abi::ANSWER_FD => done.file.clone().map(Answer::File).ok_or(Errno::EIO),
        abi::ANSWER_WAIT => Ok(Answer::Wait),
        abi::ANSWER_REDIRECT => {
            let mut path = alloc::vec![0; done.len.min(abi::PATH_LEN_MAX)];
            payload.read(0, &mut path);
            Ok(Answer::Redirect(path))
        }
        _ => Err(Errno::EIO),
    }
}
