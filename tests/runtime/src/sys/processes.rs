//! Calls about processes, timers and ids.

use super::checked;
use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

fn timeval(time: Duration) -> libc::timeval {
    libc::timeval { tv_sec: time.as_secs() as i64, tv_usec: i64::from(time.subsec_micros()) }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// setitimer(2): the old value and interval.
pub fn set_itimer(which: i32, value: Duration, interval: Duration) -> io::Result<(Duration, Duration)> {
    let new = libc::itimerval { it_interval: timeval(interval), it_value: timeval(value) };
    // SAFETY: both are this function's; numbers may be zero.
    let old = unsafe {
        let mut old: libc::itimerval = zeroed();
        checked(libc::setitimer(which as _, &new, &mut old))?;
        old
    };
    let of = |time: libc::timeval| Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
    Ok((of(old.it_value), of(old.it_interval)))
}

/// alarm(2).
pub fn alarm(seconds: u32) -> u32 {
    // SAFETY: has no preconditions.
    unsafe { libc::alarm(seconds) }
}

/// A POSIX timer, deleted when it is dropped.
pub struct Timer(libc::timer_t);

impl Timer {
    /// timer_create(2) with a signal and a value.
    pub fn new(clock: i32, signal: i32, value: usize) -> io::Result<Timer> {
        // SAFETY: the event is complete; the id is this function's.
        unsafe {
            let mut event: libc::sigevent = zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = signal;
            event.sigev_value.sival_ptr = std::ptr::without_provenance_mut(value);
            let mut id = zeroed();
            checked(libc::timer_create(clock, &mut event, &mut id))?;
            Ok(Timer(id))
        }
    }

    /// timer_settime(2), relative.
    pub fn set(&self, value: Duration, interval: Duration) -> io::Result<()> {
        let new = libc::itimerspec { it_interval: timespec(interval), it_value: timespec(value) };
        // SAFETY: the timer exists.
        checked(unsafe { libc::timer_settime(self.0, 0, &new, std::ptr::null_mut()) }).map(|_| ())
    }

    /// timer_gettime(2): what is left.
    pub fn left(&self) -> io::Result<Duration> {
        // SAFETY: as above.
        unsafe {
            let mut now: libc::itimerspec = zeroed();
            checked(libc::timer_gettime(self.0, &mut now))?;
            Ok(Duration::new(now.it_value.tv_sec as u64, now.it_value.tv_nsec as u32))
        }
    }

    /// timer_getoverrun(2).
    pub fn overrun(&self) -> io::Result<i32> {
        // SAFETY: as above.
        checked(unsafe { libc::timer_getoverrun(self.0) })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: as above; nobody has it any more.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// setgroups(2).
pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the list is as long as it says.
    checked(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(|_| ())
}

/// getgroups(2) with room for `room`.
pub fn groups(room: usize) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; room];
    // SAFETY: as above.
    let count = checked(unsafe { libc::getgroups(room as i32, groups.as_mut_ptr()) })?;
    groups.truncate(count as usize);
    Ok(groups)
}

/// setresuid(2).
pub fn set_users(real: u32, effective: u32, saved: u32) -> io::Result<()> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::syscall(libc::SYS_setresuid, real, effective, saved) } as i32).map(|_| ())
}

/// setreuid(2).
pub fn set_user_pair(real: u32, effective: u32) -> io::Result<()> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::syscall(libc::SYS_setreuid, real, effective) } as i32).map(|_| ())
}

/// getresuid(2).
pub fn users() -> [u32; 3] {
    let mut ids = [0; 3];
    let [real, effective, saved] = &mut ids;
    // SAFETY: the three are this function's.
    unsafe { libc::syscall(libc::SYS_getresuid, real, effective, saved) };
    ids
}

/// getpriority(2) of a process.
pub fn nice(pid: u32) -> io::Result<i32> {
    // SAFETY: has no preconditions; the raw call tells errors apart.
    checked(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, pid) } as i32).map(|raw| 20 - raw)
}

/// setpriority(2) of a process.
pub fn set_nice(pid: u32, nice: i32) -> io::Result<()> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, pid, nice) } as i32).map(|_| ())
}

/// prctl(2) with a number.
pub fn prctl(option: i32, value: usize) -> io::Result<i32> {
    // SAFETY: only options without pointers are used.
    checked(unsafe { libc::prctl(option, value, 0, 0, 0) })
}

/// prlimit(2): soft and hard limit.
pub fn limit(pid: i32, resource: u32, new: Option<(u64, u64)>) -> io::Result<(u64, u64)> {
    let new = new.map(|(soft, hard)| libc::rlimit { rlim_cur: soft, rlim_max: hard });
    let pointer = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both are this function's.
    unsafe {
        let mut old: libc::rlimit = zeroed();
        checked(libc::prlimit(pid, resource as _, pointer, &mut old))?;
        Ok((old.rlim_cur, old.rlim_max))
    }
}

/// pidfd_open(2).
pub fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is new.
    checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// pidfd_send_signal(2).
pub fn pidfd_signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: no information goes along.
    checked(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, 0, 0) } as i32).map(|_| ())
}

/// pidfd_getfd(2).
pub fn pidfd_file(pidfd: &OwnedFd, fd: i32) -> io::Result<File> {
    // SAFETY: the descriptor is new.
    checked(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) } as i32)
        .map(|fd| unsafe { File::from_raw_fd(fd) })
}

/// kcmp(2), KCMP_FILE, of this process: 0: the same open file.
pub fn compare_files(one: i32, other: i32) -> io::Result<i32> {
    let own = std::process::id();
    // SAFETY: has no preconditions.
    checked(unsafe { libc::syscall(libc::SYS_kcmp, own, own, 0, one, other) } as i32)
}

/// process_vm_readv(2): `len` bytes at an address of another process.
pub fn read_process(pid: i32, address: usize, len: usize) -> io::Result<Vec<u8>> {
    let mut out = vec![0u8; len];
    let local = libc::iovec { iov_base: out.as_mut_ptr().cast(), iov_len: len };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: len };
    // SAFETY: only the local vector is written.
    let got = checked(
        unsafe { libc::syscall(libc::SYS_process_vm_readv, pid, &local, 1usize, &remote, 1usize, 0usize) } as i32,
    )?;
    out.truncate(got as usize);
    Ok(out)
}

/// umask(2): the old one.
pub fn exchange_umask(bits: u32) -> u32 {
    // SAFETY: has no preconditions.
    unsafe { libc::umask(bits) }
}

/// gethostname(3).
pub fn host_name() -> io::Result<String> {
    let mut name = [0u8; 65];
    // SAFETY: the buffer is as long as it says.
    checked(unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) })?;
    let len = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..len]).into_owned())
}
