//! Event queues: epoll(7).
//!
//! Each watched file's readiness tells the queue's [`Interest`], which puts its entry into the ready list (crate `ochre_logic`). Whoever
//! waits takes entries off, asks the files what holds now, and reports that. An entry knows its file weakly: closing the last
//! descriptor of a file ends the entry, wherever that happens.
//!
//! EPOLLEXCLUSIVE is accepted and wakes every queue that watches; epoll_ctl(2) promises "one or more".
//!
//! Locks: a file's readiness calls [`Watcher::notify`] under its own lock, which takes the queue's; so nothing here touches a
//! readiness' subscriptions, or drops a file, under the queue's lock.

use super::{deadline_after, install, need_room, nesting, with_synonyms};
use crate::file::{File, Object};
use crate::readiness::{Readiness, WatchId, Watcher};
use crate::signal;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::{Once, SpinLock};
use ochre_abi::event::*;
use ochre_abi::file::{O_CLOEXEC, O_PATH, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::ready_list::{ReadyList, Token};

/// Entries of one queue.
const ENTRIES_MAX: usize = 1 << 16;
/// Reports that are collected before they are copied out.
const BATCH: usize = 4;
/// What may go with EPOLLEXCLUSIVE.
const EXCLUSIVE_OK: u32 = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/// An event queue as a file refers to it.
pub struct EventQueue {
    pub(super) core: Arc<Core>,
    /// Read and write work on it: it was opened through /scheme/event.
    records: bool,
}

/// The queue itself. It has no action on drop, so that a watcher may hold the last reference for a moment.
pub(super) struct Core {
    inner: SpinLock<Inner>,
    waiters: WaitQueue,
    /// EPOLLIN while entries are in the ready list, for queues that watch this one.
    readiness: Readiness,
    pub(super) links: SpinLock<nesting::Links>,
}

struct Inner {
    list: ReadyList<Arc<Interest>>,
    /// By descriptor and open file, as Linux names entries: the same file may be watched once a descriptor.
    by_key: BTreeMap<Key, Token>,
    /// Entries of dead files are looked for when there are this many.
    purge_at: usize,
}

type Key = (i32, usize);

/// One entry's subscription.
struct Interest {
    core: Weak<Core>,
    token: Token,
    key: Key,
    file: Weak<File>,
    /// The file is another queue.
    nested: bool,
    watch: Once<WatchId>,
}

impl Watcher for Interest {
    fn notify(&self, bits: u32) {
        if let Some(core) = self.core.upgrade() {
            core.notify(self.token, with_synonyms(bits));
        }
    }
}

impl Interest {
    /// The file's bits now; `None` once it is closed.
    fn bits(&self) -> Option<u32> {
        Some(bits_now(&*self.file.upgrade()?))
    }

    fn unwatch(&self) {
        if let (Some(file), Some(id)) = (self.file.upgrade(), self.watch.get()) {
            if let Some(ready) = file.object.readiness() {
                ready.unwatch(*id);
            }
        }
    }
}

/// A file's bits, 0 if it has no readiness. For an event queue it looks at the files that this one watches, too: not under their locks.
pub(super) fn bits_now(file: &File) -> u32 {
    let Some(ready) = file.object.readiness() else { return 0 };
    if ready.get() & EPOLLIN != 0 {
        if let Some(queue) = file.object::<EventQueue>() {
            queue.core.prune();
        }
    }
    with_synonyms(ready.get())
}

impl Inner {
    fn remove(&mut self, interest: &Interest) -> Option<Arc<Interest>> {
        if self.by_key.get(&interest.key) == Some(&interest.token) {
            self.by_key.remove(&interest.key);
        }
        self.list.remove(interest.token)
    }
}

/// Reports on their way to user memory.
struct Batch {
    events: [EpollEvent; BATCH],
    tokens: [Option<Token>; BATCH],
    /// What was looked at: dropped when no lock is held.
    files: [Option<Arc<File>>; BATCH],
    looked: usize,
    found: usize,
    max: usize,
}

impl Batch {
    fn new(max: usize) -> Batch {
        Batch {
            events: [EpollEvent::default(); BATCH],
            tokens: [None; BATCH],
            files: [const { None }; BATCH],
            looked: 0,
            found: 0,
            max: max.min(BATCH),
        }
    }

    /// One more has room.
    fn has_room(&self) -> bool {
        self.looked < BATCH && self.found < self.max
    }

    #[inline(always)]
    fn keep(&mut self, file: Arc<File>) {
        self.files[self.looked] = Some(file);
        self.looked += 1;
    }

    #[inline(always)]
    fn push(&mut self, token: Token, event: EpollEvent, file: Arc<File>) {
        self.events[self.found] = event;
        self.tokens[self.found] = Some(token);
        self.found += 1;
        self.keep(file);
    }
}

impl Inner {
    /// Takes up to `to_look_at` entries off the ready list, as many as the batch has room for, and puts those into it that still hold.
    /// It stops at an entry for another queue, which is returned, taken off and not settled.
    fn collect(&mut self, to_look_at: &mut usize, batch: &mut Batch) -> Option<(Arc<Interest>, Arc<File>)> {
        while *to_look_at > 0 && batch.has_room() {
            *to_look_at -= 1;
            let Some(token) = self.list.pop() else {
                *to_look_at = 0;
                break;
            };
            let Some(interest) = self.list.get(token) else { continue };
            let Some(file) = interest.file.upgrade() else {
                let interest = interest.clone();
                self.remove(&interest);
                continue;
            };
            if interest.nested {
                return Some((interest.clone(), file));
            }
            let bits = file.object.readiness().map_or(0, |ready| with_synonyms(ready.get()));
            match self.list.settle(token, bits) {
                Some((mask, data)) => batch.push(token, EpollEvent { events: mask, data }, file),
                None => batch.keep(file),
            }
        }
        None
    }
}

impl Core {
    fn notify(&self, token: Token, bits: u32) {
        let mut inner = self.inner.lock();
        if inner.list.notify(token, bits) {
            self.readiness.raise(EPOLLIN);
            drop(inner);
            self.waiters.wake_one();
        }
    }

    fn is_ready(&self) -> bool {
        self.inner.lock().list.ready() > 0
    }

    /// The entry at the ready list's front, taken off.
    fn pop(&self) -> Option<Arc<Interest>> {
        let mut inner = self.inner.lock();
        let token = inner.list.pop()?;
        inner.list.get(token).cloned()
    }

    /// Reports up to `max` events to user memory; how many.
    fn collect(&self, out: UserSlice, max: usize) -> Result<usize> {
        // Level-triggered entries go back to the list's end: each is looked at once.
        let mut to_look_at = usize::MAX;
        let mut reported = 0;
        loop {
            let mut batch = Batch::new(max - reported);
            let mut inner = self.inner.lock();
            to_look_at = to_look_at.min(inner.list.ready());
            if let Some((interest, file)) = inner.collect(&mut to_look_at, &mut batch) {
                // Another queue looks at its own files, which must not happen under this one's lock.
                drop(inner);
                let bits = bits_now(&file);
                inner = self.inner.lock();
                match inner.list.settle(interest.token, bits) {
                    Some((mask, data)) => batch.push(interest.token, EpollEvent { events: mask, data }, file),
                    None => batch.keep(file),
                }
            }
            let ready = inner.list.ready();
            if ready == 0 {
                self.readiness.clear(EPOLLIN);
            }
            drop(inner);
            if batch.found == 0 && to_look_at == 0 && ready == 0 {
                return Ok(reported);
            }
            let bytes = zerocopy::IntoBytes::as_bytes(&batch.events[..batch.found]);
            if let Err(error) = out.copy_out(reported * size_of::<EpollEvent>(), bytes) {
                let mut inner = self.inner.lock();
                batch.tokens.iter().flatten().for_each(|token| inner.list.restore(*token));
                self.readiness.raise(EPOLLIN);
                drop(inner);
                return if reported > 0 { Ok(reported) } else { Err(error) };
            }
            reported += batch.found;
            if to_look_at == 0 || reported == max {
                if ready > 0 {
                    self.waiters.wake_one();
                }
                return Ok(reported);
            }
        }
    }

    /// Takes entries off the ready list's front whose events have passed, so that the queue's readiness tells the truth.
    fn prune(&self) {
        let mut to_look_at = self.inner.lock().list.ready();
        while to_look_at > 0 {
            to_look_at -= 1;
            let Some(interest) = self.pop() else { break };
            let bits = interest.bits();
            let mut inner = self.inner.lock();
            match bits {
                None => {
                    inner.remove(&interest);
                }
                Some(bits) => {
                    // As a new notification: it comes back to the list exactly if it would be reported.
                    if inner.list.notify(interest.token, bits) {
                        drop(inner);
                        self.waiters.wake_one();
                        return;
                    }
                }
            }
        }
        let inner = self.inner.lock();
        if inner.list.ready() == 0 {
            self.readiness.clear(EPOLLIN);
        }
    }

    /// Forgets entries of closed files when there may be many.
    fn purge(&self) {
        let inner = self.inner.lock();
        if inner.list.len() < inner.purge_at {
            return;
        }
        let all: Vec<_> = inner.list.iter().map(|(_, interest)| interest.clone()).collect();
        drop(inner);
        for interest in all.iter().filter(|interest| interest.file.strong_count() == 0) {
            self.inner.lock().remove(interest);
        }
        let mut inner = self.inner.lock();
        inner.purge_at = (inner.list.len() * 2).max(64);
    }

    fn find(&self, key: Key) -> Result<Arc<Interest>> {
        let inner = self.inner.lock();
        let token = inner.by_key.get(&key).ok_or(Errno::ENOENT)?;
        inner.list.get(*token).cloned().ok_or(Errno::ENOENT)
    }

    fn add(self: &Arc<Self>, fd: i32, file: &Arc<File>, event: EpollEvent) -> Result<()> {
        let ready = file.object.readiness().ok_or(Errno::EPERM)?;
        let interest = event.events | EPOLLERR | EPOLLHUP;
        let nested = file.object::<EventQueue>();
        if event.events & EPOLLEXCLUSIVE != 0 && (event.events & !EXCLUSIVE_OK != 0 || nested.is_some()) {
            return Err(Errno::EINVAL);
        }
        need_room(0)?;
        self.purge();
        let key = (fd, Arc::as_ptr(file).addr());
        let mut inner = self.inner.lock();
        if inner.by_key.contains_key(&key) {
            return Err(Errno::EEXIST);
        }
        if inner.list.len() >= ENTRIES_MAX {
            return Err(Errno::ENOSPC);
        }
        let token = inner.list.insert(interest, event.data, |token| {
            Arc::new(Interest {
                core: Arc::downgrade(self),
                token,
                key,
                file: Arc::downgrade(file),
                nested: nested.is_some(),
                watch: Once::new(),
            })
        });
        inner.by_key.insert(key, token);
        let added = inner.list.get(token).cloned();
        drop(inner);
        let Some(added) = added else { return Ok(()) };
        if let Some(nested) = nested {
            if let Err(error) = nesting::link(self, &nested.core) {
                self.inner.lock().remove(&added);
                return Err(error);
            }
        }
        let watcher: Arc<dyn Watcher> = added.clone();
        // Set once, here.
        let _ = added.watch.set(ready.watch(Arc::downgrade(&watcher)));
        if self.inner.lock().list.get(token).is_none() {
            // Another thread took the entry out already.
            added.unwatch();
        }
        self.notify(token, bits_now(file));
        Ok(())
    }

    fn modify(&self, key: Key, event: EpollEvent) -> Result<()> {
        let interest = self.find(key)?;
        let mut inner = self.inner.lock();
        let old = inner.list.interest(interest.token).ok_or(Errno::ENOENT)?;
        if (old | event.events) & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        inner.list.modify(interest.token, event.events | EPOLLERR | EPOLLHUP, event.data);
        drop(inner);
        if let Some(bits) = interest.bits() {
            self.notify(interest.token, bits);
        }
        Ok(())
    }

    fn delete(self: &Arc<Self>, key: Key, file: &File) -> Result<()> {
        let interest = self.find(key)?;
        let removed = self.inner.lock().remove(&interest);
        removed.ok_or(Errno::ENOENT)?.unwatch();
        if let Some(nested) = file.object::<EventQueue>() {
            nesting::unlink(self, &nested.core);
        }
        Ok(())
    }
}

impl EventQueue {
    /// A queue that watches nothing. `records`: it can be read and written, as /scheme/event has it.
    pub fn new(records: bool) -> Arc<EventQueue> {
        let inner = Inner { list: ReadyList::new(), by_key: BTreeMap::new(), purge_at: 64 };
        Arc::new(EventQueue {
            records,
            core: Arc::new(Core {
                inner: SpinLock::new(inner),
                waiters: WaitQueue::new(),
                readiness: Readiness::new(0),
                links: SpinLock::new(nesting::Links::new()),
            }),
        })
    }

    /// epoll_ctl(2).
    pub fn control(&self, me: &Arc<Thread>, op: u64, fd: i32, event: EpollEvent) -> Result<()> {
        let file = me.process.file(fd)?;
        if file.flags() & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        if file.object.readiness().is_none() {
            return Err(Errno::EPERM);
        }
        if file.object::<EventQueue>().is_some_and(|other| Arc::ptr_eq(&other.core, &self.core)) {
            return Err(Errno::EINVAL);
        }
        let key = (fd, Arc::as_ptr(&file).addr());
        match op {
            EPOLL_CTL_ADD => self.core.add(fd, &file, event),
            EPOLL_CTL_MOD => self.core.modify(key, event),
            EPOLL_CTL_DEL => self.core.delete(key, &file),
            _ => Err(Errno::EINVAL),
        }
    }

    /// epoll_wait(2): up to `max` events to `out`; 0 after `deadline`.
    pub fn wait(&self, out: UserSlice, max: usize, deadline: Option<u64>, poll: bool) -> Result<usize> {
        let core = &self.core;
        loop {
            let count = core.collect(out, max)?;
            if count > 0 {
                return Ok(count);
            }
            if poll {
                return Ok(0);
            }
            match core.waiters.wait_until(deadline, || core.is_ready().then_some(())) {
                Ok(()) => {}
                Err(Errno::ETIMEDOUT) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for EventQueue {
    fn drop(&mut self) {
        let all: Vec<_> = self.core.inner.lock().list.iter().map(|(_, interest)| interest.clone()).collect();
        for interest in all {
            interest.unwatch();
        }
        nesting::forget(&self.core);
    }
}

impl Object for EventQueue {
    fn kind(&self) -> &'static str {
        "event queue"
    }

    /// As /scheme/event has it: waits for events and reads them as struct epoll_events.
    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let max = to.len / size_of::<EpollEvent>();
        if max == 0 || !self.records {
            return Err(Errno::EINVAL);
        }
        match self.wait(to, max, None, file.nonblocking())? {
            0 => Err(Errno::EAGAIN),
            count => Ok(count * size_of::<EpollEvent>()),
        }
    }

    /// As /scheme/event has it: each record, {u64 descriptor, u32 EPOLL* flags, u32 0, u64 data}, adds or changes an entry; flags 0 takes
    /// it out.
    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        const RECORD: usize = 24;
        let me = crate::thread::current();
        let mut done = 0;
        while self.records && from.len - done >= RECORD {
            let [fd, flags, data]: [u64; 3] = user::read(from.addr + done as u64)?;
            let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
            let event = EpollEvent { events: flags as u32, data };
            let result = match event.events {
                0 => self.control(&me, EPOLL_CTL_DEL, fd, event),
                _ => match self.control(&me, EPOLL_CTL_ADD, fd, event) {
                    Err(Errno::EEXIST) => self.control(&me, EPOLL_CTL_MOD, fd, event),
                    result => result,
                },
            };
            match result {
                Ok(()) => done += RECORD,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if done == 0 { Err(Errno::EINVAL) } else { Ok(done) }
    }

    /// May say EPOLLIN for events that have passed: [`bits_now`] knows.
    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.core.readiness)
    }
}

/// EVENT_CREATE.
pub fn event_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] & !u64::from(O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    install(me, File::new(EventQueue::new(false), O_RDWR), a[0])
}

/// EVENT_CTL.
pub fn event_ctl(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let event = if a[1] == EPOLL_CTL_DEL { EpollEvent::default() } else { user::read(a[3])? };
    let file = me.process.file(a[0] as i32)?;
    let queue = file.object::<EventQueue>();
    if queue.is_none() {
        me.process.file(a[2] as i32)?;
    }
    queue.ok_or(Errno::EINVAL)?.control(me, a[1], a[2] as i32, event)?;
    Ok(0)
}

/// EVENT_WAIT.
pub fn event_wait(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, events, max, timeout, mask, _] = *a;
    const MAX: u64 = i32::MAX as u64 / size_of::<EpollEvent>() as u64;
    if max == 0 || max > MAX {
        return Err(Errno::EINVAL);
    }
    let out = UserSlice::new(events, max * size_of::<EpollEvent>() as u64)?;
    let file = me.process.file(fd as i32)?;
    let queue = file.object::<EventQueue>().ok_or(Errno::EINVAL)?;
    let wait = || {
        // Who does not wait needs no clock.
        let deadline = if timeout == 0 { None } else { deadline_after(timeout) };
        queue.wait(out, max as usize, deadline, timeout == 0)
    };
    if mask == 0 {
        return wait();
    }
    signal::with_mask(user::read(mask)?, wait)
}
