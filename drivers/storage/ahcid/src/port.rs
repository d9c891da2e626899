//! One port (AHCI 1.3.1, sections 3.3, 4.2, 5.5, 6.2 and 10).

use crate::fis::Fis;
use crate::fis::packet::Packet;
use crate::hba::{Hba, wait};
use ochre_block::server::Segment;
use ochre_pci::{Device, Dma};
use ochre_scheme::{Errno, Result};
use std::sync::Arc;
use std::time::Duration;

/// Registers.
mod register {
    pub const LIST: usize = 0x00;
    pub const FIS: usize = 0x08;
    pub const INTERRUPTS: usize = 0x10;
    pub const INTERRUPT_ENABLE: usize = 0x14;
    pub const COMMAND: usize = 0x18;
    pub const TASK: usize = 0x20;
    pub const SIGNATURE: usize = 0x24;
    pub const STATUS: usize = 0x28;
    pub const CONTROL: usize = 0x2c;
    pub const ERROR: usize = 0x30;
    pub const ACTIVE: usize = 0x34;
    pub const ISSUE: usize = 0x38;
}

/// Command: started; spin up; power; clear the busy flag; FIS receive; receive runs; list runs.
const START: u32 = 1;
const SPIN_UP: u32 = 1 << 1;
const POWER: u32 = 1 << 2;
const OVERRIDE: u32 = 1 << 3;
const RECEIVE: u32 = 1 << 4;
const RECEIVE_RUNS: u32 = 1 << 14;
const LIST_RUNS: u32 = 1 << 15;
/// Task file: busy or wants data.
const BUSY: u32 = 0x88;
/// Interrupts: FISes of all kinds, and a processed descriptor; a changed connection; errors.
const NOTICES: u32 = 0x2f;
const CONNECTION: u32 = 1 << 6 | 1 << 22;
const ERRORS: u32 = 1 << 24 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29 | 1 << 30;
/// Command header: packet, write.
const PACKET: u32 = 1 << 5;
const WRITE: u32 = 1 << 6;

/// The memory of a port: command list, received FISes, a page for the driver's own data, command tables.
const FIS_AT: usize = 0x400;
const SCRATCH_AT: usize = 0x1000;
const TABLES_AT: usize = 0x2000;
/// Bytes of a table, and where its packet and its regions of memory are.
const TABLE: usize = 0x1000;
const PACKET_AT: usize = 0x40;
const REGIONS_AT: usize = 0x80;
/// Regions that a table has room for.
pub const REGIONS: usize = (TABLE - REGIONS_AT) / 16;
/// Bytes of the driver's own data.
pub const SCRATCH: usize = TABLES_AT - SCRATCH_AT;

/// How long the port may take to stop or start its engines (10.1.2), and a device to connect.
const ENGINE_TIME: Duration = Duration::from_millis(500);
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// How long a device may take after a reset until it takes commands.
const READY_TIME: Duration = Duration::from_secs(10);

/// What is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ATA disk.
    Disk,
    /// An ATAPI drive.
    Packet,
}

/// A port with something connected.
pub struct Port {
    hba: Arc<Hba>,
    number: usize,
    memory: Dma,
}

/// What a port says after an interrupt.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// Something failed: the port is to be restarted.
    pub failed: bool,
    /// Slots whose commands the device still has, outside of the queue.
    pub issued: u32,
    /// Slots whose commands are still in the queue.
    pub queued: u32,
}

/// Lets the devices of all ports connect; those that have one.
pub fn connected(hba: &Hba) -> Result<Vec<usize>> {
    for port in hba.ports() {
        // A reset controller is idle, but does not power its ports by itself.
        hba.write_port(port, register::COMMAND, SPIN_UP | POWER)?;
    }
    let state = |port| hba.read_port(port, register::STATUS).map(|status| status & 15);
    // A device is seen within 10 ms, and connected a little later (Serial ATA 3.1, 8.4.2). Ports that are empty are waited for together.
    let all: Vec<usize> = hba.ports().collect();
    let seen = || -> Result<bool> { all.iter().try_fold(true, |seen, port| Ok(seen && state(*port)? != 0)) };
    // That some stay empty is no error.
    let _ = wait(Duration::from_millis(20), seen);
    let connects = |port: &usize| {
        state(*port).is_ok_and(|state| state != 0) && wait(CONNECT_TIME, || Ok(state(*port)? == 3)).is_ok()
    };
    Ok(all.iter().copied().filter(connects).collect())
}

impl Port {
    /// Starts a port, which was reset, and tells what is connected. `None`: nothing that this driver knows.
    pub fn start(hba: Arc<Hba>, device: &Device, number: usize) -> Result<Option<(Port, Kind)>> {
        let memory = device.dma(TABLES_AT + hba.slots() * TABLE)?;
        let port = Port { hba, number, memory };
        let addresses = [(register::LIST, port.memory.address), (register::FIS, port.memory.address + FIS_AT as u64)];
        for (at, address) in addresses {
            port.set(at, address as u32)?;
            port.set(at + 4, (address >> 32) as u32)?;
        }
        port.set(register::ERROR, u32::MAX)?;
        port.set(register::COMMAND, port.get(register::COMMAND)? | RECEIVE)?;
        port.ready()?;
        let kind = match port.get(register::SIGNATURE)? {
            0x0000_0101 => Kind::Disk,
            0xeb14_0101 => Kind::Packet,
            other => {
                eprintln!("ahcid: port {number}: what says {other:#x} of itself is not driven");
                return Ok(None);
            }
        };
        port.run()?;
        port.set(register::INTERRUPTS, u32::MAX)?;
        port.set(register::INTERRUPT_ENABLE, NOTICES | CONNECTION | ERRORS)?;
        Ok(Some((port, kind)))
    }

    fn get(&self, at: usize) -> Result<u32> {
        self.hba.read_port(self.number, at)
    }

    fn set(&self, at: usize, value: u32) -> Result<()> {
        self.hba.write_port(self.number, at, value)
    }

    /// Waits until the device takes commands.
    fn ready(&self) -> Result<()> {
        wait(READY_TIME, || Ok(self.get(register::TASK)? & BUSY == 0))
    }

    fn run(&self) -> Result<()> {
        wait(ENGINE_TIME, || Ok(self.get(register::COMMAND)? & LIST_RUNS == 0))?;
        self.set(register::COMMAND, self.get(register::COMMAND)? | START)
    }

    fn stop(&self) -> Result<()> {
        self.set(register::COMMAND, self.get(register::COMMAND)? & !START)?;
        wait(ENGINE_TIME, || Ok(self.get(register::COMMAND)? & LIST_RUNS == 0))
    }

    /// After an error: forgets all commands and goes on (6.2.2). A device that is still busy is reset.
    pub fn restart(&self) -> Result<()> {
        if self.stop().is_err() || self.get(register::TASK)? & BUSY != 0 {
            return self.reset();
        }
        self.set(register::ERROR, u32::MAX)?;
        self.set(register::INTERRUPTS, u32::MAX)?;
        self.run()
    }

    /// Resets the device (COMRESET, 10.4.2), and the port with it. EIO, ETIMEDOUT: there is none any more.
    pub fn reset(&self) -> Result<()> {
        // A port that does not stop is reset all the same.
        let _ = self.stop();
        let command = self.get(register::COMMAND)?;
        self.set(register::CONTROL, self.get(register::CONTROL)? & !15 | 1)?;
        std::thread::sleep(Duration::from_millis(1));
        self.set(register::CONTROL, self.get(register::CONTROL)? & !15)?;
        wait(CONNECT_TIME, || Ok(self.get(register::STATUS)? & 15 == 3))?;
        self.set(register::ERROR, u32::MAX)?;
        if self.ready().is_err() && self.hba.overrides() {
            self.set(register::COMMAND, command | OVERRIDE)?;
            wait(ENGINE_TIME, || Ok(self.get(register::COMMAND)? & OVERRIDE == 0))?;
        }
        self.ready()?;
        self.set(register::INTERRUPTS, u32::MAX)?;
        if self.get(register::COMMAND)? & RECEIVE_RUNS == 0 {
            self.set(register::COMMAND, self.get(register::COMMAND)? | RECEIVE)?;
        }
        self.run()
    }

    /// Takes what happened since the last time.
    pub fn events(&self) -> Result<Events> {
        let interrupts = self.get(register::INTERRUPTS)?;
        if interrupts != 0 {
            self.set(register::INTERRUPTS, interrupts)?;
            self.hba.seen(self.number)?;
            if interrupts & CONNECTION != 0 {
                self.set(register::ERROR, 1 << 26 | 1 << 16)?;
            }
        }
        // What ends from here on interrupts anew. Some controllers take a command that failed out of its slot, so that a failure that came
        // between the two looks must not go for a success.
        let (issued, queued) = (self.get(register::ISSUE)?, self.get(register::ACTIVE)?);
        let failed = (interrupts | self.get(register::INTERRUPTS)?) & ERRORS != 0;
        Ok(Events { failed, issued, queued })
    }

    /// Writes a command into a slot.
    pub fn prepare(
        &self,
        slot: usize,
        fis: &Fis,
        packet: Option<&Packet>,
        write: bool,
        data: &[Segment],
    ) -> Result<()> {
        if data.len() > REGIONS || slot >= self.hba.slots() {
            return Err(Errno::EINVAL);
        }
        let memory = &self.memory.memory;
        let table = TABLES_AT + slot * TABLE;
        memory.copy_in(table, &fis.bytes())?;
        if let Some(packet) = packet {
            memory.copy_in(table + PACKET_AT, packet)?;
            memory.write32(table + PACKET_AT + 12, 0)?;
        }
        for (n, part) in data.iter().enumerate() {
            let at = table + REGIONS_AT + 16 * n;
            memory.write64(at, part.address)?;
            memory.write32(at + 8, 0)?;
            memory.write32(at + 12, part.len.wrapping_sub(1) & 0x3f_ffff)?;
        }
        let kind = if write { WRITE } else { 0 } | if packet.is_some() { PACKET } else { 0 };
        let header = slot * 32;
        let address = self.memory.address + table as u64;
        // The FIS has five words.
        memory.write32(header, 5 | kind | (data.len() as u32) << 16)?;
        memory.write32(header + 4, 0)?;
        memory.write64(header + 8, address)?;
        memory.barrier();
        Ok(())
    }

    /// Gives a slot's command to the device.
    pub fn issue(&self, slot: usize, queued: bool) -> Result<()> {
        if queued {
            self.set(register::ACTIVE, 1 << slot)?;
        }
        self.set(register::ISSUE, 1 << slot)
    }

    /// Does a command in slot 0 at once, with up to [`SCRATCH`] bytes of the driver's own memory. Nothing else may be under way. EIO, ETIMEDOUT.
    pub fn at_once(&self, fis: &Fis, len: usize) -> Result<()> {
        let own = [self.scratch(len)];
        self.prepare(0, fis, None, false, if len == 0 { &[] } else { &own })?;
        self.set(register::INTERRUPTS, u32::MAX)?;
        self.issue(0, false)?;
        let mut failed = false;
        let over = wait(READY_TIME, || {
            failed = self.get(register::INTERRUPTS)? & ERRORS != 0;
            Ok(failed || self.get(register::ISSUE)? & 1 == 0)
        });
        self.set(register::INTERRUPTS, u32::MAX)?;
        if over.is_err() || failed {
            self.restart()?;
            return over.and(Err(Errno::EIO));
        }
        Ok(())
    }

    /// The driver's own memory.
    pub fn scratch(&self, len: usize) -> Segment {
        Segment { address: self.memory.address + SCRATCH_AT as u64, len: len.min(SCRATCH) as u32 }
    }

    /// Reads the driver's own memory.
    pub fn look(&self, to: &mut [u8]) -> Result<()> {
        self.memory.memory.copy_out(SCRATCH_AT, to)
    }

    /// Writes the driver's own memory.
    pub fn note(&self, from: &[u8]) -> Result<()> {
        self.memory.memory.copy_in(SCRATCH_AT, from)
    }

    /// Its number, for the log.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Slots.
    pub fn slots(&self) -> usize {
        self.hba.slots()
    }

    /// Whether the controller can queue natively.
    pub fn queues(&self) -> bool {
        self.hba.queues()
    }
}
