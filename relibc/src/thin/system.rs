//! The kernel itself: modules, log, capabilities, tracing.

use core::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use libc::{pid_t, size_t};

thin! {
    fn capget(header: *mut c_void, data: *mut c_void) -> c_int = SYS_capget;
    fn capset(header: *mut c_void, data: *const c_void) -> c_int = SYS_capset;
    fn klogctl(command: c_int, buffer: *mut c_char, len: c_int) -> c_int = SYS_syslog;
    fn init_module(image: *const c_void, len: size_t, arguments: *const c_char) -> c_int = SYS_init_module;
    fn delete_module(name: *const c_char, flags: c_uint) -> c_int = SYS_delete_module;
    fn iopl(level: c_int) -> c_int = SYS_iopl;
    fn ioperm(from: c_ulong, count: c_ulong, on: c_int) -> c_int = SYS_ioperm;
    fn pidfd_open(pid: pid_t, flags: c_uint) -> c_int = SYS_pidfd_open;
    fn pidfd_send_signal(fd: c_int, signal: c_int, info: *mut libc::siginfo_t, flags: c_uint) -> c_int = SYS_pidfd_send_signal;
    fn pidfd_getfd(fd: c_int, target: c_int, flags: c_uint) -> c_int = SYS_pidfd_getfd;
    fn process_madvise(fd: c_int, iov: *const libc::iovec, count: size_t, advice: c_int, flags: c_uint) -> libc::ssize_t = SYS_process_madvise;
    fn process_mrelease(fd: c_int, flags: c_uint) -> c_int = SYS_process_mrelease;
    fn epoll_pwait2(fd: c_int, events: *mut libc::epoll_event, count: c_int, timeout: *const libc::timespec, mask: *const c_void) -> c_int = SYS_epoll_pwait2;
}

c_api! {
    /// ptrace(2). Requests that read give the value itself, as glibc's function does and the system call does not.
    fn ptrace(request: c_uint, pid: pid_t, address: usize, data: usize) -> core::ffi::c_long {
        /// PTRACE_PEEKTEXT, PTRACE_PEEKDATA and PTRACE_PEEKUSER.
        const PEEKS: core::ops::RangeInclusive<c_uint> = 1..=3;
        let mut word: core::ffi::c_long = 0;
        let peek = PEEKS.contains(&request);
        let data = if peek { (&raw mut word).expose_provenance() } else { data };
        let raw = crate::sys::call(libc::SYS_ptrace, [request as usize, pid as usize, address, data, 0, 0]);
        if raw >= 0 && peek {
            crate::errno::set(0);
            return word;
        }
        crate::errno::long(raw) as core::ffi::c_long
    }
}
