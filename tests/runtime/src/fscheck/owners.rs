//! Who may do what: file modes, owners, the sticky bit. The forbidden things are tried in a child that is not root.

use crate::folder::Folder;
use runtime_tests::{Result, checks, errno, same, sys};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

checks!("owners": modes, folders, only_the_owner, sticky, own_files, umask, group);

/// A user that owns nothing here.
const NOBODY: u32 = 65534;

fn mode(path: impl AsRef<Path>, bits: u32) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(bits))
}

/// The rest of a check, as that user. On a host where the caller is not root there is nothing to try.
fn as_nobody(work: impl FnOnce() -> Result) -> Result {
    if sys::user() == 0 { sys::as_user(NOBODY, work) } else { Ok(()) }
}

fn modes() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o755)?;
    let (secret, public) = (folder.file("secret", "x")?, folder.file("public", "x")?);
    mode(&secret, 0o600)?;
    mode(&public, 0o644)?;
    as_nobody(|| {
        same!(errno(File::open(&secret)), libc::EACCES);
        same!(errno(File::open(&public)), 0);
        same!(errno(OpenOptions::new().write(true).open(&public)), libc::EACCES);
        same!(errno(OpenOptions::new().append(true).open(&public)), libc::EACCES);
        same!(errno(fs::metadata(&secret)), 0);
        Ok(())
    })?;
    same!(fs::read_to_string(&secret)?, "x");
    Ok(())
}

fn folders() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o755)?;
    for (name, bits) in [("closed", 0o700), ("listed", 0o744), ("passed", 0o711)] {
        let dir = folder.dir(name)?;
        fs::write(dir.join("file"), "x")?;
        mode(&dir, bits)?;
    }
    as_nobody(|| {
        same!(errno(fs::read_dir(folder.at("closed"))), libc::EACCES);
        same!(errno(fs::metadata(folder.at("closed/file"))), libc::EACCES);
        same!(errno(fs::read_dir(folder.at("listed"))), 0);
        same!(errno(fs::metadata(folder.at("listed/file"))), libc::EACCES);
        same!(errno(fs::read_dir(folder.at("passed"))), libc::EACCES);
        same!(errno(fs::read(folder.at("passed/file"))), 0);
        same!(errno(File::create(folder.at("passed/new"))), libc::EACCES);
        same!(errno(fs::remove_file(folder.at("passed/file"))), libc::EACCES);
        same!(errno(fs::rename(folder.at("passed/file"), folder.at("passed/other"))), libc::EACCES);
        same!(errno(fs::create_dir(folder.at("dir"))), libc::EACCES);
        Ok(())
    })
}

fn only_the_owner() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o777)?;
    let file = folder.file("file", "x")?;
    mode(&file, 0o666)?;
    as_nobody(|| {
        same!(errno(mode(&file, 0o777)), libc::EPERM);
        same!(errno(chown(&file, Some(NOBODY), None)), libc::EPERM);
        // With the right to write: the contents, but not the times at will (utimensat(2)).
        same!(errno(fs::write(&file, "y")), 0);
        let times = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        same!(errno(OpenOptions::new().write(true).open(&file)?.set_times(times)), libc::EPERM);
        Ok(())
    })
}

fn sticky() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o1777)?;
    let file = folder.file("file", "x")?;
    as_nobody(|| {
        same!(errno(fs::remove_file(&file)), libc::EPERM);
        same!(errno(fs::rename(&file, folder.at("mine"))), libc::EPERM);
        fs::write(folder.at("mine"), "x")?;
        same!(errno(fs::rename(folder.at("mine"), &file)), libc::EPERM);
        fs::remove_file(folder.at("mine"))?;
        Ok(())
    })
}

fn own_files() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o777)?;
    as_nobody(|| {
        fs::write(folder.at("file"), "x")?;
        let stat = fs::metadata(folder.at("file"))?;
        same!((stat.uid(), stat.gid()), (NOBODY, NOBODY));
        mode(folder.at("file"), 0o000)?;
        same!(errno(File::open(folder.at("file"))), libc::EACCES);
        mode(folder.at("file"), 0o400)?;
        same!(errno(File::open(folder.at("file"))), 0);
        same!(errno(OpenOptions::new().write(true).open(folder.at("file"))), libc::EACCES);
        same!(errno(chown(folder.at("file"), Some(0), None)), libc::EPERM);
        Ok(())
    })
}

fn umask() -> Result {
    let folder = Folder::new()?;
    sys::umask(0o027);
    OpenOptions::new().write(true).create_new(true).mode(0o666).open(folder.at("file"))?;
    same!(fs::metadata(folder.at("file"))?.mode() & 0o7777, 0o640);
    fs::create_dir(folder.at("dir"))?;
    same!(fs::metadata(folder.at("dir"))?.mode() & 0o7777, 0o750);
    // A descriptor keeps what its open asked for, whatever the mode of the new file.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o000).open(folder.at("none"))?;
    std::io::Write::write_all(&mut file, b"x")?;
    Ok(())
}

fn group() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o755)?;
    let file = folder.file("file", "x")?;
    if sys::user() == 0 {
        chown(&file, Some(0), Some(NOBODY))?;
    }
    mode(&file, 0o604)?;
    // The group's bits count for its members, though the others have more.
    as_nobody(|| {
        same!(errno(File::open(&file)), libc::EACCES);
        Ok(())
    })
}
