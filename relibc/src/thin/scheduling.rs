//! `sched.h` and priorities: sched(7), setpriority(2).

use crate::errno::{self, int};
use crate::{heap, sys};
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use libc::{cpu_set_t, id_t, pid_t, sched_param, size_t, timespec};

thin! {
    fn sched_getscheduler(pid: pid_t) -> c_int = SYS_sched_getscheduler;
    fn sched_setscheduler(pid: pid_t, policy: c_int, param: *const sched_param) -> c_int = SYS_sched_setscheduler;
    fn sched_getparam(pid: pid_t, out: *mut sched_param) -> c_int = SYS_sched_getparam;
    fn sched_setparam(pid: pid_t, param: *const sched_param) -> c_int = SYS_sched_setparam;
    fn sched_get_priority_max(policy: c_int) -> c_int = SYS_sched_get_priority_max;
    fn sched_get_priority_min(policy: c_int) -> c_int = SYS_sched_get_priority_min;
    fn sched_rr_get_interval(pid: pid_t, out: *mut timespec) -> c_int = SYS_sched_rr_get_interval;
    fn setpriority(which: c_uint, who: id_t, value: c_int) -> c_int = SYS_setpriority;
    fn unshare(flags: c_int) -> c_int = SYS_unshare;
    fn setns(fd: c_int, kind: c_int) -> c_int = SYS_setns;
    fn personality(which: core::ffi::c_ulong) -> c_int = SYS_personality;
    fn getcpu(cpu: *mut c_uint, node: *mut c_uint) -> c_int = SYS_getcpu;
}

c_api! {
    /// getpriority(2). The kernel tells 20 minus the value, so that it is never negative.
    fn getpriority(which: c_uint, who: id_t) -> c_int {
        match sys::result(sys::call(libc::SYS_getpriority, [which as usize, who as usize, 0, 0, 0, 0])) {
            Ok(value) => 20 - value as c_int,
            Err(error) => errno::fail(error),
        }
    }

    /// nice(2). −1 may be a value: errno tells.
    fn nice(by: c_int) -> c_int {
        let raw = sys::call(libc::SYS_getpriority, [libc::PRIO_PROCESS as usize, 0, 0, 0, 0, 0]);
        let Ok(value) = sys::result(raw) else { return int(raw) };
        let new = (20 - value as c_int).saturating_add(by);
        match sys::result(sys::call(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, new as usize, 0, 0, 0])) {
            Ok(_) => match sys::result(sys::call(libc::SYS_getpriority, [libc::PRIO_PROCESS as usize, 0, 0, 0, 0, 0])) {
                Ok(value) => 20 - value as c_int,
                Err(error) => errno::fail(error),
            },
            // POSIX names this one.
            Err(libc::EACCES) => errno::fail(libc::EPERM),
            Err(error) => errno::fail(error),
        }
    }

    /// CPU_ALLOC(3).
    fn __sched_cpualloc(count: size_t) -> *mut cpu_set_t { heap::c_malloc(count.div_ceil(64) * 8).cast() }

    /// CPU_FREE(3).
    fn __sched_cpufree(set: *mut cpu_set_t) { heap::c_free(set.cast()) }

    /// acct(2).
    fn acct(path: *const core::ffi::c_char) -> c_int {
        int(sys::call(libc::SYS_acct, [path.expose_provenance(), 0, 0, 0, 0, 0]))
    }

    /// The end of the data segment: this library's heap does not use it. brk(2).
    fn sbrk(by: isize) -> *mut c_void {
        let now = sys::call(libc::SYS_brk, [0; 6]);
        let Ok(now) = sys::result(now) else { return fail() };
        if by == 0 {
            return ptr::with_exposed_provenance_mut(now);
        }
        let Some(wanted) = now.checked_add_signed(by) else { return fail() };
        match sys::result(sys::call(libc::SYS_brk, [wanted, 0, 0, 0, 0, 0])) {
            Ok(new) if new == wanted => ptr::with_exposed_provenance_mut(now),
            _ => fail(),
        }
    }

    /// brk(2).
    fn brk(to: *mut c_void) -> c_int {
        let wanted = to.expose_provenance();
        match sys::result(sys::call(libc::SYS_brk, [wanted, 0, 0, 0, 0, 0])) {
            Ok(new) if new >= wanted => 0,
            _ => errno::fail(libc::ENOMEM),
        }
    }
}

fn fail() -> *mut c_void {
    errno::set(libc::ENOMEM);
    ptr::without_provenance_mut(usize::MAX)
}
