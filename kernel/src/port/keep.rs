//! Ports that outlive their server.
//!
//! A server that can take over from its predecessor says so when it registers a name (SCHEME_KEEPS). When it ends while one of its names is
//! reserved, the port, its handles, what is attached to them and the objects whose pages it supplies stay:
//!
//! - calls that it held end with EIO: nobody can know whether they took place;
//! - calls that come meanwhile wait, as opens do; closes are noted by the kernel alone;
//! - what the kernel does by itself (attached objects, pages that are here, readiness) goes on; missing pages are asked for again.
//!
//! The next server takes the port over with PORT_ADOPT, which gives it a fresh region. It lists what there is (PORT_NEXT), drops the handles
//! that it cannot go on with (HANDLE_DROP), and from its first REPLY_RECEIVE on it serves. What it needs to know for that, a server keeps in
//! memory objects that it parks at the port (PORT_PARK). When the last reserved name is given up instead, the port is dead.

use super::{Area, Inner, Port, PortEnd, State, port_of, send_away};
use crate::file::File;
use crate::mm::object::MemoryObject;
use crate::mm::object_file::MemoryFile;
use crate::namespace::SchemeEntry;
use crate::sched;
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Bound::{Excluded, Included, Unbounded};
use core::sync::atomic::Ordering::Relaxed;
use hal::mem;
use ochre_abi::call::{self as abi, NEXT_HANDLE, NEXT_OBJECT, NEXT_PARKED, PortNext};
use ochre_abi::event::EPOLLIN;
use ochre_abi::file::{O_CLOEXEC, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Objects that can be parked at a port.
const PARKED_MAX: usize = 1 << 20;

impl Inner {
    /// Whether a message that nobody waits for is kept for the next server. While there is none, the kernel itself notes closes; the next
    /// one is told of handles that close after it has begun to look.
    pub(super) fn keeps_message(&self, op: u16) -> bool {
        match self.state {
            State::Waiting => matches!(op, abi::OP_PAGE_IN | abi::OP_DIRTY),
            State::Adopting => matches!(op, abi::OP_PAGE_IN | abi::OP_DIRTY | abi::OP_CLOSE),
            State::Serving | State::Dead => false,
        }
    }
}

impl Port {
    /// The server closed the port or died.
    pub(super) fn server_ended(&self) {
        let (keeps, schemes) = {
            let inner = self.inner.lock();
            (inner.keeps, inner.schemes.clone())
        };
        let (kept, gone): (Vec<_>, Vec<_>) = schemes.into_iter().partition(|entry| keeps && entry.is_reserved());
        if kept.is_empty() {
            self.shut_down();
            return;
        }
        let mut inner = self.inner.lock();
        inner.state = State::Waiting;
        inner.incarnation += 1;
        inner.schemes = kept.clone();
        let (callers, receivers) = inner.disband();
        let objects: Vec<Arc<MemoryObject>> = inner.objects.values().filter_map(Weak::upgrade).collect();
        drop(inner);
        self.readiness.clear(EPOLLIN);
        for entry in gone {
            entry.server_gone(self);
        }
        send_away(callers, receivers);
        for object in objects {
            object.ask_again(self);
        }
        // One of the names may have been given up just now.
        for entry in kept {
            if !entry.is_reserved() {
                self.name_given_up(&entry);
            }
        }
    }

    /// Nobody will serve this name: the end of a port that waits for that, if it was the last one.
    pub(crate) fn name_given_up(&self, entry: &Arc<SchemeEntry>) {
        let mut inner = self.inner.lock();
        if inner.state != State::Waiting {
            return;
        }
        inner.schemes.retain(|known| !Arc::ptr_eq(known, entry));
        let last = inner.schemes.is_empty();
        drop(inner);
        entry.server_gone(self);
        if last {
            self.shut_down();
        }
    }

    /// A server that does not take over wants one of the names: ends a port that waits. False if somebody serves it.
    pub(crate) fn make_room(&self) -> bool {
        if self.inner.lock().state != State::Waiting {
            return false;
        }
        self.shut_down();
        true
    }

    /// It waits for a server.
    pub fn is_waiting(&self) -> bool {
        self.inner.lock().state == State::Waiting
    }

    /// Takes a port that waits over. EEXIST: it does not. ENOMEM.
    fn adopt(self: &Arc<Self>) -> Result<PortEnd> {
        let area = Area::new()?;
        let region = area.region.clone();
        let mut inner = self.inner.lock();
        if inner.state != State::Waiting {
            return Err(Errno::EEXIST);
        }
        inner.state = State::Adopting;
        inner.submitted = 0;
        let old = core::mem::replace(&mut inner.area, area);
        let payloads: Vec<_> = inner.slots.iter_mut().map(|slot| slot.payload.take()).collect();
        let incarnation = inner.incarnation;
        drop(inner);
        drop((old, payloads));
        // Who waits in an event queue is to receive, too.
        self.readiness.raise(EPOLLIN);
        Ok(PortEnd { port: self.clone(), incarnation, region })
    }

    /// The new server receives: calls come through again.
    #[cold]
    pub(super) fn open_again(&self) {
        let mut inner = self.inner.lock();
        if inner.state != State::Adopting {
            return;
        }
        inner.state = State::Serving;
        self.readiness.clear(EPOLLIN);
        let mut receivers = Vec::new();
        while inner.free != 0 && !inner.backlog.is_empty() {
            let index = inner.free.trailing_zeros() as usize;
            inner.free &= !(1 << index);
            receivers.extend(self.free_slot(&mut inner, index));
        }
        let handles: Vec<_> = inner.handles.values().filter_map(Weak::upgrade).collect();
        drop(inner);
        receivers.iter().for_each(sched::unpark);
        self.slot_freed.wake_all();
        for handle in handles {
            handle.retry();
        }
    }

    /// An object's pages are the server's to supply.
    pub(crate) fn pages(&self, object: &Arc<MemoryObject>) {
        let mut inner = self.inner.lock();
        if inner.state != State::Dead {
            let old = inner.objects.insert(object.id(), Arc::downgrade(object));
            drop(inner);
            drop(old);
        }
    }

    /// That object has another pager, or is gone.
    pub(crate) fn forget_object(&self, id: u64) {
        let old = self.inner.lock().objects.remove(&id);
        drop(old);
    }

    /// The first living handle from an id on.
    fn next_handle(&self, from: u64) -> Option<Arc<SchemeHandle>> {
        let inner = self.inner.lock();
        inner.handles.range(from..).find_map(|(_, handle)| handle.upgrade())
    }

    /// The first object from a number on whose pager the port is.
    fn next_object(self: &Arc<Self>, from: u64) -> Option<(Arc<MemoryObject>, u64)> {
        let mut after = None;
        loop {
            let inner = self.inner.lock();
            let range = (after.map_or(Included(from), Excluded), Unbounded);
            let (id, object) = inner.objects.range(range).next().map(|(id, object)| (*id, object.upgrade()))?;
            drop(inner);
            if let Some((object, cookie)) = object.and_then(|object| Some((object.clone(), object.paged_by(self)?))) {
                return Some((object, cookie));
            }
            after = Some(id);
        }
    }
}

/// PORT_ADOPT.
pub fn port_adopt(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(ochre_abi::process::RIGHT_SCHEME)?;
    let name = crate::namespace::read_name(a[0], a[1])?;
    if !crate::mm::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    let entry = crate::namespace::find(&name).ok_or(Errno::ENOENT)?;
    let end = entry.current_port().ok_or(Errno::ENOENT)?.adopt()?;
    me.process.is_pager.store(true, Relaxed);
    end.port.paging.set_server(me.process.pid);
    Ok(me.process.install(File::new(Arc::new(end), O_RDWR), a[2] & u64::from(O_CLOEXEC) != 0)? as usize)
}

/// PORT_NEXT.
pub fn port_next(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let mut next: PortNext = user::read(a[1])?;
    let memory = |object| File::new(Arc::new(MemoryFile::new(object)), O_RDWR);
    let wants_file = next.fd == 0;
    let file = match next.kind {
        NEXT_HANDLE => {
            let handle = port.next_handle(next.from).ok_or(Errno::ENOENT)?;
            (next.from, next.key) = (handle.id, handle.id);
            (next.flags, next.ready) = (handle.flags_now(), handle.readiness.get());
            handle.attached().map(memory)
        }
        NEXT_OBJECT => {
            let (object, cookie) = port.next_object(next.from).ok_or(Errno::ENOENT)?;
            (next.from, next.key) = (object.id(), cookie);
            Some(memory(object))
        }
        NEXT_PARKED => {
            let inner = port.inner.lock();
            let (key, parked) = inner.parked.range(next.from..).next().ok_or(Errno::ENOENT)?;
            (next.from, next.key) = (*key, *key);
            Some(parked.clone())
        }
        _ => return Err(Errno::EINVAL),
    };
    next.fd = match file {
        Some(file) if wants_file => me.process.install(file, true)?,
        _ => -1,
    };
    user::write(a[1], &next)?;
    Ok(0)
}

/// PORT_PARK.
pub fn port_park(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let (key, fd) = (a[1], a[2] as i32);
    let file = if fd == -1 { None } else { Some(me.process.file(fd)?) };
    // Anything else could hold the port itself.
    if file.as_ref().is_some_and(|file| file.object::<MemoryFile>().is_none()) {
        return Err(Errno::EINVAL);
    }
    let mut inner = port.inner.lock();
    let old = match file {
        None => Some(inner.parked.remove(&key).ok_or(Errno::ENOENT)?),
        Some(_) if inner.state == State::Dead => return Err(Errno::EIO),
        Some(_) if inner.parked.len() >= PARKED_MAX || !mem::has_room() => return Err(Errno::ENOMEM),
        Some(file) => inner.parked.insert(key, file),
    };
    drop(inner);
    drop(old);
    Ok(0)
}

/// HANDLE_DROP.
pub fn handle_drop(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let handle = port.handle(a[1])?;
    let old = port.inner.lock().handles.remove(&a[1]);
    drop(old);
    handle.hang_up();
    Ok(0)
}
