//! Pixel formats. Source: Linux's drm/drm_fourcc.h.

/// A format's fourcc code.
pub type Format = u32;

const fn fourcc(code: &[u8; 4]) -> Format {
    u32::from_le_bytes(*code)
}

/// 32 bits, alpha in the highest byte, blue in the lowest.
pub const ARGB8888: Format = fourcc(b"AR24");
/// The same without alpha.
pub const XRGB8888: Format = fourcc(b"XR24");
/// 32 bits, alpha in the highest byte, red in the lowest.
pub const ABGR8888: Format = fourcc(b"AB24");
/// The same without alpha.
pub const XBGR8888: Format = fourcc(b"XB24");
/// 24 bits.
pub const RGB888: Format = fourcc(b"RG24");
/// 16 bits.
pub const RGB565: Format = fourcc(b"RG16");
/// 15 bits.
pub const XRGB1555: Format = fourcc(b"XR15");
/// 30 bits in 32.
pub const XRGB2101010: Format = fourcc(b"XR30");
/// Two planes: brightness, and colours at half the size.
pub const NV12: Format = fourcc(b"NV12");

/// DRM_FORMAT_MOD_LINEAR: rows one after the other.
pub const LINEAR: u64 = 0;

/// One plane of memory of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a pixel.
    pub bytes: u32,
    /// How many pixels of the picture one of this plane covers, each way.
    pub shrink: u32,
}

/// The planes of a format; `None`: not one that any driver here has.
pub fn layouts(format: Format) -> Option<&'static [Layout]> {
    const FULL: [[Layout; 1]; 5] = [
        [Layout { bytes: 0, shrink: 1 }],
        [Layout { bytes: 1, shrink: 1 }],
        [Layout { bytes: 2, shrink: 1 }],
        [Layout { bytes: 3, shrink: 1 }],
        [Layout { bytes: 4, shrink: 1 }],
    ];
    const HALF: [Layout; 2] = [Layout { bytes: 1, shrink: 1 }, Layout { bytes: 2, shrink: 2 }];
    Some(match format {
        ARGB8888 | XRGB8888 | ABGR8888 | XBGR8888 | XRGB2101010 => &FULL[4],
        RGB888 => &FULL[3],
        RGB565 | XRGB1555 => &FULL[2],
        NV12 => &HALF,
        _ => return None,
    })
}

/// The format that ADDFB means by bits per pixel and depth (drm_mode_legacy_fb_format()).
pub fn legacy(bpp: u32, depth: u32) -> Option<Format> {
    match (bpp, depth) {
        (16, 15) => Some(XRGB1555),
        (16, 16) => Some(RGB565),
        (24, 24) => Some(RGB888),
        (32, 24) => Some(XRGB8888),
        (32, 30) => Some(XRGB2101010),
        (32, 32) => Some(ARGB8888),
        _ => None,
    }
}

/// Bits per pixel and depth of a format, as GETFB tells them.
pub fn depth(format: Format) -> (u32, u32) {
    match format {
        XRGB1555 => (16, 15),
        RGB565 => (16, 16),
        RGB888 => (24, 24),
        XRGB8888 | XBGR8888 => (32, 24),
        XRGB2101010 => (32, 30),
        ARGB8888 | ABGR8888 => (32, 32),
        _ => (0, 0),
    }
}
