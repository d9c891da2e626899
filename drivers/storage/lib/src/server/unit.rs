//! The requests of one drive.
//!
//! A request is a job, done in pieces of what one command takes. Jobs begin in their order; what the device does at once, it may finish in
//! any. A write of parts of sectors reads these first, and nothing else writes there meanwhile.

use super::drive::{BUFFER, BUFFERS, Drive, Kind, Limits, Memory, Segment, Work, sound};
use super::job::{Job, What};
use ochre_scheme::{Errno, Result};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const PAGE: u64 = 4096;
/// How often a piece is given to a device that did not do it.
const TRIES: u32 = 3;
/// How long a device may take for one piece: a disk, and a drive that may have to spin up.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_REMOVABLE: Duration = Duration::from_secs(30);

/// A drive with what it has to do.
pub struct Unit {
    /// `disk.ahci-0/0`, for the log.
    name: String,
    drive: Box<dyn Drive>,
    memory: Box<dyn Memory>,
    pub limits: Limits,
    jobs: BTreeMap<u64, Job>,
    next: u64,
    /// Jobs of which pieces are still to be made.
    waiting: VecDeque<u64>,
    /// By tag.
    pieces: Vec<Option<Piece>>,
    free_tags: Vec<usize>,
    free_buffers: Vec<usize>,
    /// Pieces to be given to the device again.
    again: VecDeque<usize>,
    /// Pieces that the device has.
    given: usize,
    /// It does not work any more.
    dead: bool,
}

/// A part of a job, of whole sectors.
struct Piece {
    job: u64,
    kind: Kind,
    /// The drive's bytes.
    at: u64,
    len: u64,
    /// Of these: done, and in the device's hands.
    moved: u64,
    now: u64,
    /// Where the job's bytes begin in the piece, where in the job that is, and how many.
    inside: u64,
    offset: u64,
    count: u64,
    buffer: Option<usize>,
    /// The sectors are read before the job's bytes go in between theirs.
    partial: bool,
    tries: u32,
    since: Option<Instant>,
}

impl Unit {
    /// EIO: what the drive says about itself cannot be.
    pub fn new(name: String, drive: Box<dyn Drive>, memory: Box<dyn Memory>) -> Result<Unit> {
        let limits = sound(drive.limits())?;
        let depth = limits.depth;
        Ok(Unit {
            name,
            drive,
            memory,
            limits,
            jobs: BTreeMap::new(),
            next: 0,
            waiting: VecDeque::new(),
            pieces: (0..depth).map(|_| None).collect(),
            free_tags: (0..depth).rev().collect(),
            free_buffers: (0..BUFFERS).collect(),
            again: VecDeque::new(),
            given: 0,
            dead: false,
        })
    }

    /// The name for the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether anything waits for the device.
    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Takes a job; it is answered when it is done.
    pub fn add(&mut self, job: Job) {
        self.next += 1;
        self.jobs.insert(self.next, job);
        self.waiting.push_back(self.next);
        self.go();
    }

    /// After an interrupt: takes what is done, answers, and gives the device more.
    pub fn complete(&mut self) {
        let mut done = Vec::new();
        self.drive.completed(&mut done);
        self.settle(done);
    }

    /// The drive's properties may be other ones. Whether they are.
    pub fn changed(&mut self) -> bool {
        let changed = self.drive.changed();
        if changed {
            self.refresh();
        }
        changed
    }

    fn refresh(&mut self) {
        match sound(self.drive.limits()) {
            Ok(limits) if limits.depth == self.limits.depth => self.limits = limits,
            _ => eprintln!("{}: the device says what cannot be about itself", self.name),
        }
    }

    /// From time to time: a device that has not answered for too long is reset.
    pub fn tick(&mut self, now: Instant) {
        let patience = if self.limits.removable() { PATIENCE_REMOVABLE } else { PATIENCE };
        let late = |piece: &Piece| piece.since.is_some_and(|since| now.saturating_duration_since(since) > patience);
        let Some(piece) = self.pieces.iter().flatten().find(|piece| late(piece)) else { return };
        eprintln!("{}: no answer to {:?} at sector {}: reset", self.name, piece.kind, piece.place() / 512);
        let mut done = Vec::new();
        if let Err(error) = self.drive.recover(&mut done) {
            eprintln!("{}: the reset failed: {error}; given up", self.name);
            self.dead = true;
            let all = self.pieces.iter().enumerate().filter(|(_, piece)| piece.as_ref().is_some_and(Piece::is_given));
            done = all.map(|(tag, _)| (tag, Err(Errno::EIO))).collect();
        }
        self.settle(done);
    }

    fn settle(&mut self, done: Vec<(usize, Result<()>)>) {
        for (tag, result) in done {
            let piece = self.pieces.get_mut(tag).and_then(Option::take);
            match piece {
                Some(mut piece) if piece.is_given() => {
                    piece.since = None;
                    self.given -= 1;
                    self.step(tag, piece, result);
                }
                // A device that finishes what it does not have is lying; there is nobody to tell.
                other => {
                    if let Some(slot) = self.pieces.get_mut(tag) {
                        *slot = other;
                    }
                }
            }
        }
        self.go();
    }

    /// A command of a piece is over: another one follows, or the piece is.
    fn step(&mut self, tag: usize, mut piece: Piece, result: Result<()>) {
        let logical = u64::from(self.limits.logical);
        let again = match result {
            Ok(()) => {
                piece.moved += piece.now;
                piece.now = piece.len - piece.moved;
                piece.tries = 0;
                piece.now > 0
            }
            Err(Errno::EAGAIN) if piece.tries < TRIES && !self.dead => true,
            // The sector that fails is searched for: what is before it counts, and the log names it.
            Err(Errno::EIO) if piece.moves() && piece.now > logical && !self.dead => {
                piece.now = (piece.now / logical / 2).max(1) * logical;
                piece.tries = 0;
                true
            }
            Err(error) => {
                let error = if error == Errno::EAGAIN { Errno::EIO } else { error };
                self.failed(tag, piece, error);
                return;
            }
        };
        if !again && piece.kind == Kind::Read && piece.partial {
            // The sectors are there: now the job's own bytes.
            piece.kind = Kind::Write;
            (piece.moved, piece.now) = (0, piece.len);
            let filled = self.fill(&piece);
            self.pieces[tag] = Some(piece);
            match filled {
                Ok(()) => self.again.push_back(tag),
                Err(error) => {
                    if let Some(piece) = self.pieces[tag].take() {
                        self.failed(tag, piece, error);
                    }
                }
            }
        } else if again {
            self.pieces[tag] = Some(piece);
            self.again.push_back(tag);
        } else {
            if matches!(piece.kind, Kind::Check | Kind::Eject) {
                self.refresh();
            }
            let count = piece.count;
            self.over(tag, &piece, count, None);
        }
    }

    fn failed(&mut self, tag: usize, piece: Piece, error: Errno) {
        if error == Errno::ENOMEDIUM {
            self.refresh();
        }
        match piece.kind {
            Kind::Read if error == Errno::EIO => {
                eprintln!("{}: read error at sector {}", self.name, piece.place() / 512)
            }
            Kind::Write if error == Errno::EIO => {
                eprintln!("{}: write error at sector {}", self.name, piece.place() / 512);
            }
            Kind::Flush => eprintln!("{}: flush failed: {error}", self.name),
            _ => {}
        }
        let whole = piece.partial && piece.kind == Kind::Read;
        let good = if whole { 0 } else { piece.moved.saturating_sub(piece.inside).min(piece.count) };
        self.over(tag, &piece, good, Some(error));
    }

    /// A piece is over, with so many of its job's bytes.
    fn over(&mut self, tag: usize, piece: &Piece, good: u64, mut error: Option<Errno>) {
        self.free_tags.push(tag);
        if let Some(job) = self.jobs.get_mut(&piece.job) {
            if let (Kind::Read, What::Copy { write: false }, Some(buffer), 1..) =
                (piece.kind, &job.what, piece.buffer, good)
            {
                let mut data = vec![0; good as usize];
                let from = buffer * BUFFER + piece.inside as usize;
                let copied = self.memory.copy_out(from, &mut data).and_then(|()| job.deliver(piece.offset, &data));
                if let Err(own) = copied {
                    job.fail(piece.offset, own);
                    error = None;
                }
            }
            if let Some(error) = error {
                job.fail(piece.offset + good, error);
            }
            job.pieces -= 1;
            if job.failed.is_some() {
                self.waiting.retain(|other| *other != piece.job);
            }
            self.end(piece.job);
        }
        self.free_buffers.extend(piece.buffer);
    }

    /// Answers a job if that was all of it.
    fn end(&mut self, number: u64) {
        let over = self.jobs.get(&number).is_some_and(|job| job.pieces == 0 && job.is_planned());
        let Some(mut job) = over.then(|| self.jobs.remove(&number)).flatten() else { return };
        if job.sync && job.failed.is_none() && self.limits.cache {
            job.value = Some(job.value.unwrap_or(job.len as usize));
            (job.what, job.sync, job.planned) = (What::Command { kind: Kind::Flush, most: 0 }, false, 0);
            self.jobs.insert(number, job);
            self.waiting.push_front(number);
        } else {
            job.answer();
        }
    }

    /// Gives the device as much as it takes.
    fn go(&mut self) {
        while let Some(tag) = self.again.pop_front() {
            if !self.give(tag) {
                self.again.push_front(tag);
                return;
            }
        }
        while let Some(number) = self.waiting.front().copied() {
            match self.plan(number) {
                Ok(None) => return,
                Ok(Some(piece)) => {
                    let Some(tag) = self.free_tags.pop() else { return };
                    if let Some(job) = self.jobs.get_mut(&number) {
                        job.planned += piece.count.max(1);
                        job.pieces += 1;
                        if job.is_planned() {
                            self.waiting.pop_front();
                        }
                    }
                    self.pieces[tag] = Some(piece);
                    if !self.give(tag) {
                        self.again.push_back(tag);
                        return;
                    }
                }
                Err(error) => {
                    self.waiting.pop_front();
                    if let Some(job) = self.jobs.get_mut(&number) {
                        job.fail(job.planned, error);
                    }
                    self.end(number);
                }
            }
        }
    }

    /// Gives the device a piece's next command; false: it must wait.
    fn give(&mut self, tag: usize) -> bool {
        let Some(mut piece) = self.pieces[tag].take() else { return true };
        let segments = self.segments(&piece);
        piece.tries += 1;
        piece.since = Some(Instant::now());
        let work = Work { kind: piece.kind, at: piece.place(), len: piece.now, segments: &segments };
        let result = if self.dead { Err(Errno::EIO) } else { self.drive.submit(tag, &work) };
        match result {
            Ok(true) => {
                self.given += 1;
                self.pieces[tag] = Some(piece);
            }
            // Something else must be done first, which only is so if there is something.
            Ok(false) if self.given > 0 => {
                (piece.tries, piece.since) = (piece.tries - 1, None);
                self.pieces[tag] = Some(piece);
                return false;
            }
            Ok(false) => self.failed(tag, piece, Errno::EIO),
            Err(error) => self.failed(tag, piece, error),
        }
        true
    }

    /// Where the data of a piece's next command are.
    fn segments(&self, piece: &Piece) -> Vec<Segment> {
        if !piece.moves() {
            return Vec::new();
        }
        match (self.jobs.get(&piece.job).map(|job| &job.what), piece.buffer) {
            (_, Some(buffer)) => {
                let address = self.memory.address() + (buffer * BUFFER) as u64 + piece.moved;
                vec![Segment { address, len: piece.now as u32 }]
            }
            (Some(What::Direct { pages, memory, .. }), _) => {
                let first = memory + piece.offset + piece.moved;
                scatter(pages, first, piece.now, usize::MAX)
            }
            _ => vec![Segment { address: self.memory.address() + (BUFFERS * BUFFER) as u64, len: piece.now as u32 }],
        }
    }

    /// The next piece of a job; `None`: it has to wait. The bytes of a write stand in its buffer.
    fn plan(&mut self, number: u64) -> Result<Option<Piece>> {
        let Some(job) = self.jobs.get(&number) else { return Err(Errno::EIO) };
        let logical = u64::from(self.limits.logical);
        let (first, left) = (job.at + job.planned, job.len - job.planned.min(job.len));
        let mut piece = Piece {
            job: number,
            kind: Kind::Read,
            at: first,
            len: left,
            moved: 0,
            now: left,
            inside: 0,
            offset: job.planned,
            count: left,
            buffer: None,
            partial: false,
            tries: 0,
            since: None,
        };
        let write = match &job.what {
            What::Command { kind, most } => {
                piece.kind = *kind;
                piece.count = if *most == 0 { 0 } else { left.min(*most) };
                false
            }
            What::Zeroes => {
                piece.count = left.min(BUFFER as u64);
                true
            }
            What::Direct { pages, memory, write } => {
                let most = left.min(self.limits.transfer / logical * logical);
                let parts = scatter(pages, memory + piece.offset, most, self.limits.segments);
                let fits: u64 = parts.iter().map(|part| u64::from(part.len)).sum();
                piece.count = fits / logical * logical;
                if piece.count == 0 {
                    return Err(Errno::EINVAL);
                }
                *write
            }
            What::Copy { write } => {
                piece.inside = first % logical;
                piece.at = first - piece.inside;
                piece.count = left.min(BUFFER as u64 - piece.inside);
                *write
            }
        };
        piece.len = (piece.inside + piece.count).next_multiple_of(logical);
        if matches!(job.what, What::Command { .. }) {
            piece.len = piece.count;
        }
        piece.now = piece.len;
        piece.partial = write && piece.len != piece.count;
        if write && !piece.partial {
            piece.kind = Kind::Write;
        }
        let buffered = matches!(job.what, What::Copy { .. });
        let busy = self.free_tags.is_empty() || buffered && self.free_buffers.is_empty();
        if busy || write && self.pieces.iter().flatten().any(|other| other.excludes(&piece)) {
            return Ok(None);
        }
        if buffered {
            piece.buffer = self.free_buffers.pop();
            if piece.kind == Kind::Write {
                if let Err(error) = self.fill(&piece) {
                    self.free_buffers.extend(piece.buffer);
                    return Err(error);
                }
            }
        }
        Ok(Some(piece))
    }

    /// Puts a job's bytes into their piece's buffer.
    fn fill(&self, piece: &Piece) -> Result<()> {
        let (Some(job), Some(buffer)) = (self.jobs.get(&piece.job), piece.buffer) else { return Err(Errno::EIO) };
        let mut data = vec![0; piece.count as usize];
        job.fetch(piece.offset, &mut data)?;
        self.memory.copy_in(buffer * BUFFER + piece.inside as usize, &data)
    }
}

impl Piece {
    /// Where its next command begins.
    fn place(&self) -> u64 {
        self.at + self.moved
    }

    /// Whether it moves data.
    fn moves(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::Write)
    }

    fn is_given(&self) -> bool {
        self.since.is_some()
    }

    /// Whether another write must wait for this one: one of them reads the sectors that the other writes.
    fn excludes(&self, other: &Piece) -> bool {
        let writes = self.partial || self.kind == Kind::Write;
        let overlap = self.at < other.at + other.len && other.at < self.at + self.len;
        writes && (self.partial || other.partial) && overlap
    }
}

/// Adjacent pieces of memory: `len` bytes of an object from `memory` on, in up to `most` segments.
fn scatter(pages: &[u64], memory: u64, len: u64, most: usize) -> Vec<Segment> {
    let mut parts: Vec<Segment> = Vec::new();
    let (mut at, end) = (memory, memory + len);
    while at < end {
        let Some(page) = pages.get((at / PAGE) as usize) else { break };
        let len = (PAGE - at % PAGE).min(end - at) as u32;
        let address = page + at % PAGE;
        let full = parts.len() == most;
        match parts.last_mut().filter(|last| last.address + u64::from(last.len) == address) {
            Some(last) => last.len += len,
            None if full => break,
            None => parts.push(Segment { address, len }),
        }
        at += u64::from(len);
    }
    parts
}
