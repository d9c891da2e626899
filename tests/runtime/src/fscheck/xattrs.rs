//! Extended attributes: xattr(7).

use crate::folder::Folder;
use runtime_tests::sys::Of::{Link, Open, Path};
use runtime_tests::sys::{Of, get_xattr, list_xattr, remove_xattr, set_xattr};
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};

checks!("xattrs": set_and_get, sizes, flags, names, lists, links, descriptors, go_with_the_file, permissions, elsewhere);

/// The value of an attribute.
fn value(of: Of<'_>, name: &str) -> std::io::Result<Vec<u8>> {
    let mut value = vec![0; 65536];
    let len = get_xattr(of, name, &mut value)?;
    value.truncate(len);
    Ok(value)
}

/// The names of a file's own attributes, in order; others (security labels) are the host's.
fn names_of(of: Of<'_>) -> std::io::Result<Vec<String>> {
    let mut list = vec![0; 65536];
    let len = list_xattr(of, &mut list)?;
    let all = list[..len].split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned());
    let mut own: Vec<String> = all.filter(|name| name.starts_with("user.")).collect();
    own.sort();
    Ok(own)
}

fn set_and_get() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "text")?;
    let before = fs::metadata(&path)?;
    set_xattr(Path(&path), "user.one", b"1", 0)?;
    set_xattr(Path(&path), "user.empty", b"", 0)?;
    set_xattr(Path(&path), "user.bytes", b"a\0b\xff", 0)?;
    same!(value(Path(&path), "user.one")?, b"1");
    same!(value(Path(&path), "user.empty")?, b"");
    same!(value(Path(&path), "user.bytes")?, b"a\0b\xff");
    set_xattr(Path(&path), "user.one", b"another", 0)?;
    same!(value(Path(&path), "user.one")?, b"another");
    same!(names_of(Path(&path))?, ["user.bytes", "user.empty", "user.one"]);
    remove_xattr(Path(&path), "user.one")?;
    same!(errno(value(Path(&path), "user.one")), libc::ENODATA);
    same!(errno(remove_xattr(Path(&path), "user.one")), libc::ENODATA);
    same!(names_of(Path(&path))?, ["user.bytes", "user.empty"]);
    // It is a change of the file's state, not of what is in it.
    let after = fs::metadata(&path)?;
    ensure!((after.ctime(), after.ctime_nsec()) > (before.ctime(), before.ctime_nsec()));
    same!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
    let dir = folder.dir("dir")?;
    set_xattr(Path(&dir), "user.one", b"1", 0)?;
    same!(value(Path(&dir), "user.one")?, b"1");
    Ok(())
}

fn sizes() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    set_xattr(Path(&path), "user.five", b"12345", 0)?;
    same!(get_xattr(Path(&path), "user.five", &mut [])?, 5);
    same!(errno(get_xattr(Path(&path), "user.five", &mut [0; 4])), libc::ERANGE);
    same!(get_xattr(Path(&path), "user.five", &mut [0; 5])?, 5);
    same!(list_xattr(Path(&path), &mut [])?, list_xattr(Path(&path), &mut [0; 4096])?);
    same!(errno(list_xattr(Path(&path), &mut [0; 4])), libc::ERANGE);
    same!(errno(set_xattr(Path(&path), "user.big", &vec![7; 65537], 0)), libc::E2BIG);
    // What every file system keeps: a part of a block.
    let long: Vec<u8> = (0..3000u32).map(|n| (n * n >> 3) as u8).collect();
    set_xattr(Path(&path), "user.long", &long, 0)?;
    same!(value(Path(&path), "user.long")?, long);
    Ok(())
}

fn flags() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    same!(errno(set_xattr(Path(&path), "user.a", b"1", libc::XATTR_REPLACE)), libc::ENODATA);
    set_xattr(Path(&path), "user.a", b"1", libc::XATTR_CREATE)?;
    same!(errno(set_xattr(Path(&path), "user.a", b"2", libc::XATTR_CREATE)), libc::EEXIST);
    same!(value(Path(&path), "user.a")?, b"1");
    set_xattr(Path(&path), "user.a", b"2", libc::XATTR_REPLACE)?;
    same!(value(Path(&path), "user.a")?, b"2");
    same!(errno(set_xattr(Path(&path), "user.a", b"2", 4)), libc::EINVAL);
    Ok(())
}

fn names() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    let longest = format!("user.{}", "n".repeat(250));
    set_xattr(Path(&path), &longest, b"x", 0)?;
    same!(value(Path(&path), &longest)?, b"x");
    let too_long = format!("{longest}n");
    same!(errno(set_xattr(Path(&path), &too_long, b"x", 0)), libc::ERANGE);
    same!(errno(value(Path(&path), &too_long)), libc::ERANGE);
    same!(errno(remove_xattr(Path(&path), &too_long)), libc::ERANGE);
    same!(errno(set_xattr(Path(&path), "", b"x", 0)), libc::ERANGE);
    same!(errno(set_xattr(Path(&path), "user.", b"x", 0)), libc::EINVAL);
    same!(errno(value(Path(&path), "user.")), libc::EINVAL);
    same!(errno(set_xattr(Path(&path), "noclass", b"x", 0)), libc::EOPNOTSUPP);
    same!(errno(set_xattr(Path(&path), "other.class", b"x", 0)), libc::EOPNOTSUPP);
    same!(errno(value(Path(&path), "other.class")), libc::EOPNOTSUPP);
    same!(errno(value(Path(&folder.at("none")), "user.a")), libc::ENOENT);
    same!(errno(value(Path(&path.join("x")), "user.a")), libc::ENOTDIR);
    Ok(())
}

fn lists() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    same!(names_of(Path(&path))?, Vec::<String>::new());
    let many: Vec<String> = (10..60).map(|n| format!("user.number-{n}")).collect();
    for name in &many {
        set_xattr(Path(&path), name, name.as_bytes(), 0)?;
    }
    same!(names_of(Path(&path))?, many);
    for name in &many[10..] {
        remove_xattr(Path(&path), name)?;
    }
    same!(names_of(Path(&path))?, many[..10]);
    same!(value(Path(&path), &many[3])?, many[3].as_bytes());
    Ok(())
}

fn links() -> Result {
    let folder = Folder::new()?;
    let (path, link) = (folder.file("a", "")?, folder.at("link"));
    symlink("a", &link)?;
    set_xattr(Path(&link), "user.a", b"1", 0)?;
    same!(value(Path(&path), "user.a")?, b"1");
    same!(value(Link(&path), "user.a")?, b"1");
    // A symbolic link has none of its own.
    same!(errno(set_xattr(Link(&link), "user.a", b"1", 0)), libc::EPERM);
    same!(errno(value(Link(&link), "user.a")), libc::ENODATA);
    same!(errno(remove_xattr(Link(&link), "user.a")), libc::EPERM);
    same!(names_of(Link(&link))?, Vec::<String>::new());
    same!(names_of(Path(&link))?, ["user.a"]);
    remove_xattr(Path(&link), "user.a")?;
    same!(names_of(Path(&path))?, Vec::<String>::new());
    sys::make_fifo(&folder.at("fifo"), 0o600)?;
    same!(errno(set_xattr(Path(&folder.at("fifo")), "user.a", b"1", 0)), libc::EPERM);
    Ok(())
}

fn descriptors() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    let file = File::open(&path)?;
    set_xattr(Open(&file), "user.a", b"1", 0)?;
    same!(value(Open(&file), "user.a")?, b"1");
    same!(names_of(Open(&file))?, ["user.a"]);
    let name_only = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(&path)?;
    same!(errno(value(Open(&name_only), "user.a")), libc::EBADF);
    same!(errno(set_xattr(Open(&name_only), "user.a", b"1", 0)), libc::EBADF);
    remove_xattr(Open(&file), "user.a")?;
    same!(errno(value(Path(&path), "user.a")), libc::ENODATA);
    Ok(())
}

fn go_with_the_file() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "")?;
    set_xattr(Path(&path), "user.a", b"1", 0)?;
    fs::hard_link(&path, folder.at("same"))?;
    fs::rename(&path, folder.at("b"))?;
    same!(value(Path(&folder.at("b")), "user.a")?, b"1");
    same!(value(Path(&folder.at("same")), "user.a")?, b"1");
    // A new file of an old name has nothing of the old one.
    fs::remove_file(folder.at("b"))?;
    fs::write(folder.at("b"), "")?;
    same!(names_of(Path(&folder.at("b")))?, Vec::<String>::new());
    Ok(())
}

fn permissions() -> Result {
    let folder = Folder::new()?;
    fs::set_permissions(folder.at(""), Permissions::from_mode(0o1777))?;
    let path = folder.file("a", "")?;
    set_xattr(Path(&path), "user.a", b"1", 0)?;
    if sys::user() != 0 {
        return Ok(());
    }
    set_xattr(Path(&path), "trusted.t", b"1", 0)?;
    same!(value(Path(&path), "trusted.t")?, b"1");
    fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    let secret = folder.file("secret", "")?;
    set_xattr(Path(&secret), "user.a", b"1", 0)?;
    fs::set_permissions(&secret, Permissions::from_mode(0o600))?;
    sys::as_user(65534, || {
        same!(value(Path(&path), "user.a")?, b"1");
        same!(errno(set_xattr(Path(&path), "user.a", b"2", 0)), libc::EACCES);
        same!(errno(remove_xattr(Path(&path), "user.a")), libc::EACCES);
        same!(errno(value(Path(&secret), "user.a")), libc::EACCES);
        // Names are told to everybody, but not those that only the superuser has.
        same!(names_of(Path(&secret))?, ["user.a"]);
        same!(errno(value(Path(&path), "trusted.t")), libc::ENODATA);
        same!(errno(set_xattr(Path(&path), "trusted.t", b"2", 0)), libc::EPERM);
        let mut list = vec![0; 4096];
        let len = list_xattr(Path(&path), &mut list)?;
        ensure!(!list[..len].windows(8).any(|part| part == b"trusted."));
        // Of a sticky directory only its owner sets them, whoever may write there.
        same!(errno(set_xattr(Path(&folder.at("")), "user.a", b"1", 0)), libc::EPERM);
        Ok(())
    })
}

/// What keeps no such attributes says so, and does not say that there is no such call.
fn elsewhere() -> Result {
    let proc = std::path::Path::new("/proc/self/status");
    same!(errno(value(Path(proc), "user.a")), libc::EOPNOTSUPP);
    same!(errno(set_xattr(Path(proc), "user.a", b"1", 0)), libc::EOPNOTSUPP);
    let (reader, _writer) = std::io::pipe()?;
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    ensure!(matches!(errno(value(Open(&pipe), "user.a")), libc::EOPNOTSUPP | libc::ENODATA));
    same!(errno(list_xattr(Path(std::path::Path::new("/proc/none")), &mut [0; 100])), libc::ENOENT);
    ensure!(matches!(errno(list_xattr(Path(std::path::Path::new("/proc")), &mut [0; 100])), 0 | libc::EOPNOTSUPP));
    Ok(())
}
