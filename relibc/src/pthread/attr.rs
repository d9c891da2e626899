//! Thread attributes: `pthread_attr_t`.

use crate::heap::{c_free, c_malloc};
use crate::lock::Lock;
use crate::thread::{self, Thread};
use crate::{auxv, sys};
use core::ffi::{c_int, c_void};
use core::ptr;
use libc::{cpu_set_t, pthread_attr_t, pthread_t, sched_param, size_t};

const STACK_MIN: usize = 16384;
const STACK_DEFAULT: usize = 8 << 20;
const PAGE: usize = 4096;

/// What stands in the 56 bytes of a `pthread_attr_t`. Programs only reach it through the functions here.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Attr {
    /// End of a stack the program provides, or 0.
    pub stack_address: usize,
    /// Bytes of stack.
    pub stack_size: usize,
    /// Bytes of guard below it.
    pub guard_size: usize,
    /// The signal mask to start with, if `has_mask`.
    pub mask: u64,
    /// Whether `mask` counts.
    pub has_mask: u32,
    flags: u32,
    policy: u32,
    priority: u32,
    /// CPUs to run on: a block of `malloc` with a length and as many bytes, or null.
    affinity: *mut Affinity,
}

/// A set of CPUs of any size.
#[repr(C)]
pub struct Affinity {
    len: usize,
    bytes: [u8; 0],
}

// SAFETY: the pointer is only followed by functions that are given the attributes.
unsafe impl Send for Attr {}

const _: () = assert!(size_of::<Attr>() <= size_of::<pthread_attr_t>());

const DETACHED: u32 = 1;
const EXPLICIT_SCHED: u32 = 2;
const SCOPE_PROCESS: u32 = 4;

static DEFAULT: Lock<Option<Attr>> = Lock::new(None);

impl Attr {
    /// What a thread without attributes gets: RLIMIT_STACK bytes of stack, or 8 MiB.
    pub fn default_now() -> Attr {
        let mut kept = DEFAULT.lock();
        *kept.get_or_insert_with(|| {
            let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
            // SAFETY: `limit` is ours.
            let raw = unsafe { sys::prlimit64(0, libc::RLIMIT_STACK as c_int, ptr::null(), &mut limit) };
            let stack_size = match limit.rlim_cur {
                libc::RLIM_INFINITY => STACK_DEFAULT,
                _ if raw != 0 => STACK_DEFAULT,
                size => (size as usize).clamp(STACK_MIN, 1 << 40).next_multiple_of(PAGE),
            };
            Attr {
                stack_address: 0,
                stack_size,
                guard_size: PAGE,
                mask: 0,
                has_mask: 0,
                flags: 0,
                policy: 0,
                priority: 0,
                affinity: ptr::null_mut(),
            }
        })
    }

    /// Whether the thread starts detached.
    pub fn detached(&self) -> bool {
        self.flags & DETACHED != 0
    }

    /// The CPUs that the thread is to run on: length in bytes and address of the set.
    pub fn affinity(&self) -> Option<(usize, *const u8)> {
        // SAFETY: the block was made by `pthread_attr_setaffinity_np`.
        unsafe { self.affinity.as_ref().map(|set| (set.len, (&raw const set.bytes).cast())) }
    }

    fn set(&mut self, flag: u32, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }
}

unsafe fn attr<'a>(attr: *const pthread_attr_t) -> &'a Attr {
    &*attr.cast::<Attr>()
}

unsafe fn attr_mut<'a>(attr: *mut pthread_attr_t) -> &'a mut Attr {
    &mut *attr.cast::<Attr>()
}

/// Lowest address and length of the main thread's stack as it may grow.
fn main_stack() -> (usize, usize) {
    let size = Attr::default_now().stack_size;
    let end = auxv::stack_end();
    (end - size, size)
}

c_api! {
    /// pthread_attr_init(3).
    fn pthread_attr_init(out: *mut pthread_attr_t) -> c_int {
        out.write_bytes(0, 1);
        *attr_mut(out) = Attr::default_now();
        0
    }

    /// pthread_attr_destroy(3).
    fn pthread_attr_destroy(of: *mut pthread_attr_t) -> c_int {
        c_free(attr_mut(of).affinity.cast());
        attr_mut(of).affinity = ptr::null_mut();
        0
    }

    /// pthread_attr_setaffinity_np(3).
    fn pthread_attr_setaffinity_np(to: *mut pthread_attr_t, len: size_t, set: *const cpu_set_t) -> c_int {
        let mut copy = ptr::null_mut::<Affinity>();
        if !set.is_null() && len > 0 {
            copy = c_malloc(size_of::<Affinity>() + len).cast();
            if copy.is_null() {
                return libc::ENOMEM;
            }
            (*copy).len = len;
            ptr::copy_nonoverlapping(set.cast::<u8>(), (&raw mut (*copy).bytes).cast(), len);
        }
        c_free(attr_mut(to).affinity.cast());
        attr_mut(to).affinity = copy;
        0
    }

    /// pthread_attr_getaffinity_np(3): all CPUs if none were set. EINVAL: `len` is too short for those that were.
    fn pthread_attr_getaffinity_np(of: *const pthread_attr_t, len: size_t, out: *mut cpu_set_t) -> c_int {
        let Some((have, bytes)) = attr(of).affinity() else {
            out.cast::<u8>().write_bytes(0xff, len);
            return 0;
        };
        if (len..have).any(|index| *bytes.add(index) != 0) {
            return libc::EINVAL;
        }
        out.cast::<u8>().write_bytes(0, len);
        ptr::copy_nonoverlapping(bytes, out.cast::<u8>(), have.min(len));
        0
    }

    /// pthread_attr_setstacksize(3).
    fn pthread_attr_setstacksize(to: *mut pthread_attr_t, size: size_t) -> c_int {
        if size < STACK_MIN {
            return libc::EINVAL;
        }
        attr_mut(to).stack_size = size;
        0
    }

    /// pthread_attr_getstacksize(3).
    fn pthread_attr_getstacksize(of: *const pthread_attr_t, out: *mut size_t) -> c_int {
        *out = attr(of).stack_size;
        0
    }

    /// pthread_attr_setguardsize(3).
    fn pthread_attr_setguardsize(to: *mut pthread_attr_t, size: size_t) -> c_int {
        attr_mut(to).guard_size = size;
        0
    }

    /// pthread_attr_getguardsize(3).
    fn pthread_attr_getguardsize(of: *const pthread_attr_t, out: *mut size_t) -> c_int {
        *out = attr(of).guard_size;
        0
    }

    /// pthread_attr_setstack(3).
    fn pthread_attr_setstack(to: *mut pthread_attr_t, start: *mut c_void, size: size_t) -> c_int {
        if size < STACK_MIN {
            return libc::EINVAL;
        }
        attr_mut(to).stack_address = start.addr() + size;
        attr_mut(to).stack_size = size;
        0
    }

    /// pthread_attr_getstack(3).
    fn pthread_attr_getstack(of: *const pthread_attr_t, start: *mut *mut c_void, size: *mut size_t) -> c_int {
        let of = attr(of);
        *start = of.stack_address.wrapping_sub(of.stack_size) as *mut c_void;
        *size = of.stack_size;
        0
    }

    /// pthread_attr_setdetachstate(3).
    fn pthread_attr_setdetachstate(to: *mut pthread_attr_t, state: c_int) -> c_int {
        if state != libc::PTHREAD_CREATE_DETACHED && state != libc::PTHREAD_CREATE_JOINABLE {
            return libc::EINVAL;
        }
        attr_mut(to).set(DETACHED, state == libc::PTHREAD_CREATE_DETACHED);
        0
    }

    /// pthread_attr_getdetachstate(3).
    fn pthread_attr_getdetachstate(of: *const pthread_attr_t, out: *mut c_int) -> c_int {
        *out = attr(of).detached() as c_int;
        0
    }

    /// pthread_attr_setinheritsched(3).
    fn pthread_attr_setinheritsched(to: *mut pthread_attr_t, inherit: c_int) -> c_int {
        if inherit != libc::PTHREAD_INHERIT_SCHED && inherit != libc::PTHREAD_EXPLICIT_SCHED {
            return libc::EINVAL;
        }
        attr_mut(to).set(EXPLICIT_SCHED, inherit == libc::PTHREAD_EXPLICIT_SCHED);
        0
    }

    /// pthread_attr_getinheritsched(3).
    fn pthread_attr_getinheritsched(of: *const pthread_attr_t, out: *mut c_int) -> c_int {
        *out = (attr(of).flags & EXPLICIT_SCHED != 0) as c_int;
        0
    }

    /// pthread_attr_setscope(3). Only the system's scope exists, as on Linux.
    fn pthread_attr_setscope(_to: *mut pthread_attr_t, scope: c_int) -> c_int {
        match scope {
            0 => 0,
            1 => libc::ENOTSUP,
            _ => libc::EINVAL,
        }
    }

    /// pthread_attr_getscope(3).
    fn pthread_attr_getscope(of: *const pthread_attr_t, out: *mut c_int) -> c_int {
        *out = (attr(of).flags & SCOPE_PROCESS != 0) as c_int;
        0
    }

    /// pthread_attr_setschedpolicy(3).
    fn pthread_attr_setschedpolicy(to: *mut pthread_attr_t, policy: c_int) -> c_int {
        attr_mut(to).policy = policy as u32;
        0
    }

    /// pthread_attr_getschedpolicy(3).
    fn pthread_attr_getschedpolicy(of: *const pthread_attr_t, out: *mut c_int) -> c_int {
        *out = attr(of).policy as c_int;
        0
    }

    /// pthread_attr_setschedparam(3).
    fn pthread_attr_setschedparam(to: *mut pthread_attr_t, param: *const sched_param) -> c_int {
        attr_mut(to).priority = (*param).sched_priority as u32;
        0
    }

    /// pthread_attr_getschedparam(3).
    fn pthread_attr_getschedparam(of: *const pthread_attr_t, out: *mut sched_param) -> c_int {
        (*out).sched_priority = attr(of).priority as c_int;
        0
    }

    /// pthread_getattr_np(3).
    fn pthread_getattr_np(of: pthread_t, out: *mut pthread_attr_t) -> c_int {
        pthread_attr_init(out);
        let thread = of as *mut Thread;
        let (start, len) = match (*thread).stack {
            0 => main_stack(),
            start => (start, (*thread).stack_len),
        };
        let to = attr_mut(out);
        to.stack_address = start + len;
        to.stack_size = len;
        to.guard_size = (*thread).guard_len;
        let state = (*thread).state.load(core::sync::atomic::Ordering::Relaxed);
        to.set(DETACHED, state == super::create::DETACHED);
        debug_assert!(!thread::current().is_null());
        0
    }
}
