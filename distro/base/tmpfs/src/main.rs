//! `tmpfs NAME:MODE…`: serves an empty tree in memory as each of these schemes; MODE (octal) is the root directory's.
//!
//! Files of each may take half of the machine's memory, as on Linux. What the trees hold ends with the server.

use ochre_abi::Result;
use ochre_abi::process::{RLIMIT_NOFILE, Rlimit};
use ochre_rt::syscall;
use ochre_scheme::{Errno, Server};
use ochre_vfs::memory::Objects;
use ochre_vfs::server::FileServer;
use ochre_vfs::tree::{At, Base, Caller, Fs, Stop};
use std::process::ExitCode;

/// Bytes that files may take if the kernel does not tell how much memory there is.
const DEFAULT_LIMIT: u64 = 128 << 20;
/// Open files of the server: one for every file that was opened.
const FILES_MAX: u64 = 1 << 20;
/// The first tree's device number, in stat(2); the others follow.
const DEVICE: u64 = 0x20;

fn main() -> ExitCode {
    let trees: Option<Vec<_>> = std::env::args().skip(1).map(|word| tree(&word)).collect();
    let Some(trees) = trees.filter(|trees| !trees.is_empty()) else {
        eprintln!("usage: tmpfs NAME:MODE…");
        return ExitCode::from(2);
    };
    match serve(&trees) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tmpfs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A scheme's name and its root's permissions.
fn tree(word: &str) -> Option<(String, u32)> {
    let (name, mode) = word.split_once(':')?;
    let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777)?;
    (!name.is_empty()).then(|| (name.to_owned(), mode))
}

/// Serves each tree from a thread of its own. Returns if one of them ends.
fn serve(trees: &[(String, u32)]) -> Result<()> {
    let files = Rlimit { current: FILES_MAX, max: FILES_MAX };
    // With the default limit there are fewer files, but a tree.
    let _ = syscall::limit(RLIMIT_NOFILE, Some(&files));
    let limit = total_memory().map_or(DEFAULT_LIMIT, |total| total / 2);
    let mut served = Vec::new();
    for (device, (name, mode)) in (DEVICE..).zip(trees) {
        let mut tree = Fs::new(Objects::new(device, None), limit);
        let root = At { base: Base::Root, path: b"" };
        tree.change_mode(root, *mode, true, &Caller::ROOT).map_err(|stop| match stop {
            Stop::Error(error) => error,
            Stop::Redirect(_) => Errno::ELOOP,
        })?;
        let server = Server::register(name)?;
        let files = FileServer::new(tree, server.port());
        served.push((server, files));
    }
    ochre_scheme::ready();
    let (end, ended) = std::sync::mpsc::channel();
    for (mut server, mut files) in served {
        let end = end.clone();
        std::thread::spawn(move || {
            // Without a receiver the process is ending already.
            let _ = end.send(server.run(&mut files));
        });
    }
    ended.recv().map_err(|_| Errno::EIO)?
}

/// Bytes of memory that the machine has.
fn total_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/scheme/sys/memory").ok()?;
    let frames: u64 = text.lines().find_map(|line| line.strip_prefix("total_frames "))?.parse().ok()?;
    Some(frames * 4096)
}

#[cfg(test)]
mod tests {
    use super::tree;

    #[test]
    fn arguments() {
        assert_eq!(tree("tmpfs.tmp:1777"), Some(("tmpfs.tmp".into(), 0o1777)));
        for wrong in ["tmp", "tmp:", ":755", "tmp:8", "tmp:17777", ""] {
            assert_eq!(tree(wrong), None, "{wrong}");
        }
    }
}
