//! Linux's ioctls of block devices and CD drives.
//!
//! Source: linux/fs.h, linux/hdreg.h, linux/cdrom.h, and what Linux's block/ioctl.c and drivers/cdrom answer.

use super::drive::Kind;
use super::engine::Handle;
use super::front::Front;
use super::job::What;
use crate::protocol::Info;
use ochre_scheme::{Answer, Errno, Request, Result};
use zerocopy::FromZeros;

const HDIO_GETGEO: u32 = 0x0301;
const BLKROGET: u32 = 0x125e;
const BLKRRPART: u32 = 0x125f;
const BLKGETSIZE: u32 = 0x1260;
const BLKFLSBUF: u32 = 0x1261;
const BLKSSZGET: u32 = 0x1268;
const BLKBSZGET: u32 = 0x8008_1270;
const BLKGETSIZE64: u32 = 0x8008_1272;
const BLKDISCARD: u32 = 0x1277;
const BLKIOMIN: u32 = 0x1278;
const BLKIOOPT: u32 = 0x1279;
const BLKALIGNOFF: u32 = 0x127a;
const BLKPBSZGET: u32 = 0x127b;
const BLKDISCARDZEROES: u32 = 0x127c;
const BLKSECDISCARD: u32 = 0x127d;
const BLKROTATIONAL: u32 = 0x127e;
const BLKZEROOUT: u32 = 0x127f;
const CDROMEJECT: u32 = 0x5309;
const CDROM_DRIVE_STATUS: u32 = 0x5326;
const CDROM_DISC_STATUS: u32 = 0x5327;
const CDROM_GET_CAPABILITY: u32 = 0x5331;

/// Answers of CDROM_DRIVE_STATUS and CDROM_DISC_STATUS.
const CDS_NO_DISC: usize = 1;
const CDS_DRIVE_NOT_READY: usize = 3;
const CDS_DISC_OK: usize = 4;
const CDS_DATA_1: usize = 101;
/// CDC_OPEN_TRAY, CDC_MEDIA_CHANGED and CDC_DRIVE_STATUS.
const CAPABILITY: usize = 0x2 | 0x80 | 0x800;

impl Front {
    /// ioctl(2).
    pub fn control(&self, request: &mut Request, command: u32, _argument: u64) -> Result<Answer> {
        let state = self.0.state();
        let Some(Handle::Disk(_)) = state.handles.get(&request.handle()) else { return Err(Errno::ENOTTY) };
        let opened = state.opened(request.handle())?;
        let limits = state.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits.clone();
        let removable = limits.removable();
        // Without a medium it has no size, which Linux tells as 0.
        let info = state.info(&opened).unwrap_or_else(|_| Info::new_zeroed());
        drop(state);
        let put = |request: &mut Request, bytes: &[u8]| {
            if request.put(bytes)? == bytes.len() { Ok(Answer::done()) } else { Err(Errno::EINVAL) }
        };
        match command {
            BLKGETSIZE64 => put(request, &(info.sectors * 512).to_ne_bytes()),
            BLKGETSIZE => put(request, &info.sectors.to_ne_bytes()),
            BLKSSZGET => put(request, &limits.logical.to_ne_bytes()),
            BLKPBSZGET | BLKIOMIN => put(request, &limits.physical.to_ne_bytes()),
            BLKBSZGET => put(request, &4096u32.to_ne_bytes()),
            BLKIOOPT | BLKALIGNOFF | BLKDISCARDZEROES => put(request, &0u32.to_ne_bytes()),
            BLKROGET => put(request, &u32::from(limits.read_only).to_ne_bytes()),
            BLKROTATIONAL => put(request, &u16::from(limits.rotational).to_ne_bytes()),
            BLKFLSBUF => self.flush(request),
            BLKDISCARD | BLKZEROOUT => {
                let [at, len]: [u64; 2] = request.parse()?;
                self.clear(request, at, len, command == BLKZEROOUT)
            }
            BLKSECDISCARD => Err(Errno::EOPNOTSUPP),
            BLKRRPART => self.read_table(request, opened.unit, opened.partition),
            HDIO_GETGEO if !removable => {
                // Heads and sectors as BIOSes pretend them; cylinders have 16 bits here.
                let cylinders = u16::try_from(info.sectors / (255 * 63)).unwrap_or(u16::MAX);
                let mut geometry = [0; 16];
                geometry[..2].copy_from_slice(&[255, 63]);
                geometry[2..4].copy_from_slice(&cylinders.to_ne_bytes());
                geometry[8..].copy_from_slice(&info.start.to_ne_bytes());
                put(request, &geometry)
            }
            CDROM_GET_CAPABILITY if removable => Ok(Answer::value(CAPABILITY)),
            CDROM_DRIVE_STATUS | CDROM_DISC_STATUS if removable => {
                let (engine, request) = (self.0.clone(), request.defer());
                let fine = if command == CDROM_DRIVE_STATUS { CDS_DISC_OK } else { CDS_DATA_1 };
                std::thread::spawn(move || {
                    request.answer(match engine.command(opened.unit, Kind::Check) {
                        Ok(()) => Ok(Answer::value(fine)),
                        Err(Errno::ENOMEDIUM) => Ok(Answer::value(CDS_NO_DISC)),
                        Err(Errno::EBUSY) => Ok(Answer::value(CDS_DRIVE_NOT_READY)),
                        Err(error) => Err(error),
                    });
                });
                Ok(Answer::later())
            }
            CDROMEJECT if removable => {
                let state = self.0.state();
                let others = |(number, handle): (&u64, &Handle)| {
                    *number != request.handle()
                        && matches!(handle, Handle::Disk(other) if other.unit == opened.unit && !other.path)
                };
                if state.handles.iter().any(others) {
                    return Err(Errno::EBUSY);
                }
                let what = What::Command { kind: Kind::Eject, most: 0 };
                Ok(self.give(state, opened.unit, what, request, (0, 0)))
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    /// BLKRRPART. EINVAL of a partition; EBUSY while one is open; EACCES for root alone.
    fn read_table(&self, request: &mut Request, unit: usize, partition: u32) -> Result<Answer> {
        if request.caller().uid != 0 {
            return Err(Errno::EACCES);
        }
        if partition != 0 {
            return Err(Errno::EINVAL);
        }
        let open = |handle: &Handle| matches!(handle, Handle::Disk(other) if other.unit == unit && other.partition != 0 && !other.path);
        if self.0.state().handles.values().any(open) {
            return Err(Errno::EBUSY);
        }
        let (engine, request) = (self.0.clone(), request.defer());
        std::thread::spawn(move || request.answer(engine.rescan(unit).map(Answer::from)));
        Ok(Answer::later())
    }
}
