//! Signals: from the kernel's upcall to a handler and back, all in user code.
//!
//! # How a signal flows
//!
//! The kernel shares a [`SignalPage`] with each thread ([`ochre_abi::signal`]). To deliver, it saves the interrupted code's rip, rsp, rflags
//! and rax there, sets `held`, and goes on at [`trampoline`], with the page's address in rax. From there:
//!
//! 1. The trampoline saves the other registers and the SSE state in the rest of the page, and calls [`deliver::choose`] on a small stack in
//!    that page: the interrupted stack may be unusable (that may be what the signal says), so it is not touched yet.
//! 2. `choose` takes a signal and asks the C library ([`Dispatcher`]) what to do with it. Default actions end the process or stop it; for a
//!    handler it answers with the stack to run it on: the interrupted one below its red zone, or the alternate one.
//! 3. The trampoline makes a frame there: the whole FPU state (XSAVE), and [`frame::Frame`] with `ucontext_t` and `siginfo_t` as glibc has
//!    them. [`deliver::run`] fills it from the page, sets the mask for the handler, clears `held`, and calls the handler.
//! 4. After the handler, `run` puts the mask back that stands in the ucontext, and the trampoline loads all registers from the ucontext, changed
//!    or not. rip and rflags are stored below the red zone of the stack that it goes back to, for a last `popfq` and `ret`. (`iretq` would
//!    do without, but QEMU's emulation reads its operands with the kernel's rights, which SMAP forbids.)
//!
//! If more signals are deliverable when the handler has returned, the interrupted code's state goes back into the page, signals held,
//! and the trampoline starts over: a row of signals takes one frame at a time.
//!
//! A handler may also leave by siglongjmp: nothing but the frame on the stack knows of it.
//!
//! # Why no signal is lost and no saved state spoilt
//!
//! The kernel writes `saved_*` only when it delivers, and delivers only while `held` is 0. While `held` is 1 the page's contents are
//! therefore the trampoline's; before `held` goes to 0, all of it that is still needed stands in the frame on the stack. So a
//! delivery may come at any instruction after that, also between those that load the registers at the end: it finds a stack pointer
//! below everything that is still needed (the frame is popped upwards, and the last two words lie where the stack pointer then is), nests
//! like any other, and comes back to the next instruction.
//!
//! A signal that is sent while `held` is 1 only sets a pending bit. Each place that makes signals deliverable (clearing `held`, unblocking) looks
//! at the pending words *afterwards*, and asks the kernel to deliver (SIGNAL_DELIVER) if one is set. The kernel sets the word
//! before it looks at `held` and the mask, so either it sees them changed and delivers, or we see the bit.
//!
//! # Restarting
//!
//! If the delivery ended a syscall (`interrupted`) and the first handler has SA_RESTART, the frame's rip is moved back onto the `syscall`
//! instruction and rax is the syscall's number again, except for calls that never restart (signal(7)).

mod action;
mod context;
mod deliver;
mod frame;
mod trampoline;

pub use action::{
    Action, AltStack, Dispatcher, Disposition, Effect, HELD_BACK, SA_NODEFER, SA_ONSTACK, SA_RESTART, SS_DISABLE,
    default_effect,
};
pub use context::{SigInfoT, UContext, reg};
pub use ochre_abi::signal::SignalPage;

use crate::syscall;
use core::sync::atomic::Ordering::SeqCst;
use ochre_abi::Result;
use ochre_abi::layout::PROCESS_PAGE;
use ochre_abi::signal::{ProcessPage, SIGKILL, SIGSTOP, bit};

/// Signals that no mask blocks.
pub const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);

/// Bytes that a signal frame takes at most, with some room for a handler (AT_MINSIGSTKSZ).
pub fn minimum_stack() -> usize {
    // The FPU state and the frame, each aligned, the red zone, and what the functions here take.
    crate::cpu::fpu_state_size() + size_of::<frame::Frame>() + 1024
}

/// Prepares signals for the calling thread: every thread does this once, before it unblocks any. `dispatcher` must be the same for all.
///
/// Returns the thread's page, whose mask is the one that the thread was started with.
pub fn set_up(dispatcher: &'static Dispatcher) -> Result<&'static SignalPage> {
    deliver::prepare(dispatcher);
    // SAFETY: the trampoline keeps to the kernel's convention, and its dispatcher is there.
    let page = unsafe { syscall::signal_setup(trampoline::trampoline as *const () as usize) }?;
    // SAFETY: the kernel maps the page for as long as the thread lives, and its words are atomics.
    Ok(unsafe { &*page })
}

/// The process's page.
pub fn process_page() -> &'static ProcessPage {
    #[cfg(test)]
    return &test_page::PAGE;
    // SAFETY: the kernel maps the page at this address in every address space, for ever, and its words are atomics.
    #[cfg(not(test))]
    unsafe {
        &*core::ptr::with_exposed_provenance::<ProcessPage>(PROCESS_PAGE)
    }
}

/// Tests run where no kernel of ours maps the page.
#[cfg(test)]
mod test_page {
    use super::ProcessPage;
    use core::sync::atomic::{AtomicU32, AtomicU64};

    const _: usize = super::PROCESS_PAGE;
    pub static PAGE: ProcessPage = ProcessPage {
        pending: AtomicU64::new(0),
        ignored: AtomicU64::new(0),
        pid: AtomicU32::new(1),
        flags: AtomicU32::new(0),
        caught: AtomicU64::new(0),
        umask: AtomicU32::new(0o022),
        reserved: AtomicU32::new(0),
    };
}

/// Signals pending for the thread or its process.
pub fn pending(page: &SignalPage) -> u64 {
    let all = page.pending.load(SeqCst) | process_page().pending.load(SeqCst);
    if all & bit(HELD_BACK) != 0 && deliver::holds_back() { all & !bit(HELD_BACK) } else { all }
}

/// Replaces the calling thread's mask; the one before. Signals that this unblocks are delivered before it returns.
pub fn set_mask(page: &SignalPage, mask: u64) -> u64 {
    let old = page.mask.swap(mask & !UNBLOCKABLE, SeqCst);
    deliver_pending(page);
    old
}

/// Has pending signals delivered that the mask lets through. To be called after the mask was changed or `held` cleared.
pub fn deliver_pending(page: &SignalPage) {
    if pending(page) & !page.mask.load(SeqCst) != 0 {
        // Always succeeds; the delivery happens on the way back from it.
        let _ = syscall::signal_deliver();
    }
}

#[cfg(test)]
mod tests;
