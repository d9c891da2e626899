//! Names of time zones, as `tm_zone` and `tzname` point to them: a program may keep such a pointer for ever, so each
//! different name is made once and never freed.

use crate::lock::Lock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};

pub(super) static NAMES: Lock<Vec<&'static CStr>> = Lock::new(Vec::new());

/// A zone's name that lives for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(&'static CStr);

impl Name {
    /// UTC's.
    pub const UTC: Name = Name(c"UTC");
    /// UTC's, as gmtime calls it.
    pub const GMT: Name = Name(c"GMT");
    /// The same, for initialisers.
    pub const GMT_TEXT: *const c_char = c"GMT".as_ptr();
    /// No name.
    pub const EMPTY: Name = Name(c"");

    /// The name with these bytes, up to the first NUL.
    pub fn new(bytes: &[u8]) -> Name {
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut names = NAMES.lock();
        if let Some(name) = names.iter().find(|name| name.to_bytes() == bytes) {
            return Name(name);
        }
        let mut text = Vec::with_capacity(bytes.len() + 1);
        text.extend_from_slice(bytes);
        text.push(0);
        let name = CStr::from_bytes_with_nul(Box::leak(text.into_boxed_slice())).unwrap_or_default();
        names.push(name);
        Name(name)
    }

    /// For C.
    pub fn pointer(self) -> *const c_char {
        self.0.as_ptr()
    }

    /// The characters.
    pub fn bytes(self) -> &'static [u8] {
        self.0.to_bytes()
    }
}
