//! timerfd(2).

use super::{ready, sleep_ms};
use crate::{Check, Result, holds, same};
use ochre_rt::abi::event::*;
use ochre_rt::abi::file::O_NONBLOCK;
use ochre_rt::{Errno, OwnedFd, syscall, time};

/// All checks of this subject.
pub const CHECKS: &[Check] =
    &[("timers.once", once), ("timers.interval", interval), ("timers.cancel-on-set", cancel_on_set)];

const SECOND: u64 = 1_000_000_000;

fn set(timer: &OwnedFd, flags: u64, value: u64, interval: u64) -> ochre_rt::Result<()> {
    let new = ITimerSpec {
        interval_sec: 0,
        interval_nsec: interval as i64,
        value_sec: (value / SECOND) as i64,
        value_nsec: (value % SECOND) as i64,
    };
    syscall::timer_set(timer.get(), flags, &new, None)
}

fn expirations(timer: &OwnedFd) -> ochre_rt::Result<u64> {
    let mut count = [0; 8];
    syscall::read(timer.get(), &mut count)?;
    Ok(u64::from_le_bytes(count))
}

fn once() -> Result {
    same!(syscall::timer_create(99, 0), Err(Errno::EINVAL));
    let timer = OwnedFd::new(syscall::timer_create(CLOCK_MONOTONIC, 0)?);
    let start = time::monotonic();
    set(&timer, 0, 10_000_000, 0)?;
    same!(expirations(&timer), Ok(1));
    holds!(time::monotonic() - start >= 10_000_000);
    set(&timer, 0, 1, 0)?;
    set(&timer, 0, 0, 0)?;
    same!(ready(timer.get(), EPOLLIN, 0)?, 0);
    Ok(())
}

fn interval() -> Result {
    let timer = OwnedFd::new(syscall::timer_create(CLOCK_MONOTONIC, 0)?);
    set(&timer, TFD_TIMER_ABSTIME, time::monotonic() + 5_000_000, 1_000_000)?;
    sleep_ms(11)?;
    same!(ready(timer.get(), EPOLLIN, 0)?, EPOLLIN);
    let left = syscall::timer_get(timer.get())?;
    holds!((1..=1_000_000).contains(&left.value_nsec));
    holds!(expirations(&timer)? >= 5);
    // Far more often than anybody could serve: they are counted.
    set(&timer, 0, 1, 1)?;
    sleep_ms(5)?;
    holds!(expirations(&timer)? > 1_000_000);
    Ok(())
}

fn cancel_on_set() -> Result {
    let timer = OwnedFd::new(syscall::timer_create(CLOCK_REALTIME, O_NONBLOCK)?);
    set(&timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, time::realtime() + 1000 * SECOND, 0)?;
    same!(expirations(&timer), Err(Errno::EAGAIN));
    syscall::clock_set(time::realtime() + 2000 * SECOND)?;
    let outcome = (ready(timer.get(), EPOLLIN, 0), expirations(&timer));
    syscall::clock_set(time::realtime() - 2000 * SECOND)?;
    same!(outcome, (Ok(EPOLLIN), Err(Errno::ECANCELED)));
    Ok(())
}
