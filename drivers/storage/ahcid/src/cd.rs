//! ATAPI CD-ROM drives.
//!
//! A drive does one command at a time. A packet that fails is followed by one that asks why; a check of the medium takes several.

use crate::fis::packet::{self, Packet};
use crate::fis::{CAPACITY, Fis, SENSE, command};
use crate::identify::Identity;
use crate::port::{Port, REGIONS};
use crate::sense::{Verdict, judge};
use ochre_block::server::{Drive, Family, Kind, Limits, Segment, Work};
use ochre_scheme::{Errno, Result};

/// Bytes of a block. Other sizes are of no data medium.
const BLOCK: u32 = 2048;
/// Bytes of one read at the most.
const TRANSFER: u64 = 128 << 10;
/// How often a drive may have something to say before it does what it is told.
const PATIENCE: u32 = 8;

/// A drive on its port.
pub struct Cd {
    port: Port,
    identity: Identity,
    number: u32,
    bytes: u64,
    medium: u64,
    step: Step,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// A read, or an ejection.
    Work(Kind),
    /// Checks: is it ready; how large is the medium.
    Ready(u32),
    Capacity,
    /// Asks why the step before failed.
    Sense(Before),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Work(Kind),
    Check(u32),
}

impl Cd {
    /// Asks a drive what it is. EIO.
    pub fn new(port: Port, number: u32) -> Result<Cd> {
        port.at_once(&Fis::plain(command::IDENTIFY_PACKET), 512)?;
        let mut bytes = [0; 512];
        port.look(&mut bytes)?;
        Ok(Cd { port, identity: Identity::parse(&bytes), number, bytes: 0, medium: 0, step: Step::Nothing })
    }

    fn send(&mut self, step: Step, packet: &Packet, data: &[Segment]) -> Result<()> {
        let len: u32 = data.iter().map(|part| part.len).sum();
        let dma = step == Step::Work(Kind::Read);
        // Other data are handed over in pieces of up to so many bytes, an even number.
        let limit = if dma { 0 } else { len.next_multiple_of(2) as u16 };
        self.port.prepare(0, &Fis::packet(dma, limit), Some(packet), false, data)?;
        self.step = step;
        self.port.issue(0, false)
    }

    /// The step is over: the next one, or the result.
    fn succeeded(&mut self) -> Result<Option<Result<()>>> {
        match self.step {
            Step::Nothing => Ok(None),
            Step::Work(_) => Ok(Some(Ok(()))),
            Step::Ready(_) => {
                let data = [self.port.scratch(CAPACITY)];
                self.send(Step::Capacity, &packet::READ_CAPACITY, &data).map(|()| None)
            }
            Step::Capacity => {
                let mut answer = [0; CAPACITY];
                self.port.look(&mut answer)?;
                let number = |at: usize| answer[at..at + 4].iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
                let (last, size) = (number(0), number(4));
                if size != BLOCK {
                    eprintln!("ahcid: port {}: a medium of blocks of {size} bytes", self.port.number());
                    self.gone();
                    return Ok(Some(Err(Errno::EIO)));
                }
                let bytes = (u64::from(last) + 1) * u64::from(BLOCK);
                if self.bytes == 0 || self.bytes != bytes {
                    self.medium += 1;
                }
                self.bytes = bytes;
                Ok(Some(Ok(())))
            }
            Step::Sense(before) => {
                let mut sense = [0; SENSE];
                self.port.look(&mut sense)?;
                self.judged(before, judge(&sense))
            }
        }
    }

    fn gone(&mut self) {
        self.bytes = 0;
    }

    fn judged(&mut self, before: Before, verdict: Verdict) -> Result<Option<Result<()>>> {
        if matches!(verdict, Verdict::Changed | Verdict::NoMedium) {
            self.gone();
        }
        match (before, verdict) {
            (Before::Check(tries), Verdict::Fine | Verdict::Again | Verdict::Changed) if tries < PATIENCE => {
                self.send(Step::Ready(tries + 1), &packet::TEST_UNIT_READY, &[]).map(|()| None)
            }
            (_, Verdict::NoMedium) => Ok(Some(Err(Errno::ENOMEDIUM))),
            // What was to be read may have been of another medium.
            (Before::Work(_), Verdict::Changed) => Ok(Some(Err(Errno::ENOMEDIUM))),
            (_, Verdict::NotYet) => Ok(Some(Err(Errno::EBUSY))),
            (Before::Work(_), Verdict::Fine | Verdict::Again) => Ok(Some(Err(Errno::EAGAIN))),
            (_, Verdict::Failed(error)) => Ok(Some(Err(error))),
            (Before::Check(_), _) => Ok(Some(Err(Errno::EIO))),
        }
    }

    /// The step failed: the drive is asked why.
    fn failed(&mut self) -> Result<Option<Result<()>>> {
        let before = match self.step {
            Step::Nothing => return self.port.restart().map(|()| None),
            Step::Work(kind) => Before::Work(kind),
            Step::Ready(tries) => Before::Check(tries),
            Step::Capacity => Before::Check(PATIENCE),
            // A drive that cannot say why.
            Step::Sense(_) => {
                self.port.restart()?;
                return Ok(Some(Err(Errno::EIO)));
            }
        };
        self.port.restart()?;
        self.port.note(&[0; SENSE])?;
        let data = [self.port.scratch(SENSE)];
        self.send(Step::Sense(before), &packet::REQUEST_SENSE, &data).map(|()| None)
    }
}

impl Drive for Cd {
    fn limits(&self) -> Limits {
        Limits {
            bytes: self.bytes,
            medium: self.medium,
            logical: BLOCK,
            physical: BLOCK,
            read_only: true,
            depth: 1,
            segments: REGIONS,
            transfer: TRANSFER,
            cache: false,
            discard: 0,
            zero: 0,
            rotational: true,
            family: Family::Cd(self.number),
            id: self.identity.serial.clone(),
            model: self.identity.model.clone(),
        }
    }

    fn submit(&mut self, _tag: usize, work: &Work<'_>) -> Result<bool> {
        if self.step != Step::Nothing {
            return Ok(false);
        }
        let sent = match work.kind {
            Kind::Read => {
                let lba = u32::try_from(work.at / u64::from(BLOCK)).map_err(|_| Errno::EIO)?;
                let packet = packet::read(lba, (work.len / u64::from(BLOCK)) as u32);
                self.send(Step::Work(Kind::Read), &packet, work.segments)
            }
            Kind::Check => self.send(Step::Ready(0), &packet::TEST_UNIT_READY, &[]),
            Kind::Eject => self.send(Step::Work(Kind::Eject), &packet::EJECT, &[]),
            Kind::Write => return Err(Errno::EROFS),
            Kind::Flush | Kind::Discard | Kind::Zero => return Err(Errno::EOPNOTSUPP),
        };
        if sent.is_err() {
            self.step = Step::Nothing;
        }
        sent.map(|()| true)
    }

    fn completed(&mut self, done: &mut Vec<(usize, Result<()>)>) {
        let next = match self.port.events() {
            Ok(events) if events.failed => self.failed(),
            Ok(events) if self.step != Step::Nothing && events.issued & 1 == 0 => self.succeeded(),
            Ok(_) => return,
            Err(error) => Err(error),
        };
        let result = match next {
            Ok(None) => return,
            Ok(Some(result)) => result,
            Err(error) => {
                eprintln!("ahcid: port {}: {error}", self.port.number());
                Err(Errno::EAGAIN)
            }
        };
        if self.step != Step::Nothing {
            if self.step == Step::Work(Kind::Eject) && result.is_ok() {
                self.gone();
            }
            self.step = Step::Nothing;
            done.push((0, result));
        }
    }

    fn recover(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        if std::mem::replace(&mut self.step, Step::Nothing) != Step::Nothing {
            done.push((0, Err(Errno::EAGAIN)));
        }
        self.port.reset()
    }
}
