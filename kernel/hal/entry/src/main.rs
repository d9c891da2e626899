//! The kernel ELF.

#![no_std]
#![no_main]

use ochre_hal::{BootInfo, Exception, Kernel, Level, UserRegs, exit_vm, log};

struct Hello;

impl Kernel for Hello {
    fn main(info: &'static BootInfo) -> ! {
        log!(Level::Info, "hello from Kernel::main: {:?}", info);
        exit_vm(0x10)
    }
    fn cpu_main() -> ! {
        loop {}
    }
    fn syscall(_: &mut UserRegs) {}
    fn exception(_: &mut UserRegs, _: Exception) {}
    fn interrupt(_: u8) {}
    fn timer() {}
    fn resched() {}
    fn exit_to_user(_: &mut UserRegs) {}
    fn symbol(_: usize) -> Option<(&'static str, usize)> {
        None
    }
}

ochre_hal::entry!(Hello);
