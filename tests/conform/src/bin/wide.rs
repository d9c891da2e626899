//! Wide characters: their classes, cases and widths, all of them; bytes from and to them; strings of them; numbers from them.

use conform::{Group, Random};
use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::ptr::{null, null_mut};

type Wide = libc::wchar_t;

/// `mbstate_t`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct State(u32, u32);

impl std::fmt::Debug for State {
    /// Between characters glibc leaves in the second word what was there.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { write!(out, "initial") } else { write!(out, "{:x},{:x}", self.0, self.1) }
    }
}

unsafe extern "C" {
    fn wctype(name: *const c_char) -> c_ulong;
    fn wctrans(name: *const c_char) -> c_ulong;
    fn iswctype(wide: u32, class: c_ulong) -> c_int;
    fn towctrans(wide: u32, mapping: c_ulong) -> u32;
    fn iswctype_l(wide: u32, class: c_ulong, locale: *mut c_void) -> c_int;
    fn __iswctype_l(wide: u32, class: c_ulong, locale: *mut c_void) -> c_int;
    fn wctype_l(name: *const c_char, locale: *mut c_void) -> c_ulong;
    fn __wctype_l(name: *const c_char, locale: *mut c_void) -> c_ulong;
    fn wctrans_l(name: *const c_char, locale: *mut c_void) -> c_ulong;
    fn towctrans_l(wide: u32, mapping: c_ulong, locale: *mut c_void) -> u32;
    fn towupper(wide: u32) -> u32;
    fn towlower(wide: u32) -> u32;
    fn towupper_l(wide: u32, locale: *mut c_void) -> u32;
    fn towlower_l(wide: u32, locale: *mut c_void) -> u32;
    fn __towupper_l(wide: u32, locale: *mut c_void) -> u32;
    fn __towlower_l(wide: u32, locale: *mut c_void) -> u32;
    fn wcwidth(wide: Wide) -> c_int;
    fn wcswidth(text: *const Wide, most: usize) -> c_int;
    fn iswalnum(wide: u32) -> c_int;
    fn iswalpha(wide: u32) -> c_int;
    fn iswblank(wide: u32) -> c_int;
    fn iswcntrl(wide: u32) -> c_int;
    fn iswdigit(wide: u32) -> c_int;
    fn iswgraph(wide: u32) -> c_int;
    fn iswlower(wide: u32) -> c_int;
    fn iswprint(wide: u32) -> c_int;
    fn iswpunct(wide: u32) -> c_int;
    fn iswspace(wide: u32) -> c_int;
    fn iswupper(wide: u32) -> c_int;
    fn iswxdigit(wide: u32) -> c_int;
    fn iswalnum_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswalpha_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswblank_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswcntrl_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswdigit_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswgraph_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswlower_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswprint_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswpunct_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswspace_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswupper_l(wide: u32, locale: *mut c_void) -> c_int;
    fn iswxdigit_l(wide: u32, locale: *mut c_void) -> c_int;

    fn mbrtowc(to: *mut Wide, from: *const c_char, len: usize, state: *mut State) -> usize;
    fn mbrlen(from: *const c_char, len: usize, state: *mut State) -> usize;
    fn __mbrlen(from: *const c_char, len: usize, state: *mut State) -> usize;
    fn mbtowc(to: *mut Wide, from: *const c_char, len: usize) -> c_int;
    fn mblen(from: *const c_char, len: usize) -> c_int;
    fn wcrtomb(to: *mut c_char, wide: Wide, state: *mut State) -> usize;
    fn wctomb(to: *mut c_char, wide: Wide) -> c_int;
    fn btowc(byte: c_int) -> u32;
    fn wctob(wide: u32) -> c_int;
    fn mbsinit(state: *const State) -> c_int;
    fn __ctype_get_mb_cur_max() -> usize;
    fn mbsrtowcs(to: *mut Wide, from: *mut *const c_char, room: usize, state: *mut State) -> usize;
    fn mbsnrtowcs(to: *mut Wide, from: *mut *const c_char, most: usize, room: usize, state: *mut State) -> usize;
    fn mbstowcs(to: *mut Wide, from: *const c_char, room: usize) -> usize;
    fn wcsrtombs(to: *mut c_char, from: *mut *const Wide, room: usize, state: *mut State) -> usize;
    fn wcsnrtombs(to: *mut c_char, from: *mut *const Wide, most: usize, room: usize, state: *mut State) -> usize;
    fn wcstombs(to: *mut c_char, from: *const Wide, room: usize) -> usize;
    fn mbrtoc16(to: *mut u16, from: *const c_char, len: usize, state: *mut State) -> usize;
    fn c16rtomb(to: *mut c_char, unit: u16, state: *mut State) -> usize;
    fn mbrtoc32(to: *mut u32, from: *const c_char, len: usize, state: *mut State) -> usize;
    fn c32rtomb(to: *mut c_char, unit: u32, state: *mut State) -> usize;
    fn __mbstowcs_chk(to: *mut Wide, from: *const c_char, most: usize, room: usize) -> usize;
    fn __mbsrtowcs_chk(to: *mut Wide, from: *mut *const c_char, most: usize, state: *mut State, room: usize) -> usize;
    fn __mbsnrtowcs_chk(
        to: *mut Wide,
        from: *mut *const c_char,
        bytes: usize,
        most: usize,
        state: *mut State,
        room: usize,
    ) -> usize;
    fn __wcstombs_chk(to: *mut c_char, from: *const Wide, most: usize, room: usize) -> usize;
    fn __wcsrtombs_chk(to: *mut c_char, from: *mut *const Wide, most: usize, state: *mut State, room: usize) -> usize;
    fn __wcsnrtombs_chk(
        to: *mut c_char,
        from: *mut *const Wide,
        wides: usize,
        most: usize,
        state: *mut State,
        room: usize,
    ) -> usize;
    fn __wcrtomb_chk(to: *mut c_char, wide: Wide, state: *mut State, room: usize) -> usize;
    fn __wctomb_chk(to: *mut c_char, wide: Wide, room: usize) -> c_int;

    fn wcslen(text: *const Wide) -> usize;
    fn wcsnlen(text: *const Wide, most: usize) -> usize;
    fn wcscpy(to: *mut Wide, from: *const Wide) -> *mut Wide;
    fn wcpcpy(to: *mut Wide, from: *const Wide) -> *mut Wide;
    fn wcsncpy(to: *mut Wide, from: *const Wide, most: usize) -> *mut Wide;
    fn wcpncpy(to: *mut Wide, from: *const Wide, most: usize) -> *mut Wide;
    fn wcscat(to: *mut Wide, from: *const Wide) -> *mut Wide;
    fn wcsncat(to: *mut Wide, from: *const Wide, most: usize) -> *mut Wide;
    fn wcsdup(text: *const Wide) -> *mut Wide;
    fn wcscmp(a: *const Wide, b: *const Wide) -> c_int;
    fn wcsncmp(a: *const Wide, b: *const Wide, most: usize) -> c_int;
    fn wcscasecmp(a: *const Wide, b: *const Wide) -> c_int;
    fn wcsncasecmp(a: *const Wide, b: *const Wide, most: usize) -> c_int;
    fn wcscasecmp_l(a: *const Wide, b: *const Wide, locale: *mut c_void) -> c_int;
    fn wcsncasecmp_l(a: *const Wide, b: *const Wide, most: usize, locale: *mut c_void) -> c_int;
    fn wcschr(text: *const Wide, wide: Wide) -> *mut Wide;
    fn wcschrnul(text: *const Wide, wide: Wide) -> *mut Wide;
    fn wcsrchr(text: *const Wide, wide: Wide) -> *mut Wide;
    fn wcsspn(text: *const Wide, set: *const Wide) -> usize;
    fn wcscspn(text: *const Wide, set: *const Wide) -> usize;
    fn wcspbrk(text: *const Wide, set: *const Wide) -> *mut Wide;
    fn wcsstr(text: *const Wide, wanted: *const Wide) -> *mut Wide;
    fn wcswcs(text: *const Wide, wanted: *const Wide) -> *mut Wide;
    fn wcstok(text: *mut Wide, set: *const Wide, rest: *mut *mut Wide) -> *mut Wide;
    fn wmemchr(start: *const Wide, wide: Wide, len: usize) -> *mut Wide;
    fn wmemcmp(a: *const Wide, b: *const Wide, len: usize) -> c_int;
    fn wmemcpy(to: *mut Wide, from: *const Wide, len: usize) -> *mut Wide;
    fn wmempcpy(to: *mut Wide, from: *const Wide, len: usize) -> *mut Wide;
    fn wmemmove(to: *mut Wide, from: *const Wide, len: usize) -> *mut Wide;
    fn wmemset(to: *mut Wide, wide: Wide, len: usize) -> *mut Wide;
    fn __wmemcpy_chk(to: *mut Wide, from: *const Wide, len: usize, room: usize) -> *mut Wide;
    fn __wmempcpy_chk(to: *mut Wide, from: *const Wide, len: usize, room: usize) -> *mut Wide;
    fn __wmemmove_chk(to: *mut Wide, from: *const Wide, len: usize, room: usize) -> *mut Wide;
    fn __wmemset_chk(to: *mut Wide, wide: Wide, len: usize, room: usize) -> *mut Wide;
    fn __wcscpy_chk(to: *mut Wide, from: *const Wide, room: usize) -> *mut Wide;
    fn __wcpcpy_chk(to: *mut Wide, from: *const Wide, room: usize) -> *mut Wide;
    fn __wcsncpy_chk(to: *mut Wide, from: *const Wide, most: usize, room: usize) -> *mut Wide;
    fn __wcpncpy_chk(to: *mut Wide, from: *const Wide, most: usize, room: usize) -> *mut Wide;
    fn __wcscat_chk(to: *mut Wide, from: *const Wide, room: usize) -> *mut Wide;
    fn __wcsncat_chk(to: *mut Wide, from: *const Wide, most: usize, room: usize) -> *mut Wide;
    fn wcscoll(a: *const Wide, b: *const Wide) -> c_int;
    fn wcsxfrm(to: *mut Wide, from: *const Wide, room: usize) -> usize;
    fn wcscoll_l(a: *const Wide, b: *const Wide, locale: *mut c_void) -> c_int;
    fn wcsxfrm_l(to: *mut Wide, from: *const Wide, room: usize, locale: *mut c_void) -> usize;
    fn __wcscoll_l(a: *const Wide, b: *const Wide, locale: *mut c_void) -> c_int;
    fn __wcsxfrm_l(to: *mut Wide, from: *const Wide, room: usize, locale: *mut c_void) -> usize;
    fn wcstol(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_long;
    fn wcstoll(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_long;
    fn wcstoul(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_ulong;
    fn wcstoull(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_ulong;
    fn wcstoimax(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_long;
    fn wcstoumax(text: *const Wide, end: *mut *mut Wide, base: c_int) -> c_ulong;
    fn wcstod(text: *const Wide, end: *mut *mut Wide) -> f64;
    fn wcstof(text: *const Wide, end: *mut *mut Wide) -> f32;
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn clear() {
    // SAFETY: the calling thread's errno.
    unsafe { *libc::__errno_location() = 0 };
}

/// Chooses the locale of everything below.
fn choose(name: &CStr) -> *mut c_void {
    // SAFETY: C strings.
    unsafe {
        assert!(!libc::setlocale(libc::LC_ALL, name.as_ptr()).is_null());
        libc::newlocale(libc::LC_ALL_MASK, name.as_ptr(), null_mut()).cast()
    }
}

const CLASSES: [&CStr; 15] = [
    c"alnum",
    c"alpha",
    c"blank",
    c"cntrl",
    c"digit",
    c"graph",
    c"lower",
    c"print",
    c"punct",
    c"space",
    c"upper",
    c"xdigit",
    c"combining",
    c"combining_level3",
    c"nonsense",
];

/// Properties of every character.
fn characters(name: &'static str, locale: *mut c_void) {
    let mut group = Group::new(name);
    // SAFETY: numbers, C strings and a locale.
    unsafe {
        let classes = CLASSES.map(|class| wctype(class.as_ptr()));
        println!("{name}: classes {:?}", classes.map(|class| class != 0));
        println!(
            "{name}: the same {:?}",
            CLASSES.map(|class| wctype_l(class.as_ptr(), locale) == __wctype_l(class.as_ptr(), locale))
        );
        let mappings = [c"toupper", c"tolower", c"totitle", c"other"].map(|mapping| wctrans(mapping.as_ptr()));
        println!("{name}: mappings {:?}", mappings.map(|mapping| mapping != 0));
        let here = wctrans_l(c"toupper".as_ptr(), locale);
        for wide in (0..0x11_0100).chain([0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]) {
            let mut bits = 0;
            for class in classes {
                bits = bits << 1 | u32::from(class != 0 && iswctype(wide, class) != 0);
            }
            let more = [
                iswalnum(wide),
                iswalpha(wide),
                iswblank(wide),
                iswcntrl(wide),
                iswdigit(wide),
                iswgraph(wide),
                iswlower(wide),
                iswprint(wide),
                iswpunct(wide),
                iswspace(wide),
                iswupper(wide),
                iswxdigit(wide),
            ];
            let direct = more.iter().fold(0, |bits, &is| bits << 1 | u32::from(is != 0));
            let more = [
                iswalnum_l(wide, locale),
                iswalpha_l(wide, locale),
                iswblank_l(wide, locale),
                iswcntrl_l(wide, locale),
                iswdigit_l(wide, locale),
                iswgraph_l(wide, locale),
                iswlower_l(wide, locale),
                iswprint_l(wide, locale),
                iswpunct_l(wide, locale),
                iswspace_l(wide, locale),
                iswupper_l(wide, locale),
                iswxdigit_l(wide, locale),
                iswctype_l(wide, classes[1], locale),
                __iswctype_l(wide, classes[1], locale),
            ];
            let local = more.iter().fold(0, |bits, &is| bits << 1 | u32::from(is != 0));
            let cases = [
                towupper(wide),
                towlower(wide),
                towupper_l(wide, locale),
                towlower_l(wide, locale),
                __towupper_l(wide, locale),
                __towlower_l(wide, locale),
                towctrans(wide, mappings[0]),
                towctrans(wide, mappings[1]),
                towctrans_l(wide, here, locale),
                if mappings[2] == 0 { 0 } else { towctrans(wide, mappings[2]) },
            ];
            group.add(format_args!("{wide:x} {bits:b} {direct:b} {local:b} {cases:x?} {}", wcwidth(wide as Wide)));
        }
    }
    group.end();
}

/// Bytes that look more or less like characters in UTF-8.
fn bytes(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(10) {
            0 => bytes.push(random.next() as u8),
            1 => bytes.push(*random.pick(&[0x80, 0xbf, 0xc0, 0xc1, 0xe0, 0xed, 0xf4, 0xf5, 0xf8, 0xfc, 0xfe, 0xff])),
            2 => bytes.push(b'a' + random.below(26) as u8),
            _ => {
                let most = *random.pick(&[0x80, 0x800, 0x1_0000, 0x11_0000]);
                let character = char::from_u32(random.below(most) as u32).unwrap_or('x');
                let mut buffer = [0; 4];
                let text = character.encode_utf8(&mut buffer).as_bytes();
                let keep = if random.below(8) == 0 { 1 + random.below(text.len() as u64) as usize } else { text.len() };
                bytes.extend_from_slice(&text[..keep]);
            }
        }
    }
    bytes
}

/// Single characters, from bytes in pieces, and back.
fn singles(name: &'static str) {
    let mut random = Random::new(2);
    let mut group = Group::new(name);
    for _ in 0..100_000 {
        let bytes = bytes(&mut random);
        let mut state = State::default();
        let mut at = 0;
        let mut line = format!("{bytes:x?}");
        let from = |at: usize| bytes[at..].as_ptr().cast::<c_char>();
        while at < bytes.len() {
            let len = 1 + random.below((bytes.len() - at) as u64) as usize;
            let mut wide: Wide = -7;
            clear();
            // SAFETY: the bytes, and places for a character and a state.
            let (used, initial) = unsafe { (mbrtowc(&mut wide, from(at), len, &mut state), mbsinit(&state)) };
            line += &format!(" {} {wide:x} {state:?} {initial} {}", used as isize, if used > 9 { errno() } else { 0 });
            match used {
                0 => at += 1,
                usize::MAX => break,
                n if n == usize::MAX - 1 => at += len,
                used => at += used,
            }
        }
        if !bytes.is_empty() {
            let len = 1 + random.below(bytes.len() as u64) as usize;
            let mut wide: Wide = -7;
            let mut state = State::default();
            // SAFETY: as above; a null text makes the function's own state anew.
            unsafe {
                mbtowc(null_mut(), null(), 0);
                line += &format!(" | {} {wide:x}", mbtowc(&mut wide, from(0), len));
                mbtowc(null_mut(), null(), 0);
                line += &format!(" {} {}", mblen(from(0), len), mbrlen(from(0), len, &mut state) as isize);
                state = State::default();
                line += &format!(" {}", __mbrlen(from(0), len, &mut state) as isize);
                let (mut unit, mut state) = (7, State::default());
                line += &format!(" {} {unit:x}", mbrtoc32(&mut unit, from(0), len, &mut state) as isize);
                let (mut unit, mut state) = (7, State::default());
                let used = mbrtoc16(&mut unit, from(0), len, &mut state);
                line += &format!(" {} {unit:x}", used as isize);
                if used < 7 {
                    // Perhaps the other half.
                    let left = len - used.min(len);
                    line += &format!(" {} {unit:x}", mbrtoc16(&mut unit, from(used), left, &mut state) as isize);
                }
            }
        }
        group.add(format_args!("{line}"));
    }
    group.end();
}

/// Single characters to bytes.
fn written(name: &'static str) {
    let mut group = Group::new(name);
    for wide in (0..0x800).chain((0x800..0x12_0000).step_by(97)).chain([
        0xd7ff,
        0xd800,
        0xdfff,
        0xe000,
        0x7fff_ffff,
        -1,
        i32::MIN,
    ]) {
        let mut to = [[0x55u8; 8]; 6];
        let mut state = State::default();
        clear();
        // SAFETY: places of eight bytes each.
        let results = unsafe {
            let [a, b, c, d, e, f] = &mut to;
            [
                wcrtomb(a.as_mut_ptr().cast(), wide, &mut state) as isize,
                wctomb(b.as_mut_ptr().cast(), wide) as isize,
                c32rtomb(c.as_mut_ptr().cast(), wide as u32, &mut state) as isize,
                __wcrtomb_chk(d.as_mut_ptr().cast(), wide, &mut state, 8) as isize,
                __wctomb_chk(e.as_mut_ptr().cast(), wide, 8) as isize,
                c16rtomb(f.as_mut_ptr().cast(), wide as u16, &mut state) as isize,
                wctob(wide as u32) as isize,
            ]
        };
        let error = if results[0] < 0 { errno() } else { 0 };
        group.add(format_args!("{wide:x} {results:?} {error} {to:x?}"));
    }
    // SAFETY: null texts, numbers, and pairs of units.
    unsafe {
        let mut state = State::default();
        println!("{name}: longest {}", __ctype_get_mb_cur_max());
        println!(
            "{name}: null {} {} {}",
            wcrtomb(null_mut(), 0x20ac, &mut state),
            wctomb(null_mut(), 0x20ac),
            mblen(null(), 1)
        );
        println!("{name}: null {} {}", mbrtowc(null_mut(), null(), 1, &mut state), mbsinit(null()));
        println!("{name}: bytes {:?}", (-2..258).map(|byte| btowc(byte) as i32).collect::<Vec<_>>());
        let mut to = [0u8; 8];
        for pair in [[0xd83d, 0xde00], [0xd83d, 0x61], [0xdc00, 0x61], [0x61, 0xd83d], [0xd800, 0xdfff]] {
            let mut state = State::default();
            clear();
            let counts = pair.map(|unit| c16rtomb(to.as_mut_ptr().cast(), unit, &mut state) as isize);
            println!("{name}: pair {pair:x?} {counts:?} {to:x?} {}", if counts.contains(&-1) { errno() } else { 0 });
        }
    }
    group.end();
}

/// Whole strings, with room for some of it.
fn strings(name: &'static str) {
    let mut random = Random::new(3);
    let mut group = Group::new(name);
    for _ in 0..50_000 {
        let mut text = bytes(&mut random);
        text.retain(|&byte| byte != 0);
        text.push(0);
        let from = text.as_ptr().cast::<c_char>();
        let room = random.below(8) as usize;
        let most = random.below(text.len() as u64 + 1) as usize;
        let mut line = format!("{text:x?} {room} {most}");
        for way in 0..7 {
            let mut to: [Wide; 8] = [0x55; 8];
            let mut at = from;
            let mut state = State::default();
            clear();
            // SAFETY: a C string, places for the results and their room.
            let count = unsafe {
                match way {
                    0 => mbsrtowcs(to.as_mut_ptr(), &mut at, room, &mut state),
                    1 => mbsnrtowcs(to.as_mut_ptr(), &mut at, most, room, &mut state),
                    2 => mbstowcs(to.as_mut_ptr(), at, room),
                    3 => mbsrtowcs(null_mut(), &mut at, room, &mut state),
                    4 => mbsnrtowcs(null_mut(), &mut at, most, room, &mut state),
                    5 => __mbsrtowcs_chk(to.as_mut_ptr(), &mut at, room, &mut state, 8),
                    _ => __mbstowcs_chk(to.as_mut_ptr(), at, room, 8),
                }
            };
            // Where glibc stops at an error depends on how far it looked ahead.
            let failed = count == usize::MAX && matches!(way, 0 | 5);
            let (moved, state) = match at.is_null() {
                _ if failed => (-2, State::default()),
                true => (-1, state),
                false => (at.addr() as isize - from.addr() as isize, state),
            };
            line += &format!(" {} {moved} {to:x?} {state:?} {}", count as isize, if count > 99 { errno() } else { 0 });
        }
        let wides: Vec<Wide> = (0..random.below(5))
            .map(|_| {
                if random.below(20) == 0 {
                    0xd800
                } else {
                    1 + random.below(*random.clone().pick(&[0x7f, 0x7ff, 0xcfff, 0x2_ffff])) as Wide
                }
            })
            .chain([0])
            .collect();
        let most = random.below(wides.len() as u64 + 1) as usize;
        line += &format!(" | {wides:x?} {most}");
        for way in 0..7 {
            let mut to = [0x55u8; 8];
            let mut at = wides.as_ptr();
            let mut state = State::default();
            clear();
            // SAFETY: a wide string, places for the results and their room.
            let count = unsafe {
                match way {
                    0 => wcsrtombs(to.as_mut_ptr().cast(), &mut at, room, &mut state),
                    1 => wcsnrtombs(to.as_mut_ptr().cast(), &mut at, most, room, &mut state),
                    2 => wcstombs(to.as_mut_ptr().cast(), at, room),
                    3 => wcsrtombs(null_mut(), &mut at, room, &mut state),
                    4 => wcsnrtombs(null_mut(), &mut at, most, room, &mut state),
                    5 => __wcsrtombs_chk(to.as_mut_ptr().cast(), &mut at, room, &mut state, 8),
                    _ => __wcstombs_chk(to.as_mut_ptr().cast(), at, room, 8),
                }
            };
            let moved = if at.is_null() { -1 } else { (at.addr() - wides.as_ptr().addr()) as isize };
            line += &format!(" {} {moved} {to:x?} {}", count as isize, if count > 99 { errno() } else { 0 });
        }
        group.add(format_args!("{line}"));
    }
    group.end();
    // SAFETY: as above.
    unsafe {
        let (mut to, mut back, mut state) = ([0; 8], [0u8; 8], State::default());
        let mut from = c"ab".as_ptr();
        println!("{name}: {} {to:x?}", __mbsnrtowcs_chk(to.as_mut_ptr(), &mut from, 2, 4, &mut state, 8));
        let mut from = to.as_ptr();
        println!("{name}: {} {back:x?}", __wcsnrtombs_chk(back.as_mut_ptr().cast(), &mut from, 2, 4, &mut state, 8));
    }
}

/// A short wide string of few different characters, some of them in two cases.
fn text(random: &mut Random) -> Vec<Wide> {
    let letters = [0x61, 0x62, 0x41, 0x42, 0xe4, 0xc4, 0x4e2d, -5, 0x20, 0x2c];
    (0..random.below(9)).map(|_| *random.pick(&letters)).chain([0]).collect()
}

/// How far into a text a pointer points.
fn place(text: *const Wide, at: *mut Wide) -> isize {
    if at.is_null() { -1 } else { (at.addr() as isize - text.addr() as isize) / 4 }
}

fn arrays(name: &'static str, locale: *mut c_void) {
    let mut random = Random::new(4);
    let mut group = Group::new(name);
    for _ in 0..50_000 {
        let (a, b) = (text(&mut random), text(&mut random));
        let most = random.below(10) as usize;
        let wide = *random.pick(&[0x61, 0xe4, 0, -5]);
        let (p, q) = (a.as_ptr(), b.as_ptr());
        let least = a.len().min(b.len());
        // SAFETY: wide strings, and buffers with room for both of them.
        unsafe {
            let sign = |value: c_int| value.signum();
            let mut line = format!("{a:x?} {b:x?} {most} {wide}");
            line += &format!(" {} {} {}", wcslen(p), wcsnlen(p, most), sign(wcscmp(p, q)));
            line += &format!(" {} {} {}", sign(wcsncmp(p, q, most)), wcscasecmp(p, q), wcsncasecmp(p, q, most));
            line += &format!(" {} {}", wcscasecmp_l(p, q, locale), wcsncasecmp_l(p, q, most, locale));
            line += &format!(
                " {} {} {}",
                place(p, wcschr(p, wide)),
                place(p, wcschrnul(p, wide)),
                place(p, wcsrchr(p, wide))
            );
            line += &format!(" {} {} {}", wcsspn(p, q), wcscspn(p, q), place(p, wcspbrk(p, q)));
            line += &format!(" {} {}", place(p, wcsstr(p, q)), place(p, wcswcs(p, q)));
            line += &format!(" {} {}", place(p, wmemchr(p, wide, a.len())), sign(wmemcmp(p, q, least)));
            line += &format!(
                " {} {} {}",
                sign(wcscoll(p, q)),
                sign(wcscoll_l(p, q, locale)),
                sign(__wcscoll_l(p, q, locale))
            );
            for way in 0..27 {
                let mut to: [Wide; 32] = [0x55; 32];
                to[3] = 0;
                let t = to.as_mut_ptr();
                let end = match way {
                    0 => wcscpy(t, p),
                    1 => wcpcpy(t, p),
                    2 => wcsncpy(t, p, most),
                    3 => wcpncpy(t, p, most),
                    4 => wcscat(t, p),
                    5 => wcsncat(t, p, most),
                    6 => wmemcpy(t, p, a.len()),
                    7 => wmempcpy(t, p, a.len()),
                    8 => wmemmove(t.add(1), t, most),
                    9 => wmemset(t, wide, most),
                    10 => __wmemcpy_chk(t, p, a.len(), 32),
                    11 => __wmempcpy_chk(t, p, a.len(), 32),
                    12 => __wmemmove_chk(t.add(1), t, most, 31),
                    13 => __wmemset_chk(t, wide, most, 32),
                    14 => __wcscpy_chk(t, p, 32),
                    15 => __wcpcpy_chk(t, p, 32),
                    16 => __wcsncpy_chk(t, p, most, 32),
                    17 => __wcpncpy_chk(t, p, most, 32),
                    18 => __wcscat_chk(t, p, 32),
                    19 => __wcsncat_chk(t, p, most, 32),
                    20 => t.add(wcsxfrm(t, p, most)),
                    21 => t.add(wcsxfrm_l(t, p, most, locale)),
                    22 => t.add(__wcsxfrm_l(t, p, most, locale)),
                    _ => {
                        wcscpy(t, p);
                        let mut rest = null_mut();
                        let mut token = wcstok(t, q, &mut rest);
                        for _ in 23..way {
                            token = wcstok(null_mut(), q, &mut rest);
                        }
                        line += &format!(" rest {}", place(t, rest));
                        token
                    }
                };
                let end = place(t, end);
                line += &format!(" {end} {to:x?}");
            }
            let copy = wcsdup(p);
            line += &format!(" {}", wcscmp(copy, p));
            libc::free(copy.cast());
            group.add(format_args!("{line}"));
        }
    }
    group.end();
    // SAFETY: wide strings with the characters between which only signed numbers tell.
    unsafe {
        let text = [0x61, 0xe9, 0x1f600, 0x61, 0];
        println!(
            "{name}: columns {} {} {}",
            wcswidth(text.as_ptr(), 9),
            wcswidth(text.as_ptr(), 1),
            wcswidth(text.as_ptr(), 0)
        );
        let bad = [0x61, 7, 0];
        println!("{name}: columns {} {}", wcswidth(bad.as_ptr(), 9), wcswidth(bad.as_ptr(), 1));
    }
}

fn numbers(name: &'static str) {
    const PIECES: [&str; 20] = [
        "0", "1", "9", "5", "12", "e", "E", "+", "-", ".", "0x", "inf", "nan", " ", "p", "7f", "\u{2003}", "\u{e4}",
        "\u{661}", "z",
    ];
    let mut random = Random::new(5);
    let mut group = Group::new(name);
    for _ in 0..50_000 {
        let text: String = (0..=random.below(10)).map(|_| *random.pick(&PIECES)).collect();
        let wide: Vec<Wide> = text.chars().map(|character| character as Wide).chain([0]).collect();
        let base = *random.pick(&[0, 2, 8, 10, 16, 36]);
        let mut end = null_mut();
        let from = wide.as_ptr();
        let mut line = format!("{text:?} {base}");
        // SAFETY: a wide string, and a place for a pointer into it.
        unsafe {
            clear();
            line += &format!(" {} {} {}", wcstol(from, &mut end, base), place(from, end), errno());
            clear();
            line += &format!(" {} {} {}", wcstoul(from, &mut end, base), place(from, end), errno());
            line += &format!(" {} {}", wcstoll(from, &mut end, base), place(from, end));
            line += &format!(" {} {}", wcstoull(from, &mut end, base), place(from, end));
            line += &format!(" {} {}", wcstoimax(from, &mut end, base), wcstoumax(from, &mut end, base));
            clear();
            line += &format!(" {:x} {} {}", wcstod(from, &mut end).to_bits(), place(from, end), errno());
            line += &format!(" {:x} {}", wcstof(from, &mut end).to_bits(), place(from, end));
        }
        group.add(format_args!("{line}"));
    }
    // SAFETY: as above.
    unsafe {
        let mut end = null_mut();
        let text = [0x31, 0];
        clear();
        println!(
            "{name}: base {} {} {}",
            wcstol(text.as_ptr(), &mut end, 1),
            wcstol(text.as_ptr(), &mut end, 99),
            errno()
        );
    }
    group.end();
}

fn main() {
    let posix = choose(c"C");
    characters("characters C", posix);
    singles("singles C");
    written("written C");
    strings("strings C");
    arrays("arrays C", posix);
    numbers("numbers C");
    let utf8 = choose(c"C.UTF-8");
    characters("characters UTF-8", utf8);
    singles("singles UTF-8");
    written("written UTF-8");
    strings("strings UTF-8");
    arrays("arrays UTF-8", utf8);
    numbers("numbers UTF-8");
}
