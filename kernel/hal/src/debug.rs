//! What the kernel says about itself: the log sink, backtraces, the panic handler; and the machine's end.

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::boot::paging::is_mapped;
use crate::io::port;
use crate::serial::Console;
use crate::{UserRegs, acpi, cpu, glue, layout, smp};

/// How much a log message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A log sink.
pub type Log = fn(Level, fmt::Arguments<'_>);

static SINK: AtomicUsize = AtomicUsize::new(0);
static EARLY_LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Replaces the early sink, which writes messages from `Info` on to COM1. The sink may be called wherever hal or the kernel
/// runs, so it must not wait for a lock that its callers may hold.
pub fn set_log(sink: Log) {
    SINK.store(sink as usize, Ordering::Release);
}

/// Sets the least level that the early sink writes.
pub fn set_early_level(level: Level) {
    EARLY_LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Hands a message to the sink. Use the macro [`log!`](crate::log!).
pub fn log(level: Level, args: fmt::Arguments<'_>) {
    match SINK.load(Ordering::Acquire) {
        0 if level as u8 >= EARLY_LEVEL.load(Ordering::Relaxed) => {
            let _ = writeln!(Console, "{args}");
        }
        0 => {}
        sink => {
            // SAFETY: only `set_log` stores here, and only functions of this type.
            let sink: Log = unsafe { core::mem::transmute::<usize, Log>(sink) };
            sink(level, args);
        }
    }
}

/// The deepest backtrace that is followed.
const MAX_FRAMES: usize = 48;

/// Calls `each` with the return addresses from the caller outwards, by frame pointers. Stops at the first frame that is
/// not plausible, so it is safe on a damaged stack too.
#[inline(never)]
pub fn backtrace(each: &mut dyn FnMut(usize)) {
    let frame: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    backtrace_from(frame, each);
}

fn backtrace_from(mut frame: usize, each: &mut dyn FnMut(usize)) {
    for _ in 0..MAX_FRAMES {
        let plausible = frame.is_multiple_of(8) && is_mapped(frame) && is_mapped(frame + 15);
        if !plausible {
            return;
        }
        // SAFETY: both words are mapped kernel memory, as just checked; whatever they hold is only compared and printed.
        let (next, address) =
            unsafe { ((frame as *const usize).read_volatile(), (frame as *const usize).add(1).read_volatile()) };
        // What called into the kernel's image was boot code, or user mode.
        if address < layout::DIRECT_MAP {
            return;
        }
        each(address);
        if next <= frame {
            return;
        }
        frame = next;
    }
}

/// A code address as a person wants it: `0xffffffff80001234 name+0x12`. A return address names the call before it.
struct Code {
    address: usize,
    is_return: bool,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.address)?;
        let back = usize::from(self.is_return);
        match glue::symbol(self.address - back) {
            Some((name, offset)) => write!(f, " {name}+{:#x}", offset + back),
            None => Ok(()),
        }
    }
}

/// Prints a backtrace; calls that repeat, as in a recursion, only once.
fn print_backtrace(out: &mut Console, at: Option<usize>, frame: usize) {
    let mut n = 0;
    let mut last = None;
    let mut print = |address, is_return| {
        if last != Some(address) {
            let _ = writeln!(out, "  #{n} {}", Code { address, is_return });
        }
        last = Some(address);
        n += 1;
    };
    if let Some(address) = at {
        print(address, false);
    }
    backtrace_from(frame, &mut |address| print(address, true));
}

/// The CPU that ends the machine, plus one.
static DYING: AtomicUsize = AtomicUsize::new(0);

/// Stops the other CPUs. The first CPU that fails goes on; others that fail meanwhile stop, and a second failure of the
/// first one, of the panic path itself, ends at once.
fn begin_dying() {
    let me = cpu::id() + 1;
    match DYING.compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => smp::stop_others(),
        Err(first) if first == me => exit_vm(FAILED),
        Err(_) => halt(),
    }
}

/// What [`exit_vm`] gets when the kernel has failed.
const FAILED: u8 = 0x12;

/// An exception in the kernel that no fix-up covers: prints it with its registers and a backtrace, and ends the machine.
pub(crate) fn kernel_fault(name: &str, error: u64, address: Option<usize>, regs: &UserRegs) -> ! {
    begin_dying();
    let mut out = Console;
    let _ = write!(out, "\nkernel panic: {name} in the kernel on CPU {}, error {error:#x}", cpu::id());
    if let Some(address) = address {
        let _ = write!(out, ", address {address:#018x}");
        // A stack that has run over its end faults in the unmapped page below it, close to the stack pointer.
        if address.abs_diff(regs.rsp as usize) < layout::PAGE {
            let _ = write!(out, " (stack overflow?)");
        }
    }
    let _ = writeln!(out, " at {}", Code { address: regs.rip as usize, is_return: false });
    let rows = [
        [("rax", regs.rax), ("rbx", regs.rbx), ("rcx", regs.rcx), ("rdx", regs.rdx)],
        [("rsi", regs.rsi), ("rdi", regs.rdi), ("rbp", regs.rbp), ("rsp", regs.rsp)],
        [("r8 ", regs.r8), ("r9 ", regs.r9), ("r10", regs.r10), ("r11", regs.r11)],
        [("r12", regs.r12), ("r13", regs.r13), ("r14", regs.r14), ("r15", regs.r15)],
        [("rip", regs.rip), ("flg", regs.rflags), ("cs ", regs.cs), ("ss ", regs.ss)],
    ];
    for row in rows {
        for (name, value) in row {
            let _ = write!(out, "  {name} {value:016x}");
        }
        let _ = writeln!(out);
    }
    print_backtrace(&mut out, Some(regs.rip as usize), regs.rbp as usize);
    exit_vm(FAILED)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    begin_dying();
    let mut out = Console;
    let _ = write!(out, "\nkernel panic: {} on CPU {}", info.message(), cpu::id());
    let _ = match info.location() {
        Some(place) => writeln!(out, " at {}:{}", place.file(), place.line()),
        None => writeln!(out),
    };
    let frame: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    print_backtrace(&mut out, None, frame);
    exit_vm(FAILED)
}

/// Ends the virtual machine: QEMU's `isa-debug-exit` at port 0xf4 makes `code << 1 | 1` its exit status. Where there is no
/// such device, all CPUs stop.
pub fn exit_vm(code: u8) -> ! {
    // SAFETY: QEMU's debug-exit device; on other machines nothing answers at this port.
    unsafe { port::out8(0xf4, code) };
    smp::stop_others();
    halt()
}

/// Stops this CPU for good.
pub(crate) fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off the CPU stays stopped; only an NMI gets it back into this loop.
        unsafe { core::arch::asm!("cli; hlt", options(nomem, nostack)) };
    }
}

/// Switches the machine off (ACPI S5); where that does not work, stops all CPUs.
pub fn power_off() -> ! {
    acpi::enter_s5();
    smp::stop_others();
    halt()
}

/// Restarts the machine: ACPI's reset register, then the keyboard controller, then a triple fault.
pub fn reboot() -> ! {
    smp::stop_others();
    acpi::reset();
    // SAFETY: 0xfe pulses the keyboard controller's reset line; the machine ends here.
    unsafe { port::out8(0x64, 0xfe) };
    crate::time::spin(50_000_000);
    let empty = [0u16; 5];
    // SAFETY: with an empty interrupt table the breakpoint cannot be delivered: a triple fault resets the CPU, as wanted.
    unsafe { core::arch::asm!("lidt [{}]", "int3", in(reg) &empty) };
    halt()
}
