//! Who may do what: file modes, owners, the sticky bit. The forbidden things are tried in a child that is not root.

use crate::folder::Folder;
use runtime_tests::{Result, checks, errno, same, sys};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

checks!("owners": modes, folders, only_the_owner, sticky, own_files, umask, group, supplementary_groups, groups_of_others, access_by_real_ids);

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

/// Runs `work` in a child with these supplementary groups, as the ids (real, effective) of user and group.
fn with_groups(groups: &[u32], gid: (u32, u32), uid: (u32, u32), work: impl FnOnce() -> Result) -> Result {
    if sys::user() != 0 {
        return Ok(());
    }
    let ended = sys::child(|| match sys::become_user(groups, gid, uid).map_err(Into::into).and_then(|()| work()) {
        Ok(()) => 0,
        Err(why) => {
            println!("with groups {groups:?}: {}", why.0);
            1
        }
    })?;
    same!(ended, sys::Ended::Status(0));
    Ok(())
}

fn supplementary_groups() -> Result {
    const CLUB: u32 = 4711;
    let folder = Folder::new()?;
    mode(folder.at(""), 0o755)?;
    let (file, dir) = (folder.file("file", "x")?, folder.dir("dir")?);
    if sys::user() == 0 {
        chown(&file, Some(0), Some(CLUB))?;
        chown(&dir, Some(0), Some(CLUB))?;
    }
    mode(&file, 0o640)?;
    mode(&dir, 0o2770)?;
    with_groups(&[], (NOBODY, NOBODY), (NOBODY, NOBODY), || {
        same!(errno(File::open(&file)), libc::EACCES);
        same!(errno(fs::read_dir(&dir)), libc::EACCES);
        Ok(())
    })?;
    // The last of many, so that none is forgotten.
    let many: Vec<u32> = (1000..1100).chain([CLUB]).collect();
    for groups in [&[CLUB][..], &[5, CLUB, 9000], &many] {
        with_groups(groups, (NOBODY, NOBODY), (NOBODY, NOBODY), || {
            same!(fs::read_to_string(&file)?, "x");
            same!(errno(OpenOptions::new().write(true).open(&file)), libc::EACCES);
            // A new file has the folder's group.
            fs::write(dir.join("new"), "y")?;
            let stat = fs::metadata(dir.join("new"))?;
            same!((stat.uid(), stat.gid()), (NOBODY, CLUB));
            fs::remove_file(dir.join("new"))?;
            Ok(())
        })?;
    }
    Ok(())
}

/// chown(2) and chmod(2): an owner gives a file to a group of his, and to no other, and its identity only to members.
fn groups_of_others() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o777)?;
    with_groups(&[50, 4711], (NOBODY, NOBODY), (NOBODY, NOBODY), || {
        let file = folder.file("file", "x")?;
        chown(&file, None, Some(4711))?;
        mode(&file, 0o2755)?;
        same!(fs::metadata(&file)?.mode() & 0o7777, 0o2755);
        chown(&file, Some(NOBODY), Some(50))?;
        // A change of owner or group takes the set-id bits.
        same!(fs::metadata(&file)?.mode() & 0o7777, 0o755);
        same!(fs::metadata(&file)?.gid(), 50);
        same!(errno(chown(&file, None, Some(51))), libc::EPERM);
        same!(errno(chown(&file, Some(1), None)), libc::EPERM);
        Ok(())
    })?;
    if sys::user() == 0 {
        chown(folder.at("file"), None, Some(51))?;
        with_groups(&[50], (NOBODY, NOBODY), (NOBODY, NOBODY), || {
            mode(folder.at("file"), 0o2755)?;
            same!(fs::metadata(folder.at("file"))?.mode() & 0o7777, 0o755);
            Ok(())
        })?;
    }
    Ok(())
}

/// access(2) asks for the real ids, with AT_EACCESS for the effective ones, as open(2) does.
fn access_by_real_ids() -> Result {
    let folder = Folder::new()?;
    mode(folder.at(""), 0o755)?;
    let file = folder.file("file", "x")?;
    mode(&file, 0o600)?;
    same!(errno(sys::access(&file, libc::R_OK | libc::W_OK, 0)), 0);
    same!(errno(sys::access(&file, libc::X_OK, 0)), libc::EACCES);
    same!(errno(sys::access(&folder.at("none"), libc::F_OK, 0)), libc::ENOENT);
    same!(errno(sys::access(&file, 8, 0)), libc::EINVAL);
    // A set-user-id program's look: run for nobody, by root's rights.
    with_groups(&[], (NOBODY, 0), (NOBODY, 0), || {
        same!(errno(sys::access(&file, libc::R_OK, 0)), libc::EACCES);
        same!(errno(sys::access(&file, libc::F_OK, 0)), 0);
        same!(errno(sys::access(&file, libc::R_OK, libc::AT_EACCESS)), 0);
        same!(errno(File::open(&file)), 0);
        Ok(())
    })?;
    with_groups(&[], (0, NOBODY), (0, NOBODY), || {
        same!(errno(sys::access(&file, libc::R_OK, 0)), 0);
        same!(errno(sys::access(&file, libc::R_OK, libc::AT_EACCESS)), libc::EACCES);
        same!(errno(File::open(&file)), libc::EACCES);
        Ok(())
    })
}
