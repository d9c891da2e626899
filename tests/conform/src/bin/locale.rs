//! Locales: names, the global one and objects, their texts and conventions, ordering, and functions of bytes with a locale.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

type Locale = *mut c_void;

unsafe extern "C" {
    fn newlocale(mask: c_int, name: *const c_char, base: Locale) -> Locale;
    fn duplocale(locale: Locale) -> Locale;
    fn freelocale(locale: Locale);
    fn uselocale(locale: Locale) -> Locale;
    fn __newlocale(mask: c_int, name: *const c_char, base: Locale) -> Locale;
    fn __duplocale(locale: Locale) -> Locale;
    fn __freelocale(locale: Locale);
    fn __uselocale(locale: Locale) -> Locale;
    fn nl_langinfo_l(item: c_int, locale: Locale) -> *mut c_char;
    fn __nl_langinfo_l(item: c_int, locale: Locale) -> *mut c_char;
    fn rpmatch(answer: *const c_char) -> c_int;
    fn strcoll_l(a: *const c_char, b: *const c_char, locale: Locale) -> c_int;
    fn __strcoll_l(a: *const c_char, b: *const c_char, locale: Locale) -> c_int;
    fn strxfrm_l(to: *mut c_char, from: *const c_char, room: usize, locale: Locale) -> usize;
    fn __strxfrm_l(to: *mut c_char, from: *const c_char, room: usize, locale: Locale) -> usize;
    fn strcasecmp_l(a: *const c_char, b: *const c_char, locale: Locale) -> c_int;
    fn __strcasecmp_l(a: *const c_char, b: *const c_char, locale: Locale) -> c_int;
    fn strncasecmp_l(a: *const c_char, b: *const c_char, most: usize, locale: Locale) -> c_int;
    fn __strncasecmp_l(a: *const c_char, b: *const c_char, most: usize, locale: Locale) -> c_int;
    fn __ctype_get_mb_cur_max() -> usize;
}

/// Declares functions of a byte and a locale, and lists them.
macro_rules! bytes {
    ($($name:ident)*) => {
        unsafe extern "C" {
            $(fn $name(byte: c_int, locale: Locale) -> c_int;)*
        }
        const BYTES: &[(&str, unsafe extern "C" fn(c_int, Locale) -> c_int)] = &[$((stringify!($name), $name)),*];
    };
}

bytes! {
    isalnum_l isalpha_l isblank_l iscntrl_l isdigit_l isgraph_l islower_l isprint_l ispunct_l isspace_l isupper_l isxdigit_l
    __isalnum_l __isalpha_l __isblank_l __iscntrl_l __isdigit_l __isgraph_l __islower_l __isprint_l __ispunct_l __isspace_l
    __isupper_l __isxdigit_l tolower_l toupper_l __tolower_l __toupper_l
}

const GLOBAL: Locale = std::ptr::without_provenance_mut(usize::MAX);
/// Numbers of the categories in LC_ALL's order of names.
const CATEGORIES: [c_int; 12] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12];

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn shown(text: *const c_char) -> String {
    // SAFETY: null, or a string of the library's.
    if text.is_null() { "none".into() } else { format!("{:?}", unsafe { CStr::from_ptr(text) }) }
}

fn set(category: c_int, name: &str) -> String {
    let name = CString::new(name).expect("no NUL");
    // SAFETY: a C string.
    shown(unsafe { libc::setlocale(category, name.as_ptr()) })
}

fn names() {
    println!("first: {}", shown(unsafe { libc::setlocale(libc::LC_ALL, null()) }));
    for name in [
        "C",
        "POSIX",
        "C.UTF-8",
        "C.utf8",
        "C.UTF8",
        "C.Utf-8",
        "c.utf-8",
        "POSIX.UTF-8",
        "C.ISO-8859-1",
        "C.",
        "C.UTF-8@x",
        "C@x",
        "C.UTF-8/",
        "/usr/lib/locale/C.utf8",
        "posix",
        "LC_CTYPE=C.UTF-8",
        "LC_CTYPE=C;LC_FOO=C",
        "en_US.UTF-8",
        "de_DE",
        "C.u-t-f-8",
        "C.utf_8",
        "C_X.UTF-8",
        "../C.utf8",
        ".UTF-8",
        "nonsense",
        "LC_CTYPE=C.UTF-8;LC_NUMERIC=C;LC_TIME=C;LC_COLLATE=C;LC_MONETARY=C;LC_MESSAGES=C;LC_PAPER=C;LC_NAME=C;LC_ADDRESS=C;LC_TELEPHONE=C;LC_MEASUREMENT=C;LC_IDENTIFICATION=C",
        "LC_CTYPE=C.UTF-8;LC_NUMERIC=C",
    ] {
        set(libc::LC_ALL, "C");
        println!("name {name}: {} {}", set(libc::LC_ALL, name), set(libc::LC_MESSAGES, name));
        // SAFETY: the answer is a string of the library's.
        println!("name {name}: {} longest {}", shown(unsafe { libc::setlocale(libc::LC_ALL, null()) }), unsafe {
            __ctype_get_mb_cur_max()
        });
    }
    set(libc::LC_ALL, "C");
    for category in [-1, 6, 13, 99] {
        println!("category {category}: {}", set(category, "C"));
    }
    for category in CATEGORIES {
        println!(
            "category {category}: {} {}",
            set(category, "C.UTF-8"),
            shown(unsafe { libc::setlocale(libc::LC_ALL, null()) })
        );
    }
}

fn environment() {
    let variables = ["LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LANG"];
    for values in [
        ["", "", "", ""],
        ["", "", "", "C.UTF-8"],
        ["", "C.UTF-8", "", ""],
        ["C", "C.UTF-8", "", "C.UTF-8"],
        ["POSIX", "", "", "C.UTF-8"],
        ["", "", "C", "C.UTF-8"],
        ["en_US.UTF-8", "", "", ""],
        ["", "xx", "", ""],
        ["", "", "", "xx"],
        ["C.UTF-8", "xx", "xx", "xx"],
    ] {
        for (name, value) in variables.iter().zip(values) {
            // SAFETY: no other thread runs.
            unsafe { if value.is_empty() { std::env::remove_var(name) } else { std::env::set_var(name, value) } };
        }
        set(libc::LC_ALL, "C");
        println!("environment {values:?}: {}", set(libc::LC_ALL, ""));
        println!("environment {values:?}: {} {}", set(libc::LC_CTYPE, ""), set(libc::LC_MESSAGES, ""));
    }
    for name in variables {
        // SAFETY: no other thread runs.
        unsafe { std::env::remove_var(name) };
    }
    set(libc::LC_ALL, "C");
}

/// The texts of a locale, but for numbers of one byte, of which the first byte counts.
fn texts(title: &str, locale: Locale) {
    let ranges = [
        (0, 14..=14),
        (0, 20..=29),
        (0, 41..=50),
        (1, 0..=2),
        (2, 0..=43),
        (2, 108..=108),
        (2, 110..=122),
        (2, 135..=146),
        (3, 18..=18),
        (4, 0..=6),
        (4, 15..=15),
        (4, 45..=45),
        (5, 0..=4),
        (7, 2..=2),
        (8, 0..=6),
        (9, 0..=5),
        (9, 12..=12),
        (10, 0..=4),
        (11, 1..=1),
        (12, 0..=15),
    ];
    for (category, range) in ranges {
        for index in range {
            let item = category << 16 | index;
            // SAFETY: items that are texts.
            unsafe {
                let texts = [libc::nl_langinfo(item), nl_langinfo_l(item, locale), __nl_langinfo_l(item, locale)];
                println!("{title}: {category} {index} {:?}", texts.map(|text| shown(text)));
            }
        }
    }
    for item in [(2, 101), (2, 103), (2, 104), (2, 105), (2, 106)]
        .into_iter()
        .chain((7..=14).chain(16..=21).chain(24..=37).map(|index| (4, index)))
    {
        // SAFETY: items that are bytes.
        println!("{title}: byte {item:?} {}", unsafe { *libc::nl_langinfo(item.0 << 16 | item.1) });
    }
    for item in [(0, 13), (0, 19), (1, 3), (1, 4), (2, 102), (4, 38), (4, 39), (7, 0), (7, 1)] {
        // SAFETY: items that are numbers.
        println!("{title}: number {item:?} {}", unsafe { libc::nl_langinfo(item.0 << 16 | item.1) }.addr() as u32);
    }
    for item in (52..=95).chain([109]).chain(123..=134).chain(147..=158) {
        // SAFETY: items that are wide texts.
        let text: String = unsafe {
            let start = libc::nl_langinfo(2 << 16 | item).cast::<u32>();
            (0..).map(|at| *start.add(at)).take_while(|&wide| wide != 0).filter_map(char::from_u32).collect()
        };
        println!("{title}: wide {item} {text:?}");
    }
    // SAFETY: the struct is the library's.
    unsafe {
        let conventions = &*libc::localeconv();
        println!(
            "{title}: {} {} {}",
            shown(conventions.decimal_point),
            shown(conventions.thousands_sep),
            shown(conventions.grouping)
        );
        println!("{title}: {} {}", shown(conventions.int_curr_symbol), shown(conventions.negative_sign));
        println!("{title}: {} {}", conventions.int_frac_digits, conventions.int_n_sign_posn);
    }
}

fn objects() {
    // SAFETY: C strings and locales as they were returned.
    unsafe {
        let first = uselocale(null_mut());
        println!("objects: global at first {}", first == GLOBAL);
        let utf8 = newlocale(libc::LC_ALL_MASK, c"C.UTF-8".as_ptr(), null_mut());
        let posix = __newlocale(libc::LC_ALL_MASK, c"C".as_ptr(), null_mut());
        println!("objects: made {} {}", !utf8.is_null(), !posix.is_null());
        for (mask, name) in [
            (libc::LC_ALL_MASK, c"xx_XX"),
            (1 << 20, c"C"),
            (libc::LC_CTYPE_MASK, c"/"),
            (libc::LC_CTYPE_MASK, c"LC_CTYPE=C.UTF-8;LC_TIME=C"),
            (libc::LC_CTYPE_MASK | libc::LC_TIME_MASK, c"LC_CTYPE=C.UTF-8"),
            (0, c"C"),
            (libc::LC_CTYPE_MASK, c"LC_FOO=C;LC_CTYPE=C"),
        ] {
            let made = newlocale(mask, name.as_ptr(), null_mut());
            println!("objects: {mask:x} {name:?} {} {}", !made.is_null(), if made.is_null() { errno() } else { 0 });
        }
        println!("objects: null name {} {}", newlocale(libc::LC_ALL_MASK, null(), null_mut()).is_null(), errno());
        println!("objects: use {} longest {}", uselocale(utf8) == GLOBAL, __ctype_get_mb_cur_max());
        println!("objects: setlocale {} longest {}", set(libc::LC_ALL, "C"), __ctype_get_mb_cur_max());
        println!("objects: codeset {}", shown(libc::nl_langinfo(libc::CODESET)));
        let other = std::thread::spawn(|| (uselocale(null_mut()) == GLOBAL, __ctype_get_mb_cur_max())).join();
        println!("objects: another thread {other:?}");
        println!("objects: back {} {}", __uselocale(GLOBAL) == utf8, uselocale(null_mut()) == GLOBAL);
        let copy = duplocale(utf8);
        let mixed = newlocale(libc::LC_CTYPE_MASK, c"C".as_ptr(), copy);
        println!(
            "objects: mixed {} {}",
            shown(nl_langinfo_l(libc::CODESET, mixed)),
            shown(nl_langinfo_l(12 << 16, mixed))
        );
        for category in CATEGORIES {
            println!("objects: name {category} {}", shown(nl_langinfo_l(category << 16 | 0xffff, mixed)));
        }
        set(libc::LC_ALL, "C.UTF-8");
        let global = __duplocale(GLOBAL);
        println!("objects: global's copy {}", shown(nl_langinfo_l(libc::CODESET, global)));
        set(libc::LC_ALL, "C");
        // The tables that the C++ library reads.
        for locale in [utf8, posix, global] {
            let tables = locale.cast::<*const c_void>();
            let classes = tables.add(13).read().cast::<u16>();
            let (lower, upper) = (tables.add(14).read().cast::<i32>(), tables.add(15).read().cast::<i32>());
            let sum = (-128..256)
                .map(|at| *classes.offset(at) as i64 * 3 + *lower.offset(at) as i64 * 5 + *upper.offset(at) as i64 * 7);
            println!("objects: tables {}", sum.fold(0i64, |all, one| all.wrapping_mul(31).wrapping_add(one)));
        }
        texts("C", posix);
        for (name, function) in BYTES {
            for locale in [posix, utf8] {
                let is_case = name.contains("to");
                let results = (-128..256).filter(|byte| !is_case || *byte >= 0).map(|byte| {
                    let result = function(byte, locale);
                    i64::from(if is_case { result } else { i32::from(result != 0) })
                });
                println!("objects: {name} {}", results.fold(0i64, |all, one| all.wrapping_mul(31).wrapping_add(one)));
            }
        }
        for (a, b) in [(c"a", c"B"), (c"a", c"a"), (c"\xc3\xa4", c"z"), (c"", c"x"), (c"Ab", c"aB")] {
            let (p, q) = (a.as_ptr(), b.as_ptr());
            let orders = [
                libc::strcoll(p, q),
                strcoll_l(p, q, utf8),
                __strcoll_l(p, q, utf8),
                strcasecmp_l(p, q, utf8),
                __strcasecmp_l(p, q, utf8),
                strncasecmp_l(p, q, 1, utf8),
                __strncasecmp_l(p, q, 1, utf8),
            ];
            println!("objects: order {a:?} {b:?} {:?}", orders.map(c_int::signum));
        }
        for room in 0..6 {
            let mut to = [[0x55 as c_char; 6]; 3];
            let [a, b, c] = &mut to;
            let text = c"abc".as_ptr();
            let lens = [
                libc::strxfrm(a.as_mut_ptr(), text, room),
                strxfrm_l(b.as_mut_ptr(), text, room, utf8),
                __strxfrm_l(c.as_mut_ptr(), text, room, utf8),
            ];
            println!("objects: xfrm {room} {lens:?} {to:?}");
        }
        for answer in [c"y", c"Yes", c"n", c"No", c"", c"maybe", c" y"] {
            println!("objects: answer {answer:?} {}", rpmatch(answer.as_ptr()));
        }
        set(libc::LC_ALL, "C.UTF-8");
        texts("C.UTF-8", utf8);
        for locale in [utf8, posix, mixed] {
            freelocale(locale);
        }
        __freelocale(global);
    }
}

fn main() {
    names();
    environment();
    objects();
}
