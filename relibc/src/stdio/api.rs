//! The functions of `stdio.h` on streams.

use super::backend::Backend;
use super::file::{
    self, APPEND, EOF, ERROR, File, LINE, NO_READS, NO_WRITES, OPEN, PUTTING, UNBUFFERED, USER_BUF, with,
};
use super::format::{Sink, format};
use crate::heap::{c_free, c_malloc};
use crate::va::VaList;
use crate::{errno, string, sys};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;
use libc::{off_t, size_t, ssize_t};

const END: c_int = -1;

impl Sink for File {
    fn put(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: the caller holds the stream's lock.
        unsafe { self.write(bytes) == bytes.len() }
    }
}

/// What a mode says: flags of open(2), flags of the stream.
pub(super) unsafe fn mode(text: *const c_char) -> Option<(c_int, c_int)> {
    let text = string::bytes(text);
    let plus = text.contains(&b'+');
    let (mut open, stream) = match text.first()? {
        b'r' => (0, if plus { 0 } else { NO_WRITES }),
        b'w' => (libc::O_CREAT | libc::O_TRUNC, if plus { 0 } else { NO_READS }),
        b'a' => (libc::O_CREAT | libc::O_APPEND, APPEND | if plus { 0 } else { NO_READS }),
        _ => return None,
    };
    open |= match (plus, text[0]) {
        (true, _) => libc::O_RDWR,
        (_, b'r') => libc::O_RDONLY,
        _ => libc::O_WRONLY,
    };
    for byte in text {
        match byte {
            b'x' => open |= libc::O_EXCL,
            b'e' => open |= libc::O_CLOEXEC,
            b',' => break,
            _ => {}
        }
    }
    Some((open, stream))
}

/// Opens a stream.
pub(super) fn add(fd: c_int, flags: c_int) -> *mut File {
    add_with(fd, flags, None)
}

/// Opens a stream on a descriptor or on something else.
pub(super) fn add_with(fd: c_int, flags: c_int, backend: Option<Box<dyn Backend>>) -> *mut File {
    let mut file = File::new(fd, flags);
    file.backend = backend;
    let file = Box::into_raw(Box::new(file));
    OPEN.lock().push(file);
    file
}

unsafe fn release_buffer(file: &mut File) {
    if file.flags & USER_BUF == 0 {
        c_free(file.buf_base.cast());
    }
    file.buf_base = ptr::null_mut();
    file.buf_end = ptr::null_mut();
    file.idle();
}

unsafe fn get(file: &mut File) -> c_int {
    match file.ahead().first() {
        Some(&byte) => {
            file.read_ptr = file.read_ptr.add(1);
            c_int::from(byte)
        }
        None => END,
    }
}

unsafe fn put(file: &mut File, byte: c_int) -> c_int {
    if file.write(&[byte as u8]) == 1 { c_int::from(byte as u8) } else { END }
}

unsafe fn print(file: *mut File, text: *const c_char, arguments: *mut VaList) -> c_int {
    with(file, |file| {
        if file.orient(-1) > 0 {
            return END;
        }
        if file.flags & UNBUFFERED == 0 {
            return format(file, text, arguments);
        }
        // One write for the whole.
        let mut bytes = Vec::new();
        let count = format(&mut bytes, text, arguments);
        if count >= 0 && !file.put(&bytes) { END } else { count }
    })
}

c_api! {
    /// fopen(3).
    fn fopen(path: *const c_char, text: *const c_char) -> *mut File {
        let Some((open, flags)) = mode(text) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        let fd = errno::int(sys::openat(libc::AT_FDCWD, path, open, 0o666));
        if fd < 0 { ptr::null_mut() } else { add(fd, flags) }
    }

    /// fdopen(3).
    fn fdopen(fd: c_int, text: *const c_char) -> *mut File {
        let Some((_, flags)) = mode(text) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        if errno::int(sys::fcntl(fd, libc::F_GETFD, 0)) < 0 { ptr::null_mut() } else { add(fd, flags) }
    }

    /// freopen(3). A null path, which would only change the mode, fails with EBADF, as POSIX allows.
    fn freopen(path: *const c_char, text: *const c_char, file: *mut File) -> *mut File {
        let Some((open, flags)) = mode(text) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        let reopened = with(file, |file| {
            file.flush();
            if path.is_null() && file.fd < 0 {
                errno::set(libc::EBADF);
                return false;
            }
            // Without a path: the same file once more, which may be opened for other uses.
            let same = alloc::format!("/proc/self/fd/{}\0", file.fd);
            let path = if path.is_null() { same.as_ptr().cast() } else { path };
            release_buffer(file);
            if file.backend.is_some() {
                file.raw_close();
            }
            let fd = errno::int(sys::openat(libc::AT_FDCWD, path, open, 0o666));
            if fd < 0 {
                sys::close(file.fd);
                file.fd = -1;
                return false;
            }
            // The stream keeps its descriptor's number.
            if file.fd >= 0 && fd != file.fd {
                sys::dup3(fd, file.fd, open & libc::O_CLOEXEC);
                sys::close(fd);
            } else {
                file.fd = fd;
            }
            file.flags &= !(NO_READS | NO_WRITES | APPEND | EOF | ERROR | LINE | UNBUFFERED | USER_BUF);
            file.flags |= flags;
            file.disorient();
            true
        });
        if reopened { file } else { ptr::null_mut() }
    }

    /// [`fgets`] with the buffer's size. LSB.
    fn __fgets_chk(to: *mut c_char, size: size_t, room: c_int, file: *mut File) -> *mut c_char {
        if room > 0 && size < room as usize {
            crate::runtime::die("buffer overflow detected");
        }
        fgets(to, room, file)
    }

    /// [`fread`] with the buffer's size. LSB.
    fn __fread_chk(to: *mut c_void, room: size_t, size: size_t, count: size_t, file: *mut File) -> size_t {
        if size.saturating_mul(count) > room {
            crate::runtime::die("buffer overflow detected");
        }
        fread(to, size, count, file)
    }

    /// fclose(3).
    fn fclose(file: *mut File) -> c_int {
        OPEN.lock().retain(|&other| other != file);
        let result = with(file, |file| {
            let flushed = file.flush();
            release_buffer(file);
            let closed = errno::int(file.raw_close());
            if flushed { closed } else { END }
        });
        if !file::all().contains(&file) {
            drop(Box::from_raw(file));
        }
        result
    }

    /// fflush(3).
    fn fflush(file: *mut File) -> c_int {
        if !file.is_null() {
            return if with(file, |file| file.flush()) { 0 } else { END };
        }
        let mut result = 0;
        for file in file::all() {
            if !with(file, |file| file.flags & PUTTING == 0 || file.flush()) {
                result = END;
            }
        }
        result
    }

    /// fwrite(3).
    fn fwrite(from: *const c_void, size: size_t, count: size_t, file: *mut File) -> size_t {
        let len = size.saturating_mul(count);
        if len == 0 {
            return 0;
        }
        let bytes = core::slice::from_raw_parts(from.cast(), len);
        with(file, |file| if file.orient(-1) < 0 { file.write(bytes) } else { 0 }) / size
    }

    /// fread(3).
    fn fread(to: *mut c_void, size: size_t, count: size_t, file: *mut File) -> size_t {
        let len = size.saturating_mul(count);
        if len == 0 {
            return 0;
        }
        with(file, |file| {
            let mut done = 0;
            while done < len {
                let ahead = file.ahead();
                if ahead.is_empty() {
                    break;
                }
                let now = ahead.len().min(len - done);
                ptr::copy_nonoverlapping(ahead.as_ptr(), to.cast::<u8>().add(done), now);
                file.read_ptr = file.read_ptr.add(now);
                done += now;
            }
            done / size
        })
    }

    /// fputs(3).
    fn fputs(text: *const c_char, file: *mut File) -> c_int {
        let bytes = string::bytes(text);
        if with(file, |file| file.orient(-1) < 0 && file.put(bytes)) { 1 } else { END }
    }

    /// puts(3).
    fn puts(text: *const c_char) -> c_int {
        with(file::stdout, |file| {
            let bytes = string::bytes(text);
            if file.orient(-1) < 0 && file.put(bytes) && file.put(b"\n") { bytes.len() as c_int + 1 } else { END }
        })
    }

    /// fputc(3).
    fn fputc(byte: c_int, file: *mut File) -> c_int { with(file, |file| put(file, byte)) }

    /// putchar(3).
    fn putchar(byte: c_int) -> c_int { fputc(byte, file::stdout) }

    /// fgetc(3).
    fn fgetc(file: *mut File) -> c_int { with(file, |file| get(file)) }

    /// getchar(3).
    fn getchar() -> c_int { fgetc(file::stdin) }

    /// What `getc_unlocked` calls when nothing is buffered. glibc.
    fn __uflow(file: *mut File) -> c_int { with(file, |file| get(file)) }

    /// What `putc_unlocked` calls when there is no room. glibc.
    fn __overflow(file: *mut File, byte: c_int) -> c_int { with(file, |file| put(file, byte)) }

    /// ungetc(3).
    fn ungetc(byte: c_int, file: *mut File) -> c_int {
        if byte != END && with(file, |file| file.unget(byte as u8)) { c_int::from(byte as u8) } else { END }
    }

    /// fgets(3).
    fn fgets(to: *mut c_char, room: c_int, file: *mut File) -> *mut c_char {
        with(file, |file| {
            let failed = file.flags & ERROR;
            file.flags &= !ERROR;
            let mut done = 0;
            let most = room.max(1) as usize - 1;
            while done < most {
                let ahead = file.ahead();
                if ahead.is_empty() {
                    break;
                }
                let near = &ahead[..ahead.len().min(most - done)];
                let line = near.iter().position(|&byte| byte == b'\n');
                let now = line.map_or(near.len(), |end| end + 1);
                ptr::copy_nonoverlapping(near.as_ptr(), to.cast::<u8>().add(done), now);
                file.read_ptr = file.read_ptr.add(now);
                done += now;
                if line.is_some() {
                    break;
                }
            }
            let error = file.flags & ERROR != 0;
            file.flags |= failed;
            if room < 1 || (most > 0 && done == 0) || error {
                return ptr::null_mut();
            }
            *to.add(done) = 0;
            to
        })
    }

    /// getdelim(3).
    fn getdelim(line: *mut *mut c_char, room: *mut size_t, end: c_int, file: *mut File) -> ssize_t {
        if line.is_null() || room.is_null() {
            return errno::fail(libc::EINVAL) as ssize_t;
        }
        with(file, |file| {
            let mut done = 0;
            loop {
                let ahead = file.ahead();
                if ahead.is_empty() {
                    break;
                }
                let found = ahead.iter().position(|&byte| c_int::from(byte) == end);
                let now = found.map_or(ahead.len(), |at| at + 1);
                if (*line).is_null() || *room < done + now + 1 {
                    let size = (done + now + 1).max(*room * 2).max(120);
                    let block = c_malloc(size).cast::<c_char>();
                    if block.is_null() {
                        return errno::fail(libc::ENOMEM) as ssize_t;
                    }
                    ptr::copy_nonoverlapping(*line, block, if (*line).is_null() { 0 } else { done });
                    c_free((*line).cast());
                    (*line, *room) = (block, size);
                }
                ptr::copy_nonoverlapping(ahead.as_ptr(), (*line).add(done).cast(), now);
                file.read_ptr = file.read_ptr.add(now);
                done += now;
                if found.is_some() {
                    break;
                }
            }
            if done == 0 {
                return -1;
            }
            *(*line).add(done) = 0;
            done as ssize_t
        })
    }

    /// getline(3).
    fn getline(line: *mut *mut c_char, room: *mut size_t, file: *mut File) -> ssize_t {
        getdelim(line, room, c_int::from(b'\n'), file)
    }

    /// fgetpos(3). The position is an offset, and a conversion state, which has nothing to say.
    fn fgetpos(file: *mut File, to: *mut libc::fpos_t) -> c_int {
        let at = ftello(file);
        if at < 0 {
            return END;
        }
        to.cast::<[u64; 2]>().write([at as u64, 0]);
        0
    }

    /// fsetpos(3).
    fn fsetpos(file: *mut File, from: *const libc::fpos_t) -> c_int {
        fseeko(file, from.cast::<off_t>().read(), libc::SEEK_SET)
    }

    /// fseeko(3).
    fn fseeko(file: *mut File, offset: off_t, whence: c_int) -> c_int {
        with(file, |file| {
            if !file.flush() {
                return END;
            }
            let ahead = file.read_end.offset_from_unsigned(file.read_ptr) as off_t;
            let offset = if whence == libc::SEEK_CUR { offset - ahead } else { offset };
            if errno::long(file.raw_seek(offset, whence)) < 0 {
                return END;
            }
            file.idle();
            file.flags &= !EOF;
            0
        })
    }

    /// ftello(3).
    fn ftello(file: *mut File) -> off_t {
        with(file, |file| {
            if file.flags & PUTTING != 0 && !file.flush() {
                return -1;
            }
            let at = errno::long(file.raw_seek(0, libc::SEEK_CUR)) as off_t;
            if at < 0 { -1 } else { at - file.read_end.offset_from_unsigned(file.read_ptr) as off_t }
        })
    }

    /// rewind(3).
    fn rewind(file: *mut File) {
        fseeko(file, 0, libc::SEEK_SET);
        clearerr(file);
    }

    /// setvbuf(3). A buffer of the library's own has its usual size.
    fn setvbuf(file: *mut File, buffer: *mut c_char, how: c_int, size: size_t) -> c_int {
        if !(0..=2).contains(&how) {
            return END;
        }
        with(file, |file| {
            file.flush();
            if file.read_ptr != file.read_end {
                return END;
            }
            release_buffer(file);
            file.flags &= !(LINE | UNBUFFERED | USER_BUF);
            file.flags |= [0, LINE, UNBUFFERED][how as usize];
            if how != libc::_IONBF && !buffer.is_null() && size > 0 {
                file.buf_base = buffer.cast();
                file.buf_end = file.buf_base.add(size);
                file.flags |= USER_BUF;
                file.idle();
            }
            0
        })
    }

    /// setbuf(3).
    fn setbuf(file: *mut File, buffer: *mut c_char) {
        setvbuf(file, buffer, if buffer.is_null() { libc::_IONBF } else { libc::_IOFBF }, 8192);
    }

    /// setbuffer(3).
    fn setbuffer(file: *mut File, buffer: *mut c_char, size: size_t) {
        setvbuf(file, buffer, if buffer.is_null() { libc::_IONBF } else { libc::_IOFBF }, size);
    }

    /// setlinebuf(3).
    fn setlinebuf(file: *mut File) { setvbuf(file, ptr::null_mut(), libc::_IOLBF, 0); }

    /// feof(3).
    fn feof(file: *mut File) -> c_int { ((*file).flags & EOF != 0) as c_int }

    /// ferror(3).
    fn ferror(file: *mut File) -> c_int { ((*file).flags & ERROR != 0) as c_int }

    /// clearerr(3).
    fn clearerr(file: *mut File) { with(file, |file| file.flags &= !(EOF | ERROR)); }

    /// fileno(3).
    fn fileno(file: *mut File) -> c_int { if (*file).fd < 0 { errno::fail(libc::EBADF) } else { (*file).fd } }

    /// stdio_ext(3).
    fn __fpending(file: *mut File) -> size_t { (*file).write_ptr.offset_from_unsigned((*file).write_base) }

    /// stdio_ext(3).
    fn __freading(file: *mut File) -> c_int {
        ((*file).flags & NO_WRITES != 0 || ((*file).flags & PUTTING == 0 && !(*file).read_base.is_null())) as c_int
    }

    /// stdio_ext(3).
    fn __fwriting(file: *mut File) -> c_int { ((*file).flags & (NO_READS | PUTTING) != 0) as c_int }

    /// stdio_ext(3).
    fn __fpurge(file: *mut File) { with(file, |file| file.idle()); }

    /// stdio_ext(3). Streams are always locked by the library, which is FSETLOCKING_INTERNAL.
    fn __fsetlocking(_file: *mut File, _how: c_int) -> c_int { 1 }

    /// flockfile(3).
    fn flockfile(file: *mut File) { file::lock(file); }

    /// funlockfile(3).
    fn funlockfile(file: *mut File) { file::unlock(file); }

    /// vfprintf(3).
    fn vfprintf(file: *mut File, text: *const c_char, arguments: *mut VaList) -> c_int { print(file, text, arguments) }

    /// vprintf(3).
    fn vprintf(text: *const c_char, arguments: *mut VaList) -> c_int { print(file::stdout, text, arguments) }

    /// vdprintf(3).
    fn vdprintf(fd: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        print(&mut File::new(fd, UNBUFFERED), text, arguments)
    }

    /// [`vfprintf`]. LSB.
    fn __vfprintf_chk(file: *mut File, _flag: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        print(file, text, arguments)
    }

    /// [`vprintf`]. LSB.
    fn __vprintf_chk(_flag: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        print(file::stdout, text, arguments)
    }

    /// [`vdprintf`]. LSB.
    fn __vdprintf_chk(fd: c_int, _flag: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        vdprintf(fd, text, arguments)
    }
}

c_alias! {
    fn fgetpos64 = fgetpos[file: *mut File, to: *mut libc::fpos_t] -> c_int;
    fn fsetpos64 = fsetpos[file: *mut File, from: *const libc::fpos_t] -> c_int;
    fn fopen64 = fopen[path: *const c_char, mode: *const c_char] -> *mut File;
    fn freopen64 = freopen[path: *const c_char, mode: *const c_char, file: *mut File] -> *mut File;
    fn fseeko64 = fseeko[file: *mut File, offset: off_t, whence: c_int] -> c_int;
    fn fseek = fseeko[file: *mut File, offset: c_long, whence: c_int] -> c_int;
    fn ftello64 = ftello[file: *mut File] -> off_t;
    fn ftell = ftello[file: *mut File] -> c_long;
    fn __getdelim = getdelim[line: *mut *mut c_char, room: *mut size_t, end: c_int, file: *mut File] -> ssize_t;
    fn getc = fgetc[file: *mut File] -> c_int;
    fn getc_unlocked = fgetc[file: *mut File] -> c_int;
    fn fgetc_unlocked = fgetc[file: *mut File] -> c_int;
    fn getchar_unlocked = getchar[] -> c_int;
    fn putc = fputc[byte: c_int, file: *mut File] -> c_int;
    fn putc_unlocked = fputc[byte: c_int, file: *mut File] -> c_int;
    fn fputc_unlocked = fputc[byte: c_int, file: *mut File] -> c_int;
    fn putchar_unlocked = putchar[byte: c_int] -> c_int;
    fn fputs_unlocked = fputs[text: *const c_char, file: *mut File] -> c_int;
    fn fgets_unlocked = fgets[to: *mut c_char, room: c_int, file: *mut File] -> *mut c_char;
    fn fwrite_unlocked = fwrite[from: *const c_void, size: size_t, count: size_t, file: *mut File] -> size_t;
    fn __fread_unlocked_chk = __fread_chk[to: *mut c_void, room: size_t, size: size_t, count: size_t, file: *mut File] -> size_t;
    fn fread_unlocked = fread[to: *mut c_void, size: size_t, count: size_t, file: *mut File] -> size_t;
    fn fflush_unlocked = fflush[file: *mut File] -> c_int;
    fn feof_unlocked = feof[file: *mut File] -> c_int;
    fn ferror_unlocked = ferror[file: *mut File] -> c_int;
    fn clearerr_unlocked = clearerr[file: *mut File];
    fn fileno_unlocked = fileno[file: *mut File] -> c_int;
}

c_variadic! {
    /// printf(3).
    fn printf = vprintf, 1, "rsi";
    /// fprintf(3).
    fn fprintf = vfprintf, 2, "rdx";
    /// dprintf(3).
    fn dprintf = vdprintf, 2, "rdx";
    /// [`printf`]. LSB.
    fn __printf_chk = __vprintf_chk, 2, "rdx";
    /// [`fprintf`]. LSB.
    fn __fprintf_chk = __vfprintf_chk, 3, "rcx";
    /// [`dprintf`]. LSB.
    fn __dprintf_chk = __vdprintf_chk, 3, "rcx";
}
