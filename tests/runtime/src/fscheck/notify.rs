//! inotify(7): what is told of a directory, of a file, and when a watch ends.

use crate::folder::Folder;
use runtime_tests::sys::{Inotify, poll};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;

checks!("notify": of_a_directory, of_a_file, moves, removed, links, masks, once, ended, buffers, repeated, overflow, open_before, wrong, waits);

const ALL: u32 = libc::IN_ALL_EVENTS;
const DIRECTORY: u32 = libc::IN_ISDIR;

/// Watch, mask and name of what waits.
fn seen(queue: &Inotify) -> Result<Vec<(i32, u32, String)>> {
    Ok(queue.events()?.into_iter().map(|event| (event.watch, event.mask, event.name)).collect())
}

fn told(watch: i32, events: &[(u32, &str)]) -> Vec<(i32, u32, String)> {
    events.iter().map(|(mask, name)| (watch, *mask, (*name).to_string())).collect()
}

fn of_a_directory() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let queue = Inotify::new()?;
    let watch = queue.add(&folder.at(""), ALL & !(IN_ACCESS | IN_CLOSE_NOWRITE))?;
    let mut file = File::create(folder.at("file"))?;
    file.write_all(b"text")?;
    drop(file);
    same!(
        seen(&queue)?,
        told(watch, &[(IN_CREATE, "file"), (IN_OPEN, "file"), (IN_MODIFY, "file"), (IN_CLOSE_WRITE, "file")])
    );
    fs::set_permissions(folder.at("file"), fs::Permissions::from_mode(0o600))?;
    same!(seen(&queue)?, told(watch, &[(IN_ATTRIB, "file")]));
    fs::create_dir(folder.at("dir"))?;
    std::os::unix::fs::symlink("file", folder.at("link"))?;
    same!(seen(&queue)?, told(watch, &[(IN_CREATE | DIRECTORY, "dir"), (IN_CREATE, "link")]));
    fs::remove_dir(folder.at("dir"))?;
    fs::remove_file(folder.at("file"))?;
    same!(seen(&queue)?, told(watch, &[(IN_DELETE | DIRECTORY, "dir"), (IN_DELETE, "file")]));
    Ok(())
}

fn of_a_file() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "text")?;
    let queue = Inotify::new()?;
    let watch = queue.add(&path, ALL)?;
    same!(fs::read_to_string(&path)?, "text");
    let events = seen(&queue)?;
    same!(events[..1], told(watch, &[(IN_OPEN, "")])[..]);
    same!(events[events.len() - 1..], told(watch, &[(IN_CLOSE_NOWRITE, "")])[..]);
    ensure!(events.iter().any(|(_, mask, _)| *mask == IN_ACCESS));
    // Written in place, and cut.
    let file = OpenOptions::new().write(true).open(&path)?;
    file.write_at(b"X", 1)?;
    same!(seen(&queue)?, told(watch, &[(IN_OPEN, ""), (IN_MODIFY, "")]));
    file.set_len(1)?;
    same!(seen(&queue)?, told(watch, &[(IN_MODIFY, "")]));
    Ok(())
}

fn moves() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let (a, b) = (folder.dir("a")?, folder.dir("b")?);
    fs::write(a.join("f"), "")?;
    let queue = Inotify::new()?;
    let (wa, wb) = (queue.add(&a, IN_MOVE)?, queue.add(&b, IN_MOVE)?);
    let wf = queue.add(&a.join("f"), IN_MOVE_SELF)?;
    fs::rename(a.join("f"), b.join("g"))?;
    let events = queue.events()?;
    let found: Vec<_> = events.iter().map(|e| (e.watch, e.mask, e.name.as_str())).collect();
    same!(found, [(wa, IN_MOVED_FROM, "f"), (wb, IN_MOVED_TO, "g"), (wf, IN_MOVE_SELF, "")]);
    ensure!(events[0].cookie != 0 && events[0].cookie == events[1].cookie && events[2].cookie == 0);
    let first = events[0].cookie;
    fs::rename(b.join("g"), a.join("f"))?;
    ensure!(queue.events()?[0].cookie != first);
    Ok(())
}

fn removed() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let queue = Inotify::new()?;
    let path = folder.file("file", "")?;
    let watch = queue.add(&path, IN_DELETE_SELF | IN_ATTRIB)?;
    fs::remove_file(&path)?;
    same!(seen(&queue)?, told(watch, &[(IN_ATTRIB, ""), (IN_DELETE_SELF, ""), (IN_IGNORED, "")]));
    same!(errno(queue.remove(watch)), EINVAL);
    // Not before it is closed.
    let path = folder.file("file", "")?;
    let open = File::open(&path)?;
    let watch = queue.add(&path, IN_DELETE_SELF)?;
    fs::remove_file(&path)?;
    same!(seen(&queue)?, told(watch, &[]));
    drop(open);
    same!(seen(&queue)?, told(watch, &[(IN_DELETE_SELF, ""), (IN_IGNORED, "")]));
    let dir = folder.dir("dir")?;
    let watch = queue.add(&dir, ALL)?;
    fs::remove_dir(&dir)?;
    same!(seen(&queue)?, told(watch, &[(IN_DELETE_SELF, ""), (IN_IGNORED, "")]));
    // What a rename replaces is gone, too.
    let (old, new) = (folder.file("old", "")?, folder.file("new", "")?);
    let watch = queue.add(&old, IN_DELETE_SELF)?;
    fs::rename(new, old)?;
    same!(seen(&queue)?, told(watch, &[(IN_DELETE_SELF, ""), (IN_IGNORED, "")]));
    Ok(())
}

fn links() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    let (file, directory) = (queue.add(&path, IN_ATTRIB)?, queue.add(&folder.at(""), IN_CREATE | IN_ATTRIB)?);
    fs::hard_link(&path, folder.at("other"))?;
    same!(seen(&queue)?, [told(file, &[(IN_ATTRIB, "")]), told(directory, &[(IN_CREATE, "other")])].concat());
    Ok(())
}

fn masks() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    let watch = queue.add(&path, IN_OPEN)?;
    // The same file, by whatever name, has one watch.
    std::os::unix::fs::symlink("file", folder.at("link"))?;
    same!(queue.add(&folder.at("link"), IN_CLOSE_NOWRITE | IN_MASK_ADD)?, watch);
    drop(File::open(&path)?);
    same!(seen(&queue)?, told(watch, &[(IN_OPEN, ""), (IN_CLOSE_NOWRITE, "")]));
    same!(queue.add(&path, IN_CLOSE_NOWRITE)?, watch);
    drop(File::open(&path)?);
    same!(seen(&queue)?, told(watch, &[(IN_CLOSE_NOWRITE, "")]));
    same!(errno(queue.add(&path, IN_OPEN | IN_MASK_CREATE)), EEXIST);
    let link = queue.add(&folder.at("link"), IN_ATTRIB | IN_DONT_FOLLOW)?;
    ensure!(link != watch);
    same!(errno(queue.add(&path, IN_OPEN | IN_ONLYDIR)), ENOTDIR);
    queue.add(&folder.at(""), IN_OPEN | IN_ONLYDIR)?;
    Ok(())
}

fn once() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    let watch = queue.add(&path, IN_OPEN | IN_ONESHOT)?;
    drop(File::open(&path)?);
    drop(File::open(&path)?);
    same!(seen(&queue)?, told(watch, &[(IN_OPEN, ""), (IN_IGNORED, "")]));
    ensure!(queue.add(&path, IN_OPEN)? != watch);
    Ok(())
}

fn ended() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    let watch = queue.add(&path, IN_OPEN)?;
    queue.remove(watch)?;
    same!(errno(queue.remove(watch)), EINVAL);
    drop(File::open(&path)?);
    same!(seen(&queue)?, told(watch, &[(IN_IGNORED, "")]));
    // A number is not used again.
    let next = queue.add(&path, IN_OPEN)?;
    ensure!(next != watch);
    drop(File::open(&path)?);
    same!(seen(&queue)?, told(next, &[(IN_OPEN, "")]));
    // A queue that is closed is no obstacle.
    drop(queue);
    drop(File::open(&path)?);
    Ok(())
}

fn buffers() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let queue = Inotify::new()?;
    queue.add(&folder.at(""), IN_CREATE)?;
    same!(queue.pending()?, 0);
    same!(errno(queue.read(4096)), EAGAIN);
    folder.file("a", "")?;
    folder.file("a-name-of-16-byt", "")?;
    // 16 bytes and the name, padded.
    same!(queue.pending()?, 32 + 48);
    same!(errno(queue.read(31)), EINVAL);
    // Whole events only.
    same!(queue.read(79)?.len(), 32);
    same!(queue.pending()?, 48);
    same!(queue.read(48)?.len(), 48);
    Ok(())
}

fn repeated() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let mut file = OpenOptions::new().append(true).open(&path)?;
    let queue = Inotify::new()?;
    let watch = queue.add(&path, IN_MODIFY | IN_ATTRIB)?;
    for _ in 0..10 {
        file.write_all(b"x")?;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    file.write_all(b"x")?;
    same!(seen(&queue)?, told(watch, &[(IN_MODIFY, ""), (IN_ATTRIB, ""), (IN_MODIFY, "")]));
    Ok(())
}

fn overflow() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    queue.add(&path, IN_OPEN | IN_CLOSE_NOWRITE)?;
    for _ in 0..9000 {
        drop(File::open(&path)?);
    }
    let events = queue.events()?;
    let last = events.last().ok_or("no events")?;
    same!((last.watch, last.mask), (-1, IN_Q_OVERFLOW));
    same!(events.len(), 16_385);
    // It goes on.
    drop(File::open(&path)?);
    same!(queue.events()?.len(), 2);
    Ok(())
}

fn open_before() -> Result {
    use libc::*;
    let folder = Folder::new()?;
    let path = folder.file("file", "0123")?;
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let queue = Inotify::new()?;
    let watch = queue.add(&folder.at(""), IN_MODIFY | IN_ACCESS)?;
    file.write_at(b"x", 0)?;
    file.read_exact(&mut [0; 2])?;
    same!(seen(&queue)?, told(watch, &[(IN_MODIFY, "file"), (IN_ACCESS, "file")]));
    Ok(())
}

fn wrong() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("file", "")?;
    let queue = Inotify::new()?;
    same!(errno(queue.add(&path, 0)), libc::EINVAL);
    same!(errno(queue.add(&folder.at("none"), libc::IN_OPEN)), libc::ENOENT);
    same!(errno(queue.remove(77)), libc::EINVAL);
    let file = Inotify(File::open(&path)?.into());
    same!(errno(file.add(&path, libc::IN_OPEN)), libc::EINVAL);
    Ok(())
}

fn waits() -> Result {
    let folder = Folder::new()?;
    let queue = Inotify::new()?;
    queue.add(&folder.at(""), libc::IN_CREATE)?;
    same!(poll(&queue.0, libc::POLLIN, 0)?, 0);
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| poll(&queue.0, libc::POLLIN, 10_000));
        std::thread::sleep(std::time::Duration::from_millis(20));
        folder.file("file", "")?;
        same!(waiting.join().map_err(|_| "a thread panicked")??, libc::POLLIN);
        Ok(())
    })?;
    same!(queue.events()?.len(), 1);
    same!(poll(&queue.0, libc::POLLIN, 0)?, 0);
    Ok(())
}
