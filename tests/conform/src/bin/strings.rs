//! Strings, memory and characters: every search, comparison and copy on random texts over few letters, so that they meet often.

use conform::{Group, Random};
use libc::*;
use std::ffi::CStr;
use std::hint::black_box;
use std::ptr::null_mut;

unsafe extern "C" {
    fn strchrnul(text: *const c_char, letter: c_int) -> *mut c_char;
    fn strverscmp(one: *const c_char, other: *const c_char) -> c_int;
    fn strsep(text: *mut *mut c_char, among: *const c_char) -> *mut c_char;
    fn stpncpy(to: *mut c_char, from: *const c_char, most: size_t) -> *mut c_char;
    fn rawmemchr(from: *const c_void, byte: c_int) -> *mut c_void;
    fn mempcpy(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void;
    fn index(text: *const c_char, letter: c_int) -> *mut c_char;
    fn rindex(text: *const c_char, letter: c_int) -> *mut c_char;
    fn isascii(letter: c_int) -> c_int;
    fn toascii(letter: c_int) -> c_int;
    fn bzero(to: *mut c_void, len: size_t);
    fn bcopy(from: *const c_void, to: *mut c_void, len: size_t);
    fn __mempcpy(to: *mut c_void, from: *const c_void, len: size_t) -> *mut c_void;
    fn __rawmemchr(from: *const c_void, byte: c_int) -> *mut c_void;
    fn __stpcpy(to: *mut c_char, from: *const c_char) -> *mut c_char;
    fn __strdup(text: *const c_char) -> *mut c_char;
    fn __strndup(text: *const c_char, most: size_t) -> *mut c_char;
    fn __strtok_r(text: *mut c_char, among: *const c_char, rest: *mut *mut c_char) -> *mut c_char;
    fn __ctype_b_loc() -> *const *const u16;
    fn __ctype_tolower_loc() -> *const *const i32;
    fn __ctype_toupper_loc() -> *const *const i32;
    fn __strcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char;
    fn __stpcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char;
    fn __xpg_basename(path: *mut c_char) -> *mut c_char;
    fn dirname(path: *mut c_char) -> *mut c_char;
}

/// A text of up to 11 letters with its final 0, behind which the buffer is full of dots.
fn text(random: &mut Random, letters: &[u8]) -> [u8; 32] {
    let mut out = [b'.'; 32];
    let count = random.below(12) as usize;
    out[..count].fill_with(|| *random.pick(letters));
    out[count] = 0;
    black_box(out)
}

/// How far into `from` a pointer is, or -1 where it is null.
fn at<T, U>(from: *const T, found: *const U) -> isize {
    if found.is_null() { -1 } else { found as isize - from as isize }
}

/// The bytes of a C string, for showing.
fn show(text: *const c_char) -> String {
    if text.is_null() {
        return "(null)".into();
    }
    // SAFETY: a C string that the library gave.
    unsafe { CStr::from_ptr(text) }.to_bytes().escape_ascii().to_string()
}

fn comparisons(random: &mut Random) {
    type Compare = unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
    type Bounded = unsafe extern "C" fn(*const c_char, *const c_char, size_t) -> c_int;
    let whole: [(&'static str, Compare); 3] =
        [("strcmp", strcmp), ("strcasecmp", strcasecmp), ("strverscmp", strverscmp)];
    let some: [(&'static str, Bounded); 2] = [("strncmp", strncmp), ("strncasecmp", strncasecmp)];
    for (name, call) in whole {
        let mut group = Group::new(name);
        for _ in 0..4000 {
            let (a, b) = (text(random, b"aAbB01.\xe4"), text(random, b"aAbB01.\xe4"));
            // SAFETY: both end in 0.
            let order = unsafe { call(a.as_ptr().cast(), b.as_ptr().cast()) }.signum();
            group.add(format_args!("{} {} {order}", show(a.as_ptr().cast()), show(b.as_ptr().cast())));
        }
        group.end();
    }
    for (name, call) in some {
        let mut group = Group::new(name);
        for _ in 0..4000 {
            let (a, b, most) = (text(random, b"aA\xe4"), text(random, b"aA\xe4"), random.below(14) as usize);
            // SAFETY: both end in 0.
            let order = unsafe { call(a.as_ptr().cast(), b.as_ptr().cast(), most) }.signum();
            group.add(format_args!("{} {} {most} {order}", show(a.as_ptr().cast()), show(b.as_ptr().cast())));
        }
        group.end();
    }
    for (a, b) in [
        (c"000", c"00"),
        (c"00", c"01"),
        (c"01", c"010"),
        (c"010", c"09"),
        (c"09", c"0"),
        (c"0", c"1"),
        (c"9", c"10"),
        (c"a9", c"a10"),
    ] {
        // SAFETY: both end in 0.
        println!("strverscmp {a:?} {b:?}: {}", unsafe { strverscmp(a.as_ptr(), b.as_ptr()) }.signum());
    }
}

fn searches(random: &mut Random) {
    type Letter = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_char;
    type Among = unsafe extern "C" fn(*const c_char, *const c_char) -> size_t;
    type Inner = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_char;
    let letters: [(&'static str, Letter); 5] =
        [("strchr", strchr), ("strrchr", strrchr), ("strchrnul", strchrnul), ("index", index), ("rindex", rindex)];
    let among: [(&'static str, Among); 2] = [("strspn", strspn), ("strcspn", strcspn)];
    let inner: [(&'static str, Inner); 3] = [("strstr", strstr), ("strcasestr", strcasestr), ("strpbrk", strpbrk)];
    for (name, call) in letters {
        let mut group = Group::new(name);
        for _ in 0..3000 {
            let (a, letter) = (text(random, b"abc\xff"), *random.pick(&[0, 97, 98, 100, 255, -1, 353]));
            // SAFETY: the text ends in 0.
            let found = unsafe { call(a.as_ptr().cast(), letter) };
            group.add(format_args!("{} {letter} {}", show(a.as_ptr().cast()), at(a.as_ptr(), found)));
        }
        group.end();
    }
    for (name, call) in among {
        let mut group = Group::new(name);
        for _ in 0..3000 {
            let (a, b) = (text(random, b"abc\xff"), text(random, b"abz\xff"));
            // SAFETY: both end in 0.
            let count = unsafe { call(a.as_ptr().cast(), b.as_ptr().cast()) };
            group.add(format_args!("{} {} {count}", show(a.as_ptr().cast()), show(b.as_ptr().cast())));
        }
        group.end();
    }
    for (name, call) in inner {
        let mut group = Group::new(name);
        for _ in 0..4000 {
            let (a, mut b) = (text(random, b"abAB"), text(random, b"abA"));
            b[random.below(4) as usize] = 0;
            // SAFETY: both end in 0.
            let found = unsafe { call(a.as_ptr().cast(), b.as_ptr().cast()) };
            group.add(format_args!(
                "{} {} {}",
                show(a.as_ptr().cast()),
                show(b.as_ptr().cast()),
                at(a.as_ptr(), found)
            ));
        }
        group.end();
    }
    let mut group = Group::new("memory");
    for _ in 0..4000 {
        let (a, b) = (text(random, b"abc"), text(random, b"ab"));
        let (count, part) = (random.below(32) as usize, random.below(4) as usize);
        let letter = *random.pick(&[0, 97, 98, 256 + 97, 46]);
        let from: *const c_void = a.as_ptr().cast();
        // SAFETY: lengths lie within the buffers; every buffer has a 0, and a dot behind it.
        unsafe {
            let results = [
                at(from, memchr(from, letter, count)),
                at(from, memrchr(from, letter, count)),
                at(from, memmem(from, count, b.as_ptr().cast(), part)),
                at(from, rawmemchr(from, 0)),
                at(from, __rawmemchr(from, 46)),
                strnlen(from.cast(), count) as isize,
            ];
            group.add(format_args!("{} {count} {letter} {results:?}", a.escape_ascii()));
        }
    }
    group.end();
}

fn copies(random: &mut Random) {
    let mut group = Group::new("copies");
    for _ in 0..4000 {
        let (a, b, most) = (text(random, b"abc"), text(random, b"de"), random.below(14) as usize);
        let (from, other): (*const c_char, *const c_char) = (a.as_ptr().cast(), b.as_ptr().cast());
        let mut out = [b'-'; 64];
        let to: *mut c_char = out.as_mut_ptr().cast();
        // SAFETY: 64 bytes hold every result; the texts end in 0.
        let end = unsafe {
            match random.below(14) {
                0 => strcpy(to, from),
                1 => stpcpy(to, from),
                2 => strncpy(to, from, most),
                3 => stpncpy(to, from, most),
                4 => strcat(strcpy(to, from), other),
                5 => strncat(strcpy(to, from), other, most),
                6 => mempcpy(to.cast(), from.cast(), most).cast(),
                7 => __mempcpy(to.cast(), from.cast(), most).cast(),
                8 => __stpcpy(to, from),
                9 => __strcpy_chk(to, from, 64),
                10 => __stpcpy_chk(to, from, 64),
                11 => {
                    bzero(to.cast(), most);
                    to
                }
                12 => {
                    explicit_bzero(to.cast(), most);
                    to
                }
                _ => {
                    bcopy(from.cast(), to.cast(), 20);
                    bcopy(to.cast(), to.add(most).cast(), 20);
                    to
                }
            }
        };
        group.add(format_args!("{} {} {most}: {} {}", show(from), show(other), at(to, end), out.escape_ascii()));
    }
    group.end();
    let mut group = Group::new("duplicates");
    for _ in 0..500 {
        let (a, most) = (text(random, b"abc"), random.below(14) as usize);
        let from: *const c_char = a.as_ptr().cast();
        // SAFETY: the texts end in 0; what is given is freed once.
        unsafe {
            for copy in [strdup(from), strndup(from, most), __strdup(from), __strndup(from, most)] {
                group.add(format_args!("{} {most} {}", show(from), show(copy)));
                free(copy.cast());
            }
        }
    }
    group.end();
}

fn pieces(random: &mut Random) {
    let mut group = Group::new("pieces");
    for round in 0..3000 {
        let (mut a, b) = (text(random, b"a,;"), text(random, b",;"));
        let (from, among): (*mut c_char, *const c_char) = (a.as_mut_ptr().cast(), b.as_ptr().cast());
        let mut rest = null_mut();
        let mut whole = from;
        // SAFETY: the texts end in 0 and stay while they are cut.
        unsafe {
            let mut next = match round % 4 {
                0 => strtok(from, among),
                1 => strtok_r(from, among, &mut rest),
                2 => __strtok_r(from, among, &mut rest),
                _ => strsep(&mut whole, among),
            };
            while !next.is_null() {
                group.add(format_args!("{} {}", at(from, next), show(next)));
                next = match round % 4 {
                    0 => strtok(null_mut(), among),
                    1 => strtok_r(null_mut(), among, &mut rest),
                    2 => __strtok_r(null_mut(), among, &mut rest),
                    _ => strsep(&mut whole, among),
                };
            }
        }
    }
    group.end();
}

fn letters() {
    type Kind = unsafe extern "C" fn(c_int) -> c_int;
    let kinds: [(&str, Kind); 15] = [
        ("isalnum", isalnum),
        ("isalpha", isalpha),
        ("isblank", isblank),
        ("iscntrl", iscntrl),
        ("isdigit", isdigit),
        ("isgraph", isgraph),
        ("islower", islower),
        ("isprint", isprint),
        ("ispunct", ispunct),
        ("isspace", isspace),
        ("isupper", isupper),
        ("isxdigit", isxdigit),
        ("isascii", isascii),
        ("tolower", tolower),
        ("toupper", toupper),
    ];
    for (name, call) in kinds {
        let call = black_box(call);
        print!("{name}:");
        for letter in -1..256 {
            // SAFETY: the letters that these functions are for.
            let result = unsafe { call(letter) };
            let shown = if name.starts_with("is") { letter } else { result };
            if result != 0 && (name.starts_with("is") || result != letter) {
                print!(" {shown}");
            }
        }
        println!();
    }
    let mut group = Group::new("tables");
    // SAFETY: the tables reach from -128 to 255.
    unsafe {
        for letter in -128..256 {
            let (bits, low, high) = (*__ctype_b_loc(), *__ctype_tolower_loc(), *__ctype_toupper_loc());
            let (bits, low, high) = (*bits.offset(letter), *low.offset(letter), *high.offset(letter));
            group.add(format_args!("{letter} {bits:04x} {low} {high} {}", toascii(letter as c_int)));
        }
    }
    group.end();
}

fn names() {
    for number in -1..=66 {
        // SAFETY: the answer is a text that stays until the next call.
        println!("strsignal {number}: {}", show(unsafe { strsignal(black_box(number)) }));
    }
    for number in [-1, 0, 1, 2, 11, 22, 41, 58, 133, 134, 4000] {
        // SAFETY: the answer is a text that stays until the next call.
        println!("strerror {number}: {}", show(unsafe { strerror(black_box(number)) }));
    }
    for path in
        ["", "/", "//", "///", "a", "a/", "/a", "/a/", "a/b", "a//b//", "/a/b/", "//a", ".", "..", "../a", "/a//"]
    {
        let mut one = format!("{path}\0").into_bytes();
        let mut other = one.clone();
        // SAFETY: both end in 0 and may be written.
        unsafe {
            let (base, dir) = (__xpg_basename(one.as_mut_ptr().cast()), dirname(other.as_mut_ptr().cast()));
            println!("{path:?}: {} in {}", show(base), show(dir));
        }
        // SAFETY: both arguments may be null.
        if path.is_empty() {
            unsafe { println!("null: {} in {}", show(__xpg_basename(null_mut())), show(dirname(null_mut()))) };
        }
    }
}

fn patterns(random: &mut Random) {
    let flags = [0, FNM_PATHNAME, FNM_PERIOD, FNM_NOESCAPE, FNM_CASEFOLD, FNM_PATHNAME | FNM_PERIOD, 1 << 3];
    let mut group = Group::new("fnmatch");
    for _ in 0..20000 {
        let (pattern, name, flags) = (text(random, b"aab*?[]!-/.\\A"), text(random, b"aabA/.-"), *random.pick(&flags));
        // Collating symbols, `[.x.]`, are not among what relibc's fnmatch knows.
        if pattern.windows(2).any(|two| two == b"[.") {
            continue;
        }
        // SAFETY: both end in 0.
        let result = unsafe { fnmatch(pattern.as_ptr().cast(), name.as_ptr().cast(), flags) };
        group.add(format_args!("{} {} {flags} {result}", show(pattern.as_ptr().cast()), show(name.as_ptr().cast())));
    }
    group.end();
    for (pattern, name) in [
        (c"[[:alpha:]]*", c"x1"),
        (c"[[:digit:]]", c"x"),
        (c"[!a-c]", c"d"),
        (c"[]]", c"]"),
        (c"*.c", c".c"),
        (c"\\*", c"*"),
        (c"[a", c"[a"),
    ] {
        for flags in flags {
            // SAFETY: both end in 0.
            println!("fnmatch {pattern:?} {name:?} {flags}: {}", unsafe {
                fnmatch(pattern.as_ptr(), name.as_ptr(), flags)
            });
        }
    }
}

fn main() {
    let mut random = Random::new(0x5172);
    comparisons(&mut random);
    searches(&mut random);
    copies(&mut random);
    pieces(&mut random);
    letters();
    names();
    patterns(&mut random);
}
