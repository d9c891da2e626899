//! Displays. Source: Linux's drm/drm.h and drm/drm_mode.h; the direction of what a struct's pointers lead to is drm_*.c's.

use crate::Argument::{self, Struct, Value};
use crate::Direction::{In, InOut, Out};
use crate::{Array, Count, Descriptor, Match, Row, plain, row};

/// The type of these numbers.
pub const TYPE: u8 = b'd';

const NONE: u32 = 0x0000_6400;
const WRITE: u32 = 0x4000_6400;
const READ: u32 = 0x8000_6400;
const BOTH: u32 = 0xc000_6400;

const fn io(name: &'static str, base: u32, number: u8, argument: Argument) -> Row {
    let size = match argument {
        Value => 0,
        Struct { size, .. } => size as u32,
    };
    row(name, base | size << 16 | number as u32, Match::Number, argument)
}

const fn both(size: u16) -> Argument {
    plain(InOut, size)
}

const fn with(size: u16, arrays: &'static [Array]) -> Argument {
    Struct { direction: InOut, size, arrays, descriptor: None }
}

const fn descriptor(size: u16, descriptor: Descriptor) -> Argument {
    Struct { direction: InOut, size, arrays: &[], descriptor: Some(descriptor) }
}

const fn out(pointer: u16, count: u16, element: u16) -> Array {
    Array { direction: Out, pointer, count: Count::Field32(count), element }
}

const fn from(pointer: u16, count: u16, element: u16) -> Array {
    Array { direction: In, pointer, count: Count::Field32(count), element }
}

/// A text with a 64-bit length.
const fn text(len: u16, pointer: u16) -> Array {
    Array { direction: Out, pointer, count: Count::Field64(len), element: 1 }
}

/// The properties of an atomic commit: as many as the objects' counts (at 16) add up to.
const fn properties(pointer: u16, element: u16) -> Array {
    Array { direction: In, pointer, count: Count::Sum { pointer: 16, count: 4 }, element }
}

/// `struct drm_mode_modeinfo`, `struct drm_mode_property_enum`, `struct drm_clip_rect`.
const MODE: u16 = 68;
const ENUM: u16 = 40;
const CLIP: u16 = 8;

/// The rows.
pub const ROWS: &[Row] = &[
    io("DRM_IOCTL_VERSION", BOTH, 0x00, with(64, &[text(16, 24), text(32, 40), text(48, 56)])),
    io("DRM_IOCTL_GET_UNIQUE", BOTH, 0x01, with(16, &[text(0, 8)])),
    io("DRM_IOCTL_GET_MAGIC", READ, 0x02, plain(Out, 4)),
    io("DRM_IOCTL_GET_CLIENT", BOTH, 0x05, both(40)),
    io("DRM_IOCTL_SET_VERSION", BOTH, 0x07, both(16)),
    io("DRM_IOCTL_GEM_CLOSE", WRITE, 0x09, plain(In, 8)),
    io("DRM_IOCTL_GEM_FLINK", BOTH, 0x0a, both(8)),
    io("DRM_IOCTL_GEM_OPEN", BOTH, 0x0b, both(16)),
    io("DRM_IOCTL_GET_CAP", BOTH, 0x0c, both(16)),
    io("DRM_IOCTL_SET_CLIENT_CAP", WRITE, 0x0d, plain(In, 16)),
    io("DRM_IOCTL_AUTH_MAGIC", WRITE, 0x11, plain(In, 4)),
    io("DRM_IOCTL_SET_MASTER", NONE, 0x1e, Value),
    io("DRM_IOCTL_DROP_MASTER", NONE, 0x1f, Value),
    io("DRM_IOCTL_PRIME_HANDLE_TO_FD", BOTH, 0x2d, descriptor(12, Descriptor::Received(8, 4))),
    io("DRM_IOCTL_PRIME_FD_TO_HANDLE", BOTH, 0x2e, descriptor(12, Descriptor::Sent(8))),
    io("DRM_IOCTL_WAIT_VBLANK", BOTH, 0x3a, both(24)),
    io("DRM_IOCTL_CRTC_GET_SEQUENCE", BOTH, 0x3b, both(24)),
    io("DRM_IOCTL_CRTC_QUEUE_SEQUENCE", BOTH, 0x3c, both(24)),
    io(
        "DRM_IOCTL_MODE_GETRESOURCES",
        BOTH,
        0xa0,
        with(64, &[out(0, 32, 4), out(8, 36, 4), out(16, 40, 4), out(24, 44, 4)]),
    ),
    io("DRM_IOCTL_MODE_GETCRTC", BOTH, 0xa1, both(104)),
    io("DRM_IOCTL_MODE_SETCRTC", BOTH, 0xa2, with(104, &[from(0, 8, 4)])),
    io("DRM_IOCTL_MODE_CURSOR", BOTH, 0xa3, both(28)),
    io("DRM_IOCTL_MODE_GETGAMMA", BOTH, 0xa4, with(32, &[out(8, 4, 2), out(16, 4, 2), out(24, 4, 2)])),
    io("DRM_IOCTL_MODE_SETGAMMA", BOTH, 0xa5, with(32, &[from(8, 4, 2), from(16, 4, 2), from(24, 4, 2)])),
    io("DRM_IOCTL_MODE_GETENCODER", BOTH, 0xa6, both(20)),
    io(
        "DRM_IOCTL_MODE_GETCONNECTOR",
        BOTH,
        0xa7,
        with(80, &[out(0, 40, 4), out(8, 32, MODE), out(16, 36, 4), out(24, 36, 8)]),
    ),
    io("DRM_IOCTL_MODE_GETPROPERTY", BOTH, 0xaa, with(64, &[out(0, 56, 8), out(8, 60, ENUM)])),
    io("DRM_IOCTL_MODE_SETPROPERTY", BOTH, 0xab, both(16)),
    io("DRM_IOCTL_MODE_GETPROPBLOB", BOTH, 0xac, with(16, &[out(8, 4, 1)])),
    io("DRM_IOCTL_MODE_GETFB", BOTH, 0xad, both(28)),
    io("DRM_IOCTL_MODE_ADDFB", BOTH, 0xae, both(28)),
    io("DRM_IOCTL_MODE_RMFB", BOTH, 0xaf, both(4)),
    io("DRM_IOCTL_MODE_PAGE_FLIP", BOTH, 0xb0, both(24)),
    io("DRM_IOCTL_MODE_DIRTYFB", BOTH, 0xb1, with(24, &[from(16, 12, CLIP)])),
    io("DRM_IOCTL_MODE_CREATE_DUMB", BOTH, 0xb2, both(32)),
    io("DRM_IOCTL_MODE_MAP_DUMB", BOTH, 0xb3, both(16)),
    io("DRM_IOCTL_MODE_DESTROY_DUMB", BOTH, 0xb4, both(4)),
    io("DRM_IOCTL_MODE_GETPLANERESOURCES", BOTH, 0xb5, with(16, &[out(0, 8, 4)])),
    io("DRM_IOCTL_MODE_GETPLANE", BOTH, 0xb6, with(32, &[out(24, 20, 4)])),
    io("DRM_IOCTL_MODE_SETPLANE", BOTH, 0xb7, both(48)),
    io("DRM_IOCTL_MODE_ADDFB2", BOTH, 0xb8, both(104)),
    io("DRM_IOCTL_MODE_OBJ_GETPROPERTIES", BOTH, 0xb9, with(32, &[out(0, 16, 4), out(8, 16, 8)])),
    io("DRM_IOCTL_MODE_OBJ_SETPROPERTY", BOTH, 0xba, both(24)),
    io("DRM_IOCTL_MODE_CURSOR2", BOTH, 0xbb, both(36)),
    io(
        "DRM_IOCTL_MODE_ATOMIC",
        BOTH,
        0xbc,
        with(56, &[from(8, 4, 4), from(16, 4, 4), properties(24, 4), properties(32, 8)]),
    ),
    io("DRM_IOCTL_MODE_CREATEPROPBLOB", BOTH, 0xbd, with(16, &[from(0, 8, 1)])),
    io("DRM_IOCTL_MODE_DESTROYPROPBLOB", BOTH, 0xbe, both(4)),
    io("DRM_IOCTL_MODE_GETFB2", BOTH, 0xce, both(104)),
    io("DRM_IOCTL_MODE_CLOSEFB", BOTH, 0xd0, both(8)),
];
