//! Ochre's hardware layer: everything in the kernel that is unsafe, behind an interface that is safe whatever its arguments.
//!
//! The kernel proper forbids unsafe code. It implements [`Kernel`] for one type and hands that type to [`entry!`];
//! hal boots the machine and calls it. The kernel runs with interrupts off and is not preempted, except inside
//! [`cpu::poll_interrupts`] and [`cpu::wait_for_interrupt`].
//!
//! # Bring-up
//!
//! The boot path (`boot`, from either loader's 32-bit entry to long mode) runs, on the bootstrap CPU and in this order:
//!
//! 1. `cpu::init_bsp()`: per-CPU area (GS), GDT, TSS, IDT, syscall MSRs, CR0/CR4/XCR0 — without heap or frames;
//! 2. `boot` fills [`BootInfo`] and replaces the first page tables by the final kernel half (`boot::paging`);
//! 3. `mem::init(&'static BootInfo, &[PhysRange])`: every usable frame but the reserved ranges goes to the allocator; the heap works from here;
//! 4. `paging::init(root)`: takes over the kernel's page-table root and fills the top-level entries that all address spaces share;
//! 5. `context::init_cpu(stack)`: makes the running flow (on the given stack) this CPU's current context;
//! 6. `acpi`, `apic`, `time`, `irq`, then [`Kernel::main`].
//!
//! Another CPU comes from `smp`'s trampoline with the final page tables and the stack `context::idle_stack(id)` (a range,
//! the same one on every call for this CPU), runs `cpu::init_ap(id)`, `context::init_cpu(stack)`, `apic::init_cpu()`, and calls
//! [`Kernel::cpu_main`]. `cpu::{count, start_others, send_resched}` are `smp`'s; shootdown interrupts go out by
//! `apic::send_ipi(cpu, apic::vector::SHOOTDOWN)`.
//!
//! Traps: `trap` calls `irq::dispatch(vector)` for vectors from 32 on, `smp::on_nmi()` for an NMI, and
//! `debug::kernel_fault` for an exception in the kernel that no fix-up covers.

#![no_std]

extern crate alloc;

/// Writes one message to the log (see [`debug::log`]): `log!(Level::Info, "…", args)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($args:tt)*) => { $crate::debug::log($level, ::core::format_args!($($args)*)) };
}

// Boot, devices, time (hand A).
pub mod acpi;
mod apic;
mod boot;
pub mod debug;
pub mod io;
pub mod irq;
mod layout;
pub mod random;
pub mod serial;
mod smp;
mod sync;
pub mod time;

// CPU, memory, contexts (hand B).
pub mod context;
pub mod cpu;
pub mod device;
mod gdt;
pub mod mem;
pub mod paging;
mod trap;
pub mod user;

mod kernel;

pub use boot::{BootInfo, Framebuffer, MemoryKind, MemoryRegion, PhysRange};
pub use debug::{Level, exit_vm, power_off, reboot};
#[doc(hidden)]
pub use kernel::glue;
pub use kernel::{Exception, Kernel, UserRegs};
pub use sync::{Once, SpinGuard, SpinLock};
