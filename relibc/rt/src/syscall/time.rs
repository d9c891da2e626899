//! Timers, sleeping, and the clocks that need the kernel.

use super::{address, address_mut, id, sys, unit};
use ochre_abi::Result;
use ochre_abi::event::ITimerSpec;

/// timerfd_create(2).
pub fn timer_create(clock: u64, flags: u32) -> Result<i32> {
    id(sys!(TIMER_CREATE, clock, flags))
}

/// timerfd_settime(2); `old` gets the setting before.
pub fn timer_set(fd: i32, flags: u64, new: &ITimerSpec, old: Option<&mut ITimerSpec>) -> Result<()> {
    unit(sys!(TIMER_SET, fd, flags, address(Some(new)), address_mut(old)))
}

/// timerfd_gettime(2).
pub fn timer_get(fd: i32) -> Result<ITimerSpec> {
    let mut value = ITimerSpec::default();
    sys!(TIMER_GET, fd, address_mut(Some(&mut value)))?;
    Ok(value)
}

/// A clock that the time page has not (CPU time), in ns; [`crate::time::now`] is the one to use.
pub fn clock_get(clock: u64) -> Result<u64> {
    sys!(CLOCK_GET, clock).map(|ns| ns as u64)
}

/// Sets the realtime clock, in ns since 1970; needs RIGHT_TIME.
pub fn clock_set(ns: u64) -> Result<()> {
    unit(sys!(CLOCK_SET, ns))
}

/// clock_nanosleep(2). `flags`: 0 or TIMER_ABSTIME. After EINTR, `remaining` has what is left.
pub fn sleep(clock: u64, flags: u64, ns: u64, remaining: Option<&mut u64>) -> Result<()> {
    unit(sys!(SLEEP, clock, flags, ns, address_mut(remaining)))
}
