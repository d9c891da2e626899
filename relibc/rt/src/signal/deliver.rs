//! The Rust half of a delivery: which signal, which stack, what the handler sees, and the way back.

use super::action::*;
use super::context::{SigInfoT, UContext, reg};
use super::frame::{Chosen, Frame, Page, RED_ZONE, RETURN_WORDS, Resume};
use super::{UNBLOCKABLE, deliver_pending};
use crate::{cpu, syscall};
use core::arch::asm;
use core::ptr::null;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicUsize};
use ochre_abi::process::{EXIT_CORE, EXIT_SIGNAL};
use ochre_abi::signal::*;
use ochre_abi::syscall::*;

/// rflags bits that user code may set: CF PF AF ZF SF TF DF OF RF AC ID.
const USER_FLAGS: u64 = 0x0025_0dd5;
/// Always 1, and interrupts on.
const FIXED_FLAGS: u64 = 0x202;

static DISPATCHER: AtomicPtr<Dispatcher> = AtomicPtr::new(null::<Dispatcher>().cast_mut());
/// Bytes of the FPU state; 512 means FXSAVE.
pub static FPU_SIZE: AtomicUsize = AtomicUsize::new(512);

pub fn prepare(dispatcher: &'static Dispatcher) {
    FPU_SIZE.store(cpu::fpu_state_size(), Relaxed);
    DISPATCHER.store(core::ptr::from_ref(dispatcher).cast_mut(), Release);
}

/// Whether the C library leaves its own signal pending.
pub fn holds_back() -> bool {
    (dispatcher().holds_back)()
}

fn dispatcher() -> &'static Dispatcher {
    // SAFETY: `prepare` stored a reference before the kernel learned of the trampoline.
    unsafe { &*DISPATCHER.load(Acquire) }
}

/// Finds what to do. The address that the frame goes below, or 0: go on at once, with signals held.
///
/// Runs on the page's own stack, with signals held.
pub unsafe extern "C" fn choose(page: *mut Page) -> usize {
    // SAFETY: the trampoline passes the thread's page, which is its alone while signals are held.
    let page = unsafe { &mut *page };
    let stack = page.shared.saved_rsp.load(Relaxed) as usize;
    let below = stack.wrapping_sub(RED_ZONE + RETURN_WORDS);
    loop {
        let Some((mut chosen, action)) = next(page) else {
            page.chosen = Chosen::default();
            return below;
        };
        let signal = chosen.info.signal;
        match action.disposition {
            Disposition::Handler(address) => {
                chosen.handler = address;
                chosen.flags = action.flags;
                chosen.mask = action.mask;
                page.chosen = chosen;
                let alternate = (dispatcher().alternate_stack)();
                let switch =
                    action.flags & SA_ONSTACK != 0 && alternate.flags & SS_DISABLE == 0 && !alternate.contains(stack);
                return if switch { alternate.sp + alternate.size } else { below };
            }
            Disposition::Default if chosen.fault != 0 && recurs(signal) => {
                hold_on(page);
                return 0;
            }
            Disposition::Default => default_action(signal),
            Disposition::Ignore => {}
        }
    }
}

/// The next signal that can be delivered, with its action; exceptions first.
fn next(page: &mut Page) -> Option<(Chosen, Action)> {
    let shared = &page.shared;
    let fault = shared.fault_signal.swap(0, Relaxed);
    let chosen = if fault != 0 {
        let info = SigInfo { signal: fault, code: shared.fault_code.load(Relaxed) as i32, ..SigInfo::default() };
        let (address, trap) = (shared.fault_addr.load(Relaxed), shared.fault_trap.load(Relaxed));
        Chosen { info, fault: 1, fault_address: address, fault_trap: trap, ..Chosen::default() }
    } else {
        let deliverable = super::pending(shared) & (!shared.mask.load(SeqCst) | UNBLOCKABLE);
        if deliverable == 0 {
            return None;
        }
        // Another thread may have taken it meanwhile.
        Chosen { info: syscall::signal_take(deliverable, 0).ok()?, ..Chosen::default() }
    };
    Some((chosen, (dispatcher().action)(chosen.info.signal)))
}

/// Exceptions that come again when the instruction is run again.
fn recurs(signal: u32) -> bool {
    matches!(signal, SIGSEGV | SIGBUS | SIGILL | SIGFPE)
}

/// Prepares to run the faulting instruction again with signals held: then the kernel ends the process, and reports where.
fn hold_on(page: &mut Page) {
    let shared = &page.shared;
    page.registers[reg::RAX] = shared.saved_rax.load(Relaxed);
    let (rip, rsp) = (shared.saved_rip.load(Relaxed), shared.saved_rsp.load(Relaxed));
    page.resume = resume(rip, shared.saved_rflags.load(Relaxed), rsp);
}

fn default_action(signal: u32) {
    match default_effect(signal) {
        Effect::Ignore => {}
        // SIGSTOP is the kernel's to act on, and the value says which signal the parent is told; that cannot fail for the process itself.
        Effect::Stop => {
            let info = SigInfo { signal: SIGSTOP, code: SI_QUEUE, value: signal.into(), ..SigInfo::default() };
            let _ = syscall::sigqueue(syscall::getpid(), 0, SIGSTOP, &info);
        }
        Effect::End => syscall::exit(EXIT_SIGNAL | u64::from(signal)),
        Effect::Core => syscall::exit(EXIT_SIGNAL | EXIT_CORE | u64::from(signal)),
    }
}

fn resume(rip: u64, flags: u64, rsp: u64) -> Resume {
    Resume { rip, flags: flags & USER_FLAGS | FIXED_FLAGS, rsp, ..Resume::default() }
}

fn selectors() -> (u16, u16) {
    let (code, stack): (u16, u16);
    // SAFETY: reads two segment registers.
    unsafe {
        asm!("mov {:x}, cs", "mov {:x}, ss", out(reg) code, out(reg) stack, options(nomem, nostack, preserves_flags))
    };
    (code, stack)
}

/// Fills the frame, releases signals, runs the handler, and prepares the way back. Runs on the chosen stack, right below the frame.
pub unsafe extern "C" fn run(page: *mut Page, fpu: *mut u8, frame: *mut Frame) {
    // SAFETY: the trampoline made room for the frame, and calls this with signals held.
    let (chosen, handler) = unsafe { fill(&*page, fpu, frame) };
    // From here on the page may be used by another delivery: only its shared words are looked at.
    // SAFETY: the page lives as long as the thread.
    let shared = unsafe { &(*page).shared };
    let saved_fs = shared.saved_fs.load(Relaxed);
    // SAFETY: filled above; raw pointers, because the handler changes the frame through its own.
    let (info, context) = unsafe { (&raw mut (*frame).info, &raw mut (*frame).context) };
    let mut another = false;
    if let Some(handler) = handler {
        let own = if chosen.flags & SA_NODEFER != 0 { 0 } else { bit(chosen.info.signal) };
        let mask = shared.mask.load(SeqCst);
        shared.mask.store((mask | chosen.mask | own) & !UNBLOCKABLE, SeqCst);
        shared.held.store(0, SeqCst);
        deliver_pending(shared);
        let program = (dispatcher().program_fs)();
        if let Some((program, _)) = program {
            // Neither this function nor what it calls from here to the second change uses thread-local storage.
            // SAFETY: the program's own base.
            let _ = unsafe { syscall::set_fs_base(program) };
        }
        handler(chosen.info.signal as i32, info, context);
        if let Some((_, own)) = program {
            // SAFETY: the C library's own base.
            let _ = unsafe { syscall::set_fs_base(own) };
        }
        // SAFETY: the frame is still there; the handler may have changed it.
        let mask = unsafe { (*context).sigmask[0] } & !UNBLOCKABLE;
        // What became pending meanwhile is delivered to the interrupted code as well, once its registers are back, and not to this
        // function: however often a handler raises its own signal, the stack does not grow.
        shared.held.store(1, SeqCst);
        shared.mask.store(mask, SeqCst);
        another = super::pending(shared) & !mask != 0;
    }
    if !another {
        shared.held.store(0, SeqCst);
        deliver_pending(shared);
    }
    // SAFETY: as above.
    unsafe {
        let gregs = &(*context).gregs;
        // gregs without rsp, which lies between rcx and rip.
        for (to, from) in (*frame).registers.iter_mut().zip(gregs) {
            *to = *from;
        }
        (*frame).resume = resume(gregs[reg::RIP], gregs[reg::EFL], gregs[reg::RSP]);
        if another {
            // As the kernel delivers: the trampoline, the page in rax, the rest saved in the page.
            shared.saved_rip.store(gregs[reg::RIP], Relaxed);
            shared.saved_rsp.store(gregs[reg::RSP], Relaxed);
            shared.saved_rflags.store(gregs[reg::EFL], Relaxed);
            shared.saved_rax.store(gregs[reg::RAX], Relaxed);
            shared.saved_fs.store(saved_fs, Relaxed);
            (*frame).registers[reg::RAX] = page.expose_provenance() as u64;
            (*frame).resume = resume(super::trampoline::trampoline as *const () as u64, 0, gregs[reg::RSP]);
        }
        // For another signal the C library's FS base stays, and the page still has the interrupted one.
        (*frame).fs = if another { 0 } else { saved_fs };
        if (*context).fpregs == 0 {
            (*context).fpregs = fpu as u64;
        }
    }
}

type Handler = extern "C" fn(i32, *mut SigInfoT, *mut UContext);

/// Fills the frame from the page.
///
/// # Safety
/// Signals are held, `frame` and `fpu` are the frame's memory, and the chosen handler's address is a handler's.
unsafe fn fill(page: &Page, fpu: *mut u8, frame: *mut Frame) -> (Chosen, Option<Handler>) {
    let shared = &page.shared;
    let chosen = page.chosen;
    let mask = shared.mask.load(SeqCst);
    // SAFETY: the caller's contract: memory for a frame. In place, for a frame is large and this is done for every signal.
    let gregs = unsafe {
        UContext::fill(&raw mut (*frame).context, fpu as u64, mask, (dispatcher().alternate_stack)());
        &mut (*frame).context.gregs
    };
    for (to, from) in gregs.iter_mut().zip(&page.registers) {
        *to = *from;
    }
    let (code, stack) = selectors();
    gregs[reg::RAX] = shared.saved_rax.load(Relaxed);
    gregs[reg::RSP] = shared.saved_rsp.load(Relaxed);
    gregs[reg::RIP] = shared.saved_rip.load(Relaxed);
    gregs[reg::EFL] = shared.saved_rflags.load(Relaxed);
    gregs[reg::CSGSFS] = u64::from(code) | u64::from(stack) << 48;
    gregs[reg::ERR] = chosen.fault_trap >> 32;
    gregs[reg::TRAPNO] = chosen.fault_trap & 0xffff_ffff;
    gregs[reg::OLDMASK] = mask;
    gregs[reg::CR2] = chosen.fault_address;
    let info = if chosen.fault != 0 {
        SigInfoT::fault(chosen.info.signal, chosen.info.code, chosen.fault_address)
    } else {
        SigInfoT::sent(&chosen.info)
    };
    let interrupted = shared.interrupted.swap(0, Relaxed);
    // A signal that is held back is there to end the call.
    let ended = shared.pending.load(SeqCst) & bit(HELD_BACK) != 0 && holds_back();
    if interrupted != 0 && !ended && restarts(interrupted) && (chosen.handler == 0 || chosen.flags & SA_RESTART != 0) {
        gregs[reg::RIP] -= 2;
        gregs[reg::RAX] = interrupted;
    }
    // SAFETY: the caller's contract. The words at 464 would describe extended state in Linux's way; zeroes say that there is none.
    unsafe {
        (&raw mut (*frame).info).write(info);
        fpu.add(464).write_bytes(0, 48);
    }
    // SAFETY: an address other than 0 is what sigaction was given as a handler.
    let handler = (chosen.handler != 0).then(|| unsafe { core::mem::transmute::<usize, Handler>(chosen.handler) });
    (chosen, handler)
}

/// Whether a syscall is made again after a handler with SA_RESTART (signal(7), "Interruption of system calls").
fn restarts(number: u64) -> bool {
    !matches!(number, POLL | EVENT_WAIT | SLEEP | SIGNAL_SUSPEND | SIGNAL_TAKE | REPLY_RECEIVE)
}
