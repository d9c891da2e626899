//! What hal asks of the kernel, and the glue that connects the two at link time.
//!
//! hal cannot depend on the kernel crate, so [`entry!`](crate::entry) defines a few symbols that hal declares here.
//! Each call is direct, with no table in between.

use crate::BootInfo;

/// The kernel proper, as hal sees it. Every function runs with interrupts off.
pub trait Kernel {
    /// The bootstrap CPU's flow. Memory, heap, traps, time and ACPI tables are up; the other CPUs wait for
    /// [`cpu::start_others`](crate::cpu::start_others).
    fn main(info: &'static BootInfo) -> !;
    /// Each other CPU's flow, on its own idle stack.
    fn cpu_main() -> !;
    /// A `syscall` instruction in user mode. The kernel does its own return-to-user work before it returns.
    fn syscall(regs: &mut UserRegs);
    /// An exception in user mode, page faults too. [`Kernel::exit_to_user`] follows.
    fn exception(regs: &mut UserRegs, e: Exception);
    /// A device interrupt, acknowledged at the local APIC already; a level-triggered line stays masked until
    /// [`irq::Line::unmask`](crate::irq::Line::unmask). Comes from user mode, while idle or in `poll_interrupts`.
    fn interrupt(vector: u8);
    /// This CPU's deadline ([`time::set_deadline`](crate::time::set_deadline)) has passed.
    fn timer();
    /// Another CPU asked this one to look at its run queue ([`cpu::send_resched`](crate::cpu::send_resched)).
    fn resched();
    /// Runs after an exception, interrupt, timer or resched that came from user mode, before going back there.
    fn exit_to_user(regs: &mut UserRegs);
    /// Name and offset of a kernel code address, for backtraces; `None` where it is not known.
    fn symbol(addr: usize) -> Option<(&'static str, usize)>;
}

/// A user thread's registers at a trap.
///
/// Whatever the fields hold, the return to user mode is safe: `cs`, `ss`, IF and IOPL are forced, and a `rip` that is
/// not canonical ends in [`Kernel::exception`], not in a fault of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct UserRegs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// The syscall number; for other traps, the vector in bits 32.. and the error code below.
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// An exception in user mode (Intel SDM volume 3, section 6.15); the number in some is the error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// #PF: the address, what the access was, and whether a page was present (then its rights forbade the access).
    PageFault {
        /// The address that was touched.
        addr: usize,
        /// It was a write.
        write: bool,
        /// It was an instruction fetch.
        exec: bool,
        /// The page was present.
        present: bool,
    },
    /// #DE
    DivideError,
    /// #DB: single step or a debug register.
    Debug,
    /// #BP: `int3`.
    Breakpoint,
    /// #OF: `int 4`.
    Overflow,
    /// #BR
    Bound,
    /// #UD
    InvalidOpcode,
    /// #NM
    DeviceNotAvailable,
    /// #SS
    StackFault(u64),
    /// #GP
    GeneralProtection(u64),
    /// #MF: an x87 exception.
    FloatingPoint,
    /// #AC
    AlignmentCheck,
    /// #XM: an SSE or AVX exception.
    SimdFloatingPoint,
    /// Any other vector, with its error code.
    Other(u8, u64),
}

/// The symbols that [`entry!`](crate::entry) defines.
#[doc(hidden)]
pub mod glue {
    use super::{Exception, UserRegs};
    use crate::BootInfo;

    unsafe extern "Rust" {
        #[link_name = "__ochre_main"]
        pub safe fn main(info: &'static BootInfo) -> !;
        #[link_name = "__ochre_cpu_main"]
        pub safe fn cpu_main() -> !;
        #[link_name = "__ochre_exception"]
        pub safe fn exception(regs: &mut UserRegs, e: Exception);
        #[link_name = "__ochre_interrupt"]
        pub safe fn interrupt(vector: u8);
        #[link_name = "__ochre_timer"]
        pub safe fn timer();
        #[link_name = "__ochre_resched"]
        pub safe fn resched();
        #[link_name = "__ochre_exit_to_user"]
        pub safe fn exit_to_user(regs: &mut UserRegs);
        #[link_name = "__ochre_symbol"]
        pub safe fn symbol(addr: usize) -> Option<(&'static str, usize)>;
    }
}

/// `entry!(Type);` makes `Type`, which implements [`Kernel`], the kernel of this ELF. Once in a program.
#[macro_export]
macro_rules! entry {
    ($kernel:ty) => {
        // SAFETY (of the unsafe attributes): hal declares these names with these very signatures (`glue`; trap.rs calls
        // `__ochre_syscall` from assembly), and nobody else uses them.
        const _: () = {
            use $crate::{BootInfo, Exception, Kernel, UserRegs};
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_main(info: &'static BootInfo) -> ! {
                <$kernel as Kernel>::main(info)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_cpu_main() -> ! {
                <$kernel as Kernel>::cpu_main()
            }
            #[unsafe(no_mangle)]
            extern "C" fn __ochre_syscall(regs: &mut UserRegs) {
                <$kernel as Kernel>::syscall(regs)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_exception(regs: &mut UserRegs, e: Exception) {
                <$kernel as Kernel>::exception(regs, e)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_interrupt(vector: u8) {
                <$kernel as Kernel>::interrupt(vector)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_timer() {
                <$kernel as Kernel>::timer()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_resched() {
                <$kernel as Kernel>::resched()
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_exit_to_user(regs: &mut UserRegs) {
                <$kernel as Kernel>::exit_to_user(regs)
            }
            #[unsafe(no_mangle)]
            extern "Rust" fn __ochre_symbol(addr: usize) -> Option<(&'static str, usize)> {
                <$kernel as Kernel>::symbol(addr)
            }
        };
    };
}
