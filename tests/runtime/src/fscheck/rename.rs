//! The cases of rename(2) and rename in POSIX.1-2017.

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

checks!("rename": over_a_file, two_links_of_one_file, folder_over_folder, kinds_differ, into_itself, missing, of_a_link, moves_subtree, dot);

fn over_a_file() -> Result {
    let folder = Folder::new()?;
    let (a, b) = (folder.file("a", "new")?, folder.file("b", "old")?);
    let inode = fs::metadata(&a)?.ino();
    let mut replaced = File::open(&b)?;
    fs::rename(&a, &b)?;
    ensure!(!a.exists());
    same!(fs::metadata(&b)?.ino(), inode);
    same!(fs::read_to_string(&b)?, "new");
    let mut text = String::new();
    replaced.read_to_string(&mut text)?;
    same!(text, "old");
    same!(replaced.metadata()?.nlink(), 0);
    Ok(())
}

fn two_links_of_one_file() -> Result {
    let folder = Folder::new()?;
    let a = folder.file("a", "x")?;
    fs::rename(&a, &a)?;
    fs::hard_link(&a, folder.at("b"))?;
    // POSIX: nothing happens, and both names stay.
    fs::rename(&a, folder.at("b"))?;
    same!(fs::metadata(&a)?.nlink(), 2);
    ensure!(folder.at("b").exists());
    Ok(())
}

fn folder_over_folder() -> Result {
    let folder = Folder::new()?;
    let (a, b) = (folder.dir("a")?, folder.dir("b")?);
    fs::write(a.join("file"), "x")?;
    fs::rename(&a, &b)?;
    ensure!(!a.exists() && b.join("file").exists());
    let c = folder.dir("c")?;
    let result = errno(fs::rename(&c, &b));
    ensure!(result == libc::ENOTEMPTY || result == libc::EEXIST);
    ensure!(c.exists() && b.join("file").exists());
    Ok(())
}

fn kinds_differ() -> Result {
    let folder = Folder::new()?;
    let (file, dir) = (folder.file("file", "x")?, folder.dir("dir")?);
    same!(errno(fs::rename(&file, &dir)), libc::EISDIR);
    same!(errno(fs::rename(&dir, &file)), libc::ENOTDIR);
    ensure!(file.is_file() && dir.is_dir());
    Ok(())
}

fn into_itself() -> Result {
    let folder = Folder::new()?;
    let a = folder.dir("a")?;
    fs::create_dir(a.join("b"))?;
    same!(errno(fs::rename(&a, a.join("c"))), libc::EINVAL);
    same!(errno(fs::rename(&a, a.join("b/c"))), libc::EINVAL);
    let up = errno(fs::rename(a.join("b"), &a));
    ensure!(up == libc::ENOTEMPTY || up == libc::EEXIST);
    ensure!(a.join("b").is_dir());
    Ok(())
}

fn missing() -> Result {
    let folder = Folder::new()?;
    let a = folder.file("a", "x")?;
    same!(errno(fs::rename(folder.at("none"), folder.at("b"))), libc::ENOENT);
    same!(errno(fs::rename(&a, folder.at("none/b"))), libc::ENOENT);
    same!(errno(fs::rename(&a, a.join("b"))), libc::ENOTDIR);
    ensure!(a.exists());
    Ok(())
}

fn of_a_link() -> Result {
    let folder = Folder::new()?;
    let target = folder.file("target", "x")?;
    std::os::unix::fs::symlink("target", folder.at("link"))?;
    fs::rename(folder.at("link"), folder.at("moved"))?;
    ensure!(fs::symlink_metadata(folder.at("moved"))?.is_symlink());
    // A link at the new name is replaced itself, and not what it names.
    let other = folder.file("other", "y")?;
    fs::rename(&other, folder.at("moved"))?;
    ensure!(fs::symlink_metadata(folder.at("moved"))?.is_file());
    same!(fs::read_to_string(target)?, "x");
    Ok(())
}

fn moves_subtree() -> Result {
    let folder = Folder::new()?;
    let (from, to) = (folder.dir("from")?, folder.dir("to")?);
    fs::create_dir_all(from.join("x/y"))?;
    fs::write(from.join("x/y/z"), "deep")?;
    let links = (fs::metadata(&from)?.nlink(), fs::metadata(&to)?.nlink());
    fs::rename(from.join("x"), to.join("x"))?;
    same!(fs::read_to_string(to.join("x/y/z"))?, "deep");
    // `..` of the moved folder is the new parent.
    same!(fs::metadata(to.join("x/.."))?.ino(), fs::metadata(&to)?.ino());
    if links.0 > 2 {
        same!((fs::metadata(&from)?.nlink(), fs::metadata(&to)?.nlink()), (links.0 - 1, links.1 + 1));
    }
    Ok(())
}

fn dot() -> Result {
    let folder = Folder::new()?;
    let a = folder.dir("a")?;
    for last in [".", ".."] {
        let result = errno(fs::rename(a.join(last), folder.at("b")));
        ensure!(result == libc::EBUSY || result == libc::EINVAL);
    }
    Ok(())
}
