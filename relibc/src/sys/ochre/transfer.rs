//! Copying between files: sendfile(2), copy_file_range(2), as loops over a small buffer.

use super::{Args, Result, get_opt, put_opt};
use ochre_rt::abi::Errno;
use ochre_rt::abi::file::{S_IFDIR, S_IFMT, S_IFREG, SEEK_CUR, Stat};
use ochre_rt::syscall;

/// Bytes copied at a time; the smallest thread stack has room for it.
const CHUNK: usize = 8192;
/// The most that one call copies, as on Linux.
const MOST: usize = 0x7fff_f000;

/// Copies up to `len` bytes. With a position given, that file's own position stays where it is, and `*position` moves.
fn copy(from: i32, from_at: &mut Option<u64>, to: i32, to_at: &mut Option<u64>, len: usize) -> Result {
    let mut buffer = [0; CHUNK];
    let mut done = 0;
    let len = len.min(MOST);
    while done < len {
        let chunk = buffer.get_mut(..CHUNK.min(len - done)).ok_or(Errno::EIO)?;
        let got = match from_at {
            Some(at) => syscall::pread(from, chunk, *at),
            None => syscall::read(from, chunk),
        };
        // What was copied before an error counts.
        let got = match got {
            Ok(0) => break,
            Err(_) if done > 0 => break,
            got => got?,
        };
        let mut written = 0;
        let mut failure = None;
        while written < got {
            let rest = buffer.get(written..got).unwrap_or(&[]);
            let put = match to_at {
                Some(at) => syscall::pwrite(to, rest, *at),
                None => syscall::write(to, rest),
            };
            match put {
                Ok(count) => {
                    written += count;
                    if let Some(at) = to_at {
                        *at += count as u64;
                    }
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        done += written;
        match from_at {
            Some(at) => *at += written as u64,
            None if written < got => {
                // What was read and not written is put back; a source that cannot go back has lost it.
                let _ = syscall::lseek(from, written as i64 - got as i64, SEEK_CUR);
            }
            None => {}
        }
        match failure {
            Some(error) if done == 0 => return Err(error),
            Some(_) => break,
            None if got < CHUNK => break,
            None => {}
        }
    }
    Ok(done)
}

/// A position that the caller keeps.
unsafe fn position(pointer: usize) -> Result<Option<u64>> {
    match get_opt::<i64>(pointer)? {
        Some(..0) => Err(Errno::EINVAL),
        other => Ok(other.map(|at| at as u64)),
    }
}

pub unsafe fn sendfile(a: Args) -> Result {
    let mut at = position(a[2])?;
    let done = copy(a[1] as i32, &mut at, a[0] as i32, &mut None, a[3])?;
    if let Some(at) = at {
        put_opt(a[2], at);
    }
    Ok(done)
}

pub unsafe fn copy_file_range(a: Args) -> Result {
    if a[5] != 0 {
        return Err(Errno::EINVAL);
    }
    // Both must be regular files; others (pipes, devices) are copied in other ways.
    for fd in [a[0], a[2]] {
        let mut stat = Stat::default();
        super::files::fstat([fd, (&raw mut stat).expose_provenance(), 0, 0, 0, 0])?;
        match stat.mode & S_IFMT {
            S_IFREG => {}
            S_IFDIR => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    let (mut from_at, mut to_at) = (position(a[1])?, position(a[3])?);
    let done = copy(a[0] as i32, &mut from_at, a[2] as i32, &mut to_at, a[4])?;
    if let Some(at) = from_at {
        put_opt(a[1], at);
    }
    if let Some(at) = to_at {
        put_opt(a[3], at);
    }
    Ok(done)
}
