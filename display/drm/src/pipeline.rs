//! What a device consists of: connectors, encoders, CRTCs and planes, which a driver describes once.

use crate::format::Format;
use crate::uapi::ModeInfo;
use std::sync::Arc;

/// Names an object. All kinds share one space of numbers.
pub type Id = u32;

/// DRM_MODE_CONNECTOR_: a virtual display's, and the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum ConnectorKind {
    Vga = 1,
    DisplayPort = 10,
    HdmiA = 11,
    Edp = 14,
    Virtual = 15,
}

/// DRM_MODE_ENCODER_.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum EncoderKind {
    None = 0,
    Tmds = 2,
    Virtual = 5,
}

/// DRM_PLANE_TYPE_.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[allow(missing_docs)]
pub enum PlaneKind {
    Overlay = 0,
    Primary = 1,
    Cursor = 2,
}

/// What is plugged in at a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Display {
    /// Its modes, the preferred one marked.
    pub modes: Vec<ModeInfo>,
    /// Its EDID, or nothing.
    pub edid: Vec<u8>,
    /// Its size in mm; 0 if it does not tell.
    pub size_mm: (u32, u32),
}

/// Where a display is plugged in.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Its number.
    pub id: Id,
    /// Its plug, and the how-manieth of these it is, from 1 on.
    pub kind: ConnectorKind,
    pub kind_id: u32,
    /// Indices of the encoders that can feed it.
    pub encoders: Vec<usize>,
    /// What is plugged in.
    pub display: Option<Display>,
    /// The display's EDID as a blob.
    pub edid: Option<Id>,
}

/// What makes a connector's signal.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Its number.
    pub id: Id,
    pub kind: EncoderKind,
    /// By their indices, as bits.
    pub possible_crtcs: u32,
    pub possible_clones: u32,
}

/// What reads planes and sends a picture.
#[derive(Clone, Debug)]
pub struct Crtc {
    /// Its number.
    pub id: Id,
    /// Its primary plane's index, and the cursor's.
    pub primary: usize,
    pub cursor: Option<usize>,
}

/// What shows a framebuffer.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Its number.
    pub id: Id,
    pub kind: PlaneKind,
    /// CRTCs by their indices, as bits.
    pub possible_crtcs: u32,
    /// What it can show.
    pub formats: Vec<Format>,
    pub modifiers: Vec<u64>,
    /// These as IN_FORMATS.
    pub in_formats: Option<Id>,
}

/// A device's parts.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    pub connectors: Vec<Connector>,
    pub encoders: Vec<Encoder>,
    pub crtcs: Vec<Crtc>,
    pub planes: Vec<Plane>,
}

/// What an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Connector(usize),
    Encoder(usize),
    Crtc(usize),
    Plane(usize),
}

impl Pipeline {
    /// Finds a part.
    pub fn find(&self, id: Id) -> Option<Part> {
        let connector = self.connectors.iter().position(|part| part.id == id).map(Part::Connector);
        connector
            .or_else(|| self.encoders.iter().position(|part| part.id == id).map(Part::Encoder))
            .or_else(|| self.crtcs.iter().position(|part| part.id == id).map(Part::Crtc))
            .or_else(|| self.planes.iter().position(|part| part.id == id).map(Part::Plane))
    }

    /// A CRTC's index.
    pub fn crtc(&self, id: Id) -> Option<usize> {
        self.crtcs.iter().position(|crtc| crtc.id == id)
    }

    /// CRTCs that a connector can show, as bits.
    pub fn crtcs_of(&self, connector: &Connector) -> u32 {
        connector.encoders.iter().filter_map(|&n| self.encoders.get(n)).fold(0, |bits, one| bits | one.possible_crtcs)
    }
}

/// The memory of a picture, as a driver keeps it. What it holds is freed when the last user is gone.
#[derive(Debug)]
pub struct Buffer {
    /// A number that no other buffer has.
    pub number: u64,
    /// Bytes.
    pub size: u64,
    /// The driver's own.
    pub memory: Box<dyn Memory>,
}

/// What a driver keeps of a buffer.
pub trait Memory: std::any::Any + std::fmt::Debug + Send + Sync {}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// A picture in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Framebuffer {
    /// Its number; 0 for one without, as the cursor's of the legacy calls.
    pub id: Id,
    pub width: u32,
    pub height: u32,
    pub format: Format,
    pub modifier: u64,
    /// It was made with a modifier.
    pub with_modifier: bool,
    /// For each plane of the format.
    pub buffers: Vec<Surface>,
}

/// One plane of a framebuffer's memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    pub buffer: Arc<Buffer>,
    /// Bytes from one row to the next, and to the first.
    pub pitch: u32,
    pub offset: u32,
}
