//! Tests: damaged files must become errors, never a panic or an access outside the file.

use super::error::Result;
use super::map::{self, File};
use super::object::{Object, ObjectRef};
use super::relocate::{self, Linker};
use super::symbols::{self, Name, Query};
use crate::sys;
use core::ffi::c_void;
use proptest::prelude::*;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::vec::Vec;

/// Real libraries of this host, small ones so that thousands of variants take seconds.
fn originals() -> Vec<Vec<u8>> {
    const LIBRARIES: [&str; 2] = ["/lib/x86_64-linux-gnu/libdl.so.2", "/lib/x86_64-linux-gnu/libutil.so.1"];
    let files: Vec<_> = LIBRARIES.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    assert!(!files.is_empty(), "no library to damage");
    files
}

/// Maps bytes as if they were a library.
fn load(bytes: &[u8], program: bool) -> Result<Object> {
    let name = c"hostile";
    // SAFETY: a name; the descriptor is new.
    let mut file = unsafe {
        use std::os::fd::FromRawFd;
        std::fs::File::from_raw_fd(libc::memfd_create(name.as_ptr(), 0))
    };
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let path = std::format!("/proc/self/fd/{}\0", file.as_raw_fd());
    map::map(File::open(path.into_bytes()).unwrap(), program)
}

/// Does with an object what the loader does before its code runs, and forgets it.
fn try_all(object: Object) {
    let (start, len) = (object.map_start, object.map_len);
    let object = ObjectRef::new(object);
    for text in [b"dlopen".as_slice(), b"forkpty", b"", b"nobody_has_this"] {
        let name = Name::new(text);
        for version in [None, Some(b"GLIBC_2.2.5".as_slice())] {
            let query = Query { name: &name, version, call: true, exact: false };
            if let Some(found) = symbols::lookup_in(object, &query) {
                let _ = found.raw_address();
            }
        }
    }
    if let Some(table) = &object.gnu_hash {
        table.for_each(|index| _ = object.symbol(index).map(|symbol| object.name_at(symbol)));
    }
    let mut linker = Linker::new(object, &[]);
    for rela in object.rela.as_slice().iter().chain(object.jmprel.as_slice()) {
        let _ = linker.resolve(rela.symbol(), true);
    }
    // SAFETY: nobody runs the object's code; resolvers are not called in tests.
    let _ = unsafe { relocate::relocate(object, true) };
    // SAFETY: nobody uses the mapping any more; the description is small and stays.
    unsafe { sys::munmap(start as *mut c_void, len) };
}

#[test]
fn whole_files_load() {
    for bytes in originals() {
        try_all(load(&bytes, false).unwrap_or_else(|error| panic!("{}", error.text())));
    }
}

#[test]
fn truncated_files_are_errors() {
    for bytes in originals() {
        for len in (0..bytes.len()).step_by(97) {
            if let Ok(object) = load(&bytes[..len], false) {
                // Only the section headers and what no segment has may be missing.
                try_all(object);
                assert!(len > 64 + 56, "{len} bytes are no library");
            }
        }
    }
}

#[test]
fn messages_name_the_file() {
    let error = load(b"#!/bin/sh\n", false).err().map(|error| error.text()).unwrap_or_default();
    assert!(error.starts_with("/proc/self/fd/") && error.ends_with(": file too short"), "{error}");
}

/// A place to damage: mostly headers and the tables behind them.
fn place() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..64, 64usize..900, 0usize..4096, any::<usize>()]
}

/// Values that overflow, wrap or point elsewhere, beside plain noise.
fn value() -> impl Strategy<Value = u64> {
    let odd =
        [0, 1, 8, 4095, 4096, 1 << 31, u32::MAX as u64, 1 << 47, (1 << 47) - 4096, 1 << 63, u64::MAX - 7, u64::MAX];
    prop_oneof![proptest::sample::select(odd.to_vec()), any::<u64>(), 0u64..65536]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn mutated_files_are_data(
        which in any::<usize>(),
        changes in proptest::collection::vec((place(), value(), 1usize..=8), 1..6),
        in_dynamic in proptest::collection::vec((0usize..30, any::<bool>(), value()), 0..3),
        program in any::<bool>(),
    ) {
        let files = originals();
        let mut bytes = files[which % files.len()].clone();
        let word = |bytes: &[u8], at: usize| usize::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        // The dynamic section is where most can go wrong.
        let headers = (0..bytes[56] as usize).map(|index| 64 + 56 * index);
        let dynamic = headers.into_iter().find(|&at| bytes[at] == 2).map(|at| word(&bytes, at + 8)).unwrap();
        for (index, tag, value) in in_dynamic {
            let at = dynamic + 16 * index + if tag { 0 } else { 8 };
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value, len) in changes {
            let at = at % (bytes.len() - 8);
            bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
        }
        if let Ok(object) = load(&bytes, program) {
            try_all(object);
        }
    }
}
