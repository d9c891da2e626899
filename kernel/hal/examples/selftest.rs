//! A kernel that tries hal out and ends the machine with status 33 (all is well) or 37 (a panic says what is not).
//!
//! Words on the command line choose more: `panic` and `overflow` (of the stack) make it die in that way, after which the log must
//! show a backtrace and the exit status must be 37; `off` and `reboot` end with status 0; `cpus=N` says how many CPUs must come up; `echo` waits for
//! a line on COM1.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ochre_hal::io::Ports;
use ochre_hal::{BootInfo, Exception, Kernel, Level, Once, SpinLock, UserRegs};
use ochre_hal::{acpi, cpu, debug, exit_vm, irq, log, random, serial, time};

struct SelfTest;

static TIMERS: AtomicU32 = AtomicU32::new(0);
static RESCHEDS: AtomicU32 = AtomicU32::new(0);
static OTHERS: AtomicU32 = AtomicU32::new(0);
static SHARED: SpinLock<u64> = SpinLock::new(0);
static LINE: SpinLock<Vec<u8>> = SpinLock::new(Vec::new());
static LATEST: AtomicU64 = AtomicU64::new(0);

impl Kernel for SelfTest {
    fn main(info: &'static BootInfo) -> ! {
        let word = |name: &str| info.cmdline.split_ascii_whitespace().any(|word| word == name);
        clock();
        deadline();
        locks();
        ports();
        interrupts();
        numbers();
        assert!(acpi::tables().iter().any(|table| table.signature == *b"FACP"), "no FADT");
        let wanted = info
            .cmdline
            .split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("cpus=")?.parse().ok())
            .unwrap_or(1);
        cpus(wanted);
        if word("echo") {
            echo();
        }
        if word("panic") {
            outer(&[1, 2, 3]);
        }
        if word("overflow") {
            log!(Level::Info, "{}", deep(0));
        }
        log!(Level::Info, "selftest: passed");
        if word("off") {
            ochre_hal::power_off();
        }
        if word("reboot") {
            ochre_hal::reboot();
        }
        exit_vm(0x10)
    }

    fn cpu_main() -> ! {
        OTHERS.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10_000 {
            *SHARED.lock() += 1;
            // The clock never goes back, seen from all CPUs.
            let before = LATEST.load(Ordering::SeqCst);
            let now = time::now();
            assert!(now >= before, "the clock went back by {} ns", before - now);
            LATEST.fetch_max(now, Ordering::SeqCst);
        }
        OTHERS.fetch_add(1, Ordering::SeqCst);
        loop {
            cpu::wait_for_interrupt();
        }
    }

    fn syscall(_: &mut UserRegs) {}

    fn exception(_: &mut UserRegs, e: Exception) {
        panic!("exception {e:?}");
    }

    fn interrupt(vector: u8) {
        let mut line = LINE.lock();
        if serial::COM1.enable_interrupt() == Ok(vector) {
            line.extend(core::iter::from_fn(|| serial::COM1.read()));
        }
    }

    fn timer() {
        TIMERS.fetch_add(1, Ordering::SeqCst);
    }

    fn resched() {
        RESCHEDS.fetch_add(1, Ordering::SeqCst);
        if cpu::id() > 0 {
            cpu::send_resched(0);
        }
    }

    fn exit_to_user(_: &mut UserRegs) {}

    fn symbol(_: usize) -> Option<(&'static str, usize)> {
        None
    }
}

fn clock() {
    let start = time::now();
    let mut last = start;
    for _ in 0..1000 {
        let now = time::now();
        assert!(now >= last, "the clock went back");
        last = now;
    }
    assert!(last > start, "the clock stands still");
    let seconds = time::boot_realtime_ns() / 1_000_000_000;
    log!(Level::Info, "selftest: {seconds} s since 1970, {:?}", time::tsc_params());
}

fn deadline() {
    for ns in [0, 1_000, 1_000_000, 20_000_000] {
        let before = TIMERS.load(Ordering::SeqCst);
        let wanted = time::now() + ns;
        time::set_deadline(Some(wanted));
        while TIMERS.load(Ordering::SeqCst) == before {
            cpu::wait_for_interrupt();
        }
        let late = time::now().checked_sub(wanted).expect("the timer came early");
        log!(Level::Info, "selftest: deadline in {ns} ns came {late} ns late");
    }
    time::set_deadline(Some(time::now() + 100_000));
    time::set_deadline(None);
    let before = TIMERS.load(Ordering::SeqCst);
    let end = time::now() + 1_000_000;
    while time::now() < end {
        cpu::poll_interrupts();
    }
    assert_eq!(TIMERS.load(Ordering::SeqCst), before, "a cancelled deadline came");
}

fn locks() {
    let guard = SHARED.lock();
    assert!(SHARED.try_lock().is_none());
    drop(guard);
    assert!(SHARED.try_lock().is_some());
    let once = Once::new();
    assert!(once.get().is_none());
    assert_eq!(once.set(1), Ok(()));
    assert_eq!(once.set(2), Err(2));
    assert_eq!(once.get(), Some(&1));
}

fn ports() {
    for (base, len) in [(0x20, 1), (0x70, 2), (0x3f8, 8), (0x100, 0), (0xfff0, 0x20), (0, 0xffff)] {
        assert!(Ports::claim(base, len).is_none(), "ports {base:#x} could be claimed");
    }
    let pci = Ports::claim(0xcf8, 8).expect("PCI configuration ports");
    assert!(Ports::claim(0xcfc, 4).is_none());
    pci.out32(0, 0x8000_0000).expect("in range");
    assert_eq!(pci.in16(4), Some(0x8086), "the host bridge is not Intel's");
    assert!(pci.in32(5).is_none() && pci.in8(8).is_none() && pci.out8(u16::MAX, 0).is_none());
    drop(pci);
    assert!(Ports::claim(0xcfc, 4).is_some());
}

fn interrupts() {
    let line = irq::isa(1).expect("the keyboard's line");
    assert_eq!(irq::isa(1).err(), Some(irq::IrqError::Busy));
    assert_eq!(irq::isa(16).err(), Some(irq::IrqError::NoSuchLine));
    assert_eq!(irq::gsi(1 << 20, true, true).err(), Some(irq::IrqError::NoSuchLine));
    line.unmask();
    drop(line);
    assert!(irq::isa(1).is_ok());
    let all: Vec<_> = core::iter::from_fn(|| irq::alloc_msi().ok()).collect();
    assert!(all.len() > 100 && all.iter().all(|msi| (0x40..0xe0).contains(&msi.vector())));
    assert_eq!(irq::alloc_msi().err(), Some(irq::IrqError::NoVector));
    drop(all);
    assert!(irq::alloc_msi().is_ok());
}

fn numbers() {
    let mut numbers: Vec<u64> = (0..1000).map(|_| random::entropy()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 1000, "random numbers repeat");
}

fn cpus(wanted: u32) {
    cpu::start_others();
    assert_eq!(cpu::count(), wanted as usize, "CPUs that run");
    let others = wanted - 1;
    while OTHERS.load(Ordering::SeqCst) < 2 * others {
        core::hint::spin_loop();
    }
    let start = if others > 0 { *SHARED.lock() } else { 0 };
    assert_eq!(start, u64::from(others) * 10_000, "the lock let two in");
    for other in 1..wanted {
        let before = RESCHEDS.load(Ordering::SeqCst);
        cpu::send_resched(other as usize);
        while RESCHEDS.load(Ordering::SeqCst) < before + 2 {
            cpu::poll_interrupts();
            // QEMU's instruction-counting clock runs the CPUs in turns, and this ends one.
            cpu::spin_hint();
        }
    }
    log!(Level::Info, "selftest: {wanted} CPUs answered");
}

fn echo() {
    serial::COM1.enable_interrupt().expect("COM1's line");
    while !LINE.lock().ends_with(b"\n") {
        cpu::wait_for_interrupt();
    }
    log!(Level::Info, "selftest: read {:?}", core::str::from_utf8(&LINE.lock()));
}

#[inline(never)]
fn outer(values: &[u32]) {
    log!(Level::Info, "{}", inner(values, values.len() + 4));
}

#[inline(never)]
fn inner(values: &[u32], index: usize) -> u32 {
    let mut addresses = 0;
    debug::backtrace(&mut |_| addresses += 1);
    assert!(addresses >= 3, "a backtrace of {addresses} addresses");
    values[index]
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn deep(n: u64) -> u64 {
    let block = core::hint::black_box([n; 64]);
    deep(n + 1) + block[(n % 64) as usize]
}

ochre_hal::entry!(SelfTest);
