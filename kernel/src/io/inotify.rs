//! Queues of file events: inotify(7). Watches are the file's server's: it holds a [`Source`] of the queue, which does not keep it open, and
//! pushes what happened. The numbers of watches are the queue's, so that those of several servers differ.

use super::{install, ioctl, need_room, new_inode};
use crate::file::{File, Object};
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::call::{CallArgs, OP_INOTIFY_REMOVE, OP_IOCTL};
use ochre_abi::event::{EPOLLIN, IN_IGNORED, IN_Q_OVERFLOW, InotifyPush};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Events that wait at the most (Linux: fs.inotify.max_queued_events).
const EVENTS_MAX: usize = 16_384;
/// Watches of one queue.
const WATCHES_MAX: usize = 65_536;
/// Bytes of a name in an event, with its NUL.
const NAME_MAX: u32 = 256;
/// Bytes of struct inotify_event before the name; names are padded to a multiple of it.
const HEADER: usize = 16;

#[derive(PartialEq, Eq)]
struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Box<[u8]>,
}

impl Event {
    fn padded(&self) -> usize {
        if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(HEADER) }
    }

    fn size(&self) -> usize {
        HEADER + self.padded()
    }

    fn write(&self, to: &mut Vec<u8>) {
        let padded = self.padded();
        for word in [self.watch as u32, self.mask, self.cookie, padded as u32] {
            to.extend_from_slice(&word.to_le_bytes());
        }
        to.extend_from_slice(&self.name);
        to.resize(to.len() + padded - self.name.len(), 0);
    }
}

struct State {
    events: VecDeque<Event>,
    bytes: usize,
    watches: BTreeSet<i32>,
    /// The last number given.
    last: i32,
}

/// What reads and pushes share.
struct Queue {
    state: SpinLock<State>,
    readers: WaitQueue,
    readiness: Readiness,
    id: u64,
}

impl Queue {
    fn append(&self, state: &mut State, event: Event) {
        // As Linux: the same as the last one tells nothing new.
        if state.events.back() == Some(&event) {
            return;
        }
        let event = match state.events.len() {
            ..EVENTS_MAX => event,
            EVENTS_MAX => Event { watch: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Box::default() },
            _ => return,
        };
        state.bytes += event.size();
        state.events.push_back(event);
        self.readiness.raise(EPOLLIN);
    }

    /// ENOENT: no such watch. A mask of 0 only asks for it.
    fn push(&self, event: Event) -> Result<()> {
        let mut state = self.state.lock();
        if !state.watches.contains(&event.watch) {
            return Err(Errno::ENOENT);
        }
        if event.mask == 0 {
            return Ok(());
        }
        if event.mask & IN_IGNORED != 0 {
            state.watches.remove(&event.watch);
        }
        self.append(&mut state, event);
        drop(state);
        self.readers.wake_one();
        Ok(())
    }

    fn take(&self, room: usize, nonblocking: bool) -> Option<Result<Vec<u8>>> {
        let mut state = self.state.lock();
        let Some(first) = state.events.front() else { return nonblocking.then_some(Err(Errno::EAGAIN)) };
        if first.size() > room {
            return Some(Err(Errno::EINVAL));
        }
        let mut bytes = Vec::new();
        while let Some(event) = state.events.pop_front_if(|event| bytes.len() + event.size() <= room) {
            state.bytes -= event.size();
            event.write(&mut bytes);
        }
        if state.events.is_empty() {
            self.readiness.clear(EPOLLIN);
        }
        Some(Ok(bytes))
    }
}

/// What the watching process has.
pub struct Inotify(Arc<Queue>);

impl Object for Inotify {
    fn kind(&self) -> &'static str {
        "inotify"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let nonblocking = file.nonblocking();
        let bytes = self.0.readers.wait_until(None, || self.0.take(to.len, nonblocking))??;
        user::copy_out(to.addr, &bytes)?;
        Ok(bytes.len())
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_IOCTL => ioctl(file, args, self.0.state.lock().bytes, None),
            OP_INOTIFY_REMOVE => {
                let event = Event { watch: args.args[0] as i32, mask: IN_IGNORED, cookie: 0, name: Box::default() };
                self.0.push(event).map_err(|_| Errno::EINVAL)?;
                Ok(0)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.0.readiness)
    }
}

/// What a file's server has.
pub struct Source(Weak<Queue>);

impl Object for Source {
    fn kind(&self) -> &'static str {
        "inotify source"
    }
}

fn source(me: &Arc<Thread>, fd: u64) -> Result<Arc<Queue>> {
    let file = me.process.file(fd as i32)?;
    // The descriptor is right, the queue may be gone.
    file.object::<Source>().ok_or(Errno::EINVAL)?.0.upgrade().ok_or(Errno::ESRCH)
}

/// INOTIFY_CREATE.
pub fn inotify_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] & !u64::from(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    let queue = Queue {
        state: SpinLock::new(State { events: VecDeque::new(), bytes: 0, watches: BTreeSet::new(), last: 0 }),
        readers: WaitQueue::new(),
        readiness: Readiness::new(0),
        id: new_inode(),
    };
    install(me, File::new(Arc::new(Inotify(Arc::new(queue))), O_RDONLY | a[0] as u32 & O_NONBLOCK), a[0])
}

/// INOTIFY_SOURCE.
pub fn inotify_source(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let queue = &file.object::<Inotify>().ok_or(Errno::EINVAL)?.0;
    user::write(a[1], &queue.id)?;
    install(me, File::new(Arc::new(Source(Arc::downgrade(queue))), O_RDWR), O_CLOEXEC.into())
}

/// INOTIFY_WATCH.
pub fn inotify_watch(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let queue = source(me, a[0])?;
    need_room(0)?;
    let mut state = queue.state.lock();
    if state.watches.len() >= WATCHES_MAX {
        return Err(Errno::ENOSPC);
    }
    let number = state.last.checked_add(1).ok_or(Errno::ENOSPC)?;
    state.last = number;
    state.watches.insert(number);
    Ok(number as usize)
}

/// INOTIFY_PUSH.
pub fn inotify_push(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let queue = source(me, a[0])?;
    let push: InotifyPush = user::read(a[1])?;
    if push.name_len >= NAME_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    need_room(0)?;
    let mut name = alloc::vec![0; push.name_len as usize];
    user::copy_in(&mut name, push.name)?;
    queue.push(Event { watch: push.watch, mask: push.mask, cookie: push.cookie, name: name.into() })?;
    Ok(0)
}
