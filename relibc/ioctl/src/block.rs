//! Disks and CDs. Source: Linux's linux/fs.h, linux/hdreg.h, linux/cdrom.h.

use crate::Argument::{self, Value};
use crate::Direction::{In, Out};
use crate::{Match, Row, plain, row};

/// The types of these numbers: block devices, disks' geometry, CDs.
pub const TYPE: u8 = 0x12;
pub const TYPE_DISK: u8 = 0x03;
pub const TYPE_CD: u8 = b'S';

const fn exact(name: &'static str, request: u32, argument: Argument) -> Row {
    row(name, request, Match::Exact, argument)
}

/// A range: first byte and length.
const RANGE: u16 = 16;
const INT: u16 = 4;
const LONG: u16 = 8;

/// The rows.
pub const ROWS: &[Row] = &[
    exact("BLKROSET", 0x125d, plain(In, INT)),
    exact("BLKROGET", 0x125e, plain(Out, INT)),
    exact("BLKRRPART", 0x125f, Value),
    exact("BLKGETSIZE", 0x1260, plain(Out, LONG)),
    exact("BLKFLSBUF", 0x1261, Value),
    exact("BLKRASET", 0x1262, Value),
    exact("BLKRAGET", 0x1263, plain(Out, LONG)),
    exact("BLKSSZGET", 0x1268, plain(Out, INT)),
    // The headers say size_t, Linux means int.
    exact("BLKBSZGET", 0x8008_1270, plain(Out, INT)),
    exact("BLKBSZSET", 0x4008_1271, plain(In, INT)),
    exact("BLKGETSIZE64", 0x8008_1272, plain(Out, LONG)),
    exact("BLKDISCARD", 0x1277, plain(In, RANGE)),
    exact("BLKIOMIN", 0x1278, plain(Out, INT)),
    exact("BLKIOOPT", 0x1279, plain(Out, INT)),
    exact("BLKALIGNOFF", 0x127a, plain(Out, INT)),
    exact("BLKPBSZGET", 0x127b, plain(Out, INT)),
    exact("BLKDISCARDZEROES", 0x127c, plain(Out, INT)),
    exact("BLKSECDISCARD", 0x127d, plain(In, RANGE)),
    exact("BLKROTATIONAL", 0x127e, plain(Out, 2)),
    exact("BLKZEROOUT", 0x127f, plain(In, RANGE)),
    exact("HDIO_GETGEO", 0x0301, plain(Out, 16)),
    exact("CDROMEJECT", 0x5309, Value),
    exact("CDROMCLOSETRAY", 0x5319, Value),
    exact("CDROM_DRIVE_STATUS", 0x5326, Value),
    exact("CDROM_DISC_STATUS", 0x5327, Value),
    exact("CDROM_LOCKDOOR", 0x5329, Value),
    exact("CDROM_GET_CAPABILITY", 0x5331, Value),
];
