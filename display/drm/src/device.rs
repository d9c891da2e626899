//! A device: its parts, what they show, who has it open, and who is its master.

use crate::client::{Client, NodeKind};
use crate::driver::{Change, Driver, Setup};
use crate::format::Format;
use crate::pipeline::{Buffer, Connector, Crtc, Display, Encoder, Framebuffer, Id, Part, Pipeline, Plane, PlaneKind};
use crate::property;
use crate::state::{Blob, Objects, State};
use crate::uapi::{FormatModifier, FormatModifierBlob};
use crate::vblank::{ClientId, Frames};
use ochre_abi::{Errno, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use zerocopy::IntoBytes;

/// What a caller has to wait for: a frame of a CRTC (by index). It is over too when the CRTC stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    pub crtc: usize,
    pub sequence: u64,
}

/// Framebuffers and blobs by number.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub framebuffers: BTreeMap<Id, Arc<Framebuffer>>,
    pub blobs: BTreeMap<Id, Arc<Blob>>,
}

impl Objects for Registry {
    fn framebuffer(&self, id: Id) -> Option<Arc<Framebuffer>> {
        self.framebuffers.get(&id).cloned()
    }

    fn blob(&self, id: Id) -> Option<Arc<Blob>> {
        self.blobs.get(&id).cloned()
    }
}

/// A device.
#[derive(Debug)]
pub struct Device<D: Driver> {
    pub(crate) driver: D,
    pub(crate) pipeline: Pipeline,
    pub(crate) state: State,
    pub(crate) registry: Registry,
    pub(crate) frames: Vec<Frames>,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) master: Option<ClientId>,
    /// Buffers by number, and by the names that clients gave them (GEM_FLINK).
    pub(crate) buffers: BTreeMap<u64, Weak<Buffer>>,
    pub(crate) names: BTreeMap<u32, Weak<Buffer>>,
    next_id: Id,
    next_client: ClientId,
    next_buffer: u64,
    next_magic: u32,
}

impl<D: Driver> Device<D> {
    /// A device with everything off. EINVAL: the driver's description makes no sense (a CRTC without primary plane, more than 32 of a kind).
    pub fn new(driver: D, setup: Setup) -> Result<Device<D>> {
        let mut device = Device {
            driver,
            pipeline: Pipeline::default(),
            state: State::default(),
            registry: Registry::default(),
            frames: vec![Frames::default(); setup.crtcs],
            clients: BTreeMap::new(),
            master: None,
            buffers: BTreeMap::new(),
            names: BTreeMap::new(),
            next_id: property::END,
            next_client: 1,
            next_buffer: 1,
            next_magic: 1,
        };
        device.build(setup)?;
        device.state = State::new(&device.pipeline);
        Ok(device)
    }

    fn build(&mut self, setup: Setup) -> Result<()> {
        const MOST: usize = 32;
        if setup.crtcs > MOST || setup.planes.len() > MOST || setup.connectors.len() > MOST {
            return Err(Errno::EINVAL);
        }
        let first = |kind, crtc: usize| {
            setup.planes.iter().position(|plane| plane.kind == kind && plane.possible_crtcs & 1 << crtc != 0)
        };
        for n in 0..setup.crtcs {
            let primary = first(PlaneKind::Primary, n).ok_or(Errno::EINVAL)?;
            let id = self.new_id();
            self.pipeline.crtcs.push(Crtc { id, primary, cursor: first(PlaneKind::Cursor, n) });
        }
        for plane in setup.planes {
            let id = self.new_id();
            let in_formats = self.add_blob(in_formats(&plane.formats, &plane.modifiers));
            self.pipeline.planes.push(Plane {
                id,
                kind: plane.kind,
                possible_crtcs: plane.possible_crtcs,
                formats: plane.formats,
                modifiers: plane.modifiers,
                in_formats: Some(in_formats),
            });
        }
        for (n, connector) in setup.connectors.into_iter().enumerate() {
            let (encoder, id) = (self.new_id(), self.new_id());
            let same = self.pipeline.connectors.iter().filter(|other| other.kind == connector.kind).count();
            self.pipeline.encoders.push(Encoder {
                id: encoder,
                kind: connector.encoder,
                possible_crtcs: connector.possible_crtcs,
                possible_clones: 1 << n,
            });
            self.pipeline.connectors.push(Connector {
                id,
                kind: connector.kind,
                kind_id: same as u32 + 1,
                encoders: vec![n],
                display: None,
                edid: None,
            });
            self.set_display(n, connector.display);
        }
        Ok(())
    }

    /// The driver.
    pub fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    /// What is shown now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The device's parts.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// A display was plugged in, changed, or is gone. What is shown stays until somebody changes it.
    pub fn set_display(&mut self, connector: usize, display: Option<Display>) {
        let edid = display.as_ref().map(|display| display.edid.clone()).filter(|edid| !edid.is_empty());
        let edid = edid.map(|edid| self.add_blob(edid));
        if let Some(connector) = self.pipeline.connectors.get_mut(connector) {
            let old = std::mem::replace(&mut connector.edid, edid);
            connector.display = display;
            if let Some(old) = old {
                self.registry.blobs.remove(&old);
            }
        }
    }

    /// Opens a node. The first to open the primary one becomes the master.
    pub fn open(&mut self, node: NodeKind, pid: u32, uid: u32) -> ClientId {
        let id = self.next_client;
        self.next_client += 1;
        let mut client = Client::new(node, pid, uid);
        if node == NodeKind::Primary && self.master.is_none() {
            self.master = Some(id);
            client.was_master = true;
            client.authenticated = true;
        }
        self.clients.insert(id, client);
        id
    }

    /// A client is gone: everything that it held is given back, and its pictures disappear.
    pub fn close(&mut self, id: ClientId, now: u64) {
        let Some(mut client) = self.clients.remove(&id) else { return };
        if self.master == Some(id) {
            self.master = None;
        }
        self.frames.iter_mut().for_each(|frames| frames.forget(id));
        for framebuffer in std::mem::take(&mut client.framebuffers) {
            self.remove_framebuffer(framebuffer, now);
        }
        for blob in std::mem::take(&mut client.blobs) {
            self.registry.blobs.remove(&blob);
        }
        drop(client);
        self.buffers.retain(|_, buffer| buffer.strong_count() > 0);
        self.names.retain(|_, buffer| buffer.strong_count() > 0);
    }

    /// The client's state. EBADF.
    pub(crate) fn client(&mut self, id: ClientId) -> Result<&mut Client> {
        self.clients.get_mut(&id).ok_or(Errno::EBADF)
    }

    /// read(2) of events. EAGAIN: there are none.
    pub fn read(&mut self, id: ClientId, room: usize) -> Result<Vec<u8>> {
        self.client(id)?.read(room)
    }

    /// There are events to read.
    pub fn is_readable(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(Client::is_readable)
    }

    /// Tells clients what has happened by now; returns who has something to read.
    pub fn tick(&mut self, now: u64) -> Vec<ClientId> {
        let told: Vec<_> = self.frames.iter_mut().flat_map(|frames| frames.tick(now)).collect();
        self.deliver(told)
    }

    pub(crate) fn deliver(&mut self, events: Vec<(ClientId, [u8; crate::vblank::EVENT_LEN])>) -> Vec<ClientId> {
        let mut told = Vec::new();
        for (id, event) in events {
            if let Some(client) = self.clients.get_mut(&id) {
                client.deliver(event);
                told.push(id);
            }
        }
        told.dedup();
        told
    }

    /// When [`Self::tick`] should be called next, for what is known now.
    pub fn deadline(&self) -> Option<u64> {
        self.frames.iter().filter_map(Frames::deadline).min()
    }

    /// What a caller was told to wait for has come.
    pub fn is_over(&self, wake: Wake, now: u64) -> bool {
        self.frames.get(wake.crtc).is_none_or(|frames| !frames.runs() || frames.at(now).0 >= wake.sequence)
    }

    /// When that will be.
    pub fn wakes_at(&self, wake: Wake) -> Option<u64> {
        self.frames.get(wake.crtc)?.begins(wake.sequence)
    }

    pub(crate) fn new_id(&mut self) -> Id {
        // Numbers are not used again: 2^32 of them outlast any session; after that, free ones are looked for.
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.checked_add(1).unwrap_or(property::END);
            let taken = self.registry.framebuffers.contains_key(&id) || self.registry.blobs.contains_key(&id);
            if !taken && self.pipeline.find(id).is_none() {
                return id;
            }
        }
    }

    pub(crate) fn new_magic(&mut self) -> u32 {
        let magic = self.next_magic;
        self.next_magic = self.next_magic.checked_add(1).unwrap_or(1);
        magic
    }

    pub(crate) fn add_blob(&mut self, data: Vec<u8>) -> Id {
        let id = self.new_id();
        self.registry.blobs.insert(id, Arc::new(Blob { id, data }));
        id
    }

    pub(crate) fn add_buffer(&mut self, memory: Box<dyn crate::pipeline::Memory>, size: u64) -> Arc<Buffer> {
        let number = self.next_buffer;
        self.next_buffer += 1;
        let buffer = Arc::new(Buffer { number, size, memory });
        self.buffers.insert(number, Arc::downgrade(&buffer));
        buffer
    }

    /// Takes a framebuffer away: its planes go off, and with a primary plane its CRTC (drm_framebuffer_remove()).
    pub(crate) fn remove_framebuffer(&mut self, id: Id, now: u64) {
        let Some(framebuffer) = self.registry.framebuffers.remove(&id) else { return };
        let shows = |framebuffer: &Option<Arc<Framebuffer>>| framebuffer.as_ref().is_some_and(|one| one.id == id);
        if !self.state.planes.iter().any(|plane| shows(&plane.framebuffer)) {
            return;
        }
        let mut new = self.state.clone();
        for (n, plane) in new.planes.iter_mut().enumerate().filter(|(_, plane)| shows(&plane.framebuffer)) {
            let primary = self.pipeline.planes.get(n).is_some_and(|plane| plane.kind == PlaneKind::Primary);
            if let Some(crtc) = plane.crtc.filter(|_| primary) {
                if let Some(crtc) = new.crtcs.get_mut(crtc) {
                    (crtc.active, crtc.mode) = (false, None);
                }
                new.connectors.iter_mut().filter(|one| one.crtc == Some(crtc)).for_each(|one| one.crtc = None);
            }
            *plane = Default::default();
        }
        // Other planes of a CRTC that is off now.
        for plane in &mut new.planes {
            if plane.crtc.and_then(|crtc| new.crtcs.get(crtc)).is_some_and(|crtc| crtc.mode.is_none()) {
                *plane = Default::default();
            }
        }
        let change = Change { pipeline: &self.pipeline, old: &self.state, new: &new };
        // A driver that cannot switch off keeps the picture's memory, which is let go of here, and shows the last of it.
        let _ = self.driver.commit(&change);
        self.replace_state(new, now);
        drop(framebuffer);
    }

    /// Makes `new` the state that counts, which the driver has taken: starts and stops frames.
    pub(crate) fn replace_state(&mut self, new: State, now: u64) {
        let old = std::mem::replace(&mut self.state, new);
        // Damage is that of one commit.
        self.state.planes.iter_mut().for_each(|plane| plane.damage = None);
        let mut told = Vec::new();
        for (n, frames) in self.frames.iter_mut().enumerate() {
            let (Some(was), Some(is)) = (old.crtcs.get(n), self.state.crtcs.get(n)) else { continue };
            let mode = is.mode_info().filter(|_| is.active);
            match mode {
                Some(mode) if !was.active || was.mode != is.mode => frames.start(now, mode.frame_ns()),
                None if was.active => told.extend(frames.stop(now)),
                _ => {}
            }
        }
        self.deliver(told);
    }

    /// An object that a client names, of a kind (DRM_MODE_OBJECT_, or any). ENOENT.
    pub(crate) fn part(&self, id: Id, kind: u32) -> Result<Part> {
        use crate::uapi::object;
        let part = self.pipeline.find(id).ok_or(Errno::ENOENT)?;
        let own = match part {
            Part::Connector(_) => object::CONNECTOR,
            Part::Encoder(_) => object::ENCODER,
            Part::Crtc(_) => object::CRTC,
            Part::Plane(_) => object::PLANE,
        };
        if kind == object::ANY || kind == own { Ok(part) } else { Err(Errno::ENOENT) }
    }
}

/// IN_FORMATS: every format with every modifier (drm_plane.c: create_in_format_blob()).
fn in_formats(formats: &[Format], modifiers: &[u64]) -> Vec<u8> {
    let head = size_of::<FormatModifierBlob>();
    let list = size_of_val(formats);
    let modifiers_offset = (head + list).next_multiple_of(8);
    let blob = FormatModifierBlob {
        version: 1,
        flags: 0,
        count_formats: formats.len() as u32,
        formats_offset: head as u32,
        count_modifiers: 0,
        modifiers_offset: modifiers_offset as u32,
    };
    // An entry is about 64 formats.
    let blocks = formats.chunks(64).enumerate();
    let entries: Vec<FormatModifier> = blocks
        .flat_map(|(n, block)| {
            let bits = u64::MAX >> (64 - block.len());
            let entry =
                move |&modifier: &u64| FormatModifier { formats: bits, offset: n as u32 * 64, pad: 0, modifier };
            modifiers.iter().map(entry)
        })
        .collect();
    let blob = FormatModifierBlob { count_modifiers: entries.len() as u32, ..blob };
    let mut bytes = blob.as_bytes().to_vec();
    bytes.extend_from_slice(formats.as_bytes());
    bytes.resize(modifiers_offset, 0);
    bytes.extend_from_slice(entries.as_bytes());
    bytes
}
