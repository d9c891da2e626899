//! `filelimits FOLDER [--entries N]`: what a file system does at its limits, as lines that every POSIX file system prints alike.
//!
//! Lines that begin with `time:` are not compared.

use file_tests::bytes::{digest, run};
use file_tests::plan::Plan;
use file_tests::work::{step, sync_folder};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use test_programs::options::Options;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let options = Options::of_process(&["entries"], &[]);
    let result = options.map_err(Into::into).and_then(|options| match &options.rest[..] {
        [folder] => all(Path::new(folder), options.number("entries", 20_000)?),
        _ => Err("usage: filelimits FOLDER [--entries N]".into()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED {error}");
            ExitCode::FAILURE
        }
    }
}

fn all(folder: &Path, entries: u32) -> Result<()> {
    let subjects: [(&str, fn(&Path, u32) -> Result<()>); 7] = [
        ("names", names),
        ("links", links),
        ("paths", paths),
        ("sparse", sparse),
        ("random", random),
        ("crowd", crowd),
        ("full", full),
    ];
    for (name, subject) in subjects {
        let own = folder.join(name);
        fs::create_dir(&own)?;
        let begin = Instant::now();
        subject(&own, entries).map_err(|error| format!("{name}: {error}"))?;
        fs::remove_dir_all(&own).map_err(|error| format!("removing {name}: {error}"))?;
        sync_folder(folder)?;
        println!("time: {name} took {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The error's number, or `ok`.
fn said<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(error) => error.raw_os_error().map_or_else(|| error.to_string(), |number| format!("errno {number}")),
    }
}

fn names(folder: &Path, _: u32) -> Result<()> {
    for len in [1, 251, 252, 253, 255, 256] {
        println!("a name of {len} bytes: {}", said(File::create(folder.join("n".repeat(len)))));
        println!(
            "one of {len} bytes that is not UTF-8: {}",
            said(File::create(folder.join(OsStr::from_bytes(&vec![0xff; len]))))
        );
    }
    for name in [&b"a:b"[..], b"%3a", b"\\", b"\x01\x02", b"\n", b" ", b"...", b"\xc3\xa4", b"a\xcc\x88", b"\xc3\x28"] {
        println!("{name:?}: {}", said(fs::write(folder.join(OsStr::from_bytes(name)), name)));
    }
    let mut list: Vec<Vec<u8>> = Vec::new();
    for entry in fs::read_dir(folder)? {
        list.push(entry?.file_name().into_vec());
    }
    list.sort();
    for name in list {
        let meta = fs::metadata(folder.join(OsStr::from_bytes(&name)))?;
        println!("{} bytes, digest {:016x}, {} bytes in it", name.len(), digest(&name), meta.len());
    }
    println!("no name: {}", said(File::create(folder.join(""))));
    println!("a file as a folder: {}", said(File::open(folder.join("n/x"))));
    println!("a file with a slash behind it: {}", said(File::open(folder.join("n/"))));
    Ok(())
}

fn links(folder: &Path, _: u32) -> Result<()> {
    fs::write(folder.join("0"), "the end")?;
    for level in 1..=41 {
        symlink((level - 1).to_string(), folder.join(level.to_string()))?;
    }
    for level in [1, 39, 40, 41] {
        println!("{level} links deep: {}", said(fs::read(folder.join(level.to_string()))));
    }
    symlink("loop", folder.join("loop"))?;
    println!("a loop: {}", said(fs::read(folder.join("loop"))));
    // ext4 takes a block with its NUL, which is a byte less than PATH_MAX allows.
    println!("a target of 4,000 bytes: {}", said(symlink("t".repeat(4_000), folder.join("long"))));
    println!("which reads {} bytes", fs::read_link(folder.join("long"))?.as_os_str().len());
    println!("a target of 4,096 bytes: {}", said(symlink("t".repeat(4096), folder.join("longer"))));
    for number in 0..1_000 {
        fs::hard_link(folder.join("0"), folder.join(format!("name-{number}")))?;
    }
    println!("{} names", fs::metadata(folder.join("0"))?.nlink());
    for number in 0..999 {
        fs::remove_file(folder.join(format!("name-{number}")))?;
    }
    println!("{} names", fs::metadata(folder.join("0"))?.nlink());
    println!("a folder's further name: {}", said(fs::hard_link(folder, folder.join("again"))));
    println!("a folder into itself: {}", said(fs::rename(folder, folder.join("inside"))));
    Ok(())
}

fn paths(folder: &Path, _: u32) -> Result<()> {
    let mut deep = PathBuf::from(folder);
    let mut depth = 0;
    while deep.as_os_str().len() < 3_800 {
        deep.push("d".repeat(199));
        fs::create_dir(&deep)?;
        depth += 1;
    }
    println!("{depth} folders deep");
    let missing = 4_095 - deep.as_os_str().len() - 1;
    for (what, len) in [("4,095", missing.min(255)), ("more", 256)] {
        println!("a path of {what} bytes: {}", said(File::create(deep.join("p".repeat(len)))));
    }
    let mut long = folder.join("x").into_os_string().into_vec();
    long.resize(4_096, b'/');
    println!("4,096 bytes of a path: {}", said(File::create(OsStr::from_bytes(&long))));
    Ok(())
}

fn sparse(folder: &Path, _: u32) -> Result<()> {
    const TIB: u64 = 1 << 40;
    let path = folder.join("sparse");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    file.set_len(TIB)?;
    file.write_all_at(b"middle", TIB / 2)?;
    file.write_all_at(b"end", TIB - 3)?;
    file.sync_all()?;
    let meta = file.metadata()?;
    println!("{} bytes, little of it taken: {}", meta.len(), meta.blocks() < 1_000);
    let mut buffer = [1; 6];
    file.read_exact_at(&mut buffer, TIB / 2)?;
    println!("{:?}", buffer.escape_ascii().to_string());
    file.read_exact_at(&mut buffer, TIB / 4)?;
    println!("{buffer:?}");
    file.set_len(TIB / 2 + 3)?;
    file.set_len(TIB)?;
    file.read_exact_at(&mut buffer, TIB / 2)?;
    println!("{:?} after it was cut and grew again", buffer.escape_ascii().to_string());
    println!("behind every limit: {}", said(file.write_all_at(b"x", i64::MAX as u64)));
    Ok(())
}

/// The plan of the power cut test, without a cut, in several folders; then what is there.
fn random(folder: &Path, _: u32) -> Result<()> {
    for seed in 0..4 {
        let own = folder.join(seed.to_string());
        fs::create_dir(&own)?;
        for (what, number) in Plan::new(1_000 + seed).zip(0..500) {
            step(&own, number, what).map_err(|error| format!("seed {seed}, step {number}, {what:?}: {error}"))?;
        }
        let mut names: Vec<_> = fs::read_dir(&own)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        names.sort();
        for path in names {
            let (meta, bytes) = (fs::metadata(&path)?, fs::read(&path)?);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            println!("{seed}/{name} {:o} {} {} {:016x}", meta.mode(), meta.nlink(), meta.len(), digest(&bytes));
        }
    }
    Ok(())
}

fn crowd(folder: &Path, entries: u32) -> Result<()> {
    let name = |number: u32| format!("entry-{:06}-{}", number.wrapping_mul(48_271) % 1_000_000, number);
    let begin = Instant::now();
    for number in 0..entries {
        File::create(folder.join(name(number)))?;
    }
    let created = begin.elapsed();
    let mut list = Vec::new();
    for entry in fs::read_dir(folder)? {
        list.push(entry?.file_name().into_vec());
    }
    let listed = begin.elapsed();
    list.sort();
    println!("{} entries, digest {:016x}", list.len(), digest(&list.concat()));
    for number in 0..entries {
        if fs::metadata(folder.join(name(number)))?.len() != 0 {
            return Err("an empty file is not empty".into());
        }
    }
    let looked = begin.elapsed();
    println!("one that is not there: {}", said(fs::metadata(folder.join("entry"))));
    println!("a folder that is not empty: {}", said(fs::remove_dir(folder)));
    for number in 0..entries {
        fs::remove_file(folder.join(name(number)))?;
    }
    println!("{} entries", fs::read_dir(folder)?.count());
    let seconds = [created, listed - created, looked - listed, begin.elapsed() - looked].map(|time| time.as_secs_f64());
    println!("time: {entries} entries: created, listed, looked at, deleted in {seconds:.2?} s");
    Ok(())
}

/// Fills the disk twice: what was deleted must be there to be used again, and what was there before must not suffer.
fn full(folder: &Path, _: u32) -> Result<()> {
    let witness = run(77, 0, 1 << 20);
    fs::write(folder.join("witness"), &witness)?;
    File::open(folder.join("witness"))?.sync_all()?;
    let piece = run(5, 0, 1 << 20);
    for round in 0..2 {
        let mut written = 0;
        let error = 'full: {
            for number in 0.. {
                let mut file = File::create(folder.join(format!("fill-{number}")))?;
                for _ in 0..16 {
                    if let Err(error) = file.write_all(&piece).and_then(|()| file.sync_data()) {
                        break 'full error;
                    }
                    written += 1;
                }
            }
            return Err("more files than there are numbers".into());
        };
        println!("round {round}: more than 16 MiB: {}; then {}", written > 16, said::<()>(Err(error)));
        println!("time: {written} MiB were written");
        println!("the witness is whole: {}", fs::read(folder.join("witness"))? == witness);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name() != Some(OsStr::new("witness")) {
                fs::remove_file(path)?;
            }
        }
        sync_folder(folder)?;
        println!("and again: {}", said(fs::write(folder.join("after"), &piece)));
    }
    Ok(())
}
