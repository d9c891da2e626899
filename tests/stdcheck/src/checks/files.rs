//! Regular files: contents, offsets, flags and attributes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use crate::check::{Check, Outcome, ensure, equal, fails_with};
use crate::tempdir::TempDir;

pub const CHECKS: &[Check] = &[
    Check { name: "files.create-write-read", run: create_write_read },
    Check { name: "files.append", run: append },
    Check { name: "files.seek", run: seek },
    Check { name: "files.truncate", run: truncate },
    Check { name: "files.set-len", run: set_len },
    Check { name: "files.positioned", run: positioned },
    Check { name: "files.vectored", run: vectored },
    Check { name: "files.buffered", run: buffered },
    Check { name: "files.large", run: large },
    Check { name: "files.copy", run: copy },
    Check { name: "files.rename", run: rename },
    Check { name: "files.remove", run: remove },
    Check { name: "files.remove-open", run: remove_open },
    Check { name: "files.hard-link", run: hard_link },
    Check { name: "files.metadata", run: metadata },
    Check { name: "files.permissions", run: permissions },
    Check { name: "files.open-flags", run: open_flags },
    Check { name: "files.shared-offset", run: shared_offset },
    Check { name: "files.errors", run: errors },
];

fn create_write_read() -> Outcome {
    let dir = TempDir::new("write")?;
    let path = dir.join("a file");
    fs::write(&path, "first")?;
    equal!(fs::read_to_string(&path)?, "first");
    // Writing again replaces all of it.
    fs::write(&path, b"2\0\xff")?;
    equal!(fs::read(&path)?, b"2\0\xff");
    let mut file = File::create(&path)?;
    equal!(file.write(b"hello ")?, 6);
    file.write_all(b"world")?;
    file.flush()?;
    file.sync_all()?;
    file.sync_data()?;
    let mut text = String::new();
    File::open(&path)?.read_to_string(&mut text)?;
    equal!(text, "hello world");
    let mut file = File::open(&path)?;
    let mut part = [0; 4];
    equal!(file.read(&mut part)?, 4);
    equal!(&part, b"hell");
    equal!(file.read(&mut [])?, 0);
    io::copy(&mut file, &mut io::sink())?;
    equal!(file.read(&mut part)?, 0);
    equal!(fs::read(dir.join("empty").as_path()).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    File::create(dir.join("empty"))?;
    equal!(fs::read(dir.join("empty"))?, b"");
    Ok(())
}

fn append() -> Outcome {
    let dir = TempDir::new("append")?;
    let path = dir.join("log");
    let mut first = OpenOptions::new().append(true).create(true).open(&path)?;
    let mut second = OpenOptions::new().append(true).open(&path)?;
    for n in 0..50 {
        writeln!(first, "first {n}")?;
        writeln!(second, "second {n}")?;
    }
    // A seek does not move where an appending file writes.
    first.seek(SeekFrom::Start(0))?;
    first.write_all(b"end\n")?;
    let text = fs::read_to_string(&path)?;
    let wanted: String = (0..50).map(|n| format!("first {n}\nsecond {n}\n")).collect();
    equal!(text, wanted + "end\n");
    Ok(())
}

fn seek() -> Outcome {
    let dir = TempDir::new("seek")?;
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f"))?;
    file.write_all(b"0123456789")?;
    equal!(file.stream_position()?, 10);
    equal!(file.seek(SeekFrom::Start(3))?, 3);
    equal!(file.seek(SeekFrom::Current(2))?, 5);
    equal!(file.seek(SeekFrom::End(-4))?, 6);
    let mut rest = String::new();
    file.read_to_string(&mut rest)?;
    equal!(rest, "6789");
    fails_with!(file.seek(SeekFrom::Current(-11)), ErrorKind::InvalidInput);
    equal!(file.stream_position()?, 10);
    // A write behind the end leaves a hole of zeros.
    equal!(file.seek(SeekFrom::End(6))?, 16);
    equal!(file.metadata()?.len(), 10);
    file.write_all(b"x")?;
    equal!(file.metadata()?.len(), 17);
    file.rewind()?;
    let mut all = Vec::new();
    file.read_to_end(&mut all)?;
    equal!(all, b"0123456789\0\0\0\0\0\0x");
    Ok(())
}

fn truncate() -> Outcome {
    let dir = TempDir::new("truncate")?;
    let path = dir.join("f");
    fs::write(&path, vec![1; 10_000])?;
    drop(OpenOptions::new().write(true).open(&path)?);
    equal!(fs::metadata(&path)?.len(), 10_000);
    drop(OpenOptions::new().write(true).truncate(true).open(&path)?);
    equal!(fs::metadata(&path)?.len(), 0);
    Ok(())
}

fn set_len() -> Outcome {
    let dir = TempDir::new("set-len")?;
    let path = dir.join("f");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    file.set_len(9000)?;
    equal!(file.metadata()?.len(), 9000);
    ensure!(fs::read(&path)?.iter().all(|&byte| byte == 0));
    file.write_all_at(&[7; 9000], 0)?;
    file.set_len(5000)?;
    equal!(fs::read(&path)?, [7; 5000]);
    // What was cut off must not come back.
    file.set_len(9000)?;
    let bytes = fs::read(&path)?;
    ensure!(bytes[..5000].iter().all(|&byte| byte == 7) && bytes[5000..].iter().all(|&byte| byte == 0));
    equal!(bytes.len(), 9000);
    Ok(())
}

fn positioned() -> Outcome {
    let dir = TempDir::new("positioned")?;
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f"))?;
    file.write_all(b"abcdefgh")?;
    file.seek(SeekFrom::Start(2))?;
    let mut part = [0; 3];
    equal!(file.read_at(&mut part, 4)?, 3);
    equal!(&part, b"efg");
    equal!(file.write_at(b"XY", 6)?, 2);
    equal!(file.read_at(&mut part, 7)?, 1);
    equal!(file.read_at(&mut part, 100)?, 0);
    // None of that moved the offset.
    equal!(file.stream_position()?, 2);
    file.write_all_at(b"end", 10_000)?;
    file.read_exact_at(&mut part, 10_000)?;
    equal!(&part, b"end");
    fails_with!(file.read_exact_at(&mut part, 10_001), ErrorKind::UnexpectedEof);
    let mut text = [0; 6];
    file.read_exact(&mut text)?;
    equal!(&text, b"cdefXY");
    Ok(())
}

fn vectored() -> Outcome {
    let dir = TempDir::new("vectored")?;
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f"))?;
    equal!(file.write_vectored(&[IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"three")])?, 8);
    file.rewind()?;
    let (mut first, mut second) = ([0; 2], [0; 10]);
    equal!(file.read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)])?, 8);
    equal!(&first, b"on");
    equal!(&second[..6], b"ethree");
    Ok(())
}

fn buffered() -> Outcome {
    let dir = TempDir::new("buffered")?;
    let path = dir.join("f");
    let mut out = BufWriter::with_capacity(100, File::create(&path)?);
    for n in 0..5000 {
        writeln!(out, "line {n}")?;
    }
    out.into_inner()?.sync_all()?;
    let mut count = 0;
    for (n, line) in BufReader::with_capacity(77, File::open(&path)?).lines().enumerate() {
        equal!(line?, format!("line {n}"));
        count += 1;
    }
    equal!(count, 5000);
    Ok(())
}

/// 8 MiB whose every word tells where it stands.
fn pattern() -> Vec<u8> {
    (0..(8u64 << 20) / 8).flat_map(|word| (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word).to_le_bytes()).collect()
}

fn large() -> Outcome {
    let dir = TempDir::new("large")?;
    let path = dir.join("f");
    let wanted = pattern();
    let mut file = File::create(&path)?;
    // In pieces that do not fit pages.
    for piece in wanted.chunks(100_003) {
        file.write_all(piece)?;
    }
    drop(file);
    equal!(fs::metadata(&path)?.len(), wanted.len() as u64);
    let seen = fs::read(&path)?;
    ensure!(seen == wanted, "the file differs from byte {:?} on", seen.iter().zip(&wanted).position(|(a, b)| a != b));
    let mut piece = [0; 5000];
    let file = File::open(&path)?;
    for offset in (0..wanted.len() - piece.len()).rev().step_by(77_777) {
        file.read_exact_at(&mut piece, offset as u64)?;
        ensure!(piece == wanted[offset..offset + piece.len()], "the file differs at {offset}");
    }
    Ok(())
}

fn copy() -> Outcome {
    let dir = TempDir::new("copy")?;
    let (from, to) = (dir.join("from"), dir.join("to"));
    let wanted = &pattern()[..300_001];
    fs::write(&from, wanted)?;
    fs::set_permissions(&from, Permissions::from_mode(0o750))?;
    fs::write(&to, vec![9; 400_000])?;
    equal!(fs::copy(&from, &to)?, 300_001);
    ensure!(fs::read(&to)? == wanted);
    equal!(fs::metadata(&to)?.permissions().mode() & 0o777, 0o750);
    fails_with!(fs::copy(dir.join("none"), &to), ErrorKind::NotFound);
    Ok(())
}

fn rename() -> Outcome {
    let dir = TempDir::new("rename")?;
    let (from, to) = (dir.join("from"), dir.join("to"));
    fs::write(&from, "new")?;
    fs::rename(&from, &to)?;
    fails_with!(fs::metadata(&from), ErrorKind::NotFound);
    equal!(fs::read_to_string(&to)?, "new");
    // Onto a file that exists; who has it open keeps it.
    fs::write(&from, "newer")?;
    let mut old = File::open(&to)?;
    fs::rename(&from, &to)?;
    equal!(fs::read_to_string(&to)?, "newer");
    let mut text = String::new();
    old.read_to_string(&mut text)?;
    equal!(text, "new");
    fs::create_dir(dir.join("sub"))?;
    fs::rename(&to, dir.join("sub/moved"))?;
    equal!(fs::read_to_string(dir.join("sub/moved"))?, "newer");
    fails_with!(fs::rename(dir.join("none"), &to), ErrorKind::NotFound);
    fs::write(&to, "a file")?;
    fails_with!(fs::rename(&to, dir.join("sub")), ErrorKind::IsADirectory);
    fails_with!(fs::rename(dir.join("sub"), &to), ErrorKind::NotADirectory);
    Ok(())
}

fn remove() -> Outcome {
    let dir = TempDir::new("remove")?;
    let path = dir.join("f");
    fs::write(&path, "x")?;
    fs::remove_file(&path)?;
    ensure!(!path.try_exists()?);
    fails_with!(fs::remove_file(&path), ErrorKind::NotFound);
    fs::write(&path, "again")?;
    equal!(fs::read_to_string(&path)?, "again");
    Ok(())
}

fn remove_open() -> Outcome {
    let dir = TempDir::new("remove-open")?;
    let path = dir.join("f");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    file.write_all(b"still")?;
    fs::remove_file(&path)?;
    file.write_all(b" here")?;
    equal!(file.metadata()?.nlink(), 0);
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    equal!(text, "still here");
    Ok(())
}

fn hard_link() -> Outcome {
    let dir = TempDir::new("hard-link")?;
    let (first, second) = (dir.join("first"), dir.join("second"));
    fs::write(&first, "one")?;
    fs::hard_link(&first, &second)?;
    let (a, b) = (fs::metadata(&first)?, fs::metadata(&second)?);
    equal!((a.ino(), a.dev(), a.nlink()), (b.ino(), b.dev(), 2));
    fs::write(&second, "changed")?;
    equal!(fs::read_to_string(&first)?, "changed");
    fails_with!(fs::hard_link(&first, &second), ErrorKind::AlreadyExists);
    fs::remove_file(&first)?;
    equal!(fs::metadata(&second)?.nlink(), 1);
    equal!(fs::read_to_string(&second)?, "changed");
    Ok(())
}

fn metadata() -> Outcome {
    let dir = TempDir::new("metadata")?;
    let path = dir.join("f");
    fs::write(&path, vec![0; 12_345])?;
    let by_path = fs::metadata(&path)?;
    ensure!(by_path.is_file() && !by_path.is_dir() && !by_path.is_symlink());
    equal!(by_path.len(), 12_345);
    let by_file = File::open(&path)?.metadata()?;
    equal!((by_file.ino(), by_file.dev(), by_file.len()), (by_path.ino(), by_path.dev(), 12_345));
    equal!(by_path.mode() & 0o170_000, 0o100_000);
    let age = by_path.modified()?.duration_since(UNIX_EPOCH)?;
    ensure!(age > Duration::from_secs(1_577_836_800), "modified {age:?} after 1970");
    ensure!(by_path.accessed().is_ok());
    let folder = fs::metadata(dir.path())?;
    ensure!(folder.is_dir() && !folder.is_file());
    ensure!(folder.ino() != by_path.ino());
    Ok(())
}

fn permissions() -> Outcome {
    let dir = TempDir::new("permissions")?;
    let path = dir.join("f");
    fs::write(&path, "x")?;
    for mode in [0o600, 0o755, 0o4711, 0o444] {
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        equal!(fs::metadata(&path)?.permissions().mode() & 0o7777, mode);
    }
    let mut permissions = fs::metadata(&path)?.permissions();
    ensure!(permissions.readonly());
    permissions.set_mode(0o640);
    ensure!(!permissions.readonly());
    File::open(&path)?.set_permissions(permissions)?;
    equal!(fs::metadata(&path)?.permissions().mode() & 0o7777, 0o640);
    Ok(())
}

fn open_flags() -> Outcome {
    let dir = TempDir::new("open-flags")?;
    let path = dir.join("f");
    fails_with!(OpenOptions::new().read(true).open(&path), ErrorKind::NotFound);
    fails_with!(OpenOptions::new().write(true).open(&path), ErrorKind::NotFound);
    drop(OpenOptions::new().write(true).create_new(true).open(&path)?);
    fails_with!(OpenOptions::new().write(true).create_new(true).open(&path), ErrorKind::AlreadyExists);
    let mut writer = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
    writer.write_all(b"abc")?;
    // EBADF has no kind of its own.
    const EBADF: Option<i32> = Some(9);
    equal!(writer.read(&mut [0; 1]).map_err(|e| e.raw_os_error()), Err(EBADF));
    equal!(File::open(&path)?.write(b"x").map_err(|e| e.raw_os_error()), Err(EBADF));
    fails_with!(OpenOptions::new().open(&path), ErrorKind::InvalidInput);
    equal!(fs::read(&path)?, b"abc");
    Ok(())
}

fn shared_offset() -> Outcome {
    let dir = TempDir::new("shared-offset")?;
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("f"))?;
    let mut twin = file.try_clone()?;
    file.write_all(b"0123456789")?;
    twin.seek(SeekFrom::Start(4))?;
    let mut part = [0; 2];
    file.read_exact(&mut part)?;
    equal!(&part, b"45");
    drop(file);
    twin.read_exact(&mut part)?;
    equal!(&part, b"67");
    Ok(())
}

fn errors() -> Outcome {
    let dir = TempDir::new("errors")?;
    let path = dir.join("f");
    fs::write(&path, "x")?;
    fails_with!(File::open(dir.join("none")), ErrorKind::NotFound);
    fails_with!(File::open(dir.join("none/below")), ErrorKind::NotFound);
    fails_with!(File::open(dir.join("f/below")), ErrorKind::NotADirectory);
    fails_with!(fs::write(dir.path(), "x"), ErrorKind::IsADirectory);
    fails_with!(fs::read(dir.path()), ErrorKind::IsADirectory);
    fails_with!(fs::read_dir(&path), ErrorKind::NotADirectory);
    fails_with!(File::open("nul\0byte"), ErrorKind::InvalidInput);
    fails_with!(File::open(""), ErrorKind::NotFound);
    fails_with!(File::create(dir.join("n".repeat(300))), ErrorKind::InvalidFilename);
    Ok(())
}
