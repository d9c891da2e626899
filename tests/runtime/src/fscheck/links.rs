//! Symbolic and hard links: path_resolution(7), symlink(7), link(2).

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::path::Path;

checks!("links": loops, chains, dangling, not_followed, up_through_a_link, read_back, hard, hard_refused);

fn loops() -> Result {
    let folder = Folder::new()?;
    symlink("self", folder.at("self"))?;
    same!(errno(File::open(folder.at("self"))), libc::ELOOP);
    symlink("b", folder.at("a"))?;
    symlink("a", folder.at("b"))?;
    same!(errno(fs::metadata(folder.at("a"))), libc::ELOOP);
    same!(errno(File::create(folder.at("a/file"))), libc::ELOOP);
    ensure!(fs::symlink_metadata(folder.at("a"))?.is_symlink());
    Ok(())
}

fn chains() -> Result {
    let folder = Folder::new()?;
    folder.file("0", "x")?;
    for n in 1..=41 {
        symlink((n - 1).to_string(), folder.at(n.to_string()))?;
    }
    // Linux follows 40 at the most.
    same!(fs::read_to_string(folder.at("40"))?, "x");
    same!(errno(File::open(folder.at("41"))), libc::ELOOP);
    Ok(())
}

fn dangling() -> Result {
    let folder = Folder::new()?;
    symlink("target", folder.at("link"))?;
    same!(errno(File::open(folder.at("link"))), libc::ENOENT);
    fs::write(folder.at("link"), "made")?;
    same!(fs::read_to_string(folder.at("target"))?, "made");
    same!(errno(fs::create_dir(folder.at("link"))), libc::EEXIST);
    fs::remove_file(folder.at("link"))?;
    ensure!(folder.at("target").exists());
    Ok(())
}

fn not_followed() -> Result {
    let folder = Folder::new()?;
    folder.file("target", "x")?;
    symlink("target", folder.at("link"))?;
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(folder.at("link"));
    same!(errno(open), libc::ELOOP);
    folder.dir("dir")?;
    symlink("dir", folder.at("dirlink"))?;
    // Only the last name counts.
    fs::write(folder.at("dir/file"), "x")?;
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(folder.at("dirlink/file"))?;
    Ok(())
}

fn up_through_a_link() -> Result {
    let folder = Folder::new()?;
    fs::create_dir_all(folder.at("deep/inner"))?;
    folder.file("name", "outer")?;
    fs::write(folder.at("deep/name"), "deep")?;
    symlink("deep/inner", folder.at("link"))?;
    // `..` goes up from where the link leads, not from where it stands.
    same!(fs::read_to_string(folder.at("link/../name"))?, "deep");
    same!(fs::read_to_string(folder.at("link/../../name"))?, "outer");
    same!(fs::metadata("/..")?.ino(), fs::metadata("/")?.ino());
    Ok(())
}

fn read_back() -> Result {
    let folder = Folder::new()?;
    let long = "x/".repeat(1000);
    symlink(&long, folder.at("link"))?;
    same!(fs::read_link(folder.at("link"))?, Path::new(&long));
    same!(fs::symlink_metadata(folder.at("link"))?.len(), 2000);
    let file = folder.file("file", "")?;
    same!(errno(fs::read_link(file)), libc::EINVAL);
    same!(errno(symlink("", folder.at("empty"))), libc::ENOENT);
    same!(errno(symlink("x", folder.at("link"))), libc::EEXIST);
    Ok(())
}

fn hard() -> Result {
    let folder = Folder::new()?;
    let a = folder.file("a", "one")?;
    fs::hard_link(&a, folder.at("b"))?;
    same!(fs::metadata(&a)?.ino(), fs::metadata(folder.at("b"))?.ino());
    same!(fs::metadata(&a)?.nlink(), 2);
    fs::write(folder.at("b"), "two")?;
    same!(fs::read_to_string(&a)?, "two");
    fs::remove_file(&a)?;
    same!(fs::metadata(folder.at("b"))?.nlink(), 1);
    same!(fs::read_to_string(folder.at("b"))?, "two");
    Ok(())
}

fn hard_refused() -> Result {
    let folder = Folder::new()?;
    let (a, dir) = (folder.file("a", "")?, folder.dir("dir")?);
    same!(errno(fs::hard_link(&dir, folder.at("b"))), libc::EPERM);
    same!(errno(fs::hard_link(&a, &dir)), libc::EEXIST);
    same!(errno(fs::hard_link(folder.at("none"), folder.at("b"))), libc::ENOENT);
    Ok(())
}
