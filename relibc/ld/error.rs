//! What can go wrong while loading, as a sentence for the user.

use alloc::string::String;

/// A sentence such as `libfoo.so.1: cannot open shared object file: No such file or directory`.
#[derive(Debug)]
pub struct Error(pub String);

/// The result of a loading step.
pub type Result<T> = core::result::Result<T, Error>;

/// Makes an [`Error`] as `format!` makes a string.
macro_rules! fail {
    ($($arg:tt)*) => { $crate::ld::error::Error(alloc::format!($($arg)*)) };
}
pub(crate) use fail;

/// A byte string as text for a message.
pub fn show(bytes: &[u8]) -> alloc::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
