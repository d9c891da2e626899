//! The Ochre back end: Linux's calls carried out with Ochre's own.
//!
//! [`call`] takes a Linux number and does what Linux would do, through [`ochre_rt`]; every function below it takes the six raw
//! arguments of the call it is named after and gives Linux's value or errno. Nothing here allocates or takes a lock of the C
//! library, because it runs inside `malloc`, in signal handlers and between fork and exec. Structures need no translation: the
//! kernel's are Linux's.
//!
//! What differs from a kernel: the umask, the actions of signals and the program's path are state of the process, so they live
//! here; a wrong pointer that this code itself must read (a path, a `timespec`) is a fault and not EFAULT, unless it is null.

mod attributes;
mod clocks;
mod control;
mod descriptors;
pub mod emulate;
mod events;
mod files;
mod futex;
mod identity;
mod ioctl;
mod memory;
mod names;
mod paths;
mod processes;
mod signals;
mod sockets;
mod spawn;
mod start;
mod system;
mod timers;
mod transfer;
mod xattr;

pub use signals::{sigaction, take_held_back};
pub use spawn::{Attributes, FileAction, spawn};
pub use start::{
    PerThread, clone_thread, early_init, exit_process, exit_thread, exit_thread_unmapping, fork, late_init, set_fs,
    start_thread,
};

use core::ffi::{c_char, c_long};
use ochre_rt::abi::Errno;
use ochre_rt::abi::errno::{decode, encode};
use ochre_rt::syscall::raw::syscall6;

/// What a call gives.
type Result<T = usize> = ochre_rt::Result<T>;
/// The raw arguments of a call.
type Args = [usize; 6];

/// Makes a native system call.
///
/// # Safety
/// What it reads, writes, maps or unmaps is the caller's to hand out.
#[inline(always)]
unsafe fn native(number: u64, a: Args) -> Result {
    let [a, b, c, d, e, f] = a.map(|arg| arg as u64);
    decode(syscall6(number, a, b, c, d, e, f))
}

/// An `int` argument as a native call takes it: with its sign.
fn int(arg: usize) -> usize {
    arg as i32 as isize as usize
}

/// A value that a pointer argument points to; EFAULT for null.
unsafe fn get<T: Copy>(pointer: usize) -> Result<T> {
    get_opt(pointer).and_then(|value| value.ok_or(Errno::EFAULT))
}

/// As [`get`], but null is no value.
unsafe fn get_opt<T: Copy>(pointer: usize) -> Result<Option<T>> {
    let pointer = core::ptr::with_exposed_provenance::<T>(pointer);
    if pointer.is_null() { Ok(None) } else { Ok(Some(pointer.read_unaligned())) }
}

/// Stores a value where a pointer argument points; EFAULT for null.
unsafe fn put<T>(pointer: usize, value: T) -> Result {
    if pointer == 0 {
        return Err(Errno::EFAULT);
    }
    core::ptr::with_exposed_provenance_mut::<T>(pointer).write_unaligned(value);
    Ok(0)
}

/// As [`put`], but null means that the caller does not want it.
unsafe fn put_opt<T>(pointer: usize, value: T) {
    if pointer != 0 {
        core::ptr::with_exposed_provenance_mut::<T>(pointer).write_unaligned(value);
    }
}

/// Memory that a call reads; EFAULT for null, unless it is empty.
unsafe fn bytes<'a>(pointer: usize, len: usize) -> Result<&'a [u8]> {
    match (pointer, len) {
        (_, 0) => Ok(&[]),
        (0, _) => Err(Errno::EFAULT),
        _ => Ok(core::slice::from_raw_parts(core::ptr::with_exposed_provenance(pointer), len)),
    }
}

/// Memory that a call fills; EFAULT for null, unless it is empty.
unsafe fn bytes_mut<'a>(pointer: usize, len: usize) -> Result<&'a mut [u8]> {
    match (pointer, len) {
        (_, 0) => Ok(&mut []),
        (0, _) => Err(Errno::EFAULT),
        _ => Ok(core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(pointer), len)),
    }
}

/// A string argument without its NUL; EFAULT for null.
unsafe fn string<'a>(pointer: usize) -> Result<&'a [u8]> {
    if pointer == 0 {
        return Err(Errno::EFAULT);
    }
    bytes(pointer, crate::string::len(core::ptr::with_exposed_provenance::<c_char>(pointer)))
}

macro_rules! dispatch {
    ($number:expr, $args:expr; $($linux:ident => $function:path,)*) => {
        match $number {
            $(libc::$linux => $function($args),)*
            _ => Err(Errno::ENOSYS),
        }
    };
}

/// Carries out the Linux system call `number`. Returns its value or a negated errno; −ENOSYS for what there is not.
///
/// # Safety
/// The contract of the call.
#[inline(always)]
pub unsafe fn call(number: c_long, a: [usize; 6]) -> isize {
    encode(dispatch! { number, a;
        SYS_read => files::read,
        SYS_write => files::write,
        SYS_pread64 => files::pread,
        SYS_pwrite64 => files::pwrite,
        SYS_readv => files::readv,
        SYS_writev => files::writev,
        SYS_preadv => files::preadv,
        SYS_pwritev => files::pwritev,
        SYS_preadv2 => files::preadv2,
        SYS_pwritev2 => files::pwritev2,
        SYS_lseek => files::lseek,
        SYS_fstat => files::fstat,
        SYS_getdents64 => files::getdents64,
        SYS_ftruncate => files::ftruncate,
        SYS_fallocate => files::fallocate,
        SYS_fadvise64 => files::fadvise,
        SYS_readahead => files::readahead,
        SYS_fsync => files::fsync,
        SYS_fdatasync => files::fdatasync,
        SYS_sync => files::sync,
        SYS_syncfs => files::syncfs,
        SYS_flock => files::flock,
        SYS_fchmod => files::fchmod,
        SYS_fchown => files::fchown,
        SYS_fstatfs => files::fstatfs,
        SYS_fchdir => files::fchdir,
        SYS_sendfile => transfer::sendfile,
        SYS_copy_file_range => transfer::copy_file_range,

        SYS_open => paths::open,
        SYS_openat => paths::openat,
        SYS_creat => paths::creat,
        SYS_stat => paths::stat,
        SYS_lstat => paths::lstat,
        SYS_newfstatat => paths::newfstatat,
        SYS_statx => paths::statx,
        SYS_access => paths::access,
        SYS_faccessat => paths::faccessat,
        SYS_faccessat2 => paths::faccessat2,
        SYS_readlink => paths::readlink,
        SYS_readlinkat => paths::readlinkat,
        SYS_unlink => paths::unlink,
        SYS_rmdir => paths::rmdir,
        SYS_unlinkat => paths::unlinkat,
        SYS_mkdir => paths::mkdir,
        SYS_mkdirat => paths::mkdirat,
        SYS_mknod => paths::mknod,
        SYS_mknodat => paths::mknodat,
        SYS_rename => paths::rename,
        SYS_renameat => paths::renameat,
        SYS_renameat2 => paths::renameat2,
        SYS_link => paths::link,
        SYS_linkat => paths::linkat,
        SYS_symlink => paths::symlink,
        SYS_symlinkat => paths::symlinkat,
        SYS_chmod => paths::chmod,
        SYS_fchmodat => paths::fchmodat,
        SYS_chown => paths::chown,
        SYS_lchown => paths::lchown,
        SYS_fchownat => paths::fchownat,
        SYS_utimensat => paths::utimensat,
        SYS_truncate => paths::truncate,
        SYS_statfs => paths::statfs,
        SYS_chdir => paths::chdir,
        SYS_getcwd => paths::getcwd,
        SYS_umask => paths::umask,

        SYS_getxattr => xattr::getxattr,
        SYS_lgetxattr => xattr::lgetxattr,
        SYS_fgetxattr => xattr::fgetxattr,
        SYS_setxattr => xattr::setxattr,
        SYS_lsetxattr => xattr::lsetxattr,
        SYS_fsetxattr => xattr::fsetxattr,
        SYS_listxattr => xattr::listxattr,
        SYS_llistxattr => xattr::llistxattr,
        SYS_flistxattr => xattr::flistxattr,
        SYS_removexattr => xattr::removexattr,
        SYS_lremovexattr => xattr::lremovexattr,
        SYS_fremovexattr => xattr::fremovexattr,

        SYS_close => descriptors::close,
        SYS_close_range => descriptors::close_range,
        SYS_dup => descriptors::dup,
        SYS_dup2 => descriptors::dup2,
        SYS_dup3 => descriptors::dup3,
        SYS_pipe => descriptors::pipe,
        SYS_pipe2 => descriptors::pipe2,
        SYS_fcntl => control::fcntl,
        SYS_ioctl => ioctl::ioctl,
        SYS_memfd_create => descriptors::memfd_create,

        SYS_mmap => memory::mmap,
        SYS_munmap => memory::munmap,
        SYS_mprotect => memory::mprotect,
        SYS_mremap => memory::mremap,
        SYS_madvise => memory::madvise,
        SYS_msync => memory::msync,
        SYS_mincore => memory::mincore,
        SYS_mlock => memory::mlock,
        SYS_mlock2 => memory::mlock,
        SYS_munlock => memory::munlock,

        SYS_futex => futex::futex,
        SYS_set_robust_list => futex::set_robust_list,
        SYS_poll => events::poll,
        SYS_ppoll => events::ppoll,
        SYS_select => events::select,
        SYS_pselect6 => events::pselect6,
        SYS_epoll_create => events::epoll_create,
        SYS_epoll_create1 => events::epoll_create1,
        SYS_epoll_ctl => events::epoll_ctl,
        SYS_epoll_wait => events::epoll_wait,
        SYS_epoll_pwait => events::epoll_pwait,
        SYS_epoll_pwait2 => events::epoll_pwait2,
        SYS_eventfd => events::eventfd,
        SYS_eventfd2 => events::eventfd2,
        SYS_signalfd4 => events::signalfd4,
        SYS_inotify_init => events::inotify_init,
        SYS_inotify_init1 => events::inotify_init1,
        SYS_inotify_add_watch => events::inotify_add_watch,
        SYS_inotify_rm_watch => events::inotify_rm_watch,
        SYS_timerfd_create => events::timerfd_create,
        SYS_timerfd_settime => events::timerfd_settime,
        SYS_timerfd_gettime => events::timerfd_gettime,

        SYS_clock_gettime => clocks::clock_gettime,
        SYS_clock_getres => clocks::clock_getres,
        SYS_clock_settime => clocks::clock_settime,
        SYS_clock_nanosleep => clocks::clock_nanosleep,
        SYS_nanosleep => clocks::nanosleep,
        SYS_gettimeofday => clocks::gettimeofday,
        SYS_time => clocks::time,
        SYS_times => clocks::times,

        SYS_fork => processes::fork,
        SYS_vfork => processes::fork,
        SYS_clone => processes::clone,
        SYS_execve => processes::execve,
        SYS_execveat => processes::execveat,
        SYS_exit => processes::exit,
        SYS_exit_group => processes::exit_group,
        SYS_wait4 => processes::wait4,
        SYS_waitid => processes::waitid,
        SYS_pidfd_open => processes::pidfd_open,
        SYS_getrusage => processes::getrusage,
        SYS_set_tid_address => processes::set_tid_address,
        SYS_arch_prctl => processes::arch_prctl,
        SYS_prctl => attributes::prctl,
        SYS_getpriority => attributes::getpriority,
        SYS_setpriority => attributes::setpriority,
        SYS_personality => attributes::personality,
        SYS_getcpu => attributes::getcpu,
        SYS_capget => attributes::capget,
        SYS_capset => attributes::capset,
        SYS_kcmp => attributes::kcmp,
        SYS_pidfd_send_signal => attributes::pidfd_send_signal,
        SYS_pidfd_getfd => attributes::pidfd_getfd,
        SYS_process_vm_readv => attributes::process_vm_readv,
        SYS_process_vm_writev => attributes::process_vm_writev,
        SYS_sched_get_priority_max => attributes::sched_get_priority_max,
        SYS_sched_get_priority_min => attributes::sched_get_priority_min,
        SYS_sched_rr_get_interval => attributes::sched_rr_get_interval,
        SYS_getitimer => timers::getitimer,
        SYS_setitimer => timers::setitimer,
        SYS_alarm => timers::alarm,
        SYS_timer_create => timers::timer_create,
        SYS_timer_settime => timers::timer_settime,
        SYS_timer_gettime => timers::timer_gettime,
        SYS_timer_getoverrun => timers::timer_getoverrun,
        SYS_timer_delete => timers::timer_delete,
        SYS_sched_yield => processes::sched_yield,
        SYS_sched_getaffinity => processes::sched_getaffinity,
        SYS_sched_setaffinity => processes::sched_setaffinity,
        SYS_sched_getscheduler => processes::sched_getscheduler,
        SYS_sched_setscheduler => processes::sched_setscheduler,
        SYS_sched_getparam => processes::sched_getparam,
        SYS_sched_setparam => processes::sched_setparam,

        SYS_getpid => identity::getpid,
        SYS_getppid => identity::getppid,
        SYS_gettid => identity::gettid,
        SYS_getpgid => identity::getpgid,
        SYS_getpgrp => identity::getpgrp,
        SYS_setpgid => identity::setpgid,
        SYS_getsid => identity::getsid,
        SYS_setsid => identity::setsid,
        SYS_getuid => identity::getuid,
        SYS_geteuid => identity::geteuid,
        SYS_getgid => identity::getgid,
        SYS_getegid => identity::getegid,
        SYS_getresuid => identity::getresuid,
        SYS_getresgid => identity::getresgid,
        SYS_setuid => identity::setuid,
        SYS_setgid => identity::setgid,
        SYS_setreuid => identity::setreuid,
        SYS_setregid => identity::setregid,
        SYS_setresuid => identity::setresuid,
        SYS_setresgid => identity::setresgid,
        SYS_setfsuid => identity::setfsuid,
        SYS_setfsgid => identity::setfsgid,
        SYS_getgroups => identity::getgroups,
        SYS_setgroups => identity::setgroups,

        SYS_kill => signals::kill,
        SYS_tgkill => signals::tgkill,
        SYS_rt_sigqueueinfo => signals::rt_sigqueueinfo,
        SYS_rt_tgsigqueueinfo => signals::rt_tgsigqueueinfo,
        SYS_rt_sigprocmask => signals::rt_sigprocmask,
        SYS_rt_sigpending => signals::rt_sigpending,
        SYS_rt_sigsuspend => signals::rt_sigsuspend,
        SYS_rt_sigtimedwait => signals::rt_sigtimedwait,
        SYS_rt_sigaction => signals::rt_sigaction,
        SYS_sigaltstack => signals::sigaltstack,
        SYS_pause => signals::pause,

        SYS_socket => sockets::socket,
        SYS_socketpair => sockets::socketpair,
        SYS_bind => sockets::bind,
        SYS_listen => sockets::listen,
        SYS_accept => sockets::accept,
        SYS_accept4 => sockets::accept4,
        SYS_connect => sockets::connect,
        SYS_getsockname => sockets::getsockname,
        SYS_getpeername => sockets::getpeername,
        SYS_getsockopt => sockets::getsockopt,
        SYS_setsockopt => sockets::setsockopt,
        SYS_shutdown => sockets::shutdown,
        SYS_sendto => sockets::sendto,
        SYS_recvfrom => sockets::recvfrom,
        SYS_sendmsg => sockets::sendmsg,
        SYS_recvmsg => sockets::recvmsg,

        SYS_uname => system::uname,
        SYS_sethostname => system::sethostname,
        SYS_reboot => system::reboot,
        SYS_sysinfo => system::sysinfo,
        SYS_getrandom => system::getrandom,
        SYS_prlimit64 => system::prlimit,
        SYS_getrlimit => system::getrlimit,
        SYS_setrlimit => system::setrlimit,
    }) as isize
}
