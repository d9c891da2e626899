//! Who a process is, how it is scheduled, and calls for administrators. Runs as root, as tests do.
//!
//! Calls that Ochre has no object for (mounts, swap, System V IPC, POSIX queues) are judged where they exist: what is printed says whether they
//! behave, and one that is ENOSYS behaves.

#![allow(unused_unsafe, reason = "the macros that show a call stand inside unsafe blocks and outside")]

use libc::*;
use std::ffi::CStr;
use std::mem::zeroed;
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn getlogin() -> *mut c_char;
    fn getlogin_r(out: *mut c_char, room: size_t) -> c_int;
    fn getdtablesize() -> c_int;
    fn gethostid() -> c_long;
    fn getdomainname(out: *mut c_char, room: size_t) -> c_int;
    fn gnu_dev_major(device: dev_t) -> c_uint;
    fn gnu_dev_minor(device: dev_t) -> c_uint;
    fn gnu_dev_makedev(major: c_uint, minor: c_uint) -> dev_t;
    fn capget(header: *mut [u32; 2], data: *mut [u32; 6]) -> c_int;
    fn capset(header: *mut [u32; 2], data: *const [u32; 6]) -> c_int;
    fn klogctl(kind: c_int, out: *mut c_char, room: c_int) -> c_int;
    fn pivot_root(new: *const c_char, old: *const c_char) -> c_int;
    fn name_to_handle_at(
        dir: c_int,
        path: *const c_char,
        handle: *mut [u32; 40],
        mount: *mut c_int,
        flags: c_int,
    ) -> c_int;
    fn mq_getattr(queue: c_int, attr: *mut [c_long; 8]) -> c_int;
    fn ether_aton_r(text: *const c_char, out: *mut [u8; 6]) -> *mut [u8; 6];
    fn __sched_cpucount(size: size_t, set: *const cpu_set_t) -> c_int;
    fn getservent() -> *mut servent;
    fn setservent(stay: c_int);
    fn endservent();
    fn setspent();
    fn getspent() -> *mut spwd;
    fn endspent();
    fn getspnam(name: *const c_char) -> *mut spwd;
    fn confstr(name: c_int, out: *mut c_char, room: size_t) -> size_t;
    /// Below: vfork, and _exit with this status in the child; the child's id.
    fn vfork_exit(status: c_int) -> pid_t;
}

std::arch::global_asm!(
    ".globl vfork_exit",
    "vfork_exit:",
    "push rbx",
    "mov ebx, edi",
    "call vfork@PLT",
    "test eax, eax",
    "jne 2f",
    "mov edi, ebx",
    "call _exit@PLT",
    "2:",
    "pop rbx",
    "ret",
);

fn errno() -> i32 {
    // SAFETY: the thread's own word.
    unsafe { *__errno_location() }
}

fn show(name: &str, result: i64) {
    if result == -1 { println!("{name}: errno {}", errno()) } else { println!("{name}: {result}") }
}

macro_rules! show {
    ($name:ident ( $($arg:expr),* )) => {
        // SAFETY: arguments as the page of that name wants them, or wrong in a way that it defines.
        show(stringify!($name), unsafe { $name($($arg),*) } as i64)
    };
}

/// A call that must fail, with one of these errors or because it does not exist.
macro_rules! refused {
    ($name:ident ( $($arg:expr),* ), $($errno:ident)|+) => {{
        // SAFETY: as above.
        let result = unsafe { $name($($arg),*) } as i64;
        let as_told = result == -1 && matches!(errno(), ENOSYS $(| $errno)+);
        println!("{}: {}", stringify!($name), if as_told { "refused".into() } else { format!("{result} errno {}", errno()) });
    }};
}

fn in_child(child: impl FnOnce()) {
    use std::io::Write;
    std::io::stdout().flush().unwrap();
    // SAFETY: the child ends by _exit.
    unsafe {
        let pid = fork();
        if pid == 0 {
            child();
            std::io::stdout().flush().unwrap();
            _exit(0);
        }
        let mut status = 0;
        waitpid(pid, &mut status, 0);
        println!("child {status}");
    }
}

fn ids() {
    // SAFETY: places for numbers.
    let now = || unsafe {
        let (mut user, mut group) = ([0; 3], [0; 3]);
        getresuid(&mut user[0], &mut user[1], &mut user[2]);
        getresgid(&mut group[0], &mut group[1], &mut group[2]);
        println!("  ids {user:?} {group:?} {} {} {} {}", getuid(), geteuid(), getgid(), getegid());
    };
    now();
    in_child(|| {
        let groups = [7, 8, 9];
        show!(setgroups(3, groups.as_ptr()));
        show!(initgroups(c"nobody".as_ptr(), 65534));
        show!(setgroups(2, groups.as_ptr()));
        let mut got = [0; 10];
        show!(getgroups(10, got.as_mut_ptr()));
        println!("{got:?}");
        show!(getgroups(1, got.as_mut_ptr()));
        show!(getgroups(-1, got.as_mut_ptr()));
        show!(setregid(100, 200));
        now();
        show!(setegid(100));
        show!(setresgid(100, 300, 400));
        now();
        show!(setgid(500));
        show!(setreuid(u32::MAX, 1000));
        now();
        show!(setuid(77));
        show!(setreuid(77, 1000));
        show!(setresgid(1, 2, 3));
        show!(setegid(999));
        show!(setgroups(0, null()));
        show!(seteuid(0));
        now();
        show!(setresuid(1000, 1001, 1002));
        now();
        show!(setresuid(u32::MAX, 1002, u32::MAX));
        show!(setresuid(5, u32::MAX, u32::MAX));
        show!(setuid(0));
        now();
    });
    in_child(|| {
        show!(setuid(1234));
        now();
        show!(seteuid(0));
        show!(kill(1, 0));
        show!(setpriority(PRIO_PROCESS, 0, -5));
        show!(sethostname(c"x".as_ptr(), 1));
    });
}

fn scheduling() {
    let wrong = sched_param { sched_priority: 9 };
    let right = sched_param { sched_priority: 0 };
    in_child(|| {
        // SAFETY: places for numbers.
        unsafe {
            *__errno_location() = 0;
            println!("priority {} {}", getpriority(PRIO_PROCESS, 0), errno());
            show!(setpriority(PRIO_PROCESS, 0, 5));
            println!("priority {} {}", getpriority(PRIO_PROCESS, 0), errno());
            show!(getpriority(99, 0));
            show!(getpriority(PRIO_PROCESS, 999_999));
            show!(setpriority(PRIO_PROCESS, 0, 100));
            println!("priority {} {}", getpriority(PRIO_PROCESS, 0), errno());
            show!(sched_setparam(0, &right));
            show!(sched_setparam(0, &wrong));
            let mut slice = timespec { tv_sec: -1, tv_nsec: -1 };
            show!(sched_rr_get_interval(0, &mut slice));
            println!("slice {}", slice.tv_sec >= 0);
            show!(sched_rr_get_interval(-1, &mut slice));
            let mut set: cpu_set_t = zeroed();
            CPU_SET(1, &mut set);
            CPU_SET(700, &mut set);
            println!("cpus {}", __sched_cpucount(size_of::<cpu_set_t>(), &set));
            println!("affinity {}", sched_getaffinity(0, size_of::<cpu_set_t>(), &mut set));
            println!("some {}", __sched_cpucount(size_of::<cpu_set_t>(), &set) > 0);
            show!(personality(0xffff_ffff));
            let mut resolution: timespec = zeroed();
            show!(clock_getres(CLOCK_MONOTONIC, &mut resolution));
            println!("{} {}", resolution.tv_sec, resolution.tv_nsec);
            show!(clock_getres(99, &mut resolution));
            let mut now: timeval = zeroed();
            show!(gettimeofday(&mut now, null_mut()));
            println!("time {}", (time(null_mut()) - now.tv_sec).abs() < 2);
            println!("sleep {}", sleep(0));
        }
    });
}

fn administration() {
    let nowhere = c"/nonexistent".as_ptr();
    let nothing = c"no-such-file-system".as_ptr();
    refused!(mount(nowhere, c"/".as_ptr(), nothing, 0, null()), ENODEV | ENOENT);
    refused!(umount(nowhere), ENOENT | EINVAL);
    refused!(umount2(c"/tmp/../etc".as_ptr(), 0x4000_0000), EINVAL);
    refused!(swapon(nowhere, 0), ENOENT);
    refused!(swapoff(nowhere), ENOENT | EINVAL);
    refused!(pivot_root(nowhere, nowhere), ENOENT);
    refused!(reboot(0x1234), EINVAL);
    refused!(unshare(0x1), EINVAL);
    refused!(setns(-1, 0), EBADF);
    refused!(klogctl(99, null_mut(), 0), EINVAL);
    refused!(mq_getattr(-1, &mut [0; 8]), EBADF);
    refused!(name_to_handle_at(AT_FDCWD, nowhere, &mut [0; 40], &mut 0, 0), ENOENT | EINVAL | EOPNOTSUPP);
    // _LINUX_CAPABILITY_VERSION_3, this process.
    let mut header = [0x2008_0522, 0];
    let mut data = [0; 6];
    show!(capget(&mut header, &mut data));
    println!("capabilities {}", data[0] != 0);
    show!(capset(&mut header, &data));
    header[0] = 7;
    show!(capget(&mut header, &mut data));
    println!("version {:x}", header[0]);
    // SAFETY: a place for the clock's state; a mode that changes nothing.
    unsafe {
        let mut state: timex = zeroed();
        let result = adjtimex(&mut state);
        println!("adjtimex {}", result >= 0 || errno() == ENOSYS);
    }
    show!(sethostname(c"x".as_ptr(), 1000));
    system_v();
}

/// System V semaphores and shared memory, where they are.
fn system_v() {
    // SAFETY: objects that this function makes and removes.
    unsafe {
        let id = shmget(IPC_PRIVATE, 4096, 0o600);
        let absent = id == -1 && errno() == ENOSYS;
        let shared = absent || {
            let at = shmat(id, null(), 0);
            at.cast::<u8>().write(5);
            let mut state: shmid_ds = zeroed();
            let known = shmctl(id, IPC_STAT, &mut state) == 0 && state.shm_segsz == 4096 && state.shm_nattch == 1;
            known
                && shmdt(at) == 0
                && shmctl(id, IPC_RMID, null_mut()) == 0
                && shmat(id, null(), 0).addr() == usize::MAX
        };
        println!("shared memory {shared}");
        let id = semget(IPC_PRIVATE, 2, 0o600);
        let absent = id == -1 && errno() == ENOSYS;
        let semaphores = absent || {
            let mut up = [sembuf { sem_num: 1, sem_op: 3, sem_flg: 0 }];
            let raised = semop(id, up.as_mut_ptr(), 1) == 0 && semctl(id, 1, GETVAL) == 3;
            let mut down = [sembuf { sem_num: 1, sem_op: -4, sem_flg: IPC_NOWAIT as i16 }];
            let blocked = semop(id, down.as_mut_ptr(), 1) == -1 && errno() == EAGAIN;
            raised && blocked && semctl(id, 0, IPC_RMID) == 0 && semctl(id, 1, GETVAL) == -1
        };
        println!("semaphores {semaphores}");
    }
}

fn names() {
    let mut text = [0 as c_char; 256];
    // SAFETY: places of ours; strings that end in NUL.
    unsafe {
        // There is a login name on a terminal of a logged-in user only.
        println!("login {}", getlogin_r(text.as_mut_ptr(), 256) != 0 || !getlogin().is_null());
        println!("tables {}", getdtablesize() as i64 == sysconf(_SC_OPEN_MAX));
        println!("host id {}", gethostid() == gethostid());
        show!(getdomainname(text.as_mut_ptr(), 256));
        for device in [0u64, 0x801, 0x8800, 0x12_3456_789a_bcde] {
            let (major, minor) = (gnu_dev_major(device), gnu_dev_minor(device));
            println!("{major} {minor} {:x}", gnu_dev_makedev(major, minor));
        }
        let mut address = [0; 6];
        for candidate in [c"1:2:3:a:b:ff", c"1:2:3", c"1:2:3:4:5:100", c"zz"] {
            println!("{candidate:?} {} {address:?}", !ether_aton_r(candidate.as_ptr(), &mut address).is_null());
        }
        for name in [_CS_PATH, 1, 9999] {
            text[0] = 0;
            *__errno_location() = 0;
            println!(
                "confstr {} {:?} {}",
                confstr(name, text.as_mut_ptr(), 256),
                CStr::from_ptr(text.as_ptr()),
                errno()
            );
        }
        println!("confstr short {}", confstr(_CS_PATH, text.as_mut_ptr(), 5));
        println!("{:?}", CStr::from_ptr(text.as_ptr()));
        println!("last signal {}", SIGRTMAX());
        let mut set: sigset_t = zeroed();
        sigfillset(&mut set);
        println!("sigdelset {} {}", sigdelset(&mut set, 5), sigdelset(&mut set, 99));
        println!("member {} {}", sigismember(&set, 5), sigismember(&set, 6));
        let mut status = 0;
        let child = vfork_exit(23);
        println!("vfork {} {}", waitpid(child, &mut status, 0) == child, WEXITSTATUS(status));
        // The files of a system with Debian's netbase and base-passwd.
        setservent(0);
        println!("services {}", !getservent().is_null());
        endservent();
        setspent();
        println!("shadow {}", !getspent().is_null());
        endspent();
        println!(
            "root {} nobody {}",
            !getspnam(c"root".as_ptr()).is_null(),
            getspnam(c"no-such-user".as_ptr()).is_null()
        );
        let entry = getservbyname(c"http".as_ptr(), c"tcp".as_ptr());
        println!("http {}", u16::from_be((*entry).s_port as u16));
        let entry = getservbyport(i32::from(22u16.to_be()), null());
        println!("22 {:?}", CStr::from_ptr((*entry).s_name));
        println!(
            "absent {} {}",
            getservbyname(c"none-such".as_ptr(), null()).is_null(),
            getservbyport(7, c"xxx".as_ptr()).is_null()
        );
        let entry = getprotobyname(c"udp".as_ptr());
        println!("udp {}", (*entry).p_proto);
        println!("absent {}", getprotobyname(c"none-such".as_ptr()).is_null());
    }
}

fn main() {
    ids();
    scheduling();
    administration();
    names();
}
