//! ioctl(2) of terminals (ioctl_tty(2), Linux's tty_io.c, tty_ioctl.c, n_tty.c, pty.c).

use crate::server::Ttys;
use crate::terminal::{Id, SERIAL, Terminal};
use crate::termios::Termios;
use ochre_rt::syscall;
use ochre_scheme::abi::call::CallerInfo;
use ochre_scheme::abi::signal::{SIGTTOU, SIGWINCH};
use ochre_scheme::{Answer, Errno, Request, Result};

/// The requests, by Linux's numbers (asm-generic/ioctls.h).
mod number {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    pub const TCSBRK: u32 = 0x5409;
    pub const TCXONC: u32 = 0x540a;
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCEXCL: u32 = 0x540c;
    pub const TIOCNXCL: u32 = 0x540d;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCSTI: u32 = 0x5412;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCPKT: u32 = 0x5420;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TIOCSETD: u32 = 0x5423;
    pub const TIOCGETD: u32 = 0x5424;
    pub const TCSBRKP: u32 = 0x5425;
    pub const TIOCSBRK: u32 = 0x5427;
    pub const TIOCCBRK: u32 = 0x5428;
    pub const TIOCGSID: u32 = 0x5429;
    pub const TCGETS2: u32 = 0x802c_542a;
    pub const TCSETS2: u32 = 0x402c_542b;
    pub const TCSETSW2: u32 = 0x402c_542c;
    pub const TCSETSF2: u32 = 0x402c_542d;
    pub const TIOCGPTN: u32 = 0x8004_5430;
    pub const TIOCSPTLCK: u32 = 0x4004_5431;
    pub const TIOCGDEV: u32 = 0x8004_5432;
    pub const TIOCVHANGUP: u32 = 0x5437;
    pub const TIOCGPKT: u32 = 0x8004_5438;
    pub const TIOCGPTLCK: u32 = 0x8004_5439;
    pub const TIOCGEXCL: u32 = 0x8004_5440;
}
use number::*;

/// TCXONC's and TCFLSH's arguments.
const TCOOFF: u64 = 0;
const TCOON: u64 = 1;
const TCIOFF: u64 = 2;
const TCION: u64 = 3;
const TCIFLUSH: u64 = 0;
const TCOFLUSH: u64 = 1;
const TCIOFLUSH: u64 = 2;
/// The only line discipline, N_TTY.
const N_TTY: i32 = 0;

impl Ttys {
    /// One ioctl; ENOTTY for a request that there is not.
    pub fn control(&mut self, request: &mut Request, command: u32, argument: u64) -> Result<Answer> {
        let (terminal, master) = self.terminal_of(request.handle())?;
        let id = terminal.id;
        let caller = request.caller_info()?;
        self.check_change(id, &caller, command)?;
        match command {
            TCGETS | TCGETS2 => {
                let bytes = self.of(id)?.line.termios().encode(command == TCGETS2);
                answer(request, &bytes)
            }
            TCSETS | TCSETSW | TCSETSF | TCSETS2 | TCSETSW2 | TCSETSF2 => {
                self.set_termios(id, request.payload(), matches!(command, TCSETSF | TCSETSF2))
            }
            // What was written is with the master, or on the wire, already; and no line here can send a break.
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => Ok(Answer::done()),
            TCXONC => self.flow(id, argument),
            TCFLSH => self.flush(id, master, argument),
            TIOCEXCL | TIOCNXCL => {
                self.of(id)?.exclusive = command == TIOCEXCL;
                Ok(Answer::done())
            }
            TIOCGEXCL => {
                let exclusive = self.of(id)?.exclusive;
                answer(request, &i32::from(exclusive).to_ne_bytes())
            }
            TIOCSCTTY | TIOCNOTTY | TIOCGPGRP | TIOCSPGRP | TIOCGSID => {
                self.control_job(request, command, argument, id, master, &caller)
            }
            TIOCOUTQ => answer(request, &0_i32.to_ne_bytes()),
            FIONREAD => {
                let terminal = self.of(id)?;
                let count = if master { terminal.line.output_len() } else { terminal.line.readable() };
                answer(request, &(count as i32).to_ne_bytes())
            }
            TIOCSTI => {
                if caller.uid != 0 && self.controlling(&caller) != Some(id) {
                    return Err(Errno::EPERM);
                }
                let byte = request.parse::<u8>()?;
                self.of(id)?.arrived.push_back(byte);
                self.settle(id);
                Ok(Answer::done())
            }
            TIOCGWINSZ => {
                let size = self.of(id)?.size;
                answer(request, &size)
            }
            TIOCSWINSZ => {
                let size = request.parse()?;
                let terminal = self.of(id)?;
                if std::mem::replace(&mut terminal.size, size) != size {
                    if let Some(group) = terminal.foreground {
                        crate::jobs::signal_group(group, SIGWINCH);
                    }
                }
                Ok(Answer::done())
            }
            TIOCSETD => {
                if request.parse::<i32>()? == N_TTY {
                    Ok(Answer::done())
                } else {
                    Err(Errno::EINVAL)
                }
            }
            TIOCGETD => answer(request, &N_TTY.to_ne_bytes()),
            TIOCGDEV => {
                let (major, minor) = self.of(id)?.device();
                let device = minor & 0xff | major << 8 | (minor & !0xff) << 12;
                answer(request, &device.to_ne_bytes())
            }
            TIOCVHANGUP => {
                if caller.uid != 0 {
                    return Err(Errno::EPERM);
                }
                self.hang_up_session(id);
                self.hang_up(id);
                if id == SERIAL {
                    self.of(id)?.reset();
                }
                self.settle(id);
                Ok(Answer::done())
            }
            TIOCGPTN | TIOCSPTLCK | TIOCGPTLCK | TIOCPKT | TIOCGPKT if master => {
                self.control_master(request, command, id)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn of(&mut self, id: Id) -> Result<&mut Terminal> {
        self.terminals.get_mut(&id).ok_or(Errno::EIO)
    }

    /// What changes a terminal stops a process in the background.
    fn check_change(&self, id: Id, caller: &CallerInfo, command: u32) -> Result<()> {
        match command {
            TCSETS | TCSETSW | TCSETSF | TCSETS2 | TCSETSW2 | TCSETSF2 | TCSBRK | TCSBRKP | TCXONC | TCFLSH
            | TIOCSBRK | TIOCCBRK | TIOCSETD | TIOCSPGRP => self.check(id, caller, SIGTTOU),
            _ => Ok(()),
        }
    }

    fn set_termios(&mut self, id: Id, bytes: &[u8], flush: bool) -> Result<Answer> {
        let mut new = Termios::decode(bytes)?;
        if id != SERIAL {
            // A pty has no wire: eight bits, no parity (pty_set_termios).
            new.cflag = new.cflag & !(libc::CSIZE | libc::PARENB) | libc::CS8 | libc::CREAD;
        }
        if flush {
            self.flush_input(id);
        }
        self.of(id)?.line.set_termios(new);
        self.settle(id);
        Ok(Answer::done())
    }

    fn flow(&mut self, id: Id, action: u64) -> Result<Answer> {
        let terminal = self.of(id)?;
        match action {
            TCOOFF => terminal.line.stop(true),
            TCOON => terminal.line.start_by_call(),
            TCIOFF | TCION => {
                let index = if action == TCIOFF { libc::VSTOP } else { libc::VSTART };
                let byte = terminal.line.termios().cc[index];
                if byte != crate::termios::DISABLED {
                    terminal.line.put_urgent(byte);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        self.settle(id);
        Ok(Answer::done())
    }

    /// TCFLSH. Seen from the master, input is what it has not read, output what the terminal's side has not.
    fn flush(&mut self, id: Id, master: bool, what: u64) -> Result<Answer> {
        let (input, output) = match what {
            TCIFLUSH => (true, false),
            TCOFLUSH => (false, true),
            TCIOFLUSH => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let (input, output) = if master { (output, input) } else { (input, output) };
        if input {
            self.flush_input(id);
        }
        if output {
            self.of(id)?.line.flush_output();
        }
        self.settle(id);
        Ok(Answer::done())
    }

    fn control_job(
        &mut self,
        request: &mut Request,
        command: u32,
        argument: u64,
        id: Id,
        master: bool,
        caller: &CallerInfo,
    ) -> Result<Answer> {
        match command {
            // The master's side is no terminal that could control anything.
            TIOCSCTTY if master => Err(Errno::EIO),
            TIOCSCTTY => {
                self.reap();
                self.acquire_by_call(id, caller, argument == 1)?;
                Ok(Answer::done())
            }
            TIOCNOTTY => {
                self.give_up(id, caller)?;
                Ok(Answer::done())
            }
            TIOCGPGRP | TIOCGSID => {
                if !master && self.controlling(caller) != Some(id) {
                    return Err(Errno::ENOTTY);
                }
                let terminal = self.of(id)?;
                let number = match command {
                    TIOCGPGRP => terminal.foreground.unwrap_or(0),
                    _ => terminal.session.ok_or(Errno::ENOTTY)?,
                };
                answer(request, &number.to_ne_bytes())
            }
            _ => {
                let group: i32 = request.parse()?;
                let terminal = self.of(id)?;
                if terminal.session != Some(caller.sid) || self.controlling(caller) != Some(id) {
                    return Err(Errno::ENOTTY);
                }
                let group = u32::try_from(group).map_err(|_| Errno::EINVAL)?;
                if syscall::group_info(group)?.sid != caller.sid {
                    return Err(Errno::EPERM);
                }
                self.of(id)?.foreground = Some(group);
                // A reader that waited in the background may be in the foreground now.
                self.settle(id);
                Ok(Answer::done())
            }
        }
    }

    fn control_master(&mut self, request: &mut Request, command: u32, id: Id) -> Result<Answer> {
        let terminal = self.of(id)?;
        let master = terminal.master.as_mut().ok_or(Errno::ENOTTY)?;
        let value = match command {
            TIOCGPTN => id as i32,
            TIOCGPTLCK => i32::from(master.locked),
            TIOCGPKT => i32::from(terminal.line.is_packet()),
            TIOCSPTLCK => {
                master.locked = request.parse::<i32>()? != 0;
                return Ok(Answer::done());
            }
            _ => {
                terminal.line.set_packet(request.parse::<i32>()? != 0);
                self.settle(id);
                return Ok(Answer::done());
            }
        };
        answer(request, &value.to_ne_bytes())
    }
}

fn answer(request: &mut Request, bytes: &[u8]) -> Result<Answer> {
    if request.put(bytes)? < bytes.len() { Err(Errno::EINVAL) } else { Ok(Answer::done()) }
}
