//! Thread-specific data: `pthread_key_create` and its kin.

use crate::heap;
use crate::thread::{self, KEYS_INLINE, KEYS_MAX, KeyValue};
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A key. Its sequence number is odd while the key is in use.
struct Key {
    sequence: AtomicUsize,
    destructor: AtomicUsize,
}

static KEYS: [Key; KEYS_MAX] =
    [const { Key { sequence: AtomicUsize::new(0), destructor: AtomicUsize::new(0) } }; KEYS_MAX];

type Destructor = unsafe extern "C" fn(*mut c_void);

/// POSIX's PTHREAD_DESTRUCTOR_ITERATIONS.
const ITERATIONS: usize = 4;

/// Where the calling thread keeps the value of `key`; None for a high key that was never set.
unsafe fn slot(key: usize, make: bool) -> Option<*mut KeyValue> {
    let thread = thread::current();
    if key < KEYS_INLINE {
        return Some(&raw mut (*thread).keys[key]);
    }
    if key >= KEYS_MAX {
        return None;
    }
    if (*thread).more_keys.is_null() {
        if !make {
            return None;
        }
        let bytes = (KEYS_MAX - KEYS_INLINE) * size_of::<KeyValue>();
        let block = heap::allocate_zeroed(bytes);
        if block.is_null() {
            return None;
        }
        (*thread).more_keys = block.cast();
    }
    Some(&raw mut (*(*thread).more_keys)[key - KEYS_INLINE])
}

/// Runs the destructors of the calling thread's values, at its end.
///
/// # Safety
/// The thread is about to end.
pub unsafe fn run_destructors() {
    let thread = thread::current();
    if (*thread).keys_used {
        for _ in 0..ITERATIONS {
            let mut any = false;
            let count = if (*thread).more_keys.is_null() { KEYS_INLINE } else { KEYS_MAX };
            for (index, key) in KEYS.iter().enumerate().take(count) {
                let Some(slot) = slot(index, false) else { continue };
                let value = core::mem::replace(&mut (*slot).value, ptr::null_mut());
                if value.is_null() || (*slot).sequence != key.sequence.load(Ordering::Acquire) {
                    continue;
                }
                let destructor = key.destructor.load(Ordering::Acquire);
                if destructor != 0 {
                    any = true;
                    // SAFETY: `pthread_key_create` stored a destructor there.
                    let destructor: Destructor = core::mem::transmute(destructor);
                    destructor(value);
                }
            }
            if !any {
                break;
            }
        }
    }
    heap::release((*thread).more_keys.cast());
    (*thread).more_keys = ptr::null_mut();
}

c_api! {
    /// pthread_key_create(3).
    fn pthread_key_create(out: *mut c_uint, destructor: Option<Destructor>) -> c_int {
        for (index, key) in KEYS.iter().enumerate() {
            let sequence = key.sequence.load(Ordering::Relaxed);
            if sequence & 1 == 0
                && key.sequence.compare_exchange(sequence, sequence + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                key.destructor.store(destructor.map_or(0, |function| function as *const () as usize), Ordering::Release);
                *out = index as c_uint;
                return 0;
            }
        }
        libc::EAGAIN
    }

    /// pthread_key_delete(3).
    fn pthread_key_delete(key: c_uint) -> c_int {
        let Some(key) = KEYS.get(key as usize) else { return libc::EINVAL };
        let sequence = key.sequence.load(Ordering::Relaxed);
        if sequence & 1 == 0
            || key.sequence.compare_exchange(sequence, sequence + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return libc::EINVAL;
        }
        0
    }

    /// pthread_setspecific(3).
    fn pthread_setspecific(key: c_uint, value: *const c_void) -> c_int {
        let Some(sequence) = KEYS.get(key as usize).map(|key| key.sequence.load(Ordering::Relaxed)) else {
            return libc::EINVAL;
        };
        if sequence & 1 == 0 {
            return libc::EINVAL;
        }
        let Some(slot) = slot(key as usize, true) else { return libc::ENOMEM };
        *slot = KeyValue { sequence, value: value.cast_mut() };
        (*thread::current()).keys_used = true;
        0
    }

    /// pthread_getspecific(3).
    fn pthread_getspecific(key: c_uint) -> *mut c_void {
        let Some(slot) = slot(key as usize, false) else { return ptr::null_mut() };
        let sequence = KEYS[key as usize].sequence.load(Ordering::Relaxed);
        if (*slot).sequence == sequence { (*slot).value } else { ptr::null_mut() }
    }
}

c_alias! {
    fn __pthread_key_create = pthread_key_create[out: *mut c_uint, destructor: Option<Destructor>] -> c_int;
}
