//! The arrays that an ioctl's struct points to, which its caller lent.

use ochre_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Arrays by the order of the ioctl's row (crate `ochre-ioctl`).
pub trait Arrays {
    /// Copies from an array. EFAULT beyond what was lent, or where there is no memory.
    fn read(&mut self, array: usize, offset: usize, to: &mut [u8]) -> Result<()>;

    /// Copies to an array. EFAULT.
    fn write(&mut self, array: usize, offset: usize, from: &[u8]) -> Result<()>;
}

/// Elements of an array, from the first on.
pub fn get<T: FromBytes>(arrays: &mut dyn Arrays, array: usize, count: usize) -> Result<Vec<T>> {
    /// What no sane caller exceeds; memory is taken before it is known whether the array is there.
    const MAX: usize = 1 << 20;
    let len = count.checked_mul(size_of::<T>()).filter(|len| *len <= MAX).ok_or(Errno::EINVAL)?;
    let mut bytes = vec![0; len];
    if len > 0 {
        arrays.read(array, 0, &mut bytes)?;
    }
    let elements = bytes.chunks_exact(size_of::<T>()).map(|element| T::read_from_bytes(element));
    elements.map(|element| element.map_err(|_| Errno::EINVAL)).collect()
}

/// Puts as many elements as the caller has room for.
pub fn put_some<T: IntoBytes + Immutable>(
    arrays: &mut dyn Arrays,
    array: usize,
    room: usize,
    list: &[T],
) -> Result<()> {
    let count = room.min(list.len());
    let bytes = list.get(..count).unwrap_or_default().as_bytes();
    if bytes.is_empty() { Ok(()) } else { arrays.write(array, 0, bytes) }
}

/// Puts the whole list if there is room for it, else nothing.
pub fn put_whole<T: IntoBytes + Immutable>(
    arrays: &mut dyn Arrays,
    array: usize,
    room: usize,
    list: &[T],
) -> Result<()> {
    if room < list.len() { Ok(()) } else { put_some(arrays, array, room, list) }
}
