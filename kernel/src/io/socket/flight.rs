//! Open files in flight: in a message that nobody has received yet.
//!
//! A socket whose only references stand in inboxes may still be reached: somebody can receive it. It cannot if those inboxes belong to
//! sockets that are themselves only in flight, and so on: then it is garbage. The collection works as Linux's unix_gc did until 6.9:
//! candidates are sockets with no reference but those in flight; the references that come from candidates' own inboxes
//! are subtracted; what then still has references, and all that hangs on it, lives; the rest is emptied.
//!
//! Every change of what is in flight, if sockets are involved, happens under [`IN_FLIGHT`], together with the change of the inbox.
//!
//! Dropping an inbox can drop sockets with inboxes, and so on, to any depth: [`bury`] makes that a loop, since kernel stacks are short.

use super::inbox::Segment;
use super::{Side, Socket};
use crate::file::File;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use hal::{SpinGuard, SpinLock};
use ochre_hal as hal;

/// Sockets in flight.
pub struct Flights {
    /// By the open file's address.
    sockets: BTreeMap<usize, Flight>,
    /// Collect when there are this many.
    collect_at: usize,
}

struct Flight {
    file: Weak<File>,
    /// References from inboxes.
    count: usize,
    /// During a collection: references that do not come from candidates' inboxes; `None`: no candidate.
    outside: Option<usize>,
}

const COLLECT_AT: usize = 32;

static IN_FLIGHT: SpinLock<Flights> = SpinLock::new(Flights { sockets: BTreeMap::new(), collect_at: COLLECT_AT });

/// Is it one of the sockets that this module counts?
pub fn is_socket(file: &File) -> bool {
    file.object::<Socket>().is_some()
}

/// The lock under which segments with sockets enter and leave inboxes; `None` if there are none in it.
pub fn lock(sockets: usize) -> Option<SpinGuard<'static, Flights>> {
    (sockets > 0).then(|| IN_FLIGHT.lock())
}

impl Flights {
    /// The files entered an inbox.
    pub fn depart(&mut self, files: &[Arc<File>]) {
        for file in files.iter().filter(|file| is_socket(file)) {
            let flight = self.sockets.entry(key(file)).or_insert_with(|| Flight {
                file: Arc::downgrade(file),
                count: 0,
                outside: None,
            });
            flight.count += 1;
        }
    }

    /// The files left an inbox.
    pub fn arrive(&mut self, files: &[Arc<File>]) {
        for file in files.iter().filter(|file| is_socket(file)) {
            if let Some(flight) = self.sockets.get_mut(&key(file)) {
                flight.count -= 1;
                if flight.count == 0 {
                    self.sockets.remove(&key(file));
                }
            }
        }
    }
}

fn key(file: &Arc<File>) -> usize {
    Arc::as_ptr(file).addr()
}

/// A closed socket's inbox goes.
pub fn empty(side: &Side) {
    let mut flights = IN_FLIGHT.lock();
    let segments = take_all(&mut flights, side);
    drop(flights);
    bury(segments.into_iter().flat_map(|segment| segment.files).collect());
}

fn take_all(flights: &mut Flights, side: &Side) -> Vec<Segment> {
    let mut inbox = side.inbox.lock();
    let mut segments = Vec::new();
    while let Some(segment) = inbox.take_message() {
        flights.arrive(&segment.files);
        segments.push(segment);
    }
    segments
}

/// Drops files; those that their dropping would drop in turn come to the same list.
pub fn bury(files: Vec<Arc<File>>) {
    static GRAVES: SpinLock<Vec<Arc<File>>> = SpinLock::new(Vec::new());
    static DIGGING: AtomicBool = AtomicBool::new(false);
    if files.is_empty() {
        return;
    }
    GRAVES.lock().extend(files);
    while !DIGGING.swap(true, SeqCst) {
        loop {
            let next = GRAVES.lock().pop();
            match next {
                Some(file) => drop(file),
                None => break,
            }
        }
        DIGGING.store(false, SeqCst);
        // Another CPU may have left something between the last look and the store.
        if GRAVES.lock().is_empty() {
            break;
        }
    }
}

/// Looks for garbage if enough sockets are in flight to make it worth while.
pub fn collect_if_many() {
    let mut flights = IN_FLIGHT.lock();
    if flights.sockets.len() < flights.collect_at {
        return;
    }
    let garbage = collect(&mut flights);
    flights.collect_at = (flights.sockets.len() * 2).max(COLLECT_AT);
    drop(flights);
    bury(garbage);
}

/// Empties the inboxes of sockets that nobody can reach; what was in them.
fn collect(flights: &mut Flights) -> Vec<Arc<File>> {
    for flight in flights.sockets.values_mut() {
        flight.outside = (flight.file.strong_count() <= flight.count).then_some(flight.count);
    }
    let candidates: Vec<usize> =
        flights.sockets.iter().filter(|(_, flight)| flight.outside.is_some()).map(|(key, _)| *key).collect();
    for candidate in &candidates {
        for held in held_by(flights, *candidate) {
            if let Some(outside) = flights.sockets.get_mut(&held).and_then(|flight| flight.outside.as_mut()) {
                *outside = outside.saturating_sub(1);
            }
        }
    }
    let mut alive: Vec<usize> = candidates.iter().copied().filter(|c| flights.sockets[c].outside != Some(0)).collect();
    for key in &alive {
        if let Some(flight) = flights.sockets.get_mut(key) {
            flight.outside = None;
        }
    }
    while let Some(next) = alive.pop() {
        for held in held_by(flights, next) {
            if let Some(flight) = flights.sockets.get_mut(&held).filter(|flight| flight.outside.is_some()) {
                flight.outside = None;
                alive.push(held);
            }
        }
    }
    let dead: Vec<Arc<File>> = flights
        .sockets
        .values()
        .filter(|flight| flight.outside.is_some())
        .filter_map(|flight| flight.file.upgrade())
        .collect();
    let mut garbage = Vec::new();
    for file in dead {
        if let Some(socket) = file.object::<Socket>() {
            garbage.extend(take_all(flights, socket.own()).into_iter().flat_map(|segment| segment.files));
        }
        // Not dropped here: this may be the last reference by now.
        garbage.push(file);
    }
    garbage
}

/// The sockets in a socket's inbox.
fn held_by(flights: &Flights, socket: usize) -> Vec<usize> {
    let Some(file) = flights.sockets.get(&socket).and_then(|flight| flight.file.upgrade()) else { return Vec::new() };
    let held = match file.object::<Socket>() {
        Some(socket) => {
            let inbox = socket.own().inbox.lock();
            let files = inbox.segments.iter().flat_map(|segment| &segment.files);
            files.filter(|file| is_socket(file)).map(key).collect()
        }
        None => Vec::new(),
    };
    // It is in flight, and nothing lands while the lock is held: this is not the last reference.
    drop(file);
    held
}
