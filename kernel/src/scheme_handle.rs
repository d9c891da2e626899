//! A handle that a scheme's server opened: the kernel's side of it.
//!
//! Reads and maps are served from the attached memory object without a message, if there is one; everything else is a call.

use crate::call::{self, Answer, Call, Input};
use crate::file::{APPEND, File, Object};
use crate::io::fifo::{Fifo, FifoEnd};
use crate::io::pipe::Pipe;
use crate::mm::object::MemoryObject;
use crate::port::Port;
use crate::readiness::Readiness;
use crate::thread::{self, Thread};
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use hal::SpinLock;
use ochre_abi::call::{self as abi, CallArgs, PAYLOAD_MAX, Request, WINDOW_READ, WINDOW_WRITE, Window};
use ochre_abi::event::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT};
use ochre_abi::file::{AT_FDCWD, O_NONBLOCK, O_PATH, SEEK_END, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// One open handle of a server.
pub struct SchemeHandle {
    /// Whose it is.
    pub port: Arc<Port>,
    /// The server's id of it.
    pub id: u64,
    flags: u64,
    /// What the server says of it, for poll and epoll.
    pub readiness: Readiness,
    attached: SpinLock<Option<Arc<MemoryObject>>>,
    /// It is a FIFO's.
    fifo: Option<Arc<Pipe>>,
    /// How often the server had callers ask again, and who waits for that.
    retries: AtomicU64,
    retry_wait: WaitQueue,
    /// The server wants to know of closed descriptors.
    flush: AtomicBool,
    /// The server wants to know of reads and writes.
    tell: AtomicBool,
    /// The server is gone for good, or dropped the handle.
    dead: AtomicBool,
}

impl SchemeHandle {
    /// Makes the kernel's side of a newly opened handle.
    pub(crate) fn new(port: &Arc<Port>, id: u64, flags: u64, with: Option<Arc<File>>) -> Arc<SchemeHandle> {
        let fifo = with.as_ref().filter(|_| flags & abi::OPENED_FIFO != 0).and_then(|file| file.object::<Fifo>());
        let fifo = fifo.map(|fifo| fifo.0.clone());
        let object = with.and_then(|file| file.object.memory(&file, false).ok());
        let ready = if flags & abi::OPENED_NOT_READY != 0 { 0 } else { EPOLLIN | EPOLLOUT };
        let handle = Arc::new(SchemeHandle {
            port: port.clone(),
            id,
            flags,
            readiness: Readiness::new(ready),
            attached: SpinLock::new(object),
            fifo,
            retries: AtomicU64::new(0),
            retry_wait: WaitQueue::new(),
            flush: AtomicBool::new(flags & abi::OPENED_FLUSH != 0),
            tell: AtomicBool::new(flags & abi::OPENED_TELL != 0),
            dead: AtomicBool::new(false),
        });
        port.add_handle(&handle);
        handle
    }

    pub(crate) fn attach(&self, object: Option<Arc<MemoryObject>>) {
        let old = core::mem::replace(&mut *self.attached.lock(), object);
        drop(old);
    }

    /// `OPENED_` flags, with what the server set since.
    pub(crate) fn flags_now(&self) -> u64 {
        let set = |on: &AtomicBool, flag| if on.load(SeqCst) { flag } else { 0 };
        self.flags | set(&self.flush, abi::OPENED_FLUSH) | set(&self.tell, abi::OPENED_TELL)
    }

    /// No server will answer for it any more.
    pub(crate) fn hang_up(&self) {
        self.dead.store(true, SeqCst);
        self.readiness.raise(EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR);
        self.retry();
    }

    /// Calls that a server had when it ended are made again.
    fn repeats(&self) -> bool {
        self.flags & abi::OPENED_REPEATABLE != 0
    }

    /// EIO for a handle that no server answers for.
    pub(crate) fn alive(&self) -> Result<()> {
        if self.dead.load(SeqCst) { Err(Errno::EIO) } else { Ok(()) }
    }

    pub(crate) fn attached(&self) -> Option<Arc<MemoryObject>> {
        self.attached.lock().clone()
    }

    /// The port, if the server wants to know of reads and writes.
    pub(crate) fn told_port(&self) -> Option<Arc<Port>> {
        self.tell.load(SeqCst).then(|| self.port.clone())
    }

    /// The object that reads and writes go to without a message.
    fn direct(&self) -> Option<Arc<MemoryObject>> {
        if self.tell.load(SeqCst) { None } else { self.attached() }
    }

    /// It is a directory.
    pub fn is_directory(&self) -> bool {
        self.flags & abi::OPENED_DIRECTORY != 0
    }

    /// HANDLE_READY: EPOLL bits and READY bits.
    pub(crate) fn set_ready(&self, set: u32, clear: u32) {
        const OWN: u32 = abi::READY_RETRY | abi::READY_FLUSH | abi::READY_TELL;
        if set & abi::READY_RETRY != 0 {
            self.retry();
        }
        if set & abi::READY_FLUSH != 0 {
            self.flush.store(true, SeqCst);
        }
        if set & abi::READY_TELL != 0 {
            self.tell.store(true, SeqCst);
        }
        let (set, clear) = (set & !OWN, clear & !OWN);
        if clear != 0 {
            self.readiness.clear(clear & !set);
        }
        if set != 0 {
            self.readiness.raise(set);
        }
    }

    /// Callers that the server told to wait ask again.
    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, SeqCst);
        self.retry_wait.wake_all();
    }

    /// A process closed a descriptor of it.
    pub(crate) fn descriptor_closed(&self, pid: u32) {
        if self.flush.load(SeqCst) {
            self.port.post(Request { op: abi::OP_FLUSH, handle: self.id, pid, ..Request::default() });
        }
    }

    /// Waits until callers are asked again; `seen` is how often they were before the call. EINTR.
    fn wait_for_retry(&self, me: &Arc<Thread>, seen: u64) -> Result<()> {
        let woken = self.retry_wait.wait_until(None, || (self.retries.load(SeqCst) != seen).then_some(()));
        if woken.is_err() {
            let pid = me.process.pid;
            self.port.post(Request { op: abi::OP_GIVE_UP, handle: self.id, pid, ..Request::default() });
        }
        woken
    }

    fn call(&self, what: Call<'_>) -> Result<(usize, [u64; 3])> {
        self.alive()?;
        let me = thread::current();
        match call::call(&me, &self.port, what) {
            Ok(Answer::Value(value, args)) => Ok((value, args)),
            Ok(answer) => Ok((install(&me, answer, 0, None)? as usize, [0; 3])),
            // Dropped by a new server while the call waited for it, which therefore knows of no such handle.
            Err(_) if self.dead.load(SeqCst) => Err(Errno::EIO),
            Err(error) => Err(error),
        }
    }

    /// A read of zero bytes that the kernel answers itself.
    #[inline(never)]
    fn read_zeroes(&self, to: UserSlice) -> Result<usize> {
        // In parts, so that interrupts come through.
        const PART: usize = 1 << 20;
        let mut done = 0;
        while done < to.len {
            let part = to.part(done, PART);
            match user::zero(part.addr, part.len) {
                Ok(()) => done += part.len,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            hal::cpu::poll_interrupts();
            if thread::current().is_killed() {
                break;
            }
        }
        Ok(done)
    }

    /// A read that the attached object or the server answers.
    #[inline(never)]
    fn read_served(&self, file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        if let (Some(object), Some(offset)) = (self.direct(), offset) {
            return object.read(offset, to);
        }
        let args = [offset.unwrap_or(u64::MAX), to.len as u64, u64::from(file.flags() & O_NONBLOCK)];
        let plain = Call { repeats: self.repeats(), ..Call::plain(abi::OP_READ, self.id, args) };
        let bytes = if to.len <= PAYLOAD_MAX {
            self.call(Call { output: to, ..plain })?.0
        } else {
            let window = [Window { addr: to.addr, len: to.len as u64, access: WINDOW_WRITE }];
            self.call(Call { windows: &window, ..plain })?.0
        };
        Ok(bytes.min(to.len))
    }

    /// A write that goes to the attached object or the server.
    #[inline(never)]
    fn write_served(&self, file: &File, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        if let (Some(object), Some(offset), true) =
            (self.direct(), offset, self.flags & abi::OPENED_WRITE_ATTACHED != 0)
        {
            if offset != APPEND && offset.checked_add(from.len as u64).is_some_and(|end| end <= object.size()) {
                return object.write(offset, from, false);
            }
            if self.flags & abi::OPENED_GROW_ATTACHED != 0 {
                let offset = (offset != APPEND).then_some(offset);
                return object.write_within_limit(offset, from, |end, len| {
                    self.call(Call::plain(abi::OP_RESERVE, self.id, [end, len, 0])).map(|_| ())
                });
            }
        }
        let args = [offset.unwrap_or(u64::MAX), from.len as u64, u64::from(file.flags() & O_NONBLOCK)];
        let plain = Call { repeats: self.repeats(), ..Call::plain(abi::OP_WRITE, self.id, args) };
        let bytes = if from.len <= PAYLOAD_MAX {
            self.call(Call { input: Input::User(from), ..plain })?.0
        } else {
            let window = [Window { addr: from.addr, len: from.len as u64, access: WINDOW_READ }];
            self.call(Call { windows: &window, ..plain })?.0
        };
        Ok(bytes.min(from.len))
    }

    /// dup with a name: the server makes a new handle from this one.
    pub(crate) fn dup_named(&self, me: &Arc<Thread>, name: &[u8], cloexec: bool) -> Result<i32> {
        self.alive()?;
        let what = Call { input: Input::Kernel(name), ..Call::plain(abi::OP_DUP, self.id, [0; 3]) };
        let answer = call::call(me, &self.port, what)?;
        let flags = ochre_abi::file::O_RDWR | if cloexec { ochre_abi::file::O_CLOEXEC } else { 0 };
        install(me, answer, flags, None)
    }
}

/// Gives the caller a descriptor for a handle or file that an answer brought.
pub(crate) fn install(me: &Arc<Thread>, answer: Answer, flags: u32, path: Option<Vec<u8>>) -> Result<i32> {
    let file = file_of(answer, flags, path)?;
    me.process.install(file, flags & ochre_abi::file::O_CLOEXEC != 0)
}

/// The open file that an answer brought; EIO if it is no such answer.
pub(crate) fn file_of(answer: Answer, flags: u32, path: Option<Vec<u8>>) -> Result<Arc<File>> {
    let kept = flags & (ochre_abi::file::O_ACCMODE | O_NONBLOCK | ochre_abi::file::O_APPEND | O_PATH);
    match answer {
        Answer::Opened(handle) => {
            let pipe = handle.fifo.clone().filter(|_| flags & O_PATH == 0);
            let object: Arc<dyn Object> = match pipe {
                Some(pipe) => {
                    let mode = flags & ochre_abi::file::O_ACCMODE;
                    let ends = (mode != ochre_abi::file::O_WRONLY, mode != ochre_abi::file::O_RDONLY);
                    FifoEnd::open(handle, pipe, ends, flags & O_NONBLOCK != 0)?
                }
                None => handle,
            };
            Ok(match path {
                Some(path) => File::with_path(object, kept, path.into_boxed_slice()),
                None => File::new(object, kept),
            })
        }
        Answer::File(file) => Ok(file),
        Answer::Value(..) | Answer::Redirect(_) | Answer::Wait => Err(Errno::EIO),
    }
}

impl Drop for SchemeHandle {
    fn drop(&mut self) {
        // A handle that the server dropped may have a successor of the same id.
        if self.alive().is_ok() {
            self.port.close_handle(self.id);
        }
    }
}

impl Object for SchemeHandle {
    fn kind(&self) -> &'static str {
        "scheme"
    }

    fn read(&self, file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        /// Above that, interrupts must come through.
        const AT_ONCE: usize = 1 << 20;
        if self.flags & abi::OPENED_READS_END != 0 {
            return Ok(0);
        }
        if self.flags & abi::OPENED_READS_ZERO != 0 {
            return if to.len <= AT_ONCE { user::zero(to.addr, to.len).map(|()| to.len) } else { self.read_zeroes(to) };
        }
        self.read_served(file, to, offset)
    }

    fn write(&self, file: &File, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        if self.flags & abi::OPENED_WRITES_VANISH != 0 {
            return Ok(from.len);
        }
        self.write_served(file, from, offset)
    }

    fn seekable(&self) -> bool {
        self.flags & abi::OPENED_SEEKABLE != 0
    }

    fn takes_offsets(&self) -> bool {
        const CONSTANT: u64 = abi::OPENED_READS_END | abi::OPENED_READS_ZERO;
        self.flags & (abi::OPENED_SEEKABLE | CONSTANT) != 0
    }

    fn size(&self) -> Result<u64> {
        match self.attached() {
            Some(object) => Ok(object.size()),
            None => self.call(Call::plain(abi::OP_SEEK, self.id, [0, SEEK_END, 0])).map(|(size, _)| size as u64),
        }
    }

    fn seek(&self, _file: &File, offset: i64, whence: u64) -> Result<u64> {
        if whence == SEEK_END {
            let size = i64::try_from(self.size()?).map_err(|_| Errno::EOVERFLOW)?;
            let target = size.checked_add(offset).ok_or(Errno::EOVERFLOW)?;
            return u64::try_from(target).map_err(|_| Errno::EINVAL);
        }
        self.call(Call::plain(abi::OP_SEEK, self.id, [offset as u64, whence, 0])).map(|(position, _)| position as u64)
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Err(Errno::EINVAL)
    }

    fn descriptor_closed(&self, pid: u32) {
        SchemeHandle::descriptor_closed(self, pid);
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        let me = thread::current();
        let op = u16::try_from(args.op).map_err(|_| Errno::EINVAL)?;
        if op == abi::OP_ADVISE {
            return Ok(self.attached().map_or(0, |object| object.advise(args.args)));
        }
        if matches!(op, abi::OP_OPEN | abi::OP_CLOSE | abi::OP_CANCEL | abi::OP_DUP | abi::OP_PAGE_IN)
            || matches!(op, abi::OP_FLUSH | abi::OP_GIVE_UP | abi::OP_DIRTY | abi::OP_RESERVE)
        {
            return Err(Errno::EINVAL);
        }
        let mut room;
        let windows = match args.window_count {
            0 => &[][..],
            _ => {
                room = [Window::default(); abi::WINDOWS_MAX];
                read_windows(args, &mut room)?
            }
        };
        let positioned = op == abi::OP_GETDENTS;
        let call_args = if positioned { [file.position(), args.args[1], args.args[2]] } else { args.args };
        let (value, answer) = loop {
            let seen = self.retries.load(SeqCst);
            self.alive()?;
            let what = Call {
                op,
                handle: self.id,
                args: call_args,
                input: Input::User(UserSlice::new(args.input, args.input_len)?),
                output: UserSlice::new(args.output, args.output_len)?,
                windows,
                files: read_files(&me, args)?,
                repeats: op == abi::OP_SYNC && self.repeats(),
            };
            match call::call(&me, &self.port, what)? {
                Answer::Value(value, args) => break (value, args),
                Answer::Wait => self.wait_for_retry(&me, seen)?,
                answer => break (install(&me, answer, 0, None)? as usize, [0; 3]),
            }
        };
        if positioned {
            file.set_position(answer[0]);
        }
        Ok(value)
    }

    fn readiness(&self) -> Option<&Readiness> {
        if self.flags & (abi::OPENED_SEEKABLE | abi::OPENED_DIRECTORY) != 0 { None } else { Some(&self.readiness) }
    }

    fn memory(&self, file: &File, writable: bool) -> Result<Arc<MemoryObject>> {
        if writable && !file.writable() {
            return Err(Errno::EACCES);
        }
        self.attached().ok_or(Errno::ENODEV)
    }
}

/// The windows that a CallArgs declares.
pub(crate) fn read_windows<'w>(args: &CallArgs, space: &'w mut [Window; abi::WINDOWS_MAX]) -> Result<&'w [Window]> {
    let count = args.window_count as usize;
    let windows = space.get_mut(..count).ok_or(Errno::E2BIG)?;
    for (n, window) in windows.iter_mut().enumerate() {
        *window = user::read(args.windows.wrapping_add((n * size_of::<Window>()) as u64))?;
        UserSlice::new(window.addr, window.len)?;
    }
    Ok(windows)
}

/// The open files that a CallArgs sends along.
pub(crate) fn read_files(me: &Arc<Thread>, args: &CallArgs) -> Result<Vec<Arc<File>>> {
    if args.fd_count > abi::CALL_FDS_MAX as u64 {
        return Err(Errno::E2BIG);
    }
    let mut files = Vec::new();
    for n in 0..args.fd_count {
        let fd: i32 = user::read(args.fds.wrapping_add(n * 4))?;
        files.push(me.process.file(fd)?);
    }
    Ok(files)
}

/// The directory that a dirfd names; `None`: the working directory was never set.
pub(crate) fn directory(me: &Arc<Thread>, dirfd: i32) -> Result<Option<Arc<File>>> {
    if dirfd == AT_FDCWD {
        return Ok(me.process.cwd());
    }
    Ok(Some(me.process.file(dirfd)?))
}
