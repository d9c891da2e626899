//! What programs ask: the device, its parts, its properties.

use crate::arrays::{Arrays, put_some, put_whole};
use crate::device::Device;
use crate::driver::Driver;
use crate::format;
use crate::pipeline::{Id, Part, PlaneKind};
use crate::property::{Kind, Property, Use};
use crate::uapi::*;
use crate::vblank::ClientId;
use ochre_abi::{Errno, Result};

/// Connection states.
const CONNECTED: u32 = 1;
const DISCONNECTED: u32 = 2;
/// Order of the subpixels: unknown.
const SUBPIXEL_UNKNOWN: u32 = 1;

impl<D: Driver> Device<D> {
    pub(crate) fn version(&self, wanted: Version, arrays: &mut dyn Arrays) -> Result<Version> {
        let identity = self.driver.identity();
        let texts = [
            (wanted.name_len, identity.name),
            (wanted.date_len, identity.date),
            (wanted.desc_len, identity.description),
        ];
        for (n, (room, text)) in texts.into_iter().enumerate() {
            put_some(arrays, n, usize::try_from(room).unwrap_or(usize::MAX), text.as_bytes())?;
        }
        let (major, minor, patch) = identity.version;
        let len = |text: &str| text.len() as u64;
        Ok(Version {
            major,
            minor,
            patch,
            name_len: len(identity.name),
            date_len: len(identity.date),
            desc_len: len(identity.description),
            ..wanted
        })
    }

    pub(crate) fn unique(&self, wanted: Unique, arrays: &mut dyn Arrays) -> Result<Unique> {
        let place = self.driver.identity().place;
        put_whole(arrays, 0, usize::try_from(wanted.len).unwrap_or(usize::MAX), place.as_bytes())?;
        Ok(Unique { len: place.len() as u64, ..wanted })
    }

    /// As Linux: of the caller's only, and only whether it is authenticated.
    pub(crate) fn client_info(&self, wanted: ClientInfo) -> Result<ClientInfo> {
        if wanted.index != 0 { Err(Errno::EINVAL) } else { Ok(ClientInfo { auth: 1, ..ClientInfo::default() }) }
    }

    pub(crate) fn set_version(&self, wanted: SetVersion) -> Result<SetVersion> {
        /// DRM_IF_MAJOR and DRM_IF_MINOR.
        const INTERFACE: (i32, i32) = (1, 4);
        let (major, minor, _) = self.driver.identity().version;
        let asks = |asked: (i32, i32), have: (i32, i32)| {
            asked.0 == -1 || (asked.0 == have.0 && (0..=have.1).contains(&asked.1))
        };
        let sound = asks((wanted.di_major, wanted.di_minor), INTERFACE)
            && asks((wanted.dd_major, wanted.dd_minor), (major, minor));
        if !sound {
            return Err(Errno::EINVAL);
        }
        Ok(SetVersion { di_major: INTERFACE.0, di_minor: INTERFACE.1, dd_major: major, dd_minor: minor })
    }

    pub(crate) fn capability(&mut self, id: ClientId, capability: u64) -> Result<u64> {
        let limits = self.driver.limits();
        let render = self.client(id)?.node == crate::client::NodeKind::Render;
        Ok(match capability {
            cap::TIMESTAMP_MONOTONIC => 1,
            cap::PRIME => 3,
            cap::SYNCOBJ | cap::SYNCOBJ_TIMELINE => 0,
            // The rest is about displays, which a render node has none of.
            _ if render => return Err(Errno::EOPNOTSUPP),
            cap::DUMB_BUFFER | cap::VBLANK_HIGH_CRTC | cap::ADDFB2_MODIFIERS | cap::CRTC_IN_VBLANK_EVENT => 1,
            cap::DUMB_PREFERRED_DEPTH => 24,
            cap::DUMB_PREFER_SHADOW => limits.prefer_shadow.into(),
            cap::ASYNC_PAGE_FLIP | cap::PAGE_FLIP_TARGET => 0,
            cap::CURSOR_WIDTH => limits.cursor.0.into(),
            cap::CURSOR_HEIGHT => limits.cursor.1.into(),
            _ => return Err(Errno::EINVAL),
        })
    }

    pub(crate) fn set_client_capability(&mut self, id: ClientId, wanted: Cap) -> Result<()> {
        let client = self.client(id)?;
        match (wanted.capability, wanted.value) {
            (client_cap::STEREO_3D, 0 | 1) => {}
            (client_cap::UNIVERSAL_PLANES, 0 | 1) => client.universal_planes = wanted.value == 1,
            // 2 is what clients say that know of more; the newest libdrm does.
            (client_cap::ATOMIC, 0..=2) => {
                client.atomic = wanted.value > 0;
                client.universal_planes = client.atomic;
                client.aspect_ratio = client.atomic;
            }
            (client_cap::ASPECT_RATIO, 0 | 1) => client.aspect_ratio = wanted.value == 1,
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    pub(crate) fn resources(&mut self, id: ClientId, wanted: CardRes, arrays: &mut dyn Arrays) -> Result<CardRes> {
        let limits = self.driver.limits();
        let framebuffers: Vec<Id> = self.client(id)?.framebuffers.iter().copied().collect();
        let pipeline = &self.pipeline;
        let crtcs: Vec<Id> = pipeline.crtcs.iter().map(|part| part.id).collect();
        let connectors: Vec<Id> = pipeline.connectors.iter().map(|part| part.id).collect();
        let encoders: Vec<Id> = pipeline.encoders.iter().map(|part| part.id).collect();
        put_some(arrays, 0, wanted.count_fbs as usize, &framebuffers)?;
        put_some(arrays, 1, wanted.count_crtcs as usize, &crtcs)?;
        put_some(arrays, 2, wanted.count_connectors as usize, &connectors)?;
        put_some(arrays, 3, wanted.count_encoders as usize, &encoders)?;
        Ok(CardRes {
            count_fbs: framebuffers.len() as u32,
            count_crtcs: crtcs.len() as u32,
            count_connectors: connectors.len() as u32,
            count_encoders: encoders.len() as u32,
            min_width: limits.least.0,
            max_width: limits.most.0,
            min_height: limits.least.1,
            max_height: limits.most.1,
            ..wanted
        })
    }

    pub(crate) fn get_crtc(&self, wanted: CrtcInfo) -> Result<CrtcInfo> {
        let Part::Crtc(n) = self.part(wanted.crtc_id, object::CRTC)? else { return Err(Errno::ENOENT) };
        let (Some(part), Some(state)) = (self.pipeline.crtcs.get(n), self.state.crtcs.get(n)) else {
            return Err(Errno::ENOENT);
        };
        let plane = self.state.planes.get(part.primary);
        let mode = state.mode_info();
        let shown = plane.and_then(|plane| plane.framebuffer.as_ref());
        Ok(CrtcInfo {
            fb_id: shown.map_or(0, |framebuffer| framebuffer.id),
            x: plane.map_or(0, |plane| plane.src_x >> 16),
            y: plane.map_or(0, |plane| plane.src_y >> 16),
            gamma_size: 0,
            mode_valid: mode.is_some().into(),
            mode: mode.unwrap_or_default(),
            ..wanted
        })
    }

    /// The CRTC that an encoder's connector shows.
    fn encoder_crtc(&self, encoder: usize) -> Id {
        let connectors = self.pipeline.connectors.iter().zip(&self.state.connectors);
        let used =
            connectors.filter(|(connector, _)| connector.encoders.contains(&encoder)).find_map(|(_, state)| state.crtc);
        used.and_then(|crtc| self.pipeline.crtcs.get(crtc)).map_or(0, |crtc| crtc.id)
    }

    pub(crate) fn get_encoder(&self, wanted: EncoderInfo) -> Result<EncoderInfo> {
        let Part::Encoder(n) = self.part(wanted.encoder_id, object::ENCODER)? else { return Err(Errno::ENOENT) };
        let encoder = self.pipeline.encoders.get(n).ok_or(Errno::ENOENT)?;
        Ok(EncoderInfo {
            kind: encoder.kind as u32,
            crtc_id: self.encoder_crtc(n),
            possible_crtcs: encoder.possible_crtcs,
            possible_clones: encoder.possible_clones,
            ..wanted
        })
    }

    pub(crate) fn get_connector(
        &mut self,
        id: ClientId,
        wanted: ConnectorInfo,
        arrays: &mut dyn Arrays,
    ) -> Result<ConnectorInfo> {
        let part = self.part(wanted.connector_id, object::CONNECTOR)?;
        let (ids, values) = self.visible(id, part)?;
        let Part::Connector(n) = part else { return Err(Errno::ENOENT) };
        let connector = self.pipeline.connectors.get(n).ok_or(Errno::ENOENT)?;
        let encoders: Vec<Id> =
            connector.encoders.iter().filter_map(|&n| self.pipeline.encoders.get(n)).map(|one| one.id).collect();
        let modes = connector.display.as_ref().map_or(&[][..], |display| &display.modes);
        put_some(arrays, 0, wanted.count_encoders as usize, &encoders)?;
        put_whole(arrays, 1, wanted.count_modes as usize, modes)?;
        put_some(arrays, 2, wanted.count_props as usize, &ids)?;
        put_some(arrays, 3, wanted.count_props as usize, &values)?;
        let used = self.state.connectors.get(n).is_some_and(|state| state.crtc.is_some());
        let (mm_width, mm_height) = connector.display.as_ref().map_or((0, 0), |display| display.size_mm);
        Ok(ConnectorInfo {
            count_modes: modes.len() as u32,
            count_props: ids.len() as u32,
            count_encoders: encoders.len() as u32,
            encoder_id: encoders.first().copied().filter(|_| used).unwrap_or(0),
            kind: connector.kind as u32,
            kind_id: connector.kind_id,
            connection: if connector.display.is_some() { CONNECTED } else { DISCONNECTED },
            mm_width,
            mm_height,
            subpixel: SUBPIXEL_UNKNOWN,
            ..wanted
        })
    }

    /// An object's properties that a client is to see, and their values.
    fn visible(&mut self, id: ClientId, part: Part) -> Result<(Vec<Id>, Vec<u64>)> {
        let atomic = self.client(id)?.atomic;
        let all = self.state.properties(&self.pipeline, part).into_iter();
        Ok(all
            .filter(|(property, _)| atomic || property.definition().1 != Use::Atomic)
            .map(|(p, v)| (p.id(), v))
            .unzip())
    }

    pub(crate) fn object_properties(
        &mut self,
        id: ClientId,
        wanted: ObjectProperties,
        arrays: &mut dyn Arrays,
    ) -> Result<ObjectProperties> {
        let part = self.part(wanted.obj_id, wanted.obj_type)?;
        let (ids, values) = self.visible(id, part)?;
        // An encoder has none, and says so.
        if ids.is_empty() && matches!(part, Part::Encoder(_)) {
            return Err(Errno::EINVAL);
        }
        put_some(arrays, 0, wanted.count_props as usize, &ids)?;
        put_some(arrays, 1, wanted.count_props as usize, &values)?;
        Ok(ObjectProperties { count_props: ids.len() as u32, ..wanted })
    }

    pub(crate) fn get_property(&self, wanted: PropertyInfo, arrays: &mut dyn Arrays) -> Result<PropertyInfo> {
        let property = Property::find(wanted.prop_id).ok_or(Errno::ENOENT)?;
        let (text, _, kind) = property.definition();
        let values = property.values();
        put_some(arrays, 0, wanted.count_values as usize, &values)?;
        let list: &[(u64, &str)] = if let Kind::Enum(list) = kind { list } else { &[] };
        let enums: Vec<PropertyEnum> =
            list.iter().map(|(value, text)| PropertyEnum { value: *value, name: name(text) }).collect();
        put_some(arrays, 1, wanted.count_enum_blobs as usize, &enums)?;
        Ok(PropertyInfo {
            flags: property.flags(),
            name: name(text),
            count_values: values.len() as u32,
            count_enum_blobs: enums.len() as u32,
            ..wanted
        })
    }

    pub(crate) fn get_blob(&self, wanted: GetBlob, arrays: &mut dyn Arrays) -> Result<GetBlob> {
        // A state may have one that nobody else has any more.
        let kept =
            || self.state.crtcs.iter().filter_map(|crtc| crtc.mode.as_ref()).find(|blob| blob.id == wanted.blob_id);
        let blob = self.registry.blobs.get(&wanted.blob_id).or_else(kept).ok_or(Errno::ENOENT)?;
        if wanted.length as usize == blob.data.len() {
            put_whole(arrays, 0, blob.data.len(), &blob.data)?;
        }
        Ok(GetBlob { length: blob.data.len() as u32, ..wanted })
    }

    pub(crate) fn plane_resources(
        &mut self,
        id: ClientId,
        wanted: PlaneRes,
        arrays: &mut dyn Arrays,
    ) -> Result<PlaneRes> {
        let universal = self.client(id)?.universal_planes;
        let seen = self.pipeline.planes.iter().filter(|plane| universal || plane.kind == PlaneKind::Overlay);
        let planes: Vec<Id> = seen.map(|plane| plane.id).collect();
        put_some(arrays, 0, wanted.count_planes as usize, &planes)?;
        Ok(PlaneRes { count_planes: planes.len() as u32, ..wanted })
    }

    pub(crate) fn get_plane(&mut self, _: ClientId, wanted: PlaneInfo, arrays: &mut dyn Arrays) -> Result<PlaneInfo> {
        let Part::Plane(n) = self.part(wanted.plane_id, object::PLANE)? else { return Err(Errno::ENOENT) };
        let (Some(plane), Some(state)) = (self.pipeline.planes.get(n), self.state.planes.get(n)) else {
            return Err(Errno::ENOENT);
        };
        put_whole(arrays, 0, wanted.count_format_types as usize, &plane.formats)?;
        let crtc = state.crtc.and_then(|crtc| self.pipeline.crtcs.get(crtc));
        Ok(PlaneInfo {
            crtc_id: crtc.map_or(0, |crtc| crtc.id),
            fb_id: state.framebuffer.as_ref().map_or(0, |framebuffer| framebuffer.id),
            possible_crtcs: plane.possible_crtcs,
            gamma_size: 0,
            count_format_types: plane.formats.len() as u32,
            ..wanted
        })
    }

    pub(crate) fn get_framebuffer(&mut self, id: ClientId, wanted: FbCmd, root: bool) -> Result<FbCmd> {
        let framebuffer = self.registry.framebuffers.get(&wanted.fb_id).cloned().ok_or(Errno::ENOENT)?;
        let [surface] = &framebuffer.buffers[..] else { return Err(Errno::EINVAL) };
        let (bpp, depth) = format::depth(framebuffer.format);
        // Others do not get at the picture.
        let may = self.master == Some(id) || root;
        let handle = if may { self.client(id)?.handle(&surface.buffer)? } else { 0 };
        Ok(FbCmd {
            width: framebuffer.width,
            height: framebuffer.height,
            pitch: surface.pitch,
            bpp,
            depth,
            handle,
            ..wanted
        })
    }

    pub(crate) fn get_framebuffer2(&mut self, id: ClientId, wanted: FbCmd2, root: bool) -> Result<FbCmd2> {
        let framebuffer = self.registry.framebuffers.get(&wanted.fb_id).cloned().ok_or(Errno::ENOENT)?;
        let may = self.master == Some(id) || root;
        let mut told = FbCmd2 {
            fb_id: wanted.fb_id,
            width: framebuffer.width,
            height: framebuffer.height,
            pixel_format: framebuffer.format,
            flags: if framebuffer.with_modifier { flag::FB_MODIFIERS } else { 0 },
            ..FbCmd2::default()
        };
        for (n, surface) in framebuffer.buffers.iter().enumerate().take(4) {
            told.handles[n] = if may { self.client(id)?.handle(&surface.buffer)? } else { 0 };
            (told.pitches[n], told.offsets[n]) = (surface.pitch, surface.offset);
            told.modifier[n] = if framebuffer.with_modifier { framebuffer.modifier } else { 0 };
        }
        Ok(told)
    }
}
