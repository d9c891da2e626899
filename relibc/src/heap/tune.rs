//! glibc's knobs of the allocator: `malloc.h`, `mcheck.h`. mallopt(3), mtrace(3).

use super::api::{calloc, free, malloc, realloc};
use core::ffi::{c_int, c_void};
use libc::size_t;

c_api! {
    /// mallopt(3). The parameters steer glibc's arenas, of which this allocator has none: known ones are accepted, and change nothing.
    fn mallopt(parameter: c_int, _value: c_int) -> c_int {
        /// M_MXFAST; M_ARENA_TEST and M_ARENA_MAX to M_TRIM_THRESHOLD are negative.
        const FIRST: c_int = -8;
        (FIRST..=1).contains(&parameter) as c_int
    }

    /// mtrace(3): as in glibc since 2.34, does nothing unless a debugging library is preloaded, which Ochre has not.
    fn mtrace() {}

    /// muntrace(3).
    fn muntrace() {}
}

c_alias! {
    fn __libc_malloc = malloc[size: size_t] -> *mut c_void;
    fn __libc_free = free[block: *mut c_void];
    fn __libc_calloc = calloc[count: size_t, size: size_t] -> *mut c_void;
    fn __libc_realloc = realloc[block: *mut c_void, size: size_t] -> *mut c_void;
}
