//! Folders, symbolic links and paths.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, DirEntryExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::check::{Check, Outcome, ensure, equal, fails_with};
use crate::child::{self, hex};
use crate::tempdir::TempDir;

pub const CHECKS: &[Check] = &[
    Check { name: "dirs.create-remove", run: create_remove },
    Check { name: "dirs.create-all", run: create_all },
    Check { name: "dirs.remove-all", run: remove_all },
    Check { name: "dirs.list", run: list },
    Check { name: "dirs.list-types", run: list_types },
    Check { name: "dirs.rename", run: rename },
    Check { name: "dirs.symlink", run: symbolic_link },
    Check { name: "dirs.canonicalize", run: canonicalize },
    Check { name: "dirs.current", run: current },
    Check { name: "dirs.odd-names", run: odd_names },
];

fn create_remove() -> Outcome {
    let dir = TempDir::new("dirs")?;
    let sub = dir.join("sub");
    fs::create_dir(&sub)?;
    ensure!(sub.is_dir());
    fails_with!(fs::create_dir(&sub), ErrorKind::AlreadyExists);
    fails_with!(fs::create_dir(dir.join("none/sub")), ErrorKind::NotFound);
    fs::write(sub.join("f"), "x")?;
    fails_with!(fs::create_dir(sub.join("f/sub")), ErrorKind::NotADirectory);
    fails_with!(fs::remove_dir(&sub), ErrorKind::DirectoryNotEmpty);
    fails_with!(fs::remove_dir(sub.join("f")), ErrorKind::NotADirectory);
    // POSIX lets unlink(2) of a folder fail with EPERM, Linux says EISDIR.
    fails_with!(fs::remove_file(&sub), ErrorKind::IsADirectory);
    fs::remove_file(sub.join("f"))?;
    fs::remove_dir(&sub)?;
    ensure!(!sub.try_exists()?);
    fails_with!(fs::remove_dir(&sub), ErrorKind::NotFound);
    fs::DirBuilder::new().mode(0o700).create(&sub)?;
    equal!(fs::metadata(&sub)?.permissions().mode() & 0o777, 0o700);
    Ok(())
}

fn create_all() -> Outcome {
    let dir = TempDir::new("create-all")?;
    let deep: PathBuf = (0..20).map(|n| format!("level {n}")).collect();
    fs::create_dir_all(dir.join(&deep))?;
    ensure!(dir.join(&deep).is_dir());
    // It is no error that they exist.
    fs::create_dir_all(dir.join(&deep))?;
    fs::write(dir.join("f"), "x")?;
    ensure!(fs::create_dir_all(dir.join("f")).is_err());
    ensure!(fs::create_dir_all(dir.join("f/below")).is_err());
    Ok(())
}

fn remove_all() -> Outcome {
    let dir = TempDir::new("remove-all")?;
    let (tree, kept) = (dir.join("tree"), dir.join("kept"));
    fs::create_dir(&kept)?;
    fs::write(kept.join("f"), "x")?;
    for folder in 0..5 {
        let folder = tree.join(format!("{folder}/deeper/still"));
        fs::create_dir_all(&folder)?;
        for file in 0..20 {
            fs::write(folder.join(file.to_string()), "x")?;
        }
        // The link goes, what it points to stays.
        symlink(&kept, folder.join("link"))?;
    }
    fs::remove_dir_all(&tree)?;
    ensure!(!tree.try_exists()?);
    equal!(fs::read_to_string(kept.join("f"))?, "x");
    fails_with!(fs::remove_dir_all(&tree), ErrorKind::NotFound);
    Ok(())
}

fn list() -> Outcome {
    const ENTRIES: usize = 500;
    let dir = TempDir::new("list")?;
    let wanted: BTreeSet<String> = (0..ENTRIES).map(|n| format!("entry {n} {}", "n".repeat(n % 60))).collect();
    for name in &wanted {
        fs::write(dir.join(name), name)?;
    }
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for entry in fs::read_dir(dir.path())? {
        let entry = entry?;
        count += 1;
        equal!(entry.path(), dir.join(entry.file_name()));
        equal!(entry.metadata()?.ino(), entry.ino());
        seen.insert(entry.file_name().to_string_lossy().into_owned());
    }
    equal!(count, ENTRIES);
    ensure!(seen == wanted, "{:?} differ", seen.symmetric_difference(&wanted).collect::<Vec<_>>());
    // Removed while it is read, as remove_dir_all does.
    for entry in fs::read_dir(dir.path())? {
        fs::remove_file(entry?.path())?;
    }
    equal!(fs::read_dir(dir.path())?.count(), 0);
    Ok(())
}

fn list_types() -> Outcome {
    let dir = TempDir::new("list-types")?;
    fs::write(dir.join("file"), "x")?;
    fs::create_dir(dir.join("folder"))?;
    symlink("file", dir.join("link"))?;
    for entry in fs::read_dir(dir.path())? {
        let entry = entry?;
        let kind = entry.file_type()?;
        match entry.file_name().to_str() {
            Some("file") => ensure!(kind.is_file()),
            Some("folder") => ensure!(kind.is_dir()),
            Some("link") => ensure!(kind.is_symlink()),
            other => ensure!(false, "{other:?} was never made"),
        }
    }
    fails_with!(fs::read_dir(dir.join("none")), ErrorKind::NotFound);
    Ok(())
}

fn rename() -> Outcome {
    let dir = TempDir::new("rename-dir")?;
    fs::create_dir_all(dir.join("a/b"))?;
    fs::write(dir.join("a/b/f"), "x")?;
    fs::rename(dir.join("a"), dir.join("c"))?;
    equal!(fs::read_to_string(dir.join("c/b/f"))?, "x");
    // An empty folder is replaced, a full one is not, and none can go below itself.
    fs::create_dir(dir.join("empty"))?;
    fs::rename(dir.join("c"), dir.join("empty"))?;
    fs::create_dir_all(dir.join("full/x"))?;
    fails_with!(fs::rename(dir.join("empty"), dir.join("full")), ErrorKind::DirectoryNotEmpty);
    fails_with!(fs::rename(dir.join("empty"), dir.join("empty/b/self")), ErrorKind::InvalidInput);
    equal!(fs::read_to_string(dir.join("empty/b/f"))?, "x");
    Ok(())
}

fn symbolic_link() -> Outcome {
    let dir = TempDir::new("symlink")?;
    fs::write(dir.join("target"), "text")?;
    symlink("target", dir.join("link"))?;
    equal!(fs::read_link(dir.join("link"))?, Path::new("target"));
    equal!(fs::read_to_string(dir.join("link"))?, "text");
    let link = fs::symlink_metadata(dir.join("link"))?;
    ensure!(link.is_symlink());
    equal!(link.len(), "target".len() as u64);
    equal!(fs::metadata(dir.join("link"))?.ino(), fs::metadata(dir.join("target"))?.ino());
    fails_with!(symlink("other", dir.join("link")), ErrorKind::AlreadyExists);
    fails_with!(fs::read_link(dir.join("target")), ErrorKind::InvalidInput);
    // To a folder, as part of a path; to nothing; to itself.
    fs::create_dir(dir.join("folder"))?;
    fs::write(dir.join("folder/f"), "below")?;
    symlink(dir.join("folder"), dir.join("to-folder"))?;
    equal!(fs::read_to_string(dir.join("to-folder/f"))?, "below");
    equal!(fs::read_to_string(dir.join("to-folder/../target"))?, "text");
    symlink("nothing", dir.join("dangling"))?;
    fails_with!(fs::read(dir.join("dangling")), ErrorKind::NotFound);
    ensure!(fs::symlink_metadata(dir.join("dangling")).is_ok());
    symlink("loop", dir.join("loop"))?;
    const ELOOP: Option<i32> = Some(40);
    equal!(fs::read(dir.join("loop")).map_err(|e| e.raw_os_error()), Err(ELOOP));
    fs::remove_file(dir.join("link"))?;
    equal!(fs::read_to_string(dir.join("target"))?, "text");
    Ok(())
}

fn canonicalize() -> Outcome {
    let dir = TempDir::new("canonicalize")?;
    fs::create_dir_all(dir.join("a/b"))?;
    symlink("a/b", dir.join("link"))?;
    fs::write(dir.join("a/b/f"), "x")?;
    let real = fs::canonicalize(dir.path())?;
    ensure!(real.is_absolute());
    equal!(fs::canonicalize(dir.join("link/f"))?, real.join("a/b/f"));
    equal!(fs::canonicalize(dir.join("./a/.././/link/..//b/"))?, real.join("a/b"));
    equal!(fs::canonicalize("/")?, Path::new("/"));
    fails_with!(fs::canonicalize(dir.join("none")), ErrorKind::NotFound);
    Ok(())
}

/// Goes back where it was when the check ends.
struct Return(PathBuf);

impl Drop for Return {
    fn drop(&mut self) {
        // The folder existed when the check began.
        drop(env::set_current_dir(&self.0));
    }
}

fn current() -> Outcome {
    let dir = TempDir::new("current")?;
    let _return = Return(env::current_dir()?);
    let real = fs::canonicalize(dir.path())?;
    fs::create_dir_all(dir.join("a/b"))?;
    env::set_current_dir(&real)?;
    equal!(env::current_dir()?, real);
    fs::write("relative", "x")?;
    equal!(fs::read_to_string(real.join("relative"))?, "x");
    env::set_current_dir("a/b")?;
    equal!(env::current_dir()?, real.join("a/b"));
    equal!(fs::read_to_string("../../relative")?, "x");
    env::set_current_dir("..")?;
    equal!(env::current_dir()?, real.join("a"));
    fails_with!(env::set_current_dir("none"), ErrorKind::NotFound);
    fails_with!(env::set_current_dir("../relative"), ErrorKind::NotADirectory);
    equal!(env::current_dir()?, real.join("a"));
    // A child begins where its parent is, or where it is told to.
    let here = child::command("cwd")?.output()?;
    equal!(String::from_utf8_lossy(&here.stdout).trim(), hex(real.join("a").as_os_str().as_encoded_bytes()));
    let there = child::command("cwd")?.current_dir("b").output()?;
    equal!(String::from_utf8_lossy(&there.stdout).trim(), hex(real.join("a/b").as_os_str().as_encoded_bytes()));
    Ok(())
}

fn odd_names() -> Outcome {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new("odd-names")?;
    let names: [&[u8]; 6] = [b"\xff\xfe", b" ", b"new\nline", "Größe".as_bytes(), b"...", &[b'n'; 255]];
    for name in names {
        fs::write(dir.join(OsStr::from_bytes(name)), name)?;
    }
    let mut seen = 0;
    for entry in fs::read_dir(dir.path())? {
        let entry = entry?;
        equal!(fs::read(entry.path())?, entry.file_name().as_bytes());
        seen += 1;
    }
    equal!(seen, names.len());
    Ok(())
}
