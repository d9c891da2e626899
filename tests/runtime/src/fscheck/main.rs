//! `fscheck`: what POSIX and Linux promise of a local file system, tried on the one that holds TMPDIR (else /tmp).
#![forbid(unsafe_code)]

mod dirs;
mod fifos;
mod files;
mod folder;
mod links;
mod locks;
mod maps;
mod names;
mod notify;
mod owners;
mod rename;
mod space;
mod xattrs;

fn main() -> std::process::ExitCode {
    runtime_tests::run(&[
        files::CHECKS,
        rename::CHECKS,
        links::CHECKS,
        names::CHECKS,
        dirs::CHECKS,
        owners::CHECKS,
        maps::CHECKS,
        fifos::CHECKS,
        locks::CHECKS,
        notify::CHECKS,
        space::CHECKS,
        xattrs::CHECKS,
    ])
}
