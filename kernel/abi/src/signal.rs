//! Signals over shared pages.
//!
//! Each thread that called [`crate::syscall::SIGNAL_SETUP`] shares a [`SignalPage`] with the kernel, and the process's
//! threads share one [`ProcessPage`] at [`crate::layout::PROCESS_PAGE`]. The words are user-writable: the kernel reads
//! them as hints about the process's own wishes and trusts nothing else to them.
//!
//! Bit n−1 stands for signal n. A signal is *deliverable* to a thread if it is pending (for the thread or the process), not in
//! the thread's `mask`, and the thread's `held` is 0. Before a thread with a deliverable signal returns to user mode, and
//! instead of a blocking syscall's end (which then returns EINTR), the kernel:
//!
//! 1. saves rip, rsp, rflags and rax of the interrupted code in `saved_*`, sets `held` to 1,
//! 2. goes on at the trampoline with the address of the thread's page in rax, rflags 0x202, and everything else as it was, rsp too (the
//!    trampoline cares for the red zone, and must not trust the stack before it knows that no alternate one is wanted).
//!
//! The trampoline saves registers, takes signals (`SIGNAL_TAKE` with its siginfo, which clears the pending bit), runs
//! handlers, restores `held` to 0 and returns to `saved_rip` by itself: sigreturn is no syscall. Unblocking: clear
//! the mask bit, then if something is pending call SIGNAL_DELIVER.
//!
//! Syscalls that take a signal mask (POLL, EVENT_WAIT, SIGNAL_SUSPEND) put it into `mask` and leave it there: a handler that ends
//! the wait runs under it, and rt puts the old mask back after the syscall.
//!
//! A CPU exception (SIGSEGV …) fills `fault_*`, and is delivered in the same way though `held` may be 1 or the signal masked
//! only if neither holds; otherwise the process dies by that signal. SIGKILL ends, SIGSTOP stops and SIGCONT continues in the
//! kernel. The default action of SIGTSTP, SIGTTIN and SIGTTOU is a SIGSTOP that the process queues to itself with that number as value:
//! the parent is told of a stop by that signal. A process that never called SIGNAL_SETUP keeps signals pending, and dies by exceptions.

use core::sync::atomic::{AtomicU32, AtomicU64};

pub const SIGHUP: u32 = 1;
pub const SIGINT: u32 = 2;
pub const SIGQUIT: u32 = 3;
pub const SIGILL: u32 = 4;
pub const SIGTRAP: u32 = 5;
pub const SIGABRT: u32 = 6;
pub const SIGBUS: u32 = 7;
pub const SIGFPE: u32 = 8;
pub const SIGKILL: u32 = 9;
pub const SIGUSR1: u32 = 10;
pub const SIGSEGV: u32 = 11;
pub const SIGUSR2: u32 = 12;
pub const SIGPIPE: u32 = 13;
pub const SIGALRM: u32 = 14;
pub const SIGTERM: u32 = 15;
pub const SIGCHLD: u32 = 17;
pub const SIGCONT: u32 = 18;
pub const SIGSTOP: u32 = 19;
pub const SIGTSTP: u32 = 20;
pub const SIGTTIN: u32 = 21;
pub const SIGTTOU: u32 = 22;
pub const SIGURG: u32 = 23;
pub const SIGXCPU: u32 = 24;
pub const SIGXFSZ: u32 = 25;
pub const SIGVTALRM: u32 = 26;
pub const SIGPROF: u32 = 27;
pub const SIGWINCH: u32 = 28;
pub const SIGSYS: u32 = 31;
/// The last signal number (SIGRTMAX).
pub const SIGNAL_MAX: u32 = 64;

/// siginfo codes, as in Linux's `asm-generic/siginfo.h`.
pub const SI_USER: i32 = 0;
/// A POSIX timer; `pid` is its id then, `uid` its overrun.
pub const SI_TIMER: i32 = -2;
pub const SI_KERNEL: i32 = 0x80;
pub const SI_QUEUE: i32 = -1;
pub const SI_TKILL: i32 = -6;
pub const CLD_EXITED: i32 = 1;
pub const CLD_KILLED: i32 = 2;
pub const CLD_DUMPED: i32 = 3;
pub const CLD_STOPPED: i32 = 5;
pub const CLD_CONTINUED: i32 = 6;
pub const SEGV_MAPERR: i32 = 1;
pub const SEGV_ACCERR: i32 = 2;
pub const BUS_ADRALN: i32 = 1;
pub const BUS_ADRERR: i32 = 2;
pub const FPE_INTDIV: i32 = 1;
pub const FPE_FLTINV: i32 = 7;
pub const ILL_ILLOPN: i32 = 2;
pub const TRAP_TRACE: i32 = 2;

/// The bit of a signal in a set; 0 for a number that is no signal.
pub const fn bit(signal: u32) -> u64 {
    if signal >= 1 && signal <= SIGNAL_MAX { 1 << (signal - 1) } else { 0 }
}

/// One thread's page, shared between it and the kernel. The rest of the page is the thread's own (rt keeps its state there).
#[repr(C)]
#[derive(Debug)]
pub struct SignalPage {
    /// Signals directed at this thread. The kernel sets; SIGNAL_TAKE clears.
    pub pending: AtomicU64,
    /// Blocked signals; the thread's own word. SIGKILL and SIGSTOP in it are ignored.
    pub mask: AtomicU64,
    /// Not 0: nothing is delivered (the kernel sets it on delivery, the trampoline clears it).
    pub held: AtomicU32,
    /// The signal of a CPU exception, or 0.
    pub fault_signal: AtomicU32,
    /// si_code of the exception.
    pub fault_code: AtomicU64,
    /// si_addr of the exception.
    pub fault_addr: AtomicU64,
    /// Trap number and error code of the exception, for ucontext's REG_TRAPNO (low 32 bits) and REG_ERR (high).
    pub fault_trap: AtomicU64,
    pub saved_rip: AtomicU64,
    pub saved_rsp: AtomicU64,
    pub saved_rflags: AtomicU64,
    pub saved_rax: AtomicU64,
    /// The interrupted syscall's number if it ended with EINTR because of this delivery (for SA_RESTART), else 0; its
    /// arguments are in their registers still, and the `syscall` instruction is the two bytes before `saved_rip`.
    pub interrupted: AtomicU64,
    /// The FS base of the interrupted code, if REFLECT_FS gave another to run the trampoline with; else 0.
    pub saved_fs: AtomicU64,
}

/// The process's page at [`crate::layout::PROCESS_PAGE`].
#[repr(C)]
#[derive(Debug)]
pub struct ProcessPage {
    /// Signals directed at the process.
    pub pending: AtomicU64,
    /// Signals whose action is to do nothing: the kernel drops them when they are sent.
    pub ignored: AtomicU64,
    /// The process's id; a copy for getpid without a syscall.
    pub pid: AtomicU32,
    /// `PROCESS_FLAG_` bits; the process's own word.
    pub flags: AtomicU32,
    /// Signals that have a handler; only for listings.
    pub caught: AtomicU64,
    /// The file mode creation mask: umask(2) is no system call.
    pub umask: AtomicU32,
    pub reserved: AtomicU32,
}

/// [`ProcessPage::flags`]: ended children are forgotten at once (SIGCHLD is SIG_IGN, or SA_NOCLDWAIT).
pub const PROCESS_FLAG_NO_CHILD_WAIT: u32 = 1;
/// [`ProcessPage::flags`]: no SIGCHLD for children that stop or continue (SA_NOCLDSTOP).
pub const PROCESS_FLAG_NO_CHILD_STOP: u32 = 2;

/// What SIGNAL_TAKE and SIGQUEUE carry; relibc makes a siginfo_t from it.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
)]
pub struct SigInfo {
    pub signal: u32,
    pub code: i32,
    pub pid: u32,
    pub uid: u32,
    /// si_value, or si_status in the low half for SIGCHLD, or si_addr.
    pub value: u64,
}
