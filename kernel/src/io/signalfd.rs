//! Signals as a file: signalfd(2).
//!
//! What is pending belongs to whoever reads: the calling thread and its process, as on Linux. So readiness is worked out when it is
//! asked for, and the arrival of any signal makes waiters ask again.

use super::{install, need_room};
use crate::file::{File, Object};
use crate::process::Process;
use crate::readiness::{Readiness, WatchId, Watcher};
use crate::signal;
use crate::thread::{self, Thread};
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::SpinLock;
use ochre_abi::event::EPOLLIN;
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use ochre_abi::signal::{SIGCHLD, SIGKILL, SIGSTOP, SigInfo, bit};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use zerocopy::{Immutable, IntoBytes};

/// struct signalfd_siginfo: 128 bytes.
#[repr(C)]
#[derive(Clone, Copy, Default, IntoBytes, Immutable)]
struct Record {
    signal: u32,
    errno: i32,
    code: i32,
    pid: u32,
    uid: u32,
    fd: i32,
    tid: u32,
    band: u32,
    overrun: u32,
    trap: u32,
    status: i32,
    int: i32,
    pointer: u64,
    utime: u64,
    stime: u64,
    addr: u64,
    rest: [u64; 6],
}

const RECORD: usize = size_of::<Record>();
const _: () = assert!(RECORD == 128);

impl Record {
    fn of(info: SigInfo) -> Record {
        Record {
            signal: info.signal,
            code: info.code,
            pid: info.pid,
            uid: info.uid,
            status: if info.signal == SIGCHLD { info.value as i32 } else { 0 },
            int: info.value as i32,
            pointer: info.value,
            ..Record::default()
        }
    }
}

/// Accepts signals of a set.
pub struct SignalFd {
    core: Arc<Core>,
    /// Processes whose signals wake this file's waiters: all that ever looked at it.
    watched: SpinLock<Vec<(Weak<Process>, WatchId)>>,
}

/// What the watched processes know.
struct Core {
    set: AtomicU64,
    readiness: Readiness,
    readers: WaitQueue,
}

impl Watcher for Core {
    fn notify(&self, _bits: u32) {
        self.readiness.raise(EPOLLIN);
        self.readers.wake_all();
    }
}

impl SignalFd {
    fn new(set: u64) -> Arc<SignalFd> {
        let core = Core { set: AtomicU64::new(set), readiness: Readiness::new(0), readers: WaitQueue::new() };
        Arc::new(SignalFd { core: Arc::new(core), watched: SpinLock::new(Vec::new()) })
    }

    /// Subscribes to the signals of a process that uses this file.
    fn watch(&self, process: &Arc<Process>) {
        let weak = Arc::downgrade(process);
        let mut watched = self.watched.lock();
        if watched.iter().any(|(other, _)| other.ptr_eq(&weak)) {
            return;
        }
        watched.retain(|(other, _)| other.strong_count() > 0);
        let core: Arc<dyn Watcher> = self.core.clone();
        let id = process.signals.arrivals.watch(Arc::downgrade(&core));
        watched.push((weak, id));
    }

    fn take(&self, me: &Arc<Thread>, nonblocking: bool) -> Option<Result<SigInfo>> {
        match signal::take(me, self.core.set.load(Relaxed)) {
            Some(info) => Some(Ok(info)),
            None if nonblocking => Some(Err(Errno::EAGAIN)),
            None => None,
        }
    }
}

impl Drop for SignalFd {
    fn drop(&mut self) {
        for (process, id) in self.watched.get_mut().drain(..) {
            if let Some(process) = process.upgrade() {
                process.signals.arrivals.unwatch(id);
            }
        }
    }
}

impl Object for SignalFd {
    fn kind(&self) -> &'static str {
        "signalfd"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len < RECORD {
            return Err(Errno::EINVAL);
        }
        let me = thread::current();
        self.watch(&me.process);
        let nonblocking = file.nonblocking();
        let mut next = self.core.readers.wait_until(None, || self.take(&me, nonblocking))??;
        let mut done = 0;
        loop {
            user::write(to.addr + done as u64, &Record::of(next))?;
            done += RECORD;
            if to.len - done < RECORD {
                return Ok(done);
            }
            match self.take(&me, true) {
                Some(Ok(info)) => next = info,
                _ => return Ok(done),
            }
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        if let Some(me) = thread::try_current() {
            self.watch(&me.process);
            let pending = me.signals.pending() | me.process.signals.pending();
            let is = pending & self.core.set.load(Relaxed) != 0;
            let was = self.core.readiness.get() & EPOLLIN != 0;
            if is && !was {
                self.core.readiness.raise(EPOLLIN);
            } else if was && !is {
                self.core.readiness.clear(EPOLLIN);
            }
        }
        Some(&self.core.readiness)
    }
}

/// SIGNAL_FD.
pub fn signal_fd(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, set, flags, ..] = *a;
    if flags & !u64::from(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let set = set & !(bit(SIGKILL) | bit(SIGSTOP));
    if fd as i32 != -1 {
        let file = me.process.file(fd as i32)?;
        let signals = file.object::<SignalFd>().ok_or(Errno::EINVAL)?;
        signals.core.set.store(set, Relaxed);
        signals.core.notify(EPOLLIN);
        return Ok(fd as i32 as usize);
    }
    need_room(0)?;
    install(me, File::new(SignalFd::new(set), O_RDWR | flags as u32 & O_NONBLOCK), flags)
}
