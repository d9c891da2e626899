//! Signals: actions, masks, alternate stacks, sending and waiting. What the kernel and `ochre_rt::signal` leave to the C library.
//!
//! The actions are a table of the process. A delivery reads it without a lock ([`lookup`]): writers make the sequence number odd
//! while they change an entry, with their own signals held, so that no delivery can interrupt a writer and wait for it.

use super::clocks::timeout;
use super::{Args, Result, get, get_opt, put_opt};
use crate::thread;
use core::ffi::c_int;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, fence};
use ochre_rt::abi::Errno;
use ochre_rt::abi::errno::encode;
use ochre_rt::abi::signal::{
    PROCESS_FLAG_NO_CHILD_STOP, PROCESS_FLAG_NO_CHILD_WAIT, SIGCHLD, SIGNAL_MAX, SigInfo, bit,
};
use ochre_rt::signal::{
    Action, AltStack, Dispatcher, Disposition, Effect, SS_DISABLE, SigInfoT, SignalPage, UNBLOCKABLE, default_effect,
    deliver_pending, pending, process_page, set_mask, set_up,
};
use ochre_rt::syscall;

const SA_NOCLDSTOP: u64 = 1;
const SA_NOCLDWAIT: u64 = 2;
const SA_RESETHAND: u64 = 0x8000_0000;
/// Bytes of the kernel's signal set.
const SIGSET: usize = 8;

struct Entry {
    handler: AtomicUsize,
    flags: AtomicU64,
    mask: AtomicU64,
}

struct Table {
    /// Odd while an entry changes; doubles as the writers' lock.
    sequence: AtomicU32,
    entries: [Entry; SIGNAL_MAX as usize],
}

static TABLE: Table = Table {
    sequence: AtomicU32::new(0),
    entries: [const { Entry { handler: AtomicUsize::new(libc::SIG_DFL), flags: AtomicU64::new(0), mask: AtomicU64::new(0) } };
        SIGNAL_MAX as usize],
};

static DISPATCHER: Dispatcher = Dispatcher {
    action,
    alternate_stack,
    program_fs: super::emulate::program_fs,
    holds_back: crate::pthread::cancel::holds_back,
};

/// The table while one thread changes it.
struct Writing(Option<&'static SignalPage>);

impl Writing {
    fn begin() -> Writing {
        let page = page();
        if let Some(page) = page {
            page.held.store(1, SeqCst);
        }
        loop {
            let sequence = TABLE.sequence.load(Relaxed);
            if sequence & 1 == 0 && TABLE.sequence.compare_exchange(sequence, sequence + 1, Acquire, Relaxed).is_ok() {
                // The odd number is seen before any change.
                fence(Release);
                return Writing(page);
            }
            syscall::yield_now();
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        TABLE.sequence.fetch_add(1, Release);
        if let Some(page) = self.0 {
            page.held.store(0, SeqCst);
            deliver_pending(page);
        }
    }
}

/// Forks with the table whole in the child.
pub fn around_fork<T>(fork: impl FnOnce() -> T) -> T {
    let _writing = Writing::begin();
    fork()
}

fn entry(signal: u32) -> Option<&'static Entry> {
    TABLE.entries.get((signal as usize).checked_sub(1)?)
}

/// Handler, flags and mask as they were set together.
fn lookup(signal: u32) -> Option<(usize, u64, u64)> {
    let entry = entry(signal)?;
    loop {
        let sequence = TABLE.sequence.load(Acquire);
        let value = (entry.handler.load(Relaxed), entry.flags.load(Relaxed), entry.mask.load(Relaxed));
        // The loads above are done before the number is looked at again.
        fence(Acquire);
        if sequence & 1 == 0 && TABLE.sequence.load(Relaxed) == sequence {
            return Some(value);
        }
        core::hint::spin_loop();
    }
}

/// What a delivery does about a signal.
fn action(signal: u32) -> Action {
    let (handler, flags, mask) = lookup(signal).unwrap_or((libc::SIG_DFL, 0, 0));
    let disposition = match handler {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignore,
        address => Disposition::Handler(address),
    };
    if flags & SA_RESETHAND != 0
        && let (Disposition::Handler(address), Some(entry)) = (disposition, entry(signal))
    {
        // Another action that was set meanwhile stays.
        let _ = entry.handler.compare_exchange(address, libc::SIG_DFL, Relaxed, Relaxed);
    }
    Action { disposition, flags, mask }
}

/// The calling thread's alternate stack.
fn alternate_stack() -> AltStack {
    // SAFETY: the calling thread's block is alive, and only the thread itself uses this.
    unsafe { (*thread::current()).platform.alternate }
}

/// The calling thread's page; none before the thread is set up, when all signals wait.
fn page() -> Option<&'static SignalPage> {
    // SAFETY: as above.
    unsafe { (*thread::current()).platform.page }
}

/// Has a signal delivered that the library held back until now.
pub fn take_held_back() {
    if let Some(page) = page() {
        deliver_pending(page);
    }
}

/// Takes over the ignored signals that the program was started with. Once, before the first thread is set up.
pub fn start_process() {
    let process = process_page();
    let inherited = process.ignored.load(SeqCst);
    for (signal, entry) in (1..).zip(&TABLE.entries) {
        if inherited & bit(signal) != 0 {
            entry.handler.store(libc::SIG_IGN, Relaxed);
        }
        note(signal);
    }
}

/// Lets the calling thread have signals; it starts with the mask it was made with.
///
/// # Safety
/// The thread's block is in place, and this is called once for it.
pub unsafe fn start_thread() -> Result {
    (*thread::current()).platform.page = Some(set_up(&DISPATCHER)?);
    Ok(0)
}

/// Blocked signals of the calling thread.
pub fn current_mask() -> u64 {
    page().map_or(u64::MAX, |page| page.mask.load(Relaxed))
}

/// Signals whose action is SIG_IGN: exec keeps those.
pub fn ignored() -> u64 {
    (1..)
        .zip(&TABLE.entries)
        .filter(|(_, entry)| entry.handler.load(Relaxed) == libc::SIG_IGN)
        .fold(0, |set, (n, _)| set | bit(n))
}

/// Tells the kernel what follows from a signal's action.
fn note(signal: u32) {
    let Some(entry) = entry(signal) else { return };
    let process = process_page();
    let (handler, flags) = (entry.handler.load(Relaxed), entry.flags.load(Relaxed));
    let nothing = handler == libc::SIG_IGN || (handler == libc::SIG_DFL && default_effect(signal) == Effect::Ignore);
    if nothing {
        process.ignored.fetch_or(bit(signal), SeqCst);
    } else {
        process.ignored.fetch_and(!bit(signal), SeqCst);
    }
    if matches!(handler, libc::SIG_IGN | libc::SIG_DFL) {
        process.caught.fetch_and(!bit(signal), Relaxed);
    } else {
        process.caught.fetch_or(bit(signal), Relaxed);
    }
    if signal == SIGCHLD {
        let mut word = 0;
        if handler == libc::SIG_IGN || flags & SA_NOCLDWAIT != 0 {
            word |= PROCESS_FLAG_NO_CHILD_WAIT;
        }
        if flags & SA_NOCLDSTOP != 0 {
            word |= PROCESS_FLAG_NO_CHILD_STOP;
        }
        process.flags.store(word, SeqCst);
    }
}

/// Changes and reads an action: (handler, flags, mask).
fn exchange(signal: usize, new: Option<(usize, u64, u64)>) -> Result<(usize, u64, u64)> {
    let signal = u32::try_from(signal as i32).map_err(|_| Errno::EINVAL)?;
    let entry = entry(signal).ok_or(Errno::EINVAL)?;
    let Some((handler, flags, mask)) = new else { return lookup(signal).ok_or(Errno::EINVAL) };
    if bit(signal) & UNBLOCKABLE != 0 {
        return Err(Errno::EINVAL);
    }
    let _writing = Writing::begin();
    let old = (entry.handler.load(Relaxed), entry.flags.load(Relaxed), entry.mask.load(Relaxed));
    entry.handler.store(handler, Relaxed);
    entry.flags.store(flags, Relaxed);
    entry.mask.store(mask & !UNBLOCKABLE, Relaxed);
    note(signal);
    Ok(old)
}

/// Changes and reads the action of `signal`.
///
/// # Safety
/// `new` and `old` are null or valid; the handler may run at any moment from here on.
pub unsafe fn sigaction(signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction) -> isize {
    let wanted = new.as_ref().map(|new| {
        // A sigset's first word holds the 64 signals there are.
        (new.sa_sigaction, u64::from(new.sa_flags as u32), *(&raw const new.sa_mask).cast::<u64>())
    });
    let done = exchange(signal as usize, wanted).map(|(handler, flags, mask)| {
        if !old.is_null() {
            old.write_bytes(0, 1);
            (*old).sa_sigaction = handler;
            (*old).sa_flags = flags as c_int;
            *(&raw mut (*old).sa_mask).cast::<u64>() = mask;
        }
        0
    });
    encode(done) as isize
}

/// [`sigaction`] with the kernel's structure: handler, flags, restorer, mask.
pub unsafe fn rt_sigaction(a: Args) -> Result {
    if a[3] != SIGSET {
        return Err(Errno::EINVAL);
    }
    let new = get_opt::<[usize; 4]>(a[1])?.map(|[handler, flags, _, mask]| (handler, flags as u64, mask as u64));
    let (handler, flags, mask) = exchange(a[0], new)?;
    put_opt(a[2], [handler, flags as usize, 0, mask as usize]);
    Ok(0)
}

pub unsafe fn rt_sigprocmask(a: Args) -> Result {
    if a[3] != SIGSET {
        return Err(Errno::EINVAL);
    }
    let page = page().ok_or(Errno::ENOMEM)?;
    let old = page.mask.load(Relaxed);
    if let Some(set) = get_opt::<u64>(a[1])? {
        let new = match a[0] as i32 {
            libc::SIG_BLOCK => old | set,
            libc::SIG_UNBLOCK => old & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        // The old set is stored first: a handler that runs now may leave by a long jump.
        put_opt(a[2], old);
        set_mask(page, new);
    } else {
        put_opt(a[2], old);
    }
    Ok(0)
}

/// Makes a call that waits under the mask at `pointer` (null: under the present one). The call leaves that mask in the thread's
/// page, so that the handler that ends the wait runs under it; afterwards the old one counts again.
pub unsafe fn with_mask(pointer: usize, wait: impl FnOnce(usize) -> Result) -> Result {
    let (Some(mask), Some(page)) = (get_opt::<u64>(pointer)?, page()) else { return wait(0) };
    let mask = mask & !UNBLOCKABLE;
    let old = page.mask.load(Relaxed);
    let done = wait((&raw const mask).expose_provenance());
    set_mask(page, old);
    done
}

unsafe fn suspend(mask: u64) -> Result {
    let page = page().ok_or(Errno::ENOMEM)?;
    let old = page.mask.load(Relaxed);
    let error = syscall::signal_suspend(mask & !UNBLOCKABLE);
    set_mask(page, old);
    Err(error)
}

pub unsafe fn rt_sigsuspend(a: Args) -> Result {
    suspend(get(a[0])?)
}

pub unsafe fn pause(_: Args) -> Result {
    suspend(current_mask())
}

pub unsafe fn rt_sigpending(a: Args) -> Result {
    let page = page().ok_or(Errno::ENOMEM)?;
    let set = pending(page) & page.mask.load(Relaxed);
    super::put(a[0], set)
}

pub unsafe fn rt_sigtimedwait(a: Args) -> Result {
    let set: u64 = get(a[0])?;
    let info = syscall::signal_take(set & !UNBLOCKABLE, timeout(a[2])?)?;
    put_opt(a[1], SigInfoT::sent(&info));
    Ok(info.signal as usize)
}

pub unsafe fn sigaltstack(a: Args) -> Result {
    const SS_ONSTACK: i32 = 1;
    /// Linux's MINSIGSTKSZ.
    const MINIMUM: usize = 2048;
    let old = alternate_stack();
    let here = 0u8;
    let used = old.contains((&raw const here).addr());
    if let Some(new) = get_opt::<AltStack>(a[0])? {
        if used {
            return Err(Errno::EPERM);
        }
        let stack = match new.flags & !SS_ONSTACK {
            SS_DISABLE => AltStack::NONE,
            0 if new.size < MINIMUM => return Err(Errno::ENOMEM),
            0 => AltStack { sp: new.sp, flags: 0, size: new.size },
            _ => return Err(Errno::EINVAL),
        };
        // Disabled until it is whole, should a signal come in between.
        let place = &raw mut (*thread::current()).platform.alternate;
        (&raw mut (*place).flags).write_volatile(SS_DISABLE);
        (&raw mut (*place).sp).write_volatile(stack.sp);
        (&raw mut (*place).size).write_volatile(stack.size);
        (&raw mut (*place).flags).write_volatile(stack.flags);
    }
    let flags = if used { SS_ONSTACK } else { old.flags };
    put_opt(a[1], AltStack { flags, ..old });
    Ok(0)
}

fn number(arg: usize) -> Result<u32> {
    u32::try_from(arg as i32).map_err(|_| Errno::EINVAL)
}

pub unsafe fn kill(a: Args) -> Result {
    syscall::kill(a[0] as i32, number(a[1])?)?;
    Ok(0)
}

pub unsafe fn tgkill(a: Args) -> Result {
    if a[0] as i32 <= 0 || a[1] as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    syscall::tgkill(a[0] as i32, a[1] as i32, number(a[2])?)?;
    Ok(0)
}

/// What a `siginfo_t` that a program filled says: si_code and si_value; the sender is the kernel's to name.
unsafe fn info_of(pointer: usize, signal: u32) -> Result<SigInfo> {
    let words: [u64; 4] = get(pointer)?;
    Ok(SigInfo { signal, code: words[1] as i32, pid: words[2] as u32, uid: (words[2] >> 32) as u32, value: words[3] })
}

pub unsafe fn rt_sigqueueinfo(a: Args) -> Result {
    let signal = number(a[1])?;
    syscall::sigqueue(a[0] as i32, 0, signal, &info_of(a[2], signal)?)?;
    Ok(0)
}

pub unsafe fn rt_tgsigqueueinfo(a: Args) -> Result {
    let signal = number(a[2])?;
    if a[1] as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    syscall::sigqueue(a[0] as i32, a[1] as i32, signal, &info_of(a[3], signal)?)?;
    Ok(0)
}
