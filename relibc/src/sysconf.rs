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

/// What never changes, by the numbers of bits/confname.h, as glibc 2.36 answers on x86-64; None for what is no name.
/// 200809 is POSIX.1-2008's version, for each option that is there; −1 is an option that is not, or no limit.
fn fixed(name: c_int) -> Option<c_long> {
    Some(match name {
        6
        | 23..=24
        | 27
        | 32
        | 35
        | 49..=50
        | 53..=59
        | 61..=66
        | 76
        | 92
        | 97
        | 117
        | 125..=126
        | 128
        | 134..=136
        | 140..=148
        | 150..=152
        | 156
        | 158
        | 160..=163
        | 165..=177
        | 179
        | 181..=184
        | 237..=238
        | 240
        | 242..=246 => -1,
        9..=22
        | 29
        | 46..=48
        | 51..=52
        | 67..=68
        | 77..=82
        | 95..=96
        | 132..=133
        | 137..=139
        | 149
        | 153..=154
        | 159
        | 164
        | 235..=236 => 200809,
        7..=8 | 91 | 93..=94 | 98..=100 | 127 | 129..=131 | 155 | 157 | 178 | 239 => 1,
        26 | 33 | 87 | 104 | 121..=124 => 2147483647,
        31 | 42 | 72 | 107 => 32,
        60 | 69..=70 | 74 => 1024,
        37 | 43 | 45 | 120 => 2048,
        44 | 110 | 113 => 32767,
        103 | 112 => -128,
        73 | 90 => 4,
        5 | 108 => 16,
        25 | 109 => 20,
        106 | 180 => 64,
        36 | 38 => 99,
        102 | 111 => 127,
        40 | 115 => 255,
        105 => -2147483648,
        114 => -32768,
        101 => 8,
        2 => 100,
        71 => 256,
        89 => 700,
        39 => 1000,
        119 => 4096,
        88 => 8192,
        75 => 16384,
        28 => 32768,
        118 => 65535,
        3 => 65536,
        116 => 4294967295,
        // Caches: the library does not ask the processor, and 0 says so.
        185..=199 => 0,
        _ => return None,
    })
}

/// The least space for a program's arguments, and the share of its stack that they may take.
const ARGUMENTS_LEAST: c_long = 128 << 10;

/// Bytes that a signal's frame may take on this processor (AT_MINSIGSTKSZ).
fn signal_stack() -> c_long {
    /// Before processors had more state than this.
    const LEAST: usize = 2048;
    /// Linux's key of the auxiliary vector.
    const AT_MINSIGSTKSZ: core::ffi::c_ulong = 51;
    crate::auxv::get(AT_MINSIGSTKSZ).unwrap_or(LEAST) as c_long
}

/// What pathconf says of a file, from statfs's result on it.
fn of_file(name: c_int, raw: isize, file: &libc::statfs) -> c_long {
    match name {
        libc::_PC_LINK_MAX
        | libc::_PC_NAME_MAX
        | libc::_PC_2_SYMLINKS
        | libc::_PC_FILESIZEBITS
        | libc::_PC_REC_MIN_XFER_SIZE
        | libc::_PC_REC_XFER_ALIGN
        | libc::_PC_ALLOC_SIZE_MIN
            if raw < 0 =>
        {
            errno::int(raw).into()
        }
        libc::_PC_LINK_MAX => links(file.f_type),
        libc::_PC_MAX_CANON | libc::_PC_MAX_INPUT => 255,
        libc::_PC_NAME_MAX => file.f_namelen,
        libc::_PC_PATH_MAX | libc::_PC_PIPE_BUF => 4096,
        libc::_PC_CHOWN_RESTRICTED | libc::_PC_NO_TRUNC | libc::_PC_2_SYMLINKS => 1,
        libc::_PC_VDISABLE => 0,
        libc::_PC_FILESIZEBITS if SMALL_FILES.contains(&file.f_type) => 32,
        libc::_PC_FILESIZEBITS => 64,
        libc::_PC_REC_MIN_XFER_SIZE | libc::_PC_ALLOC_SIZE_MIN => file.f_bsize,
        libc::_PC_REC_XFER_ALIGN => file.f_frsize,
        libc::_PC_SYNC_IO
        | libc::_PC_ASYNC_IO
        | libc::_PC_PRIO_IO
        | libc::_PC_SOCK_MAXBUF
        | libc::_PC_REC_INCR_XFER_SIZE
        | libc::_PC_REC_MAX_XFER_SIZE
        | libc::_PC_SYMLINK_MAX => -1,
        _ => errno::fail(libc::EINVAL).into(),
    }
}

/// File systems whose files are smaller than 2^32 bytes, as glibc has them: FAT, pipes, sockets and the like hold no large file.
const SMALL_FILES: [i64; 4] = [0x4d44, 0x5049_5045, 0x534f_434b, 0x137f];

/// Links that a file of a file system can have.
fn links(kind: i64) -> c_long {
    match kind {
        // ext2 to ext4, and XFS.
        0xef53 => 65_000,
        0x5846_5342 => 2_147_483_647,
        _ => 127,
    }
}

c_api! {
    /// sysconf(3).
    fn sysconf(name: c_int) -> c_long {
        match name {
            libc::_SC_ARG_MAX => match limit(libc::RLIMIT_STACK as c_int) {
                -1 => 6 << 20,
                stack => (stack / 4).max(ARGUMENTS_LEAST),
            },
            libc::_SC_CHILD_MAX => limit(libc::RLIMIT_NPROC as c_int),
            libc::_SC_OPEN_MAX => limit(libc::RLIMIT_NOFILE as c_int),
            libc::_SC_PAGESIZE => 4096,
            libc::_SC_SIGQUEUE_MAX => limit(libc::RLIMIT_SIGPENDING as c_int),
            libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF => cpus(),
            libc::_SC_PHYS_PAGES => pages(false),
            libc::_SC_AVPHYS_PAGES => pages(true),
            249 => signal_stack(),
            250 => 4 * signal_stack(),
            _ => fixed(name).unwrap_or_else(|| c_long::from(errno::fail(libc::EINVAL))),
        }
    }

    /// pathconf(3).
    fn pathconf(path: *const c_char, name: c_int) -> c_long {
        let mut found: libc::statfs = core::mem::zeroed();
        let raw = sys::call(libc::SYS_statfs, [path.expose_provenance(), (&raw mut found).expose_provenance(), 0, 0, 0, 0]);
        of_file(name, raw, &found)
    }

    /// fpathconf(3).
    fn fpathconf(fd: c_int, name: c_int) -> c_long {
        if fd < 0 {
            return errno::fail(libc::EBADF).into();
        }
        let mut found: libc::statfs = core::mem::zeroed();
        let raw = sys::call(libc::SYS_fstatfs, [fd as usize, (&raw mut found).expose_provenance(), 0, 0, 0, 0]);
        of_file(name, raw, &found)
    }

    /// confstr(3).
    fn confstr(name: c_int, out: *mut c_char, room: usize) -> usize {
        let text: &[u8] = match name {
            0 => b"/bin:/usr/bin",
            1 => b"POSIX_V6_LP64_OFF64",
            2 => b"glibc 2.36",
            3 => b"NPTL 2.36",
            4 => b"XBS5_LP64_OFF64",
            5 => b"POSIX_V7_LP64_OFF64",
            1004 | 1007 => b"-D_LARGEFILE64_SOURCE",
            1108 | 1109 | 1124 | 1125 | 1140 | 1141 => b"-m64",
            1148 | 1149 => b"POSIXLY_CORRECT=1",
            1000..=1003 | 1005 | 1006 | 1100..=1147 => b"",
            _ => {
                errno::set(libc::EINVAL);
                return 0;
            }
        };
        if room > 0 && !out.is_null() {
            let len = text.len().min(room - 1);
            ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), len);
            *out.add(len) = 0;
        }
        text.len() + 1
    }

    /// As [`sysconf`].
    fn __sysconf(name: c_int) -> c_long { sysconf(name) }

    /// get_nprocs(3).
    fn get_nprocs() -> c_int { cpus() as c_int }

    /// get_nprocs_conf(3).
    fn get_nprocs_conf() -> c_int { cpus() as c_int }

    /// gnu_get_libc_version(3): the version whose ABI this library speaks.
    fn gnu_get_libc_version() -> *const c_char { c"2.36".as_ptr() }

    /// gnu_get_libc_release(3).
    fn gnu_get_libc_release() -> *const c_char { c"stable".as_ptr() }
}
