//! Files in memory: mmap(2).

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

checks!("maps": private, shared, outlives_the_name, past_the_end, refused, by_fork, program_is_untouched);

const PAGE: usize = 4096;

fn private() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", &"x".repeat(PAGE + 10))?;
    let mut map = sys::Map::new(&File::open(&path)?, 2 * PAGE, false, true)?;
    map.set(PAGE + 3, b'y');
    same!(map.get(PAGE + 3), b'y');
    same!(map.get(PAGE + 4), b'x');
    // The rest of the last page reads as zeros.
    same!(map.get(PAGE + 10), 0);
    ensure!(fs::read(&path)?.iter().all(|byte| *byte == b'x'));
    Ok(())
}

fn shared() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", &"x".repeat(3 * PAGE))?;
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let mut one = sys::Map::new(&file, 3 * PAGE, true, true)?;
    let two = sys::Map::new(&file, 3 * PAGE, true, false)?;
    one.set(PAGE, b'1');
    same!(two.get(PAGE), b'1');
    same!(fs::read(&path)?[PAGE], b'1');
    file.write_all_at(b"2", 2 * PAGE as u64)?;
    same!(one.get(2 * PAGE), b'2');
    Ok(())
}

fn outlives_the_name() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "still here")?;
    let map = sys::Map::new(&File::open(&path)?, PAGE, true, false)?;
    fs::remove_file(&path)?;
    same!(map.get(0), b's');
    Ok(())
}

fn past_the_end() -> Result {
    let folder = Folder::new()?;
    let file = OpenOptions::new().read(true).write(true).open(folder.file("a", &"x".repeat(2 * PAGE))?)?;
    let map = sys::Map::new(&file, 3 * PAGE, true, false)?;
    same!(map.get(2 * PAGE - 1), b'x');
    same!(sys::child(|| i32::from(map.get(2 * PAGE)))?, sys::Ended::Signal(libc::SIGBUS));
    file.set_len(PAGE as u64)?;
    same!(sys::child(|| i32::from(map.get(PAGE)))?, sys::Ended::Signal(libc::SIGBUS));
    file.set_len(3 * PAGE as u64)?;
    same!(map.get(PAGE), 0);
    Ok(())
}

fn refused() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "x")?;
    same!(errno(sys::Map::new(&File::open(&path)?, PAGE, true, true)), libc::EACCES);
    let writer = OpenOptions::new().write(true).open(&path)?;
    same!(errno(sys::Map::new(&writer, PAGE, false, false)), libc::EACCES);
    same!(errno(sys::Map::new(&File::open(&path)?, 0, false, false)), libc::EINVAL);
    same!(errno(sys::Map::new(&File::open(folder.at(""))?, PAGE, false, false)), libc::ENODEV);
    Ok(())
}

fn by_fork() -> Result {
    let folder = Folder::new()?;
    let file = OpenOptions::new().read(true).write(true).open(folder.file("a", "shared")?)?;
    let mut shared = sys::Map::new(&file, PAGE, true, true)?;
    let mut private = sys::Map::new(&file, PAGE, false, true)?;
    private.set(1, b'p');
    let ended = sys::child(|| {
        let inherited = private.get(1) == b'p';
        shared.set(0, b'S');
        private.set(1, b'q');
        i32::from(!inherited)
    })?;
    same!(ended, sys::Ended::Status(0));
    same!(shared.get(0), b'S');
    same!(private.get(1), b'p');
    Ok(())
}

/// The file of a running program, which the kernel may serve from the boot archive's pages: private changes stay private.
fn program_is_untouched() -> Result {
    let file = File::open(std::env::current_exe()?)?;
    let mut one = sys::Map::new(&file, PAGE, false, true)?;
    let two = sys::Map::new(&file, PAGE, false, false)?;
    one.set(1, b'X');
    same!(two.get(1), b'E');
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 0)?;
    same!(&magic, b"\x7fELF");
    Ok(())
}
