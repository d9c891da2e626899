//! The clock (TSC), this CPU's deadline (local APIC timer) and the real-time clock.
//!
//! The TSC's frequency comes from CPUID where that tells it (leaf 0x15, or a hypervisor's 0x4000_0010), else from
//! counting against the ACPI power-management timer or the PIT for 10 ms. TSCs of all CPUs are taken to run in step,
//! as they do on every machine with an invariant TSC and in virtual machines.
//! Sources: Intel SDM volume 3 sections 11.5.4 and 18.17, volume 2 CPUID; ACPI 6.5 section 4.8.3.3; Motorola MC146818A.

use core::arch::x86_64::{__cpuid, _rdtsc};
use core::sync::atomic::{AtomicU64, Ordering};

use crate::cpu::{self, MAX_CPUS};
use crate::io::port;
use crate::{acpi, apic, glue};

const NS: u64 = 1_000_000_000;
/// Fixed-point position of the multipliers.
const SHIFT: u32 = 32;

static BASE: AtomicU64 = AtomicU64::new(0);
static MULT: AtomicU64 = AtomicU64::new(0);
static TIMER_MULT: AtomicU64 = AtomicU64::new(0);
static TSC_HZ: AtomicU64 = AtomicU64::new(0);
static BOOT_REALTIME: AtomicU64 = AtomicU64::new(0);
static DEADLINES: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(u64::MAX) }; MAX_CPUS];

/// How a TSC reading becomes [`now`]: `ns = ((tsc - base) as u128 * mult) >> shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TscParams {
    pub mult: u64,
    pub shift: u32,
    pub base: u64,
}

/// What user space needs to compute [`now`] itself.
pub fn tsc_params() -> TscParams {
    TscParams { mult: MULT.load(Ordering::Relaxed), shift: SHIFT, base: BASE.load(Ordering::Relaxed) }
}

#[inline]
fn tsc() -> u64 {
    // SAFETY: every x86-64 CPU has RDTSC.
    unsafe { _rdtsc() }
}

/// Nanoseconds since boot; never goes back, on whatever CPU. 0 before the clock is calibrated.
#[inline]
pub fn now() -> u64 {
    let ticks = tsc().wrapping_sub(BASE.load(Ordering::Relaxed));
    ((u128::from(ticks) * u128::from(MULT.load(Ordering::Relaxed))) >> SHIFT) as u64
}

/// Real time at boot: nanoseconds since 1970-01-01 00:00 UTC when [`now`] was 0, by the real-time clock (which counts whole
/// seconds and is taken to run on UTC). 0 if there is no plausible one.
pub fn boot_realtime_ns() -> u64 {
    BOOT_REALTIME.load(Ordering::Relaxed)
}

/// The TSC's frequency, in kHz.
pub(crate) fn tsc_khz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed) / 1000
}

/// Asks for [`Kernel::timer`](crate::Kernel::timer) on this CPU at `ns` ([`now`]'s clock), at once if that is past.
/// Replaces the deadline before; `None` leaves none.
pub fn set_deadline(ns: Option<u64>) {
    let deadline = ns.unwrap_or(u64::MAX);
    DEADLINES[cpu::id()].store(deadline, Ordering::Relaxed);
    arm(deadline);
}

fn arm(deadline: u64) {
    if deadline == u64::MAX {
        apic::start_timer(0);
        return;
    }
    let ns = deadline.saturating_sub(now());
    // Rounded up, so that the interrupt does not come early; a deadline further than the counter reaches is re-armed then.
    let ticks = ((u128::from(ns) * u128::from(TIMER_MULT.load(Ordering::Relaxed))) >> SHIFT) + 1;
    apic::start_timer(u32::try_from(ticks).unwrap_or(u32::MAX));
}

/// The timer's interrupt.
pub(crate) fn on_timer() {
    let deadline = &DEADLINES[cpu::id()];
    let wanted = deadline.load(Ordering::Relaxed);
    if wanted == u64::MAX {
        return;
    }
    if now() < wanted {
        arm(wanted);
        return;
    }
    deadline.store(u64::MAX, Ordering::Relaxed);
    glue::timer();
}

/// Waits, busily.
pub(crate) fn spin(ns: u64) {
    let end = now() + ns;
    while now() < end {
        core::hint::spin_loop();
    }
}

/// Calibrates the clock and reads the real-time clock, on the bootstrap CPU; needs `acpi` and `apic`.
pub(crate) fn init() {
    apic::init_timer();
    let measured = measure();
    let tsc_hz = cpuid_tsc_hz().unwrap_or(measured.tsc_hz);
    TSC_HZ.store(tsc_hz, Ordering::Relaxed);
    TIMER_MULT.store(((u128::from(measured.timer_hz) << SHIFT) / u128::from(NS)) as u64, Ordering::Relaxed);
    BASE.store(tsc(), Ordering::Relaxed);
    MULT.store(((u128::from(NS) << SHIFT) / u128::from(tsc_hz)) as u64, Ordering::Relaxed);
    let real = rtc::read().map_or(0, |seconds| (seconds * NS).saturating_sub(now()));
    BOOT_REALTIME.store(real, Ordering::Relaxed);
}

fn cpuid_tsc_hz() -> Option<u64> {
    let plausible = |hz: &u64| (100_000_000..20_000_000_000).contains(hz);
    let max = __cpuid(0).eax;
    if max >= 0x15 {
        let leaf = __cpuid(0x15);
        if leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0 {
            return Some(u64::from(leaf.ecx) * u64::from(leaf.ebx) / u64::from(leaf.eax)).filter(plausible);
        }
    }
    let hypervisor = __cpuid(1).ecx & 1 << 31 != 0;
    if hypervisor && __cpuid(0x4000_0000).eax >= 0x4000_0010 {
        return Some(u64::from(__cpuid(0x4000_0010).eax) * 1000).filter(plausible);
    }
    None
}

struct Measured {
    tsc_hz: u64,
    timer_hz: u64,
}

/// A clock of known frequency.
#[derive(Clone, Copy)]
enum Reference {
    /// The ACPI power-management timer: port, mask of the bits that it counts.
    Pm(u16, u32),
    /// The PIT's channel 2, counting down from 65535.
    Pit,
}

impl Reference {
    fn start() -> Self {
        match acpi::pm_timer() {
            Some((port, wide)) => Reference::Pm(port, if wide { u32::MAX } else { 0xff_ffff }),
            None => {
                // SAFETY: the PIT's channel 2 drives the speaker only: gate on, speaker off, mode 0, counting from 65535.
                unsafe {
                    port::out8(0x61, port::in8(0x61) & !2 | 1);
                    port::out8(0x43, 0b1011_0000);
                    port::out8(0x42, 0xff);
                    port::out8(0x42, 0xff);
                }
                Reference::Pit
            }
        }
    }

    fn hz(self) -> u64 {
        match self {
            Reference::Pm(..) => 3_579_545,
            Reference::Pit => 1_193_182,
        }
    }

    fn read(self) -> u32 {
        match self {
            // SAFETY: reads the timer.
            Reference::Pm(port, _) => unsafe { port::in32(port) },
            // SAFETY: latches and reads channel 2.
            Reference::Pit => unsafe {
                port::out8(0x43, 0b1000_0000);
                let low = port::in8(0x42);
                u32::from(u16::from_le_bytes([low, port::in8(0x42)]))
            },
        }
    }

    /// Ticks from one reading to a later one.
    fn ticks(self, from: u32, to: u32) -> u32 {
        match self {
            Reference::Pm(_, mask) => to.wrapping_sub(from) & mask,
            Reference::Pit => from.wrapping_sub(to) & 0xffff,
        }
    }

    /// Waits for the next tick and reads all three clocks at it: reference, TSC, local APIC timer. Of a few tries the
    /// one with the shortest time from the tick to the readings counts.
    fn edge(self) -> (u32, u64, u32) {
        let mut best = (0, 0, 0);
        let mut shortest = u64::MAX;
        for _ in 0..4 {
            let before = self.read();
            let mut last = tsc();
            let mut polls = 0;
            loop {
                let reference = self.read();
                let now = tsc();
                polls += 1;
                if self.ticks(before, reference) != 0 || polls == 1_000_000 {
                    if now - last < shortest {
                        shortest = now - last;
                        best = (reference, now, apic::timer_left());
                    }
                    break;
                }
                last = now;
            }
        }
        best
    }
}

/// Counts the TSC and the local APIC timer against the reference clock for some 10 ms.
fn measure() -> Measured {
    let reference = Reference::start();
    apic::start_timer(u32::MAX);
    let (reference0, tsc0, timer0) = reference.edge();
    let wanted = (reference.hz() / 100) as u32;
    let mut polls = 0;
    while reference.ticks(reference0, reference.read()) < wanted && polls < 1_000_000 {
        // Port reads, and `pause` too, leave a virtual machine; plain work between them costs no accuracy.
        for i in 0..10_000 {
            core::hint::black_box(i);
        }
        polls += 1;
    }
    let (reference1, tsc1, timer1) = reference.edge();
    apic::start_timer(0);
    let ticks = u128::from(reference.ticks(reference0, reference1).max(1));
    let hz = |count: u64| round((u128::from(count) * u128::from(reference.hz()) / ticks) as u64);
    Measured {
        tsc_hz: hz(tsc1.wrapping_sub(tsc0)).max(1_000_000),
        timer_hz: hz(timer0.wrapping_sub(timer1).into()).max(1_000_000),
    }
}

/// A measured frequency that is within 100 ppm of a whole multiple of 100 MHz is one: the virtual clocks of emulators are
/// exact, and the measurement is not.
fn round(hz: u64) -> u64 {
    const STEP: u64 = 100_000_000;
    let nearest = (hz + STEP / 2) / STEP * STEP;
    if nearest.abs_diff(hz) <= nearest / 10_000 { nearest } else { hz }
}

/// The CMOS real-time clock.
mod rtc {
    use super::{acpi, port};

    fn register(index: u8) -> u8 {
        // SAFETY: selects a CMOS register (NMIs stay enabled: bit 7 is 0) and reads it; hal alone uses these ports.
        unsafe {
            port::out8(0x70, index);
            port::in8(0x71)
        }
    }

    /// Second, minute, hour, day, month, year of the century, century, as the registers have them.
    fn fields() -> [u8; 7] {
        let [second, minute, hour, day, month, year] = [0, 2, 4, 7, 8, 9].map(register);
        let century = acpi::century_register().map_or(0x20, register);
        [second, minute, hour, day, month, year, century]
    }

    /// Seconds since 1970; `None` if there is no clock or it shows nonsense.
    pub fn read() -> Option<u64> {
        let mut last = None;
        for _ in 0..100_000 {
            // While an update is in progress the fields are not to be trusted; two equal readings are.
            if register(0x0a) & 0x80 != 0 {
                continue;
            }
            let now = fields();
            if last == Some(now) {
                return seconds(now, register(0x0b));
            }
            last = Some(now);
        }
        None
    }

    fn seconds(fields: [u8; 7], format: u8) -> Option<u64> {
        let binary = format & 4 != 0;
        let afternoon = format & 2 == 0 && fields[2] & 0x80 != 0;
        let number = |raw: u8| u64::from(if binary { raw } else { (raw >> 4) * 10 + (raw & 15) });
        let hour = number(fields[2] & 0x7f);
        let hour = match (format & 2 == 0, afternoon) {
            (true, true) => hour % 12 + 12,
            (true, false) => hour % 12,
            (false, _) => hour,
        };
        let (second, minute) = (number(fields[0]), number(fields[1]));
        let (day, month) = (number(fields[3]), number(fields[4]));
        let year = number(fields[6]) * 100 + number(fields[5]);
        let plausible = second < 61 && minute < 60 && hour < 24 && (1..=31).contains(&day) && (1..=12).contains(&month);
        if !plausible || !(1970..2400).contains(&year) {
            return None;
        }
        Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
    }

    /// Days from 1970-01-01 to a date of the Gregorian calendar, counting years from March so that the leap day is the last.
    fn days(year: u64, month: u64, day: u64) -> u64 {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year / 4 - year / 100 + year / 400;
        year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
    }
}
