//! A kernel that tries hal's memory, address spaces, traps and contexts, with user programs of a few bytes. Ends the machine with
//! status 33 (all is well) or 37 (a panic says what is not).
//!
//! Words on the command line: `cpus=N` says how many CPUs there are; `count` measures instead, and makes sense under
//! `-icount shift=0` with one CPU: then a tick of the time-stamp counter is an instruction.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod count;
mod machine;
mod memory;
mod programs;
mod smp;
mod traps;

use ochre_hal::{BootInfo, Exception, Kernel, Level, UserRegs, cpu, exit_vm, log, mem};

struct Contexts;

impl Kernel for Contexts {
    fn main(info: &'static BootInfo) -> ! {
        machine::adopt();
        if info.cmdline.split_ascii_whitespace().any(|word| word == "count") {
            count::run();
            exit_vm(0x10);
        }
        log!(Level::Info, "contexts: {:?}", cpu::features());
        memory::run();
        traps::run();
        let wanted = info
            .cmdline
            .split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("cpus=")?.parse().ok())
            .unwrap_or(1);
        cpu::start_others();
        assert_eq!(cpu::count(), wanted, "CPUs that run");
        // Each round uses the same memory again, once all caches are warm.
        let mut free = [0; 4];
        for free in &mut free {
            smp::run();
            *free = mem::stats().free_frames;
        }
        log!(Level::Info, "contexts: free frames after each round: {free:?}; {:?}", mem::stats());
        for cpu in 0..cpu::count() {
            log!(Level::Info, "contexts: CPU {cpu}: {:?}", cpu::counters(cpu));
        }
        assert!(free[3].abs_diff(free[1]) <= 64 * cpu::count(), "memory got lost");
        log!(Level::Info, "contexts: passed");
        exit_vm(0x10)
    }

    fn cpu_main() -> ! {
        machine::adopt();
        machine::serve()
    }

    fn syscall(regs: &mut UserRegs) {
        machine::syscall(regs);
    }

    fn exception(regs: &mut UserRegs, e: Exception) {
        machine::exception(regs, e);
    }

    fn interrupt(vector: u8) {
        panic!("interrupt {vector:#x}");
    }

    fn timer() {}

    fn resched() {}

    fn exit_to_user(_: &mut UserRegs) {}

    fn symbol(_: usize) -> Option<(&'static str, usize)> {
        None
    }
}

ochre_hal::entry!(Contexts);
