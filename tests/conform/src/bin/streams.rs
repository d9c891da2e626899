//! Streams of every kind, errors on them, obstacks, and messages of error.h, err.h and syslog.h.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut};

type File = libc::FILE;

#[repr(C)]
struct Cookie {
    read: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> isize>,
    write: Option<unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> isize>,
    seek: Option<unsafe extern "C" fn(*mut c_void, *mut i64, c_int) -> c_int>,
    close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
}

unsafe extern "C" {
    static stdout: *mut File;
    static stderr: *mut File;
    static mut error_message_count: u32;
    static mut error_one_per_line: c_int;
    fn fmemopen(at: *mut c_void, len: usize, mode: *const c_char) -> *mut File;
    fn open_memstream(at: *mut *mut c_char, len: *mut usize) -> *mut File;
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Cookie) -> *mut File;
    fn dprintf(fd: c_int, text: *const c_char, ...) -> c_int;
    fn setbuffer(file: *mut File, buffer: *mut c_char, size: usize);
    fn _obstack_begin(
        stack: *mut [usize; 11],
        size: c_int,
        alignment: c_int,
        allocate: *const c_void,
        free: *const c_void,
    ) -> c_int;
    fn _obstack_newchunk(stack: *mut [usize; 11], len: c_int);
    fn _obstack_memory_used(stack: *mut [usize; 11]) -> c_int;
    fn obstack_free(stack: *mut [usize; 11], object: *mut c_void);
    fn obstack_printf(stack: *mut [usize; 11], text: *const c_char, ...) -> c_int;
    fn error(status: c_int, number: c_int, text: *const c_char, ...);
    fn error_at_line(status: c_int, number: c_int, name: *const c_char, line: u32, text: *const c_char, ...);
    fn warn(text: *const c_char, ...);
    fn warnx(text: *const c_char, ...);
    fn err(status: c_int, text: *const c_char, ...) -> !;
    fn errx(status: c_int, text: *const c_char, ...) -> !;
    static mut program_invocation_name: *mut c_char;
    static mut program_invocation_short_name: *mut c_char;
}

fn errno() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() }
}

fn clear() {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = 0 };
}

fn bytes(at: *const c_char, len: usize) -> String {
    // SAFETY: the callers pass so many bytes.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(at.cast(), len) }).escape_debug().to_string()
}

/// fputs, with whether it failed rather than what it returned.
unsafe fn put(text: &CStr, file: *mut File) -> bool {
    // SAFETY: by the caller.
    unsafe { libc::fputs(text.as_ptr(), file) >= 0 }
}

unsafe fn growing() {
    let (mut at, mut len) = (null_mut(), 99usize);
    // SAFETY: the places outlive the stream.
    unsafe {
        let file = open_memstream(&raw mut at, &raw mut len);
        println!("{} {}", libc::fflush(file), len);
        println!("{} {}", put(c"hello ", file), libc::fprintf(file, c"%d-%s".as_ptr(), 42 as c_int, c"x".as_ptr()));
        libc::fflush(file);
        println!("{:?} {len} {}", bytes(at, len), *at.add(len));
        println!("{} {}", libc::ftell(file), libc::fseek(file, 2, libc::SEEK_SET));
        put(c"L", file);
        libc::fflush(file);
        println!("{len}");
        for _ in 0..3000 {
            put(c"0123456789", file);
        }
        println!("{} {len} {}", libc::fclose(file), bytes(at, 12));
        libc::free(at.cast());
        let file = open_memstream(&raw mut at, &raw mut len);
        libc::fseek(file, 5, libc::SEEK_SET);
        put(c"x", file);
        println!("{} {len} {}", libc::fclose(file), bytes(at, len));
        libc::free(at.cast());
    }
}

unsafe fn fixed() {
    for (mode, start) in [
        (c"r", "abc\0defg"),
        (c"w", "abc\0defg"),
        (c"a", "abc\0defg"),
        (c"r+", "abc\0defg"),
        (c"w+", "abc\0defg"),
        (c"a+", "abcdefgh"),
    ] {
        let mut block = start.as_bytes().to_vec();
        // SAFETY: the block outlives the stream.
        unsafe {
            clear();
            let file = fmemopen(block.as_mut_ptr().cast(), 8, mode.as_ptr());
            println!("{mode:?}: {} tell {}", file.is_null(), libc::ftell(file));
            let mut line = [0 as c_char; 16];
            let got = libc::fread(line.as_mut_ptr().cast(), 1, 16, file);
            println!("read {got} {} {} {}", bytes(line.as_ptr(), got), libc::feof(file) != 0, libc::ferror(file) != 0);
            libc::clearerr(file);
            println!("{} tell {}", libc::fseek(file, 1, libc::SEEK_SET), libc::ftell(file));
            put(c"XY", file);
            println!("flush {} error {}", libc::fflush(file), libc::ferror(file) != 0);
            println!("{}", String::from_utf8_lossy(&block).escape_debug());
            println!(
                "end {} tell {} beyond {}",
                libc::fseek(file, 0, libc::SEEK_END),
                libc::ftell(file),
                libc::fseek(file, 20, libc::SEEK_SET)
            );
            libc::clearerr(file);
            put(c"0123456789", file);
            clear();
            println!("flush {} errno {}", libc::fflush(file), errno());
            libc::fclose(file);
            println!("{}", String::from_utf8_lossy(&block).escape_debug());
        }
    }
    // SAFETY: modes are strings.
    unsafe {
        clear();
        println!("{} {}", fmemopen(null_mut(), 8, c"z".as_ptr()).is_null(), errno());
        let file = fmemopen(null_mut(), 8, c"w+".as_ptr());
        put(c"abc", file);
        libc::rewind(file);
        println!("{} {}", libc::fgetc(file), libc::fclose(file));
    }
}

struct Log {
    text: Vec<u8>,
    at: usize,
    calls: String,
}

unsafe extern "C" fn read(cookie: *mut c_void, to: *mut c_char, len: usize) -> isize {
    // SAFETY: the cookie is the Log below.
    let log = unsafe { &mut *cookie.cast::<Log>() };
    let count = len.min(log.text.len() - log.at).min(5);
    // SAFETY: there is room for `len` bytes.
    unsafe { std::ptr::copy_nonoverlapping(log.text[log.at..].as_ptr().cast(), to, count) };
    log.at += count;
    count as isize
}

unsafe extern "C" fn write(cookie: *mut c_void, from: *const c_char, len: usize) -> isize {
    // SAFETY: as above.
    let log = unsafe { &mut *cookie.cast::<Log>() };
    log.calls += &format!("write {};", bytes(from, len));
    if log.calls.len() > 60 { 0 } else { len as isize }
}

unsafe extern "C" fn seek(cookie: *mut c_void, offset: *mut i64, whence: c_int) -> c_int {
    // SAFETY: as above.
    let (log, offset) = unsafe { (&mut *cookie.cast::<Log>(), &mut *offset) };
    if whence == libc::SEEK_END {
        return -1;
    }
    log.at = (*offset + if whence == libc::SEEK_CUR { log.at as i64 } else { 0 }) as usize;
    *offset = log.at as i64;
    0
}

unsafe extern "C" fn close(cookie: *mut c_void) -> c_int {
    // SAFETY: as above.
    unsafe { (*cookie.cast::<Log>()).calls += "close;" };
    0
}

unsafe fn cookies() {
    let mut log = Log { text: b"first line\nsecond".to_vec(), at: 0, calls: String::new() };
    let cookie: *mut c_void = (&raw mut log).cast();
    // SAFETY: the cookie outlives the streams.
    unsafe {
        let functions = || Cookie { read: Some(read), write: Some(write), seek: Some(seek), close: Some(close) };
        let file = fopencookie(cookie, c"r".as_ptr(), functions());
        let mut line = [0 as c_char; 32];
        libc::fgets(line.as_mut_ptr(), 32, file);
        println!("{:?} tell {}", CStr::from_ptr(line.as_ptr()), libc::ftell(file));
        println!(
            "{} {} {}",
            libc::fseek(file, 3, libc::SEEK_SET),
            libc::fgetc(file),
            libc::fseek(file, 0, libc::SEEK_END)
        );
        println!("{} fileno {}", libc::fclose(file), log.calls);
        log.calls.clear();
        let file = fopencookie(cookie, c"w".as_ptr(), functions());
        println!("{} {}", libc::fileno(file), put(c"some text", file));
        println!(
            "{} {} {}",
            libc::fflush(file),
            put(&CString::new("y".repeat(80)).expect("no NUL"), file),
            libc::fflush(file)
        );
        println!("{} {} {}", libc::ferror(file) != 0, libc::fclose(file), log.calls);
        let file = fopencookie(cookie, c"r+".as_ptr(), Cookie { read: None, write: None, seek: None, close: None });
        println!("{} {}", libc::fgetc(file), libc::fseek(file, 0, libc::SEEK_SET));
        println!("{}", libc::fclose(file));
    }
}

unsafe fn files() {
    // SAFETY: streams are closed once.
    unsafe {
        let file = libc::tmpfile();
        let mut place: libc::fpos_t = std::mem::zeroed();
        put(c"one two", file);
        println!("{}", libc::fgetpos(file, &raw mut place));
        put(c" three", file);
        println!("{} {}", libc::fsetpos(file, &raw const place), libc::ftell(file));
        put(c"_", file);
        libc::rewind(file);
        let mut line = [0 as c_char; 32];
        println!("{} {:?}", libc::fgets(line.as_mut_ptr(), 32, file).is_null(), CStr::from_ptr(line.as_ptr()));
        let mut buffer = [0 as c_char; 64];
        libc::fclose(file);
        let file = libc::tmpfile();
        setbuffer(file, buffer.as_mut_ptr(), 64);
        put(c"in the buffer", file);
        println!("{}", dprintf(libc::fileno(file), c"%s %d\n".as_ptr(), c"direct".as_ptr(), 5 as c_int));
        println!("{}", libc::fclose(file));
        // A full device.
        for how in [libc::_IOFBF, libc::_IOLBF, libc::_IONBF] {
            let file = libc::fopen(c"/dev/full".as_ptr(), c"w".as_ptr());
            if file.is_null() {
                println!("no /dev/full");
                continue;
            }
            libc::setvbuf(file, null_mut(), how, 4096);
            clear();
            println!("{} {}", put(c"line\n", file), errno());
            clear();
            println!("{} {} {}", libc::fflush(file), errno(), libc::ferror(file) != 0);
            put(c"more", file);
            clear();
            println!("{} {}", libc::fclose(file), errno());
        }
        // A descriptor closed behind the stream's back, and the wrong direction.
        let file = libc::tmpfile();
        libc::close(libc::fileno(file));
        clear();
        println!("{} {} {}", put(c"x", file), libc::fflush(file), errno());
        clear();
        println!("{} {}", libc::fclose(file), errno());
        let file = libc::fopen(c"/dev/null".as_ptr(), c"r".as_ptr());
        clear();
        println!("{} {} {}", libc::fputc(65, file), errno(), libc::ferror(file) != 0);
        libc::fclose(file);
        clear();
        println!("{} {}", libc::fdopen(9999, c"r".as_ptr()).is_null(), errno());
        println!("{} {}", libc::fopen(c"/none/x".as_ptr(), c"r".as_ptr()).is_null(), errno());
        println!("{} {}", libc::fopen(c"/dev/null".as_ptr(), c"q".as_ptr()).is_null(), errno());
    }
}

extern "C" fn nothing(_signal: c_int) {}

/// A read that a signal interrupts fails with EINTR, and the stream works on afterwards.
unsafe fn interrupted() {
    // SAFETY: the handler does nothing; descriptors are ours.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, null_mut());
        let mut fds = [0; 2];
        libc::pipe(fds.as_mut_ptr());
        let file = libc::fdopen(fds[0], c"r".as_ptr());
        let (thread, done) = (libc::pthread_self(), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    libc::pthread_kill(thread, libc::SIGUSR1);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            });
            clear();
            println!("{} {} {}", libc::fgetc(file), errno(), libc::ferror(file) != 0);
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        libc::clearerr(file);
        libc::write(fds[1], c"ab".as_ptr().cast(), 2);
        println!("{} {}", libc::fgetc(file), libc::fgetc(file));
        libc::fclose(file);
        libc::close(fds[1]);
    }
}

unsafe fn obstacks() {
    let mut stack = [0usize; 11];
    // SAFETY: the structure has glibc's 88 bytes; objects are freed in order.
    unsafe {
        let free: *const c_void = (libc::free as unsafe extern "C" fn(*mut c_void) as *const c_void).cast();
        let allocate: *const c_void =
            (libc::malloc as unsafe extern "C" fn(usize) -> *mut c_void as *const c_void).cast();
        println!("{} {}", _obstack_begin(&raw mut stack, 0, 0, allocate, free), _obstack_memory_used(&raw mut stack));
        println!("{}", obstack_printf(&raw mut stack, c"%s %d ".as_ptr(), c"word".as_ptr(), 7 as c_int));
        println!("{}", obstack_printf(&raw mut stack, c"%5000d".as_ptr(), 1 as c_int));
        println!("{} {}", stack[3] - stack[2], _obstack_memory_used(&raw mut stack) > 5007);
        println!("{}", bytes(std::ptr::with_exposed_provenance(stack[2]), 12));
        _obstack_newchunk(&raw mut stack, 10_000);
        println!("{} {}", stack[4] - stack[3] >= 10_000, _obstack_memory_used(&raw mut stack) > 15_007);
        obstack_free(&raw mut stack, null_mut());
    }
}

/// What goes to standard error meanwhile.
fn captured(work: impl FnOnce()) -> String {
    let path = std::env::temp_dir().join(format!("conform-streams-{}", std::process::id()));
    let mut to =
        std::fs::File::options().create(true).truncate(true).read(true).write(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("it is there");
    // SAFETY: descriptors are duplicated and given back.
    unsafe {
        let before = libc::dup(2);
        libc::dup2(to.as_raw_fd(), 2);
        work();
        libc::dup2(before, 2);
        libc::close(before);
    }
    let mut text = String::new();
    to.seek(SeekFrom::Start(0)).expect("a file");
    to.read_to_string(&mut text).expect("text");
    text
}

unsafe fn messages() {
    // SAFETY: formats fit their arguments; the names are strings that live on.
    unsafe {
        program_invocation_name = c"/some/where/program".as_ptr().cast_mut();
        program_invocation_short_name = c"program".as_ptr().cast_mut();
        let text = captured(|| {
            error(0, 0, c"plain %d".as_ptr(), 1 as c_int);
            error(0, libc::ENOENT, c"with %s".as_ptr(), c"number".as_ptr());
            error_at_line(0, 0, c"file".as_ptr(), 12, c"here".as_ptr());
            error_at_line(0, libc::EIO, c"file".as_ptr(), 12, c"again %d".as_ptr(), 5 as c_int);
            error_at_line(0, 0, null(), 12, c"nowhere".as_ptr());
            error_one_per_line = 1;
            error_at_line(0, 0, c"file".as_ptr(), 13, c"once".as_ptr());
            error_at_line(0, 0, c"file".as_ptr(), 13, c"not twice".as_ptr());
            *libc::__errno_location() = libc::EPERM;
            warn(c"warn %d".as_ptr(), 3 as c_int);
            warn(null());
            warnx(c"warnx %s".as_ptr(), c"x".as_ptr());
            warnx(null());
        });
        let count = error_message_count;
        println!("{text}{count}");
        for which in 0..3 {
            let mut status = 0;
            let text = captured(|| {
                std::io::stdout().flush().expect("standard output");
                let child = libc::fork();
                if child == 0 {
                    *libc::__errno_location() = libc::EBUSY;
                    match which {
                        0 => err(3, c"err %d".as_ptr(), 1 as c_int),
                        1 => errx(4, c"errx".as_ptr()),
                        _ => error(5, libc::E2BIG, c"error".as_ptr()),
                    }
                }
                libc::waitpid(child, &raw mut status, 0);
            });
            println!("{text}{}", libc::WEXITSTATUS(status));
        }
        println!("{:x} {:x} {:x}", libc::setlogmask(0), libc::setlogmask(0x0f), libc::setlogmask(0xff));
        let text = captured(|| {
            libc::openlog(c"name".as_ptr(), libc::LOG_PERROR | libc::LOG_NDELAY, libc::LOG_LOCAL0);
            libc::syslog(libc::LOG_INFO, c"to the log %d".as_ptr(), 9 as c_int);
            libc::setlogmask(1 << libc::LOG_ERR);
            libc::syslog(libc::LOG_INFO, c"not shown".as_ptr());
            *libc::__errno_location() = libc::ENOSPC;
            libc::syslog(libc::LOG_ERR, c"shown: %m\n".as_ptr());
            libc::closelog();
        });
        println!("{text}");
    }
}

fn main() {
    // SAFETY: each function keeps to the contracts of what it calls.
    unsafe {
        growing();
        fixed();
        cookies();
        files();
        interrupted();
        obstacks();
        messages();
        println!("{} {}", libc::fileno(stdout), libc::fileno(stderr));
    }
}
