//! Numbers from texts, sorting, the environment, options, temporary files and the ways to end a process.

use conform::{Group, Random};
use libc::*;
use std::cell::Cell;
use std::ffi::CStr;
use std::hint::black_box;
use std::ptr::{null, null_mut};

unsafe extern "C" {
    static mut optarg: *mut c_char;
    static mut optind: c_int;
    static mut opterr: c_int;
    fn getopt_long(
        n: c_int,
        args: *const *mut c_char,
        short: *const c_char,
        long: *const option,
        at: *mut c_int,
    ) -> c_int;
    fn getopt_long_only(
        n: c_int,
        args: *const *mut c_char,
        short: *const c_char,
        long: *const option,
        at: *mut c_int,
    ) -> c_int;
    fn clearenv() -> c_int;
    fn secure_getenv(name: *const c_char) -> *mut c_char;
    fn strtoimax(text: *const c_char, end: *mut *mut c_char, base: c_int) -> i64;
    fn strtoumax(text: *const c_char, end: *mut *mut c_char, base: c_int) -> u64;
    fn mktemp(template: *mut c_char) -> *mut c_char;
    fn mkstemp64(template: *mut c_char) -> c_int;
    fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int;
    fn at_quick_exit(call: extern "C" fn()) -> c_int;
    fn quick_exit(status: c_int) -> !;
    fn on_exit(call: extern "C" fn(c_int, *mut c_void), word: *mut c_void) -> c_int;
    fn valloc(size: size_t) -> *mut c_void;
    fn sigsetmask(mask: c_int) -> c_int;
    fn sigisemptyset(set: *const sigset_t) -> c_int;
    fn siginterrupt(signal: c_int, interrupts: c_int) -> c_int;
}

/// A long option, laid out as in getopt.h.
#[repr(C)]
struct option {
    name: *const c_char,
    takes: c_int,
    flag: *mut c_int,
    value: c_int,
}

fn show(text: *const c_char) -> String {
    if text.is_null() {
        return "(null)".into();
    }
    // SAFETY: a C string that the library gave.
    unsafe { CStr::from_ptr(text) }.to_bytes().escape_ascii().to_string()
}

fn errno() -> c_int {
    // SAFETY: errno's place is valid.
    unsafe { *__errno_location() }
}

fn numbers() {
    let texts = [
        c"0",
        c"-1",
        c" +42x",
        c"0x1F",
        c"0xg",
        c"077",
        c"08",
        c"9223372036854775807",
        c"9223372036854775808",
        c"-9223372036854775809",
        c"18446744073709551615",
        c"18446744073709551616",
        c"-18446744073709551615",
        c"",
        c"  ",
        c"zz",
        c"+-1",
        c"2147483648",
        c"1.5e3",
        c"-inf",
    ];
    for text in texts.map(black_box) {
        // SAFETY: C strings.
        unsafe {
            println!(
                "{text:?}: {} {} {} {}",
                atoi(text.as_ptr()),
                atol(text.as_ptr()),
                atoll(text.as_ptr()),
                atof(text.as_ptr())
            )
        };
        for base in [0, 2, 8, 10, 16, 36, 1, 37] {
            let mut results = Vec::new();
            for which in 0..6 {
                let mut end = text.as_ptr().cast_mut();
                // SAFETY: a C string and places of this function.
                let value = unsafe {
                    *__errno_location() = 0;
                    match which {
                        0 => strtol(text.as_ptr(), &mut end, base) as u64,
                        1 => strtoll(text.as_ptr(), &mut end, base) as u64,
                        2 => strtoul(text.as_ptr(), &mut end, base),
                        3 => strtoull(text.as_ptr(), &mut end, base),
                        4 => strtoimax(text.as_ptr(), &mut end, base) as u64,
                        _ => strtoumax(text.as_ptr(), &mut end, base),
                    }
                };
                results.push((value, end as isize - text.as_ptr() as isize, errno()));
            }
            println!("{text:?} in {base}: {results:?}");
        }
    }
}

unsafe extern "C" fn order(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: called on the elements, pairs of numbers.
    unsafe { (*a.cast::<[u32; 2]>())[0].cmp(&(*b.cast::<[u32; 2]>())[0]) as c_int }
}

fn sorting(random: &mut Random) {
    let mut group = Group::new("qsort");
    for round in 0..200u32 {
        let mut items: Vec<[u32; 2]> = (0..random.below(300) as u32).map(|i| [random.below(100) as u32, i]).collect();
        let key = [random.below(100) as u32, round];
        // SAFETY: the vector's elements; the order is of such elements.
        unsafe {
            qsort(items.as_mut_ptr().cast(), items.len(), 8, Some(order));
            let found: *mut [u32; 2] =
                bsearch(key.as_ptr().cast(), items.as_ptr().cast(), items.len(), 8, Some(order)).cast();
            let found = if found.is_null() { None } else { Some((*found)[0]) };
            group.add(format_args!("{items:?} {key:?} {found:?}"));
        }
    }
    group.end();
}

fn environment() {
    // SAFETY: one thread; what putenv keeps is static.
    unsafe {
        println!("setenv: {} {}", setenv(c"OCHRE_A".as_ptr(), c"1".as_ptr(), 1), show(getenv(c"OCHRE_A".as_ptr())));
        println!("kept: {} {}", setenv(c"OCHRE_A".as_ptr(), c"2".as_ptr(), 0), show(getenv(c"OCHRE_A".as_ptr())));
        println!("putenv: {} {}", putenv(c"OCHRE_A=3".as_ptr().cast_mut()), show(secure_getenv(c"OCHRE_A".as_ptr())));
        println!("removed: {} {}", putenv(c"OCHRE_A".as_ptr().cast_mut()), show(getenv(c"OCHRE_A".as_ptr())));
        println!("bad: {} {}", setenv(c"A=B".as_ptr(), c"".as_ptr(), 1), errno());
        println!("bad: {} {}", unsetenv(c"".as_ptr()), errno());
        println!("clearenv: {} {}", clearenv(), show(getenv(c"PATH".as_ptr())));
        println!(
            "again: {} {}",
            setenv(c"PATH".as_ptr(), c"/usr/bin:/bin".as_ptr(), 1),
            show(getenv(c"PATH".as_ptr()))
        );
    }
}

fn options() {
    let lines = [
        "p -ab x y -c1 -c 2",
        "p -a -- -b",
        "p x -a y --long=5 --lo 6 z",
        "p --flag --fl=1 -z",
        "p --long",
        "p -long 7 -f",
        "p --none -b",
        "p -c",
    ];
    let mut seen = 0;
    let long = [
        option { name: c"long".as_ptr(), takes: 1, flag: null_mut(), value: 'L' as c_int },
        option { name: c"flag".as_ptr(), takes: 0, flag: &mut seen, value: 9 },
        option { name: c"maybe".as_ptr(), takes: 2, flag: null_mut(), value: 'M' as c_int },
        option { name: null(), takes: 0, flag: null_mut(), value: 0 },
    ];
    for line in lines {
        for short in [c"abc:", c"+abc:", c"-abc:", c":abc:d::"] {
            for which in 0..3 {
                let words: Vec<_> = line.split(' ').map(|word| format!("{word}\0")).collect();
                let mut args: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut().cast()).collect();
                args.push(null_mut());
                let count = words.len() as c_int;
                print!("{line} {short:?} {which}:");
                // SAFETY: a list of arguments as main has, one thread; optind 0 starts afresh.
                unsafe {
                    optind = 0;
                    opterr = 0;
                    loop {
                        let mut at = -1;
                        let found = match which {
                            0 => getopt(count, args.as_ptr(), short.as_ptr()),
                            1 => getopt_long(count, args.as_ptr(), short.as_ptr(), long.as_ptr(), &mut at),
                            _ => getopt_long_only(count, args.as_ptr(), short.as_ptr(), long.as_ptr(), &mut at),
                        };
                        if found == -1 {
                            break;
                        }
                        print!(" {found}/{at}/{}/{}", show(optarg), { optind });
                    }
                    print!(" ends at {}:", { optind });
                }
                args.pop();
                args.iter().for_each(|word| print!(" {}", show(*word)));
                println!();
            }
        }
    }
    println!("flag: {seen}");
}

fn temporary() {
    for which in 0..6 {
        for template in [c"/tmp/conformXXXXXX", c"/tmp/conformXXXXX", c"/none/conformXXXXXX"] {
            let mut name = template.to_bytes_with_nul().to_vec();
            let path: *mut c_char = name.as_mut_ptr().cast();
            // SAFETY: a template that may be written.
            unsafe {
                *__errno_location() = 0;
                let fd = match which {
                    0 => mkstemp(path),
                    1 => mkstemp64(path),
                    2 => mkostemp(path, O_CLOEXEC),
                    3 => mkostemp64(path, O_APPEND),
                    4 => {
                        let made = mkdtemp(path);
                        println!("mkdtemp {template:?}: {} {}", !made.is_null(), errno());
                        rmdir(path);
                        continue;
                    }
                    _ => {
                        mktemp(path);
                        println!("mktemp {template:?}: {} {}", *path != 0, errno());
                        continue;
                    }
                };
                let error = errno();
                println!("{which} {template:?}: {} {error} {}", fd >= 0, fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
                if fd >= 0 {
                    close(fd);
                    unlink(path);
                }
            }
        }
    }
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Says something by write alone.
fn say(text: &str) {
    // SAFETY: a text of this length.
    unsafe { write(1, text.as_ptr().cast(), text.len()) };
}

extern "C" fn last() {
    say("atexit: last\n");
}

extern "C" fn first() {
    say(&format!("atexit: first {}\n", DEPTH.get()));
    // SAFETY: a function of the right type.
    unsafe { atexit(last) };
}

extern "C" fn told(status: c_int, word: *mut c_void) {
    say(&format!("on_exit: {status} {}\n", word as usize));
}

extern "C" fn quick() {
    say("at_quick_exit\n");
}

fn endings() {
    use std::io::Write;
    std::io::stdout().flush().expect("standard output");
    for which in 0..3 {
        let mut status = 0;
        // SAFETY: the child ends by the call that is tried; no threads.
        unsafe {
            let child = fork();
            if child == 0 {
                atexit(first);
                on_exit(told, 77 as *mut c_void);
                at_quick_exit(quick);
                match which {
                    0 => exit(300),
                    1 => quick_exit(5),
                    _ => _exit(6),
                }
            }
            waitpid(child, &mut status, 0);
        }
        println!("ended: {status:#x}");
    }
}

fn memory() {
    // SAFETY: what is given is freed once.
    unsafe {
        for (align, size) in [(16, 1), (64, 100), (4096, 5000)] {
            let one = aligned_alloc(align, size);
            println!("aligned_alloc {align}: {}", one as usize % align);
            free(one);
        }
        let page = valloc(10);
        println!("valloc: {}", page as usize % 4096);
        free(page);
    }
}

fn signals() {
    // SAFETY: sets of this function; the mask is put back.
    unsafe {
        let mut set = std::mem::zeroed();
        sigemptyset(&mut set);
        println!("empty: {}", sigisemptyset(&set));
        sigfillset(&mut set);
        println!("full: {} {} {}", sigisemptyset(&set), sigismember(&set, SIGKILL), sigismember(&set, 32));
        println!("sigsetmask: {:#x}", sigsetmask(1 << (SIGUSR1 - 1)));
        println!("sigsetmask: {:#x}", sigsetmask(0));
        println!("siginterrupt: {} {}", siginterrupt(SIGUSR1, 1), siginterrupt(1000, 1));
    }
}

fn main() {
    let mut random = Random::new(0x57d1);
    numbers();
    sorting(&mut random);
    environment();
    options();
    temporary();
    endings();
    memory();
    signals();
}
