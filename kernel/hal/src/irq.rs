//! Device interrupts: I/O APIC lines, message-signalled interrupts, and what every interrupt vector does.
//!
//! Sources: Intel 82093AA (I/O APIC), SDM volume 3 section 11.11 (message-signalled interrupts), ACPI 6.5 section 5.2.12
//! (which line an ISA interrupt is on), Intel 8259A.

use alloc::vec::Vec;

use crate::apic::{self, vector};
use crate::layout::{PAGE, phys_to_virt};
use crate::{Once, SpinLock, acpi, cpu, device, glue, io::port, paging, time};

/// Vectors for devices.
const FIRST: u8 = 0x40;
const COUNT: usize = 0xa0;

/// Why there is no interrupt to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqError {
    /// No I/O APIC has this line.
    NoSuchLine,
    /// The line is in use.
    Busy,
    /// All vectors are in use.
    NoVector,
}

/// What a device vector is used for.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Free,
    Msi,
    Line { gsi: u32, level: bool },
}

struct Chip {
    registers: usize,
    first_gsi: u32,
    lines: u32,
}

static CHIPS: Once<Vec<Chip>> = Once::new();
static VECTORS: SpinLock<[Use; COUNT]> = SpinLock::new([Use::Free; COUNT]);
/// Guards the chips' index registers.
static REGISTERS: SpinLock<()> = SpinLock::new(());

const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;
const MASK: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

impl Chip {
    fn access<R>(&self, index: u32, f: impl FnOnce(*mut u32) -> R) -> R {
        let _guard = REGISTERS.lock();
        // SAFETY: the I/O APIC's index register, mapped uncached; hal alone drives it, under the lock.
        unsafe { (self.registers as *mut u32).write_volatile(index) };
        f((self.registers + 0x10) as *mut u32)
    }

    fn read(&self, index: u32) -> u32 {
        // SAFETY: the window onto the register selected, under the lock.
        self.access(index, |window| unsafe { window.read_volatile() })
    }

    fn write(&self, index: u32, value: u32) {
        // SAFETY: as for reading. Which interrupts arrive is all that these registers decide.
        self.access(index, |window| unsafe { window.write_volatile(value) });
    }
}

/// Silences the PICs and masks all lines of the I/O APICs.
pub(crate) fn init() {
    // SAFETY: the PICs are initialised with vectors from 0x20, which nothing else uses, so that a spurious one cannot pass for
    // an exception, and masked.
    unsafe {
        for (command, base, wiring) in [(0x20, 0x20, 4), (0xa0, 0x28, 2)] {
            port::out8(command, 0x11);
            port::out8(command + 1, base);
            port::out8(command + 1, wiring);
            port::out8(command + 1, 1);
            port::out8(command + 1, 0xff);
        }
    }
    let mut chips = Vec::new();
    for found in acpi::io_apics() {
        device::keep(found.phys & !(PAGE as u64 - 1), PAGE as u64);
        let mut chip = Chip { registers: phys_to_virt(found.phys), first_gsi: found.first_gsi, lines: 0 };
        chip.lines = (chip.read(VERSION) >> 16 & 0xff) + 1;
        for line in 0..chip.lines {
            chip.write(REDIRECTION + 2 * line, MASK);
        }
        chips.push(chip);
    }
    assert!(CHIPS.set(chips).is_ok(), "irq::init called twice");
}

fn chip_of(gsi: u32) -> Option<(&'static Chip, u32)> {
    let chips = CHIPS.get()?;
    chips.iter().find_map(|chip| {
        let line = gsi.checked_sub(chip.first_gsi)?;
        (line < chip.lines).then_some((chip, line))
    })
}

/// An I/O APIC line that is routed to a vector, masked at first. Dropping it masks it and frees the vector.
#[derive(Debug)]
pub struct Line {
    gsi: u32,
    vector: u8,
}

/// The line of an ISA interrupt (0 to 15), wherever the firmware says that it is wired.
pub fn isa(number: u8) -> Result<Line, IrqError> {
    if number > 15 {
        return Err(IrqError::NoSuchLine);
    }
    match acpi::isa_override(number) {
        // Flags: bits 0-1 polarity (3: active low), bits 2-3 trigger (3: level); 0 means the bus's own: high, edge.
        Some(entry) => gsi(entry.gsi, entry.flags >> 2 & 3 == 3, entry.flags & 3 == 3),
        None => gsi(number.into(), false, false),
    }
}

/// The line with a global system interrupt number.
pub fn gsi(gsi: u32, level: bool, active_low: bool) -> Result<Line, IrqError> {
    let (chip, line) = chip_of(gsi).ok_or(IrqError::NoSuchLine)?;
    let vector = {
        let mut vectors = VECTORS.lock();
        if vectors.iter().any(|used| matches!(used, Use::Line { gsi: other, .. } if *other == gsi)) {
            return Err(IrqError::Busy);
        }
        take(&mut vectors, Use::Line { gsi, level })?
    };
    let mut low = MASK | u32::from(vector);
    if level {
        low |= LEVEL;
    }
    if active_low {
        low |= ACTIVE_LOW;
    }
    let target = apic::id_of(0).unwrap_or(0);
    chip.write(REDIRECTION + 2 * line + 1, target << 24);
    chip.write(REDIRECTION + 2 * line, low);
    Ok(Line { gsi, vector })
}

fn take(vectors: &mut [Use; COUNT], what: Use) -> Result<u8, IrqError> {
    let free = vectors.iter().position(|used| *used == Use::Free).ok_or(IrqError::NoVector)?;
    vectors[free] = what;
    Ok(FIRST + free as u8)
}

fn set_mask(gsi: u32, mask: bool) {
    if let Some((chip, line)) = chip_of(gsi) {
        let old = chip.read(REDIRECTION + 2 * line);
        chip.write(REDIRECTION + 2 * line, if mask { old | MASK } else { old & !MASK });
    }
}

impl Line {
    /// The vector that [`Kernel::interrupt`](crate::Kernel::interrupt) gets.
    pub fn vector(&self) -> u8 {
        self.vector
    }

    /// Keeps the line's interrupts back. An edge that comes meanwhile is lost, a level stays.
    pub fn mask(&self) {
        set_mask(self.gsi, true);
    }

    /// Lets the line's interrupts through.
    pub fn unmask(&self) {
        set_mask(self.gsi, false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.mask();
        VECTORS.lock()[usize::from(self.vector - FIRST)] = Use::Free;
    }
}

/// A vector for a device that signals by message. Dropping it frees the vector.
#[derive(Debug)]
pub struct Msi {
    vector: u8,
    apic_id: u32,
}

/// Allocates a vector for a message-signalled interrupt, delivered to the bootstrap CPU.
pub fn alloc_msi() -> Result<Msi, IrqError> {
    let vector = take(&mut VECTORS.lock(), Use::Msi)?;
    Ok(Msi { vector, apic_id: apic::id_of(0).unwrap_or(0) })
}

impl Msi {
    /// The vector that [`Kernel::interrupt`](crate::Kernel::interrupt) gets.
    pub fn vector(&self) -> u8 {
        self.vector
    }

    /// The message's address: fixed destination, no redirection.
    pub fn address(&self) -> u64 {
        0xfee0_0000 | u64::from(self.apic_id) << 12
    }

    /// The message's data: fixed delivery, edge.
    pub fn data(&self) -> u32 {
        self.vector.into()
    }
}

impl Drop for Msi {
    fn drop(&mut self) {
        VECTORS.lock()[usize::from(self.vector - FIRST)] = Use::Free;
    }
}

/// What an interrupt (a vector from 32 on) does; called by `trap` with interrupts off. Acknowledges first, since the
/// kernel may switch to another thread in its handlers.
pub(crate) fn dispatch(vector: u8) {
    cpu::count_up(&cpu::this().counters.interrupts);
    match vector {
        vector::TIMER => {
            apic::end_of_interrupt();
            time::on_timer();
        }
        vector::RESCHED => {
            apic::end_of_interrupt();
            glue::resched();
        }
        vector::SHOOTDOWN => {
            apic::end_of_interrupt();
            paging::service_shootdown();
        }
        vector::ERROR => {
            apic::end_of_interrupt();
            crate::log!(crate::Level::Warn, "local APIC of CPU {}: errors {:#x}", cpu::id(), apic::take_errors());
        }
        vector::SPURIOUS => {}
        _ => device(vector),
    }
}

fn device(vector: u8) {
    let used = match vector.checked_sub(FIRST).map(usize::from) {
        Some(index) if index < COUNT => VECTORS.lock()[index],
        // A spurious interrupt of a PIC, before it was masked: nothing to acknowledge.
        _ => return,
    };
    if let Use::Line { gsi, level: true } = used {
        set_mask(gsi, true);
    }
    apic::end_of_interrupt();
    if used != Use::Free {
        glue::interrupt(vector);
    }
}
