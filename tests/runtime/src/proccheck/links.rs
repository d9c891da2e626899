//! Links of /proc that lead to what they name: exe, cwd, root, fd.

use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

checks!("links": program, folder, file, deleted, pipe, names, listing, info);

fn program() -> Result {
    let shown = fs::read_link("/proc/self/exe")?;
    ensure!(shown.is_absolute() && shown.ends_with("proccheck"));
    let by_pid = fs::read_link(format!("/proc/{}/exe", std::process::id()))?;
    same!(by_pid.file_name(), shown.file_name());
    let mut head = [0; 4];
    File::open(format!("/proc/{}/exe", std::process::id()))?.read_exact(&mut head)?;
    same!(head, *b"\x7fELF");
    Ok(())
}

fn folder() -> Result {
    std::env::set_current_dir("/tmp")?;
    same!(fs::read_link("/proc/self/cwd")?, Path::new("/tmp"));
    same!(fs::metadata("/proc/self/cwd")?.ino(), fs::metadata("/tmp")?.ino());
    let name = format!("proccheck.{}", std::process::id());
    fs::write(format!("/proc/self/cwd/{name}"), "x")?;
    same!(fs::read(format!("/proc/self/root/tmp/{name}"))?, b"x");
    fs::remove_file(format!("/proc/self/cwd/{name}"))?;
    same!(fs::read_link("/proc/self/root")?, Path::new("/"));
    ensure!(fs::symlink_metadata("/proc/self/cwd")?.file_type().is_symlink());
    same!(fs::read_link("/proc/self")?.into_os_string().into_string(), Ok(std::process::id().to_string()));
    Ok(())
}

/// An open file's other name: it is opened anew, with a position of its own.
fn file() -> Result {
    let path = format!("/tmp/proccheck.{}", std::process::id());
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    file.write_all(b"content")?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    same!(fs::read_link(&name)?, Path::new(&path));
    same!(fs::read(&name)?, b"content");
    same!(file.stream_position()?, 7);
    same!(fs::metadata(&name)?.ino(), file.metadata()?.ino());
    // Opened for more than the descriptor is: by the file's own permissions.
    let reader = File::open(&path)?;
    let mut again = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", reader.as_raw_fd()))?;
    again.write_all(b"C")?;
    same!(fs::read(&path)?, b"Content");
    File::create(&name)?;
    same!(file.metadata()?.len(), 0);
    fs::remove_file(&path)?;
    Ok(())
}

fn deleted() -> Result {
    let path = format!("/tmp/proccheck.{}", std::process::id());
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    file.write_all(b"kept")?;
    fs::remove_file(&path)?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    same!(fs::read(&name)?, b"kept");
    same!(fs::metadata(&name)?.len(), 4);
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

fn pipe() -> Result {
    let (mut reader, mut writer) = std::io::pipe()?;
    let name = |fd: i32| format!("/proc/self/fd/{fd}");
    let shown = fs::read_link(name(reader.as_raw_fd()))?.to_string_lossy().into_owned();
    ensure!(shown.starts_with("pipe:[") && shown.ends_with(']'));
    same!(fs::read_link(name(writer.as_raw_fd()))?, Path::new(&shown));
    same!(format!("pipe:[{}]", fs::metadata(name(reader.as_raw_fd()))?.ino()), shown);
    ensure!(fs::metadata(name(reader.as_raw_fd()))?.file_type().is_fifo());
    let mut second = OpenOptions::new().write(true).open(name(writer.as_raw_fd()))?;
    writer.write_all(b"a")?;
    second.write_all(b"b")?;
    drop((writer, second));
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    same!(text, "ab");
    Ok(())
}

fn names() -> Result {
    let (one, _other) = std::os::unix::net::UnixStream::pair()?;
    let shown = fs::read_link(format!("/proc/self/fd/{}", one.as_raw_fd()))?.to_string_lossy().into_owned();
    ensure!(shown.starts_with("socket:["));
    let queue = sys::event_queue()?;
    same!(fs::read_link(format!("/proc/self/fd/{}", queue.as_raw_fd()))?, Path::new("anon_inode:[eventpoll]"));
    same!(errno(fs::read_link("/proc/self/fd/999")), libc::ENOENT);
    same!(errno(fs::read_link("/proc/self/fd/x")), libc::ENOENT);
    same!(errno(fs::read_link("/proc/self/stat")), libc::EINVAL);
    Ok(())
}

fn listing() -> Result {
    let file = File::open("/")?;
    let mut seen = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        ensure!(entry.file_type()?.is_symlink());
        seen.push(entry.file_name().to_string_lossy().parse::<i32>()?);
    }
    for fd in [0, 1, 2, file.as_raw_fd()] {
        ensure!(seen.contains(&fd));
    }
    // A folder's link is walked through.
    ensure!(fs::metadata(format!("/proc/self/fd/{}/proc/self/stat", file.as_raw_fd()))?.is_file());
    Ok(())
}

fn info() -> Result {
    let mut file = File::open("/proc/self/exe")?;
    file.seek(SeekFrom::Start(77))?;
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    ensure!(text.starts_with("pos:\t77\nflags:\t0"));
    // O_CLOEXEC is among the flags.
    let flags = text.lines().nth(1).and_then(|line| line.strip_prefix("flags:\t"));
    let flags = i32::from_str_radix(flags.unwrap_or(""), 8)?;
    same!((flags & libc::O_CLOEXEC, flags & libc::O_ACCMODE), (libc::O_CLOEXEC, libc::O_RDONLY));
    Ok(())
}
