//! Timers as files: timerfd_create(2).
//!
//! A periodic timer interrupts once and then rests until somebody reads it: the periods that passed meanwhile are computed then. So
//! no interval, however short, floods the machine.

use super::{install, need_room};
use crate::file::{File, Object};
use crate::mm::time_page::realtime_offset;
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::timer::{self, TimerId, TimerTarget};
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::event::*;
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

const SECOND: u64 = 1_000_000_000;

/// A timer.
pub struct TimerFd {
    clock: u64,
    this: Weak<TimerFd>,
    state: SpinLock<State>,
    readers: WaitQueue,
    readiness: Readiness,
}

struct State {
    /// Next expiry, ns since boot; `None`: disarmed.
    next: Option<u64>,
    /// The same on the realtime clock, if that is what was asked for.
    next_realtime: Option<u64>,
    interval: u64,
    /// Expirations to be read; more may have passed since if it is periodic.
    ticks: u64,
    armed: Option<TimerId>,
    cancel_on_set: bool,
    /// The clock was set and nobody read ECANCELED yet.
    cancelled: bool,
}

/// Absolute timers on the realtime clock: setting it moves them.
static REALTIME: SpinLock<Vec<Weak<TimerFd>>> = SpinLock::new(Vec::new());

impl TimerTarget for TimerFd {
    fn expired(&self, now: u64) {
        let mut state = self.state.lock();
        if state.next.is_none_or(|next| now < next) || state.armed.is_none() {
            return;
        }
        state.armed = None;
        state.ticks = state.ticks.saturating_add(1);
        if state.interval == 0 {
            state.next = None;
        }
        self.readiness.raise(EPOLLIN);
        drop(state);
        self.readers.wake_one();
    }
}

impl TimerFd {
    /// A disarmed timer; EINVAL for a clock that has none.
    pub fn new(clock: u64) -> Result<Arc<TimerFd>> {
        if !matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME) {
            return Err(Errno::EINVAL);
        }
        Ok(Arc::new_cyclic(|this| TimerFd {
            clock,
            this: this.clone(),
            state: SpinLock::new(State {
                next: None,
                next_realtime: None,
                interval: 0,
                ticks: 0,
                armed: None,
                cancel_on_set: false,
                cancelled: false,
            }),
            readers: WaitQueue::new(),
            readiness: Readiness::new(0),
        }))
    }

    fn arm(&self, state: &mut State) {
        let this: Weak<dyn TimerTarget> = self.this.clone();
        state.armed = state.next.map(|next| timer::arm(next, this));
    }

    fn disarm(&self, state: &mut State) {
        if let Some(id) = state.armed.take() {
            timer::cancel(id);
        }
    }

    /// Moves the next expiry of a periodic timer past `now`; how many periods that were.
    fn forward(state: &mut State, now: u64) -> u64 {
        let Some(next) = state.next.filter(|_| state.interval > 0) else { return 0 };
        if now < next {
            return 0;
        }
        let periods = (now - next) / state.interval + 1;
        let by = periods.saturating_mul(state.interval);
        state.next = next.checked_add(by);
        state.next_realtime = state.next_realtime.and_then(|t| t.checked_add(by));
        periods
    }

    /// Time to the next expiry and interval, ns; (0, _) if disarmed.
    pub fn get(&self) -> (u64, u64) {
        let mut state = self.state.lock();
        let now = hal::time::now();
        if state.armed.is_none() && state.interval > 0 && state.next.is_some() {
            // It rests until it is read; looking must not lose what has passed.
            state.ticks = state.ticks.saturating_sub(1).saturating_add(Self::forward(&mut state, now));
            self.arm(&mut state);
        }
        let left = state.next.map_or(0, |next| next.saturating_sub(now).max(1));
        (left, state.interval)
    }

    /// timerfd_settime(2): `value` 0 disarms; ns. `realtime`: `value` is absolute on the realtime clock.
    pub fn set(&self, value: u64, interval: u64, absolute: bool, cancel_on_set: bool) {
        let realtime = absolute && self.clock == CLOCK_REALTIME;
        let mut state = self.state.lock();
        self.disarm(&mut state);
        state.ticks = 0;
        state.interval = interval;
        state.cancelled = false;
        state.cancel_on_set = cancel_on_set && realtime;
        state.next_realtime = (realtime && value != 0).then_some(value);
        state.next = match value {
            0 => None,
            _ if realtime => Some(value.saturating_sub(realtime_offset())),
            _ if absolute => Some(value),
            _ => Some(hal::time::now().saturating_add(value)),
        };
        self.readiness.clear(EPOLLIN);
        self.arm(&mut state);
        drop(state);
        if realtime && value != 0 {
            let mut list = REALTIME.lock();
            list.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&self.this));
            list.push(self.this.clone());
        }
    }

    /// The realtime clock was set.
    fn clock_was_set(&self) {
        let mut state = self.state.lock();
        let Some(realtime) = state.next_realtime else { return };
        if state.cancel_on_set {
            state.cancelled = true;
            self.readiness.raise(EPOLLIN);
            self.readers.wake_all();
        }
        if state.armed.is_some() {
            self.disarm(&mut state);
            state.next = Some(realtime.saturating_sub(realtime_offset()));
            self.arm(&mut state);
        }
    }

    /// Takes the expirations; `None`: wait.
    fn take(&self, nonblocking: bool) -> Option<Result<u64>> {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.cancelled) {
            // As Linux: expirations that came before it are forgotten.
            state.ticks = 0;
            if state.armed.is_none() && state.interval > 0 {
                Self::forward(&mut state, hal::time::now());
                self.arm(&mut state);
            }
            self.readiness.clear(EPOLLIN);
            return Some(Err(Errno::ECANCELED));
        }
        if state.ticks == 0 {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        let mut ticks = core::mem::take(&mut state.ticks);
        if state.armed.is_none() && state.interval > 0 {
            ticks = (ticks - 1).saturating_add(Self::forward(&mut state, hal::time::now()));
            self.arm(&mut state);
        }
        self.readiness.clear(EPOLLIN);
        Some(Ok(ticks.max(1)))
    }
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        if let Some(id) = self.state.get_mut().armed.take() {
            timer::cancel(id);
        }
    }
}

/// CLOCK_SET changed the realtime clock.
pub fn clock_was_set() {
    let timers: Vec<_> = REALTIME.lock().iter().filter_map(Weak::upgrade).collect();
    for timer in timers {
        timer.clock_was_set();
    }
}

impl Object for TimerFd {
    fn kind(&self) -> &'static str {
        "timerfd"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len < 8 {
            return Err(Errno::EINVAL);
        }
        let nonblocking = file.nonblocking();
        let ticks = self.readers.wait_until(None, || self.take(nonblocking))??;
        user::write(to.addr, &ticks)?;
        Ok(8)
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.readiness)
    }
}

/// Seconds and nanoseconds as ns; EINVAL if negative or not normal. Beyond the clock's range is its end, 584 years from now.
pub(crate) fn timespec_ns(sec: i64, nsec: i64) -> Result<u64> {
    let nsec = u64::try_from(nsec).ok().filter(|n| *n < SECOND).ok_or(Errno::EINVAL)?;
    let sec = u64::try_from(sec).map_err(|_| Errno::EINVAL)?;
    Ok(sec.saturating_mul(SECOND).saturating_add(nsec))
}

fn spec((value, interval): (u64, u64)) -> ITimerSpec {
    ITimerSpec {
        interval_sec: (interval / SECOND) as i64,
        interval_nsec: (interval % SECOND) as i64,
        value_sec: (value / SECOND) as i64,
        value_nsec: (value % SECOND) as i64,
    }
}

/// TIMER_CREATE.
pub fn timer_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = a[1];
    if flags & !u64::from(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    let timer = TimerFd::new(a[0])?;
    install(me, File::new(timer, O_RDWR | flags as u32 & O_NONBLOCK), flags)
}

/// TIMER_SET.
pub fn timer_set(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, flags, new, old, ..] = *a;
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let new: ITimerSpec = user::read(new)?;
    let value = timespec_ns(new.value_sec, new.value_nsec)?;
    let interval = timespec_ns(new.interval_sec, new.interval_nsec)?;
    let file = me.process.file(fd as i32)?;
    let timer = file.object::<TimerFd>().ok_or(Errno::EINVAL)?;
    let before = spec(timer.get());
    timer.set(value, interval, flags & TFD_TIMER_ABSTIME != 0, flags & TFD_TIMER_CANCEL_ON_SET != 0);
    if old != 0 {
        user::write(old, &before)?;
    }
    Ok(0)
}

/// TIMER_GET.
pub fn timer_get(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let timer = file.object::<TimerFd>().ok_or(Errno::EINVAL)?;
    user::write(a[1], &spec(timer.get()))?;
    Ok(0)
}
