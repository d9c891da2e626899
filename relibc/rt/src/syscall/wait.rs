//! Waiting for descriptors: poll, event queues, eventfd, futexes.

use super::{address, id, sys, unit};
use ochre_abi::Result;
use ochre_abi::event::{EpollEvent, PollFd};

/// ppoll(2): how many entries have `revents`. `mask` blocks signals meanwhile.
pub fn poll(fds: &mut [PollFd], timeout: u64, mask: Option<&u64>) -> Result<usize> {
    sys!(POLL, fds.as_mut_ptr(), fds.len(), timeout, address(mask))
}

/// epoll_create1(2).
pub fn event_create(flags: u32) -> Result<i32> {
    id(sys!(EVENT_CREATE, flags))
}

/// epoll_ctl(2). `event` may be `None` for EPOLL_CTL_DEL.
pub fn event_ctl(queue: i32, operation: u64, fd: i32, event: Option<&EpollEvent>) -> Result<()> {
    unit(sys!(EVENT_CTL, queue, operation, fd, address(event)))
}

/// epoll_pwait2(2): how many events stand in `events`.
pub fn event_wait(queue: i32, events: &mut [EpollEvent], timeout: u64, mask: Option<&u64>) -> Result<usize> {
    sys!(EVENT_WAIT, queue, events.as_mut_ptr(), events.len(), timeout, address(mask))
}

/// eventfd2(2).
pub fn eventfd(initial: u32, flags: u32) -> Result<i32> {
    id(sys!(EVENTFD, initial, flags))
}

/// Waits while the word at `addr` is `value`, until `deadline` (absolute). `flags`: FUTEX_SHARED, FUTEX_REALTIME.
///
/// EAGAIN if the word differs, ETIMEDOUT, EINTR, EFAULT. The word is only read.
pub fn futex_wait(addr: *const u32, value: u32, bitset: u32, deadline: u64, flags: u64) -> Result<()> {
    unit(sys!(FUTEX_WAIT, addr, value, bitset, deadline, flags))
}

/// Wakes up to `count` waiters whose bitsets meet `bitset`; how many. The word is not touched.
pub fn futex_wake(addr: *const u32, count: u32, bitset: u32, flags: u64) -> Result<usize> {
    sys!(FUTEX_WAKE, addr, count, bitset, flags)
}

/// FUTEX_CMP_REQUEUE (without the comparison with FUTEX_NO_COMPARE): those woken and moved.
pub fn futex_requeue(
    addr: *const u32,
    wake: u32,
    requeue: u32,
    addr2: *const u32,
    value: u32,
    flags: u64,
) -> Result<usize> {
    sys!(FUTEX_REQUEUE, addr, wake, requeue, addr2, value, flags)
}

/// FUTEX_WAKE_OP of futex(2), with its encoding of the operation.
///
/// # Safety
/// The word at `addr2` is the caller's to change atomically.
pub unsafe fn futex_wake_op(
    addr: *const u32,
    wake: u32,
    wake2: u32,
    addr2: *mut u32,
    operation: u32,
    flags: u64,
) -> Result<usize> {
    sys!(FUTEX_WAKE_OP, addr, wake, wake2, addr2, operation, flags)
}
