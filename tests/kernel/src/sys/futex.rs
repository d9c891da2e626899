//! Futex calls that write.

use ochre_rt::{Result, syscall};
use std::sync::atomic::AtomicU32;

/// FUTEX_WAKE_OP of futex(2), with its encoding of the operation.
pub fn wake_op(one: &AtomicU32, wake: u32, wake_two: u32, two: &AtomicU32, operation: u32) -> Result<usize> {
    // SAFETY: the second word is an atomic, which anybody may change.
    unsafe { syscall::futex_wake_op(one.as_ptr(), wake, wake_two, two.as_ptr(), operation, 0) }
}
