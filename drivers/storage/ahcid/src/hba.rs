//! The controller's registers (AHCI 1.3.1, chapter 3).

use ochre_pci::Device;
use ochre_rt::mapping::Mapping;
use ochre_scheme::{Errno, Result};
use std::time::{Duration, Instant};

/// The base address register with all of it.
const BAR: u8 = 5;
/// Where the ports' registers are, and bytes of each.
const PORTS: usize = 0x100;
const PORT: usize = 0x80;

const CAPABILITIES: usize = 0x00;
const CONTROL: usize = 0x04;
const INTERRUPTS: usize = 0x08;
const IMPLEMENTED: usize = 0x0c;
const CAPABILITIES_2: usize = 0x24;
const HANDOFF: usize = 0x28;

/// Global control: reset, interrupts, AHCI mode.
const RESET: u32 = 1;
const INTERRUPT_ENABLE: u32 = 1 << 1;
const AHCI: u32 = 1 << 31;
/// Handoff: the firmware owns it; the system does; the firmware is busy giving it up.
const FIRMWARE_OWNS: u32 = 1;
const SYSTEM_OWNS: u32 = 1 << 1;
const FIRMWARE_BUSY: u32 = 1 << 4;

/// How long a controller may take to reset itself (10.4.3).
const RESET_TIME: Duration = Duration::from_secs(1);

/// A controller.
pub struct Hba {
    registers: Mapping,
    base: usize,
    capabilities: u32,
    ports: u32,
}

/// Waits until `done`. ETIMEDOUT.
pub fn wait(time: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    let mut tries = 0u32;
    while !done()? {
        if begin.elapsed() > time {
            return Err(Errno::ETIMEDOUT);
        }
        tries += 1;
        // Most things take microseconds; what does not shall not keep a CPU busy.
        if tries > 1000 { std::thread::sleep(Duration::from_millis(1)) } else { std::thread::yield_now() }
    }
    Ok(())
}

impl Hba {
    /// Takes the controller over from firmware or a dead driver: reset, in AHCI mode, its interrupts off. ENODEV: it cannot reach all memory.
    pub fn start(device: &Device) -> Result<Hba> {
        let (registers, base) = device.registers(BAR, 0, PORTS)?;
        let ports = registers.read32(base + IMPLEMENTED)?;
        let len = PORTS + PORT * (32 - ports.leading_zeros()) as usize;
        let (registers, base) = device.registers(BAR, 0, len)?;
        let mut hba = Hba { registers, base, capabilities: 0, ports };
        hba.take_over()?;
        hba.write(CONTROL, AHCI)?;
        hba.write(CONTROL, AHCI | RESET)?;
        wait(RESET_TIME, || Ok(hba.read(CONTROL)? & RESET == 0))?;
        hba.write(CONTROL, AHCI)?;
        hba.write(INTERRUPTS, u32::MAX)?;
        hba.capabilities = hba.read(CAPABILITIES)?;
        hba.ports = hba.read(IMPLEMENTED)? & ports;
        if hba.capabilities >> 31 == 0 {
            eprintln!("ahcid: this controller reaches no memory above 4 GiB");
            return Err(Errno::ENODEV);
        }
        Ok(hba)
    }

    /// The firmware may still use the controller, for a keyboard's sake or so (10.6.3).
    fn take_over(&self) -> Result<()> {
        if self.read(CAPABILITIES_2)? & 1 == 0 || self.read(HANDOFF)? & FIRMWARE_OWNS == 0 {
            return Ok(());
        }
        self.write(HANDOFF, self.read(HANDOFF)? | SYSTEM_OWNS)?;
        // Firmware that does not let go within its time is taken for dead.
        let free = || Ok(self.read(HANDOFF)? & (FIRMWARE_OWNS | FIRMWARE_BUSY) == 0);
        wait(Duration::from_secs(2), free).or(Ok(()))
    }

    /// From now on ports interrupt.
    pub fn enable_interrupts(&self) -> Result<()> {
        self.write(INTERRUPTS, u32::MAX)?;
        self.write(CONTROL, AHCI | INTERRUPT_ENABLE)
    }

    /// A port's interrupt was seen.
    pub fn seen(&self, port: usize) -> Result<()> {
        self.write(INTERRUPTS, 1 << port)
    }

    /// The ports that there are.
    pub fn ports(&self) -> impl Iterator<Item = usize> {
        let ports = self.ports;
        (0..32).filter(move |n| ports & 1 << n != 0)
    }

    /// Slots for commands of a port.
    pub fn slots(&self) -> usize {
        (self.capabilities >> 8 & 31) as usize + 1
    }

    /// Whether it can queue commands natively.
    pub fn queues(&self) -> bool {
        self.capabilities & 1 << 30 != 0
    }

    /// Whether it can clear a port's busy flag.
    pub fn overrides(&self) -> bool {
        self.capabilities & 1 << 24 != 0
    }

    fn read(&self, register: usize) -> Result<u32> {
        self.registers.read32(self.base + register)
    }

    fn write(&self, register: usize, value: u32) -> Result<()> {
        self.registers.write32(self.base + register, value)
    }

    /// A register of a port.
    pub fn read_port(&self, port: usize, register: usize) -> Result<u32> {
        self.read(PORTS + PORT * port + register)
    }

    /// Sets a register of a port.
    pub fn write_port(&self, port: usize, register: usize, value: u32) -> Result<()> {
        self.write(PORTS + PORT * port + register, value)
    }
}
