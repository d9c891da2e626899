//! Names, masks and scheduling of threads.

use crate::thread::Thread;
use crate::{errno, string, sys, thread};
use core::ffi::{c_char, c_int};
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
use libc::{clockid_t, cpu_set_t, pthread_t, sched_param, size_t};

/// Longest name with NUL. Linux's TASK_COMM_LEN.
const NAME_MAX: usize = 16;

/// What pthread_setconcurrency was last given.
static CONCURRENCY: AtomicI32 = AtomicI32::new(0);

/// Runs `f` with the path of a thread's name under /proc.
fn with_comm_path<R>(thread: pthread_t, f: impl FnOnce(*const c_char) -> R) -> R {
    // SAFETY: a pthread_t is its thread's block.
    let tid = unsafe { (*(thread as *mut Thread)).tid.load(Ordering::Relaxed) };
    let path = alloc::format!("/proc/self/task/{tid}/comm\0");
    f(path.as_ptr().cast())
}

c_api! {
    /// pthread_setname_np(3).
    fn pthread_setname_np(of: pthread_t, name: *const c_char) -> c_int {
        let len = string::len(name);
        if len >= NAME_MAX {
            return libc::ERANGE;
        }
        if of == thread::current().addr() as pthread_t {
            return errno::code(sys::prctl(libc::PR_SET_NAME, name.expose_provenance(), 0, 0, 0));
        }
        with_comm_path(of, |path| {
            let raw = sys::openat(libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC, 0);
            let fd = match sys::result(raw) {
                Ok(fd) => fd as c_int,
                Err(errno) => return errno,
            };
            let written = sys::write(fd, name.cast(), len);
            sys::close(fd);
            errno::code(written)
        })
    }

    /// pthread_getname_np(3).
    fn pthread_getname_np(of: pthread_t, out: *mut c_char, len: size_t) -> c_int {
        if len < NAME_MAX {
            return libc::ERANGE;
        }
        if of == thread::current().addr() as pthread_t {
            return errno::code(sys::prctl(libc::PR_GET_NAME, out.expose_provenance(), 0, 0, 0));
        }
        with_comm_path(of, |path| {
            let raw = sys::openat(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0);
            let fd = match sys::result(raw) {
                Ok(fd) => fd as c_int,
                Err(errno) => return errno,
            };
            let read = sys::read(fd, out.cast(), NAME_MAX);
            sys::close(fd);
            match sys::result(read) {
                Ok(count) => {
                    // The kernel ends the name with a newline.
                    *out.add(count.saturating_sub(1)) = 0;
                    0
                }
                Err(errno) => errno,
            }
        })
    }

    /// pthread_sigmask(3).
    fn pthread_sigmask(how: c_int, new: *const libc::sigset_t, old: *mut libc::sigset_t) -> c_int {
        errno::code(crate::signal::mask(how, new, old))
    }

    /// pthread_getaffinity_np(3).
    fn pthread_getaffinity_np(of: pthread_t, len: size_t, out: *mut cpu_set_t) -> c_int {
        let tid = (*(of as *mut Thread)).tid.load(Ordering::Relaxed);
        match sys::result(sys::sched_getaffinity(tid, len, out.cast())) {
            Ok(count) => {
                ptr::write_bytes(out.cast::<u8>().add(count), 0, len - count.min(len));
                0
            }
            Err(errno) => errno,
        }
    }

    /// pthread_setaffinity_np(3).
    fn pthread_setaffinity_np(of: pthread_t, len: size_t, mask: *const cpu_set_t) -> c_int {
        let tid = (*(of as *mut Thread)).tid.load(Ordering::Relaxed);
        errno::code(sys::sched_setaffinity(tid, len, mask.cast()))
    }

    /// pthread_setschedparam(3).
    fn pthread_setschedparam(of: pthread_t, policy: c_int, param: *const sched_param) -> c_int {
        let tid = (*(of as *mut Thread)).tid.load(Ordering::Relaxed);
        errno::code(sys::call(libc::SYS_sched_setscheduler, [tid as usize, policy as usize, param.expose_provenance(), 0, 0, 0]))
    }

    /// pthread_getschedparam(3).
    fn pthread_getschedparam(of: pthread_t, policy: *mut c_int, out: *mut sched_param) -> c_int {
        let tid = (*(of as *mut Thread)).tid.load(Ordering::Relaxed);
        let raw = sys::call(libc::SYS_sched_getscheduler, [tid as usize, 0, 0, 0, 0, 0]);
        if raw < 0 {
            return errno::code(raw);
        }
        *policy = raw as c_int;
        errno::code(sys::call(libc::SYS_sched_getparam, [tid as usize, out.expose_provenance(), 0, 0, 0, 0]))
    }

    /// pthread_getcpuclockid(3).
    fn pthread_getcpuclockid(of: pthread_t, out: *mut clockid_t) -> c_int {
        let tid = (*(of as *mut Thread)).tid.load(Ordering::Relaxed);
        if tid == 0 {
            return libc::ESRCH;
        }
        // Linux's encoding of a thread's CPU clock: per-thread bit 4, scheduler clock 2.
        *out = (!tid << 3) | 6;
        0
    }

    /// pthread_setconcurrency(3): a hint without meaning here.
    fn pthread_setconcurrency(level: c_int) -> c_int {
        if level < 0 {
            return libc::EINVAL;
        }
        CONCURRENCY.store(level, Ordering::Relaxed);
        0
    }

    /// pthread_getconcurrency(3): the last hint.
    fn pthread_getconcurrency() -> c_int { CONCURRENCY.load(Ordering::Relaxed) }
}
