//! What the kernel hands a new process: arguments, environment, auxiliary vector. getauxval(3).

use crate::errno;
use core::ffi::{c_char, c_int, c_ulong};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static ARGC: AtomicUsize = AtomicUsize::new(0);
static ARGV: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());
static ENVP: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());
static AUXV: AtomicPtr<[usize; 2]> = AtomicPtr::new(ptr::null_mut());

/// Keeps the addresses of the three.
///
/// # Safety
/// `argv` and `envp` end in null, `auxv` in AT_NULL, and all live as long as the process.
pub unsafe fn set(argc: usize, argv: *mut *mut c_char, envp: *mut *mut c_char, auxv: *mut [usize; 2]) {
    ARGC.store(argc, Ordering::Relaxed);
    ARGV.store(argv, Ordering::Relaxed);
    ENVP.store(envp, Ordering::Relaxed);
    AUXV.store(auxv, Ordering::Relaxed);
}

/// `argc`, `argv` and the first `environ`, as constructors get them.
pub fn arguments() -> (c_int, *mut *mut c_char, *mut *mut c_char) {
    (ARGC.load(Ordering::Relaxed) as c_int, ARGV.load(Ordering::Relaxed), ENVP.load(Ordering::Relaxed))
}

/// An entry of the auxiliary vector.
pub fn get(key: c_ulong) -> Option<usize> {
    let mut at = AUXV.load(Ordering::Relaxed);
    if at.is_null() {
        return None;
    }
    // SAFETY: `set` promised AT_NULL at the end.
    unsafe {
        while (*at)[0] != 0 {
            if (*at)[0] == key as usize {
                return Some((*at)[1]);
            }
            at = at.add(1);
        }
    }
    None
}

/// The address where the kernel's block of strings ends: the top of the main thread's stack.
pub fn stack_end() -> usize {
    let mut end = AUXV.load(Ordering::Relaxed).addr();
    if let Some(name) = get(libc::AT_EXECFN) {
        // SAFETY: AT_EXECFN is a string on the initial stack.
        let len = unsafe { crate::string::len(name as *const c_char) };
        end = end.max(name + len + 1);
    }
    end.next_multiple_of(4096)
}

c_api! {
    /// getauxval(3).
    fn getauxval(key: c_ulong) -> c_ulong {
        match get(key) {
            Some(value) => value as c_ulong,
            None => {
                errno::set(libc::ENOENT);
                0
            }
        }
    }
}
