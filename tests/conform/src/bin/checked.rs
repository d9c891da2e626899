//! What _FORTIFY_SOURCE and assert call: the good cases here, the fatal ones in child processes whose standard error is shown.

use libc::*;
use std::ffi::CStr;
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn __assert_fail(expression: *const c_char, file: *const c_char, line: c_uint, function: *const c_char) -> !;
    fn __assert_perror_fail(number: c_int, file: *const c_char, line: c_uint, function: *const c_char) -> !;
    fn __read_chk(fd: c_int, buf: *mut c_void, len: size_t, room: size_t) -> ssize_t;
    fn __pread_chk(fd: c_int, buf: *mut c_void, len: size_t, at: off_t, room: size_t) -> ssize_t;
    fn __pread64_chk(fd: c_int, buf: *mut c_void, len: size_t, at: off_t, room: size_t) -> ssize_t;
    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int;
    fn __ppoll_chk(fds: *mut pollfd, n: nfds_t, time: *const timespec, mask: *const sigset_t, room: size_t) -> c_int;
    fn __realpath_chk(path: *const c_char, out: *mut c_char, room: size_t) -> *mut c_char;
    fn __explicit_bzero_chk(to: *mut c_void, len: size_t, room: size_t);
    fn __fdelt_chk(fd: c_long) -> c_long;
    fn __memcpy_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void;
    fn __memmove_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void;
    fn __memset_chk(to: *mut c_void, byte: c_int, len: size_t, room: size_t) -> *mut c_void;
    fn __mempcpy_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void;
    fn __strcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char;
    fn __stpcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char;
    fn __strncpy_chk(to: *mut c_char, from: *const c_char, most: size_t, room: size_t) -> *mut c_char;
    fn __strcat_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char;
    fn __strncat_chk(to: *mut c_char, from: *const c_char, most: size_t, room: size_t) -> *mut c_char;
    fn __stack_chk_fail() -> !;
    fn strerror_l(number: c_int, locale: *mut c_void) -> *mut c_char;
    fn strerrorname_np(number: c_int) -> *const c_char;
    fn strtoll_l(text: *const c_char, end: *mut *mut c_char, base: c_int, locale: *mut c_void) -> c_longlong;
    fn strtoull_l(text: *const c_char, end: *mut *mut c_char, base: c_int, locale: *mut c_void) -> c_ulonglong;
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
    fn mtrace();
    fn muntrace();
}

/// Runs `what` in a child; prints how it ended and what it said.
fn dies(name: &str, what: impl FnOnce()) {
    let mut ends = [0; 2];
    let mut text = Vec::new();
    // SAFETY: the child does nothing but `what`, and leaves.
    unsafe {
        pipe(ends.as_mut_ptr());
        let child = fork();
        if child == 0 {
            let none = rlimit { rlim_cur: 0, rlim_max: 0 };
            setrlimit(RLIMIT_CORE, &none);
            dup2(ends[1], 2);
            what();
            _exit(0);
        }
        close(ends[1]);
        let mut buffer = [0u8; 1024];
        loop {
            let count = read(ends[0], buffer.as_mut_ptr().cast(), buffer.len());
            if count <= 0 {
                break;
            }
            text.extend_from_slice(&buffer[..count as usize]);
        }
        close(ends[0]);
        let mut status = 0;
        waitpid(child, &mut status, 0);
        let how = if WIFSIGNALED(status) { format!("signal {}", WTERMSIG(status)) } else { "lived".into() };
        // glibc speaks as the program, relibc as the library: only the core of the message counts.
        let said = String::from_utf8_lossy(&text).replace("relibc: ", "");
        println!("{name}: {how}, said {said:?}");
    }
}

fn main() {
    let mut bytes = [0u8; 64];
    let at = bytes.as_mut_ptr();
    let text = c"four";
    let zero = c"/dev/zero";
    // SAFETY: good sizes; the fatal calls end their child.
    unsafe {
        let fd = open(zero.as_ptr(), O_RDONLY);
        println!("read {} {}", __read_chk(fd, at.cast(), 8, 64), __read_chk(fd, at.cast(), 64, 64));
        dies("read", || _ = __read_chk(fd, at.cast(), 65, 64));
        println!("pread {} {}", __pread_chk(fd, at.cast(), 8, 0, 64), __pread64_chk(fd, at.cast(), 8, 0, 64));
        dies("pread", || _ = __pread_chk(fd, at.cast(), 65, 0, 64));
        let mut fds = [pollfd { fd, events: POLLIN, revents: 0 }; 2];
        let now = timespec { tv_sec: 0, tv_nsec: 0 };
        println!(
            "poll {} {}",
            __poll_chk(fds.as_mut_ptr(), 2, 0, 16),
            __ppoll_chk(fds.as_mut_ptr(), 2, &now, null(), 16)
        );
        dies("poll", || _ = __poll_chk(fds.as_mut_ptr(), 2, 0, 15));
        dies("ppoll", || _ = __ppoll_chk(fds.as_mut_ptr(), 2, &now, null(), 15));
        let mut path = [0; 4096];
        let found = __realpath_chk(c"/dev/../dev/zero".as_ptr(), path.as_mut_ptr(), 4096);
        println!("realpath {:?}", CStr::from_ptr(found));
        dies("realpath", || _ = __realpath_chk(zero.as_ptr(), path.as_mut_ptr(), 4095));
        bytes.fill(1);
        __explicit_bzero_chk(at.cast(), 8, 64);
        println!("bzero {:?}", &bytes[6..10]);
        dies("bzero", || __explicit_bzero_chk(at.cast(), 65, 64));
        println!("fdelt {} {}", __fdelt_chk(0), __fdelt_chk(1023));
        dies("fdelt", || _ = __fdelt_chk(1024));
        dies("fdelt below", || _ = __fdelt_chk(-1));
        println!("memcpy {}", __memcpy_chk(at.cast(), text.as_ptr().cast(), 5, 64) == at.cast());
        println!("memmove {}", __memmove_chk(at.cast(), text.as_ptr().cast(), 5, 64) == at.cast());
        println!("mempcpy {}", __mempcpy_chk(at.cast(), text.as_ptr().cast(), 5, 64) == at.add(5).cast());
        println!("memset {}", __memset_chk(at.cast(), 0, 64, 64) == at.cast());
        println!("strcpy {:?}", CStr::from_ptr(__strcpy_chk(at.cast(), text.as_ptr(), 5)));
        println!("strcat {:?}", CStr::from_ptr(__strcat_chk(at.cast(), text.as_ptr(), 9)));
        println!("strncat {:?}", CStr::from_ptr(__strncat_chk(at.cast(), text.as_ptr(), 2, 11)));
        println!("strncpy {:?}", CStr::from_ptr(__strncpy_chk(at.cast(), text.as_ptr(), 6, 64)));
        println!("stpcpy {}", __stpcpy_chk(at.cast(), text.as_ptr(), 5).offset_from(at.cast()));
        dies("memcpy", || _ = __memcpy_chk(at.cast(), text.as_ptr().cast(), 5, 4));
        dies("memmove", || _ = __memmove_chk(at.cast(), text.as_ptr().cast(), 5, 4));
        dies("mempcpy", || _ = __mempcpy_chk(at.cast(), text.as_ptr().cast(), 5, 4));
        dies("memset", || _ = __memset_chk(at.cast(), 1, 5, 4));
        dies("strcpy", || _ = __strcpy_chk(at.cast(), text.as_ptr(), 4));
        dies("strcat", || _ = __strcat_chk(at.cast(), text.as_ptr(), 8));
        dies("strncat", || _ = __strncat_chk(at.cast(), text.as_ptr(), 4, 8));
        dies("strncpy", || _ = __strncpy_chk(at.cast(), text.as_ptr(), 6, 5));
        dies("stpcpy", || _ = __stpcpy_chk(at.cast(), text.as_ptr(), 4));
        dies("stack", || __stack_chk_fail());
        dies("assert", || __assert_fail(c"x > 0".as_ptr(), c"file.c".as_ptr(), 7, c"main".as_ptr()));
        dies("assert without function", || __assert_fail(c"x".as_ptr(), c"f.c".as_ptr(), 8, null()));
        dies("assert_perror", || __assert_perror_fail(ENOENT, c"f.c".as_ptr(), 9, c"f".as_ptr()));
        for number in -1..140 {
            let name = strerrorname_np(number);
            let name = if name.is_null() { None } else { Some(CStr::from_ptr(name)) };
            let locale = newlocale(LC_ALL_MASK, c"C".as_ptr(), null_mut());
            println!("{number}: {name:?} {:?}", CStr::from_ptr(strerror_l(number, locale.cast())));
            freelocale(locale);
        }
        for text in [c" -12x", c"99999999999999999999", c"0x7f", c"z"] {
            let locale = newlocale(LC_ALL_MASK, c"C".as_ptr(), null_mut());
            let mut end = null_mut();
            print!("{text:?}: {}", strtoll_l(text.as_ptr(), &mut end, 0, locale.cast()));
            println!(" {} {}", end.offset_from(text.as_ptr()), strtoull_l(text.as_ptr(), null_mut(), 0, locale.cast()));
            freelocale(locale);
        }
        // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX.
        println!("mallopt {} {} {}", mallopt(-1, 1 << 20), mallopt(-3, 1 << 20), mallopt(-8, 2));
        mtrace();
        muntrace();
    }
}
