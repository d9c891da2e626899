//! What a GPU driver implements.

use crate::format::Format;
use crate::pipeline::{Buffer, ConnectorKind, Display, EncoderKind, Memory, Pipeline, PlaneKind};
use crate::state::State;
use ochre_abi::Result;

/// A change of what is shown.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub pipeline: &'a Pipeline,
    pub old: &'a State,
    pub new: &'a State,
}

/// What a driver says of itself (DRM_IOCTL_VERSION).
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub name: &'static str,
    pub description: &'static str,
    /// YYYYMMDD.
    pub date: &'static str,
    pub version: (i32, i32, i32),
    /// Where the device is, such as `pci:0000:00:02.0` (DRM_IOCTL_GET_UNIQUE).
    pub place: &'static str,
}

/// What the hardware can do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Framebuffers' least and greatest width and height.
    pub least: (u32, u32),
    pub most: (u32, u32),
    /// The largest cursor.
    pub cursor: (u32, u32),
    /// Reading what was drawn is slow: clients had better draw elsewhere and copy.
    pub prefer_shadow: bool,
}

/// A connector as a driver describes it. Its encoder is its own, and its CRTCs are bits by their index.
#[derive(Clone, Debug)]
pub struct ConnectorSetup {
    pub kind: ConnectorKind,
    pub encoder: EncoderKind,
    pub possible_crtcs: u32,
    pub display: Option<Display>,
}

/// A plane as a driver describes it. The first primary plane of a CRTC, and the first cursor, are those that legacy calls mean.
#[derive(Clone, Debug)]
pub struct PlaneSetup {
    pub kind: PlaneKind,
    pub possible_crtcs: u32,
    pub formats: Vec<Format>,
    pub modifiers: Vec<u64>,
}

/// A device as a driver describes it.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub connectors: Vec<ConnectorSetup>,
    /// How many.
    pub crtcs: usize,
    pub planes: Vec<PlaneSetup>,
}

/// Memory that a driver made for a dumb buffer.
#[derive(Debug)]
pub struct Dumb {
    pub memory: Box<dyn Memory>,
    /// Bytes from one row to the next, and of all.
    pub pitch: u32,
    pub size: u64,
}

/// A GPU driver.
pub trait Driver {
    /// A file descriptor of a buffer (a DMA-buf).
    type Descriptor;

    /// What it is.
    fn identity(&self) -> Identity;

    /// What it can do.
    fn limits(&self) -> Limits;

    /// Whether the hardware can do a change. It has passed [`State::check`]. Nothing happens; EINVAL, ENOSPC, …
    fn check(&self, _change: &Change<'_>) -> Result<()> {
        Ok(())
    }

    /// Makes a change that passed the check: by the next frame it shows. An error leaves the old state.
    fn commit(&mut self, change: &Change<'_>) -> Result<()>;

    /// Memory for a picture that programs draw themselves. The sizes are within sane limits. ENOMEM.
    fn create_dumb(&mut self, width: u32, height: u32, bits_per_pixel: u32) -> Result<Dumb>;

    /// A descriptor for a buffer, `writable` or only to read.
    fn export(&mut self, buffer: &Buffer, writable: bool) -> Result<Self::Descriptor>;

    /// The number of the buffer behind a descriptor, if it is one of this device's own.
    fn number_of(&mut self, descriptor: &Self::Descriptor) -> Option<u64>;

    /// Memory behind a descriptor of another device's, and its size. EINVAL: it is none.
    fn import(&mut self, descriptor: Self::Descriptor) -> Result<(Box<dyn Memory>, u64)>;
}
