//! Extended attributes (xattr(7)) of a file, a folder, a descriptor and a link. On a file system without them every call says so, and that is
//! told as agreement: what is printed is whether each answer is one of the two.

use libc::*;
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

fn errno() -> i32 {
    // SAFETY: the thread's own word.
    unsafe { *__errno_location() }
}

/// Judges calls against what the manual pages say.
struct Judge {
    supported: bool,
}

impl Judge {
    /// The call's value, or −errno, as expected; or EOPNOTSUPP where there are no attributes.
    fn expect(&self, what: &str, result: isize, wanted: isize) {
        let got = if result == -1 { -(errno() as isize) } else { result };
        let right = if self.supported { got == wanted } else { got == -(EOPNOTSUPP as isize) };
        println!("{what}: {}", if right { "right".into() } else { format!("{got}, not {wanted}") });
    }
}

fn main() {
    let dir = CString::new(format!("/tmp/ochre-conform-xattrs-{}", std::process::id())).unwrap();
    let name = c"user.colour".as_ptr();
    let other = c"user.empty".as_ptr();
    let value = c"ochre";
    let mut room = [0u8; 64];
    let out = room.as_mut_ptr();
    // SAFETY: paths below our own folder, values and rooms with their sizes.
    unsafe {
        assert_eq!(mkdir(dir.as_ptr(), 0o700), 0);
        assert_eq!(chdir(dir.as_ptr()), 0);
        let fd = open(c"file".as_ptr(), O_CREAT | O_RDWR, 0o600);
        assert!(fd >= 0);
        symlink(c"file".as_ptr(), c"link".as_ptr());
        let file = c"file".as_ptr();
        let probe = setxattr(file, c"user.probe".as_ptr(), null(), 0, 0);
        let judge = Judge { supported: probe == 0 || errno() != EOPNOTSUPP };
        if judge.supported {
            removexattr(file, c"user.probe".as_ptr());
        }
        judge.expect("list nothing", listxattr(file, null_mut(), 0), 0);
        judge.expect("get nothing", getxattr(file, name, null_mut(), 0), -(ENODATA as isize));
        judge.expect("remove nothing", removexattr(file, name) as isize, -(ENODATA as isize));
        judge.expect(
            "replace nothing",
            setxattr(file, name, value.as_ptr().cast(), 5, XATTR_REPLACE) as isize,
            -(ENODATA as isize),
        );
        judge.expect("create", setxattr(file, name, value.as_ptr().cast(), 5, XATTR_CREATE) as isize, 0);
        judge.expect(
            "create again",
            setxattr(file, name, value.as_ptr().cast(), 5, XATTR_CREATE) as isize,
            -(EEXIST as isize),
        );
        judge.expect("size", getxattr(file, name, null_mut(), 0), 5);
        judge.expect("short", getxattr(file, name, out.cast(), 3), -(ERANGE as isize));
        judge.expect("get", getxattr(file, name, out.cast(), 64), 5);
        println!("value {}", !judge.supported || &room[..5] == b"ochre");
        judge.expect("fget", fgetxattr(fd, name, out.cast(), 64), 5);
        judge.expect("through a link", getxattr(c"link".as_ptr(), name, out.cast(), 64), 5);
        judge.expect("empty", fsetxattr(fd, other, null(), 0, 0) as isize, 0);
        judge.expect("get empty", getxattr(file, other, out.cast(), 64), 0);
        judge.expect("list", flistxattr(fd, out.cast(), 64), 23);
        if judge.supported {
            let mut names: Vec<_> = room[..23].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
            names.sort();
            assert_eq!(names, [&b"user.colour"[..], b"user.empty"]);
        }
        judge.expect("list short", listxattr(file, out.cast(), 5), -(ERANGE as isize));
        judge.expect("list link", listxattr(c"link".as_ptr(), out.cast(), 64), 23);
        println!("llist {}", llistxattr(c"link".as_ptr(), out.cast(), 64) <= 0);
        // Only files and folders have attributes of users.
        let result = lsetxattr(c"link".as_ptr(), name, value.as_ptr().cast(), 5, 0);
        println!("lset {result} {}", errno() == EPERM || !judge.supported);
        let result = lgetxattr(c"link".as_ptr(), name, out.cast(), 64);
        println!("lget {result} {}", matches!(errno(), EPERM | ENODATA) || !judge.supported);
        let result = lremovexattr(c"link".as_ptr(), name);
        println!("lremove {result} {}", matches!(errno(), EPERM | ENODATA) || !judge.supported);
        judge.expect("folder", setxattr(c".".as_ptr(), name, value.as_ptr().cast(), 5, 0) as isize, 0);
        let long = CString::new(format!("user.{}", "x".repeat(300))).unwrap();
        judge.expect(
            "long name",
            setxattr(file, long.as_ptr(), value.as_ptr().cast(), 5, 0) as isize,
            -(ERANGE as isize),
        );
        println!(
            "no class {}",
            setxattr(file, c"colour".as_ptr(), value.as_ptr().cast(), 5, 0) == -1 && errno() == EOPNOTSUPP
        );
        println!("absent {} {}", getxattr(c"absent".as_ptr(), name, null_mut(), 0), errno());
        println!("closed {} {}", fgetxattr(-1, name, null_mut(), 0), errno());
        judge.expect("remove", removexattr(file, name) as isize, 0);
        judge.expect("fremove", fremovexattr(fd, other) as isize, 0);
        judge.expect("list nothing", listxattr(file, null_mut(), 0), 0);
        for path in [c"file", c"link"] {
            unlink(path.as_ptr());
        }
        rmdir(dir.as_ptr());
        println!("{:?}", CStr::from_ptr(value.as_ptr()));
    }
}
