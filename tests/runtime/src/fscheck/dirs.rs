//! Folders: mkdir(2), rmdir(2), readdir(3).

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};

checks!("dirs": refused, stable_listing, inode_numbers, removed_while_current, parallel);

fn refused() -> Result {
    let folder = Folder::new()?;
    let (dir, file) = (folder.dir("dir")?, folder.file("file", "")?);
    fs::write(dir.join("x"), "")?;
    same!(errno(fs::remove_dir(&dir)), libc::ENOTEMPTY);
    same!(errno(fs::remove_dir(&file)), libc::ENOTDIR);
    same!(errno(fs::remove_file(&dir)), libc::EISDIR);
    same!(errno(fs::create_dir(&dir)), libc::EEXIST);
    same!(errno(fs::create_dir(file.join("x"))), libc::ENOTDIR);
    same!(errno(fs::read_dir(&file)), libc::ENOTDIR);
    Ok(())
}

/// What stays in the folder while it is listed is listed exactly once, whatever comes and goes beside it (POSIX, readdir).
fn stable_listing() -> Result {
    let folder = Folder::new()?;
    for n in 0..1000 {
        folder.file(&format!("stays{n}"), "")?;
        folder.file(&format!("goes{n}"), "")?;
    }
    let mut seen = BTreeMap::new();
    for (n, entry) in fs::read_dir(folder.at(""))?.enumerate() {
        *seen.entry(entry?.file_name().to_string_lossy().into_owned()).or_insert(0) += 1;
        if n < 1000 {
            fs::remove_file(folder.at(format!("goes{n}")))?;
            folder.file(&format!("comes{n}"), "")?;
        }
    }
    for n in 0..1000 {
        same!(seen.get(&format!("stays{n}")), Some(&1));
    }
    ensure!(seen.values().all(|times| *times == 1));
    Ok(())
}

fn inode_numbers() -> Result {
    let folder = Folder::new()?;
    folder.file("file", "")?;
    folder.dir("dir")?;
    std::os::unix::fs::symlink("file", folder.at("link"))?;
    for entry in fs::read_dir(folder.at(""))? {
        let entry = entry?;
        same!(entry.ino(), fs::symlink_metadata(entry.path())?.ino());
        same!(entry.file_type()?, fs::symlink_metadata(entry.path())?.file_type());
    }
    Ok(())
}

fn removed_while_current() -> Result {
    let folder = Folder::new()?;
    let dir = folder.dir("dir")?;
    std::env::set_current_dir(&dir)?;
    fs::remove_dir(&dir)?;
    same!(errno(fs::write("file", "")), libc::ENOENT);
    same!(errno(fs::create_dir("sub")), libc::ENOENT);
    same!(fs::read_dir(".")?.count(), 0);
    same!(errno(std::env::current_dir()), libc::ENOENT);
    Ok(())
}

fn parallel() -> Result {
    let folder = Folder::new()?;
    std::thread::scope(|scope| -> Result {
        let work = |id: usize| {
            for n in 0..200_usize {
                let (name, moved) = (folder.at(format!("{id}")), folder.at(format!("{id}x")));
                let data = vec![(id + n) as u8; 5000];
                fs::write(&name, &data)?;
                fs::rename(&name, &moved)?;
                ensure!(fs::read(&moved)? == data);
                fs::remove_file(&moved)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..4).map(|id| scope.spawn(move || work(id))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    same!(fs::read_dir(folder.at(""))?.count(), 0);
    Ok(())
}
