//! Memory objects: shared and private views, sizes, slices.

use crate::sys::mapping::Mapping;
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::call::{OP_STAT, OP_TRUNCATE};
use ochre_rt::abi::memory::*;
use ochre_rt::call::Call;
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("objects.views", views),
    ("objects.read-write", read_write),
    ("objects.truncate", truncate),
    ("objects.slice", slice),
    ("objects.empty", empty),
    ("objects.refused", refused),
];

/// A new object.
fn object(size: usize) -> Result<OwnedFd> {
    Ok(OwnedFd::new(syscall::object_create(size as u64, 0)?))
}

/// st_size of the object.
fn size(object: &OwnedFd) -> Result<u64> {
    let mut stat = [0; 144];
    Call::new(OP_STAT, [0; 3]).output(&mut stat).send(object.get())?;
    Ok(u64::from_le_bytes(stat[48..56].try_into()?))
}

fn views() -> Result {
    let file = object(3 * PAGE)?;
    let (one, two) = (Mapping::shared(file.get(), 3 * PAGE)?, Mapping::shared(file.get(), 3 * PAGE)?);
    let own = Mapping::private(file.get(), 3 * PAGE)?;
    one.set(10, 1);
    same!((two.get(10), own.get(10)), (1, 1));
    own.set(10, 2);
    same!((one.get(10), two.get(10)), (1, 1));
    one.set(10, 3);
    same!((own.get(10), two.get(10)), (2, 3));
    // A page that was never written privately shows the object's.
    one.set(PAGE, 5);
    same!(own.get(PAGE), 5);
    Ok(())
}

fn read_write() -> Result {
    let file = object(3 * PAGE + 100)?;
    let view = Mapping::shared(file.get(), 8 * PAGE)?;
    view.set(10, 3);
    let mut buffer = [0; 10];
    same!(syscall::pread(file.get(), &mut buffer, 5), Ok(10));
    same!(buffer[5], 3);
    same!(syscall::pwrite(file.get(), b"hello", 2 * PAGE as u64), Ok(5));
    same!(view.get(2 * PAGE + 1), b'e');
    // Beyond the end it grows; what lies between is zero.
    same!(syscall::pwrite(file.get(), b"world", 5 * PAGE as u64 + 1), Ok(5));
    same!((view.get(5 * PAGE + 2), view.get(4 * PAGE)), (b'o', 0));
    same!(size(&file)?, 5 * PAGE as u64 + 6);
    Ok(())
}

fn truncate() -> Result {
    let (file, source) = (object(3 * PAGE)?, object(PAGE)?);
    let (view, own) = (Mapping::shared(file.get(), 8 * PAGE)?, Mapping::private(file.get(), 8 * PAGE)?);
    view.set(PAGE + 60, 1);
    view.set(2 * PAGE + 1, 1);
    same!(own.get(2 * PAGE + 1), 1);
    Call::new(OP_TRUNCATE, [PAGE as u64 + 50, 0, 0]).send(file.get())?;
    Call::new(OP_TRUNCATE, [3 * PAGE as u64, 0, 0]).send(file.get())?;
    same!((view.get(PAGE + 60), view.get(2 * PAGE + 1), own.get(2 * PAGE + 1)), (0, 0, 0));
    // The kernel itself meets no page there, and says so.
    same!(view.read_from(6 * PAGE, 100, source.get()), Err(Errno::EFAULT));
    Ok(())
}

fn slice() -> Result {
    let (file, source) = (object(16 * PAGE)?, object(PAGE)?);
    for page in 0..16 {
        syscall::pwrite(file.get(), &[page], u64::from(page) * PAGE as u64 + 5)?;
    }
    let part = OwnedFd::new(syscall::object_slice(file.get(), 8 * PAGE as u64, 2 * PAGE as u64, OBJECT_READ_ONLY)?);
    let view = Mapping::new(4 * PAGE, PROT_READ, MAP_SHARED, part.get(), 0)?;
    same!((view.get(5), view.get(PAGE + 5)), (8, 9));
    same!(view.read_from(2 * PAGE, 8, source.get()), Err(Errno::EFAULT));
    let mut buffer = [0; 8];
    same!(syscall::pread(part.get(), &mut buffer, PAGE as u64), Ok(8));
    same!(buffer[5], 9);
    same!(syscall::pread(part.get(), &mut buffer, 2 * PAGE as u64), Ok(0));
    holds!(syscall::pwrite(part.get(), b"x", 0).is_err());
    same!(Mapping::shared(part.get(), PAGE).map(|view| view.address()), Err(Errno::EACCES));
    Ok(())
}

/// An object without a byte: nothing to read, no page behind its mapping, until it grows.
fn empty() -> Result {
    let (file, source) = (object(0)?, object(PAGE)?);
    same!(size(&file)?, 0);
    let mut buffer = [7; 8];
    same!(syscall::pread(file.get(), &mut buffer, 0), Ok(0));
    same!(syscall::pread(file.get(), &mut [], 0), Ok(0));
    same!(syscall::pwrite(file.get(), &[], 100), Ok(0));
    same!(size(&file)?, 0);
    let view = Mapping::shared(file.get(), PAGE)?;
    same!(view.read_from(0, 8, source.get()), Err(Errno::EFAULT));
    // Without a pager nothing can be dropped: it would be lost.
    same!(syscall::object_evict(file.get(), 0, u64::MAX), Err(Errno::EINVAL));
    same!(syscall::pwrite(file.get(), b"now", 0), Ok(3));
    same!((view.get(0), view.get(3)), (b'n', 0));
    Ok(())
}

fn refused() -> Result {
    let file = object(2 * PAGE)?;
    let [reader, writer] = syscall::pipe(0)?.map(OwnedFd::new);
    holds!(syscall::object_create(u64::MAX, 0).is_err());
    holds!(syscall::object_slice(file.get(), 1, PAGE as u64, 0).is_err());
    holds!(syscall::object_slice(reader.get(), 0, PAGE as u64, 0).is_err());
    holds!(syscall::object_pager(file.get(), writer.get(), 0).is_err());
    holds!(syscall::object_supply(reader.get(), 0, &[0; PAGE], 0).is_err());
    same!(Mapping::shared(writer.get(), PAGE).map(|view| view.address()), Err(Errno::EACCES));
    let of_pipe = Mapping::new(PAGE, PROT_READ, MAP_SHARED, reader.get(), 0);
    same!(of_pipe.map(|view| view.address()), Err(Errno::ENODEV));
    Ok(())
}
