//! The calls from before atomic commits, made of one each (drm_crtc.c, drm_plane.c, drm_atomic_helper.c).

use crate::commit::{How, Progress};
use crate::device::Device;
use crate::driver::Driver;
use crate::format::ARGB8888;
use crate::pipeline::{Framebuffer, Id, Part};
use crate::property::Property;
use crate::state::{Blob, PlaneState, State};
use crate::uapi::{CrtcInfo, Cursor, FbCmd2, ModeInfo, ModeRect, PageFlip, SetPlane, flag, object};
use crate::vblank::ClientId;
use ochre_abi::{Errno, Result};
use std::sync::Arc;
use zerocopy::IntoBytes;

/// SETCRTC's framebuffer: the one that is shown.
const SAME_FRAMEBUFFER: Id = Id::MAX;

impl<D: Driver> Device<D> {
    fn crtc_index(&self, id: Id) -> Result<usize> {
        match self.part(id, object::CRTC)? {
            Part::Crtc(n) => Ok(n),
            _ => Err(Errno::ENOENT),
        }
    }

    fn framebuffer(&self, id: Id) -> Result<Arc<Framebuffer>> {
        self.registry.framebuffers.get(&id).cloned().ok_or(Errno::ENOENT)
    }

    /// A mode as a blob: the present one if it is the same.
    fn mode_blob(&mut self, crtc: usize, mode: &ModeInfo) -> Arc<Blob> {
        let same = self.state.crtcs.get(crtc).and_then(|crtc| crtc.mode.clone());
        // The kernel's own blobs have no number that programs could ask for, but a number they show.
        same.filter(|blob| blob.data == mode.as_bytes())
            .unwrap_or_else(|| Arc::new(Blob { id: self.new_id(), data: mode.as_bytes().to_vec() }))
    }

    /// DRM_IOCTL_MODE_SETCRTC.
    pub fn set_crtc(&mut self, wanted: &CrtcInfo, connectors: &[Id], now: u64) -> Result<Progress> {
        let crtc = self.crtc_index(wanted.crtc_id)?;
        let primary = self.pipeline.crtcs.get(crtc).ok_or(Errno::ENOENT)?.primary;
        let mut new = self.state.clone();
        for one in new.connectors.iter_mut().filter(|one| one.crtc == Some(crtc)) {
            one.crtc = None;
        }
        if wanted.mode_valid == 0 {
            if !connectors.is_empty() {
                return Err(Errno::EINVAL);
            }
            switch_off(&mut new, crtc);
        } else {
            if connectors.is_empty() {
                return Err(Errno::EINVAL);
            }
            wanted.mode.check()?;
            let framebuffer = match wanted.fb_id {
                SAME_FRAMEBUFFER => {
                    let shown = self.state.planes.get(primary).and_then(|plane| plane.framebuffer.clone());
                    shown.ok_or(Errno::EINVAL)?
                }
                id => self.framebuffer(id)?,
            };
            let (width, height) = (u32::from(wanted.mode.hdisplay), u32::from(wanted.mode.vdisplay));
            let reach = |at: u32, len: u32, size: u32| at.checked_add(len).is_some_and(|end| end <= size);
            if !reach(wanted.x, width, framebuffer.width) || !reach(wanted.y, height, framebuffer.height) {
                return Err(Errno::ENOSPC);
            }
            for &id in connectors {
                let Part::Connector(n) = self.part(id, object::CONNECTOR)? else { return Err(Errno::ENOENT) };
                new.connectors.get_mut(n).ok_or(Errno::ENOENT)?.crtc = Some(crtc);
            }
            let mode = self.mode_blob(crtc, &wanted.mode);
            let state = new.crtcs.get_mut(crtc).ok_or(Errno::ENOENT)?;
            (state.active, state.mode) = (true, Some(mode));
            *new.planes.get_mut(primary).ok_or(Errno::ENOENT)? = PlaneState {
                framebuffer: Some(framebuffer),
                crtc: Some(crtc),
                crtc_w: width,
                crtc_h: height,
                src_x: wanted.x << 16,
                src_y: wanted.y << 16,
                src_w: width << 16,
                src_h: height << 16,
                ..PlaneState::default()
            };
        }
        // A CRTC that lost its last connector to this one goes off.
        for other in 0..new.crtcs.len() {
            let lost = !new.connectors.iter().any(|one| one.crtc == Some(other));
            if lost && other != crtc {
                switch_off(&mut new, other);
            }
        }
        self.take(new, &[wanted.crtc_id], How { modeset: true, ..How::default() }, now)
    }

    /// DRM_IOCTL_MODE_PAGE_FLIP.
    pub fn page_flip(&mut self, client: ClientId, wanted: &PageFlip, now: u64) -> Result<Progress> {
        if wanted.flags & !flag::PAGE_FLIP_EVENT != 0 || wanted.target != 0 {
            return Err(Errno::EINVAL);
        }
        let crtc = self.crtc_index(wanted.crtc_id)?;
        let primary = self.pipeline.crtcs.get(crtc).ok_or(Errno::ENOENT)?.primary;
        // Nothing is shown that could be flipped: the framebuffer went away behind the caller's back.
        let plane = self.state.planes.get(primary).ok_or(Errno::ENOENT)?;
        let shown = plane.framebuffer.clone().ok_or(Errno::EBUSY)?;
        let framebuffer = self.framebuffer(wanted.fb_id)?;
        let reach = |at: u32, len: u32, size: u32| u64::from(at) + u64::from(len) <= u64::from(size) << 16;
        if !reach(plane.src_x, plane.src_w, framebuffer.width) || !reach(plane.src_y, plane.src_h, framebuffer.height) {
            return Err(Errno::ENOSPC);
        }
        if framebuffer.format != shown.format {
            return Err(Errno::EINVAL);
        }
        let mut new = self.state.clone();
        new.planes.get_mut(primary).ok_or(Errno::ENOENT)?.framebuffer = Some(framebuffer);
        let event = (wanted.flags & flag::PAGE_FLIP_EVENT != 0).then_some((client, wanted.user_data));
        let how = How { nonblocking: true, event, ..How::default() };
        self.take(new, &[wanted.crtc_id], how, now)
    }

    /// DRM_IOCTL_MODE_SETPLANE.
    pub fn set_plane(&mut self, wanted: &SetPlane, now: u64) -> Result<Progress> {
        let Part::Plane(n) = self.part(wanted.plane_id, object::PLANE)? else { return Err(Errno::ENOENT) };
        let mut new = self.state.clone();
        let plane = new.planes.get_mut(n).ok_or(Errno::ENOENT)?;
        if wanted.fb_id == 0 {
            *plane = PlaneState::default();
        } else {
            let framebuffer = self.framebuffer(wanted.fb_id)?;
            let crtc = self.crtc_index(wanted.crtc_id)?;
            *plane = PlaneState {
                framebuffer: Some(framebuffer),
                crtc: Some(crtc),
                crtc_x: wanted.crtc_x,
                crtc_y: wanted.crtc_y,
                crtc_w: wanted.crtc_w,
                crtc_h: wanted.crtc_h,
                src_x: wanted.src_x,
                src_y: wanted.src_y,
                src_w: wanted.src_w,
                src_h: wanted.src_h,
                damage: None,
            };
        }
        self.take(new, &[wanted.plane_id], How::default(), now)
    }

    /// DRM_IOCTL_MODE_CURSOR and CURSOR2, by the CRTC's cursor plane. ENXIO: it has none.
    pub fn cursor(&mut self, client: ClientId, wanted: &Cursor, now: u64) -> Result<()> {
        if wanted.flags == 0 || wanted.flags & !(flag::CURSOR_BO | flag::CURSOR_MOVE) != 0 {
            return Err(Errno::EINVAL);
        }
        let crtc = self.crtc_index(wanted.crtc_id)?;
        let plane = self.pipeline.crtcs.get(crtc).and_then(|crtc| crtc.cursor).ok_or(Errno::ENXIO)?;
        let mut new = self.state.clone();
        let state = new.planes.get_mut(plane).ok_or(Errno::ENOENT)?;
        if wanted.flags & flag::CURSOR_BO != 0 {
            if wanted.handle == 0 {
                *state = PlaneState { crtc_x: state.crtc_x, crtc_y: state.crtc_y, ..PlaneState::default() };
            } else {
                let shape = FbCmd2 {
                    width: wanted.width,
                    height: wanted.height,
                    pixel_format: ARGB8888,
                    handles: [wanted.handle, 0, 0, 0],
                    pitches: [wanted.width.saturating_mul(4), 0, 0, 0],
                    ..FbCmd2::default()
                };
                let framebuffer = Arc::new(self.framebuffer_of(client, &shape)?);
                let (crtc_x, crtc_y) = (state.crtc_x, state.crtc_y);
                // The framebuffer exists, so that its sides are within the device's limits.
                let (src_w, src_h) = (wanted.width << 16, wanted.height << 16);
                *state = PlaneState {
                    framebuffer: Some(framebuffer),
                    crtc: Some(crtc),
                    crtc_x,
                    crtc_y,
                    crtc_w: wanted.width,
                    crtc_h: wanted.height,
                    src_w,
                    src_h,
                    ..PlaneState::default()
                };
            }
        }
        if wanted.flags & flag::CURSOR_MOVE != 0 {
            (state.crtc_x, state.crtc_y) = (wanted.x, wanted.y);
        }
        self.take(new, &[], How { nonblocking: true, immediate: true, ..How::default() }, now).map(drop)
    }

    /// DRM_IOCTL_MODE_DIRTYFB: parts of a framebuffer were drawn anew. EINVAL: flags that mean copying or filling, which nobody has done for
    /// a client since the first of these calls.
    pub fn dirty(&mut self, framebuffer: Id, flags: u32, clips: Vec<ModeRect>, now: u64) -> Result<Progress> {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let framebuffer = self.framebuffer(framebuffer)?;
        let blob = (!clips.is_empty()).then(|| Arc::new(Blob { id: 0, data: clips.as_bytes().to_vec() }));
        let mut new = self.state.clone();
        let mut planes = Vec::new();
        for (n, plane) in new.planes.iter_mut().enumerate() {
            if plane.framebuffer.as_ref() == Some(&framebuffer) {
                plane.damage = blob.clone();
                planes.extend(self.pipeline.planes.get(n).map(|plane| plane.id));
            }
        }
        if planes.is_empty() { Ok(Progress::Done) } else { self.take(new, &planes, How::default(), now) }
    }

    /// DRM_IOCTL_MODE_OBJ_SETPROPERTY, and that for connectors. Switching by DPMS is switching the CRTC.
    pub fn set_property(&mut self, id: Id, kind: u32, property: Id, value: u64, now: u64) -> Result<Progress> {
        let part = self.part(id, kind)?;
        let property = Property::find(property).ok_or(Errno::ENOENT)?;
        let mut new = self.state.clone();
        match (part, property) {
            (Part::Connector(n), Property::Dpms) => {
                if !property.allows(value) {
                    return Err(Errno::EINVAL);
                }
                let crtc = new.connectors.get(n).and_then(|connector| connector.crtc);
                if let Some(crtc) = crtc.and_then(|crtc| new.crtcs.get_mut(crtc)) {
                    crtc.active = value == 0;
                }
            }
            _ => new.set(&self.pipeline, &self.registry, part, property, value)?,
        }
        self.take(new, &[id], How { modeset: true, ..How::default() }, now)
    }
}

/// A CRTC without mode, and what it showed.
fn switch_off(state: &mut State, crtc: usize) {
    if let Some(crtc) = state.crtcs.get_mut(crtc) {
        (crtc.active, crtc.mode) = (false, None);
    }
    state.planes.iter_mut().filter(|plane| plane.crtc == Some(crtc)).for_each(|plane| *plane = PlaneState::default());
}
