//! Names that a test cannot call to any purpose (`../resolved.tsv` has the reasons): whether dlsym(3) finds them.

use std::ffi::CString;

const NAMES: &str = include_str!("../../resolved.tsv");

fn main() {
    // Mathematical functions are in a library of their own on glibc.
    // SAFETY: a C string; the library's constructors are trusted.
    let maths = unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    assert!(!maths.is_null(), "libm.so.6");
    let mut count = 0;
    for name in NAMES.lines().filter(|row| !row.starts_with('#')).filter_map(|row| row.split('\t').next()) {
        let found = CString::new(name).is_ok_and(|name| {
            // SAFETY: the name ends with a NUL, and the address is not used.
            !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
        });
        println!("{name}: {}", if found { "found" } else { "absent" });
        count += 1;
    }
    println!("{count} names");
}
