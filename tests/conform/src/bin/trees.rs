//! Walks of fts.h over a tree of its own: what each step tells, with every option, instruction and error.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::ptr::{null, null_mut};

/// `FTSENT`.
#[repr(C)]
struct Entry {
    cycle: *mut Entry,
    parent: *mut Entry,
    link: *mut Entry,
    number: c_long,
    pointer: *mut c_void,
    access: *const c_char,
    path: *const c_char,
    errno: c_int,
    link_fd: c_int,
    path_len: u16,
    name_len: u16,
    inode: u64,
    device: u64,
    links: u64,
    level: i16,
    info: u16,
    flags: u16,
    instruction: u16,
    status: *mut libc::stat,
    name: [c_char; 1],
}

type Compare = unsafe extern "C" fn(*const *const Entry, *const *const Entry) -> c_int;

macro_rules! names {
    ($open:ident $read:ident $children:ident $set:ident $close:ident) => {
        unsafe extern "C" {
            fn $open(paths: *const *const c_char, options: c_int, compare: Option<Compare>) -> *mut c_void;
            fn $read(walk: *mut c_void) -> *mut Entry;
            fn $children(walk: *mut c_void, options: c_int) -> *mut Entry;
            fn $set(walk: *mut c_void, entry: *mut Entry, instruction: c_int) -> c_int;
            fn $close(walk: *mut c_void) -> c_int;
        }
    };
}
names!(fts_open fts_read fts_children fts_set fts_close);
names!(fts64_open fts64_read fts64_children fts64_set fts64_close);

const COMFOLLOW: c_int = 1;
const LOGICAL: c_int = 2;
const NOCHDIR: c_int = 4;
const NOSTAT: c_int = 8;
const PHYSICAL: c_int = 16;
const SEEDOT: c_int = 32;
const XDEV: c_int = 64;
const NAMEONLY: c_int = 0x100;
const INFO: [&str; 15] =
    ["0", "D", "DC", "DEFAULT", "DNR", "DOT", "DP", "ERR", "F", "INIT", "NS", "NSOK", "SL", "SLNONE", "W"];

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

unsafe fn text<'a>(at: *const c_char) -> &'a str {
    unsafe { CStr::from_ptr(at) }.to_str().unwrap()
}

unsafe fn name<'a>(entry: *const Entry) -> &'a str {
    unsafe { text((&raw const (*entry).name).cast()) }
}

unsafe extern "C" fn by_name(a: *const *const Entry, b: *const *const Entry) -> c_int {
    unsafe { name(*a).cmp(name(*b)) as c_int }
}

/// What there is to say of a step; whether the access path leads to the file that the walk looked at.
unsafe fn show(entry: *mut Entry, options: c_int) {
    unsafe {
        let it = &mut *entry;
        // With FTS_NOSTAT glibc leaves the pointer as it was.
        let looked = options & NOSTAT == 0;
        let mut own: libc::stat = std::mem::zeroed();
        let found = libc::lstat(it.access, &mut own) == 0;
        let same = found && (!looked || (*it.status).st_ino == own.st_ino);
        let size = if it.info == 8 && looked { (*it.status).st_size } else { -1 };
        // glibc sets the pointer for cycles only.
        let cycle = if it.info == 2 { name(it.cycle) } else { "-" };
        println!(
            "  {} {:?} {:?} level {} lengths {} {} errno {} cycle {cycle} size {size} found {found} {same} access {:?} number {} in {:?}",
            INFO[usize::from(it.info)],
            text(it.path),
            name(it),
            it.level,
            it.path_len,
            it.name_len,
            it.errno,
            text(it.access),
            it.number,
            name(it.parent),
        );
        it.number += 1;
    }
}

/// A walk: at each step `act` may do something.
unsafe fn walk(title: &str, paths: &[&str], options: c_int, mut act: impl FnMut(*mut c_void, *mut Entry)) {
    unsafe {
        println!("{title}");
        let paths: Vec<CString> = paths.iter().map(|path| CString::new(*path).unwrap()).collect();
        let list: Vec<*const c_char> = paths.iter().map(|path| path.as_ptr()).chain([null()]).collect();
        let walk = fts_open(list.as_ptr(), options, Some(by_name));
        if walk.is_null() {
            println!("  open: errno {}", errno());
            return;
        }
        for _ in 0..200 {
            let entry = fts_read(walk);
            if entry.is_null() {
                println!("  end: errno {}", errno());
                break;
            }
            show(entry, options);
            act(walk, entry);
        }
        println!("  close: {} here {}", fts_close(walk), Path::new("top").exists() as u8);
    }
}

unsafe fn children(walk: *mut c_void, options: c_int) {
    unsafe {
        let mut child = fts_children(walk, options);
        println!("   children {options:#x}: {} errno {}", !child.is_null(), errno());
        while !child.is_null() {
            let named = if options == 0 { INFO[usize::from((*child).info)] } else { "" };
            println!("    {:?} {named}", name(child));
            child = (*child).link;
        }
    }
}

fn tree() {
    fs::create_dir_all("top/a/deep/deeper").unwrap();
    fs::create_dir_all("top/empty").unwrap();
    fs::create_dir_all("top/gone").unwrap();
    fs::write("top/a/file", "12345").unwrap();
    fs::write("top/a/deep/deeper/x", "").unwrap();
    fs::write("top/z", "z").unwrap();
    symlink("../other", "top/link").unwrap();
    symlink("nowhere", "top/lost").unwrap();
    symlink("..", "top/a/up").unwrap();
    fs::create_dir_all("other/in").unwrap();
    fs::write("other/in/y", "yy").unwrap();
}

fn main() {
    let place = std::env::temp_dir().join(format!("trees-{}", std::process::id()));
    fs::create_dir_all(&place).unwrap();
    std::env::set_current_dir(&place).unwrap();
    tree();
    unsafe {
        for options in [PHYSICAL, LOGICAL, PHYSICAL | NOCHDIR, PHYSICAL | SEEDOT, PHYSICAL | NOSTAT, LOGICAL | NOSTAT] {
            walk(&format!("options {options:#x}"), &["top", "other/in/y", "missing"], options, |_, _| {});
        }
        walk(
            "order of the command line",
            &["top/z", "other/", "./top/a/deep", "/", ".."],
            PHYSICAL | XDEV,
            |walk, entry| {
                if (*entry).level == 0 && (*entry).info == 1 && !name(entry).starts_with("deep") {
                    println!("   set {}", fts_set(walk, entry, 4));
                }
            },
        );
        walk("links as arguments", &["top/link", "top/lost"], PHYSICAL, |_, _| {});
        walk("links as arguments followed", &["top/link", "top/lost"], PHYSICAL | COMFOLLOW, |_, _| {});
        walk("links followed on request", &["top"], PHYSICAL, |walk, entry| {
            if (*entry).info == 12 {
                println!("   set {}", fts_set(walk, entry, 2));
            }
        });
        let mut again = 0;
        walk("again, skipped, and wrong", &["top"], PHYSICAL, |walk, entry| {
            match name(entry) {
                "file" if again < 2 => {
                    again += 1;
                    fs::write("file", "1".repeat(again)).unwrap();
                    println!("   set {}", fts_set(walk, entry, 1));
                }
                "deep" => println!("   set {}", fts_set(walk, entry, 4)),
                "z" => println!("   set {} {} {}", fts_set(walk, entry, 5), errno(), fts_set(walk, entry, -1)),
                _ => {}
            };
        });
        walk("children", &["top"], PHYSICAL, |walk, entry| {
            children(walk, if name(entry) == "a" { NAMEONLY } else { 0 });
            if name(entry) == "empty" {
                children(walk, 7);
            }
        });
        walk("a child of the list is skipped, another followed", &["top"], PHYSICAL, |walk, entry| {
            if (*entry).info == 1 && (*entry).level == 0 {
                let mut child = fts_children(walk, 0);
                while !child.is_null() {
                    let instruction = match name(child) {
                        "a" | "z" => 4,
                        "link" => 2,
                        _ => 0,
                    };
                    fts_set(walk, child, instruction);
                    child = (*child).link;
                }
            }
        });
        walk("a directory that goes", &["top"], PHYSICAL, |_, entry| {
            if name(entry) == "gone" && (*entry).info == 1 {
                fs::remove_dir("gone").unwrap();
            }
        });
        walk("none", &["", "top"], PHYSICAL, |_, _| {});
        walk("no such option", &["top"], 0x1000 | PHYSICAL, |_, _| {});
        // Left in the middle, in a directory below.
        let list = [c"top".as_ptr(), null()];
        let middle = fts64_open(list.as_ptr(), PHYSICAL, Some(by_name));
        let first = fts64_children(middle, 0);
        println!("before the first: {:?} {}", name(first), (*first).link == null_mut());
        for _ in 0..4 {
            show(fts64_read(middle), PHYSICAL);
        }
        println!("{}", fts64_set(middle, fts64_read(middle), 0));
        println!("{} {}", fts64_close(middle), Path::new("top").exists());
        let deep = "d".repeat(40) + "/";
        let mut made = String::from("long/");
        for _ in 0..4 {
            made += &deep;
            fs::create_dir_all(&made).unwrap();
        }
        walk("long", &["long"], PHYSICAL, |_, _| {});
    }
    std::env::set_current_dir("/").unwrap();
    fs::remove_dir_all(&place).unwrap();
}
