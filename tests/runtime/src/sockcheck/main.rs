//! `sockcheck`: what unix(7) promises of AF_UNIX sockets with and without names.
#![forbid(unsafe_code)]

mod datagrams;
mod names;
mod passing;
mod streams;

fn main() -> std::process::ExitCode {
    runtime_tests::run(&[names::CHECKS, streams::CHECKS, datagrams::CHECKS, passing::CHECKS])
}

/// An abstract name that no other process uses.
fn unique(what: &str) -> Vec<u8> {
    format!("\0sockcheck-{}-{what}", std::process::id()).into_bytes()
}

/// A name in the file system, which no other process uses, with the NUL that the kernel counts; nothing is there.
fn path(what: &str) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("sockcheck-{}-{what}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut name = path.into_os_string().into_encoded_bytes();
    name.push(0);
    name
}

/// The path in such a name.
fn file(name: &[u8]) -> &std::path::Path {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name[..end]))
}
