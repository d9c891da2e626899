//! An open file of a device: its buffers by handle, what it said it knows, and the events that it has not read.

use crate::pipeline::{Buffer, Id};
use crate::vblank::EVENT_LEN;
use ochre_abi::{Errno, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Bytes of events that a client may leave unread, those under way included (drm_file.c: event_space).
const EVENT_SPACE: usize = 4096;
/// Buffers that one client may have handles for, blobs that it may make, framebuffers.
const OBJECTS_MAX: usize = 1 << 16;

/// Which of a device's nodes was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// cardN: everything.
    Primary,
    /// renderDN: buffers only.
    Render,
}

/// An open file.
#[derive(Debug)]
pub struct Client {
    pub node: NodeKind,
    /// Of who opened it.
    pub pid: u32,
    pub uid: u32,
    /// Says who it is to the master (GET_MAGIC); 0: never asked for.
    pub magic: u32,
    /// May use what only authenticated clients may.
    pub authenticated: bool,
    /// Was the master once, and may become it again without being root.
    pub was_master: bool,
    /// Client capabilities.
    pub universal_planes: bool,
    pub atomic: bool,
    pub aspect_ratio: bool,
    handles: BTreeMap<u32, Arc<Buffer>>,
    /// Its framebuffers and blobs.
    pub framebuffers: BTreeSet<Id>,
    pub blobs: BTreeSet<Id>,
    events: VecDeque<[u8; EVENT_LEN]>,
    /// Events that are promised, and not here yet.
    promised: usize,
}

impl Client {
    /// A new one.
    pub fn new(node: NodeKind, pid: u32, uid: u32) -> Client {
        Client {
            node,
            pid,
            uid,
            magic: 0,
            authenticated: false,
            was_master: false,
            universal_planes: false,
            atomic: false,
            aspect_ratio: false,
            handles: BTreeMap::new(),
            framebuffers: BTreeSet::new(),
            blobs: BTreeSet::new(),
            events: VecDeque::new(),
            promised: 0,
        }
    }

    /// A handle for a buffer: the one that it has, or a new one. ENOSPC.
    pub fn handle(&mut self, buffer: &Arc<Buffer>) -> Result<u32> {
        if let Some((handle, _)) = self.handles.iter().find(|(_, own)| *own == buffer) {
            return Ok(*handle);
        }
        let free = (1..).zip(self.handles.keys()).find(|(number, taken)| number != *taken).map(|(number, _)| number);
        let handle = free.unwrap_or(self.handles.len() as u32 + 1);
        if self.handles.len() >= OBJECTS_MAX {
            return Err(Errno::ENOSPC);
        }
        self.handles.insert(handle, buffer.clone());
        Ok(handle)
    }

    /// The buffer of a handle.
    pub fn buffer(&self, handle: u32) -> Option<&Arc<Buffer>> {
        self.handles.get(&handle)
    }

    /// Gives a handle up. EINVAL: there is none such.
    pub fn close_handle(&mut self, handle: u32) -> Result<()> {
        self.handles.remove(&handle).map(drop).ok_or(Errno::EINVAL)
    }

    /// EINVAL if it makes no end of objects (Linux: ENOMEM at some point).
    pub fn check_room(&self) -> Result<()> {
        let count = self.framebuffers.len().max(self.blobs.len());
        if count < OBJECTS_MAX { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Promises an event. ENOMEM: it should read first.
    pub fn promise(&mut self) -> Result<()> {
        if (self.events.len() + self.promised + 1) * EVENT_LEN > EVENT_SPACE {
            return Err(Errno::ENOMEM);
        }
        self.promised += 1;
        Ok(())
    }

    /// An event will not come after all.
    pub fn withdraw(&mut self) {
        self.promised = self.promised.saturating_sub(1);
    }

    /// A promised event has come.
    pub fn deliver(&mut self, event: [u8; EVENT_LEN]) {
        self.withdraw();
        self.events.push_back(event);
    }

    /// There are events to read.
    pub fn is_readable(&self) -> bool {
        !self.events.is_empty()
    }

    /// read(2): whole events, as many as there is room for; nothing if not even one fits. EAGAIN: there are none.
    pub fn read(&mut self, room: usize) -> Result<Vec<u8>> {
        if self.events.is_empty() {
            return Err(Errno::EAGAIN);
        }
        let count = (room / EVENT_LEN).min(self.events.len());
        Ok(self.events.drain(..count).flatten().collect())
    }
}
