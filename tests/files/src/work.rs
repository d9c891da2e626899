//! Doing the steps of a plan.

use crate::bytes;
use crate::plan::{Step, mode, name};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Does one step in the folder. `number` is the step's, from 0 on.
///
/// # Errors
/// The file system's.
pub fn step(folder: &Path, number: u64, step: Step) -> io::Result<()> {
    let path = |number: u8| folder.join(name(number));
    let open = |number: u8| OpenOptions::new().write(true).open(path(number));
    match step {
        Step::Create(name, id) => {
            OpenOptions::new().write(true).create_new(true).mode(mode(id)).open(path(name)).map(drop)
        }
        Step::Write(name, offset, len) => open(name)?.write_all_at(&bytes::run(number, offset, len), offset),
        Step::Truncate(name, len) => open(name)?.set_len(len),
        Step::Sync(name, false) => open(name)?.sync_all(),
        Step::Sync(name, true) => open(name)?.sync_data(),
        Step::Rename(from, to) => fs::rename(path(from), path(to)),
        Step::Link(from, to) => fs::hard_link(path(from), path(to)),
        Step::Unlink(name) => fs::remove_file(path(name)),
        Step::SyncFolder => sync_folder(folder),
    }
}

/// fsync(2) of a folder.
///
/// # Errors
/// The file system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
