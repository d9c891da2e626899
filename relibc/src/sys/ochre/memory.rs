//! Mappings. The native calls are Linux's.

use super::{Args, Result, int, native};
use ochre_rt::abi::syscall as sys;

pub unsafe fn mmap(a: Args) -> Result {
    native(sys::MMAP, [a[0], a[1], a[2] as u32 as usize, a[3] as u32 as usize, int(a[4]), a[5]])
}

pub unsafe fn munmap(a: Args) -> Result {
    native(sys::MUNMAP, a)
}

pub unsafe fn mprotect(a: Args) -> Result {
    native(sys::MPROTECT, [a[0], a[1], a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn mremap(a: Args) -> Result {
    native(sys::MREMAP, [a[0], a[1], a[2], a[3] as u32 as usize, a[4], 0])
}

pub unsafe fn madvise(a: Args) -> Result {
    native(sys::MADVISE, [a[0], a[1], a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn msync(a: Args) -> Result {
    native(sys::MSYNC, [a[0], a[1], a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn mincore(a: Args) -> Result {
    native(sys::MINCORE, a)
}

pub unsafe fn mlock(a: Args) -> Result {
    native(sys::MLOCK, [a[0], a[1], 1, 0, 0, 0])
}

pub unsafe fn munlock(a: Args) -> Result {
    native(sys::MLOCK, [a[0], a[1], 0, 0, 0, 0])
}
