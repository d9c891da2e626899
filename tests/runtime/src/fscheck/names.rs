//! Names and paths: NAME_MAX, PATH_MAX, any bytes, trailing slashes.

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;

checks!("names": longest, path_too_long, any_bytes, trailing_slash, dots_and_slashes, empty);

fn longest() -> Result {
    let folder = Folder::new()?;
    let name = "n".repeat(255);
    fs::write(folder.at(&name), "x")?;
    same!(fs::read_to_string(folder.at(&name))?, "x");
    same!(fs::read_dir(folder.at(""))?.next().ok_or("no entry")??.file_name().len(), 255);
    same!(errno(File::create(folder.at("n".repeat(256)))), libc::ENAMETOOLONG);
    same!(errno(fs::create_dir(folder.at("n".repeat(256)))), libc::ENAMETOOLONG);
    Ok(())
}

fn path_too_long() -> Result {
    let folder = Folder::new()?;
    same!(errno(File::open("/".repeat(5000))), libc::ENAMETOOLONG);
    same!(errno(fs::metadata(folder.at("x/".repeat(2500)))), libc::ENAMETOOLONG);
    // 4095 bytes still pass.
    same!(errno(fs::metadata("/".repeat(4095))), 0);
    same!(errno(fs::metadata("/".repeat(4096))), libc::ENAMETOOLONG);
    Ok(())
}

fn any_bytes() -> Result {
    let folder = Folder::new()?;
    let bytes: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
    let name = OsStr::from_bytes(&bytes);
    fs::write(folder.at(name), "odd")?;
    same!(fs::read_to_string(folder.at(name))?, "odd");
    same!(fs::read_dir(folder.at(""))?.next().ok_or("no entry")??.file_name(), name);
    fs::remove_file(folder.at(name))?;
    ensure!(!folder.at(name).exists());
    Ok(())
}

fn trailing_slash() -> Result {
    let folder = Folder::new()?;
    folder.file("file", "x")?;
    same!(errno(File::open(folder.at("file/"))), libc::ENOTDIR);
    same!(errno(fs::metadata(folder.at("file/."))), libc::ENOTDIR);
    same!(errno(fs::remove_file(folder.at("file/"))), libc::ENOTDIR);
    same!(errno(File::create(folder.at("new/"))), libc::EISDIR);
    fs::create_dir(folder.at("dir/"))?;
    ensure!(fs::metadata(folder.at("dir///"))?.is_dir());
    Ok(())
}

fn dots_and_slashes() -> Result {
    let folder = Folder::new()?;
    folder.file("file", "x")?;
    folder.dir("dir")?;
    same!(fs::read_to_string(folder.at(".//dir/./..///file"))?, "x");
    // A name in between must exist, though `..` leaves it again.
    same!(errno(File::open(folder.at("none/../file"))), libc::ENOENT);
    same!(errno(File::open(folder.at("file/../file"))), libc::ENOTDIR);
    same!(errno(fs::create_dir(folder.at("dir/."))), libc::EEXIST);
    same!(errno(fs::remove_dir(folder.at("dir/."))), libc::EINVAL);
    Ok(())
}

fn empty() -> Result {
    same!(errno(File::open("")), libc::ENOENT);
    same!(errno(fs::metadata("")), libc::ENOENT);
    same!(errno(fs::create_dir("")), libc::ENOENT);
    same!(errno(fs::remove_file("")), libc::ENOENT);
    Ok(())
}
