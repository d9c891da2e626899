//! Signals: sigaction(2), sigprocmask(2), sigqueue(3) and what waits for them. Handlers only note what came, in atomics.

use super::checked;
use std::io;
use std::mem::zeroed;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LAST: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
static ORDER: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];
static ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// What a signal's receiver learnt of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Its number.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_pid`, of those that have one.
    pub pid: i32,
    /// The value of sigqueue, or SIGCHLD's status.
    pub value: i32,
}

/// What the last handler saw beside that.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The signal.
    pub info: Info,
    /// The mask while the handler ran.
    pub mask: u64,
    /// An address on the stack it ran on.
    pub stack: usize,
    /// The thread it ran in.
    pub thread: i32,
}

/// How to take a signal.
#[derive(Clone, Copy)]
pub enum Take {
    /// SIG_DFL.
    Default,
    /// SIG_IGN.
    Ignore,
    /// The handler that notes what came; SA_SIGINFO is added.
    Note,
    /// A handler that sends its own signal again, until `allow`ed numbers are used up.
    Again,
    /// For SIGSEGV: makes the page of the fault writable.
    Repair,
}

/// The bit of a signal in a mask.
pub fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn set(mask: u64) -> libc::sigset_t {
    // SAFETY: a set of bits has no invalid values; sigaddset gets valid numbers.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        for signal in (1..=64).filter(|n| mask & bit(*n) != 0) {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

fn bits(set: &libc::sigset_t) -> u64 {
    // SAFETY: the set is initialised.
    (1..=64).filter(|n| unsafe { libc::sigismember(set, *n) } == 1).map(bit).fold(0, |a, b| a | b)
}

fn info(info: &libc::siginfo_t) -> Info {
    // SAFETY: these fields are plain numbers at fixed places, whatever the signal.
    let (pid, value) = unsafe {
        let value =
            if info.si_signo == libc::SIGCHLD { info.si_status() } else { info.si_value().sival_ptr as usize as i32 };
        (info.si_pid(), value)
    };
    Info { signal: info.si_signo, code: info.si_code, pid, value }
}

extern "C" fn note(signal: i32, raw: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo_t to handlers with SA_SIGINFO; sigprocmask and gettid are async-signal-safe.
    let (seen, mask, thread) = unsafe {
        let mut now: libc::sigset_t = zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, ptr::null(), &mut now);
        (info(&*raw), bits(&now), libc::syscall(libc::SYS_gettid))
    };
    let local = 0_u8;
    LAST[0].store(signal as u64 | (seen.code as u32 as u64) << 32, SeqCst);
    LAST[1].store(seen.pid as u32 as u64 | (seen.value as u32 as u64) << 32, SeqCst);
    LAST[2].store(mask, SeqCst);
    LAST[3].store((&raw const local) as u64, SeqCst);
    LAST[4].store(thread as u64, SeqCst);
    let n = COUNT.fetch_add(1, SeqCst);
    ORDER[n % 64].store(seen.value, SeqCst);
}

extern "C" fn again(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if COUNT.fetch_add(1, SeqCst) < ALLOWED.load(SeqCst) {
        // SAFETY: raise is async-signal-safe.
        unsafe { libc::raise(signal) };
    }
}

extern "C" fn repair(signal: i32, raw: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the page is the check's own mapping; siginfo_t is valid, and for SIGSEGV has the address.
    unsafe {
        let page = (*raw).si_addr() as usize & !4095;
        libc::mprotect(page as *mut libc::c_void, 4096, libc::PROT_READ | libc::PROT_WRITE);
    }
    note(signal, raw, context);
}

/// How often a handler ran in this process.
pub fn count() -> usize {
    COUNT.load(SeqCst)
}

/// The value that came with the nth signal (below 64).
pub fn nth_value(n: usize) -> i32 {
    ORDER[n % 64].load(SeqCst)
}

/// Until how many runs a handler of [`Take::Again`] sends its signal again.
pub fn allow(runs: usize) {
    ALLOWED.store(runs, SeqCst);
}

/// What the last handler saw.
pub fn last() -> Seen {
    let word = |n: usize| LAST[n].load(SeqCst);
    let halves = |n: usize| (word(n) as u32 as i32, (word(n) >> 32) as i32);
    let ((signal, code), (pid, value)) = (halves(0), halves(1));
    Seen { info: Info { signal, code, pid, value }, mask: word(2), stack: word(3) as usize, thread: word(4) as i32 }
}

/// sigaction(2) with these `SA_` flags and this mask during the handler.
pub fn take(signal: i32, how: Take, flags: i32, mask: u64) -> io::Result<()> {
    type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
    let (handler, flags) = match how {
        Take::Default => (libc::SIG_DFL, flags),
        Take::Ignore => (libc::SIG_IGN, flags),
        Take::Note => (note as Handler as usize, flags | libc::SA_SIGINFO),
        Take::Again => (again as Handler as usize, flags | libc::SA_SIGINFO),
        Take::Repair => (repair as Handler as usize, flags | libc::SA_SIGINFO),
    };
    // SAFETY: the handlers above have the type that SA_SIGINFO asks for, and are async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        action.sa_mask = set(mask);
        checked(libc::sigaction(signal, &action, ptr::null_mut())).map(drop)
    }
}

/// What a signal's disposition is: SIG_DFL, SIG_IGN or a handler, as a number.
pub fn disposition(signal: i32) -> io::Result<usize> {
    // SAFETY: the old action is the caller's own.
    unsafe {
        let mut old: libc::sigaction = zeroed();
        checked(libc::sigaction(signal, ptr::null(), &mut old))?;
        Ok(old.sa_sigaction)
    }
}

/// Sets the calling thread's mask; gives the old one.
pub fn mask(new: u64) -> io::Result<u64> {
    // SAFETY: both sets are the caller's own.
    unsafe {
        let mut old: libc::sigset_t = zeroed();
        match libc::pthread_sigmask(libc::SIG_SETMASK, &set(new), &mut old) {
            0 => Ok(bits(&old)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// sigpending(2).
pub fn pending() -> io::Result<u64> {
    // SAFETY: the set is the caller's own.
    unsafe {
        let mut now: libc::sigset_t = zeroed();
        checked(libc::sigpending(&mut now))?;
        Ok(bits(&now))
    }
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: sends a signal; the checks name only themselves and their children.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// raise(3): to the calling thread.
pub fn raise(signal: i32) -> io::Result<()> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::raise(signal) }).map(drop)
}

/// tgkill(2).
pub fn tgkill(pid: i32, tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers, as the system call takes them.
    checked(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) } as i32).map(drop)
}

/// The calling process.
pub fn pid() -> i32 {
    std::process::id() as i32
}

/// The calling thread.
pub fn tid() -> i32 {
    // SAFETY: has no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// The least real-time signal that programs may use.
pub fn rtmin() -> i32 {
    libc::SIGRTMIN()
}

/// What sigqueue(3) does, by its system call, rt_sigqueueinfo(2).
pub fn queue(pid: i32, signal: i32, value: i32) -> io::Result<()> {
    // The start of siginfo_t for SI_QUEUE: number, errno, code, padding, pid, uid, value.
    let mut raw = [0_i32; 32];
    (raw[0], raw[2], raw[4], raw[6]) = (signal, libc::SI_QUEUE, self::pid(), value);
    // SAFETY: the 128 bytes of a siginfo_t, which outlive the call.
    checked(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, raw.as_ptr()) } as i32).map(drop)
}

/// sigsuspend(2): always an error.
pub fn suspend(mask: u64) -> io::Error {
    // SAFETY: the set is the caller's own.
    unsafe { libc::sigsuspend(&set(mask)) };
    io::Error::last_os_error()
}

/// sigtimedwait(2).
pub fn wait_for(signals: u64, timeout: Duration) -> io::Result<Info> {
    let timeout = libc::timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // SAFETY: all three are the caller's own.
    unsafe {
        let mut raw: libc::siginfo_t = zeroed();
        checked(libc::sigtimedwait(&set(signals), &mut raw, &timeout))?;
        Ok(info(&raw))
    }
}

/// ppoll(2) of one descriptor (−1: of none) for input, with this mask meanwhile.
pub fn ppoll(fd: i32, timeout: Duration, mask: u64) -> io::Result<i32> {
    let timeout = libc::timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, as said.
    checked(unsafe { libc::ppoll(&mut poll, 1, &timeout, &set(mask)) })
}

/// read(2), without std's retry after EINTR.
pub fn read(fd: i32, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as said.
    let got = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// nanosleep(2): what is left, if a signal came.
pub fn sleep(time: Duration) -> (io::Result<()>, Duration) {
    let time = libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: both times are the caller's own.
    unsafe {
        let mut left: libc::timespec = zeroed();
        let result = checked(libc::nanosleep(&time, &mut left)).map(drop);
        (result, Duration::new(left.tv_sec as u64, left.tv_nsec as u32))
    }
}

/// FUTEX_WAIT on a word that nobody wakes.
pub fn futex_wait(timeout: Duration) -> io::Result<()> {
    let word = 0_u32;
    let timeout = libc::timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word and the time outlive the call.
    checked(unsafe { libc::syscall(libc::SYS_futex, &raw const word, operation, 0, &raw const timeout) } as i32)
        .map(drop)
}

/// Gives the calling thread an alternate stack for good; returns where it starts and how long it is.
pub fn alternate_stack() -> io::Result<(usize, usize)> {
    let size = 256 * 1024;
    let memory = vec![0_u8; size].leak();
    let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: size };
    // SAFETY: the memory is never freed.
    checked(unsafe { libc::sigaltstack(&stack, ptr::null_mut()) })?;
    Ok((memory.as_ptr() as usize, size))
}

/// A page of memory that may only be read.
pub fn read_only_page() -> io::Result<&'static std::cell::UnsafeCell<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, never unmapped; UnsafeCell<u8> has the layout of a byte.
    unsafe {
        let page = libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
        if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(&*page.cast()) }
    }
}

/// Writes to such a page, which faults first, and reads it back.
pub fn write_page(page: &std::cell::UnsafeCell<u8>, value: u8) -> u8 {
    // SAFETY: the page is mapped and this thread alone uses it; a handler makes it writable.
    unsafe {
        page.get().write_volatile(value);
        page.get().read_volatile()
    }
}

/// execv(3) with one argument; returns only if it fails, with a status for that.
pub fn exec(program: &std::path::Path, argument: &str) -> i32 {
    use std::os::unix::ffi::OsStrExt;
    let text = |bytes: &[u8]| std::ffi::CString::new(bytes).unwrap_or_default();
    let (program, argument) = (text(program.as_os_str().as_bytes()), text(argument.as_bytes()));
    let arguments = [program.as_ptr(), argument.as_ptr(), ptr::null()];
    // SAFETY: strings end with NUL, the list with a null pointer, and both outlive the call.
    unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    100
}
