//! Users, groups, shadow passwords, mount tables and login records, from files that the program makes.

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

unsafe extern "C" {
    fn fgetpwent(file: *mut libc::FILE) -> *mut libc::passwd;
    fn fgetpwent_r(
        file: *mut libc::FILE,
        out: *mut libc::passwd,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::passwd,
    ) -> c_int;
    fn putpwent(user: *const libc::passwd, file: *mut libc::FILE) -> c_int;
    fn fgetgrent(file: *mut libc::FILE) -> *mut libc::group;
    fn fgetgrent_r(
        file: *mut libc::FILE,
        out: *mut libc::group,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::group,
    ) -> c_int;
    fn putgrent(entry: *const libc::group, file: *mut libc::FILE) -> c_int;
    fn getpwent_r(out: *mut libc::passwd, buffer: *mut c_char, room: usize, result: *mut *mut libc::passwd) -> c_int;
    fn getgrent_r(out: *mut libc::group, buffer: *mut c_char, room: usize, result: *mut *mut libc::group) -> c_int;
    fn fgetspent(file: *mut libc::FILE) -> *mut libc::spwd;
    fn sgetspent(line: *const c_char) -> *mut libc::spwd;
    fn putspent(user: *const libc::spwd, file: *mut libc::FILE) -> c_int;
    fn fgetsgent(file: *mut libc::FILE) -> *mut Sgrp;
    fn sgetsgent(line: *const c_char) -> *mut Sgrp;
    fn putsgent(entry: *const Sgrp, file: *mut libc::FILE) -> c_int;
    fn utmpxname(path: *const c_char) -> c_int;
    fn updwtmpx(path: *const c_char, record: *const libc::utmpx);
    fn getutent_r(out: *mut libc::utmpx, result: *mut *mut libc::utmpx) -> c_int;
    fn cuserid(out: *mut c_char) -> *const c_char;
    fn ulckpwdf() -> c_int;
    fn getttyent() -> *const u8;
    fn getttynam(name: *const c_char) -> *const u8;
    fn setttyent() -> c_int;
    fn endttyent() -> c_int;
}

#[repr(C)]
struct Sgrp {
    name: *const c_char,
    password: *const c_char,
    admins: *const *const c_char,
    members: *const *const c_char,
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A file with this text, open for reading and writing.
fn file(text: &str) -> *mut libc::FILE {
    // SAFETY: the name is a string; the stream is checked.
    unsafe {
        let file = libc::tmpfile();
        assert!(!file.is_null(), "tmpfile");
        libc::fwrite(text.as_ptr().cast(), 1, text.len(), file);
        libc::rewind(file);
        file
    }
}

/// What is in a file, which is closed.
fn written(file: *mut libc::FILE) -> String {
    let mut out = vec![0u8; 4096];
    // SAFETY: the stream is open and ours.
    unsafe {
        libc::rewind(file);
        let len = libc::fread(out.as_mut_ptr().cast(), 1, out.len(), file);
        libc::fclose(file);
        out.truncate(len);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A string, or `null`.
fn text<'a>(pointer: *const c_char) -> &'a CStr {
    // SAFETY: what the library gave is a string or null.
    if pointer.is_null() { c"null" } else { unsafe { CStr::from_ptr(pointer) } }
}

/// A list of strings that ends in null.
fn list(mut at: *const *const c_char) -> Vec<String> {
    let mut out = Vec::new();
    // SAFETY: what the library gave is such a list.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            out.push(text(*at).to_string_lossy().into_owned());
            at = at.add(1);
        }
    }
    out
}

fn user(what: &str, user: &libc::passwd) {
    println!(
        "{what} {:?} {:?} {} {} {:?} {:?} {:?}",
        text(user.pw_name),
        text(user.pw_passwd),
        user.pw_uid,
        user.pw_gid,
        text(user.pw_gecos),
        text(user.pw_dir),
        text(user.pw_shell)
    );
}

fn group(what: &str, group: &libc::group) {
    println!(
        "{what} {:?} {:?} {} {:?}",
        text(group.gr_name),
        text(group.gr_passwd),
        group.gr_gid,
        list(group.gr_mem.cast())
    );
}

const USERS: &str = "# comment\n\nroot:x:0:0:root:/root:/bin/bash\n  ann:*:1000:100:Ann,,,:/home/ann:/bin/sh:more\nshort:x:5:6\n\
    bad:x:y:1:::\nbob:x:4294967295:7::/:\n:x:1:1:::\nlast:x:9:9:l:/l:/s";
const GROUPS: &str =
    "root:x:0:\nusers:x:100:ann, bob,,carl\nbroken\nnone:x::ann\n#c:x:1:\nmany:*:7:a,b,c,d,e,f,g,h,i,j,k,l,m\nlast:x:8";

fn users_and_groups() {
    // SAFETY: streams are open, buffers are ours and as long as is said.
    unsafe {
        let source = file(USERS);
        loop {
            let found = fgetpwent(source);
            if found.is_null() {
                break;
            }
            user("fgetpwent", &*found);
        }
        libc::rewind(source);
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        let mut buffer = [0; 256];
        println!(
            "small {} {}",
            fgetpwent_r(source, &mut entry, buffer.as_mut_ptr(), 10, &mut result),
            result.is_null()
        );
        println!("again {}", fgetpwent_r(source, &mut entry, buffer.as_mut_ptr(), 256, &mut result));
        user("fgetpwent_r", &entry);
        libc::fclose(source);

        let out = file("");
        println!("putpwent {}", putpwent(&entry, out));
        let mut odd = entry;
        odd.pw_gecos = c"a:b\nc".as_ptr().cast_mut();
        odd.pw_shell = std::ptr::null_mut();
        println!("putpwent {}", putpwent(&odd, out));
        odd.pw_dir = c"/a:b".as_ptr().cast_mut();
        println!("putpwent {} {}", putpwent(&odd, out), errno());
        print!("{}", written(out));

        let source = file(GROUPS);
        loop {
            let found = fgetgrent(source);
            if found.is_null() {
                break;
            }
            group("fgetgrent", &*found);
        }
        libc::rewind(source);
        let mut entry: libc::group = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        println!("small {}", fgetgrent_r(source, &mut entry, buffer.as_mut_ptr(), 8, &mut result));
        println!("again {}", fgetgrent_r(source, &mut entry, buffer.as_mut_ptr(), 256, &mut result));
        println!("next {}", fgetgrent_r(source, &mut entry, buffer.as_mut_ptr(), 256, &mut result));
        group("fgetgrent_r", &entry);
        let out = file("");
        println!("putgrent {}", putgrent(&entry, out));
        entry.gr_name = c"a:b".as_ptr().cast_mut();
        println!("putgrent {} {}", putgrent(&entry, out), errno());
        print!("{}", written(out));
        libc::fclose(source);
    }
}

/// What every system has: the superuser. And what none has.
fn lookups() {
    // SAFETY: as above.
    unsafe {
        println!("{:?} {:?}", text((*libc::getpwnam(c"root".as_ptr())).pw_name), text((*libc::getpwuid(0)).pw_name));
        println!("{:?} {:?}", text((*libc::getgrnam(c"root".as_ptr())).gr_name), text((*libc::getgrgid(0)).gr_name));
        println!("{} {}", libc::getpwnam(c"nobody-at-all".as_ptr()).is_null(), libc::getgrgid(4_000_000_001).is_null());
        let mut buffer = [0; 1024];
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        println!("{} {}", libc::getpwuid_r(0, &mut entry, buffer.as_mut_ptr(), 4, &mut result), result.is_null());
        println!(
            "{} {}",
            libc::getpwnam_r(c"root".as_ptr(), &mut entry, buffer.as_mut_ptr(), 1024, &mut result),
            result.is_null()
        );
        println!(
            "{} {}",
            libc::getpwnam_r(c"none!".as_ptr(), &mut entry, buffer.as_mut_ptr(), 1024, &mut result),
            result.is_null()
        );
        let mut found: libc::group = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        println!("{} {}", libc::getgrgid_r(0, &mut found, buffer.as_mut_ptr(), 1024, &mut result), result.is_null());
        println!(
            "{} {}",
            libc::getgrnam_r(c"root".as_ptr(), &mut found, buffer.as_mut_ptr(), 2, &mut result),
            result.is_null()
        );
        let mut groups = [99; 4];
        let mut count = 4;
        println!(
            "{} {count} {}",
            libc::getgrouplist(c"nobody-at-all".as_ptr(), 77, groups.as_mut_ptr(), &mut count),
            groups[0]
        );
        let mut count = 0;
        println!("{} {count}", libc::getgrouplist(c"nobody-at-all".as_ptr(), 77, groups.as_mut_ptr(), &mut count));
        libc::setpwent();
        println!("{:?}", text((*libc::getpwent()).pw_name));
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        libc::setpwent();
        println!("{} {:?}", getpwent_r(&mut entry, buffer.as_mut_ptr(), 1024, &mut result), text(entry.pw_name));
        libc::setpwent();
        let mut last = 0;
        while last == 0 {
            last = getpwent_r(&mut entry, buffer.as_mut_ptr(), 1024, &mut result);
        }
        println!("end {last} {}", libc::getpwent().is_null());
        libc::endpwent();
        libc::setgrent();
        println!("{:?}", text((*libc::getgrent()).gr_name));
        let mut result = std::ptr::null_mut();
        println!("{}", getgrent_r(&mut found, buffer.as_mut_ptr(), 1024, &mut result));
        libc::endgrent();
        println!("{:?}", text(cuserid(std::ptr::null_mut())));
        println!("{}", ulckpwdf());
    }
}

fn shadow() {
    // SAFETY: as above.
    unsafe {
        let show = |what: &str, found: *const libc::spwd| match found.as_ref() {
            None => println!("{what} none"),
            Some(user) => println!(
                "{what} {:?} {:?} {} {} {} {} {} {} {}",
                text(user.sp_namp),
                text(user.sp_pwdp),
                user.sp_lstchg,
                user.sp_min,
                user.sp_max,
                user.sp_warn,
                user.sp_inact,
                user.sp_expire,
                user.sp_flag
            ),
        };
        for line in [c"root:*:19000:0:99999:7:::", c"a:b:1:2:3:4:5:6:7", c"x::::::::", c"bad:x:y::::::", c"lonely"] {
            show("sgetspent", sgetspent(line.as_ptr()));
        }
        let source = file("# c\nann:!:1::::::\n");
        show("fgetspent", fgetspent(source));
        show("fgetspent", fgetspent(source));
        libc::fclose(source);
        let out = file("");
        println!("putspent {}", putspent(sgetspent(c"a:b:1:2:3:4:5:6:7".as_ptr()), out));
        println!("putspent {}", putspent(sgetspent(c"x::::::::".as_ptr()), out));
        print!("{}", written(out));
        let show = |what: &str, found: *const Sgrp| match found.as_ref() {
            None => println!("{what} none"),
            Some(group) => println!(
                "{what} {:?} {:?} {:?} {:?}",
                text(group.name),
                text(group.password),
                list(group.admins),
                list(group.members)
            ),
        };
        show("sgetsgent", sgetsgent(c"g:!:ann,bob:carl".as_ptr()));
        show("sgetsgent", sgetsgent(c"h:*::".as_ptr()));
        let source = file("g:!:a:b,c\n");
        let found = fgetsgent(source);
        show("fgetsgent", found);
        let out = file("");
        println!("putsgent {}", putsgent(found, out));
        print!("{}", written(out));
        libc::fclose(source);
    }
}

fn mounts() {
    const TABLE: &str = "# c\n/dev/sda1 / ext4 rw,noatime,data=x 1 2\nnone\\040x /a\\011b\\134c\\\\ tmpfs ro\n\n  sys /sys sysfs defaults 3\n";
    let path = scratch("mounts");
    std::fs::write(&path, TABLE).expect("a writable temporary directory");
    let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    // SAFETY: as above.
    unsafe {
        let table = libc::setmntent(name.as_ptr(), c"r+".as_ptr());
        loop {
            let found = libc::getmntent(table).as_ref();
            let Some(entry) = found else { break };
            println!(
                "{:?} {:?} {:?} {:?} {} {}",
                text(entry.mnt_fsname),
                text(entry.mnt_dir),
                text(entry.mnt_type),
                text(entry.mnt_opts),
                entry.mnt_freq,
                entry.mnt_passno
            );
            for option in [c"rw", c"noat", c"data", c"ro", c"noatime"] {
                let at = libc::hasmntopt(entry, option.as_ptr());
                println!("{option:?} {}", if at.is_null() { -1 } else { at.offset_from(entry.mnt_opts) });
            }
        }
        let new = libc::mntent {
            mnt_fsname: c"a b#c".as_ptr().cast_mut(),
            mnt_dir: c"/x\ty\\".as_ptr().cast_mut(),
            mnt_type: c"t".as_ptr().cast_mut(),
            mnt_opts: c"o".as_ptr().cast_mut(),
            mnt_freq: 5,
            mnt_passno: 6,
        };
        println!("addmntent {} endmntent {}", libc::addmntent(table, &new), libc::endmntent(table));
        println!("{} {}", libc::setmntent(c"/nowhere/at/all".as_ptr(), c"r".as_ptr()).is_null(), errno());
    }
    println!("{:?}", std::fs::read_to_string(&path).expect("our file").lines().last());
    std::fs::remove_file(&path).expect("our file");
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("conform-databases-{}-{name}", std::process::id()))
}

fn logins() {
    let path = scratch("utmp");
    std::fs::write(&path, "").expect("a writable temporary directory");
    let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    // SAFETY: as above; all-zero is a valid record.
    unsafe {
        let record = |kind: i16, id: u8, line: &[u8], user: &[u8]| {
            let mut record: libc::utmpx = std::mem::zeroed();
            record.ut_type = kind;
            record.ut_id[0] = id as c_char;
            for (to, from) in record.ut_line.iter_mut().zip(line) {
                *to = *from as c_char;
            }
            for (to, from) in record.ut_user.iter_mut().zip(user) {
                *to = *from as c_char;
            }
            record
        };
        println!("utmpxname {}", utmpxname(name.as_ptr()));
        libc::setutxent();
        for entry in [
            record(libc::USER_PROCESS, b'1', b"tty1", b"ann"),
            record(libc::LOGIN_PROCESS, b'2', b"tty2", b"LOGIN"),
            record(libc::USER_PROCESS, b'2', b"tty2", b"bob"),
        ] {
            println!("pututxline {}", !libc::pututxline(&entry).is_null());
        }
        updwtmpx(name.as_ptr(), &record(libc::BOOT_TIME, b'~', b"~", b"reboot"));
        libc::setutxent();
        while let Some(found) = libc::getutxent().as_ref() {
            println!(
                "getutxent {} {:?} {:?}",
                found.ut_type,
                text(found.ut_user.as_ptr()),
                text(found.ut_line.as_ptr())
            );
        }
        println!("end {}", errno());
        libc::setutxent();
        let found = libc::getutxid(&record(libc::DEAD_PROCESS, b'2', b"", b"")).as_ref();
        println!("getutxid {:?}", found.map(|found| text(found.ut_user.as_ptr())));
        println!("getutxid {} {}", libc::getutxid(&record(0, b'2', b"", b"")).is_null(), errno());
        libc::setutxent();
        let found = libc::getutxline(&record(0, 0, b"tty1", b"")).as_ref();
        println!("getutxline {:?}", found.map(|found| text(found.ut_user.as_ptr())));
        println!("getutxline {} {}", libc::getutxline(&record(0, 0, b"tty9", b"")).is_null(), errno());
        libc::setutxent();
        let mut out: libc::utmpx = std::mem::zeroed();
        let mut result = std::ptr::null_mut();
        println!("getutent_r {} {:?}", getutent_r(&mut out, &mut result), text(out.ut_user.as_ptr()));
        libc::endutxent();
        utmpxname(c"/nowhere/at/all".as_ptr());
        println!("none {} {}", libc::getutxent().is_null(), errno());
    }
    println!("{}", std::fs::metadata(&path).expect("our file").len());
    std::fs::remove_file(&path).expect("our file");
}

/// Debian has no table of terminals.
fn terminals() {
    // SAFETY: as above.
    unsafe {
        let none = getttynam(c"ttyS0".as_ptr()).is_null();
        println!("ttys {} {} {none} {}", setttyent(), getttyent().is_null(), endttyent());
    }
}

fn main() {
    users_and_groups();
    terminals();
    lookups();
    shadow();
    mounts();
    logins();
}
