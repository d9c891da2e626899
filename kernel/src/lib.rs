//! Ochre's microkernel: mechanism without policy, and without unsafe code (that is hal's).
//!
//! In: address spaces, memory objects, threads, scheduling, ports, readiness, pipes and socket pairs, timers, interrupts,
//! futexes, namespaces. Out: files, drivers, ELF, protocols.
//!
//! # How a call flows
//!
//! A client's READ of a scheme's handle goes through [`syscall`] to [`fd`], [`file`] and [`scheme_handle`], which makes a
//! [`call`]: it takes a slot of the server's [`port`], copies the payload into the slot's page and switches straight to a server
//! thread that waits in REPLY_RECEIVE ([`sched::switch_direct`]). The server's answer switches straight back.
//!
//! # Blocking
//!
//! Interrupts are off in the kernel and a thread is never preempted there; it gives the CPU away only in [`sched::park`] and its kin, with
//! no spin lock held. A wait ends early with EINTR when a signal is deliverable or the thread is to end, so every wait unwinds to
//! [`syscall::enter`], which ends the thread.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod attributes;
mod boot;
pub mod call;
mod clock;
mod crash;
mod fd;
pub mod file;
pub mod group;
mod io;
mod load;
mod log;
mod mm;
pub mod namespace;
mod open;
pub mod port;
mod power;
pub mod process;
pub mod program;
mod ptimer;
pub mod readiness;
pub mod sched;
pub mod scheme_handle;
mod schemes;
pub mod signal;
mod stats;
mod symbols;
pub mod syscall;
pub mod thread;
pub mod timer;
pub mod user;
pub mod wait;

use hal::{BootInfo, Exception, Kernel, Level, UserRegs};
use ochre_hal as hal;

/// The kernel, as hal calls it.
pub struct Ochre;

impl Kernel for Ochre {
    fn main(info: &'static BootInfo) -> ! {
        hal::debug::set_log(log::write);
        for word in info.cmdline.split_ascii_whitespace() {
            match word.strip_prefix("ochre.log=") {
                Some("debug") => log::set_level(Level::Debug),
                Some("info") => log::set_level(Level::Info),
                Some("warn") => log::set_level(Level::Warn),
                _ => {}
            }
        }
        boot::load_symbols(info);
        hal::cpu::start_others();
        mm::time_page::set_cpu_count(hal::cpu::count());
        schemes::init(info);
        load::init();
        hal::log!(Level::Info, "Ochre: {} CPUs, booted by {}", hal::cpu::count(), info.loader);
        if info.cmdline.split_ascii_whitespace().any(|word| word == "ochre.fault") {
            // What `cargo xtask test` boots to see a kernel fault reported.
            panic!("asked for by ochre.fault");
        }
        if let Err(why) = boot::start_first_process(info) {
            panic!("cannot start: {why}");
        }
        sched::run_idle()
    }

    fn cpu_main() -> ! {
        sched::run_idle()
    }

    fn syscall(regs: &mut UserRegs) {
        syscall::enter(regs);
    }

    fn exception(regs: &mut UserRegs, e: Exception) {
        syscall::exception(regs, e);
    }

    fn interrupt(vector: u8) {
        schemes::irq::interrupt(vector);
    }

    fn timer() {
        timer::interrupt();
    }

    fn resched() {
        sched::resched_interrupt();
    }

    fn exit_to_user(regs: &mut UserRegs) {
        syscall::exit_to_user(regs);
    }

    fn symbol(addr: usize) -> Option<(&'static str, usize)> {
        symbols::lookup(addr)
    }
}
