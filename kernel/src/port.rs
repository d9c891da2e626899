//! Ports: where a server gets requests and gives answers (`ochre_abi::call` has the layout of the shared region).
//!
//! Each of the 64 slots is in one state, kept here and not in the shared region:
//!
//! - free (its bit in `free` is set);
//! - reserved: a caller fills it;
//! - held: announced to the server, with the caller that waits (none for messages that nobody waits for, or if it went away);
//! - answered: the caller copies the payload out, then frees it.
//!
//! A port whose server ends is dead, unless it was to be kept: then its handles wait for the next server (`keep`).
//!
//! A tag is `generation << 8 | slot`; a slot's generation grows with each use, so that an answer to an old request is refused.

mod keep;

pub use keep::{handle_drop, port_adopt, port_next, port_park};

use crate::call::Done;
use crate::file::{File, Object};
use crate::mm::dirty::Paging;
use crate::mm::object::MemoryObject;
use crate::namespace::SchemeEntry;
use crate::readiness::Readiness;
use crate::sched::{self, Wake};
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user;
use crate::wait::WaitQueue;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};
use hal::SpinLock;
use hal::mem::Frame;
use ochre_abi::call::{self as abi, CallerInfo, Completion, Request, SLOTS, WindowCopy};
use ochre_abi::event::{EPOLLIN, EPOLLOUT};
use ochre_abi::file::{O_CLOEXEC, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Messages that wait for a free slot (closes, cancels); their number is bounded by that of open handles and calls.
type Backlog = VecDeque<Request>;

/// A server's port.
pub struct Port {
    inner: SpinLock<Inner>,
    /// Callers that wait for a free slot.
    slot_freed: WaitQueue,
    /// EPOLLIN while requests wait to be received.
    readiness: Readiness,
    /// Of the objects whose pager the server is.
    pub(crate) paging: Paging,
    /// Calls answered, for /scheme/sys.
    pub calls: AtomicU64,
    /// ns that callers waited for them.
    pub latency_ns: AtomicU64,
    /// How many took less than 2^n µs.
    pub histogram: [AtomicU64; 16],
}

/// What the server maps.
struct Area {
    header: Frame,
    entries: Frame,
    region: Arc<MemoryObject>,
}

/// Whether there is a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It receives, or can.
    Serving,
    /// It is gone, and another one may come: calls wait.
    Waiting,
    /// The next one looks at what there is: calls wait until it receives.
    Adopting,
    /// It is gone for good.
    Dead,
}

struct Inner {
    area: Area,
    state: State,
    /// Grows with each server that goes: what belongs to an older one does not count any more.
    incarnation: u32,
    /// The port outlives its server as long as one of its names is reserved.
    keeps: bool,
    /// Objects whose pager it is (or was: the object knows).
    objects: BTreeMap<u64, Weak<MemoryObject>>,
    /// Memory that its servers leave here for their successors.
    parked: BTreeMap<u64, Arc<File>>,
    slots: [Slot; SLOTS],
    free: u64,
    submitted: u32,
    /// Announced and not yet returned by REPLY_RECEIVE.
    pending: usize,
    /// Threads that wait in REPLY_RECEIVE.
    receivers: VecDeque<Arc<Thread>>,
    backlog: Backlog,
    handles: BTreeMap<u64, Weak<SchemeHandle>>,
    schemes: Vec<Arc<SchemeEntry>>,
}

struct Slot {
    generation: u64,
    state: SlotState,
    payload: Option<Frame>,
}

/// Where an answer stands.
enum Given {
    At(usize),
    Here(Completion),
}

enum SlotState {
    Free,
    Reserved,
    Held(Option<Arc<Thread>>),
    Answered,
}

/// A slot that a caller fills.
pub(crate) struct Reserved {
    pub index: usize,
    pub tag: u64,
    pub payload: Frame,
    /// Of the port, when the slot was reserved.
    pub incarnation: u32,
}

impl Area {
    fn new() -> Result<Area> {
        let region = MemoryObject::anonymous(abi::REGION_SIZE as u64);
        let header = region.frame(0, true)?;
        let entries = region.frame((abi::ENTRIES_OFFSET / 4096) as u64, true)?;
        Ok(Area { header, entries, region })
    }
}

impl Port {
    fn new() -> Result<Arc<Port>> {
        let area = Area::new()?;
        Ok(Arc::new(Port {
            inner: SpinLock::new(Inner {
                area,
                state: State::Serving,
                incarnation: 0,
                keeps: false,
                objects: BTreeMap::new(),
                parked: BTreeMap::new(),
                slots: [const { Slot { generation: 1, state: SlotState::Free, payload: None } }; SLOTS],
                free: u64::MAX,
                submitted: 0,
                pending: 0,
                receivers: VecDeque::new(),
                backlog: Backlog::new(),
                handles: BTreeMap::new(),
                schemes: Vec::new(),
            }),
            slot_freed: WaitQueue::new(),
            readiness: Readiness::new(EPOLLOUT),
            paging: Paging::new(),
            calls: AtomicU64::new(0),
            latency_ns: AtomicU64::new(0),
            histogram: [const { AtomicU64::new(0) }; 16],
        }))
    }

    /// A slot to fill; waits for one, or for a server that is to come (EINTR). EIO: the server is gone for good.
    pub(crate) fn reserve(&self) -> Result<Reserved> {
        if let Some(result) = self.try_reserve() {
            return result;
        }
        self.slot_freed.wait_until(None, || self.try_reserve())?
    }

    fn try_reserve(&self) -> Option<Result<Reserved>> {
        let mut inner = self.inner.lock();
        match inner.state {
            State::Serving => {}
            State::Waiting | State::Adopting => return None,
            State::Dead => return Some(Err(Errno::EIO)),
        }
        if inner.free == 0 {
            return None;
        }
        let index = inner.free.trailing_zeros() as usize;
        let payload = match &inner.slots[index].payload {
            Some(frame) => frame.clone(),
            None => {
                let page = (abi::PAYLOAD_OFFSET / 4096 + index) as u64;
                match inner.area.region.frame(page, true) {
                    Ok(frame) => {
                        inner.slots[index].payload = Some(frame.clone());
                        frame
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        inner.free &= !(1 << index);
        let incarnation = inner.incarnation;
        let slot = &mut inner.slots[index];
        slot.state = SlotState::Reserved;
        Some(Ok(Reserved { index, tag: slot.generation << 8 | index as u64, payload, incarnation }))
    }

    /// Gives a reserved or answered slot back.
    pub(crate) fn release(&self, index: usize) {
        let mut inner = self.inner.lock();
        let server = self.free_slot(&mut inner, index);
        drop(inner);
        if let Some(server) = server {
            sched::unpark(&server);
        }
        self.slot_freed.wake_one();
    }

    /// Frees a slot, or gives it to a message that waits for one; then a receiver may have to wake.
    fn free_slot(&self, inner: &mut Inner, index: usize) -> Option<Arc<Thread>> {
        let slot = &mut inner.slots[index];
        slot.generation = (slot.generation + 1) & 0x7fff_ffff_ffff;
        slot.state = SlotState::Free;
        let next = if inner.state == State::Serving { inner.backlog.pop_front() } else { None };
        match next {
            Some(mut message) => {
                message.tag = inner.slots[index].generation << 8 | index as u64;
                self.publish(inner, index, message, None)
            }
            None => {
                inner.free |= 1 << index;
                None
            }
        }
    }

    /// Announces a filled slot; returns a receiver to run, if one waits. EAGAIN: the server for which the slot was reserved is gone, and
    /// the slot is free again: start anew.
    pub(crate) fn announce(
        &self,
        slot: &Reserved,
        request: Request,
        caller: &Arc<Thread>,
    ) -> Result<Option<Arc<Thread>>> {
        let mut inner = self.inner.lock();
        if inner.incarnation != slot.incarnation {
            drop(inner);
            self.release(slot.index);
            return Err(Errno::EAGAIN);
        }
        let server = self.publish(&mut inner, slot.index, request, Some(caller.clone()));
        let first = inner.pending == 1;
        drop(inner);
        if server.is_none() && first {
            self.readiness.raise(EPOLLIN);
        }
        Ok(server)
    }

    fn publish(
        &self,
        inner: &mut Inner,
        index: usize,
        request: Request,
        caller: Option<Arc<Thread>>,
    ) -> Option<Arc<Thread>> {
        inner.area.entries.write_as(index * size_of::<Request>(), &request);
        inner.slots[index].state = SlotState::Held(caller);
        let place = inner.submitted as usize % SLOTS;
        inner.area.header.write_as(abi::RING_OFFSET + 2 * place, &(index as u16));
        inner.submitted = inner.submitted.wrapping_add(1);
        inner.area.header.atomic_u32(0).store(inner.submitted, Release);
        inner.pending += 1;
        inner.receivers.pop_front()
    }

    /// Sends a message that nobody waits for.
    pub fn post(&self, request: Request) {
        let mut inner = self.inner.lock();
        if inner.state != State::Serving {
            if inner.keeps_message(request.op) {
                inner.backlog.push_back(request);
            }
            return;
        }
        let server = if inner.free != 0 {
            let index = inner.free.trailing_zeros() as usize;
            inner.free &= !(1 << index);
            let tag = inner.slots[index].generation << 8 | index as u64;
            self.publish(&mut inner, index, Request { tag, ..request }, None)
        } else {
            inner.backlog.push_back(request);
            return;
        };
        let first = inner.pending == 1;
        drop(inner);
        match server {
            Some(server) => sched::unpark(&server),
            None if first => self.readiness.raise(EPOLLIN),
            None => {}
        }
    }

    /// The caller of this request ends: the answer will go nowhere. False if the answer is there (or on its way) already.
    pub(crate) fn detach(&self, tag: u64) -> bool {
        let mut inner = self.inner.lock();
        let Some(index) = find(&inner, tag) else { return false };
        let SlotState::Held(caller) = &mut inner.slots[index].state else { return false };
        if caller.take().is_none() {
            return false;
        }
        drop(inner);
        self.post(Request { op: abi::OP_CANCEL, args: [tag, 1, 0], ..Request::default() });
        true
    }

    /// Takes one answer from the thread `me` of the server: the nth of the region, or a given one. Returns the caller to wake.
    fn complete(self: &Arc<Self>, me: &Arc<Thread>, incarnation: u32, answer: Given) -> Option<Arc<Thread>> {
        let mut inner = self.inner.lock();
        if inner.incarnation != incarnation {
            return None;
        }
        let completion: Completion = match answer {
            Given::At(n) => inner.area.header.read_as(abi::COMPLETIONS_OFFSET + n * size_of::<Completion>()),
            Given::Here(completion) => completion,
        };
        let kind = (completion.tag >> abi::ANSWER_SHIFT) as u8;
        let tag = completion.tag & ((1 << abi::ANSWER_SHIFT) - 1);
        let index = find(&inner, tag)?;
        let entry: Request = inner.area.entries.read_as(index * size_of::<Request>());
        let SlotState::Held(caller) = &mut inner.slots[index].state else { return None };
        let Some(caller) = caller.take() else {
            // Nobody waits. A handle that was opened for the one that went away is closed again.
            let next = self.free_slot(&mut inner, index);
            drop(inner);
            if let Some(next) = next {
                sched::unpark(&next);
            }
            self.slot_freed.wake_one();
            if kind == abi::ANSWER_OPENED && completion.result >= 0 {
                self.post(Request { op: abi::OP_CLOSE, handle: completion.result as u64, ..Request::default() });
            }
            return None;
        };
        let len = (entry.len as usize).min(abi::PAYLOAD_MAX);
        let holds_slot = completion.result >= 0
            && (kind == abi::ANSWER_REDIRECT || kind == abi::ANSWER_VALUE && len > 0 && entry.out_len > 0);
        let mut backlog_server = None;
        if holds_slot {
            inner.slots[index].state = SlotState::Answered;
        } else {
            backlog_server = self.free_slot(&mut inner, index);
        }
        drop(inner);
        if !holds_slot {
            self.slot_freed.wake_one();
            if let Some(server) = backlog_server {
                sched::unpark(&server);
            }
        }
        let mut done =
            Done { kind, result: completion.result, len, args: entry.args, file: None, handle: None, holds_slot };
        if completion.result >= 0 {
            self.take_files(me, &mut done);
        }
        if kind == abi::ANSWER_OPENED && done.result >= 0 {
            // Made here and not when the caller runs: the server may set its readiness or attach an object right after this.
            done.handle = Some(SchemeHandle::new(self, done.result as u64, done.args[0], done.file.take()));
        }
        caller.call.finish(done);
        Some(caller)
    }

    /// Takes the open file that an answer carries out of the server's table.
    fn take_files(&self, me: &Arc<Thread>, done: &mut Done) {
        let fd = match done.kind {
            abi::ANSWER_FD => done.result,
            abi::ANSWER_OPENED if done.args[1] != 0 => done.args[1] as i64 - 1,
            _ => return,
        };
        let file = i32::try_from(fd).map_err(|_| Errno::EBADF).and_then(|fd| {
            if done.kind == abi::ANSWER_FD && done.args[0] == 1 { me.process.take(fd) } else { me.process.file(fd) }
        });
        match file {
            Ok(file) => done.file = Some(file),
            // A server that answers with a bad descriptor is broken: its caller learns of an I/O error.
            Err(_) => done.result = -i64::from(Errno::EIO.0),
        }
    }

    /// Notes how long a call took.
    pub(crate) fn note_latency(&self, ns: u64) {
        self.calls.store(self.calls.load(Relaxed) + 1, Relaxed);
        self.latency_ns.store(self.latency_ns.load(Relaxed) + ns, Relaxed);
        let bucket = (64 - (ns / 1000).leading_zeros() as usize).min(15);
        self.histogram[bucket].store(self.histogram[bucket].load(Relaxed) + 1, Relaxed);
    }

    /// The server opened a handle.
    pub(crate) fn add_handle(&self, handle: &Arc<SchemeHandle>) {
        let old = self.inner.lock().handles.insert(handle.id, Arc::downgrade(handle));
        drop(old);
    }

    /// The last descriptor of a handle is gone.
    pub(crate) fn close_handle(&self, id: u64) {
        let mut inner = self.inner.lock();
        // The id may stand for a newer handle already.
        let gone = match inner.handles.entry(id) {
            Entry::Occupied(entry) if entry.get().strong_count() == 0 => Some(entry.remove()),
            _ => None,
        };
        drop(inner);
        drop(gone);
        self.post(Request { op: abi::OP_CLOSE, handle: id, ..Request::default() });
    }

    fn handle(&self, id: u64) -> Result<Arc<SchemeHandle>> {
        let inner = self.inner.lock();
        inner.handles.get(&id).and_then(Weak::upgrade).ok_or(Errno::EBADF)
    }

    /// The port serves this scheme name now. With `keeps` it outlives its server while the name is reserved.
    pub(crate) fn serves(&self, entry: Arc<SchemeEntry>, keeps: bool) {
        let mut inner = self.inner.lock();
        inner.keeps |= keeps;
        if !inner.schemes.iter().any(|known| Arc::ptr_eq(known, &entry)) {
            inner.schemes.push(entry);
        }
    }

    /// The server is gone for good: its callers get EIO, its handles hang up, its names are free.
    fn shut_down(&self) {
        // First the names: who finds the port dead looks for the name's next server, and must not find this one again.
        let schemes = core::mem::take(&mut self.inner.lock().schemes);
        for entry in schemes {
            entry.server_gone(self);
        }
        let mut inner = self.inner.lock();
        inner.state = State::Dead;
        inner.incarnation += 1;
        let handles = core::mem::take(&mut inner.handles);
        let parked = core::mem::take(&mut inner.parked);
        let objects = core::mem::take(&mut inner.objects);
        let (callers, receivers) = inner.disband();
        drop(inner);
        send_away(callers, receivers);
        self.slot_freed.wake_all();
        for handle in handles.into_values().filter_map(|h| h.upgrade()) {
            handle.hang_up();
        }
        drop((parked, objects));
    }

    /// The server is gone for good.
    pub fn is_dead(&self) -> bool {
        self.inner.lock().state == State::Dead
    }

    /// There is a server that receives.
    pub fn is_serving(&self) -> bool {
        self.inner.lock().state == State::Serving
    }

    /// Who waits for a request's answer.
    fn caller(&self, tag: u64) -> Result<Arc<Thread>> {
        let inner = self.inner.lock();
        let index = find(&inner, tag).ok_or(Errno::ESRCH)?;
        match &inner.slots[index].state {
            SlotState::Held(Some(caller)) => Ok(caller.clone()),
            _ => Err(Errno::ESRCH),
        }
    }
}

impl Inner {
    /// Ends what the server has in hand: who waits for its answers, and its threads that wait for requests. Slots that a caller fills or
    /// empties remain that caller's.
    fn disband(&mut self) -> (Vec<Arc<Thread>>, VecDeque<Arc<Thread>>) {
        self.backlog.clear();
        self.pending = 0;
        let mut callers = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let SlotState::Held(caller) = &mut slot.state {
                callers.extend(caller.take());
                slot.state = SlotState::Free;
                slot.generation = (slot.generation + 1) & 0x7fff_ffff_ffff;
                self.free |= 1 << index;
            }
        }
        (callers, core::mem::take(&mut self.receivers))
    }
}

/// The server in whose hands these are is gone: the callers get EIO.
fn send_away(callers: Vec<Arc<Thread>>, receivers: VecDeque<Arc<Thread>>) {
    for caller in callers {
        caller.call.finish(Done {
            kind: crate::call::SERVER_GONE,
            result: -i64::from(Errno::EIO.0),
            len: 0,
            args: [0; 3],
            file: None,
            handle: None,
            holds_slot: false,
        });
        sched::unpark(&caller);
    }
    for thread in receivers {
        sched::unpark(&thread);
    }
}

/// The held slot that a tag names.
fn find(inner: &Inner, tag: u64) -> Option<usize> {
    let index = (tag & 0xff) as usize;
    let slot = inner.slots.get(index)?;
    (slot.generation == tag >> 8 && matches!(slot.state, SlotState::Held(_))).then_some(index)
}

/// The server's end of a port: what its file descriptor refers to. Dropping it ends the server.
pub struct PortEnd {
    /// The port.
    pub port: Arc<Port>,
    incarnation: u32,
    region: Arc<MemoryObject>,
}

impl Drop for PortEnd {
    fn drop(&mut self) {
        self.port.server_ended();
    }
}

impl Object for PortEnd {
    fn kind(&self) -> &'static str {
        "port"
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.port.readiness)
    }

    fn memory(&self, _file: &File, _writable: bool) -> Result<Arc<MemoryObject>> {
        Ok(self.region.clone())
    }
}

fn port_of(me: &Arc<Thread>, fd: u64) -> Result<Arc<Port>> {
    let file = me.process.file(fd as i32)?;
    Ok(file.object::<PortEnd>().ok_or(Errno::EINVAL)?.port.clone())
}

/// PORT_CREATE.
pub fn port_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if !crate::mm::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    let port = Port::new()?;
    let region = port.inner.lock().area.region.clone();
    let file = File::new(Arc::new(PortEnd { port, incarnation: 0, region }), O_RDWR);
    Ok(me.process.install(file, a[0] & u64::from(O_CLOEXEC) != 0)? as usize)
}

/// REPLY_RECEIVE.
pub fn reply_receive(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, completions, flags, timeout, ..] = *a;
    let (port, incarnation) = {
        let file = me.process.file(fd as i32)?;
        let end = file.object::<PortEnd>().ok_or(Errno::EINVAL)?;
        (end.port.clone(), end.incarnation)
    };
    if completions > SLOTS as u64 {
        return Err(Errno::EINVAL);
    }
    if flags & ochre_abi::syscall::RECEIVE_ANSWER_ONE != 0 {
        if let Some(caller) = port.complete(me, incarnation, Given::Here(Completion { tag: a[4], result: a[5] as i64 }))
        {
            sched::unpark(&caller);
        }
        return Ok(0);
    }
    // The last answered caller gets this CPU directly if nothing else is to do here.
    let mut caller: Option<Arc<Thread>> = None;
    for n in 0..completions as usize {
        if let Some(next) = port.complete(me, incarnation, Given::At(n)) {
            if let Some(previous) = caller.replace(next) {
                sched::unpark(&previous);
            }
        }
    }
    let deadline = match timeout {
        ochre_abi::syscall::FOREVER => None,
        timeout => Some(hal::time::now().saturating_add(timeout)),
    };
    loop {
        let mut inner = port.inner.lock();
        if inner.state == State::Adopting && inner.incarnation == incarnation {
            drop(inner);
            port.open_again();
            inner = port.inner.lock();
        }
        let finished = if inner.incarnation != incarnation {
            Some(Err(Errno::EIO))
        } else if inner.pending > 0 {
            port.readiness.clear(EPOLLIN);
            Some(Ok(core::mem::take(&mut inner.pending)))
        } else if flags & ochre_abi::syscall::RECEIVE_NOWAIT != 0 {
            Some(Ok(0))
        } else {
            inner.receivers.push_back(me.clone());
            None
        };
        drop(inner);
        if let Some(result) = finished {
            if let Some(caller) = caller {
                sched::unpark(&caller);
            }
            return result;
        }
        let wake = match caller.take() {
            Some(caller) if deadline.is_none() && !me.wants_attention() => {
                sched::switch_direct(me, caller);
                Wake::Unparked
            }
            other => {
                if let Some(caller) = other {
                    sched::unpark(&caller);
                }
                sched::park(me, deadline, true)
            }
        };
        let mut inner = port.inner.lock();
        if let Some(index) = inner.receivers.iter().position(|t| Arc::ptr_eq(t, me)) {
            inner.receivers.remove(index);
        }
        let more = inner.pending > 0;
        drop(inner);
        match wake {
            Wake::Unparked => {}
            _ if more => {}
            Wake::TimedOut => return Ok(0),
            Wake::Interrupted | Wake::Killed => return Err(Errno::EINTR),
        }
    }
}

/// WINDOW_COPY.
pub fn window_copy(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let copy: WindowCopy = user::read(a[2])?;
    let caller = port.caller(a[1])?;
    let window = caller.call.window(copy.window as usize).ok_or(Errno::EINVAL)?;
    let direction = u64::from(copy.direction);
    if direction != abi::WINDOW_READ && direction != abi::WINDOW_WRITE || window.access & direction == 0 {
        return Err(Errno::EACCES);
    }
    if copy.offset >= window.len {
        return Ok(0);
    }
    let total = copy.len.min(window.len - copy.offset);
    let remote =
        window.addr.checked_add(copy.offset).filter(|r| r.checked_add(total).is_some()).ok_or(Errno::EFAULT)?;
    let space = caller.process.space();
    let mut copied = 0u64;
    while copied < total {
        let addr = remote + copied;
        let offset = (addr % 4096) as usize;
        let len = (total - copied).min(4096 - offset as u64) as usize;
        let (page, local) = ((addr - offset as u64) as usize, copy.local.wrapping_add(copied));
        if direction == abi::WINDOW_READ {
            user::frame_out(local, &space.pin(page)?, offset, len)?;
        } else {
            space.write_pinned(page, |frame| user::frame_in(frame, offset, local, len))?;
        }
        copied += len as u64;
    }
    Ok(copied as usize)
}

/// TAKE_FD.
pub fn take_fd(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let file = port.caller(a[1])?.call.file(a[2] as usize).ok_or(Errno::EINVAL)?;
    Ok(me.process.install(file, a[3] & u64::from(O_CLOEXEC) != 0)? as usize)
}

/// CALLER_INFO.
pub fn caller_info(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let caller = port.caller(a[1])?;
    let credentials = caller.process.credentials();
    let info = CallerInfo {
        pid: caller.process.pid,
        tid: caller.tid,
        uid: credentials.euid,
        gid: credentials.egid,
        rights: caller.process.rights(),
        pgid: caller.process.pgid(),
        sid: caller.process.sid(),
        blocked: caller.signals.mask(),
        ignored: caller.process.signals.ignored(),
        ruid: credentials.ruid,
        rgid: credentials.rgid,
    };
    user::write(a[2], &info)?;
    Ok(0)
}

/// CALLER_GROUPS.
pub fn caller_groups(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let port = port_of(me, a[0])?;
    let groups = port.caller(a[1])?.process.attributes(|own| own.groups.clone());
    for (n, group) in groups.iter().enumerate().take(usize::try_from(a[3]).unwrap_or(usize::MAX)) {
        user::write(a[2].wrapping_add(4 * n as u64), group)?;
    }
    Ok(groups.len())
}

/// HANDLE_READY.
pub fn handle_ready(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let handle = port_of(me, a[0])?.handle(a[1])?;
    handle.set_ready(a[2] as u32, a[3] as u32);
    Ok(0)
}

/// HANDLE_ATTACH.
pub fn handle_attach(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let handle = port_of(me, a[0])?.handle(a[1])?;
    let object = match a[2] as i32 {
        -1 => None,
        fd => {
            let file = me.process.file(fd)?;
            Some(file.object.memory(&file, false)?)
        }
    };
    handle.attach(object);
    Ok(0)
}
