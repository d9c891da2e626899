//! scanf: chosen cases with everything they store, and random texts for random formats.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int};

unsafe extern "C" {
    fn __isoc99_sscanf(text: *const c_char, format: *const c_char, ...) -> c_int;
    fn sscanf(text: *const c_char, format: *const c_char, ...) -> c_int;
    fn __isoc99_fscanf(file: *mut libc::FILE, format: *const c_char, ...) -> c_int;
    fn fscanf(file: *mut libc::FILE, format: *const c_char, ...) -> c_int;
    fn fmemopen(at: *mut libc::c_void, len: usize, mode: *const c_char) -> *mut libc::FILE;
    fn strtold(text: *const c_char, end: *mut *mut c_char);
}

/// Places for what is stored, filled with a pattern so that what is not stored shows.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Places([[u8; 64]; 4]);

impl Places {
    fn new() -> Places {
        Places([[0xa5; 64]; 4])
    }

    fn shown(&self, bytes: usize) -> String {
        let one = |place: &[u8; 64]| place[..bytes].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// Reads with up to four places of 64 bytes.
fn read(text: &str, format: &str, bytes: usize) -> String {
    let mut places = Places::new();
    let (text, format) = (CString::new(text).expect("no NUL"), CString::new(format).expect("no NUL"));
    let [a, b, c, d] = &mut places.0;
    // SAFETY: the formats below store at most four values of at most 64 bytes.
    let count = unsafe {
        __isoc99_sscanf(text.as_ptr(), format.as_ptr(), a.as_mut_ptr(), b.as_mut_ptr(), c.as_mut_ptr(), d.as_mut_ptr())
    };
    format!("{count} {}", places.shown(bytes))
}

fn chosen() {
    for (text, format) in [
        ("12 -34 0x1f 077", "%d %d %x %o"),
        ("12 -34 0x1f 077", "%i %i %i %i"),
        ("0x 1", "%i %d"),
        ("0xg", "%x%c"),
        ("99999999999999999999", "%d"),
        ("99999999999999999999", "%ld"),
        ("-99999999999999999999", "%lu"),
        ("300 70000 -1", "%hhd %hd %hhu"),
        ("(nil) 0x10", "%p %p"),
        ("(nix)", "%p"),
        ("abc def", "%s %s"),
        ("abcdef", "%3s%s"),
        ("abc def", "%c%c%5c"),
        ("  x", "%c%n %c%n"),
        ("  x", " %c%n"),
        ("key=value;", "%[^=]=%[^;];%n"),
        ("a-z]b", "%[]a-]%s"),
        ("hello123", "%[a-z]%[0-9]"),
        ("hello", "%[0-9]"),
        ("", "%d"),
        ("", "%n"),
        ("   ", "%d"),
        ("x", "%d"),
        ("5", "%d%d"),
        ("5 x", "%d%d"),
        ("50%", "%d%%%n"),
        ("50 %", "%d%%%n"),
        ("1.5 -2e3 inf nan", "%f %f %f %f"),
        ("1.5 -2e3 infinity nan", "%lf %lf %lf %lf"),
        ("0x1.8p3 0x.4 0x 1", "%lf %lf %lf"),
        ("infinit", "%lf%c"),
        ("infix", "%lf%s"),
        ("nope", "%lf"),
        ("100ergs", "%lf%s"),
        ("1e+ 2", "%lf%c"),
        ("1e400 1e-400 4.9e-324 1e-320", "%lf %lf %lf %lf"),
        ("+ 1", "%lf"),
        ("- 1", "%d"),
        ("+5", "%u"),
        ("12345", "%2d%3d"),
        ("12345", "%0d"),
        ("-12345", "%1d%d"),
        ("1.25e10", "%3f%f"),
        ("1.25e10", "%5lf%lf"),
        ("a b c", "%*s %s"),
        ("1 2 3", "%*d %*d %d"),
        ("one two", "%2$s %1$s"),
        ("1,2", "%d,%d"),
        ("1 ,2", "%d,%d"),
        ("1 ,2", "%d ,%d"),
        ("zzz", "%y"),
        ("zzz", "%"),
        ("zzz", "%[abc"),
        ("12", "%jd"),
        ("12 13", "%zu %td"),
        ("0b11", "%i"),
        ("ab cd", "%ls"),
        ("abc", "%lc"),
        ("1e5", "%2f%s"),
        (".5 5. .", "%f %f %f"),
        ("0x1p", "%lf%n"),
        ("1'000", "%'d"),
        ("\u{b}\t\n 7", "%d"),
    ] {
        println!("{text:?} {format:?}: {}", read(text, format, 32));
    }
    for text in [
        "1.5",
        "-0.1",
        "1e4932",
        "1.2e4932",
        "3.6e-4951",
        "1e-4951",
        "1e-4960",
        "0x1.23456789abcdef01p5",
        "nan",
        "-inf",
    ] {
        println!("{text:?} %Lf: {}", read(text, "%Lf", 10));
    }
}

fn allocated() {
    let read = |text: &CStr, format: &CStr, old: bool| {
        let (mut one, mut two) = (std::ptr::dangling_mut::<c_char>(), std::ptr::dangling_mut::<c_char>());
        // SAFETY: each format allocates at most two strings.
        unsafe {
            let function = if old { sscanf } else { __isoc99_sscanf };
            let count = function(text.as_ptr(), format.as_ptr(), &raw mut one, &raw mut two);
            let shown = |at: *mut c_char| match at {
                at if at == std::ptr::dangling_mut() => "untouched".to_owned(),
                at if at.is_null() => "null".to_owned(),
                at => {
                    let text = format!("{:?}", CStr::from_ptr(at));
                    libc::free(at.cast());
                    text
                }
            };
            println!("{text:?} {format:?} {old}: {count} {} {}", shown(one), shown(two));
        }
    };
    read(c"some words", c"%ms %ms", false);
    read(c"some", c"%ms %ms", false);
    read(c"abc123", c"%m[a-z]%m[0-9]", false);
    read(c"abc", c"%m[0-9]", false);
    read(c"", c"%ms", false);
    read(c"some words", c"%as %as", true);
    read(c"abc123", c"%a[a-z]%a[0-9]", true);
    let long = CString::new("y".repeat(5000)).expect("no NUL");
    let mut at = std::ptr::null_mut::<c_char>();
    // SAFETY: one string is allocated.
    unsafe {
        println!("{} {}", __isoc99_sscanf(long.as_ptr(), c"%ms".as_ptr(), &raw mut at), libc::strlen(at));
        libc::free(at.cast());
    }
}

fn streams() {
    let mut text = *b"10 20 abc\n30x";
    // SAFETY: the stream reads the array, and the formats fit the places.
    unsafe {
        let file = fmemopen(text.as_mut_ptr().cast(), text.len(), c"r".as_ptr());
        let mut numbers = [0; 2];
        let [a, b] = &mut numbers;
        println!("{} ", fscanf(file, c"%d%d".as_ptr(), &raw mut *a, &raw mut *b));
        println!("{numbers:?}");
        println!("{}", __isoc99_fscanf(file, c"%d".as_ptr(), numbers.as_mut_ptr()));
        println!("next is {:?}", libc::fgetc(file));
        libc::fseek(file, 10, libc::SEEK_SET);
        println!("{} {numbers:?}", __isoc99_fscanf(file, c"%d".as_ptr(), numbers.as_mut_ptr()));
        println!("next is {:?} eof {}", libc::fgetc(file), libc::feof(file));
        println!("{} eof {}", __isoc99_fscanf(file, c"%d".as_ptr(), numbers.as_mut_ptr()), libc::feof(file));
        libc::fclose(file);
    }
}

fn random() {
    const PIECES: [&str; 24] = [
        "0", "1", "9", "5", "12", "e", "E", "+", "-", ".", "0x", "inf", "nan", " ", "p", "7f", "\n", "%", "abc", "z",
        "(", "i", "in", "x",
    ];
    const CONVERSIONS: [&str; 30] = [
        "%d", "%i", "%u", "%x", "%o", "%ld", "%hd", "%hhx", "%lld", "%f", "%lf", "%Lf", "%a", "%s", "%3s", "%c", "%2c",
        "%[0-9]", "%[^ ]", "%5d", "%2i", "%4lf", "%3f", "%n", "%*d", "%*s", "%p", " ", "x", "%%",
    ];
    let mut random = Random::new(7);
    let mut group = Group::new("sscanf");
    for _ in 0..1_000_000 {
        let text: String = (0..random.below(10)).map(|_| *random.pick(&PIECES)).collect();
        let format: String = (0..=random.below(3)).map(|_| *random.pick(&CONVERSIONS)).collect();
        group.add(format_args!("{text:?} {format:?} {}", read(&text, &format, 16)));
    }
    group.end();
}

/// strtold's value, by way of scanf, and where it ended.
fn long_doubles() {
    const PIECES: [&str; 16] =
        ["0", "1", "9", "5", "12", "e", "E", "+", "-", ".", "0x", "inf", "nan", "4930", "p", "7f"];
    let mut random = Random::new(8);
    let mut group = Group::new("strtold");
    for _ in 0..100_000 {
        let text = match random.below(3) {
            0 => (0..=random.below(12)).map(|_| *random.pick(&PIECES)).collect(),
            1 => format!("{}.{}e{}", random.next(), random.next(), random.below(9950) as i64 - 4990),
            _ => format!("0x{:x}.{:x}p{}", random.next(), random.next(), random.below(33000) as i64 - 16500),
        };
        let value = read(&text, "%Lf", 10);
        let text = CString::new(text).expect("no NUL");
        let mut end = std::ptr::null_mut();
        // SAFETY: a C string, a place for its end; the value left in st(0) is taken off again.
        let (used, errno) = unsafe {
            *libc::__errno_location() = 0;
            strtold(text.as_ptr(), &raw mut end);
            std::arch::asm!("fstp st(0)");
            (end.offset_from(text.as_ptr()), *libc::__errno_location())
        };
        group.add(format_args!("{text:?} {value} {used} {errno}"));
    }
    group.end();
}

fn main() {
    chosen();
    allocated();
    streams();
    random();
    long_doubles();
}
