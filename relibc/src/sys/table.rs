//! The calls both back ends serve, one line each: `name(arguments) = Linux call`.

use super::call;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{
    clockid_t, epoll_event, gid_t, iovec, itimerspec, mode_t, msghdr, off_t, pid_t, pollfd, rlimit, rusage, size_t,
    sockaddr, socklen_t, stat, statx as statx_t, timespec, uid_t, utsname,
};

macro_rules! calls {
    ($( fn $name:ident ( $($arg:ident : $ty:ty),* $(,)? ) = $number:ident; )*) => {
        $(
            #[doc = concat!("The system call of this name (`", stringify!($number), "`).")]
            #[inline]
            pub unsafe fn $name( $($arg : $ty),* ) -> isize {
                calls!(@call $number, $($arg),*)
            }
        )*
    };
    (@call $n:ident, ) => { call(libc::$n, [0; 6]) };
    (@call $n:ident, $a:ident) => { call(libc::$n, [$a as usize, 0, 0, 0, 0, 0]) };
    (@call $n:ident, $a:ident, $b:ident) => { call(libc::$n, [$a as usize, $b as usize, 0, 0, 0, 0]) };
    (@call $n:ident, $a:ident, $b:ident, $c:ident) => {
        call(libc::$n, [$a as usize, $b as usize, $c as usize, 0, 0, 0])
    };
    (@call $n:ident, $a:ident, $b:ident, $c:ident, $d:ident) => {
        call(libc::$n, [$a as usize, $b as usize, $c as usize, $d as usize, 0, 0])
    };
    (@call $n:ident, $a:ident, $b:ident, $c:ident, $d:ident, $e:ident) => {
        call(libc::$n, [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize, 0])
    };
    (@call $n:ident, $a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident) => {
        call(libc::$n, [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize, $f as usize])
    };
}

// Files.
calls! {
    fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) = SYS_openat;
    fn close(fd: c_int) = SYS_close;
    fn read(fd: c_int, buf: *mut c_void, len: size_t) = SYS_read;
    fn write(fd: c_int, buf: *const c_void, len: size_t) = SYS_write;
    fn pread(fd: c_int, buf: *mut c_void, len: size_t, at: off_t) = SYS_pread64;
    fn pwrite(fd: c_int, buf: *const c_void, len: size_t, at: off_t) = SYS_pwrite64;
    fn readv(fd: c_int, iov: *const iovec, count: c_int) = SYS_readv;
    fn writev(fd: c_int, iov: *const iovec, count: c_int) = SYS_writev;
    fn preadv(fd: c_int, iov: *const iovec, count: c_int, low: usize, high: usize) = SYS_preadv;
    fn pwritev(fd: c_int, iov: *const iovec, count: c_int, low: usize, high: usize) = SYS_pwritev;
    fn lseek(fd: c_int, offset: off_t, whence: c_int) = SYS_lseek;
    fn fcntl(fd: c_int, command: c_int, arg: usize) = SYS_fcntl;
    fn ioctl(fd: c_int, request: usize, arg: usize) = SYS_ioctl;
    fn dup(fd: c_int) = SYS_dup;
    fn dup3(old: c_int, new: c_int, flags: c_int) = SYS_dup3;
    fn pipe2(fds: *mut c_int, flags: c_int) = SYS_pipe2;
    fn newfstatat(dir: c_int, path: *const c_char, out: *mut stat, flags: c_int) = SYS_newfstatat;
    fn fstat(fd: c_int, out: *mut stat) = SYS_fstat;
    fn statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut statx_t) = SYS_statx;
    fn getdents64(fd: c_int, buf: *mut c_void, len: size_t) = SYS_getdents64;
    fn ftruncate(fd: c_int, len: off_t) = SYS_ftruncate;
    fn truncate(path: *const c_char, len: off_t) = SYS_truncate;
    fn fallocate(fd: c_int, mode: c_int, at: off_t, len: off_t) = SYS_fallocate;
    fn fsync(fd: c_int) = SYS_fsync;
    fn fdatasync(fd: c_int) = SYS_fdatasync;
    fn sync() = SYS_sync;
    fn syncfs(fd: c_int) = SYS_syncfs;
    fn flock(fd: c_int, operation: c_int) = SYS_flock;
    fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) = SYS_unlinkat;
    fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) = SYS_mkdirat;
    fn mknodat(dir: c_int, path: *const c_char, mode: mode_t, dev: u64) = SYS_mknodat;
    fn renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) = SYS_renameat2;
    fn linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) = SYS_linkat;
    fn symlinkat(target: *const c_char, dir: c_int, path: *const c_char) = SYS_symlinkat;
    fn readlinkat(dir: c_int, path: *const c_char, buf: *mut c_char, len: size_t) = SYS_readlinkat;
    fn fchmod(fd: c_int, mode: mode_t) = SYS_fchmod;
    fn fchmodat(dir: c_int, path: *const c_char, mode: mode_t) = SYS_fchmodat;
    fn fchown(fd: c_int, uid: uid_t, gid: gid_t) = SYS_fchown;
    fn fchownat(dir: c_int, path: *const c_char, uid: uid_t, gid: gid_t, flags: c_int) = SYS_fchownat;
    fn faccessat(dir: c_int, path: *const c_char, mode: c_int) = SYS_faccessat;
    fn faccessat2(dir: c_int, path: *const c_char, mode: c_int, flags: c_int) = SYS_faccessat2;
    fn utimensat(dir: c_int, path: *const c_char, times: *const timespec, flags: c_int) = SYS_utimensat;
    fn getcwd(buf: *mut c_char, len: size_t) = SYS_getcwd;
    fn chdir(path: *const c_char) = SYS_chdir;
    fn fchdir(fd: c_int) = SYS_fchdir;
    fn chroot(path: *const c_char) = SYS_chroot;
    fn umask(mask: mode_t) = SYS_umask;
    fn sendfile(to: c_int, from: c_int, offset: *mut off_t, len: size_t) = SYS_sendfile;
    fn splice(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint) = SYS_splice;
    fn copy_file_range(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint) = SYS_copy_file_range;
    fn memfd_create(name: *const c_char, flags: c_uint) = SYS_memfd_create;
}

// Memory.
calls! {
    fn mmap(at: *mut c_void, len: size_t, prot: c_int, flags: c_int, fd: c_int, offset: off_t) = SYS_mmap;
    fn munmap(at: *mut c_void, len: size_t) = SYS_munmap;
    fn mprotect(at: *mut c_void, len: size_t, prot: c_int) = SYS_mprotect;
    fn mremap(at: *mut c_void, len: size_t, new_len: size_t, flags: c_int, new_at: *mut c_void) = SYS_mremap;
    fn madvise(at: *mut c_void, len: size_t, advice: c_int) = SYS_madvise;
    fn msync(at: *mut c_void, len: size_t, flags: c_int) = SYS_msync;
    fn mlock(at: *const c_void, len: size_t) = SYS_mlock;
    fn munlock(at: *const c_void, len: size_t) = SYS_munlock;
}

// Waiting: futexes, readiness, timers.
calls! {
    fn futex(word: *const u32, operation: c_int, value: u32, timeout: usize, word2: *const u32, value3: u32) = SYS_futex;
    fn poll(fds: *mut pollfd, count: usize, timeout_ms: c_int) = SYS_poll;
    fn ppoll(fds: *mut pollfd, count: usize, timeout: *const timespec, mask: *const u64, mask_len: size_t) = SYS_ppoll;
    fn pselect6(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut timespec, mask: *const c_void) = SYS_pselect6;
    fn epoll_create1(flags: c_int) = SYS_epoll_create1;
    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) = SYS_epoll_ctl;
    fn epoll_pwait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout_ms: c_int, mask: *const u64, mask_len: size_t) = SYS_epoll_pwait;
    fn eventfd2(initial: c_uint, flags: c_int) = SYS_eventfd2;
    fn signalfd4(fd: c_int, mask: *const u64, mask_len: size_t, flags: c_int) = SYS_signalfd4;
    fn timerfd_create(clock: clockid_t, flags: c_int) = SYS_timerfd_create;
    fn timerfd_settime(fd: c_int, flags: c_int, new: *const itimerspec, old: *mut itimerspec) = SYS_timerfd_settime;
    fn timerfd_gettime(fd: c_int, out: *mut itimerspec) = SYS_timerfd_gettime;
    fn clock_gettime(clock: clockid_t, out: *mut timespec) = SYS_clock_gettime;
    fn clock_getres(clock: clockid_t, out: *mut timespec) = SYS_clock_getres;
    fn clock_nanosleep(clock: clockid_t, flags: c_int, request: *const timespec, left: *mut timespec) = SYS_clock_nanosleep;
    fn pause() = SYS_pause;
}

// Processes, threads, identities.
calls! {
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) = SYS_execve;
    fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) = SYS_wait4;
    fn waitid(kind: c_int, id: c_uint, info: *mut libc::siginfo_t, options: c_int, usage: *mut rusage) = SYS_waitid;
    fn getpid() = SYS_getpid;
    fn getppid() = SYS_getppid;
    fn gettid() = SYS_gettid;
    fn getpgid(pid: pid_t) = SYS_getpgid;
    fn setpgid(pid: pid_t, group: pid_t) = SYS_setpgid;
    fn getsid(pid: pid_t) = SYS_getsid;
    fn setsid() = SYS_setsid;
    fn getuid() = SYS_getuid;
    fn geteuid() = SYS_geteuid;
    fn getgid() = SYS_getgid;
    fn getegid() = SYS_getegid;
    fn setuid(uid: uid_t) = SYS_setuid;
    fn setgid(gid: gid_t) = SYS_setgid;
    fn getgroups(count: c_int, list: *mut gid_t) = SYS_getgroups;
    fn setgroups(count: size_t, list: *const gid_t) = SYS_setgroups;
    fn set_tid_address(word: *mut c_int) = SYS_set_tid_address;
    fn sched_yield() = SYS_sched_yield;
    fn sched_getaffinity(pid: pid_t, len: size_t, mask: *mut u8) = SYS_sched_getaffinity;
    fn sched_setaffinity(pid: pid_t, len: size_t, mask: *const u8) = SYS_sched_setaffinity;
    fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) = SYS_prctl;
    fn prlimit64(pid: pid_t, resource: c_int, new: *const rlimit, old: *mut rlimit) = SYS_prlimit64;
    fn getrusage(who: c_int, out: *mut rusage) = SYS_getrusage;
    fn uname(out: *mut utsname) = SYS_uname;
    fn sysinfo(out: *mut libc::sysinfo) = SYS_sysinfo;
    fn getrandom(buf: *mut c_void, len: size_t, flags: c_uint) = SYS_getrandom;
}

// Signals.
calls! {
    fn kill(pid: pid_t, signal: c_int) = SYS_kill;
    fn tgkill(group: pid_t, thread: pid_t, signal: c_int) = SYS_tgkill;
    fn rt_sigprocmask(how: c_int, new: *const u64, old: *mut u64, len: size_t) = SYS_rt_sigprocmask;
    fn rt_sigpending(out: *mut u64, len: size_t) = SYS_rt_sigpending;
    fn rt_sigsuspend(mask: *const u64, len: size_t) = SYS_rt_sigsuspend;
    fn rt_sigtimedwait(mask: *const u64, info: *mut libc::siginfo_t, timeout: *const timespec, len: size_t) = SYS_rt_sigtimedwait;
    fn sigaltstack(new: *const libc::stack_t, old: *mut libc::stack_t) = SYS_sigaltstack;
}

// Sockets.
calls! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) = SYS_socket;
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) = SYS_socketpair;
    fn bind(fd: c_int, name: *const sockaddr, len: socklen_t) = SYS_bind;
    fn listen(fd: c_int, backlog: c_int) = SYS_listen;
    fn accept4(fd: c_int, name: *mut sockaddr, len: *mut socklen_t, flags: c_int) = SYS_accept4;
    fn connect(fd: c_int, name: *const sockaddr, len: socklen_t) = SYS_connect;
    fn getsockname(fd: c_int, name: *mut sockaddr, len: *mut socklen_t) = SYS_getsockname;
    fn getpeername(fd: c_int, name: *mut sockaddr, len: *mut socklen_t) = SYS_getpeername;
    fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, len: *mut socklen_t) = SYS_getsockopt;
    fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, len: socklen_t) = SYS_setsockopt;
    fn shutdown(fd: c_int, how: c_int) = SYS_shutdown;
    fn sendto(fd: c_int, buf: *const c_void, len: size_t, flags: c_int, to: *const sockaddr, to_len: socklen_t) = SYS_sendto;
    fn recvfrom(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int, from: *mut sockaddr, from_len: *mut socklen_t) = SYS_recvfrom;
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) = SYS_sendmsg;
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) = SYS_recvmsg;
}

/// Waits while `*word == value`.
///
/// `shared` says whether other processes wake this word; `deadline` is absolute, on `clock`
/// (CLOCK_REALTIME or CLOCK_MONOTONIC). Returns 0 when woken, or −EAGAIN, −EINTR, −ETIMEDOUT.
pub unsafe fn futex_wait(
    word: *const u32,
    value: u32,
    shared: bool,
    clock: clockid_t,
    deadline: *const timespec,
) -> isize {
    let mut operation = libc::FUTEX_WAIT_BITSET;
    if !shared {
        operation |= libc::FUTEX_PRIVATE_FLAG;
    }
    if clock == libc::CLOCK_REALTIME {
        operation |= libc::FUTEX_CLOCK_REALTIME;
    }
    futex(word, operation, value, deadline as usize, core::ptr::null(), u32::MAX)
}

/// Wakes at most `count` threads that wait on `word`; returns how many.
pub unsafe fn futex_wake(word: *const u32, count: c_int, shared: bool) -> isize {
    let private = if shared { 0 } else { libc::FUTEX_PRIVATE_FLAG };
    futex(word, libc::FUTEX_WAKE | private, count as u32, 0, core::ptr::null(), 0)
}
