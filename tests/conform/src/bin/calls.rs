//! Calls to the system as C has them: processes, descriptors, waiting, memory, files and folders; each with an error or two.

#![allow(unused_unsafe, reason = "the macros that show a call stand inside unsafe blocks and outside")]

use libc::*;
use std::ffi::{CStr, CString};
use std::mem::zeroed;
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t;
    fn get_current_dir_name() -> *mut c_char;
    fn euidaccess(path: *const c_char, mode: c_int) -> c_int;
    fn eaccess(path: *const c_char, mode: c_int) -> c_int;
    fn creat64(path: *const c_char, mode: mode_t) -> c_int;
    fn __open_2(path: *const c_char, flags: c_int) -> c_int;
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int;
    fn __openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int;
    fn __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int;
    fn __xstat64(version: c_int, path: *const c_char, out: *mut stat64) -> c_int;
    fn mkfifoat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int;
    fn lchmod(path: *const c_char, mode: mode_t) -> c_int;
    fn posix_madvise(at: *mut c_void, len: size_t, advice: c_int) -> c_int;
    fn fstatvfs64(fd: c_int, out: *mut statvfs64) -> c_int;
    fn statvfs64(path: *const c_char, out: *mut statvfs64) -> c_int;
    fn canonicalize_file_name(path: *const c_char) -> *mut c_char;
    fn setpgrp() -> c_int;
    fn clock() -> clock_t;
    fn lockf64(fd: c_int, command: c_int, len: off64_t) -> c_int;
    fn getpagesize() -> c_int;
    fn __getpid() -> pid_t;
    static environ: *const *const c_char;
    static __environ: *const *const c_char;
}

fn errno() -> i32 {
    // SAFETY: the thread's own word.
    unsafe { *__errno_location() }
}

/// A result, with the errno if it is −1.
fn show(name: &str, result: i64) {
    if result == -1 { println!("{name}: errno {}", errno()) } else { println!("{name}: {result}") }
}

macro_rules! show {
    ($name:ident ( $($arg:expr),* )) => {
        // SAFETY: arguments as the page of that name wants them, or wrong in a way that it defines.
        show(stringify!($name), unsafe { $name($($arg),*) } as i64)
    };
}

/// Whether a call worked, where the value differs from run to run.
macro_rules! works {
    ($name:ident ( $($arg:expr),* )) => {
        // SAFETY: as above.
        show(stringify!($name), if (unsafe { $name($($arg),*) }) as i64 == -1 { -1 } else { 0 })
    };
}

/// Runs `child` in a new process; its status as text.
fn in_child(child: impl FnOnce() -> i32) -> String {
    use std::io::Write;
    std::io::stdout().flush().unwrap();
    // SAFETY: the child ends by _exit.
    unsafe {
        let pid = fork();
        if pid == 0 {
            let status = child();
            std::io::stdout().flush().unwrap();
            _exit(status);
        }
        let mut status = 0;
        waitpid(pid, &mut status, 0);
        if WIFEXITED(status) {
            format!("exited {}", WEXITSTATUS(status))
        } else {
            format!("signal {}", WTERMSIG(status))
        }
    }
}

fn processes() {
    let sh = c"/bin/sh".as_ptr();
    let arguments = [sh, c"-c".as_ptr(), c"exit ${X-9}".as_ptr(), null()];
    let environment = [c"X=5".as_ptr(), null()];
    // SAFETY: arrays that end in null; children leave.
    unsafe {
        println!("execve {}", in_child(|| execve(sh, arguments.as_ptr(), environment.as_ptr())));
        println!("execv {}", in_child(|| execv(sh, arguments.as_ptr())));
        println!("execvp {}", in_child(|| execvp(c"sh".as_ptr(), arguments.as_ptr())));
        println!("execvpe {}", in_child(|| execvpe(c"sh".as_ptr(), arguments.as_ptr(), environment.as_ptr())));
        println!("execl {}", in_child(|| execl(sh, sh, c"-c".as_ptr(), c"exit 3".as_ptr(), null::<c_char>())));
        println!(
            "execlp {}",
            in_child(|| execlp(c"sh".as_ptr(), sh, c"-c".as_ptr(), c"exit 4".as_ptr(), null::<c_char>()))
        );
        println!(
            "execle {}",
            in_child(|| execle(sh, sh, c"-c".as_ptr(), c"exit $X".as_ptr(), null::<c_char>(), environment.as_ptr()))
        );
        println!(
            "fexecve {}",
            in_child(|| fexecve(open(sh, O_RDONLY | O_CLOEXEC), arguments.as_ptr(), environment.as_ptr()))
        );
        show!(execv(c"/nonexistent".as_ptr(), arguments.as_ptr()));
        show!(execv(c"/".as_ptr(), arguments.as_ptr()));
        show!(execvp(c"no-such-program".as_ptr(), arguments.as_ptr()));
        show!(execvp(c"".as_ptr(), arguments.as_ptr()));
        println!("system {}", system(c"exit 6".as_ptr()));
        println!("system null {}", (system(null()) != 0) as i32);
        let mut usage: rusage = zeroed();
        let mut status = 0;
        let pid = fork();
        if pid == 0 {
            _exit(8);
        }
        println!("wait {}", wait(&mut status) == pid);
        println!("status {}", WEXITSTATUS(status));
        let pid = fork();
        if pid == 0 {
            pause();
        }
        println!("nohang {}", wait3(&mut status, WNOHANG, &mut usage));
        kill(pid, SIGKILL);
        println!("wait3 {}", wait3(&mut status, 0, &mut usage) == pid);
        println!("signalled {}", WTERMSIG(status));
        show!(wait(&mut status));
        show!(waitpid(-1, &mut status, 0));
        show!(waitpid(999_999, &mut status, 0));
        show!(waitpid(-1, &mut status, 0x40));
        let mut actions: posix_spawn_file_actions_t = zeroed();
        let mut attr: posix_spawnattr_t = zeroed();
        println!("actions {}", posix_spawn_file_actions_init(&mut actions));
        println!(
            "addclose {} {}",
            posix_spawn_file_actions_addclose(&mut actions, 77),
            posix_spawn_file_actions_addclose(&mut actions, -1)
        );
        println!("addopen {}", posix_spawn_file_actions_addopen(&mut actions, 9, c"/dev/null".as_ptr(), O_RDONLY, 0));
        println!("adddup2 {}", posix_spawn_file_actions_adddup2(&mut actions, 9, 0));
        println!("attr {}", posix_spawnattr_init(&mut attr));
        let param = sched_param { sched_priority: 0 };
        println!("schedparam {}", posix_spawnattr_setschedparam(&mut attr, &param));
        println!(
            "schedpolicy {} {}",
            posix_spawnattr_setschedpolicy(&mut attr, SCHED_OTHER),
            posix_spawnattr_setschedpolicy(&mut attr, 77)
        );
        println!(
            "flags {} {}",
            posix_spawnattr_setflags(&mut attr, POSIX_SPAWN_SETPGROUP as i16),
            posix_spawnattr_setpgroup(&mut attr, 0)
        );
        let mut pid = 0;
        println!(
            "spawn {}",
            posix_spawn(&mut pid, sh, &actions, &attr, arguments.as_ptr().cast(), environment.as_ptr().cast())
        );
        println!("waited {} {}", waitpid(pid, &mut status, 0) == pid, WEXITSTATUS(status));
        println!(
            "spawnp {}",
            posix_spawnp(
                &mut pid,
                c"no-such-program".as_ptr(),
                null(),
                null(),
                arguments.as_ptr().cast(),
                environment.as_ptr().cast()
            )
        );
        println!("destroy {} {}", posix_spawn_file_actions_destroy(&mut actions), posix_spawnattr_destroy(&mut attr));
        println!("ids {} {} {}", __getpid() == getpid(), getpgrp() == getpgid(0), getsid(0) >= 0);
        println!("setpgrp {}", in_child(|| (setpgrp() == 0 && getpgrp() == getpid()) as i32));
        println!("setsid {}", in_child(|| (setsid() == getpid() && setsid() == -1) as i32));
        show!(getpgid(999_999));
        show!(setpgid(-1, 0));
        show!(killpg(-1, 0));
        show!(kill(999_999, 0));
        let mut limit: rlimit = zeroed();
        works!(getrlimit(RLIMIT_NOFILE, &mut limit));
        println!("cur {}", limit.rlim_cur >= 256);
        show!(getrlimit(99, &mut limit));
        let mut limit64: rlimit64 = zeroed();
        works!(getrlimit64(RLIMIT_CORE, &mut limit64));
        limit64.rlim_cur = 0;
        works!(setrlimit64(RLIMIT_CORE, &limit64));
        works!(prlimit64(0, RLIMIT_CORE, null(), &mut limit64));
        println!("core {}", limit64.rlim_cur);
        limit.rlim_cur = 10;
        limit.rlim_max = 5;
        show!(setrlimit(RLIMIT_NOFILE, &limit));
        works!(getrusage(RUSAGE_SELF, &mut usage));
        show!(getrusage(99, &mut usage));
        let mut times_of: tms = zeroed();
        println!("times {}", times(&mut times_of) != -1);
        println!("clock {}", clock() >= 0);
        let mut names: utsname = zeroed();
        works!(uname(&mut names));
        println!("{:?}", CStr::from_ptr(names.sysname.as_ptr()));
        let mut info: sysinfo = zeroed();
        works!(sysinfo(&mut info));
        println!("memory {}", info.totalram > 0);
        println!("environ {}", environ == __environ);
    }
}

fn descriptors() {
    // SAFETY: places of ours.
    unsafe {
        let mut ends = [0; 2];
        works!(pipe(ends.as_mut_ptr()));
        println!("write {}", write(ends[1], c"hello".as_ptr().cast(), 5));
        let mut set: fd_set = zeroed();
        FD_SET(ends[0], &mut set);
        let zero = timespec { tv_sec: 0, tv_nsec: 0 };
        show!(pselect(ends[0] + 1, &mut set, null_mut(), null_mut(), &zero, null()));
        println!("set {}", FD_ISSET(ends[0], &set));
        show!(pselect(-1, null_mut(), null_mut(), null_mut(), &zero, null()));
        let epoll = epoll_create(1);
        println!("epoll {}", epoll >= 0);
        show!(epoll_create(0));
        let mut event = epoll_event { events: EPOLLIN as u32, u64: 42 };
        show!(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &mut event));
        show!(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &mut event));
        show!(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[1], &mut event));
        let mut got = [epoll_event { events: 0, u64: 0 }; 4];
        show!(epoll_pwait(epoll, got.as_mut_ptr(), 4, 0, null()));
        println!("event {}", { got[0].u64 });
        show!(epoll_pwait(epoll, got.as_mut_ptr(), 0, 0, null()));
        let timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        show!(timerfd_create(99, 0));
        let mut expirations = 0u64;
        show!(read(timer, (&raw mut expirations).cast(), 8));
        let spec = itimerspec { it_interval: zero, it_value: timespec { tv_sec: 100, tv_nsec: 0 } };
        let mut left: itimerspec = zeroed();
        show!(timerfd_settime(timer, 0, &spec, null_mut()));
        show!(timerfd_gettime(timer, &mut left));
        println!("left {}", left.it_value.tv_sec == 99);
        let wrong = itimerspec { it_interval: zero, it_value: timespec { tv_sec: 0, tv_nsec: -1 } };
        show!(timerfd_settime(timer, 0, &wrong, null_mut()));
        let mut signals: sigset_t = zeroed();
        sigaddset(&mut signals, SIGUSR2);
        sigprocmask(SIG_BLOCK, &signals, null_mut());
        let fd = signalfd(-1, &signals, SFD_NONBLOCK);
        raise(SIGUSR2);
        let mut info: signalfd_siginfo = zeroed();
        println!("signalfd {} {}", read(fd, (&raw mut info).cast(), 128), info.ssi_signo);
        show!(read(fd, (&raw mut info).cast(), 128));
        show!(signalfd(99, &signals, 0));
        let mut waited: siginfo_t = zeroed();
        raise(SIGUSR2);
        println!("sigwaitinfo {} {}", sigwaitinfo(&signals, &mut waited), waited.si_signo);
        println!("inotify {}", close(inotify_init()));
        let memory = memfd_create(c"name".as_ptr(), MFD_CLOEXEC);
        println!("memfd {}", memory >= 0);
        show!(memfd_create(c"name".as_ptr(), 0x4000_0000));
        let parts = [
            iovec { iov_base: c"abc".as_ptr().cast_mut().cast(), iov_len: 3 },
            iovec { iov_base: c"defg".as_ptr().cast_mut().cast(), iov_len: 4 },
        ];
        show!(pwritev(memory, parts.as_ptr(), 2, 1));
        show!(pwritev64v2(memory, parts.as_ptr(), 2, 10, 0));
        let mut bytes = [0u8; 20];
        let into = [
            iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 4 },
            iovec { iov_base: bytes.as_mut_ptr().add(8).cast(), iov_len: 6 },
        ];
        show!(preadv(memory, into.as_ptr(), 2, 1));
        println!("{bytes:?}");
        show!(preadv64v2(memory, into.as_ptr(), 2, 12, 0));
        show!(preadv(memory, into.as_ptr(), 2, -1));
        show!(preadv(memory, into.as_ptr(), 5000, 0));
        show!(fallocate(memory, 0, 0, 8192));
        show!(fallocate64(memory, 0, -1, 1));
        show!(posix_fallocate64(memory, 0, 12288));
        show!(posix_fadvise(memory, 0, 0, POSIX_FADV_SEQUENTIAL));
        show!(posix_fadvise(memory, 0, 0, 77));
        show!(lseek(memory, 0, SEEK_END));
        show!(lseek(memory, 0, 77));
        show!(lseek(ends[0], 0, SEEK_SET));
        show!(fcntl(memory, F_GETFD));
        show!(fcntl(memory, 9999));
        println!("close_range {}", close_range(3, 500, 0));
        show!(close(ends[0]));
    }
}

fn memory() {
    // SAFETY: mappings of ours.
    unsafe {
        let at = mmap(null_mut(), 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        println!("mmap {}", at != MAP_FAILED);
        at.cast::<u8>().write(9);
        let more = mremap(at, 16384, 65536, MREMAP_MAYMOVE);
        println!("mremap {} {}", more != MAP_FAILED, more.cast::<u8>().read());
        println!("mremap wrong {} {}", mremap(more, 65536, 0, 0) == MAP_FAILED, errno());
        show!(mlock(more, 4096));
        show!(munlock(more, 4096));
        show!(msync(more, 4096, MS_SYNC));
        show!(msync(more, 4096, 0x77));
        show!(madvise(more, 4096, MADV_DONTNEED));
        println!("zeroed {}", more.cast::<u8>().read());
        show!(madvise(more, 4096, 9999));
        show!(posix_madvise(more, 4096, POSIX_MADV_WILLNEED));
        show!(posix_madvise(more, 4096, 99));
        let mut resident = [0u8; 16];
        show!(mincore(more, 65536, resident.as_mut_ptr()));
        println!("resident {}", resident[0] & 1);
        show!(mincore(more.byte_add(1), 10, resident.as_mut_ptr()));
        show!(mprotect(more, 4096, PROT_READ));
        show!(mprotect(more.byte_add(1), 4096, PROT_READ));
        show!(munmap(more, 65536));
        show!(munmap(more.byte_add(1), 10));
        println!("mmap wrong {} {}", mmap(null_mut(), 0, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, errno());
        println!("aligned {}", aligned_alloc(4096, 8192).addr() % 4096);
        let block = malloc(100);
        println!("usable {}", malloc_usable_size(block) >= 100);
        let block = reallocarray(block, 10, 20);
        println!("reallocarray {}", !block.is_null());
        println!("too much {} {}", reallocarray(block, usize::MAX, 2).is_null(), errno());
        free(block);
        let mut random = [0u8; 16];
        show!(getentropy(random.as_mut_ptr().cast(), 16));
        show!(getentropy(random.as_mut_ptr().cast(), 257));
        println!("page {}", getpagesize());
    }
}

fn files() {
    let base = CString::new(format!("/tmp/ochre-conform-calls-{}", std::process::id())).unwrap();
    let text = |path: *mut c_char| {
        if path.is_null() {
            return "null".to_owned();
        }
        // SAFETY: a C string that the call made.
        let shown = unsafe { CStr::from_ptr(path) }.to_str().unwrap().replace(base.to_str().unwrap(), "BASE");
        // SAFETY: from malloc.
        unsafe { free(path.cast()) };
        shown
    };
    // SAFETY: paths below our own folder.
    unsafe {
        umask(0o022);
        show!(mkdir(base.as_ptr(), 0o700));
        show!(mkdir(base.as_ptr(), 0o700));
        show!(chdir(base.as_ptr()));
        println!("cwd {}", text(get_current_dir_name()));
        let dir = open(c".".as_ptr(), O_RDONLY | O_DIRECTORY);
        let fd = creat(c"file".as_ptr(), 0o640);
        println!("creat {}", fd >= 0);
        show!(close(creat64(c"file2".as_ptr(), 0o600)));
        println!("open_2 {}", __open_2(c"file".as_ptr(), O_RDONLY) >= 0);
        println!("open64_2 {}", __open64_2(c"file".as_ptr(), O_RDONLY) >= 0);
        println!("openat_2 {}", __openat_2(dir, c"file".as_ptr(), O_RDONLY) >= 0);
        println!("openat64_2 {}", __openat64_2(dir, c"file".as_ptr(), O_RDONLY) >= 0);
        show!(openat(dir, c"absent".as_ptr(), O_RDONLY));
        show!(openat(fd, c"x".as_ptr(), O_RDONLY));
        show!(open(c"file".as_ptr(), O_CREAT | O_EXCL, 0o600));
        show!(open(c"file/x".as_ptr(), O_RDONLY));
        show!(open(c".".as_ptr(), O_WRONLY));
        show!(link(c"file".as_ptr(), c"hard".as_ptr()));
        show!(link(c"absent".as_ptr(), c"hard2".as_ptr()));
        show!(symlink(c"file".as_ptr(), c"soft".as_ptr()));
        show!(symlinkat(c"nowhere".as_ptr(), dir, c"dangling".as_ptr()));
        let mut target = [0 as c_char; 100];
        show!(readlink(c"soft".as_ptr(), target.as_mut_ptr(), 100));
        show!(readlinkat(dir, c"dangling".as_ptr(), target.as_mut_ptr(), 3));
        println!("{:?}", CStr::from_ptr(target.as_ptr()));
        show!(readlink(c"file".as_ptr(), target.as_mut_ptr(), 100));
        show!(mkdirat(dir, c"sub".as_ptr(), 0o755));
        show!(mkfifo(c"fifo".as_ptr(), 0o600));
        show!(mkfifoat(dir, c"fifo2".as_ptr(), 0o644));
        show!(mknod(c"node".as_ptr(), S_IFREG | 0o600, 0));
        show!(mknodat(dir, c"node2".as_ptr(), S_IFIFO | 0o600, 0));
        show!(mknod(c"node".as_ptr(), S_IFREG | 0o600, 0));
        let mut info: libc::stat = zeroed();
        show!(stat(c"soft".as_ptr(), &mut info));
        println!("mode {:o} links {} size {}", info.st_mode, info.st_nlink, info.st_size);
        show!(lstat(c"soft".as_ptr(), &mut info));
        println!("mode {:o} size {}", info.st_mode, info.st_size);
        show!(fstatat(dir, c"fifo2".as_ptr(), &mut info, 0));
        println!("mode {:o}", info.st_mode);
        show!(fstatat(dir, c"".as_ptr(), &mut info, AT_EMPTY_PATH));
        show!(fstatat(dir, c"".as_ptr(), &mut info, 0));
        let mut stat_64: stat64 = zeroed();
        show!(__xstat64(1, c"file".as_ptr(), &mut stat_64));
        println!("mode {:o}", stat_64.st_mode);
        show!(lockf64(fd, F_TLOCK, 0));
        show!(lockf64(fd, F_TEST, 10));
        show!(lockf64(fd, F_ULOCK, 0));
        show!(lockf64(fd, 99, 0));
        show!(fchmod(fd, 0o600));
        show!(chmod(c"file".as_ptr(), 0o644));
        show!(fchmodat(dir, c"file".as_ptr(), 0o604, 0));
        show!(lchmod(c"file".as_ptr(), 0o640));
        show!(lchmod(c"soft".as_ptr(), 0o640));
        show!(fchown(fd, 1, 2));
        show!(chown(c"file".as_ptr(), u32::MAX, 3));
        show!(lchown(c"soft".as_ptr(), 4, 4));
        show!(fchownat(dir, c"soft".as_ptr(), 5, 5, AT_SYMLINK_NOFOLLOW));
        show!(stat(c"file".as_ptr(), &mut info));
        println!("mode {:o} owner {} {}", info.st_mode, info.st_uid, info.st_gid);
        show!(lstat(c"soft".as_ptr(), &mut info));
        println!("owner {} {}", info.st_uid, info.st_gid);
        let times = [timespec { tv_sec: 100, tv_nsec: 5 }, timespec { tv_sec: 200, tv_nsec: 6 }];
        show!(utimensat(dir, c"file".as_ptr(), times.as_ptr(), 0));
        show!(stat(c"file".as_ptr(), &mut info));
        println!("times {} {} {} {}", info.st_atime, info.st_atime_nsec, info.st_mtime, info.st_mtime_nsec);
        let wrong = [timespec { tv_sec: 0, tv_nsec: 2_000_000_000 }; 2];
        show!(utimensat(dir, c"file".as_ptr(), wrong.as_ptr(), 0));
        show!(access(c"file".as_ptr(), R_OK));
        show!(faccessat(dir, c"absent".as_ptr(), F_OK, 0));
        show!(euidaccess(c"file".as_ptr(), R_OK));
        show!(eaccess(c"dangling".as_ptr(), F_OK));
        show!(access(c"file".as_ptr(), 99));
        println!("canonical {}", text(canonicalize_file_name(c"sub/../soft".as_ptr())));
        println!("canonical {} {}", text(canonicalize_file_name(c"dangling".as_ptr())), errno());
        show!(rename(c"file2".as_ptr(), c"sub/moved".as_ptr()));
        show!(renameat(dir, c"sub/moved".as_ptr(), dir, c"back".as_ptr()));
        show!(renameat2(dir, c"back".as_ptr(), dir, c"file".as_ptr(), RENAME_NOREPLACE));
        show!(renameat2(dir, c"back".as_ptr(), dir, c"file3".as_ptr(), RENAME_NOREPLACE));
        show!(rename(c"sub".as_ptr(), c"sub/inner".as_ptr()));
        show!(rename(c"absent".as_ptr(), c"x".as_ptr()));
        let mut vfs: statvfs64 = zeroed();
        works!(statvfs64(c".".as_ptr(), &mut vfs));
        works!(fstatvfs64(fd, &mut vfs));
        println!("names {}", vfs.f_namemax);
        let mut fs: statfs64 = zeroed();
        works!(statfs64(c".".as_ptr(), &mut fs));
        works!(fstatfs64(fd, &mut fs));
        let mut plain: statfs = zeroed();
        works!(statfs(c".".as_ptr(), &mut plain));
        works!(fstatfs(fd, &mut plain));
        show!(statfs(c"absent".as_ptr(), &mut plain));
        println!("pathconf {} {}", pathconf(c".".as_ptr(), _PC_NAME_MAX), fpathconf(fd, _PC_PATH_MAX));
        show!(pathconf(c".".as_ptr(), 99));
        works!(syncfs(fd));
        show!(syncfs(999));
        sync();
        let entries = || {
            let mut names = Vec::new();
            let stream = opendir(c".".as_ptr());
            loop {
                let entry = readdir(stream);
                if entry.is_null() {
                    break;
                }
                names.push(CStr::from_ptr((*entry).d_name.as_ptr()).to_str().unwrap().to_owned());
            }
            rewinddir(stream);
            let first = readdir(stream);
            let at = telldir(stream);
            let second = CStr::from_ptr((*readdir(stream)).d_name.as_ptr()).to_owned();
            seekdir(stream, at);
            let again = CStr::from_ptr((*readdir(stream)).d_name.as_ptr()).to_owned();
            println!("rewound {} sought {}", !first.is_null(), second == again);
            closedir(stream);
            names.sort();
            names
        };
        println!("{:?}", entries());
        println!("opendir {} {}", opendir(c"file".as_ptr()).is_null(), errno());
        let mut temporary = *b"/tmp/ochre-XXXXXX\0";
        println!("mkdtemp {}", !mkdtemp(temporary.as_mut_ptr().cast()).is_null());
        show!(rmdir(temporary.as_ptr().cast()));
        let mut wrong = *b"/tmp/ochre-XXX\0";
        println!("mkdtemp wrong {} {}", mkdtemp(wrong.as_mut_ptr().cast()).is_null(), errno());
        let old = open(c"..".as_ptr(), O_RDONLY);
        show!(fchdir(fd));
        for name in [c"file", c"hard", c"soft", c"dangling", c"fifo", c"fifo2", c"node", c"node2", c"file3"] {
            show!(unlink(name.as_ptr()));
        }
        show!(unlink(c"absent".as_ptr()));
        show!(unlink(c"sub".as_ptr()));
        show!(unlinkat(dir, c"sub".as_ptr(), AT_REMOVEDIR));
        show!(rmdir(c"absent".as_ptr()));
        show!(fchdir(old));
        show!(remove(base.as_ptr()));
        show!(chdir(base.as_ptr()));
    }
}

fn main() {
    processes();
    descriptors();
    memory();
    files();
}
