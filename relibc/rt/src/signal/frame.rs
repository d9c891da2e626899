//! Where things are in the signal page and in a frame: what the assembly and the Rust code of a delivery share.

use super::context::{SigInfoT, UContext};
use ochre_abi::signal::{SigInfo, SignalPage};

/// The signal page: the kernel's words, then what the trampoline keeps while signals are held.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Page {
    pub shared: SignalPage,
    pad: [u64; 4],
    /// r8–r15, rdi, rsi, rbp, rbx, rdx, saved by the trampoline, then a place for rax and rcx: the order of glibc's gregs.
    pub registers: [u64; 15],
    /// For going on with signals held.
    pub resume: Resume,
    pub chosen: Chosen,
    gap: [u64; 20],
    /// The SSE state (FXSAVE) while `choose` runs.
    pub sse: [u64; 64],
    /// The stack of `choose`.
    stack: [u64; 384],
}

/// Where the trampoline goes back to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Resume {
    /// Where rip and rflags stand below the interrupted stack; the trampoline's.
    pub words: u64,
    pub rip: u64,
    pub flags: u64,
    pub rsp: u64,
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
    /// The general registers as they are popped, in gregs' order.
    pub registers: [u64; 15],
    /// The rest of the way back.
    pub resume: Resume,
    pub context: UContext,
    pub info: SigInfoT,
    /// The FS base to go back with, or 0: the present one.
    pub fs: u64,
    pad: u64,
}

/// Bytes below the stack pointer that leaf functions use (System V ABI AMD64, 3.2.2).
pub const RED_ZONE: usize = 128;
/// Bytes below those for rip and rflags on the way back.
pub const RETURN_WORDS: usize = 16;
/// Offsets for the assembly.
pub const REGISTERS: usize = core::mem::offset_of!(Page, registers);
pub const RESUME: usize = core::mem::offset_of!(Page, resume);
pub const SSE: usize = core::mem::offset_of!(Page, sse);
pub const FS: usize = core::mem::offset_of!(Frame, fs);
pub const FPREGS: usize = core::mem::offset_of!(Frame, context) + core::mem::offset_of!(UContext, fpregs);

const _: () = assert!(size_of::<Page>() == 4096 && SSE.is_multiple_of(16) && size_of::<Frame>().is_multiple_of(16));
