//! mremap(2).

use crate::sys::mapping::Mapping;
use crate::{Check, PAGE, Result, same};
use ochre_rt::Errno;
use ochre_rt::abi::memory::MREMAP_MAYMOVE;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[("remap.grow", grow), ("remap.shrink", shrink)];

fn marked(pages: usize) -> Result<Mapping> {
    let memory = Mapping::anonymous(pages * PAGE)?;
    for page in 0..pages {
        memory.set(page * PAGE, 100 + page as u8);
    }
    Ok(memory)
}

fn grow() -> Result {
    let mut memory = marked(4)?;
    memory.resize(4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE)?;
    for page in 0..4 {
        same!(memory.get(page * PAGE), 100 + page as u8);
    }
    same!(memory.get(4 * PAGE), 0);
    same!(memory.get(63 * PAGE), 0);
    Ok(())
}

fn shrink() -> Result {
    let mut memory = marked(8)?;
    let at = memory.address();
    memory.resize(8 * PAGE, 2 * PAGE, 0)?;
    let beyond = memory.resize(4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    same!(beyond, Err(Errno::EFAULT));
    same!(memory.address(), at);
    same!(memory.get(PAGE), 101);
    Ok(())
}
