//! Locales: `locale_t`, the global locale, and each thread's own. `locale.h`, locale(7), uselocale(3).
//!
//! A locale has one [`Category`] of data for each of its twelve categories. The library carries those of `C` and of `C.UTF-8`
//! (also called `POSIX` and `C.utf8`); every function that depends on a locale reaches its data through [`current`] or the
//! `locale_t` it is given, never by name, so that data read from files can take their place.

mod change;
mod collate;
mod conventions;
mod info;
mod names;
mod objects;
mod variants;

pub use change::*;
pub use collate::*;
pub use conventions::*;
pub use info::*;
pub use objects::*;
pub use variants::*;

use crate::thread;
use core::ffi::{c_char, c_int, c_ushort};
use core::sync::atomic::{AtomicPtr, Ordering};

/// Entries of a locale's arrays: the categories by their numbers, LC_ALL among them.
pub const CATEGORIES: usize = 13;
/// LC_ALL, which has no data.
pub const ALL: usize = libc::LC_ALL as usize;

/// How characters are written as bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// Bytes below 128; all others are errors, as in glibc 2.36.
    Ascii,
    /// UTF-8.
    Utf8,
}

impl Charset {
    /// Its name, as `nl_langinfo(CODESET)` gives it.
    pub fn name(self) -> &'static core::ffi::CStr {
        match self {
            Charset::Ascii => c"ANSI_X3.4-1968",
            Charset::Utf8 => c"UTF-8",
        }
    }

    /// The most bytes a character takes (MB_CUR_MAX; glibc's UTF-8 has six).
    pub fn longest(self) -> usize {
        match self {
            Charset::Ascii => 1,
            Charset::Utf8 => 6,
        }
    }
}

/// The data of one category.
#[derive(Debug)]
pub struct Category {
    /// The charset of its texts, and for LC_CTYPE of the locale.
    pub charset: Charset,
}

static POSIX: Category = Category { charset: Charset::Ascii };
static UTF8: Category = Category { charset: Charset::Utf8 };

/// A locale: what `locale_t` points to, with glibc's layout (`struct __locale_struct`), because the C++ library reads the tables.
#[repr(C)]
pub struct Locale {
    data: [AtomicPtr<Category>; CATEGORIES],
    classes: *const c_ushort,
    lower: *const c_int,
    upper: *const c_int,
    names: [AtomicPtr<c_char>; CATEGORIES],
}

const _: () = assert!(
    core::mem::offset_of!(Locale, classes) == 104
        && core::mem::offset_of!(Locale, lower) == 112
        && core::mem::offset_of!(Locale, upper) == 120
        && size_of::<Locale>() == 232
);

// SAFETY: the tables are immutable statics; the rest is atomic.
unsafe impl Sync for Locale {}

impl Locale {
    /// The locale `C`.
    const fn posix() -> Locale {
        Locale {
            data: [const { AtomicPtr::new((&raw const POSIX).cast_mut()) }; CATEGORIES],
            classes: crate::ctype::CLASSES_AT.0,
            lower: crate::ctype::LOWER_AT.0,
            upper: crate::ctype::UPPER_AT.0,
            names: [const { AtomicPtr::new(c"C".as_ptr().cast_mut()) }; CATEGORIES],
        }
    }

    /// The data of a category, which is one of the twelve.
    #[inline]
    pub fn category(&self, number: usize) -> &'static Category {
        // SAFETY: every entry points to data that is never freed.
        unsafe { &*self.data[number].load(Ordering::Relaxed) }
    }

    /// The name of a category's locale.
    pub fn name(&self, number: usize) -> *mut c_char {
        self.names[number].load(Ordering::Relaxed)
    }

    /// The charset of its characters: LC_CTYPE's.
    #[inline]
    pub fn charset(&self) -> Charset {
        self.category(libc::LC_CTYPE as usize).charset
    }

    fn set(&self, number: usize, to: &names::Named) {
        self.data[number].store(core::ptr::from_ref(to.data).cast_mut(), Ordering::Relaxed);
        self.names[number].store(to.name.cast_mut(), Ordering::Relaxed);
    }

    fn copy(&self) -> Locale {
        let copy = Locale::posix();
        for number in 0..CATEGORIES {
            copy.data[number].store(self.data[number].load(Ordering::Relaxed), Ordering::Relaxed);
            copy.names[number].store(self.name(number), Ordering::Relaxed);
        }
        copy
    }
}

/// A category's name, `LC_MESSAGES` and the like.
pub fn category_name(number: usize) -> &'static str {
    names::CATEGORY_NAMES[number]
}

/// The locale `C`, as an object.
static C: Locale = Locale::posix();
/// What `setlocale` changes.
static GLOBAL: Locale = Locale::posix();

/// LC_GLOBAL_LOCALE.
const GLOBAL_HANDLE: *mut Locale = core::ptr::without_provenance_mut(usize::MAX);

/// The calling thread's locale.
#[inline]
pub fn current() -> &'static Locale {
    // SAFETY: the thread's block is alive; its locale is null or an object, which the program must not free while it is in use.
    unsafe { (*thread::current()).locale.as_ref() }.unwrap_or(&GLOBAL)
}

/// The locale behind a `locale_t`.
///
/// # Safety
/// It is LC_GLOBAL_LOCALE or a live object.
#[inline]
pub unsafe fn of(handle: *const Locale) -> &'static Locale {
    if core::ptr::eq(handle, GLOBAL_HANDLE) { &GLOBAL } else { &*handle }
}
