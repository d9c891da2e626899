//! Where things are in the signal page and in a frame: what the assembly and the Rust code of a delivery share.

use super::context::{SigInfoT, UContext};
use ochre_abi::signal::{SigInfo, SignalPage};

/// The signal page: the kernel's words, then what the trampoline keeps while signals are held.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Page {
    pub shared: SignalPage,
    pad: [u64; 5],
    /// r8–r15, rdi, rsi, rbp, rbx, rdx, saved by the trampoline, then a place for rax and rcx: the order of glibc's gregs.
    pub registers: [u64; 15],
    /// rip, cs, rflags, rsp, ss for an `iretq` that goes on with signals held.
    pub resume: [u64; 5],
    pub chosen: Chosen,
    gap: [u64; 19],
    /// The SSE state (FXSAVE) while `choose` runs.
    pub sse: [u64; 64],
    /// The stack of `choose`.
    stack: [u64; 384],
}

/// What `choose` found, for `run`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Chosen {
    pub info: SigInfo,
    /// The handler's address, or 0: nothing to run, only go on.
    pub handler: usize,
    /// SA_ flags.
    pub flags: u64,
    /// The action's mask.
    pub mask: u64,
    /// Not 0: a CPU exception.
    pub fault: u64,
    pub fault_address: u64,
    pub fault_trap: u64,
}

/// A frame on the stack that a handler runs on.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Frame {
    /// The general registers as they are popped: gregs' order without rsp.
    pub registers: [u64; 15],
    /// rip, cs, rflags, rsp, ss for `iretq`.
    pub resume: [u64; 5],
    pub context: UContext,
    pub info: SigInfoT,
}

/// Offsets for the assembly.
pub const REGISTERS: usize = core::mem::offset_of!(Page, registers);
pub const RESUME: usize = core::mem::offset_of!(Page, resume);
pub const SSE: usize = core::mem::offset_of!(Page, sse);
pub const FPREGS: usize = core::mem::offset_of!(Frame, context) + core::mem::offset_of!(UContext, fpregs);

const _: () = assert!(size_of::<Page>() == 4096 && SSE.is_multiple_of(16) && size_of::<Frame>().is_multiple_of(16));
