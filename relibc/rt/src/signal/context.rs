//! `siginfo_t` and `ucontext_t` of glibc for x86-64.

use super::action::AltStack;
use ochre_abi::signal::{CLD_CONTINUED, CLD_EXITED, SIGCHLD, SigInfo};

/// `siginfo_t`: 128 bytes. What follows the code depends on the signal.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SigInfoT {
    pub signo: i32,
    pub errno: i32,
    pub code: i32,
    pad: i32,
    /// pid and uid, or si_addr.
    pub first: u64,
    /// si_value, or si_status.
    pub second: u64,
    rest: [u64; 12],
}

impl SigInfoT {
    /// A signal that was sent.
    pub fn sent(info: &SigInfo) -> Self {
        let child = info.signal == SIGCHLD && (CLD_EXITED..=CLD_CONTINUED).contains(&info.code);
        let second = if child { info.value & 0xffff_ffff } else { info.value };
        Self::new(info.signal, info.code, u64::from(info.uid) << 32 | u64::from(info.pid), second)
    }

    /// A CPU exception at an address.
    pub fn fault(signal: u32, code: i32, address: u64) -> Self {
        Self::new(signal, code, address, 0)
    }

    fn new(signal: u32, code: i32, first: u64, second: u64) -> Self {
        Self { signo: signal as i32, errno: 0, code, pad: 0, first, second, rest: [0; 12] }
    }
}

/// Indexes of `gregs` (REG_R8 …), in glibc's order.
pub mod reg {
    pub const RDI: usize = 8;
    pub const RAX: usize = 13;
    pub const RCX: usize = 14;
    pub const RSP: usize = 15;
    pub const RIP: usize = 16;
    pub const EFL: usize = 17;
    pub const CSGSFS: usize = 18;
    pub const ERR: usize = 19;
    pub const TRAPNO: usize = 20;
    pub const OLDMASK: usize = 21;
    pub const CR2: usize = 22;
    /// How many there are.
    pub const COUNT: usize = 23;
}

/// `ucontext_t`: 968 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UContext {
    pub flags: u64,
    pub link: u64,
    pub stack: AltStack,
    pub gregs: [u64; reg::COUNT],
    /// Address of the FPU state.
    pub fpregs: u64,
    reserved: [u64; 8],
    pub sigmask: [u64; 16],
    /// Room for an FPU state that getcontext(3) uses; here the state stands elsewhere.
    fpregs_mem: [u64; 64],
    ssp: [u64; 4],
}

const _: () = assert!(size_of::<SigInfoT>() == 128 && size_of::<UContext>() == 968);

impl UContext {
    /// Fills a context except for its general registers and the room for getcontext's FPU state, which nobody reads here.
    ///
    /// # Safety
    /// `context` is memory for one.
    pub unsafe fn fill(context: *mut Self, fpregs: u64, mask: u64, stack: AltStack) {
        let mut sigmask = [0; 16];
        sigmask[0] = mask;
        // SAFETY: the caller's contract; every field is plain data.
        unsafe {
            (*context).flags = 0;
            (*context).link = 0;
            (*context).stack = stack;
            (*context).fpregs = fpregs;
            (*context).reserved = [0; 8];
            (*context).sigmask = sigmask;
            (*context).ssp = [0; 4];
        }
    }
}
