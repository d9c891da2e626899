//! The dynamic loader: relocations of every kind, binding, scopes, constructors, search paths, `dlfcn.h`, and what is said of
//! files that cannot be loaded. The objects are made by hand ([`conform::elf`]) in a temporary folder.

use conform::elf::{self, File};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};

/// What `_dl_find_object` fills in.
#[repr(C)]
struct Unwind {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// `struct link_map`.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const c_void,
    next: *const LinkMap,
    previous: *const LinkMap,
}

unsafe extern "C" {
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
    fn dladdr1(at: *const c_void, info: *mut libc::Dl_info, extra: *mut *mut c_void, flags: c_int) -> c_int;
    fn dlinfo(handle: *mut c_void, request: c_int, argument: *mut c_void) -> c_int;
    fn _dl_find_object(at: *mut c_void, out: *mut Unwind) -> c_int;
}

const NOW: c_int = libc::RTLD_NOW;
const LAZY: c_int = libc::RTLD_LAZY;
const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

struct Dir(PathBuf);

impl Dir {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.0.display())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().expect("a folder")).expect("mkdir");
        fs::write(&path, bytes).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// A text without the folder's name.
    fn clean(&self, text: &str) -> String {
        text.replace(&self.0.display().to_string(), "DIR")
    }

    fn error(&self) -> String {
        // SAFETY: null or a string.
        let error = unsafe { libc::dlerror() };
        if error.is_null() { "none".into() } else { self.clean(&unsafe { CStr::from_ptr(error) }.to_string_lossy()) }
    }

    fn open(&self, name: &str, flags: c_int) -> *mut c_void {
        let text = CString::new(name).expect("no NUL");
        // SAFETY: the objects are ours.
        unsafe { libc::dlopen(text.as_ptr(), flags) }
    }

    /// Opens, and says how it went.
    fn tell(&self, name: &str, flags: c_int) -> *mut c_void {
        let handle = self.open(name, flags);
        println!("{} {flags:#x}: {} ({})", self.clean(name), !handle.is_null(), self.error());
        handle
    }

    /// Calls a function of an object.
    fn call(&self, handle: *mut c_void, name: &str) -> i64 {
        let text = CString::new(name).expect("no NUL");
        // SAFETY: functions of our objects take nothing and return a number.
        unsafe {
            let function = libc::dlsym(handle, text.as_ptr());
            if function.is_null() {
                println!("{name}: {}", self.error());
                return -1;
            }
            std::mem::transmute::<*mut c_void, extern "C" fn() -> i64>(function)()
        }
    }

    fn run(&self, path: &str, environment: &[(&str, &str)]) {
        let mut command = Command::new(path);
        command.env_clear().envs(environment.iter().copied());
        match command.output() {
            Ok(output) => {
                let text = |bytes: &[u8]| self.clean(&String::from_utf8_lossy(bytes));
                println!(
                    "{} {environment:?}: {:?}",
                    self.clean(path),
                    output.status.code(),
                    environment = environment
                        .iter()
                        .map(|(name, value)| format!("{name}={}", self.clean(value)))
                        .collect::<Vec<_>>()
                );
                print!("{}{}", text(&output.stdout), text(&output.stderr));
            }
            Err(error) => println!("{}: {error}", self.clean(path)),
        }
    }
}

fn close(handle: *mut c_void) -> c_int {
    // SAFETY: a handle of dlopen's.
    unsafe { libc::dlclose(handle) }
}

/// What is said of files that are no libraries.
fn strangers(dir: &Dir) {
    let mut file = File::new();
    file.constant("one", 1);
    let good = file.finish();
    let change = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        dir.tell(&dir.put(name, &file), NOW);
    };
    change("magic.so", 0, b"\x7fELG");
    change("class.so", 4, &[1]);
    change("order.so", 5, &[2]);
    change("ident.so", 6, &[2]);
    change("os.so", 7, &[99]);
    change("abi.so", 8, &[9]);
    change("padding.so", 10, &[1]);
    change("version.so", 20, &[2]);
    change("machine.so", 18, &[40, 0]);
    change("core.so", 16, &[4, 0]);
    change("object.so", 16, &[1, 0]);
    change("fixed.so", 16, &[2, 0]);
    change("phentsize.so", 54, &[32, 0]);
    // The dynamic section's header is the fifth.
    change("static.so", 64 + 56 * 4, &[0, 0, 0, 0]);
    change("align.so", 64 + 56 + 48, &[0, 1]);
    change("offset.so", 64 + 56 * 2 + 8, &[8]);
    dir.tell(&dir.put("empty.so", b""), NOW);
    dir.tell(&dir.put("short.so", &good[..40]), NOW);
    dir.tell(&dir.put("script.so", &b"#!/bin/sh\necho hello\n".repeat(9)), NOW);
    dir.tell(&dir.path("."), NOW);
    dir.tell(&dir.path("missing.so"), NOW);
    dir.tell("libmissing.so.3", NOW);
    dir.tell("libmissing.so.3", 0);
    dir.tell("libmissing.so.3", 0x100_0000);
    dir.tell("libmissing.so.3", NOW | libc::RTLD_NOLOAD);
    let mut file = File::new();
    file.needed.push("libmissing.so.4".into());
    dir.tell(&dir.put("needs.so", &file.finish()), NOW);
    let mut file = File::new();
    file.needed.push("libc.so.6".into());
    file.got("nobody_has_this");
    dir.tell(&dir.put("lacks.so", &file.finish()), LAZY);
    let mut file = File::new();
    file.needed.push("libc.so.6".into());
    file.refer("getpid", false, Some(("libc.so.6", "GLIBC_2.99")));
    file.got("getpid");
    let path = dir.put("newer.so", &file.finish());
    let handle = dir.open(&path, NOW);
    // The path of libc differs.
    let error = dir.error();
    println!("newer: {} {}", handle.is_null(), error.split_once(": ").map_or("", |(_, text)| text));
}

/// Relocations that need no other object, and the two hash tables.
fn relocations(dir: &Dir) {
    for old_hash in [false, true] {
        let mut file = File::new();
        file.old_hash = old_hash;
        let number = file.word(0x1234_5678_9abc);
        file.define("number", elf::OBJECT, number, 8);
        let got = file.got("number");
        file.fetch("by_got", got);
        let pointer = file.word(0);
        file.relocate(pointer, elf::R_64, "number", 0);
        file.fetch("by_64", pointer);
        let pointer = file.word(0);
        file.relocate(pointer, elf::R_RELATIVE, "", number);
        file.fetch("by_relative", pointer);
        // Two words for DT_RELR: the first by its address, the second by a bitmap.
        let pointers = [file.word(number), file.word(number)];
        file.relr = vec![pointers[0], 0b11];
        file.fetch("by_relr", pointers[0]);
        file.fetch("by_relr_map", pointers[1]);
        let weak = file.word(5);
        file.refer("nobody_has_this", true, None);
        file.relocate(weak, elf::R_GLOB_DAT, "nobody_has_this", 0);
        let at = file.here();
        file.relative(&[0x48, 0x8b, 0x05], weak).code(&[0xc3]);
        file.define("by_weak", elf::FUNCTION, at, 8);
        // An indirect function: its resolver returns the address of another.
        let target = file.constant("", 77);
        let resolver = file.here();
        file.relative(&[0x48, 0x8d, 0x05], target).code(&[0xc3]);
        file.define("indirect", elf::INDIRECT, resolver, 8);
        let slot = file.word(0);
        file.relocate(slot, elf::R_IRELATIVE, "", resolver);
        file.forward("by_irelative", slot);
        let slot = file.got("indirect");
        file.forward("by_ifunc", slot);
        let handle = dir.tell(&dir.put(&format!("relocations{old_hash}.so"), &file.finish()), NOW);
        for name in [
            "by_got",
            "by_64",
            "by_relative",
            "by_relr",
            "by_relr_map",
            "by_weak",
            "indirect",
            "by_irelative",
            "by_ifunc",
        ] {
            println!("{name}: {:x}", dir.call(handle, name));
        }
        dir.call(handle, "absent");
        println!("close {} {}", close(handle), dir.error());
    }
}

/// Thread-local variables by each access model, in two threads.
fn thread_locals(dir: &Dir) {
    for model in ["general", "initial", "descriptor"] {
        let mut file = File::new();
        file.thread_local("padding", 1);
        file.thread_local("variable", 40);
        let at = file.here();
        match model {
            "general" => {
                let index = file.word(0);
                file.word(0);
                file.relocate(index, elf::R_DTPMOD64, "variable", 0);
                file.relocate(index + 8, elf::R_DTPOFF64, "variable", 0);
                let address = file.got("__tls_get_addr");
                // sub rsp, 8; lea rdi, [index]; call __tls_get_addr; add rsp, 8; add qword [rax], 1; mov rax, [rax]; ret
                let at = file.here();
                file.code(&[0x48, 0x83, 0xec, 8]).relative(&[0x48, 0x8d, 0x3d], index).relative(&[0xff, 0x15], address);
                file.code(&[0x48, 0x83, 0xc4, 8, 0x48, 0x83, 0x00, 1, 0x48, 0x8b, 0x00, 0xc3]);
                file.define("next", elf::FUNCTION, at, 30);
            }
            _ => {
                let offset = file.word(0);
                file.word(0);
                if model == "initial" {
                    file.tags.push((elf::DT_FLAGS, 0x10));
                    file.relocate(offset, elf::R_TPOFF64, "variable", 0);
                    file.relative(&[0x48, 0x8b, 0x05], offset);
                } else {
                    file.relocate(offset, elf::R_TLSDESC, "variable", 0);
                    file.code(&[0x48, 0x83, 0xec, 8]).relative(&[0x48, 0x8d, 0x05], offset).code(&[0xff, 0x10]);
                    file.code(&[0x48, 0x83, 0xc4, 8]);
                }
                // add qword fs:[rax], 1; mov rax, fs:[rax]; ret
                file.code(&[0x64, 0x48, 0x83, 0x00, 1, 0x64, 0x48, 0x8b, 0x00, 0xc3]);
                file.define("next", elf::FUNCTION, at, 30);
            }
        }
        let handle = dir.tell(&dir.put(&format!("{model}.so"), &file.finish()), NOW) as usize;
        let count = || (dir.call(handle as *mut c_void, "next"), dir.call(handle as *mut c_void, "next"));
        println!("{model}: {:?}", count());
        std::thread::scope(|scope| println!("{model}, other thread: {:?}", scope.spawn(count).join()));
        println!("{model}: {:?}", count());
        // SAFETY: a thread-local symbol's address is this thread's variable.
        unsafe {
            println!("{model}, dlsym: {}", *libc::dlsym(handle as *mut c_void, c"variable".as_ptr()).cast::<u64>())
        };
        let mut module = 0usize;
        // SAFETY: RTLD_DI_TLS_MODID fills in a word.
        unsafe { println!("dlinfo {} {}", dlinfo(handle as *mut c_void, 9, (&raw mut module).cast()), module > 0) };
    }
}

/// Calls bound lazily and at once, with arguments in every kind of register.
fn binding(dir: &Dir) {
    for (name, flags, tags) in [
        ("lazy.so", LAZY, vec![]),
        ("now.so", NOW, vec![]),
        ("flagged.so", LAZY, vec![(elf::DT_FLAGS, 8), (elf::DT_FLAGS_1, 1)]),
    ] {
        let mut file = File::new();
        file.needed.push("libc.so.6".into());
        file.needed.push("libm.so.6".into());
        file.tags = tags;
        file.forward_lazily("number", "atoi");
        file.forward_lazily("print", "snprintf");
        file.forward_lazily("power", "pow");
        let handle = dir.tell(&dir.put(name, &file.finish()), flags);
        // SAFETY: the types are those of the C functions.
        unsafe {
            let symbol = |name: &CStr| libc::dlsym(handle, name.as_ptr());
            let power: extern "C" fn(f64, f64) -> f64 = std::mem::transmute(symbol(c"power"));
            let number: extern "C" fn(*const c_char) -> c_int = std::mem::transmute(symbol(c"number"));
            type Print = unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int;
            let print: Print = std::mem::transmute(symbol(c"print"));
            for _ in 0..2 {
                let mut text = [0 as c_char; 200];
                let len = print(
                    text.as_mut_ptr(),
                    text.len(),
                    c"%d %d %d %s %g %g %g %g %g %g %g %g %g".as_ptr(),
                    1 as c_int,
                    2 as c_int,
                    3 as c_int,
                    c"four".as_ptr(),
                    0.5f64,
                    1.5f64,
                    2.5f64,
                    3.5f64,
                    4.5f64,
                    5.5f64,
                    6.5f64,
                    7.5f64,
                    8.5f64,
                );
                println!("{len} {:?} {} {}", CStr::from_ptr(text.as_ptr()), number(c"-42".as_ptr()), power(2.0, 0.5));
            }
        }
        close(handle);
    }
    // A call of what nobody has: only who binds at once is told.
    let mut file = File::new();
    file.forward_lazily("call", "nobody_has_this");
    file.constant("fine", 3);
    let path = dir.put("unbound.so", &file.finish());
    dir.tell(&path, NOW);
    let handle = dir.tell(&path, LAZY);
    println!("fine {}", dir.call(handle, "fine"));
    // Many threads make the first call at the same time.
    let mut file = File::new();
    file.needed.push("libc.so.6".into());
    for name in ["getpid", "getppid", "isatty"] {
        file.forward_lazily(&format!("own_{name}"), name);
    }
    file.forward_lazily("same", "toupper");
    let handle = dir.tell(&dir.put("threads.so", &file.finish()), LAZY) as usize;
    // SAFETY: the type is toupper's.
    let same: extern "C" fn(c_int) -> c_int =
        unsafe { std::mem::transmute(libc::dlsym(handle as *mut c_void, c"same".as_ptr())) };
    let sum: c_int = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|index| scope.spawn(move || same(97 + index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    println!("threads {sum}");
}

/// Who sees whose symbols.
fn scopes(dir: &Dir) {
    let define = |name: &str, value: u32| {
        let mut file = File::new();
        file.constant("who", value);
        file.constant(&format!("only{value}"), value);
        dir.put(name, &file.finish())
    };
    let (first, second) = (define("first.so", 1), define("second.so", 2));
    let user = |name: &str, needed: &[&str], tags: Vec<(u64, u64)>| {
        let mut file = File::new();
        file.needed = needed.iter().map(|name| dir.path(name)).collect();
        file.tags = tags;
        file.constant("mine", 9);
        file.forward_lazily("ask", "who");
        dir.put(name, &file.finish())
    };
    user("alone.so", &[], vec![]);
    dir.tell(&dir.path("alone.so"), NOW);
    let one = dir.tell(&first, NOW);
    dir.tell(&dir.path("alone.so"), NOW);
    let global = dir.tell(&first, NOW | libc::RTLD_GLOBAL | libc::RTLD_NOLOAD);
    println!("same handle {}", one == global);
    let alone = dir.tell(&dir.path("alone.so"), NOW);
    println!("alone asks {}", dir.call(alone, "ask"));
    for (name, flags) in [("plain.so", 0), ("deep.so", libc::RTLD_DEEPBIND)] {
        user(name, &["second.so"], vec![]);
        let handle = dir.tell(&dir.path(name), LAZY | flags);
        println!("{name} asks {}, has {}", dir.call(handle, "ask"), dir.call(handle, "who"));
        println!("by handle {} {}", dir.call(handle, "only2"), dir.call(handle, "only1"));
    }
    println!("default {} {}", dir.call(null_mut(), "only1"), dir.call(null_mut(), "only2"));
    // RTLD_NEXT, asked by a library: mov rdi, -1; lea rsi, [name]; call dlsym; call rax
    let mut file = File::new();
    file.needed.push(second);
    file.needed.push("libc.so.6".into());
    let (dlsym, name) = (file.got("dlsym"), file.bytes(b"who\0"));
    file.constant("who", 3);
    let at = file.here();
    file.code(&[0x48, 0x83, 0xec, 8, 0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff]).relative(&[0x48, 0x8d, 0x35], name);
    file.relative(&[0xff, 0x15], dlsym).code(&[0xff, 0xd0, 0x48, 0x83, 0xc4, 8, 0xc3]);
    file.define("next", elf::FUNCTION, at, 40);
    let handle = dir.tell(&dir.put("next.so", &file.finish()), NOW);
    println!("next {}", dir.call(handle, "next"));
    // SAFETY: names and versions are strings.
    unsafe {
        println!("{}", libc::dlsym(handle, c"absent".as_ptr()).is_null());
        println!("{}", dir.error());
        println!("{} {}", dlvsym(handle, c"who".as_ptr(), c"NONE_1".as_ptr()).is_null(), dir.error());
        println!("{} {}", dlvsym(handle, c"getpid".as_ptr(), c"GLIBC_2.2.5".as_ptr()).is_null(), dir.error());
        println!("{} {}", libc::dlsym(libc::RTLD_DEFAULT, c"getpid".as_ptr()).is_null(), dir.error());
    }
}

/// Constructors and destructors: order, cycles, reference counts.
fn lifetimes(dir: &Dir) {
    let make = |name: &'static str, needed: &[&str]| {
        let mut file = File::new();
        file.needed = needed.iter().map(|name| dir.path(name)).collect();
        file.needed.push("libc.so.6".into());
        for turn in 1..=2 {
            let begin = file.say(&format!("begin {name} {turn}\n"));
            let end = file.say(&format!("end {name} {turn}\n"));
            file.constructors.push(begin);
            // In which order a ring comes down is nobody's promise.
            if !name.starts_with("ring") {
                file.destructors.push(end);
            }
        }
        dir.put(name, &file.finish())
    };
    make("leaf.so", &[]);
    make("left.so", &["leaf.so"]);
    make("right.so", &["leaf.so"]);
    let top = make("top.so", &["left.so", "right.so"]);
    let handle = dir.tell(&top, NOW);
    let again = dir.tell(&top, NOW);
    let leaf = dir.tell(&dir.path("leaf.so"), LAZY);
    println!("same {}", handle == again);
    println!("close {} {}", close(handle), close(again));
    println!("leaf is there: {}", !dir.open(&dir.path("leaf.so"), NOW | libc::RTLD_NOLOAD).is_null());
    println!("left is there: {}", !dir.open(&dir.path("left.so"), NOW | libc::RTLD_NOLOAD).is_null());
    println!("close {} {}", close(leaf), close(leaf));
    println!("leaf is there: {}", !dir.open(&dir.path("leaf.so"), NOW | libc::RTLD_NOLOAD).is_null());
    make("ring1.so", &["ring2.so"]);
    make("ring2.so", &["ring3.so"]);
    make("ring3.so", &["ring1.so"]);
    let ring = dir.tell(&dir.path("ring1.so"), NOW);
    println!("close {}", close(ring));
    println!("ring3 is there: {}", !dir.open(&dir.path("ring3.so"), NOW | libc::RTLD_NOLOAD).is_null());
    let stays = make("stays.so", &[]);
    let handle = dir.tell(&stays, NOW | libc::RTLD_NODELETE);
    println!("close {}", close(handle));
    println!("stays is there: {}", !dir.open(&stays, NOW | libc::RTLD_NOLOAD).is_null());
}

/// What is known about objects.
fn knowledge(dir: &Dir) {
    let counts = || {
        unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, out: *mut c_void) -> c_int {
            // SAFETY: `out` is the tuple below.
            unsafe { *out.cast::<(u64, u64)>() = ((*info).dlpi_adds, (*info).dlpi_subs) };
            7
        }
        let mut counts = (0u64, 0u64);
        // SAFETY: as above.
        let result = unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut counts).cast()) };
        (result, counts)
    };
    let mut file = File::new();
    let at = file.constant("known", 5);
    let path = dir.put("known.so", &file.finish());
    let before = counts();
    let handle = dir.tell(&path, NOW);
    let after = counts();
    println!("iterate {} adds {} subs {}", after.0, after.1.0 - before.1.0, after.1.1 - before.1.1);
    // SAFETY: each call gets what its manual page says.
    unsafe {
        let known = libc::dlsym(handle, c"known".as_ptr());
        let mut info: libc::Dl_info = std::mem::zeroed();
        println!("dladdr {}", libc::dladdr(known.byte_add(2), &mut info));
        let text = |text: *const c_char| {
            if text.is_null() { "none".into() } else { dir.clean(&CStr::from_ptr(text).to_string_lossy()) }
        };
        println!("{} {} {}", text(info.dli_fname), text(info.dli_sname), info.dli_saddr == known);
        println!("base {}", known.addr() - info.dli_fbase.addr() == at as usize);
        println!("outside {} {}", libc::dladdr(known.byte_add(6), &mut info), text(info.dli_sname));
        println!("nowhere {}", libc::dladdr(null(), &mut info));
        let mut extra = null_mut();
        println!("dladdr1 {}", dladdr1(known, &mut info, &mut extra, 1));
        let symbol = extra.cast::<libc::Elf64_Sym>();
        println!("symbol {} {}", (*symbol).st_size, (*symbol).st_value == at);
        println!("dladdr1 {} {}", dladdr1(known, &mut info, &mut extra, 2), extra == handle);
        let mut map: *const LinkMap = null();
        println!("dlinfo {}", dlinfo(handle, 2, (&raw mut map).cast()));
        println!("{} {}", text((*map).name), (*map).base + at as usize == known.addr());
        println!("links {} {}", (*map).next.is_null(), (*(*map).previous).next == map);
        println!("dynamic {}", !(*map).dynamic.is_null());
        let mut origin = [0 as c_char; 4096];
        println!("dlinfo {} {}", dlinfo(handle, 6, origin.as_mut_ptr().cast()), text(origin.as_ptr()));
        let mut namespace = 5isize;
        println!("dlinfo {} {namespace}", dlinfo(handle, 1, (&raw mut namespace).cast()));
        let mut phdrs: *const libc::Elf64_Phdr = null();
        println!("dlinfo {} {}", dlinfo(handle, 11, (&raw mut phdrs).cast()), (*phdrs).p_type);
        println!("dlinfo {} {}", dlinfo(handle, 99, null_mut()), dir.error());
        let mut unwind: Unwind = std::mem::zeroed();
        let here = knowledge as *const () as *mut c_void;
        println!("find {} {}", _dl_find_object(here, &mut unwind), unwind.start <= here && here < unwind.end);
        println!("flags {} {}", unwind.flags, !unwind.link_map.is_null() && !unwind.eh_frame.is_null());
        println!("find nothing {} {:?}", _dl_find_object(null_mut(), &mut unwind), unwind.reserved);
    }
    let before = counts();
    close(handle);
    let after = counts();
    println!("adds {} subs {}", after.1.0 - before.1.0, after.1.1 - before.1.1);
    println!("{:?} {}", dir.open(&path, NOW | libc::RTLD_NOLOAD), dir.error());
}

/// Where libraries are looked for; programs of our own, and how they fail to start.
fn programs(dir: &Dir) {
    let library = |name: &str, value: u32| {
        let mut file = File::new();
        file.constant("value", value);
        file.soname = Some("libvalue.so");
        let constructor = file.constant("", 0);
        file.constructors.push(constructor);
        let number = file.word(u64::from(value) + 100);
        file.define("number", elf::OBJECT, number, 8);
        dir.put(name, &file.finish());
    };
    library("a/libvalue.so", 1);
    library("b/libvalue.so", 2);
    library("c/libvalue.so", 3);
    let program = |name: &str, fixed: bool, needed: &[&str], set: &dyn Fn(&mut File)| {
        let mut file = File::new();
        file.fixed = fixed;
        file.interpreter = Some(INTERPRETER);
        file.needed = needed.iter().map(|name| (*name).to_owned()).collect();
        file.needed.push("libc.so.6".into());
        file.forward_lazily("main", "value");
        let main = file.here() - 16;
        file.start(main);
        set(&mut file);
        dir.put(name, &file.finish())
    };
    let needed: &[&str] = &["libvalue.so"];
    let plain = program("plain", false, needed, &|_| ());
    let runpath = program("runpath", false, needed, &|file| file.runpath = Some("$ORIGIN/a".into()));
    let rpath = program("rpath", false, needed, &|file| file.rpath = Some("/nowhere:${ORIGIN}/a".into()));
    let both = program("both", true, needed, &|file| {
        file.rpath = Some("$ORIGIN/a".into());
        file.runpath = Some("$ORIGIN/b".into());
    });
    let third = dir.path("c");
    let bind_now = ("LD_BIND_NOW", "1");
    for path in [&plain, &runpath, &rpath, &both] {
        dir.run(path, &[]);
        dir.run(path, &[("LD_LIBRARY_PATH", &third)]);
    }
    dir.run(&plain, &[("LD_LIBRARY_PATH", &format!("/nowhere;{third}")), bind_now]);
    dir.run(&runpath, &[("LD_PRELOAD", &dir.path("b/libvalue.so"))]);
    dir.run(&runpath, &[("LD_PRELOAD", "libmissing.so")]);
    for what in ["libs,files", "bindings", "reloc"] {
        let path = ("LD_LIBRARY_PATH", third.as_str());
        let output = Command::new(&plain).env_clear().envs([path, ("LD_DEBUG", what)]).output().expect("it exists");
        println!("LD_DEBUG={what} {:?}", output.status.code());
        // Only our files: glibc looks for its libc elsewhere, and in folders for each kind of processor.
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            let line = dir.clean(line.split_once(":\t").map_or(line, |(_, text)| text));
            let ours =
                line.contains("DIR/plain") || line.contains("DIR/c/libvalue.so") || line.contains("library=libvalue");
            if ours
                && !line.contains("program:")
                && !line.contains("control:")
                && !line.contains("needed")
                && !line.contains("__libc_start_main")
                && !line.contains("libc.so.6")
                && !line.contains("fini: DIR/plain")
            {
                println!("{line}");
            }
        }
    }
    // A library asks; the program's DT_RPATH counts, its DT_RUNPATH does not.
    let mut file = File::new();
    file.needed.push("libvalue.so".into());
    dir.put("a/libmiddle.so", &file.finish());
    dir.run(&program("chain", false, &["libmiddle.so"], &|file| file.rpath = Some("$ORIGIN/a".into())), &[]);
    dir.run(&program("nochain", false, &["libmiddle.so"], &|file| file.runpath = Some("$ORIGIN/a".into())), &[]);
    // A copy relocation: the library's own variable is then the program's.
    let copy = program("copy", true, needed, &|file| {
        file.runpath = Some("$ORIGIN/b".into());
        let place = file.word(0);
        file.define("number", elf::OBJECT, place, 8);
        file.relocate(place, elf::R_COPY, "number", 0);
        let main = file.here();
        file.relative(&[0x48, 0x8b, 0x05], place).code(&[0xc3]);
        file.start(main);
    });
    dir.run(&copy, &[]);
    // What is missing.
    let lacks = program("lacks", false, &[], &|_| ());
    dir.run(&lacks, &[]);
    dir.run(&lacks, &[bind_now]);
    let data = program("lacksdata", true, &[], &|file| _ = file.got("nobody_has_this"));
    dir.run(&data, &[]);
    let orphan = program("orphan", false, needed, &|file| file.interpreter = Some("/nowhere/ld.so"));
    dir.run(&orphan, &[]);
}

fn main() {
    let root = std::env::var("TMPDIR").unwrap_or_else(|_| "/tmp".into());
    let root = fs::canonicalize(root).expect("a folder for temporary files");
    let dir = Dir(root.join(format!("loader-{}", std::process::id())));
    fs::create_dir(&dir.0).expect("mkdir");
    strangers(&dir);
    relocations(&dir);
    thread_locals(&dir);
    binding(&dir);
    scopes(&dir);
    lifetimes(&dir);
    knowledge(&dir);
    programs(&dir);
    fs::remove_dir_all(&dir.0).expect("rm");
}
