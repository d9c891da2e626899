//! What is to be done about a signal.

use ochre_abi::signal::*;

/// SA_ flags, as Linux's.
pub const SA_ONSTACK: u64 = 0x0800_0000;
pub const SA_RESTART: u64 = 0x1000_0000;
pub const SA_NODEFER: u64 = 0x4000_0000;
/// Alternate stack: none (sigaltstack's ss_flags).
pub const SS_DISABLE: i32 = 2;

/// A signal's disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    Default,
    Ignore,
    /// Address of a `void (*)(int, siginfo_t *, void *)`.
    Handler(usize),
}

/// An action as sigaction(2) set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub disposition: Disposition,
    /// SA_ flags.
    pub flags: u64,
    /// Blocked while the handler runs, besides the signal itself.
    pub mask: u64,
}

/// A thread's alternate stack, laid out as `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AltStack {
    pub sp: usize,
    pub flags: i32,
    pub size: usize,
}

impl AltStack {
    /// No alternate stack.
    pub const NONE: Self = Self { sp: 0, flags: SS_DISABLE, size: 0 };

    /// Whether code with this stack pointer runs on it.
    pub fn contains(&self, pointer: usize) -> bool {
        self.flags & SS_DISABLE == 0 && pointer.wrapping_sub(self.sp) <= self.size
    }
}

/// What the C library knows. The functions are called while signals are held, on a stack of 3 KiB: they only look things up, without
/// locks and system calls.
#[derive(Clone, Copy, Debug)]
pub struct Dispatcher {
    /// The action for a signal that is delivered now; one with SA_RESETHAND is set back to the default by this.
    pub action: fn(signal: u32) -> Action,
    /// The calling thread's alternate stack.
    pub alternate_stack: fn() -> AltStack,
    /// For a foreign program under emulation: its own FS base and the C library's; handlers run with the first.
    pub program_fs: fn() -> Option<(usize, usize)>,
    /// Whether [`HELD_BACK`] is to stay pending for now: while it is, waits end with EINTR at once, and nothing is delivered for it.
    pub holds_back: fn() -> bool,
}

/// The signal that the C library may leave pending (its own one, for cancellation).
pub const HELD_BACK: u32 = 32;

/// What a signal does by default (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Ignore,
    Stop,
    End,
    /// Ends, and would dump core.
    Core,
}

/// The default action's effect. SIGCONT counts as ignored: its effect is the kernel's.
pub const fn default_effect(signal: u32) -> Effect {
    const SIGXCPU: u32 = 24;
    const SIGXFSZ: u32 = 25;
    match signal {
        SIGCHLD | SIGURG | SIGWINCH | SIGCONT => Effect::Ignore,
        SIGTSTP | SIGTTIN | SIGTTOU | SIGSTOP => Effect::Stop,
        SIGQUIT | SIGILL | SIGTRAP | SIGABRT | SIGBUS | SIGFPE | SIGSEGV | SIGXCPU | SIGXFSZ | SIGSYS => Effect::Core,
        _ => Effect::End,
    }
}
