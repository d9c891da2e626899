//! Readiness: poll, select, epoll, eventfd, timerfd, signalfd, inotify.

use crate::errno::{self, int, long};
use crate::pthread::cancel::point;
use crate::sys;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{clockid_t, epoll_event, fd_set, itimerspec, nfds_t, pollfd, sigset_t, timespec, timeval};

/// Bytes of the kernel's signal set.
const SIGSET: usize = 8;

c_api! {
    /// poll(2).
    fn poll(fds: *mut pollfd, count: nfds_t, timeout_ms: c_int) -> c_int {
        int(point(|| sys::poll(fds, count as usize, timeout_ms)))
    }

    /// ppoll(2).
    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int {
        // The kernel writes the time left; the caller's copy stays as it was.
        let mut copy = if timeout.is_null() { timespec { tv_sec: 0, tv_nsec: 0 } } else { *timeout };
        let pointer = if timeout.is_null() { ptr::null() } else { (&raw mut copy).cast_const() };
        int(point(|| sys::ppoll(fds, count as usize, pointer, mask.cast(), SIGSET)))
    }

    /// select(2). As Linux: the time left is written back.
    fn select(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *mut timeval) -> c_int {
        let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
        let mut pointer = ptr::null_mut();
        if !timeout.is_null() {
            if (*timeout).tv_sec < 0 || (*timeout).tv_usec < 0 {
                return errno::fail(libc::EINVAL);
            }
            time.tv_sec = (*timeout).tv_sec + (*timeout).tv_usec / 1_000_000;
            time.tv_nsec = (*timeout).tv_usec % 1_000_000 * 1000;
            pointer = &raw mut time;
        }
        let raw = point(|| sys::pselect6(count, read.cast(), write.cast(), except.cast(), pointer, ptr::null()));
        if !timeout.is_null() {
            (*timeout).tv_sec = time.tv_sec;
            (*timeout).tv_usec = time.tv_nsec / 1000;
        }
        int(raw)
    }

    /// pselect(2).
    fn pselect(
        count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set,
        timeout: *const timespec, mask: *const sigset_t,
    ) -> c_int {
        let mut time = if timeout.is_null() { timespec { tv_sec: 0, tv_nsec: 0 } } else { *timeout };
        let pointer = if timeout.is_null() { ptr::null_mut() } else { &raw mut time };
        let set = [mask.expose_provenance(), SIGSET];
        int(point(|| sys::pselect6(count, read.cast(), write.cast(), except.cast(), pointer, set.as_ptr().cast())))
    }

    /// epoll_create1(2).
    fn epoll_create1(flags: c_int) -> c_int { int(sys::epoll_create1(flags)) }

    /// epoll_create(2).
    fn epoll_create(size: c_int) -> c_int {
        if size <= 0 { errno::fail(libc::EINVAL) } else { int(sys::epoll_create1(0)) }
    }

    /// epoll_ctl(2).
    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int {
        int(sys::epoll_ctl(epoll, operation, fd, event))
    }

    /// epoll_wait(2).
    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout_ms: c_int) -> c_int {
        int(point(|| sys::epoll_pwait(epoll, events, count, timeout_ms, ptr::null(), SIGSET)))
    }

    /// epoll_pwait(2).
    fn epoll_pwait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout_ms: c_int, mask: *const sigset_t) -> c_int {
        int(point(|| sys::epoll_pwait(epoll, events, count, timeout_ms, mask.cast(), SIGSET)))
    }

    /// eventfd(2).
    fn eventfd(initial: c_uint, flags: c_int) -> c_int { int(sys::eventfd2(initial, flags)) }

    /// eventfd_read(3).
    fn eventfd_read(fd: c_int, out: *mut u64) -> c_int {
        let raw = long(sys::read(fd, out.cast(), 8));
        if raw == 8 { 0 } else { -1 }
    }

    /// eventfd_write(3).
    fn eventfd_write(fd: c_int, value: u64) -> c_int {
        let raw = long(sys::write(fd, (&raw const value).cast(), 8));
        if raw == 8 { 0 } else { -1 }
    }

    /// signalfd(2).
    fn signalfd(fd: c_int, mask: *const sigset_t, flags: c_int) -> c_int {
        int(sys::signalfd4(fd, mask.cast(), SIGSET, flags))
    }

    /// timerfd_create(2).
    fn timerfd_create(clock: clockid_t, flags: c_int) -> c_int { int(sys::timerfd_create(clock, flags)) }

    /// timerfd_settime(2).
    fn timerfd_settime(fd: c_int, flags: c_int, new: *const itimerspec, old: *mut itimerspec) -> c_int {
        int(sys::timerfd_settime(fd, flags, new, old))
    }

    /// timerfd_gettime(2).
    fn timerfd_gettime(fd: c_int, out: *mut itimerspec) -> c_int { int(sys::timerfd_gettime(fd, out)) }

    /// inotify_init1(2).
    fn inotify_init1(flags: c_int) -> c_int { int(sys::call(libc::SYS_inotify_init1, [flags as usize, 0, 0, 0, 0, 0])) }

    /// inotify_init(2).
    fn inotify_init() -> c_int { inotify_init1(0) }

    /// inotify_add_watch(2).
    fn inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int {
        int(sys::call(libc::SYS_inotify_add_watch, [fd as usize, path.expose_provenance(), mask as usize, 0, 0, 0]))
    }

    /// inotify_rm_watch(2).
    fn inotify_rm_watch(fd: c_int, watch: c_int) -> c_int {
        int(sys::call(libc::SYS_inotify_rm_watch, [fd as usize, watch as usize, 0, 0, 0, 0]))
    }
}
