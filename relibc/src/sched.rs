//! `sched.h`, `sys/prctl.h`, `sys/resource.h`.

use crate::errno::{self, int};
use crate::sys;
use core::ffi::{c_int, c_ulong};
use core::ptr;
use libc::{cpu_set_t, pid_t, rlimit, rusage, size_t};

c_api! {
    /// sched_yield(2).
    fn sched_yield() -> c_int { int(sys::sched_yield()) }

    /// sched_getaffinity(2).
    fn sched_getaffinity(pid: pid_t, len: size_t, out: *mut cpu_set_t) -> c_int {
        match sys::result(sys::sched_getaffinity(pid, len, out.cast())) {
            Ok(count) => {
                // The kernel fills what it knows; the rest are CPUs that do not exist.
                ptr::write_bytes(out.cast::<u8>().add(count), 0, len - count.min(len));
                0
            }
            Err(errno) => errno::fail(errno),
        }
    }

    /// sched_setaffinity(2).
    fn sched_setaffinity(pid: pid_t, len: size_t, mask: *const cpu_set_t) -> c_int {
        int(sys::sched_setaffinity(pid, len, mask.cast()))
    }

    /// sched_getcpu(3).
    fn sched_getcpu() -> c_int {
        let mut cpu = 0u32;
        let raw = sys::call(libc::SYS_getcpu, [(&raw mut cpu).expose_provenance(), 0, 0, 0, 0, 0]);
        if raw < 0 { int(raw) } else { cpu as c_int }
    }

    /// Number of CPUs in a set. CPU_SET(3).
    fn __sched_cpucount(len: size_t, set: *const cpu_set_t) -> c_int {
        let bytes = core::slice::from_raw_parts(set.cast::<u8>(), len);
        bytes.iter().map(|byte| byte.count_ones()).sum::<u32>() as c_int
    }

    /// prctl(2).
    fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int {
        int(sys::prctl(option, a as usize, b as usize, c as usize, d as usize))
    }

    /// getrlimit(2).
    fn getrlimit(resource: c_int, out: *mut rlimit) -> c_int { int(sys::prlimit64(0, resource, ptr::null(), out)) }

    /// setrlimit(2).
    fn setrlimit(resource: c_int, new: *const rlimit) -> c_int { int(sys::prlimit64(0, resource, new, ptr::null_mut())) }

    /// prlimit(2).
    fn prlimit(pid: pid_t, resource: c_int, new: *const rlimit, old: *mut rlimit) -> c_int {
        int(sys::prlimit64(pid, resource, new, old))
    }

    /// getrusage(2).
    fn getrusage(who: c_int, out: *mut rusage) -> c_int { int(sys::getrusage(who, out)) }

    /// uname(2).
    fn uname(out: *mut libc::utsname) -> c_int { int(sys::uname(out)) }

    /// sysinfo(2).
    fn sysinfo(out: *mut libc::sysinfo) -> c_int { int(sys::sysinfo(out)) }
}

c_alias! {
    fn getrlimit64 = getrlimit[resource: c_int, out: *mut rlimit] -> c_int;
    fn setrlimit64 = setrlimit[resource: c_int, new: *const rlimit] -> c_int;
    fn prlimit64 = prlimit[pid: pid_t, resource: c_int, new: *const rlimit, old: *mut rlimit] -> c_int;
}
