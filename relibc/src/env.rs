//! The environment: `getenv`, `setenv`, `environ`. getenv(3), setenv(3).
//!
//! `environ` may be replaced or edited by the program at any time; the functions here only assume that
//! it is an array of strings that ends in null. Strings made by `setenv` are never freed, because the
//! program may hold what `getenv` gave it.

use crate::heap::c_malloc;
use crate::lock::Lock;
use crate::{errno, string};
use core::ffi::{c_char, c_int};
use core::ptr;

/// The environment. A program may hold this variable itself, by copy relocation.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut environ: *mut *mut c_char = ptr::null_mut();

#[cfg(panic = "abort")]
core::arch::global_asm!(".globl __environ", ".set __environ, environ", ".globl _environ", ".set _environ, environ");

/// The array `setenv` made last, and its room in entries.
struct Own {
    array: *mut *mut c_char,
    room: usize,
}

static OWN: Lock<Own> = Lock::new(Own { array: ptr::null_mut(), room: 0 });

/// The first environment.
///
/// # Safety
/// Called once, by the loader.
pub unsafe fn set_initial(envp: *mut *mut c_char) {
    environ = envp;
}

/// The current `environ`.
///
/// # Safety
/// As reading `environ` in C: no other thread changes it meanwhile.
pub unsafe fn current() -> *mut *mut c_char {
    environ
}

/// Where the entry for `name` stands.
unsafe fn find(name: &[u8]) -> Option<*mut *mut c_char> {
    let mut at = environ;
    if at.is_null() {
        return None;
    }
    while !(*at).is_null() {
        if value_of(*at, name).is_some() {
            return Some(at);
        }
        at = at.add(1);
    }
    None
}

/// A variable's value.
///
/// # Safety
/// As `getenv`: the value is not changed while it is in use.
pub(crate) unsafe fn value(name: &[u8]) -> Option<&'static [u8]> {
    let at = find(name)?;
    value_of(*at, name).map(|value| string::bytes(value))
}

/// The value in `entry` if it is for `name`.
unsafe fn value_of(entry: *mut c_char, name: &[u8]) -> Option<*mut c_char> {
    for (index, &byte) in name.iter().enumerate() {
        if *entry.add(index) as u8 != byte {
            return None;
        }
    }
    (*entry.add(name.len()) == b'=' as c_char).then(|| entry.add(name.len() + 1))
}

unsafe fn valid_name<'a>(name: *const c_char) -> Option<&'a [u8]> {
    if name.is_null() {
        return None;
    }
    let name = string::bytes(name);
    (!name.is_empty() && !name.contains(&b'=')).then_some(name)
}

/// Puts `entry` in place of the one for `name`, or behind the last.
unsafe fn put(own: &mut Own, name: &[u8], entry: *mut c_char) -> c_int {
    if let Some(at) = find(name) {
        *at = entry;
        return 0;
    }
    let mut count = 0;
    if !environ.is_null() {
        while !(*environ.add(count)).is_null() {
            count += 1;
        }
    }
    if environ != own.array || count + 2 > own.room {
        let room = (count + 2) * 2;
        let array = c_malloc(room * size_of::<*mut c_char>()).cast::<*mut c_char>();
        if array.is_null() {
            return errno::fail(libc::ENOMEM);
        }
        if count > 0 {
            ptr::copy_nonoverlapping(environ, array, count);
        }
        // The old array stays: another thread may be reading it.
        *own = Own { array, room };
    }
    *own.array.add(count) = entry;
    *own.array.add(count + 1) = ptr::null_mut();
    environ = own.array;
    0
}

c_api! {
    /// getenv(3).
    fn getenv(name: *const c_char) -> *mut c_char {
        let name = string::bytes(name);
        match find(name) {
            Some(at) => value_of(*at, name).unwrap_or(ptr::null_mut()),
            None => ptr::null_mut(),
        }
    }

    /// secure_getenv(3).
    fn secure_getenv(name: *const c_char) -> *mut c_char {
        if crate::start::__libc_enable_secure != 0 { ptr::null_mut() } else { getenv(name) }
    }

    /// setenv(3).
    fn setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int {
        let Some(name) = valid_name(name) else { return errno::fail(libc::EINVAL) };
        let mut own = OWN.lock();
        if overwrite == 0 && find(name).is_some() {
            return 0;
        }
        let value = string::bytes(value);
        let entry = c_malloc(name.len() + value.len() + 2).cast::<u8>();
        if entry.is_null() {
            return errno::fail(libc::ENOMEM);
        }
        ptr::copy_nonoverlapping(name.as_ptr(), entry, name.len());
        *entry.add(name.len()) = b'=';
        ptr::copy_nonoverlapping(value.as_ptr(), entry.add(name.len() + 1), value.len());
        *entry.add(name.len() + 1 + value.len()) = 0;
        put(&mut own, name, entry.cast())
    }

    /// putenv(3): the string itself becomes part of the environment.
    fn putenv(entry: *mut c_char) -> c_int {
        let text = string::bytes(entry);
        match text.iter().position(|&byte| byte == b'=') {
            Some(end) => put(&mut OWN.lock(), &text[..end], entry),
            None => unsetenv(entry),
        }
    }

    /// unsetenv(3).
    fn unsetenv(name: *const c_char) -> c_int {
        let Some(name) = valid_name(name) else { return errno::fail(libc::EINVAL) };
        let _own = OWN.lock();
        while let Some(mut at) = find(name) {
            while !(*at).is_null() {
                *at = *at.add(1);
                at = at.add(1);
            }
        }
        0
    }

    /// clearenv(3).
    fn clearenv() -> c_int {
        let _own = OWN.lock();
        environ = ptr::null_mut();
        0
    }
}
