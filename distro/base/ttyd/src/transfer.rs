//! read and write on both sides, and who goes on when something changed.

use crate::jobs::signal_group;
use crate::line::Wanted;
use crate::names;
use crate::server::{Role, Ttys};
use crate::terminal::{ARRIVED_MAX, Id, SERIAL, Side, Terminal, Wait};
use ochre_rt::syscall;
use ochre_scheme::abi::file::O_NONBLOCK;
use ochre_scheme::abi::signal::{SIGTTIN, SIGTTOU};
use ochre_scheme::{Answer, Errno, Op, Request, Result};
use std::time::{Duration, Instant};

/// Bytes of a write that are moved at a time.
const PART: usize = 4096;
/// TIOCPKT_DATA: what precedes data in packet mode.
const PACKET_DATA: u8 = 0;

impl Ttys {
    /// read(2).
    pub fn start_read(&mut self, request: &mut Request, len: usize) -> Result<Answer> {
        let handle = self.handles.get_mut(&request.handle()).ok_or(Errno::EBADF)?;
        let (id, side) = match handle.role {
            Role::Terminal(id) => (id, Side::Reader),
            Role::Master(id) => (id, Side::MasterReader),
            Role::HungUp => return request.data_answer(),
            Role::Directory => return Err(Errno::EISDIR),
            Role::Path => return Err(Errno::EBADF),
            Role::Sessions => {
                let data: Vec<u8> = handle.text.drain(..len.min(handle.text.len())).collect();
                request.put(&data)?;
                return request.data_answer();
            }
        };
        if side == Side::Reader {
            let caller = request.caller_info()?;
            self.check(id, &caller, SIGTTIN)?;
        }
        self.begin(request, id, side)
    }

    /// write(2).
    pub fn start_write(&mut self, request: &mut Request, _len: usize) -> Result<Answer> {
        let (id, side) = match self.handles.get(&request.handle()).ok_or(Errno::EBADF)?.role {
            Role::Terminal(id) => (id, Side::Writer),
            Role::Master(id) => (id, Side::MasterWriter),
            Role::HungUp => return Err(Errno::EIO),
            Role::Directory | Role::Sessions | Role::Path => return Err(Errno::EBADF),
        };
        let stops = |terminal: &Terminal| terminal.line.termios().local(libc::TOSTOP);
        if side == Side::Writer && self.terminals.get(&id).is_some_and(stops) {
            let caller = request.caller_info()?;
            self.check(id, &caller, SIGTTOU)?;
        }
        self.begin(request, id, side)
    }

    /// Does what can be done at once; the rest waits, unless the handle may not.
    fn begin(&mut self, request: &mut Request, id: Id, side: Side) -> Result<Answer> {
        let mut done = 0;
        if let Some(result) = self.attempt(request, id, side, &mut done, None) {
            self.settle(id);
            return result;
        }
        let status = match request.op() {
            Op::Read { status, .. } | Op::Write { status, .. } => status,
            _ => 0,
        };
        if status & O_NONBLOCK != 0 {
            let result = self.partial(request, id, side, done);
            self.settle(id);
            return result;
        }
        let wait = Wait::new(request.defer(), done);
        if let Some(terminal) = self.terminals.get_mut(&id) {
            queue(terminal, side).push_back(wait);
        }
        self.settle(id);
        Ok(Answer::later())
    }

    /// What a handle that does not wait gets: what there is, else EAGAIN.
    fn partial(&mut self, request: &mut Request, id: Id, side: Side, done: usize) -> Result<Answer> {
        let terminal = self.terminals.get_mut(&id).ok_or(Errno::EIO)?;
        match (side, request.op()) {
            (Side::Reader, Op::Read { len, .. }) if terminal.line.has_input() => {
                let data = terminal.line.read(len);
                request.put(&data)?;
                request.data_answer()
            }
            _ if done > 0 => Ok(Answer::value(done)),
            _ => Err(Errno::EAGAIN),
        }
    }

    /// Tries a request; `None`: it has to wait. `since`: when a read began to wait.
    fn attempt(
        &mut self,
        request: &mut Request,
        id: Id,
        side: Side,
        done: &mut usize,
        since: Option<Instant>,
    ) -> Option<Result<Answer>> {
        let Some(terminal) = self.terminals.get_mut(&id) else { return Some(Err(Errno::EIO)) };
        let len = match request.op() {
            Op::Read { len, .. } | Op::Write { len, .. } => len,
            _ => 0,
        };
        match side {
            Side::Reader => read_line(terminal, request, len, since),
            Side::MasterReader => read_output(terminal, request, len),
            Side::Writer => write_part(request, len, done, |data| {
                terminal.attributes.written = names::now();
                terminal.line.write(data)
            }),
            Side::MasterWriter => write_part(request, len, done, |data| {
                let room = ARRIVED_MAX.saturating_sub(terminal.arrived.len()).min(data.len());
                terminal.arrived.extend(&data[..room]);
                room
            }),
        }
    }

    /// Something changed at a terminal: everybody who can goes on, signals are sent, and readiness is told.
    pub fn settle(&mut self, id: Id) {
        loop {
            let Some(terminal) = self.terminals.get_mut(&id) else { return };
            let mut progress = terminal.pump();
            for signal in terminal.line.take_signals() {
                if let Some(group) = terminal.foreground {
                    signal_group(group, signal);
                }
            }
            self.send_serial(id);
            for side in [Side::Reader, Side::Writer, Side::MasterReader, Side::MasterWriter] {
                progress |= self.serve(id, side);
            }
            if !progress {
                break;
            }
        }
        self.send_serial(id);
        self.update_all(id);
    }

    /// Asks each waiting request of a side once; true if one went on.
    fn serve(&mut self, id: Id, side: Side) -> bool {
        let Some(terminal) = self.terminals.get_mut(&id) else { return false };
        let waiting = std::mem::take(queue(terminal, side));
        let mut progress = false;
        let mut left = std::collections::VecDeque::new();
        for mut wait in waiting {
            // Who was moved to the background (or stopped there) while it waited gets nothing of what is typed now.
            let caller = if side == Side::Reader { wait.request.caller_info().ok() } else { None };
            let before = wait.done;
            if caller.is_some_and(|caller| !self.in_foreground(id, &caller)) {
                left.push_back(wait);
                continue;
            }
            match self.attempt(&mut wait.request, id, side, &mut wait.done, Some(wait.since)) {
                Some(result) => {
                    progress = true;
                    wait.request.answer(result);
                }
                None => {
                    progress |= wait.done != before;
                    left.push_back(wait);
                }
            }
        }
        if let Some(terminal) = self.terminals.get_mut(&id) {
            let queue = queue(terminal, side);
            left.append(queue);
            *queue = left;
        }
        progress
    }

    /// Sends the serial line's output.
    fn send_serial(&mut self, id: Id) {
        let (Some(serial), Some(terminal)) = (&self.serial, self.terminals.get_mut(&id)) else { return };
        if id != SERIAL {
            return;
        }
        if let Some(byte) = terminal.line.throttle() {
            terminal.line.put_urgent(byte);
        }
        loop {
            let data = terminal.line.take_output(PART);
            if data.is_empty() {
                return;
            }
            let mut rest = &data[..];
            while !rest.is_empty() {
                match syscall::write(serial.get(), rest) {
                    Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or(&[]),
                    // The line is broken; what was to go over it is lost, as on any line.
                    _ => return,
                }
            }
        }
    }

    /// The serial device has input.
    pub fn serial_input(&mut self) {
        let mut buffer = [0; 256];
        let Some(serial) = &self.serial else { return };
        let Ok(got) = syscall::read(serial.get(), &mut buffer) else { return };
        if let Some(terminal) = self.terminals.get_mut(&SERIAL) {
            let room = ARRIVED_MAX.saturating_sub(terminal.arrived.len()).min(got);
            terminal.arrived.extend(&buffer[..room]);
        }
        self.settle(SERIAL);
    }

    /// How long until a read's VTIME is over; `None` if none waits for that.
    pub fn next_deadline(&self) -> Option<Duration> {
        let now = Instant::now();
        let ends = self.terminals.values().flat_map(|terminal| {
            terminal.readers.iter().filter_map(|wait| match wait.request.op() {
                Op::Read { len, .. } => deadline(terminal, len, wait.since),
                _ => None,
            })
        });
        ends.min().map(|end| end.saturating_duration_since(now))
    }

    /// Ends the reads whose VTIME is over.
    pub fn expire(&mut self) {
        let due: Vec<Id> =
            self.terminals.values().filter(|terminal| !terminal.readers.is_empty()).map(|t| t.id).collect();
        due.into_iter().for_each(|id| self.settle(id));
    }
}

fn queue(terminal: &mut Terminal, side: Side) -> &mut std::collections::VecDeque<Wait> {
    match side {
        Side::Reader => &mut terminal.readers,
        Side::Writer => &mut terminal.writers,
        Side::MasterReader => &mut terminal.master_readers,
        Side::MasterWriter => &mut terminal.master_writers,
    }
}

/// When a waiting read ends without more input.
fn deadline(terminal: &Terminal, len: usize, since: Instant) -> Option<Instant> {
    match terminal.line.wanted(len) {
        Wanted::Now => Some(since),
        Wanted::Input => None,
        Wanted::Within(time) => Some(since + time),
        // The pause is measured from the last byte, but not from one that was there before the read began.
        Wanted::Pause(time) => Some(terminal.last_input.max(since) + time),
    }
}

fn read_line(
    terminal: &mut Terminal,
    request: &mut Request,
    len: usize,
    since: Option<Instant>,
) -> Option<Result<Answer>> {
    if len > 0 {
        let now = Instant::now();
        if deadline(terminal, len, since.unwrap_or(now)).is_none_or(|end| end > now) {
            return None;
        }
    }
    let data = terminal.line.read(len);
    if !data.is_empty() {
        terminal.attributes.accessed = names::now();
    }
    Some(request.put(&data).and_then(|_| request.data_answer()))
}

/// The master reads what was written to the terminal, and in packet mode what happened to it.
fn read_output(terminal: &mut Terminal, request: &mut Request, len: usize) -> Option<Result<Answer>> {
    if len == 0 {
        return Some(request.data_answer());
    }
    let mut data = Vec::new();
    if terminal.line.is_packet() {
        if let Some(status) = terminal.line.take_status() {
            return Some(request.put(&[status]).and_then(|_| request.data_answer()));
        }
        data.push(PACKET_DATA);
    }
    data.extend(terminal.line.take_output(len - data.len()));
    if data.len() > usize::from(terminal.line.is_packet()) {
        return Some(request.put(&data).and_then(|_| request.data_answer()));
    }
    let closed = terminal.master.as_ref().is_some_and(|master| master.other_closed);
    closed.then_some(Err(Errno::EIO))
}

/// Moves what `take` has room for; `None` until all is moved.
fn write_part(
    request: &Request,
    len: usize,
    done: &mut usize,
    mut take: impl FnMut(&[u8]) -> usize,
) -> Option<Result<Answer>> {
    let mut buffer = [0; PART];
    while *done < len {
        let got = match request.data_at(*done, &mut buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(_) if *done > 0 => break,
            Err(error) => return Some(Err(error)),
        };
        let taken = take(&buffer[..got]);
        *done += taken;
        if taken < got {
            return None;
        }
    }
    Some(Ok(Answer::value(*done)))
}
