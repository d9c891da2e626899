//! Wide characters through streams, orientation, and times as wide text.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

type Wide = libc::wchar_t;
type File = libc::FILE;

unsafe extern "C" {
    fn fgetwc(file: *mut File) -> u32;
    fn getwc(file: *mut File) -> u32;
    fn fgetwc_unlocked(file: *mut File) -> u32;
    fn getwc_unlocked(file: *mut File) -> u32;
    fn fputwc(wide: Wide, file: *mut File) -> u32;
    fn putwc(wide: Wide, file: *mut File) -> u32;
    fn fputwc_unlocked(wide: Wide, file: *mut File) -> u32;
    fn putwc_unlocked(wide: Wide, file: *mut File) -> u32;
    fn putwchar(wide: Wide) -> u32;
    fn ungetwc(wide: u32, file: *mut File) -> u32;
    fn fgetws(to: *mut Wide, room: c_int, file: *mut File) -> *mut Wide;
    fn fputws(text: *const Wide, file: *mut File) -> c_int;
    fn fwide(file: *mut File, mode: c_int) -> c_int;
    fn wcsftime(to: *mut Wide, room: usize, format: *const Wide, fields: *const libc::tm) -> usize;
    fn wcsftime_l(
        to: *mut Wide,
        room: usize,
        format: *const Wide,
        fields: *const libc::tm,
        locale: *mut c_void,
    ) -> usize;
    fn __wcsftime_l(
        to: *mut Wide,
        room: usize,
        format: *const Wide,
        fields: *const libc::tm,
        locale: *mut c_void,
    ) -> usize;
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn wide(text: &str) -> Vec<Wide> {
    text.chars().map(|character| character as Wide).chain([0]).collect()
}

/// A stream on a file of this name, with these bytes if there are any.
fn open(path: &CStr, bytes: Option<&[u8]>, mode: &CStr) -> *mut File {
    if let Some(bytes) = bytes {
        std::fs::write(path.to_str().expect("UTF-8"), bytes).expect("files can be made");
    }
    // SAFETY: C strings.
    let file = unsafe { libc::fopen(path.as_ptr(), mode.as_ptr()) };
    assert!(!file.is_null());
    file
}

fn reading(path: &CStr) {
    let texts: [&[u8]; 5] =
        ["a\u{e4}\u{20ac}\u{1f600}\nz".as_bytes(), b"ab\xffcd", b"\xe4\xb8", b"", b"x\xc3\xa4\n\n\xc3\xb6 y"];
    for bytes in texts {
        // SAFETY: an open stream.
        unsafe {
            let file = open(path, Some(bytes), c"r");
            println!("read {bytes:x?}: at first {}", fwide(file, 0));
            for way in 0..8 {
                *libc::__errno_location() = 0;
                let character = match way % 4 {
                    0 => fgetwc(file),
                    1 => getwc(file),
                    2 => fgetwc_unlocked(file),
                    _ => getwc_unlocked(file),
                };
                let ends = (libc::feof(file) != 0, libc::ferror(file) != 0);
                println!("read {bytes:x?}: {character:x} {ends:?} {} {}", errno(), fwide(file, -1));
                if character == u32::MAX {
                    break;
                }
                if way == 1 {
                    println!("read {bytes:x?}: back {:x}", ungetwc(character, file));
                }
            }
            println!("read {bytes:x?}: back {:x}", ungetwc(u32::MAX, file));
            libc::fclose(file);
            for room in [1, 3, 20] {
                let file = open(path, None, c"r");
                for _ in 0..6 {
                    let mut line: [Wide; 20] = [0x55; 20];
                    let got = fgetws(line.as_mut_ptr(), room, file);
                    if got.is_null() {
                        println!("lines {bytes:x?} {room}: none {} {}", libc::feof(file) != 0, libc::ferror(file) != 0);
                        break;
                    }
                    println!("lines {bytes:x?} {room}: {line:x?}");
                }
                libc::fclose(file);
            }
        }
    }
}

fn writing(path: &CStr) {
    // SAFETY: open streams and wide strings.
    unsafe {
        let file = open(path, None, c"w");
        println!("write: {:x} {:x}", fputwc('a' as Wide, file), putwc(0xe4, file));
        println!("write: {:x} {:x}", fputwc_unlocked(0x20ac, file), putwc_unlocked(0x1_f600, file));
        println!("write: {}", fputws(wide("x\u{df}y\n").as_ptr(), file) >= 0);
        println!("write: {}", fwide(file, -1));
        *libc::__errno_location() = 0;
        println!("write: {:x} {} {}", fputwc(0xd800, file), errno(), libc::ferror(file) != 0);
        println!("write: close {}", libc::fclose(file));
        println!("write: {:x?}", std::fs::read(path.to_str().expect("UTF-8")).expect("written"));
        let file = open(path, None, c"w");
        libc::fputs(c"bytes".as_ptr(), file);
        println!("bytes: {} {:x} {}", fwide(file, 1), fputwc('a' as Wide, file), fputws(wide("b").as_ptr(), file));
        println!("bytes: close {}", libc::fclose(file));
        let file = open(path, None, c"r");
        println!("bytes: {} {}", fwide(file, -1), fwide(file, 1));
        println!("bytes: {:x} {:x}", fgetwc(file), ungetwc(97, file));
        libc::fclose(file);
    }
}

fn times() {
    // SAFETY: a struct of numbers, wide strings, and places with their room.
    unsafe {
        let mut fields: libc::tm = std::mem::zeroed();
        (fields.tm_year, fields.tm_mon, fields.tm_mday) = (124, 1, 29);
        (fields.tm_hour, fields.tm_min, fields.tm_sec, fields.tm_wday, fields.tm_yday) = (13, 4, 5, 4, 59);
        let locale: *mut c_void = libc::newlocale(libc::LC_ALL_MASK, c"C.UTF-8".as_ptr(), null_mut()).cast();
        for format in ["%Y-%m-%d", "%A %B \u{e4}\u{20ac} %H:%M", "", "%c", "%%%n%j"] {
            let format = wide(format);
            for room in [0, 1, 5, 60] {
                let mut to: [[Wide; 60]; 3] = [[0; 60]; 3];
                let [a, b, c] = &mut to;
                let lens = [
                    wcsftime(a.as_mut_ptr(), room, format.as_ptr(), &fields),
                    wcsftime_l(b.as_mut_ptr(), room, format.as_ptr(), &fields, locale),
                    __wcsftime_l(c.as_mut_ptr(), room, format.as_ptr(), &fields, locale),
                ];
                let shown = to.map(|text| {
                    text.iter().take(lens[0]).filter_map(|&wide| char::from_u32(wide as u32)).collect::<String>()
                });
                println!("times: {format:x?} {room} {lens:?} {shown:?}");
            }
        }
    }
}

fn main() {
    let path = std::env::temp_dir().join(format!("wideio-{}", std::process::id()));
    let path = CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
    for name in [c"C", c"C.UTF-8"] {
        // SAFETY: a C string.
        println!("locale: {}", !unsafe { libc::setlocale(libc::LC_ALL, name.as_ptr() as *const c_char) }.is_null());
        reading(&path);
        writing(&path);
    }
    times();
    std::fs::remove_file(path.to_str().expect("UTF-8")).expect("it is ours");
    // SAFETY: a character for standard output, which nothing else was written to through C.
    unsafe {
        println!("out: {:x}", putwchar(0x20ac));
        libc::fflush(null_mut());
    }
}
