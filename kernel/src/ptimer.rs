//! Timers that send signals: setitimer(2), timer_create(2), and the limit of CPU time (setrlimit(2), RLIMIT_CPU).
//!
//! A timer whose signal is queued rests until somebody takes that signal; the periods that passed meanwhile are its overrun. So no
//! interval, however short, floods the machine. CPU clocks are looked at again when the time that is missing could have been used up:
//! nothing is counted for them at switches or system calls.

use crate::mm::time_page::realtime_offset;
use crate::process::Process;
use crate::signal;
use crate::thread::Thread;
use crate::timer::{self, TimerId, TimerTarget};
use crate::user;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::event::*;
use ochre_abi::process::{EXIT_SIGNAL, Rlimit, TimerArgs};
use ochre_abi::signal::{SI_KERNEL, SI_TIMER, SIGALRM, SIGKILL, SIGNAL_MAX, SIGPROF, SIGVTALRM, SIGXCPU, SigInfo};
use ochre_abi::syscall::{ITIMER_FIRST, ITIMER_LAST};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

const SECOND: u64 = 1_000_000_000;
/// Between two signals of a timer that nobody's taking slows down, at the least, ns.
const PACE: u64 = 1_000_000;
/// POSIX timers of one process at the most.
const TIMERS_MAX: usize = 1024;
/// The id of the limit of CPU time.
const CPU_LIMIT: u32 = ITIMER_LAST as u32 + 1;

/// A process's timers by id: POSIX's from 0 on, then the three of setitimer, then the limit of CPU time.
pub struct Timers(SpinLock<BTreeMap<u32, Arc<Timer>>>);

struct Timer {
    id: u32,
    process: Weak<Process>,
    clock: u64,
    /// 0: none is sent.
    signal: u32,
    /// The thread that gets it, 0: the process.
    tid: u32,
    value: u64,
    this: Weak<Timer>,
    state: SpinLock<State>,
}

#[derive(Default)]
struct State {
    /// Next expiry: ns since boot, or of CPU time; `None`: disarmed.
    next: Option<u64>,
    interval: u64,
    armed: Option<TimerId>,
    /// The signal is queued and was not taken yet.
    queued: bool,
    /// Expirations that the signal taken last stood for besides its own.
    overrun: u64,
}

impl Timer {
    fn new(process: &Arc<Process>, id: u32, clock: u64, args: &TimerArgs) -> Arc<Timer> {
        Arc::new_cyclic(|this| Timer {
            id,
            process: Arc::downgrade(process),
            clock,
            signal: args.signal,
            tid: args.tid,
            value: args.value,
            this: this.clone(),
            state: SpinLock::new(State::default()),
        })
    }

    fn counts_cpu(&self) -> bool {
        self.clock == CLOCK_PROCESS_CPUTIME_ID
    }

    /// The timer's own clock, ns.
    fn now(&self, process: &Process) -> u64 {
        if self.counts_cpu() { process.run_ns() } else { hal::time::now() }
    }

    /// Has itself looked at when `next` may have come.
    fn arm(&self, state: &mut State, process: &Process) {
        let Some(next) = state.next else { return };
        let deadline = if self.counts_cpu() {
            let missing = next.saturating_sub(process.run_ns()) / hal::cpu::count() as u64;
            hal::time::now().saturating_add(missing.max(PACE))
        } else {
            next
        };
        let target: Weak<dyn TimerTarget> = self.this.clone();
        state.armed = Some(timer::arm(deadline, target));
    }

    fn disarm(state: &mut State) {
        if let Some(id) = state.armed.take() {
            timer::cancel(id);
        }
    }

    /// Moves `next` past `now`; how many periods that were.
    fn forward(state: &mut State, now: u64) -> u64 {
        let Some(next) = state.next.filter(|next| *next <= now && state.interval > 0) else { return 0 };
        let periods = (now - next) / state.interval + 1;
        state.next = next.checked_add(periods.saturating_mul(state.interval));
        periods
    }

    /// Time to the next expiry, and interval, ns.
    fn get(&self, process: &Process) -> (u64, u64) {
        let state = self.state.lock();
        let now = self.now(process);
        let left = match state.next {
            None => 0,
            Some(next) if next > now => next - now,
            // It rests, or its signal is on the way.
            Some(next) if state.interval > 0 => state.interval - (now - next) % state.interval,
            Some(_) => 1,
        };
        (left, state.interval)
    }

    fn set(&self, process: &Process, next: Option<u64>, interval: u64) {
        let mut state = self.state.lock();
        Timer::disarm(&mut state);
        state.next = next;
        state.interval = interval;
        state.overrun = 0;
        state.queued = false;
        self.arm(&mut state, process);
    }

    /// Sends the signal; true if it is queued under this timer's name.
    fn send(&self, process: &Arc<Process>) -> bool {
        let is_posix = self.id < ITIMER_FIRST as u32;
        let info = SigInfo {
            signal: self.signal,
            code: if is_posix { SI_TIMER } else { SI_KERNEL },
            pid: if is_posix { self.id } else { 0 },
            uid: 0,
            value: self.value,
        };
        let sent = match self.tid {
            _ if self.signal == 0 => return false,
            0 => signal::send_to_process(process, info),
            tid => process
                .threads()
                .iter()
                .find(|thread| thread.tid == tid)
                .map_or(Err(Errno::ESRCH), |thread| signal::send_to_thread(thread, info)),
        };
        sent.is_ok() && is_posix && signal::timer_queued(process, self.tid, self.id)
    }
}

impl TimerTarget for Timer {
    fn expired(&self, _now: u64) {
        let Some(process) = self.process.upgrade() else { return };
        let mut state = self.state.lock();
        let now = self.now(&process);
        if state.armed.take().is_none() || state.next.is_none() {
            return;
        }
        if state.next.is_some_and(|next| now < next) {
            // CPU time that could have been used up was not.
            self.arm(&mut state, &process);
            return;
        }
        if self.id == CPU_LIMIT {
            drop(state);
            self.limit_reached(&process, now);
            return;
        }
        if state.interval == 0 {
            state.next = None;
        }
        state.queued = true;
        drop(state);
        let queued = self.send(&process);
        let mut state = self.state.lock();
        if !queued && state.queued {
            // Merged with another signal, ignored, or not POSIX's: nobody will tell when it was taken.
            state.queued = false;
            let pace = PACE.min(state.interval.saturating_sub(1));
            Timer::forward(&mut state, now.saturating_add(pace));
            self.arm(&mut state, &process);
        }
    }
}

impl Timer {
    /// SIGXCPU at the soft limit and each second after, SIGKILL at the hard one.
    fn limit_reached(&self, process: &Arc<Process>, now: u64) {
        let limit = process.limit_pair(ochre_abi::process::RLIMIT_CPU as usize);
        if now >= limit.max.saturating_mul(SECOND) {
            process.begin_exit(EXIT_SIGNAL | u64::from(SIGKILL));
            return;
        }
        let mut state = self.state.lock();
        state.next = now.checked_add(SECOND);
        self.arm(&mut state, process);
        drop(state);
        self.send(process);
    }
}

impl Timers {
    /// None.
    pub const fn new() -> Timers {
        Timers(SpinLock::new(BTreeMap::new()))
    }

    fn find(&self, id: u64) -> Result<Arc<Timer>> {
        let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
        self.0.lock().get(&id).cloned().ok_or(Errno::EINVAL)
    }

    /// exec: POSIX timers go, the others stay.
    pub(crate) fn exec(&self) {
        self.remove(|id| id < ITIMER_FIRST as u32);
    }

    /// The process ends.
    pub(crate) fn clear(&self) {
        self.remove(|_| true);
    }

    fn remove(&self, which: impl Fn(u32) -> bool) {
        let mut map = self.0.lock();
        let ids: Vec<u32> = map.keys().copied().filter(|id| which(*id)).collect();
        let removed: Vec<_> = ids.iter().filter_map(|id| map.remove(id)).collect();
        drop(map);
        for timer in removed {
            Timer::disarm(&mut timer.state.lock());
        }
    }

    /// The signal of a POSIX timer is taken: it goes on. Returns its overrun.
    pub(crate) fn taken(&self, process: &Process, id: u32) -> u32 {
        let Ok(timer) = self.find(id.into()) else { return 0 };
        let mut state = timer.state.lock();
        if !state.queued {
            return 0;
        }
        state.queued = false;
        let now = timer.now(process);
        // The first period is the signal itself.
        state.overrun = Timer::forward(&mut state, now).saturating_sub(1).min(i32::MAX as u64);
        timer.arm(&mut state, process);
        state.overrun as u32
    }

    /// Follows a new limit of CPU time.
    pub(crate) fn limit_cpu(&self, process: &Arc<Process>, limit: Rlimit) {
        let soft = limit.current.min(limit.max).checked_mul(SECOND);
        let mut map = self.0.lock();
        if soft.is_none() && !map.contains_key(&CPU_LIMIT) {
            return;
        }
        let args = TimerArgs { signal: SIGXCPU, ..TimerArgs::default() };
        let timer = map
            .entry(CPU_LIMIT)
            .or_insert_with(|| Timer::new(process, CPU_LIMIT, CLOCK_PROCESS_CPUTIME_ID, &args))
            .clone();
        drop(map);
        timer.set(process, soft, 0);
    }
}

/// SIGNAL_TIMER_CREATE.
pub fn create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let args: TimerArgs = user::read(a[1])?;
    let clock = match a[0] {
        CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_PROCESS_CPUTIME_ID => a[0],
        // A thread's own time is the process's where there is one thread; others are refused.
        CLOCK_THREAD_CPUTIME_ID if me.process.threads().len() == 1 => CLOCK_PROCESS_CPUTIME_ID,
        _ => return Err(Errno::EINVAL),
    };
    if args.signal > SIGNAL_MAX || args.tid != 0 && !me.process.threads().iter().any(|thread| thread.tid == args.tid) {
        return Err(Errno::EINVAL);
    }
    let mut map = me.process.timers.0.lock();
    if map.len() >= TIMERS_MAX {
        return Err(Errno::EAGAIN);
    }
    let id = (0..ITIMER_FIRST as u32).find(|id| !map.contains_key(id)).ok_or(Errno::EAGAIN)?;
    // A timer without a value is told by its id (timer_create(2)).
    let value = if args.value_is_id != 0 { id.into() } else { args.value };
    map.insert(id, Timer::new(&me.process, id, clock, &TimerArgs { value, ..args }));
    Ok(id as usize)
}

fn of_itimer(me: &Arc<Thread>, id: u64) -> Result<Arc<Timer>> {
    let (clock, signal) = match id - ITIMER_FIRST {
        0 => (CLOCK_MONOTONIC, SIGALRM),
        1 => (CLOCK_PROCESS_CPUTIME_ID, SIGVTALRM),
        _ => (CLOCK_PROCESS_CPUTIME_ID, SIGPROF),
    };
    let mut map = me.process.timers.0.lock();
    let new = || Timer::new(&me.process, id as u32, clock, &TimerArgs { signal, ..TimerArgs::default() });
    Ok(map.entry(id as u32).or_insert_with(new).clone())
}

fn timer(me: &Arc<Thread>, id: u64) -> Result<Arc<Timer>> {
    if (ITIMER_FIRST..=ITIMER_LAST).contains(&id) { of_itimer(me, id) } else { me.process.timers.find(id) }
}

/// SIGNAL_TIMER_SET.
pub fn set(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [id, flags, new, old, ..] = *a;
    let timer = timer(me, id)?;
    let wanted: Option<[u64; 2]> = if new == 0 { None } else { Some(user::read(new)?) };
    if old != 0 {
        let (left, interval) = timer.get(&me.process);
        user::write(old, &[left, interval])?;
    }
    let Some([value, interval]) = wanted else { return Ok(0) };
    let next = match value {
        0 => None,
        _ if flags & TIMER_ABSTIME == 0 => Some(timer.now(&me.process).saturating_add(value)),
        _ if timer.clock == CLOCK_REALTIME => Some(value.saturating_sub(realtime_offset())),
        _ => Some(value),
    };
    timer.set(&me.process, next, interval);
    Ok(0)
}

/// SIGNAL_TIMER_OVERRUN.
pub fn overrun(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let timer = me.process.timers.find(a[0])?;
    let overrun = timer.state.lock().overrun;
    Ok(overrun as usize)
}

/// SIGNAL_TIMER_DELETE.
pub fn delete(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let timer = me.process.timers.find(a[0])?;
    me.process.timers.remove(|id| id == timer.id && id < ITIMER_FIRST as u32);
    Ok(0)
}
