//! Files found and arrays searched: glob, ftw, scandir, search.h, argz, the random generators of stdlib.h.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_ushort, c_void};
use std::os::unix::fs::symlink;
use std::ptr::{null, null_mut};

type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

#[repr(C)]
struct Ftw {
    base: c_int,
    level: c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    key: *mut c_char,
    data: *mut c_void,
}

#[repr(C)]
struct Element {
    next: *mut Element,
    previous: *mut Element,
    number: c_int,
}

#[repr(C)]
struct Division {
    quotient: c_long,
    remainder: c_long,
}

unsafe extern "C" {
    fn ftw(
        path: *const c_char,
        visit: unsafe extern "C" fn(*const c_char, *const libc::stat, c_int) -> c_int,
        most: c_int,
    ) -> c_int;
    fn nftw(
        path: *const c_char,
        visit: unsafe extern "C" fn(*const c_char, *const libc::stat, c_int, *mut Ftw) -> c_int,
        most: c_int,
        flags: c_int,
    ) -> c_int;
    fn scandir(
        path: *const c_char,
        out: *mut *mut *mut libc::dirent,
        select: Option<unsafe extern "C" fn(*const libc::dirent) -> c_int>,
        compare: Option<unsafe extern "C" fn(*mut *const libc::dirent, *mut *const libc::dirent) -> c_int>,
    ) -> c_int;
    fn alphasort(a: *mut *const libc::dirent, b: *mut *const libc::dirent) -> c_int;
    fn versionsort(a: *mut *const libc::dirent, b: *mut *const libc::dirent) -> c_int;
    fn tsearch(key: *const c_void, root: *mut *mut c_void, compare: Compare) -> *mut *const c_void;
    fn tfind(key: *const c_void, root: *const *mut c_void, compare: Compare) -> *mut *const c_void;
    fn tdelete(key: *const c_void, root: *mut *mut c_void, compare: Compare) -> *mut c_void;
    fn twalk(root: *const c_void, action: unsafe extern "C" fn(*const *const c_void, c_int, c_int));
    fn tdestroy(root: *mut c_void, free: unsafe extern "C" fn(*mut c_void));
    fn lfind(key: *const c_void, base: *const c_void, count: *mut usize, size: usize, compare: Compare) -> *mut c_void;
    fn lsearch(key: *const c_void, base: *mut c_void, count: *mut usize, size: usize, compare: Compare) -> *mut c_void;
    fn hcreate_r(count: usize, table: *mut [usize; 2]) -> c_int;
    fn hsearch_r(entry: Entry, action: c_int, out: *mut *mut Entry, table: *mut [usize; 2]) -> c_int;
    fn hdestroy_r(table: *mut [usize; 2]);
    fn hcreate(count: usize) -> c_int;
    fn hsearch(entry: Entry, action: c_int) -> *mut Entry;
    fn hdestroy();
    fn insque(element: *mut Element, before: *mut Element);
    fn remque(element: *mut Element);
    fn random() -> c_long;
    fn srandom(seed: c_uint);
    fn initstate(seed: c_uint, block: *mut c_char, size: usize) -> *mut c_char;
    fn setstate(block: *mut c_char) -> *mut c_char;
    fn initstate_r(seed: c_uint, block: *mut c_char, size: usize, state: *mut [usize; 6]) -> c_int;
    fn random_r(state: *mut [usize; 6], out: *mut i32) -> c_int;
    fn rand_r(seed: *mut c_uint) -> c_int;
    fn drand48() -> f64;
    fn lrand48() -> c_long;
    fn mrand48() -> c_long;
    fn erand48(words: *mut c_ushort) -> f64;
    fn nrand48(words: *mut c_ushort) -> c_long;
    fn jrand48(words: *mut c_ushort) -> c_long;
    fn srand48(seed: c_long);
    fn seed48(words: *mut c_ushort) -> *mut c_ushort;
    fn lcong48(words: *mut c_ushort);
    fn ldiv(value: c_long, by: c_long) -> Division;
    fn lldiv(value: c_long, by: c_long) -> Division;
    fn imaxdiv(value: c_long, by: c_long) -> Division;
    fn argz_create_sep(text: *const c_char, separator: c_int, argz: *mut *mut c_char, len: *mut usize) -> c_int;
    fn argz_append(argz: *mut *mut c_char, len: *mut usize, more: *const c_char, more_len: usize) -> c_int;
    fn argz_add(argz: *mut *mut c_char, len: *mut usize, text: *const c_char) -> c_int;
    fn argz_insert(argz: *mut *mut c_char, len: *mut usize, before: *mut c_char, text: *const c_char) -> c_int;
    fn argz_delete(argz: *mut *mut c_char, len: *mut usize, entry: *mut c_char);
    fn argz_next(argz: *const c_char, len: usize, entry: *const c_char) -> *mut c_char;
    fn argz_count(argz: *const c_char, len: usize) -> usize;
    fn argz_stringify(argz: *mut c_char, len: usize, separator: c_int);
    fn arc4random() -> c_uint;
    fn arc4random_buf(out: *mut c_void, len: usize);
    fn arc4random_uniform(bound: c_uint) -> c_uint;
    fn getloadavg(out: *mut f64, count: c_int) -> c_int;
}

fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

fn text(at: *const c_char) -> String {
    // SAFETY: the callers pass C strings.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

fn errno() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() }
}

/// A tree of files to look at, in the current directory.
fn files() {
    for dir in ["t/a/b", "t/c", "t/.hidden", "t/locked"] {
        std::fs::create_dir_all(dir).expect("a directory");
    }
    for file in [
        "t/one.c",
        "t/two.c",
        "t/three.h",
        "t/a/one.c",
        "t/a/b/deep.c",
        "t/.dot",
        "t/f1",
        "t/f10",
        "t/f2",
        "t/we[i]rd",
        "t/st*r",
    ] {
        std::fs::write(file, file).expect("a file");
    }
    symlink("a", "t/link").expect("a link");
    symlink("nowhere", "t/dangling").expect("a link");
    symlink("..", "t/a/up").expect("a link");
}

fn globs() {
    let run = |pattern: &str, flags: c_int| {
        // SAFETY: a zeroed structure is one, and it is freed once.
        unsafe {
            let mut found: libc::glob_t = std::mem::zeroed();
            let result = libc::glob(c(pattern).as_ptr(), flags, None, &raw mut found);
            let paths = (0..found.gl_pathc).map(|index| text(*found.gl_pathv.add(found.gl_offs + index)));
            println!("glob {pattern:?} {flags}: {result} {:?} {:x}", paths.collect::<Vec<_>>(), found.gl_flags & 256);
            libc::globfree(&raw mut found);
        }
    };
    for pattern in [
        "t/*",
        "t/*.c",
        "t/?*.[ch]",
        "t/[!o]*.c",
        "t/*/*.c",
        "*/*/*/*",
        "t/.*",
        "t/none*",
        "t/one.c",
        "t/none",
        "t//*.c",
        "t/*/",
        "t/a/",
        "t/one.c/",
        "t/we\\[i\\]rd",
        "t/we[[]i]rd",
        "t/st\\*r",
        "t/{one,two}.c",
        "t/{one,none}.c",
        "t/{none,nil}.c",
        "{}",
        "",
        "/",
        "/et[c]",
        "t/dang*",
        "t/l*/*",
        "t/f[0-9]*",
        "~",
        "~/x*",
        "~nobodyhere/x",
        "t/[",
        "t/[a",
        "./t/o*",
        "t/../t/o*",
    ] {
        for flags in [
            0,
            libc::GLOB_MARK,
            libc::GLOB_NOCHECK,
            libc::GLOB_NOESCAPE,
            128,
            1024,
            2048,
            4096,
            8192,
            16384,
            1024 | 16,
            4096 | 2048,
        ] {
            // Other directories than ours differ from machine to machine.
            if pattern.starts_with('~') && flags & (4096 | 16384) != 0 && pattern.len() < 4 {
                continue;
            }
            run(pattern, flags);
        }
    }
    // SAFETY: as above.
    unsafe {
        let mut found: libc::glob_t = std::mem::zeroed();
        found.gl_offs = 2;
        let first = libc::glob(c"t/*.c".as_ptr(), libc::GLOB_DOOFFS, None, &raw mut found);
        let second = libc::glob(c"t/*.h".as_ptr(), libc::GLOB_DOOFFS | libc::GLOB_APPEND, None, &raw mut found);
        let paths: Vec<String> = (0..found.gl_pathc + 2)
            .map(|index| *found.gl_pathv.add(index))
            .map(|at| if at.is_null() { "null".to_owned() } else { text(at) })
            .collect();
        println!("{first} {second} {paths:?} {}", (*found.gl_pathv.add(found.gl_pathc + 2)).is_null());
        libc::globfree(&raw mut found);
        println!("{}", libc::glob(c"x".as_ptr(), 1 << 20, None, &raw mut found));
    }
}

/// What the walks saw, sorted afterwards where the order is the directory's.
static SEEN: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

unsafe extern "C" fn plain(path: *const c_char, _stat: *const libc::stat, kind: c_int) -> c_int {
    SEEN.lock().expect("no panics").push(format!("{} {kind}", text(path)));
    0
}

unsafe extern "C" fn placed(path: *const c_char, _stat: *const libc::stat, kind: c_int, place: *mut Ftw) -> c_int {
    let path = text(path);
    // SAFETY: the walk passes a place.
    let place = unsafe { &*place };
    // With FTW_CHDIR the file is in the current directory.
    let here = std::fs::symlink_metadata(&path[place.base as usize..]).is_ok();
    SEEN.lock().expect("no panics").push(format!("{path} {kind} {} {} {here}", place.base, place.level));
    0
}

unsafe extern "C" fn stopping(path: *const c_char, _stat: *const libc::stat, kind: c_int, _place: *mut Ftw) -> c_int {
    let path = text(path);
    let result = if path.ends_with("/a") {
        2
    } else if path.ends_with("nothing") {
        1
    } else {
        0
    };
    SEEN.lock().expect("no panics").push(format!("{path} {kind}"));
    result
}

fn seen(name: &str, result: c_int) {
    let errno = if result < 0 { errno() } else { 0 };
    let mut seen = std::mem::take(&mut *SEEN.lock().expect("no panics"));
    // The root comes first, or last; the order of the rest is the file system's.
    let is_root = |line: Option<&String>| line.is_some_and(|line| line.starts_with("t "));
    println!("{name}: {result} {errno} root first {} last {}", is_root(seen.first()), is_root(seen.last()));
    seen.sort();
    for line in seen {
        println!("  {line}");
    }
}

fn walks() {
    // SAFETY: paths are C strings, and the functions have the types wanted.
    unsafe {
        // Links are followed: which of a folder's two names is met first would depend on the file system.
        std::fs::remove_file("t/link").expect("the link");
        seen("ftw", ftw(c"t".as_ptr(), plain, 5));
        seen("ftw none", ftw(c"none".as_ptr(), plain, 5));
        for flags in [0, 1, 1 | 8, 4, 1 | 4, 1 | 4 | 8, 2, 1 | 2 | 8] {
            seen(&format!("nftw {flags}"), nftw(c"t".as_ptr(), placed, 1, flags));
        }
        for path in [c"t/", c"t/a", c"t/one.c", c"t/dangling", c"", c"t/one.c/x"] {
            seen(&format!("nftw {path:?}"), nftw(path.as_ptr(), placed, 5, 1));
            seen(&format!("nftw follow {path:?}"), nftw(path.as_ptr(), placed, 5, 0));
        }
        symlink("a", "t/link").expect("a link");
        seen("nftw a link", nftw(c"t/link".as_ptr(), placed, 5, 1));
        seen("nftw follow a link", nftw(c"t/link".as_ptr(), placed, 5, 0));
        seen("actions", nftw(c"t".as_ptr(), stopping, 5, 1 | 16));
        seen("bad flags", nftw(c"t".as_ptr(), placed, 5, 1 << 10));
        println!("{}", std::env::current_dir().is_ok_and(|dir| dir.join("t").is_dir()));
    }
}

unsafe extern "C" fn not_dots(entry: *const libc::dirent) -> c_int {
    // SAFETY: scandir passes entries.
    c_int::from(unsafe { (*entry).d_name[0] } != b'.' as c_char)
}

fn directories() {
    let run =
        |path: &CStr, compare: unsafe extern "C" fn(*mut *const libc::dirent, *mut *const libc::dirent) -> c_int| {
            // SAFETY: what scandir allocated is freed.
            unsafe {
                let mut list = null_mut();
                let count = scandir(path.as_ptr(), &raw mut list, Some(not_dots), Some(compare));
                if count < 0 {
                    return println!("scandir {path:?}: {count} {}", errno());
                }
                let names: Vec<String> =
                    (0..count as usize).map(|index| text((**list.add(index)).d_name.as_ptr())).collect();
                println!("scandir {path:?}: {names:?}");
                (0..count as usize).for_each(|index| libc::free((*list.add(index)).cast()));
                libc::free(list.cast());
            }
        };
    run(c"t", alphasort);
    run(c"t", versionsort);
    run(c"t/c", alphasort);
    run(c"none", alphasort);
    run(c"t/one.c", alphasort);
}

unsafe extern "C" fn by_number(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: keys below are numbers.
    unsafe { (*a.cast::<c_int>()).cmp(&*b.cast::<c_int>()) as c_int }
}

unsafe extern "C" fn visit(node: *const *const c_void, order: c_int, depth: c_int) {
    // In order: leaves, and other nodes the second time. Depths belong to the kind of tree, but are small.
    if matches!(order, 1 | 3) {
        // SAFETY: nodes start with the key's address.
        let number = unsafe { *(*node).cast::<c_int>() };
        SEEN.lock().expect("no panics").push(format!("{number} {}", depth < 20));
    }
}

unsafe extern "C" fn count(_key: *mut c_void) {
    SEEN.lock().expect("no panics").push("freed".to_owned());
}

fn trees() {
    let mut random = Random::new(3);
    let mut group = Group::new("trees");
    let numbers: Vec<c_int> = (0..1000).collect();
    let mut root = null_mut();
    // SAFETY: keys live as long as the tree.
    unsafe {
        println!("{}", tsearch(null(), null_mut(), by_number).is_null());
        for _ in 0..20_000 {
            let key = (&raw const *random.pick(&numbers)).cast::<c_void>();
            let shown = |node: *mut *const c_void| if node.is_null() { -1 } else { *(*node).cast::<c_int>() };
            match random.below(3) {
                0 => group.add(format_args!("insert {}", shown(tsearch(key, &raw mut root, by_number)))),
                1 => group.add(format_args!("find {}", shown(tfind(key, &raw const root, by_number)))),
                _ => group.add(format_args!("delete {}", tdelete(key, &raw mut root, by_number).is_null())),
            }
        }
        group.end();
        twalk(root, visit);
        println!("{:?}", std::mem::take(&mut *SEEN.lock().expect("no panics")));
        tdestroy(root, count);
        println!("{}", std::mem::take(&mut *SEEN.lock().expect("no panics")).len());
    }
}

fn tables() {
    let mut array = [5, 3, 9, 0, 0];
    let mut count = 3;
    let index = |at: *mut c_void, base: *const c_int| if at.is_null() { -1 } else { (at as isize - base as isize) / 4 };
    // SAFETY: the array has room for what is added; keys of tables are C strings that live as long.
    unsafe {
        for key in [3, 7, 7, 9] {
            let base = array.as_mut_ptr();
            let found = lfind((&raw const key).cast(), base.cast(), &raw mut count, 4, by_number);
            let put = lsearch((&raw const key).cast(), base.cast(), &raw mut count, 4, by_number);
            println!("{key}: {} {} {count} {array:?}", index(found, base), index(put, base));
        }
        let keys: Vec<CString> = (0..300).map(|number| c(&format!("key{number}"))).collect();
        let entry = |number: usize| Entry {
            key: keys[number].as_ptr().cast_mut(),
            data: std::ptr::without_provenance_mut(number),
        };
        let mut table = [0usize; 2];
        println!("{} {}", hcreate_r(200, &raw mut table), hcreate(10));
        let mut random = Random::new(4);
        let mut group = Group::new("hsearch");
        for _ in 0..2000 {
            let number = random.below(200) as usize;
            let action = random.below(2) as c_int;
            let mut out = null_mut();
            let result = hsearch_r(entry(number), action, &raw mut out, &raw mut table);
            let data = if out.is_null() { 9999 } else { (*out).data.addr() };
            group.add(format_args!("{number} {action} {result} {data} {}", if result == 0 { errno() } else { 0 }));
        }
        group.end();
        hdestroy_r(&raw mut table);
        println!("{} {}", hsearch(entry(1), 1).is_null(), hsearch(entry(1), 0).is_null());
        println!("{} {}", hsearch(entry(2), 0).is_null(), errno());
        hdestroy();
        let mut elements: Vec<Element> =
            (0..4).map(|number| Element { next: null_mut(), previous: null_mut(), number }).collect();
        let at = elements.as_mut_ptr();
        insque(at.cast(), null_mut());
        insque(at.add(1), at);
        insque(at.add(2), at);
        insque(at.add(3), at.add(2));
        remque(at.add(2));
        let mut walk = at;
        while !walk.is_null() {
            println!(
                "element {} {}",
                (*walk).number,
                if (*walk).previous.is_null() { -1 } else { (*(*walk).previous).number }
            );
            walk = (*walk).next;
        }
    }
}

fn vectors() {
    let (mut argz, mut len) = (null_mut(), 0);
    let shown = |argz: *mut c_char, len: usize| {
        // SAFETY: the vector has that many bytes.
        let bytes = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(argz.cast::<u8>(), len) } };
        println!("{:?}", String::from_utf8_lossy(bytes));
    };
    // SAFETY: the vector is one of the library's all the time.
    unsafe {
        println!("{}", argz_create_sep(c":one::two:three:".as_ptr(), c_int::from(b':'), &raw mut argz, &raw mut len));
        shown(argz, len);
        println!("{}", argz_append(&raw mut argz, &raw mut len, c"four".as_ptr(), 5));
        println!("{}", argz_add(&raw mut argz, &raw mut len, c"five".as_ptr()));
        let second = argz_next(argz, len, argz_next(argz, len, null()));
        println!("{} {}", text(second), argz_count(argz, len));
        println!("{}", argz_insert(&raw mut argz, &raw mut len, second.add(1), c"new".as_ptr()));
        println!("{}", argz_insert(&raw mut argz, &raw mut len, null_mut(), c"last".as_ptr()));
        println!("{}", argz_insert(&raw mut argz, &raw mut len, argz.add(len), c"bad".as_ptr()));
        shown(argz, len);
        argz_delete(&raw mut argz, &raw mut len, argz);
        shown(argz, len);
        argz_stringify(argz, len, c_int::from(b','));
        shown(argz, len);
        libc::free(argz.cast());
        println!("{} {len}", argz_create_sep(c"::".as_ptr(), c_int::from(b':'), &raw mut argz, &raw mut len));
    }
}

fn numbers() {
    let mut group = Group::new("random");
    // SAFETY: states are big enough.
    unsafe {
        (0..100).for_each(|_| group.add(format_args!("{} {}", random(), libc::rand())));
        for seed in [0, 1, 2, 12345, u32::MAX] {
            srandom(seed);
            (0..100).for_each(|_| group.add(format_args!("{}", random())));
            libc::srand(seed);
            (0..100).for_each(|_| group.add(format_args!("{}", libc::rand())));
            let mut one = seed;
            (0..100).for_each(|_| group.add(format_args!("{} {one}", rand_r(&raw mut one))));
        }
        let mut blocks = [[0u64; 32]; 6];
        for (index, size) in [8, 32, 64, 128, 256, 40].into_iter().enumerate() {
            initstate(size as u32, blocks[index].as_mut_ptr().cast(), size);
            (0..50).for_each(|_| group.add(format_args!("{}", random())));
        }
        for block in &mut blocks {
            setstate(block.as_mut_ptr().cast());
            (0..50).for_each(|_| group.add(format_args!("{}", random())));
        }
        println!("{}", initstate(1, blocks[0].as_mut_ptr().cast(), 7).is_null());
        let mut state = [0usize; 6];
        let mut block = [0u64; 16];
        println!("{}", initstate_r(9, block.as_mut_ptr().cast(), 128, &raw mut state));
        for _ in 0..100 {
            let mut value = 0;
            random_r(&raw mut state, &raw mut value);
            group.add(format_args!("{value}"));
        }
        group.end();
        let mut group = Group::new("rand48");
        let mut words = [1, 2, 3];
        let mut all = |group: &mut Group| {
            for _ in 0..20 {
                group.add(format_args!("{:x} {} {}", drand48().to_bits(), lrand48(), mrand48()));
                let at = words.as_mut_ptr();
                group.add(format_args!("{:x} {} {}", erand48(at).to_bits(), nrand48(at), jrand48(at)));
            }
        };
        all(&mut group);
        srand48(-5);
        all(&mut group);
        let before = std::slice::from_raw_parts(seed48([7, 8, 9].as_mut_ptr()), 3).to_vec();
        group.add(format_args!("{before:?}"));
        all(&mut group);
        lcong48([1, 2, 3, 4, 5, 6, 7].as_mut_ptr());
        all(&mut group);
        group.end();
        for function in [ldiv, lldiv, imaxdiv] {
            let [a, b] = [function(-7, 2), function(c_long::MAX, -3)];
            println!("{} {} {} {}", a.quotient, a.remainder, b.quotient, b.remainder);
        }
        let mut bytes = [0u8; 64];
        arc4random_buf(bytes.as_mut_ptr().cast(), 64);
        println!("{} {}", bytes != [0; 64], (0..8).any(|_| arc4random() != 0));
        println!("{} {}", (0..1000).all(|_| arc4random_uniform(10) < 10), arc4random_uniform(1));
        let mut load = [-1.0; 3];
        println!("{} {}", getloadavg(load.as_mut_ptr(), 5), load.iter().all(|&load| load >= 0.0));
    }
}

fn main() {
    let dir = std::env::temp_dir().join(format!("conform-search-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("a directory of our own");
    std::env::set_current_dir(&dir).expect("it is there");
    files();
    globs();
    walks();
    directories();
    trees();
    tables();
    vectors();
    numbers();
    std::env::set_current_dir("/").expect("it is there");
    std::fs::remove_dir_all(&dir).expect("it is ours");
}
