//! ATA disks.
//!
//! Reads and writes go through the native queue where controller and disk have one; every other command, and everything on disks without,
//! is alone on the port, which the order in that work is given sees to.

use crate::fis::{Fis, command, ranges};
use crate::identify::Identity;
use crate::port::{Port, REGIONS};
use ochre_block::server::{Drive, Family, Kind, Limits, Work};
use ochre_scheme::{Errno, Result};

/// Sectors of one command: with addresses of 48 bits, and of 28.
const SECTORS: u64 = 65_536;
const SECTORS_SMALL: u64 = 256;
/// Works that are done one by one after a failure of unknown place: at least all that can have been in the queue.
const CAREFUL: usize = 32;
/// Ranges in 512 bytes, and sectors of one.
const RANGES: u64 = 64;
const RANGE: u64 = 0xffff;
/// The log with what became of queued commands (ACS-3, A.11).
const QUEUE_ERROR_LOG: u64 = 0x10;

/// A disk on its port.
pub struct Disk {
    port: Port,
    identity: Identity,
    /// Which of Linux's numbers it has.
    number: u32,
    /// Tags under way in the queue, and the one outside of it.
    queued: u32,
    single: Option<usize>,
    /// So many works are done one by one, after a failure that the disk did not tell the place of.
    careful: usize,
}

impl Disk {
    /// Asks a disk what it is. EIO.
    pub fn new(port: Port, number: u32) -> Result<Disk> {
        port.at_once(&Fis::plain(command::IDENTIFY), 512)?;
        let mut bytes = [0; 512];
        port.look(&mut bytes)?;
        Ok(Disk { port, identity: Identity::parse(&bytes), number, queued: 0, single: None, careful: 0 })
    }

    /// Commands in the native queue; 0: it is not used.
    fn depth(&self) -> usize {
        if self.port.queues() { self.identity.queue.min(self.port.slots()) } else { 0 }
    }

    /// What comes of the queue's tags after a failure: the disk says which one failed, and has dropped the others.
    fn blame(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        self.port.restart()?;
        // What an answer's checksum cannot be made of is left there by a disk that does not answer.
        self.port.note(&{
            let mut blank = [0; 512];
            blank[0] = 1;
            blank
        })?;
        let log = Fis { lba: QUEUE_ERROR_LOG, count: 1, ..Fis::plain(command::READ_LOG_EXT) };
        let mut page = [0u8; 512];
        let read = self.port.at_once(&log, 512).and_then(|()| self.port.look(&mut page));
        let sound = read.is_ok() && page.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0;
        let guilty = (sound && page[0] & 0x80 == 0).then(|| usize::from(page[0] & 31));
        let guilty = guilty.filter(|tag| self.queued & 1 << tag != 0);
        if guilty.is_none() {
            // One by one it will be seen.
            self.port.reset()?;
            self.careful = CAREFUL;
        }
        for tag in (0..32).filter(|tag| self.queued & 1 << tag != 0) {
            done.push((tag, Err(if guilty == Some(tag) { Errno::EIO } else { Errno::EAGAIN })));
        }
        self.queued = 0;
        Ok(())
    }

    /// All that is under way has this result.
    fn drop_all(&mut self, done: &mut Vec<(usize, Result<()>)>, error: Errno) {
        done.extend(self.single.take().map(|tag| (tag, Err(error))));
        done.extend((0..32).filter(|tag| self.queued & 1 << tag != 0).map(|tag| (tag, Err(error))));
        self.queued = 0;
    }

    fn failed(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        match self.single.take() {
            Some(tag) => {
                done.push((tag, Err(Errno::EIO)));
                self.careful = self.careful.saturating_sub(1);
                self.port.restart()
            }
            None => self.blame(done),
        }
    }
}

impl Drive for Disk {
    fn limits(&self) -> Limits {
        let identity = &self.identity;
        let logical = u64::from(identity.logical);
        let sectors = if identity.wide { SECTORS } else { SECTORS_SMALL };
        Limits {
            bytes: identity.sectors.saturating_mul(logical),
            medium: 1,
            logical: identity.logical,
            physical: identity.physical,
            read_only: false,
            depth: self.depth().max(1),
            segments: REGIONS,
            transfer: sectors * logical,
            cache: identity.cache,
            discard: if identity.trim > 0 { RANGES * RANGE * logical } else { 0 },
            zero: 0,
            rotational: identity.rotational,
            family: Family::Scsi(self.number),
            id: identity.serial.clone(),
            model: identity.model.clone(),
        }
    }

    fn submit(&mut self, tag: usize, work: &Work<'_>) -> Result<bool> {
        let identity = &self.identity;
        let (lba, sectors) = (work.at / u64::from(identity.logical), work.len / u64::from(identity.logical));
        let write = work.kind == Kind::Write;
        let moves = matches!(work.kind, Kind::Read | Kind::Write);
        let queues = moves && self.depth() > 0 && self.careful == 0;
        if self.single.is_some() || !queues && self.queued != 0 {
            return Ok(false);
        }
        let fis = match work.kind {
            Kind::Read | Kind::Write if queues => Fis::queued(write, tag, lba, sectors),
            Kind::Read | Kind::Write if identity.wide => Fis::direct(write, lba, sectors),
            Kind::Read | Kind::Write => Fis::small(write, lba, sectors),
            Kind::Flush => Fis::plain(if identity.flush_ext { command::FLUSH_EXT } else { command::FLUSH }),
            Kind::Discard => {
                let mut bytes = ranges(lba, sectors);
                bytes.resize(512, 0);
                self.port.note(&bytes)?;
                // Feature 1: TRIM; one block of ranges.
                let fis = Fis { features: 1, count: 1, device: 0x40, ..Fis::plain(command::DATA_SET_MANAGEMENT) };
                self.port.prepare(tag, &fis, None, true, &[self.port.scratch(512)])?;
                fis
            }
            Kind::Zero | Kind::Check | Kind::Eject => return Err(Errno::EOPNOTSUPP),
        };
        if work.kind != Kind::Discard {
            self.port.prepare(tag, &fis, None, write, work.segments)?;
        }
        if queues {
            self.queued |= 1 << tag
        } else {
            self.single = Some(tag)
        }
        self.port.issue(tag, queues)?;
        Ok(true)
    }

    fn completed(&mut self, done: &mut Vec<(usize, Result<()>)>) {
        let events = match self.port.events() {
            Ok(events) => events,
            Err(error) => {
                eprintln!("ahcid: port {}: {error}", self.port.number());
                return;
            }
        };
        for tag in (0..32).filter(|tag| self.queued & !events.queued & 1 << tag != 0) {
            done.push((tag, Ok(())));
        }
        self.queued &= events.queued;
        // A command that fails outside of the queue does not leave its slot, or leaves it with the failure.
        if let Some(tag) = self.single.filter(|tag| events.issued & 1 << tag == 0 && !events.failed) {
            self.single = None;
            self.careful = self.careful.saturating_sub(1);
            done.push((tag, Ok(())));
        }
        if events.failed {
            if let Err(error) = self.failed(done) {
                eprintln!("ahcid: port {}: it does not come back after a failure: {error}", self.port.number());
                self.drop_all(done, Errno::EAGAIN);
            }
        }
    }

    fn recover(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        self.drop_all(done, Errno::EAGAIN);
        self.port.reset()
    }
}
