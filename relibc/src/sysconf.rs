//! `sysconf`, `getpagesize` and other facts about the system. sysconf(3).

use crate::{errno, sys};
use core::ffi::{c_char, c_int, c_long};
use core::ptr;

/// CPUs this process may run on.
fn cpus() -> c_long {
    let mut mask = [0u8; 128];
    // SAFETY: the buffer is ours.
    let raw = unsafe { sys::sched_getaffinity(0, mask.len(), mask.as_mut_ptr()) };
    match sys::result(raw) {
        Ok(count) => mask[..count.min(mask.len())]
            .iter()
            .map(|byte| c_long::from(byte.count_ones() as u8))
            .sum::<c_long>()
            .max(1),
        Err(_) => 1,
    }
}

fn limit(resource: c_int) -> c_long {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is ours.
    let raw = unsafe { sys::prlimit64(0, resource, ptr::null(), &mut limit) };
    if raw < 0 || limit.rlim_cur == libc::RLIM_INFINITY { -1 } else { limit.rlim_cur as c_long }
}

/// Pages of memory: all of it, or what is free.
fn pages(free: bool) -> c_long {
    // SAFETY: all-zero is a valid struct, and it is ours.
    unsafe {
        let mut info: libc::sysinfo = core::mem::zeroed();
        if sys::sysinfo(&mut info) < 0 {
            return -1;
        }
        let units = if free { info.freeram } else { info.totalram };
        (units * u64::from(info.mem_unit) / 4096) as c_long
    }
}

c_api! {
    /// sysconf(3).
    fn sysconf(name: c_int) -> c_long {
        const POSIX_VERSION: c_long = 200_809;
        match name {
            libc::_SC_PAGESIZE => 4096,
            libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF => cpus(),
            libc::_SC_OPEN_MAX => limit(libc::RLIMIT_NOFILE as c_int),
            libc::_SC_CHILD_MAX => limit(libc::RLIMIT_NPROC as c_int),
            libc::_SC_ARG_MAX => 2 << 20,
            libc::_SC_CLK_TCK => 100,
            libc::_SC_PHYS_PAGES => pages(false),
            libc::_SC_AVPHYS_PAGES => pages(true),
            libc::_SC_GETPW_R_SIZE_MAX | libc::_SC_GETGR_R_SIZE_MAX => 1024,
            libc::_SC_HOST_NAME_MAX => 64,
            libc::_SC_LOGIN_NAME_MAX => 256,
            libc::_SC_TTY_NAME_MAX => 32,
            libc::_SC_IOV_MAX => 1024,
            libc::_SC_NGROUPS_MAX => 65536,
            libc::_SC_LINE_MAX => 2048,
            libc::_SC_SYMLOOP_MAX => -1,
            libc::_SC_STREAM_MAX => 16,
            libc::_SC_RTSIG_MAX => 32,
            libc::_SC_SIGQUEUE_MAX => limit(libc::RLIMIT_SIGPENDING as c_int),
            libc::_SC_THREAD_KEYS_MAX => crate::thread::KEYS_MAX as c_long,
            libc::_SC_THREAD_STACK_MIN => 16384,
            libc::_SC_THREAD_DESTRUCTOR_ITERATIONS => 4,
            libc::_SC_THREAD_THREADS_MAX => -1,
            libc::_SC_VERSION | libc::_SC_THREADS | libc::_SC_THREAD_SAFE_FUNCTIONS
            | libc::_SC_TIMERS | libc::_SC_MONOTONIC_CLOCK | libc::_SC_FSYNC | libc::_SC_MAPPED_FILES
            | libc::_SC_MEMORY_PROTECTION | libc::_SC_SEMAPHORES | libc::_SC_BARRIERS
            | libc::_SC_READER_WRITER_LOCKS | libc::_SC_SPIN_LOCKS | libc::_SC_SPAWN
            | libc::_SC_THREAD_ATTR_STACKADDR | libc::_SC_THREAD_ATTR_STACKSIZE
            | libc::_SC_THREAD_PROCESS_SHARED | libc::_SC_CLOCK_SELECTION | libc::_SC_REALTIME_SIGNALS => POSIX_VERSION,
            libc::_SC_JOB_CONTROL | libc::_SC_SAVED_IDS => 1,
            _ => c_long::from(errno::fail(libc::EINVAL)),
        }
    }

    /// pathconf(3): what holds for every path here.
    fn pathconf(_path: *const c_char, name: c_int) -> c_long { fpathconf(0, name) }

    /// fpathconf(3).
    fn fpathconf(_fd: c_int, name: c_int) -> c_long {
        match name {
            libc::_PC_NAME_MAX | libc::_PC_MAX_CANON | libc::_PC_MAX_INPUT => 255,
            libc::_PC_PATH_MAX => 4096,
            libc::_PC_PIPE_BUF => 4096,
            libc::_PC_LINK_MAX => 127,
            libc::_PC_CHOWN_RESTRICTED | libc::_PC_NO_TRUNC => 1,
            libc::_PC_VDISABLE => 0,
            _ => c_long::from(errno::fail(libc::EINVAL)),
        }
    }

    /// get_nprocs(3).
    fn get_nprocs() -> c_int { cpus() as c_int }

    /// get_nprocs_conf(3).
    fn get_nprocs_conf() -> c_int { cpus() as c_int }

    /// gnu_get_libc_version(3): the version whose ABI this library speaks.
    fn gnu_get_libc_version() -> *const c_char { c"2.36".as_ptr() }

    /// gnu_get_libc_release(3).
    fn gnu_get_libc_release() -> *const c_char { c"stable".as_ptr() }
}
