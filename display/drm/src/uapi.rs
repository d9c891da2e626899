//! Structs and numbers as programs see them. Source: Linux's drm/drm.h and drm/drm_mode.h.
//!
//! Fields whose names begin with `pad` are the gaps that C leaves; pointers are arrays that come apart from the struct ([`crate::arrays`]).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! structs {
    ($($(#[$doc:meta])* struct $name:ident = $size:literal { $($field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $type,)* }
        const _: () = assert!(size_of::<$name>() == $size);)*
    };
}

structs! {
    /// `struct drm_version`.
    struct Version = 64 {
        major: i32, minor: i32, patch: i32, pad: u32,
        name_len: u64, name: u64, date_len: u64, date: u64, desc_len: u64, desc: u64,
    }
    /// `struct drm_unique`.
    struct Unique = 16 { len: u64, unique: u64, }
    /// `struct drm_client`.
    struct ClientInfo = 40 { index: i32, auth: i32, pid: u64, uid: u64, magic: u64, iocs: u64, }
    /// `struct drm_set_version`.
    struct SetVersion = 16 { di_major: i32, di_minor: i32, dd_major: i32, dd_minor: i32, }
    /// `struct drm_get_cap`, `struct drm_set_client_cap`.
    struct Cap = 16 { capability: u64, value: u64, }
    /// `struct drm_gem_close`, `struct drm_mode_closefb`.
    struct Handle = 8 { handle: u32, pad: u32, }
    /// `struct drm_prime_handle`.
    struct Prime = 12 { handle: u32, flags: u32, fd: i32, }
    /// `union drm_wait_vblank`: of a request `value` is the user's, of a reply seconds.
    struct WaitVblank = 24 { kind: u32, sequence: u32, value: u64, usec: i64, }
    /// `struct drm_crtc_get_sequence`.
    struct GetSequence = 24 { crtc_id: u32, active: u32, sequence: u64, sequence_ns: i64, }
    /// `struct drm_crtc_queue_sequence`.
    struct QueueSequence = 24 { crtc_id: u32, flags: u32, sequence: u64, user_data: u64, }
    /// `struct drm_mode_card_res`.
    struct CardRes = 64 {
        fb_id_ptr: u64, crtc_id_ptr: u64, connector_id_ptr: u64, encoder_id_ptr: u64,
        count_fbs: u32, count_crtcs: u32, count_connectors: u32, count_encoders: u32,
        min_width: u32, max_width: u32, min_height: u32, max_height: u32,
    }
    /// `struct drm_mode_modeinfo`.
    struct ModeInfo = 68 {
        clock: u32,
        hdisplay: u16, hsync_start: u16, hsync_end: u16, htotal: u16, hskew: u16,
        vdisplay: u16, vsync_start: u16, vsync_end: u16, vtotal: u16, vscan: u16,
        vrefresh: u32, flags: u32, kind: u32, name: [u8; 32],
    }
    /// `struct drm_mode_crtc`.
    struct CrtcInfo = 104 {
        set_connectors_ptr: u64, count_connectors: u32,
        crtc_id: u32, fb_id: u32, x: u32, y: u32, gamma_size: u32, mode_valid: u32, mode: ModeInfo,
    }
    /// `struct drm_mode_cursor2`; `struct drm_mode_cursor` ends before the hot spot.
    struct Cursor = 36 {
        flags: u32, crtc_id: u32, x: i32, y: i32, width: u32, height: u32, handle: u32, hot_x: i32, hot_y: i32,
    }
    /// `struct drm_mode_crtc_lut`.
    struct CrtcLut = 32 { crtc_id: u32, gamma_size: u32, red: u64, green: u64, blue: u64, }
    /// `struct drm_mode_get_encoder`.
    struct EncoderInfo = 20 { encoder_id: u32, kind: u32, crtc_id: u32, possible_crtcs: u32, possible_clones: u32, }
    /// `struct drm_mode_get_connector`.
    struct ConnectorInfo = 80 {
        encoders_ptr: u64, modes_ptr: u64, props_ptr: u64, prop_values_ptr: u64,
        count_modes: u32, count_props: u32, count_encoders: u32,
        encoder_id: u32, connector_id: u32, kind: u32, kind_id: u32,
        connection: u32, mm_width: u32, mm_height: u32, subpixel: u32, pad: u32,
    }
    /// `struct drm_mode_get_property`.
    struct PropertyInfo = 64 {
        values_ptr: u64, enum_blob_ptr: u64, prop_id: u32, flags: u32, name: [u8; 32],
        count_values: u32, count_enum_blobs: u32,
    }
    /// `struct drm_mode_property_enum`.
    struct PropertyEnum = 40 { value: u64, name: [u8; 32], }
    /// `struct drm_mode_connector_set_property`.
    struct SetProperty = 16 { value: u64, prop_id: u32, connector_id: u32, }
    /// `struct drm_mode_obj_set_property`.
    struct ObjectSetProperty = 24 { value: u64, prop_id: u32, obj_id: u32, obj_type: u32, pad: u32, }
    /// `struct drm_mode_obj_get_properties`.
    struct ObjectProperties = 32 {
        props_ptr: u64, prop_values_ptr: u64, count_props: u32, obj_id: u32, obj_type: u32, pad: u32,
    }
    /// `struct drm_mode_get_blob`.
    struct GetBlob = 16 { blob_id: u32, length: u32, data: u64, }
    /// `struct drm_mode_create_blob`.
    struct CreateBlob = 16 { data: u64, length: u32, blob_id: u32, }
    /// `struct drm_mode_fb_cmd`.
    struct FbCmd = 28 { fb_id: u32, width: u32, height: u32, pitch: u32, bpp: u32, depth: u32, handle: u32, }
    /// `struct drm_mode_fb_cmd2`.
    struct FbCmd2 = 104 {
        fb_id: u32, width: u32, height: u32, pixel_format: u32, flags: u32,
        handles: [u32; 4], pitches: [u32; 4], offsets: [u32; 4], pad: u32, modifier: [u64; 4],
    }
    /// `struct drm_mode_crtc_page_flip`; `target` is `reserved` without a target flag.
    struct PageFlip = 24 { crtc_id: u32, fb_id: u32, flags: u32, target: u32, user_data: u64, }
    /// `struct drm_mode_fb_dirty_cmd`.
    struct DirtyFb = 24 { fb_id: u32, flags: u32, color: u32, num_clips: u32, clips_ptr: u64, }
    /// `struct drm_clip_rect`.
    struct ClipRect = 8 { x1: u16, y1: u16, x2: u16, y2: u16, }
    /// `struct drm_mode_rect`, of FB_DAMAGE_CLIPS.
    struct ModeRect = 16 { x1: i32, y1: i32, x2: i32, y2: i32, }
    /// `struct drm_mode_create_dumb`.
    struct CreateDumb = 32 { height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64, }
    /// `struct drm_mode_map_dumb`.
    struct MapDumb = 16 { handle: u32, pad: u32, offset: u64, }
    /// `struct drm_mode_get_plane_res`.
    struct PlaneRes = 16 { plane_id_ptr: u64, count_planes: u32, pad: u32, }
    /// `struct drm_mode_get_plane`.
    struct PlaneInfo = 32 {
        plane_id: u32, crtc_id: u32, fb_id: u32, possible_crtcs: u32, gamma_size: u32,
        count_format_types: u32, format_type_ptr: u64,
    }
    /// `struct drm_mode_set_plane`. The source is in 16.16 fixed point, and its height comes before its width.
    struct SetPlane = 48 {
        plane_id: u32, crtc_id: u32, fb_id: u32, flags: u32,
        crtc_x: i32, crtc_y: i32, crtc_w: u32, crtc_h: u32, src_x: u32, src_y: u32, src_h: u32, src_w: u32,
    }
    /// `struct drm_mode_atomic`.
    struct Atomic = 56 {
        flags: u32, count_objs: u32, objs_ptr: u64, count_props_ptr: u64, props_ptr: u64, prop_values_ptr: u64,
        reserved: u64, user_data: u64,
    }
    /// `struct drm_event_vblank`.
    struct EventVblank = 32 {
        kind: u32, length: u32, user_data: u64, tv_sec: u32, tv_usec: u32, sequence: u32, crtc_id: u32,
    }
    /// `struct drm_event_crtc_sequence`.
    struct EventSequence = 32 { kind: u32, length: u32, user_data: u64, time_ns: i64, sequence: u64, }
    /// `struct drm_format_modifier_blob`, the head of IN_FORMATS.
    struct FormatModifierBlob = 24 {
        version: u32, flags: u32, count_formats: u32, formats_offset: u32, count_modifiers: u32, modifiers_offset: u32,
    }
    /// `struct drm_format_modifier`.
    struct FormatModifier = 24 { formats: u64, offset: u32, pad: u32, modifier: u64, }
}

/// DRM_CAP_.
pub mod cap {
    pub const DUMB_BUFFER: u64 = 1;
    pub const VBLANK_HIGH_CRTC: u64 = 2;
    pub const DUMB_PREFERRED_DEPTH: u64 = 3;
    pub const DUMB_PREFER_SHADOW: u64 = 4;
    pub const PRIME: u64 = 5;
    pub const TIMESTAMP_MONOTONIC: u64 = 6;
    pub const ASYNC_PAGE_FLIP: u64 = 7;
    pub const CURSOR_WIDTH: u64 = 8;
    pub const CURSOR_HEIGHT: u64 = 9;
    pub const ADDFB2_MODIFIERS: u64 = 0x10;
    pub const PAGE_FLIP_TARGET: u64 = 0x11;
    pub const CRTC_IN_VBLANK_EVENT: u64 = 0x12;
    pub const SYNCOBJ: u64 = 0x13;
    pub const SYNCOBJ_TIMELINE: u64 = 0x14;
}

/// DRM_CLIENT_CAP_.
pub mod client_cap {
    pub const STEREO_3D: u64 = 1;
    pub const UNIVERSAL_PLANES: u64 = 2;
    pub const ATOMIC: u64 = 3;
    pub const ASPECT_RATIO: u64 = 4;
}

/// DRM_MODE_OBJECT_.
pub mod object {
    pub const ANY: u32 = 0;
    pub const CRTC: u32 = 0xcccc_cccc;
    pub const CONNECTOR: u32 = 0xc0c0_c0c0;
    pub const ENCODER: u32 = 0xe0e0_e0e0;
    pub const PROPERTY: u32 = 0xb0b0_b0b0;
    pub const FB: u32 = 0xfbfb_fbfb;
    pub const BLOB: u32 = 0xbbbb_bbbb;
    pub const PLANE: u32 = 0xeeee_eeee;
}

/// DRM_MODE_PROP_.
pub mod prop {
    pub const RANGE: u32 = 1 << 1;
    pub const IMMUTABLE: u32 = 1 << 2;
    pub const ENUM: u32 = 1 << 3;
    pub const BLOB: u32 = 1 << 4;
    pub const OBJECT: u32 = 1 << 6;
    pub const SIGNED_RANGE: u32 = 2 << 6;
    pub const ATOMIC: u32 = 0x8000_0000;
}

/// Flags of page flips and atomic commits.
pub mod flag {
    pub const PAGE_FLIP_EVENT: u32 = 1;
    pub const PAGE_FLIP_ASYNC: u32 = 2;
    pub const ATOMIC_TEST_ONLY: u32 = 0x100;
    pub const ATOMIC_NONBLOCK: u32 = 0x200;
    pub const ATOMIC_ALLOW_MODESET: u32 = 0x400;
    pub const FB_MODIFIERS: u32 = 2;
    pub const CURSOR_BO: u32 = 1;
    pub const CURSOR_MOVE: u32 = 2;
    pub const CRTC_SEQUENCE_RELATIVE: u32 = 1;
    pub const CRTC_SEQUENCE_NEXT_ON_MISS: u32 = 2;
}

/// Kinds of events on a client's descriptor.
pub mod event {
    pub const VBLANK: u32 = 1;
    pub const FLIP_COMPLETE: u32 = 2;
    pub const CRTC_SEQUENCE: u32 = 3;
}

/// A name in a field of 32 bytes, with its NUL.
pub fn name(text: &str) -> [u8; 32] {
    let mut name = [0; 32];
    name.iter_mut().zip(text.bytes().take(31)).for_each(|(to, from)| *to = from);
    name
}
