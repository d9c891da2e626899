//! `mkfs-redoxfs PATH`: makes an empty volume on a disk (`/scheme/disk.NAME/FILE`), whatever was there.

use fsd::disk::Disk;
use ochre_abi::Result;
use ochre_volume::redox::{Format, format};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: mkfs-redoxfs PATH");
        return ExitCode::from(2);
    };
    match make(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mkfs-redoxfs: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(path: &str) -> Result<()> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
    let mut uuid = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut uuid))
        .map_err(|error| ochre_abi::Errno(error.raw_os_error().unwrap_or(ochre_abi::Errno::EIO.0)))?;
    // Making it has it committed.
    format(Disk::open(path)?, &Format { uuid, time, ..Format::default() }).map(drop)
}
