//! A function of whatever object is loaded: for what the library uses if a program brought it.

use super::registry;
use super::relocate;
use super::symbols::{self, Name, Query};
use core::ffi::c_void;

/// The address of `name` in the first loaded object that defines it.
pub fn find_loaded(name: &[u8]) -> Option<*mut c_void> {
    let name = Name::new(name);
    let query = Query { name: &name, version: None, call: false, exact: false };
    let held = registry::lock();
    let found = symbols::lookup(&held.objects(), &query, None)?;
    // SAFETY: a listed object is loaded and relocated.
    Some(unsafe { relocate::address_of(&found) } as *mut c_void)
}
