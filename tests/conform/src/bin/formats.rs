//! What formats say of their arguments (printf.h), formats that depend on the locale, orientation, and streams opened again.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn parse_printf_format(format: *const c_char, most: usize, types: *mut c_int) -> usize;
    fn strtod_l(text: *const c_char, end: *mut *mut c_char, locale: libc::locale_t) -> f64;
    fn __strtod_l(text: *const c_char, end: *mut *mut c_char, locale: libc::locale_t) -> f64;
    fn strtof_l(text: *const c_char, end: *mut *mut c_char, locale: libc::locale_t) -> f32;
    fn __strtof_l(text: *const c_char, end: *mut *mut c_char, locale: libc::locale_t) -> f32;
    fn fwide(file: *mut libc::FILE, mode: c_int) -> c_int;
    fn fputwc(wide: libc::wchar_t, file: *mut libc::FILE) -> u32;
    fn fputws(text: *const libc::wchar_t, file: *mut libc::FILE) -> c_int;
    fn fgetwc(file: *mut libc::FILE) -> u32;
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

unsafe fn clear() {
    unsafe { *libc::__errno_location() = 0 };
}

/// The types that a format takes, as it says.
unsafe fn types(format: &CStr) -> String {
    unsafe {
        let mut types = [-7; 12];
        let count = parse_printf_format(format.as_ptr(), types.len(), types.as_mut_ptr());
        let few = parse_printf_format(format.as_ptr(), 0, null_mut());
        // Of arguments that nothing names glibc tells nothing.
        format!("{count} {few} {types:?}")
    }
}

unsafe fn described() {
    unsafe {
        for conversion in "diouxXbBcCsSpnaAeEfFgG%mykD".chars() {
            for length in ["", "h", "hh", "l", "ll", "L", "q", "j", "z", "t", "Z"] {
                let format = CString::new(format!("<%{length}{conversion}>")).unwrap();
                println!("{:?} {}", format, types(&format));
            }
        }
        for format in [
            c"",
            c"none",
            c"%%",
            c"%d %s %f",
            c"%*.*f%d",
            c"%2$s %1$d",
            c"%3$*1$.*2$d",
            c"%1$s%1$d",
            c"%-+ #0'I12.34lld",
            c"%5$d",
            c"%.*d",
            c"%.d",
            c"%*d%*d%*s",
            c"a%db%lc%ls%",
            c"%12d%%%s",
        ] {
            println!("{:?} {}", format, types(format));
        }
        let mut random = Random::new(36);
        let mut group = Group::new("random formats");
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..random.below(5) {
                text += *random.pick::<&str>(&["", "text", "%%", " "]);
                text += "%";
                text += *random.pick::<&str>(&["", "", "1$", "2$", "4$"]);
                text += *random.pick::<&str>(&["", "-", "0", "+ ", "#'"]);
                text += *random.pick::<&str>(&["", "7", "*", "*3$", ""]);
                text += *random.pick::<&str>(&["", ".", ".4", ".*", ".*1$"]);
                text += *random.pick::<&str>(&["", "h", "hh", "l", "ll", "L", "j"]);
                text +=
                    *random.pick::<&str>(&["d", "i", "o", "u", "x", "c", "s", "p", "n", "f", "g", "a", "E", "m", "b"]);
            }
            let format = CString::new(text).unwrap();
            group.add(format_args!("{format:?} {}", types(&format)));
        }
        group.end();
    }
}

unsafe fn printed(format: &CStr, argument: usize) {
    unsafe {
        let mut out = [0; 400];
        clear();
        let count = libc::snprintf(out.as_mut_ptr(), out.len(), format.as_ptr(), argument);
        let shown = if count < 0 { "".into() } else { CStr::from_ptr(out.as_ptr()).to_string_lossy() };
        println!("{format:?} {argument:#x}: {count} errno {} {shown:?}", if count < 0 { errno() } else { 0 });
    }
}

unsafe fn binary() {
    unsafe {
        for format in [
            c"%b", c"%#b", c"%B", c"%#B", c"%20b", c"%-20b|", c"%#020b", c"%.12b", c"%#.12b", c"%hhb", c"%hb", c"%lb",
            c"%+b",
        ] {
            for value in [0, 1, 5, 0xabcd, usize::MAX] {
                printed(format, value);
            }
        }
        for value in [0usize, 1234, 12_345_678, usize::MAX] {
            for format in [c"%'d", c"%'lu", c"%'20ld", c"%'020ld"] {
                printed(format, value);
            }
        }
    }
}

unsafe fn scanned(format: &CStr, text: &CStr) {
    unsafe {
        let mut wide = [0x7e7e_7e7e_u32; 12];
        clear();
        let done = libc::sscanf(text.as_ptr(), format.as_ptr(), wide.as_mut_ptr());
        let number = if done <= 0 { errno() } else { 0 };
        let shown = if done > 0 { &wide[..] } else { &[] };
        println!("{format:?} {text:?}: {done} errno {number} {shown:x?}");
    }
}

unsafe fn wide_arguments() {
    unsafe {
        for locale in [c"C", c"C.UTF-8"] {
            println!("{locale:?} {}", !libc::setlocale(libc::LC_ALL, locale.as_ptr()).is_null());
            for wide in
                [0usize, 0x41, 0x7f, 0x80, 0xe9, 0xff, 0x20ac, 0xd800, 0x1f600, 0x10_ffff, 0x11_0000, 0x7fff_ffff]
            {
                printed(c"%lc", wide);
                printed(c"%C|", wide);
                printed(c"%5lc|", wide);
            }
            let plain: Vec<u32> = "plain".chars().map(u32::from).chain([0]).collect();
            let mixed: Vec<u32> = "aé€😀z".chars().map(u32::from).chain([0]).collect();
            let wrong = [0x61, 0x62, 0xd8_0000, 0x63, 0];
            for list in [&plain[..], &mixed, &wrong] {
                for format in [
                    c"%ls", c"%S|", c"%10ls|", c"%-10ls|", c"%.0ls|", c"%.1ls|", c"%.2ls|", c"%.3ls|", c"%.5ls|",
                    c"%.9ls|",
                ] {
                    let mut out = [0; 100];
                    clear();
                    let count = libc::snprintf(out.as_mut_ptr(), out.len(), format.as_ptr(), list.as_ptr());
                    let shown = if count < 0 { "".into() } else { CStr::from_ptr(out.as_ptr()).to_string_lossy() };
                    println!("{format:?} {list:x?}: {count} errno {} {shown:?}", if count < 0 { errno() } else { 0 });
                }
            }
            for text in [
                c"word next",
                c"\xc3\xa9t\xc3\xa9 x",
                c"a\xe2\x82\xac",
                c"\xff",
                c"ab\xc3",
                c"a\x80b",
                c"",
                c"  \xf0\x9f\x98\x80!",
            ] {
                for format in [c"%ls", c"%3ls", c"%lc", c"%2lc", c"%l[^x]", c"%S", c"%C"] {
                    // glibc leaves holes in sets of what is no character.
                    if format == c"%l[^x]" && (locale == c"C" && !text.to_bytes().is_ascii() || text.to_str().is_err())
                    {
                        continue;
                    }
                    scanned(format, text);
                }
            }
        }
        libc::setlocale(libc::LC_ALL, c"C".as_ptr());
    }
}

unsafe fn numbers() {
    unsafe {
        let locale = libc::newlocale(libc::LC_ALL_MASK, c"C".as_ptr(), null_mut());
        for text in [c"1.5e3x", c"  -0x1p-3", c"nan", c"1e999", c"1e-400", c"", c"-inf", c".", c"0x"] {
            let mut end: *mut c_char = null_mut();
            clear();
            let doubles =
                [strtod_l(text.as_ptr(), &raw mut end, locale), __strtod_l(text.as_ptr(), &raw mut end, locale)];
            let (len, number) = (end.cast_const().offset_from(text.as_ptr()), errno());
            clear();
            let floats =
                [strtof_l(text.as_ptr(), &raw mut end, locale), __strtof_l(text.as_ptr(), &raw mut end, locale)];
            println!(
                "{text:?}: {doubles:?} {len} {number} {floats:?} {} {}",
                end.cast_const().offset_from(text.as_ptr()),
                errno()
            );
        }
        libc::freelocale(locale);
    }
}

/// Streams that are of one kind and are used as the other, and opened again.
unsafe fn streams() {
    unsafe {
        let path = CString::new(format!("{}/formats-{}", std::env::temp_dir().display(), std::process::id())).unwrap();
        let file = libc::fopen(path.as_ptr(), c"w+".as_ptr());
        println!("{}", fwide(file, 0));
        println!("{} {}", fputwc(0x61, file), fwide(file, 0));
        println!("narrow on wide: {} {}", libc::fputs(c"no".as_ptr(), file), libc::fprintf(file, c"no".as_ptr()));
        println!("{}", libc::fwrite(c"no".as_ptr().cast(), 1, 2, file));
        println!("{} {}", fwide(file, -1), libc::ferror(file));
        let again = libc::freopen(path.as_ptr(), c"r+".as_ptr(), file);
        println!("{} {}", again == file, fwide(file, 0));
        println!(
            "{} {} {}",
            libc::fputs(c"yes".as_ptr(), file),
            libc::fprintf(file, c"%d".as_ptr(), 5),
            fwide(file, 0)
        );
        println!("wide on narrow: {:#x} {} {}", fputwc(0x61, file), fputws([0x61, 0].as_ptr(), file), fwide(file, 1));
        libc::rewind(file);
        println!("{:#x} {}", fgetwc(file), libc::fgetc(file));
        clear();
        let same = libc::freopen(null(), c"r".as_ptr(), file);
        println!("no path: {} {}", same == file, errno());
        let mut line: [c_char; 20] = [0; 20];
        println!("{} {:?}", !libc::fgets(line.as_mut_ptr(), 20, file).is_null(), CStr::from_ptr(line.as_ptr()));
        println!("{}", libc::fputs(c"read only".as_ptr(), file));
        let number = libc::fileno(file);
        let kept = libc::freopen(path.as_ptr(), c"a".as_ptr(), file);
        println!("{} {}", libc::fileno(kept) == number, libc::fputs(c"!".as_ptr(), kept));
        clear();
        println!("{} {}", libc::freopen(c"/no/such".as_ptr(), c"r".as_ptr(), kept).is_null(), errno());
        println!("{} {}", libc::fcntl(number, libc::F_GETFD), errno());
        let file = libc::fopen(path.as_ptr(), c"r".as_ptr());
        let got = libc::fread(line.as_mut_ptr().cast::<c_void>(), 1, 19, file);
        line[got] = 0;
        println!("{got} {:?}", CStr::from_ptr(line.as_ptr()));
        libc::fclose(file);
        libc::unlink(path.as_ptr());
    }
}

fn main() {
    // SAFETY: each function keeps to the contracts of what it calls.
    unsafe {
        described();
        binary();
        wide_arguments();
        numbers();
        streams();
    }
}
