//! The plain half of stdio: unlocked forms, forms with 64-bit offsets, forms that know their buffer's size, lines, pushing back, pipes to shells.

use libc::*;
use std::ffi::CStr;
use std::hint::black_box;
use std::ptr::null_mut;

unsafe extern "C" {
    static stdin: *mut FILE;
    static stdout: *mut FILE;
    static stderr: *mut FILE;
    static __progname: *const c_char;
    static __progname_full: *const c_char;
    static __libc_single_threaded: u8;
    fn __printf_chk(flag: c_int, format: *const c_char, ...) -> c_int;
    fn __fprintf_chk(file: *mut FILE, flag: c_int, format: *const c_char, ...) -> c_int;
    fn __dprintf_chk(fd: c_int, flag: c_int, format: *const c_char, ...) -> c_int;
    fn __sprintf_chk(to: *mut c_char, flag: c_int, room: size_t, format: *const c_char, ...) -> c_int;
    fn __snprintf_chk(to: *mut c_char, most: size_t, flag: c_int, room: size_t, format: *const c_char, ...) -> c_int;
    fn __asprintf_chk(out: *mut *mut c_char, flag: c_int, format: *const c_char, ...) -> c_int;
    fn __vprintf_chk(flag: c_int, format: *const c_char, list: *mut VaList) -> c_int;
    fn __vfprintf_chk(file: *mut FILE, flag: c_int, format: *const c_char, list: *mut VaList) -> c_int;
    fn __vsprintf_chk(to: *mut c_char, flag: c_int, room: size_t, format: *const c_char, list: *mut VaList) -> c_int;
    fn __vsnprintf_chk(
        to: *mut c_char,
        n: size_t,
        flag: c_int,
        room: size_t,
        format: *const c_char,
        list: *mut VaList,
    ) -> c_int;
    fn __vasprintf_chk(out: *mut *mut c_char, flag: c_int, format: *const c_char, list: *mut VaList) -> c_int;
    fn vfprintf(file: *mut FILE, format: *const c_char, list: *mut VaList) -> c_int;
    fn obstack_vprintf(stack: *mut Obstack, format: *const c_char, list: *mut VaList) -> c_int;
    fn _obstack_begin(
        stack: *mut Obstack,
        size: size_t,
        align: size_t,
        get: extern "C" fn(size_t) -> *mut c_void,
        put: extern "C" fn(*mut c_void),
    ) -> c_int;
    fn __syslog_chk(priority: c_int, flag: c_int, format: *const c_char, ...);
    fn __fread_chk(to: *mut c_void, room: size_t, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    fn __fread_unlocked_chk(to: *mut c_void, room: size_t, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    fn __fpending(file: *mut FILE) -> size_t;
    fn __fpurge(file: *mut FILE);
    fn __freading(file: *mut FILE) -> c_int;
    fn __fwriting(file: *mut FILE) -> c_int;
    fn __fsetlocking(file: *mut FILE, kind: c_int) -> c_int;
    fn __overflow(file: *mut FILE, byte: c_int) -> c_int;
    fn __uflow(file: *mut FILE) -> c_int;
    fn __getdelim(line: *mut *mut c_char, room: *mut size_t, delimiter: c_int, file: *mut FILE) -> ssize_t;
    fn clearerr_unlocked(file: *mut FILE);
    fn feof_unlocked(file: *mut FILE) -> c_int;
    fn ferror_unlocked(file: *mut FILE) -> c_int;
    fn fflush_unlocked(file: *mut FILE) -> c_int;
    fn fgets_unlocked(to: *mut c_char, room: c_int, file: *mut FILE) -> *mut c_char;
    fn fileno_unlocked(file: *mut FILE) -> c_int;
    fn fputc_unlocked(byte: c_int, file: *mut FILE) -> c_int;
    fn fputs_unlocked(text: *const c_char, file: *mut FILE) -> c_int;
    fn fread_unlocked(to: *mut c_void, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    fn fwrite_unlocked(from: *const c_void, size: size_t, count: size_t, file: *mut FILE) -> size_t;
    fn getc_unlocked(file: *mut FILE) -> c_int;
    fn getchar_unlocked() -> c_int;
    fn putc_unlocked(byte: c_int, file: *mut FILE) -> c_int;
    fn putchar_unlocked(byte: c_int) -> c_int;
    fn getc(file: *mut FILE) -> c_int;
    fn putc(byte: c_int, file: *mut FILE) -> c_int;
    fn flockfile(file: *mut FILE);
    fn funlockfile(file: *mut FILE);
    fn fseeko64(file: *mut FILE, at: off64_t, whence: c_int) -> c_int;
    fn ftello64(file: *mut FILE) -> off64_t;
    fn tmpfile64() -> *mut FILE;
    fn getdelim(line: *mut *mut c_char, room: *mut size_t, delimiter: c_int, file: *mut FILE) -> ssize_t;
    fn getmntent_r(file: *mut FILE, out: *mut mntent, buffer: *mut c_char, room: c_int) -> *mut mntent;
    fn setmntent(path: *const c_char, mode: *const c_char) -> *mut FILE;
    fn endmntent(file: *mut FILE) -> c_int;
    fn getspnam_r(
        name: *const c_char,
        out: *mut spwd,
        buffer: *mut c_char,
        room: size_t,
        result: *mut *mut spwd,
    ) -> c_int;
    fn scandir64(
        path: *const c_char,
        out: *mut *mut *mut dirent64,
        filter: Option<extern "C" fn(*const dirent64) -> c_int>,
        order: unsafe extern "C" fn(*const *const dirent64, *const *const dirent64) -> c_int,
    ) -> c_int;
    fn alphasort64(a: *const *const dirent64, b: *const *const dirent64) -> c_int;
    fn versionsort64(a: *const *const dirent64, b: *const *const dirent64) -> c_int;
    #[link_name = "strerror_r"]
    fn gnu_strerror_r(number: c_int, to: *mut c_char, room: size_t) -> *mut c_char;
    fn mempcpy(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void;
    fn fcntl64(fd: c_int, command: c_int, ...) -> c_int;
    fn __cmsg_nxthdr(message: *mut msghdr, header: *mut cmsghdr) -> *mut cmsghdr;
    fn __cxa_atexit(function: extern "C" fn(*mut c_void), object: *mut c_void, dso: *mut c_void) -> c_int;
    fn __libc_current_sigrtmax() -> c_int;
    /// Below: `_setjmp`, then `__longjmp_chk` with this value the first time; what the second return gave.
    fn jumps(value: c_int) -> c_int;
}

// A call that returns twice stays within assembly. 216 bytes: a jmp_buf of 200, aligned.
std::arch::global_asm!(
    ".globl jumps",
    "jumps:",
    "push rbx",
    "sub rsp, 208",
    "mov ebx, edi",
    "mov rdi, rsp",
    "call _setjmp@PLT",
    "test eax, eax",
    "jne 2f",
    "mov rdi, rsp",
    "mov esi, ebx",
    "call __longjmp_chk@PLT",
    "2:",
    "add rsp, 208",
    "pop rbx",
    "ret",
);

/// `va_list` of the System V ABI.
#[repr(C)]
struct VaList {
    gp: u32,
    fp: u32,
    overflow: *const u64,
    saved: *const u64,
}

/// glibc's `struct obstack`, as far as it matters.
#[repr(C)]
struct Obstack([usize; 11]);

/// A list of words, all of them on the stack.
fn list(words: &[u64]) -> VaList {
    VaList { gp: 48, fp: 176, overflow: words.as_ptr(), saved: words.as_ptr() }
}

extern "C" fn get(size: size_t) -> *mut c_void {
    // SAFETY: no preconditions.
    unsafe { malloc(size) }
}

extern "C" fn put(block: *mut c_void) {
    // SAFETY: from `get`.
    unsafe { free(block) }
}

extern "C" fn said_at_exit(object: *mut c_void) {
    println!("at exit {}", object.addr());
}

fn text(at: *const c_char) -> String {
    // SAFETY: a C string.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

fn formats() {
    let mut room = [0 as c_char; 64];
    let at = room.as_mut_ptr();
    let words = [7u64, c"seven".as_ptr().addr() as u64];
    let format = c"%d %s\n".as_ptr();
    let mut made = null_mut();
    // SAFETY: formats with the arguments that they name, and rooms with their sizes.
    unsafe {
        println!("{}", __sprintf_chk(at, 1, 64, format, 7, c"seven".as_ptr()));
        print!("{}", text(at));
        println!("{} {}", sprintf(at, c"%5.2f|%-4d|".as_ptr(), 1.5, 3), text(at));
        println!("{} {}", __snprintf_chk(at, 5, 1, 64, format, 7, c"seven".as_ptr()), text(at));
        println!("{} {:?}", __vsprintf_chk(at, 1, 64, format, &mut list(&words)), text(at));
        println!("{} {:?}", __vsnprintf_chk(at, 4, 1, 64, format, &mut list(&words)), text(at));
        println!("{} {:?}", __asprintf_chk(&mut made, 1, format, 7, c"seven".as_ptr()), text(made));
        free(made.cast());
        println!("{} {:?}", __vasprintf_chk(&mut made, 1, format, &mut list(&words)), text(made));
        free(made.cast());
        let mut stack = Obstack([0; 11]);
        _obstack_begin(&mut stack, 0, 0, get, put);
        println!("{}", obstack_vprintf(&mut stack, format, &mut list(&words)));
        // C's stdout has its own buffer; it is flushed before std prints on.
        println!("{}", __printf_chk(1, c"chk %d\n".as_ptr(), 1) + fflush(stdout));
        println!("{}", __fprintf_chk(stdout, 1, c"chk %d\n".as_ptr(), 2) + fflush(stdout));
        println!("{}", __vprintf_chk(1, format, &mut list(&words)) + fflush(stdout));
        println!("{}", __vfprintf_chk(stdout, 1, format, &mut list(&words)) + fflush(stdout));
        println!("{}", vfprintf(stdout, format, &mut list(&words)) + fflush(stdout));
        println!("{}", __dprintf_chk(1, 1, c"chk %d\n".as_ptr(), 3));
        println!("{} {}", putchar(65) + fflush(stdout), putchar_unlocked(66) + fflush(stdout));
        println!("{} {}", putc(67, stdout) + fflush(stdout), putc_unlocked(10, stdout) + fflush(stdout));
        __syslog_chk(LOG_DEBUG, 1, c"said by a test: %d".as_ptr(), 1);
    }
}

fn streams() {
    let mut bytes = [0u8; 64];
    let (at, chars) = (bytes.as_mut_ptr().cast::<c_void>(), bytes.as_mut_ptr().cast::<c_char>());
    // SAFETY: streams and rooms of ours.
    unsafe {
        let file = tmpfile64();
        println!("locking {}", __fsetlocking(file, 0));
        flockfile(file);
        println!(
            "put {} {} {}",
            fputc_unlocked(97, file),
            fputs_unlocked(c"bcd\nsecond;third\n".as_ptr(), file) >= 0,
            putc(98, file)
        );
        println!("write {}", fwrite_unlocked(c"xyz".as_ptr().cast(), 1, 3, file));
        println!("pending {} writing {} reading {}", __fpending(file), __fwriting(file) != 0, __freading(file) != 0);
        println!("flush {}", fflush_unlocked(file));
        funlockfile(file);
        println!("pending {}", __fpending(file));
        println!("overflow {}", __overflow(file, 33));
        println!("tell {} {}", ftello64(file), ftello(file));
        println!("seek {} {}", fseeko64(file, 0, SEEK_SET), fseeko(file, 0, SEEK_SET));
        println!("get {} {} {}", getc(file), getc_unlocked(file), __uflow(file));
        println!("unget {} {}", ungetc(90, file), getc(file));
        println!("reading {}", __freading(file) != 0);
        println!("gets {} {:?}", !fgets_unlocked(chars, 64, file).is_null(), text(chars));
        let (mut line, mut room) = (null_mut(), 0);
        println!("getdelim {} {:?}", getdelim(&mut line, &mut room, i32::from(b';'), file), text(line));
        println!("getline {} {:?}", getline(&mut line, &mut room, file), text(line));
        println!("__getdelim {} {:?}", __getdelim(&mut line, &mut room, i32::from(b'y'), file), text(line));
        println!("fread {}", fread_unlocked(at, 1, 1, file));
        println!("fread_chk {} {}", __fread_chk(at, 64, 1, 10, file), __fread_unlocked_chk(at, 64, 1, 10, file));
        println!("end {} error {}", feof_unlocked(file) != 0, ferror_unlocked(file));
        println!("getline {}", getline(&mut line, &mut room, file));
        free(line.cast());
        clearerr_unlocked(file);
        println!("end {}", feof(file));
        println!("fileno {}", fileno_unlocked(file) == fileno(file));
        rewind(file);
        println!("purge {}", getc(file));
        __fpurge(file);
        println!("fcntl {}", fcntl64(fileno(file), F_GETFL) & O_ACCMODE);
        setbuf(file, null_mut());
        fclose(file);
        let path = c"/tmp/ochre-conform-plainio".as_ptr();
        let file = fopen64(path, c"w+".as_ptr());
        fputs(c"64 bits\n".as_ptr(), file);
        let file = freopen64(path, c"r".as_ptr(), file);
        println!("freopen {:?}", text(fgets(chars, 64, file)));
        println!("write to a reader {} {}", fputc(1, file), ferror(file) != 0);
        fclose(file);
        let mut state: statvfs = std::mem::zeroed();
        println!("statvfs {}", statvfs(path, &mut state));
        unlink(path);
        println!("statvfs {} {:?}", statvfs(path, &mut state), text(gnu_strerror_r(*__errno_location(), chars, 64)));
        let shell = popen(c"echo from a shell; exit 3".as_ptr(), c"r".as_ptr());
        println!("popen {:?}", text(fgets(chars, 64, shell)));
        println!("pclose {:x}", pclose(shell));
        let null = freopen(c"/dev/null".as_ptr(), c"r".as_ptr(), stdin);
        println!("stdin {} {} {}", !null.is_null(), getchar_unlocked(), feof(stdin) != 0);
        // What perror says goes to the standard error stream.
        *__errno_location() = ENOENT;
        perror(c"perror".as_ptr());
        println!("stderr {}", fileno(stderr));
    }
}

fn others() {
    // SAFETY: places of ours; a folder and files that this function makes.
    unsafe {
        println!("jumps {} {}", jumps(5), jumps(0));
        println!(
            "name {} {}",
            text(__progname) == text(strrchr(__progname_full, 47).add(1)),
            __libc_single_threaded <= 1
        );
        // Through pointers: the compiler replaces calls of these by others.
        let print = black_box(printf as unsafe extern "C" fn(*const c_char, ...) -> c_int);
        let line = black_box(puts as unsafe extern "C" fn(*const c_char) -> c_int);
        println!("printf {} puts {}", print(c"%s\n".as_ptr(), c"printed".as_ptr()), line(c"a line".as_ptr()) >= 0);
        fflush(stdout);
        let copy = black_box(mempcpy as unsafe extern "C" fn(*mut c_void, *const c_void, size_t) -> *mut c_void);
        let mut copied = [0u8; 8];
        println!(
            "mempcpy {}",
            copy(copied.as_mut_ptr().cast(), c"four".as_ptr().cast(), 4).addr() - copied.as_ptr().addr()
        );
        let allocate = black_box(aligned_alloc as unsafe extern "C" fn(size_t, size_t) -> *mut c_void);
        let block = allocate(256, 512);
        println!("aligned {} {}", !block.is_null(), block.addr() % 256);
        free(block);
        println!("accept {} {}", accept(-1, null_mut(), null_mut()), *__errno_location());
        println!("last signal {}", __libc_current_sigrtmax());
        println!("cxa_atexit {}", __cxa_atexit(said_at_exit, std::ptr::without_provenance_mut(9), null_mut()));
        let mut control = [0u64; 8];
        let mut message: msghdr = std::mem::zeroed();
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = 48;
        let first = CMSG_FIRSTHDR(&message);
        (*first).cmsg_len = 20;
        let second = __cmsg_nxthdr(&mut message, first);
        println!("next {}", second.addr() - first.addr());
        (*second).cmsg_len = 20;
        println!("last {}", __cmsg_nxthdr(&mut message, second).is_null());
        let dir = c"/tmp/ochre-conform-plainio-d";
        mkdir(dir.as_ptr(), 0o700);
        for name in [
            c"/tmp/ochre-conform-plainio-d/f10",
            c"/tmp/ochre-conform-plainio-d/f9",
            c"/tmp/ochre-conform-plainio-d/f1",
        ] {
            close(creat(name.as_ptr(), 0o600));
        }
        for order in [alphasort64 as unsafe extern "C" fn(_, _) -> _, versionsort64] {
            let mut entries = null_mut();
            let count = scandir64(dir.as_ptr(), &mut entries, None, order);
            for n in 0..count.max(0) as usize {
                print!("{} ", text((*(*entries.add(n))).d_name.as_ptr()));
                free((*entries.add(n)).cast());
            }
            free(entries.cast());
            println!("{count}");
        }
        for name in [
            c"/tmp/ochre-conform-plainio-d/f10",
            c"/tmp/ochre-conform-plainio-d/f9",
            c"/tmp/ochre-conform-plainio-d/f1",
        ] {
            unlink(name.as_ptr());
        }
        rmdir(dir.as_ptr());
        let mut buffer = [0 as c_char; 512];
        let mut user: spwd = std::mem::zeroed();
        let mut found = null_mut();
        println!(
            "shadow {} {}",
            getspnam_r(c"root".as_ptr(), &mut user, buffer.as_mut_ptr(), 512, &mut found),
            !found.is_null()
        );
        println!("shadow short {}", getspnam_r(c"root".as_ptr(), &mut user, buffer.as_mut_ptr(), 2, &mut found));
        let mounts = c"/tmp/ochre-conform-plainio-m".as_ptr();
        let file = fopen(mounts, c"w".as_ptr());
        fputs(c"# comment\n/dev/a\\040b /mnt ext4 ro,user 1 2\n".as_ptr(), file);
        fclose(file);
        let file = setmntent(mounts, c"r".as_ptr());
        let mut entry: mntent = std::mem::zeroed();
        let got = getmntent_r(file, &mut entry, buffer.as_mut_ptr(), 512);
        println!(
            "mount {} {:?} {:?} {}",
            !got.is_null(),
            text(entry.mnt_fsname),
            text(entry.mnt_opts),
            entry.mnt_passno
        );
        println!("end {} {}", getmntent_r(file, &mut entry, buffer.as_mut_ptr(), 512).is_null(), endmntent(file));
        unlink(mounts);
    }
}

fn main() {
    formats();
    streams();
    others();
}
