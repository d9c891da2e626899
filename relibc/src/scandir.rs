//! `dirent.h`: whole directories. scandir(3).

use crate::dirent::{closedir, fdopendir, readdir};
use crate::heap::{c_free, c_malloc};
use crate::sort::qsort;
use crate::{errno, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::dirent64;

type Select = Option<unsafe extern "C" fn(*const dirent64) -> c_int>;
type Compare = Option<unsafe extern "C" fn(*mut *const dirent64, *mut *const dirent64) -> c_int>;

/// Copies of a directory's entries, in memory of malloc.
unsafe fn entries(dir: c_int, path: *const c_char, select: Select) -> Result<Vec<*mut dirent64>, c_int> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    let fd = sys::result(sys::openat(dir, path, flags, 0))? as c_int;
    let stream = fdopendir(fd);
    if stream.is_null() {
        let errno = errno::get();
        sys::close(fd);
        return Err(errno);
    }
    let mut list = Vec::new();
    let outcome = loop {
        errno::set(0);
        let entry = readdir(stream);
        if entry.is_null() {
            break match errno::get() {
                0 => Ok(()),
                errno => Err(errno),
            };
        }
        if select.is_some_and(|select| select(entry) == 0) {
            continue;
        }
        let len = usize::from((*entry).d_reclen);
        let copy = c_malloc(len).cast::<dirent64>();
        if copy.is_null() {
            break Err(libc::ENOMEM);
        }
        ptr::copy_nonoverlapping(entry.cast::<u8>(), copy.cast(), len);
        list.push(copy);
    };
    closedir(stream);
    if let Err(errno) = outcome {
        for entry in list {
            c_free(entry.cast());
        }
        return Err(errno);
    }
    Ok(list)
}

c_api! {
    /// scandirat(3).
    fn scandirat(dir: c_int, path: *const c_char, out: *mut *mut *mut dirent64, select: Select, compare: Compare) -> c_int {
        let before = errno::get();
        let list = match entries(dir, path, select) {
            Ok(list) => list,
            Err(errno) => return errno::fail(errno),
        };
        let array = c_malloc(list.len().max(1) * size_of::<*mut dirent64>()).cast::<*mut dirent64>();
        if array.is_null() {
            for entry in list {
                c_free(entry.cast());
            }
            return errno::fail(libc::ENOMEM);
        }
        ptr::copy_nonoverlapping(list.as_ptr(), array, list.len());
        if let Some(compare) = compare {
            // SAFETY: the elements are such pointers; only the parameters' types differ.
            let compare = core::mem::transmute::<
                unsafe extern "C" fn(*mut *const dirent64, *mut *const dirent64) -> c_int,
                unsafe extern "C" fn(*const c_void, *const c_void) -> c_int,
            >(compare);
            qsort(array.cast(), list.len(), size_of::<*mut dirent64>(), compare);
        }
        *out = array;
        errno::set(before);
        list.len() as c_int
    }

    /// scandir(3).
    fn scandir(path: *const c_char, out: *mut *mut *mut dirent64, select: Select, compare: Compare) -> c_int {
        scandirat(libc::AT_FDCWD, path, out, select, compare)
    }

    /// alphasort(3).
    fn alphasort(a: *mut *const dirent64, b: *mut *const dirent64) -> c_int {
        crate::locale::strcoll((&raw const (**a).d_name).cast(), (&raw const (**b).d_name).cast())
    }

    /// versionsort(3).
    fn versionsort(a: *mut *const dirent64, b: *mut *const dirent64) -> c_int {
        string::strverscmp((&raw const (**a).d_name).cast(), (&raw const (**b).d_name).cast())
    }
}

c_alias! {
    fn scandirat64 = scandirat[dir: c_int, path: *const c_char, out: *mut *mut *mut dirent64, select: Select, compare: Compare] -> c_int;
    fn scandir64 = scandir[path: *const c_char, out: *mut *mut *mut dirent64, select: Select, compare: Compare] -> c_int;
    fn alphasort64 = alphasort[a: *mut *const dirent64, b: *mut *const dirent64] -> c_int;
    fn versionsort64 = versionsort[a: *mut *const dirent64, b: *mut *const dirent64] -> c_int;
}
