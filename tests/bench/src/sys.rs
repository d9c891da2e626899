//! The C library's functions that `std` does not offer, or not without additions of its own that would be measured too.
//!
//! All of this program's unsafe code is here, behind functions that are safe to call.
#![allow(unsafe_code, reason = "calls of C functions; each block says why it is sound")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// −1 is the error in errno.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for byte counts.
fn check_len(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// getppid(2), which no C library caches.
pub fn getppid() -> i32 {
    // SAFETY: no arguments, no effect.
    unsafe { libc::getppid() }
}

/// read(2).
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is ours to write for its whole length.
    check_len(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// write(2).
pub fn write(fd: BorrowedFd<'_>, buffer: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer can be read for its whole length.
    check_len(unsafe { libc::write(fd.as_raw_fd(), buffer.as_ptr().cast(), buffer.len()) })
}

/// open(2) for reading.
pub fn open(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the path ends with NUL; O_RDONLY takes no mode.
    let fd = check(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// stat(2); returns the size.
pub fn stat(path: &CStr) -> io::Result<i64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends with NUL, and there is room for a struct stat.
    check(unsafe { libc::stat(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: filled, as the call succeeded.
    Ok(unsafe { stat.assume_init() }.st_size)
}

/// fstat(2); returns the size.
pub fn fstat(fd: BorrowedFd<'_>) -> io::Result<i64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for a struct stat.
    check(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: filled, as the call succeeded.
    Ok(unsafe { stat.assume_init() }.st_size)
}

/// sync(2).
pub fn sync() {
    // SAFETY: sync takes nothing and cannot fail.
    unsafe { libc::sync() };
}

/// eventfd(2), counting from 0.
pub fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes only numbers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How many CPUs this thread may run on; 1 if the system does not tell.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Binds this thread to one CPU.
pub fn bind(cpu: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is bits, of which all zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET ignores numbers that the set has no bit for.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set can be read for its size; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
}

/// A child process that has not been waited for.
pub struct Child(libc::pid_t);

impl Child {
    /// Waits for its end. 128 and more: it died of that signal.
    pub fn wait(self) -> io::Result<i32> {
        let mut status = 0;
        // SAFETY: the status is ours to write.
        while let Err(error) = check(unsafe { libc::waitpid(self.0, &mut status, 0) }) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) })
    }
}

/// fork(2). The child runs `work` and ends with its status, without destructors.
pub fn fork(work: impl FnOnce() -> i32) -> io::Result<Child> {
    // SAFETY: rows run one after the other on the main thread, and their threads are joined when they end: no other
    // thread exists that could hold a lock which the child needs.
    match check(unsafe { libc::fork() })? {
        0 => {
            let status = work();
            // SAFETY: ends the process.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(Child(pid)),
    }
}

/// close(2) of a descriptor whose owner, in a forked child, will never run its destructor.
pub fn close_in_child(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: called between fork and _exit only, where nothing uses the descriptor afterwards.
    check(unsafe { libc::close(fd.as_raw_fd()) }).map(drop)
}

/// A NULL-terminated argument vector.
pub struct ArgList {
    pointers: Vec<*mut c_char>,
    // What the pointers point to; moving the vector does not move the strings.
    _strings: Vec<CString>,
}

impl ArgList {
    /// The first string is the program's path too.
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect();
        Self { pointers, _strings: strings }
    }
}

unsafe extern "C" {
    // environ(7)
    static environ: *const *mut c_char;
}

/// execv(3); the status to exit with if it fails.
pub fn exec(command: &ArgList) -> i32 {
    // SAFETY: the vector ends with NULL, its strings with NUL, and both outlive the call.
    unsafe { libc::execv(command.pointers[0], command.pointers.as_ptr().cast()) };
    127
}

/// posix_spawn(3) with this process's environment.
pub fn posix_spawn(command: &ArgList) -> io::Result<Child> {
    let mut pid = 0;
    // SAFETY: as for `exec`; no file actions, no attributes; nobody changes the environment meanwhile.
    let error = unsafe {
        libc::posix_spawn(&mut pid, command.pointers[0], ptr::null(), ptr::null(), command.pointers.as_ptr(), environ)
    };
    if error == 0 { Ok(Child(pid)) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// A mapping of this process, unmapped when dropped.
pub struct Mapping {
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; access is through its owner.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference only gives atomics (see `SharedWord`).
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(len: usize, prot: c_int, flags: c_int, fd: c_int) -> io::Result<Self> {
        // SAFETY: a new mapping where the kernel likes; it replaces none.
        let address = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, fd, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, len })
    }

    /// Private memory of zeros.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        Self::new(len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    /// A file from its start, for reading.
    pub fn file(file: &File, len: usize) -> io::Result<Self> {
        Self::new(len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd())
    }

    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.len, "offset {offset} of {}", self.len);
        // SAFETY: within the mapping.
        unsafe { self.address.as_ptr().add(offset) }
    }

    /// Writes the byte at the offset, which must be within a writable mapping.
    pub fn write(&mut self, offset: usize) {
        // SAFETY: within the mapping, which is ours alone.
        unsafe { self.at(offset).write_volatile(1) }
    }

    /// Reads the byte at the offset.
    pub fn read(&self, offset: usize) {
        // SAFETY: within the mapping; whatever the byte is, it is a valid u8.
        unsafe { self.at(offset).read_volatile() };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, to which no reference is left.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.len) };
    }
}

/// A word of memory that children made by fork share.
#[derive(Clone)]
pub struct SharedWord(Arc<Mapping>);

impl SharedWord {
    /// A word of value 0.
    pub fn new() -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        Mapping::new(4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1).map(|mapping| Self(Arc::new(mapping)))
    }
}

impl Deref for SharedWord {
    type Target = AtomicU32;

    fn deref(&self) -> &AtomicU32 {
        // SAFETY: mapped, zero-filled, page-aligned, and reached in no other way than through atomics.
        unsafe { AtomicU32::from_ptr(self.0.address.as_ptr().cast()) }
    }
}

fn futex_flag(shared: bool) -> c_int {
    if shared { 0 } else { libc::FUTEX_PRIVATE_FLAG }
}

/// futex(2): FUTEX_WAIT without a time limit. Returns also when woken for no reason, as all errors mean: look again.
pub fn futex_wait(word: &AtomicU32, value: u32, shared: bool) {
    let operation = libc::FUTEX_WAIT | futex_flag(shared);
    // SAFETY: the word outlives the call; a null timeout is none.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, ptr::null::<libc::timespec>()) };
}

/// futex(2): FUTEX_WAKE of one waiter.
pub fn futex_wake(word: &AtomicU32, shared: bool) -> io::Result<()> {
    let operation = libc::FUTEX_WAKE | futex_flag(shared);
    // SAFETY: the word outlives the call.
    check_len(unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) } as isize).map(drop)
}

/// A set of descriptors for select(2).
pub struct FdSet {
    set: libc::fd_set,
    limit: c_int,
}

impl FdSet {
    /// # Errors
    /// InvalidInput if a descriptor does not fit into an fd_set.
    pub fn new(fds: &[OwnedFd]) -> io::Result<Self> {
        // SAFETY: an fd_set is bits, of which all zero is the empty set.
        let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
        let mut limit = 0;
        for fd in fds.iter().map(AsRawFd::as_raw_fd) {
            if usize::try_from(fd).is_ok_and(|fd| fd >= libc::FD_SETSIZE) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: within the set, as just checked.
            unsafe { libc::FD_SET(fd, &mut set) };
            limit = limit.max(fd + 1);
        }
        Ok(Self { set, limit })
    }

    /// How many are readable now.
    pub fn select_now(&self) -> io::Result<c_int> {
        let mut set = self.set;
        let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: set and timeout are ours to write; null sets are not looked at.
        check(unsafe { libc::select(self.limit, &mut set, ptr::null_mut(), ptr::null_mut(), &mut now) })
    }
}

/// A list of descriptors for poll(2).
pub struct PollList(Vec<libc::pollfd>);

impl PollList {
    /// Asks for readability of each.
    pub fn new(fds: &[OwnedFd]) -> Self {
        Self(fds.iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect())
    }

    /// How many are readable now.
    pub fn poll_now(&mut self) -> io::Result<c_int> {
        // SAFETY: the list is ours to write for its length.
        check(unsafe { libc::poll(self.0.as_mut_ptr(), self.0.len() as libc::nfds_t, 0) })
    }
}

/// An epoll instance that asks for readability of each.
pub fn epoll(fds: &[OwnedFd]) -> io::Result<OwnedFd> {
    // SAFETY: takes only numbers.
    let set = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: a new descriptor that nobody else owns.
    let set = unsafe { OwnedFd::from_raw_fd(set) };
    for fd in fds {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: the event can be read.
        check(unsafe { libc::epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event) })?;
    }
    Ok(set)
}

/// How many events there are now, up to 100.
pub fn epoll_now(set: BorrowedFd<'_>) -> io::Result<c_int> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 100];
    // SAFETY: there is room for as many events as it says.
    check(unsafe { libc::epoll_wait(set.as_raw_fd(), events.as_mut_ptr(), events.len() as c_int, 0) })
}

static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_signal(_: c_int) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
}

/// sigaction(2): SIGUSR1 is counted from now on.
pub fn install_handler() -> io::Result<()> {
    // SAFETY: a sigaction of zeros has an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as extern "C" fn(c_int) as usize;
    // SAFETY: the handler only adds to an atomic, which a signal handler may do.
    check(unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) }).map(drop)
}

/// How often SIGUSR1 was caught.
pub fn signals_caught() -> u64 {
    CAUGHT.load(Ordering::Relaxed)
}

/// kill(2) of this process with SIGUSR1.
pub fn signal_self() -> io::Result<()> {
    // SAFETY: the handler is installed (see `install_handler`), or the process ends, which is no matter of memory safety.
    check(unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) }).map(drop)
}

/// A pthread mutex, which must not move: boxed.
pub struct PthreadMutex(Box<std::cell::UnsafeCell<libc::pthread_mutex_t>>);

impl PthreadMutex {
    /// Unlocked.
    pub fn new() -> Self {
        Self(Box::new(std::cell::UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER)))
    }

    /// pthread_mutex_lock(3) and pthread_mutex_unlock(3).
    pub fn lock_unlock(&self) -> io::Result<()> {
        let mutex = self.0.get();
        // SAFETY: initialised, at an address that does not change, and locked by this thread when it is unlocked.
        let error = unsafe {
            match libc::pthread_mutex_lock(mutex) {
                0 => libc::pthread_mutex_unlock(mutex),
                error => error,
            }
        };
        if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
    }
}

impl Drop for PthreadMutex {
    fn drop(&mut self) {
        // SAFETY: not locked, and never used again.
        unsafe { libc::pthread_mutex_destroy(self.0.get()) };
    }
}
