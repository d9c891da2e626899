//! `getopt.h`: command line options. getopt(3), with GNU's permutation of arguments.
//!
//! The variables are the program's by copy relocation, so they are read anew at each call.

use crate::string;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int};
use core::ptr;

/// Index of the next argument; 0 starts anew.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut optind: c_int = 1;
/// Whether to print messages.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut opterr: c_int = 1;
/// The option that was wrong.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut optopt: c_int = b'?' as c_int;
/// The last option's argument.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut optarg: *mut c_char = ptr::null_mut();

/// `struct option`.
#[repr(C)]
pub struct LongOption {
    name: *const c_char,
    has_arg: c_int,
    flag: *mut c_int,
    val: c_int,
}

const REQUIRED: c_int = 1;
const OPTIONAL: c_int = 2;

/// What to do with arguments that are no options.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Move them behind the options.
    Permute,
    /// Stop at the first (`+`, POSIXLY_CORRECT).
    Stop,
    /// Give them as arguments of option 1 (`-`).
    InOrder,
}

/// Where the scan stands between calls.
struct State {
    /// The rest of a row of short options; null between arguments.
    row: *mut c_char,
    /// The non-options that were skipped: `first..last`.
    first: c_int,
    last: c_int,
    order: Order,
    started: bool,
}

struct Static(UnsafeCell<State>);
// SAFETY: getopt(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATE: Static =
    Static(UnsafeCell::new(State { row: ptr::null_mut(), first: 1, last: 1, order: Order::Permute, started: false }));

/// One call's arguments.
struct Scan {
    argc: c_int,
    argv: *mut *mut c_char,
    /// The short options, without what stands before them.
    short: &'static [u8],
    long: *const LongOption,
    long_index: *mut c_int,
    long_only: bool,
    /// No messages, and `:` for a missing argument.
    quiet: bool,
}

impl Scan {
    unsafe fn argument(&self, index: c_int) -> *mut c_char {
        *self.argv.add(index as usize)
    }

    unsafe fn complain(&self, parts: &[&[u8]]) {
        if opterr == 0 || self.quiet {
            return;
        }
        let mut text = Vec::new();
        text.extend_from_slice(string::bytes(self.argument(0)));
        text.extend_from_slice(b": ");
        for part in parts {
            text.extend_from_slice(part);
        }
        text.push(b'\n');
        crate::sys::write(2, text.as_ptr().cast(), text.len());
    }

    fn missing(&self) -> c_int {
        if self.quiet { c_int::from(b':') } else { c_int::from(b'?') }
    }

    /// Moves the options in `last..optind` before the skipped arguments in `first..last`.
    unsafe fn exchange(&self, state: &mut State) {
        let count = (optind - state.first) as usize;
        let slice = core::slice::from_raw_parts_mut(self.argv.add(state.first as usize), count);
        slice.rotate_left((state.last - state.first) as usize);
        state.first += optind - state.last;
        state.last = optind;
    }

    /// Whether the argument is an option, and no lone `-`.
    unsafe fn is_option(&self, index: c_int) -> bool {
        let text = string::bytes(self.argument(index));
        text.len() > 1 && text[0] == b'-'
    }

    unsafe fn next(&self, state: &mut State) -> c_int {
        optarg = ptr::null_mut();
        if !state.row.is_null() && *state.row != 0 {
            return self.short_option(state);
        }
        state.last = state.last.min(optind);
        state.first = state.first.min(optind);
        if state.order == Order::Permute {
            if state.first != state.last && state.last != optind {
                self.exchange(state);
            } else if state.last != optind {
                state.first = optind;
            }
            while optind < self.argc && !self.is_option(optind) {
                optind += 1;
            }
            state.last = optind;
        }
        if optind < self.argc && string::bytes(self.argument(optind)) == b"--" {
            optind += 1;
            if state.first != state.last && state.last != optind {
                self.exchange(state);
            } else if state.first == state.last {
                state.first = optind;
            }
            state.last = self.argc;
            optind = self.argc;
        }
        if optind >= self.argc {
            if state.first != state.last {
                optind = state.first;
            }
            return -1;
        }
        let text = self.argument(optind);
        if !self.is_option(optind) {
            if state.order == Order::Stop {
                return -1;
            }
            optind += 1;
            optarg = text;
            return 1;
        }
        if !self.long.is_null() {
            let bytes = string::bytes(text);
            if bytes[1] == b'-' {
                optind += 1;
                return self.long_option(text.add(2), b"--").unwrap_or(c_int::from(b'?'));
            }
            // A single dash may mean a long option unless it is a short one of one letter.
            if self.long_only && (bytes.len() > 2 || !self.short.contains(&bytes[1])) {
                optind += 1;
                if let Some(option) = self.long_option(text.add(1), b"-") {
                    return option;
                }
                optind -= 1;
            }
        }
        state.row = text.add(1);
        self.short_option(state)
    }

    unsafe fn short_option(&self, state: &mut State) -> c_int {
        let byte = *state.row as u8;
        state.row = state.row.add(1);
        let ended = *state.row == 0;
        if ended {
            optind += 1;
        }
        let option = c_int::from(byte);
        let found = self.short.iter().position(|&other| other == byte && byte != b':' && byte != b';');
        let Some(at) = found else {
            self.complain(&[b"invalid option -- '", &[byte], b"'"]);
            optopt = option;
            return c_int::from(b'?');
        };
        if self.short.get(at + 1) != Some(&b':') {
            return option;
        }
        let rest = state.row;
        state.row = ptr::null_mut();
        if !ended {
            optarg = rest;
            optind += 1;
        } else if self.short.get(at + 2) != Some(&b':') {
            if optind >= self.argc {
                self.complain(&[b"option requires an argument -- '", &[byte], b"'"]);
                optopt = option;
                return self.missing();
            }
            optarg = self.argument(optind);
            optind += 1;
        }
        option
    }

    /// A long option, behind its dashes. None: it may be a row of short ones.
    unsafe fn long_option(&self, text: *mut c_char, dashes: &[u8]) -> Option<c_int> {
        let bytes = string::bytes(text);
        let name = bytes.split(|&byte| byte == b'=').next().unwrap_or(bytes);
        let (mut found, mut count, mut ambiguous) = (None, 0usize, false);
        while !(*self.long.add(count)).name.is_null() {
            let option = &*self.long.add(count);
            let other = string::bytes(option.name);
            if other == name {
                (found, ambiguous) = (Some(count), false);
                break;
            }
            if other.starts_with(name) {
                if let Some(before) = found {
                    let before: &LongOption = &*self.long.add(before);
                    let same =
                        before.has_arg == option.has_arg && before.flag == option.flag && before.val == option.val;
                    ambiguous |= self.long_only || !same;
                } else {
                    found = Some(count);
                }
            }
            count += 1;
        }
        if ambiguous {
            self.complain(&[b"option '", dashes, bytes, b"' is ambiguous"]);
            optopt = 0;
            return Some(c_int::from(b'?'));
        }
        let Some(index) = found else {
            if dashes == b"-" && bytes.first().is_some_and(|byte| self.short.contains(byte)) {
                return None;
            }
            self.complain(&[b"unrecognized option '", dashes, bytes, b"'"]);
            optopt = 0;
            return Some(c_int::from(b'?'));
        };
        let option = &*self.long.add(index);
        let full = string::bytes(option.name);
        if name.len() < bytes.len() {
            if option.has_arg == 0 {
                self.complain(&[b"option '", dashes, full, b"' doesn't allow an argument"]);
                optopt = option.val;
                return Some(c_int::from(b'?'));
            }
            optarg = text.add(name.len() + 1);
        } else if option.has_arg == REQUIRED {
            if optind >= self.argc {
                self.complain(&[b"option '", dashes, full, b"' requires an argument"]);
                optopt = option.val;
                return Some(self.missing());
            }
            optarg = self.argument(optind);
            optind += 1;
        } else {
            debug_assert!(option.has_arg == 0 || option.has_arg == OPTIONAL);
        }
        if !self.long_index.is_null() {
            *self.long_index = index as c_int;
        }
        if option.flag.is_null() {
            return Some(option.val);
        }
        *option.flag = option.val;
        Some(0)
    }
}

unsafe fn run(
    argc: c_int,
    argv: *const *mut c_char,
    short: *const c_char,
    long: *const LongOption,
    long_index: *mut c_int,
    long_only: bool,
) -> c_int {
    if argc < 1 {
        return -1;
    }
    let state = &mut *STATE.0.get();
    let mut short: &'static [u8] = CStr::from_ptr(short).to_bytes();
    let order = match short.first() {
        Some(b'-') => Order::InOrder,
        Some(b'+') => Order::Stop,
        _ if !crate::env::getenv(c"POSIXLY_CORRECT".as_ptr()).is_null() => Order::Stop,
        _ => Order::Permute,
    };
    if matches!(short.first(), Some(b'-' | b'+')) {
        short = &short[1..];
    }
    if optind == 0 || !state.started {
        optind = optind.max(1);
        *state = State { row: ptr::null_mut(), first: optind, last: optind, order, started: true };
    }
    let quiet = short.first() == Some(&b':');
    Scan { argc, argv: argv.cast_mut(), short, long, long_index, long_only, quiet }.next(state)
}

c_api! {
    /// getopt(3).
    fn getopt(argc: c_int, argv: *const *mut c_char, short: *const c_char) -> c_int {
        run(argc, argv, short, ptr::null(), ptr::null_mut(), false)
    }

    /// getopt_long(3).
    fn getopt_long(argc: c_int, argv: *const *mut c_char, short: *const c_char, long: *const LongOption, index: *mut c_int) -> c_int {
        run(argc, argv, short, long, index, false)
    }

    /// getopt_long_only(3).
    fn getopt_long_only(argc: c_int, argv: *const *mut c_char, short: *const c_char, long: *const LongOption, index: *mut c_int) -> c_int {
        run(argc, argv, short, long, index, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    unsafe extern "C" {
        #[link_name = "optind"]
        static mut host_optind: c_int;
        #[link_name = "optarg"]
        static mut host_optarg: *mut c_char;
        #[link_name = "opterr"]
        static mut host_opterr: c_int;
        #[link_name = "getopt_long"]
        fn host_getopt_long(
            argc: c_int,
            argv: *const *mut c_char,
            short: *const c_char,
            long: *const LongOption,
            index: *mut c_int,
        ) -> c_int;
    }

    type Calls = (Vec<(c_int, Option<String>)>, c_int, Vec<String>);

    /// Everything that a loop over the options sees: options with arguments, optind at the end, argv then.
    unsafe fn all(line: &str, short: &CStr, host: bool) -> Calls {
        let words: Vec<CString> = line.split(' ').map(|word| CString::new(word).expect("no NUL")).collect();
        let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        argv.push(ptr::null_mut());
        let option = |name: &CStr, has_arg, val: u8| LongOption {
            name: name.as_ptr(),
            has_arg,
            flag: ptr::null_mut(),
            val: c_int::from(val),
        };
        let long = [
            option(c"all", 0, b'a'),
            option(c"alter", 1, b'b'),
            option(c"color", 2, b'c'),
            LongOption { name: ptr::null(), has_arg: 0, flag: ptr::null_mut(), val: 0 },
        ];
        (optind, host_optind, opterr, host_opterr) = (0, 0, 0, 0);
        let mut seen = Vec::new();
        loop {
            let count = words.len() as c_int;
            let next = if host { host_getopt_long } else { getopt_long };
            let got = next(count, argv.as_ptr(), short.as_ptr(), long.as_ptr(), ptr::null_mut());
            if got == -1 {
                break;
            }
            let argument = if host { host_optarg } else { optarg };
            let argument = (!argument.is_null()).then(|| CStr::from_ptr(argument).to_string_lossy().into_owned());
            seen.push((got, argument));
        }
        let order = argv[..words.len()].iter().map(|&word| CStr::from_ptr(word).to_string_lossy().into_owned());
        (seen, if host { host_optind } else { optind }, order.collect())
    }

    #[test]
    fn options_are_the_hosts() {
        const WORDS: [&str; 12] =
            ["-x", "-xy", "-yarg", "-y", "-z", "-zopt", "plain", "-", "--", "--all", "--al", "--alter=1"];
        for short in [c"xy:z::", c"+xy:z::", c"-xy:z::", c":xy:z::"] {
            for number in 0..12usize.pow(4) {
                let words = (0..4).map(|place| WORDS[number / 12usize.pow(place) % 12]);
                let line = core::iter::once("prog").chain(words).collect::<Vec<_>>().join(" ");
                // SAFETY: this is the only test that uses getopt, of either library.
                unsafe { assert_eq!(all(&line, short, false), all(&line, short, true), "{line} {short:?}") };
            }
        }
    }
}
