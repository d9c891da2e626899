//! What is shown: the state that properties describe, how they change it, and whether a state makes sense.
//!
//! A state is a value. A change is made to a copy, which is checked, and takes the old one's place when the driver has taken it: what is
//! refused leaves nothing behind. The rules are those of drm_atomic.c, drm_atomic_uapi.c and drm_atomic_helper.c.

use crate::pipeline::{Framebuffer, Id, Part, Pipeline, PlaneKind};
use crate::property::{OF_CONNECTOR, OF_CRTC, OF_PLANE, Property};
use crate::uapi::{ModeInfo, ModeRect};
use ochre_abi::{Errno, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use zerocopy::FromBytes;

/// Bytes that a client or a driver made an object of.
#[derive(Debug, PartialEq, Eq)]
pub struct Blob {
    pub id: Id,
    pub data: Vec<u8>,
}

/// A rectangle: from the first corner up to, without, the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Rect {
    pub x1: i32,
    pub y1: i32,
    pub x2: i32,
    pub y2: i32,
}

/// A connector's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectorState {
    /// The CRTC that it shows, by index.
    pub crtc: Option<usize>,
    /// The display lost its signal, and wants its mode set anew.
    pub link_bad: bool,
}

/// A CRTC's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrtcState {
    /// It sends a picture.
    pub active: bool,
    /// Its mode; without one it is disabled, and its resources are free.
    pub mode: Option<Arc<Blob>>,
    pub vrr: bool,
}

/// A plane's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaneState {
    pub framebuffer: Option<Arc<Framebuffer>>,
    /// The CRTC that shows it, by index.
    pub crtc: Option<usize>,
    /// Where on the CRTC.
    pub crtc_x: i32,
    pub crtc_y: i32,
    pub crtc_w: u32,
    pub crtc_h: u32,
    /// Which part of the framebuffer, in 16.16 fixed point.
    pub src_x: u32,
    pub src_y: u32,
    pub src_w: u32,
    pub src_h: u32,
    /// What changed since the last state (FB_DAMAGE_CLIPS), for one commit.
    pub damage: Option<Arc<Blob>>,
}

/// The state of everything, by the indices of the pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub connectors: Vec<ConnectorState>,
    pub crtcs: Vec<CrtcState>,
    pub planes: Vec<PlaneState>,
}

/// What properties refer to by number.
pub trait Objects {
    fn framebuffer(&self, id: Id) -> Option<Arc<Framebuffer>>;
    fn blob(&self, id: Id) -> Option<Arc<Blob>>;
}

impl CrtcState {
    /// The numbers of its mode.
    pub fn mode_info(&self) -> Option<ModeInfo> {
        ModeInfo::read_from_bytes(&self.mode.as_ref()?.data).ok()
    }
}

impl PlaneState {
    /// Where it stands on its CRTC.
    pub fn destination(&self) -> Rect {
        let far = |at: i32, len: u32| at.saturating_add_unsigned(len);
        Rect { x1: self.crtc_x, y1: self.crtc_y, x2: far(self.crtc_x, self.crtc_w), y2: far(self.crtc_y, self.crtc_h) }
    }

    /// The parts of the framebuffer that changed, in whole pixels of it; the whole of what is shown if nobody said.
    pub fn damage(&self) -> Vec<Rect> {
        let whole = Rect {
            x1: (self.src_x >> 16) as i32,
            y1: (self.src_y >> 16) as i32,
            x2: (u64::from(self.src_x) + u64::from(self.src_w)).div_ceil(1 << 16) as i32,
            y2: (u64::from(self.src_y) + u64::from(self.src_h)).div_ceil(1 << 16) as i32,
        };
        let Some(blob) = &self.damage else { return vec![whole] };
        let clips =
            blob.data.chunks_exact(size_of::<ModeRect>()).filter_map(|clip| ModeRect::read_from_bytes(clip).ok());
        clips.filter_map(|clip| Rect { x1: clip.x1, y1: clip.y1, x2: clip.x2, y2: clip.y2 }.within(whole)).collect()
    }
}

impl Rect {
    /// What both cover, if anything.
    pub fn within(self, other: Rect) -> Option<Rect> {
        let both = Rect {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        };
        (both.x1 < both.x2 && both.y1 < both.y2).then_some(both)
    }
}

impl State {
    /// Everything off.
    pub fn new(pipeline: &Pipeline) -> State {
        State {
            connectors: vec![ConnectorState::default(); pipeline.connectors.len()],
            crtcs: vec![CrtcState::default(); pipeline.crtcs.len()],
            planes: vec![PlaneState::default(); pipeline.planes.len()],
        }
    }

    /// The properties of an object, in their order, with their values.
    pub fn properties(&self, pipeline: &Pipeline, part: Part) -> Vec<(Property, u64)> {
        let list = match part {
            Part::Connector(_) => OF_CONNECTOR,
            Part::Crtc(_) => OF_CRTC,
            Part::Plane(_) => OF_PLANE,
            Part::Encoder(_) => &[],
        };
        list.iter().map(|&property| (property, self.get(pipeline, part, property).unwrap_or(0))).collect()
    }

    /// A property's value; `None` if the object has no such property.
    fn get(&self, pipeline: &Pipeline, part: Part, property: Property) -> Option<u64> {
        let crtc_id = |index: Option<usize>| index.and_then(|n| pipeline.crtcs.get(n)).map_or(0, |crtc| crtc.id.into());
        let signed = |value: i32| i64::from(value) as u64;
        let blob = |blob: &Option<Arc<Blob>>| blob.as_ref().map_or(0, |blob| blob.id.into());
        Some(match part {
            Part::Connector(n) => {
                let (connector, state) = (pipeline.connectors.get(n)?, self.connectors.get(n)?);
                match property {
                    Property::Edid => connector.edid.unwrap_or(0).into(),
                    // On as long as its CRTC sends a picture.
                    Property::Dpms => match state.crtc.and_then(|crtc| self.crtcs.get(crtc)) {
                        Some(crtc) if crtc.active => 0,
                        _ => 3,
                    },
                    Property::LinkStatus => state.link_bad.into(),
                    Property::NonDesktop => 0,
                    Property::ConnectorCrtc => crtc_id(state.crtc),
                    _ => return None,
                }
            }
            Part::Crtc(n) => {
                let state = self.crtcs.get(n)?;
                match property {
                    Property::Active => state.active.into(),
                    Property::ModeId => blob(&state.mode),
                    Property::VrrEnabled => state.vrr.into(),
                    _ => return None,
                }
            }
            Part::Plane(n) => {
                let (plane, state) = (pipeline.planes.get(n)?, self.planes.get(n)?);
                match property {
                    Property::Type => plane.kind as u64,
                    Property::Fb => state.framebuffer.as_ref().map_or(0, |framebuffer| framebuffer.id.into()),
                    Property::PlaneCrtc => crtc_id(state.crtc),
                    Property::CrtcX => signed(state.crtc_x),
                    Property::CrtcY => signed(state.crtc_y),
                    Property::CrtcW => state.crtc_w.into(),
                    Property::CrtcH => state.crtc_h.into(),
                    Property::SrcX => state.src_x.into(),
                    Property::SrcY => state.src_y.into(),
                    Property::SrcW => state.src_w.into(),
                    Property::SrcH => state.src_h.into(),
                    Property::InFormats => plane.in_formats.unwrap_or(0).into(),
                    Property::DamageClips => blob(&state.damage),
                    _ => return None,
                }
            }
            Part::Encoder(_) => return None,
        })
    }

    /// Sets a property. ENOENT: the object has none such; EINVAL: not such a value, or not to be set.
    pub fn set(
        &mut self,
        pipeline: &Pipeline,
        objects: &dyn Objects,
        part: Part,
        property: Property,
        value: u64,
    ) -> Result<()> {
        self.get(pipeline, part, property).ok_or(Errno::ENOENT)?;
        if !property.allows(value) {
            return Err(Errno::EINVAL);
        }
        // The conversions hold: the value is allowed.
        let (number, signed) = (value as u32, value as i32);
        let crtc = || match number {
            0 => Ok(None),
            id => pipeline.crtc(id).map(Some).ok_or(Errno::EINVAL),
        };
        let blob = |len: Option<usize>| match number {
            0 => Ok(None),
            id => {
                let blob = objects.blob(id).ok_or(Errno::EINVAL)?;
                if len.is_some_and(|len| blob.data.len() != len) { Err(Errno::EINVAL) } else { Ok(Some(blob)) }
            }
        };
        match part {
            Part::Connector(n) => {
                let state = self.connectors.get_mut(n).ok_or(Errno::ENOENT)?;
                match property {
                    Property::ConnectorCrtc => state.crtc = crtc()?,
                    // Only ever mended: "Bad" is the driver's to say.
                    Property::LinkStatus => state.link_bad = state.link_bad && number != 0,
                    _ => return Err(Errno::EINVAL),
                }
            }
            Part::Crtc(n) => {
                let state = self.crtcs.get_mut(n).ok_or(Errno::ENOENT)?;
                match property {
                    Property::Active => state.active = number != 0,
                    Property::ModeId => {
                        let mode = blob(Some(size_of::<ModeInfo>()))?;
                        if let Some(mode) = &mode {
                            let info = ModeInfo::read_from_bytes(&mode.data).map_err(|_| Errno::EINVAL)?;
                            info.check().map_err(|_| Errno::EINVAL)?;
                        }
                        state.mode = mode;
                    }
                    Property::VrrEnabled => state.vrr = number != 0,
                    _ => return Err(Errno::EINVAL),
                }
            }
            Part::Plane(n) => {
                let state = self.planes.get_mut(n).ok_or(Errno::ENOENT)?;
                match property {
                    Property::Fb if number == 0 => state.framebuffer = None,
                    Property::Fb => state.framebuffer = Some(objects.framebuffer(number).ok_or(Errno::EINVAL)?),
                    Property::PlaneCrtc => state.crtc = crtc()?,
                    Property::CrtcX => state.crtc_x = signed,
                    Property::CrtcY => state.crtc_y = signed,
                    Property::CrtcW => state.crtc_w = number,
                    Property::CrtcH => state.crtc_h = number,
                    Property::SrcX => state.src_x = number,
                    Property::SrcY => state.src_y = number,
                    Property::SrcW => state.src_w = number,
                    Property::SrcH => state.src_h = number,
                    Property::DamageClips => {
                        let clips = blob(None)?;
                        if clips.as_ref().is_some_and(|blob| !blob.data.len().is_multiple_of(size_of::<ModeRect>())) {
                            return Err(Errno::EINVAL);
                        }
                        state.damage = clips;
                    }
                    _ => return Err(Errno::EINVAL),
                }
            }
            Part::Encoder(_) => return Err(Errno::ENOENT),
        }
        Ok(())
    }

    /// Whether a device can be in this state, as far as its description tells; the driver may know more.
    pub fn check(&self, pipeline: &Pipeline) -> Result<()> {
        (0..self.planes.len()).try_for_each(|n| self.check_plane(pipeline, n))?;
        self.check_routes(pipeline)?;
        for (n, crtc) in self.crtcs.iter().enumerate() {
            let connected = self.connectors.iter().any(|connector| connector.crtc == Some(n));
            // A mode and connectors, or neither; a picture only with both.
            if (crtc.active && crtc.mode.is_none()) || crtc.mode.is_some() != connected {
                return Err(Errno::EINVAL);
            }
        }
        Ok(())
    }

    /// Each connector needs an encoder of its own that reaches its CRTC.
    fn check_routes(&self, pipeline: &Pipeline) -> Result<()> {
        let mut used = BTreeMap::new();
        for (n, connector) in pipeline.connectors.iter().enumerate() {
            let Some(crtc) = self.connectors.get(n).and_then(|state| state.crtc) else { continue };
            let reaches = |&&encoder: &&usize| {
                pipeline.encoders.get(encoder).is_some_and(|encoder| encoder.possible_crtcs & 1 << crtc != 0)
            };
            let encoder = *connector.encoders.iter().find(reaches).ok_or(Errno::EINVAL)?;
            if used.insert(encoder, n).is_some() {
                return Err(Errno::EINVAL);
            }
        }
        Ok(())
    }

    fn check_plane(&self, pipeline: &Pipeline, n: usize) -> Result<()> {
        let (Some(plane), Some(state)) = (pipeline.planes.get(n), self.planes.get(n)) else { return Ok(()) };
        let (framebuffer, crtc) = match (&state.framebuffer, state.crtc) {
            (None, None) => return Ok(()),
            (Some(framebuffer), Some(crtc)) => (framebuffer, crtc),
            _ => return Err(Errno::EINVAL),
        };
        if plane.possible_crtcs & 1 << crtc == 0 {
            return Err(Errno::EINVAL);
        }
        if !plane.formats.contains(&framebuffer.format) || !plane.modifiers.contains(&framebuffer.modifier) {
            return Err(Errno::EINVAL);
        }
        let fits = |at: i32, len: u32| i32::try_from(len).is_ok_and(|len| at.checked_add(len).is_some());
        if !fits(state.crtc_x, state.crtc_w) || !fits(state.crtc_y, state.crtc_h) {
            return Err(Errno::ERANGE);
        }
        let inside = |at: u32, len: u32, size: u32| u64::from(at) + u64::from(len) <= u64::from(size) << 16;
        if !inside(state.src_x, state.src_w, framebuffer.width) || !inside(state.src_y, state.src_h, framebuffer.height)
        {
            return Err(Errno::ENOSPC);
        }
        // No hardware here scales.
        let same = |src: u32, crtc: u32| u64::from(src) == u64::from(crtc) << 16;
        if !same(state.src_w, state.crtc_w) || !same(state.src_h, state.crtc_h) {
            return Err(Errno::ERANGE);
        }
        match self.crtcs.get(crtc).and_then(CrtcState::mode_info) {
            Some(mode) if plane.kind == PlaneKind::Primary => {
                let whole = Rect { x1: 0, y1: 0, x2: mode.hdisplay.into(), y2: mode.vdisplay.into() };
                if state.destination() == whole { Ok(()) } else { Err(Errno::EINVAL) }
            }
            // What is not enabled shows no plane.
            None if plane.kind == PlaneKind::Primary => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// CRTCs that differ between two states in a way that the eye would see: another mode, other connectors, on or off.
    pub fn needs_modeset(&self, old: &State) -> bool {
        let routes = self.connectors.iter().zip(&old.connectors).any(|(new, old)| new != old);
        routes || self.crtcs.iter().zip(&old.crtcs).any(|(new, old)| new.active != old.active || mode(new) != mode(old))
    }

    /// The CRTCs that a change touches, by index: their own state, their planes' or their connectors'.
    pub fn touched(&self, old: &State) -> Vec<usize> {
        let planes = |n: usize| {
            let here = |state: &PlaneState| state.crtc == Some(n);
            self.planes.iter().zip(&old.planes).any(|(new, old)| new != old && (here(new) || here(old)))
        };
        let connectors = |n: usize| {
            self.connectors.iter().zip(&old.connectors).any(|(a, b)| a != b && (a.crtc == Some(n) || b.crtc == Some(n)))
        };
        let own = |n: usize| self.crtcs.get(n) != old.crtcs.get(n);
        (0..self.crtcs.len()).filter(|&n| own(n) || planes(n) || connectors(n)).collect()
    }
}

fn mode(crtc: &CrtcState) -> Option<&[u8]> {
    crtc.mode.as_ref().map(|blob| &blob.data[..])
}
