//! What can go wrong while loading, in the words of glibc's loader.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::ffi::c_int;

/// What was being done: decides how a program's start reports it. Sources: glibc's elf/dl-minimal.c and elf/rtld.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A library was loaded.
    Load,
    /// A symbol was looked for.
    Lookup,
    /// Versions were compared.
    Version,
}

/// An error: whom it concerns, what happened, and the errno behind it.
#[derive(Debug)]
pub struct Error {
    /// The file or library; may be empty.
    pub object: String,
    /// What happened.
    pub what: String,
    /// The errno, or 0.
    pub errno: c_int,
    /// When.
    pub occasion: Occasion,
}

/// The result of a loading step.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// An error of loading.
    pub fn new(object: impl Into<String>, what: impl Into<String>, errno: c_int) -> Error {
        Error { object: object.into(), what: what.into(), errno, occasion: Occasion::Load }
    }

    /// The same on another occasion.
    pub fn on(self, occasion: Occasion) -> Error {
        Error { occasion, ..self }
    }

    /// A sentence such as `libfoo.so.1: cannot open shared object file: No such file or directory`, as dlerror(3) gives it.
    pub fn text(&self) -> String {
        let colon = if self.object.is_empty() { "" } else { ": " };
        let mut text = format!("{}{colon}{}", self.object, self.what);
        if self.errno != 0 {
            text += ": ";
            text += &crate::string::error_text(self.errno);
        }
        text
    }
}

/// Makes an [`Error`] of loading as `format!` makes a string.
macro_rules! fail {
    ($($arg:tt)*) => { $crate::ld::error::Error::new("", alloc::format!($($arg)*), 0) };
}
pub(crate) use fail;

/// A byte string as text for a message.
pub fn show(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
