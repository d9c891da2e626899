//! The process's time zone: `tzset`, `localtime`, `gmtime`. tzset(3), ctime(3).

use super::calendar;
use super::names::Name;
use super::posix::Rules;
use super::tzif::Data;
use super::zone::{Summary, Zone};
use crate::lock::Lock;
use crate::pwd::read_file;
use crate::{env, errno, string};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_long};
use core::mem::MaybeUninit;
use core::ptr;
use libc::{time_t, tm};

/// Names of standard and of daylight-saving time. A program may hold this variable itself, as the two below.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut tzname: [*const c_char; 2] = [Name::GMT_TEXT; 2];
/// Whether the zone ever has daylight-saving time.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut daylight: c_int = 0;
/// Seconds west of UTC of standard time.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut timezone: c_long = 0;

#[cfg(panic = "abort")]
core::arch::global_asm!(
    ".globl __tzname",
    ".set __tzname, tzname",
    ".globl __daylight",
    ".set __daylight, daylight",
    ".globl __timezone",
    ".set __timezone, timezone",
);

/// The zone in use, and the value of TZ that chose it.
struct State {
    text: Option<Vec<u8>>,
    zone: Zone,
}

static STATE: Lock<State> = Lock::new(State { text: None, zone: Zone::Rules(Rules::UTC) });

/// The system's zone, for a process without TZ.
const SYSTEM: &[u8] = b"/etc/localtime";

/// A zone's file, by a path or by a name below the zone directory.
unsafe fn read_zone(name: &[u8]) -> Option<Data> {
    let mut path = Vec::new();
    if name.first() != Some(&b'/') {
        let dir = env::secure_getenv(c"TZDIR".as_ptr());
        let dir = if dir.is_null() { b"" } else { string::bytes(dir) };
        path.extend_from_slice(if dir.is_empty() { b"/usr/share/zoneinfo" } else { dir });
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path.push(0);
    let has_dots = name.windows(3).any(|part| part == b"../");
    if crate::start::__libc_enable_secure != 0 && (has_dots || name.first() == Some(&b'/') && name != SYSTEM) {
        return None;
    }
    Data::parse(&read_file(&path)?)
}

/// The zone that a value of TZ stands for.
unsafe fn zone_of(text: &[u8]) -> Zone {
    match read_zone(text) {
        Some(data) => Zone::File(data),
        None if text == SYSTEM || text == b"Universal" => Zone::Rules(Rules::UTC),
        None => Zone::Rules(Rules::parse(text)),
    }
}

unsafe fn show(summary: Summary) {
    tzname = summary.names.map(Name::pointer);
    daylight = c_int::from(summary.daylight);
    timezone = -c_long::from(summary.offset);
}

/// Brings the state up to date with TZ; `again` also if it was read before.
unsafe fn refresh(state: &mut State, again: bool) {
    if state.text.is_some() && !again {
        return;
    }
    let text = env::getenv(c"TZ".as_ptr());
    let text = if text.is_null() { SYSTEM } else { string::bytes(text) };
    let text = text.strip_prefix(b":").unwrap_or(text);
    let text = if text.is_empty() { b"Universal" } else { text };
    if state.text.as_deref() != Some(text) {
        state.zone = zone_of(text);
        state.text = Some(text.to_vec());
        show(state.zone.summary());
    } else if matches!(state.zone, Zone::Rules(_)) && again {
        show(state.zone.summary());
    }
}

/// Fills `out` with local time. `again`: look at TZ as tzset does.
///
/// # Errors
/// EOVERFLOW if the year does not fit.
pub fn convert(time: time_t, again: bool, out: &mut tm) -> Result<(), c_int> {
    let mut state = STATE.lock();
    // SAFETY: as reading environ in C.
    unsafe { refresh(&mut state, again) };
    let local = state.zone.at(time);
    let (leaps, extra) = state.zone.leap(time);
    // SAFETY: the variables are written under the lock; programs read them at their own risk, as POSIX says.
    unsafe { show(local.shown) };
    out.tm_isdst = c_int::from(local.dst);
    out.tm_gmtoff = c_long::from(local.offset);
    out.tm_zone = local.name.pointer();
    calendar::fill(time, i64::from(local.offset) - i64::from(leaps), extra, out).ok_or(libc::EOVERFLOW)
}

/// Fills `out` with UTC.
///
/// # Errors
/// EOVERFLOW if the year does not fit.
pub fn convert_utc(time: time_t, out: &mut tm) -> Result<(), c_int> {
    let mut state = STATE.lock();
    // SAFETY: as reading environ in C.
    unsafe { refresh(&mut state, false) };
    let (leaps, extra) = state.zone.leap(time);
    out.tm_isdst = 0;
    out.tm_gmtoff = 0;
    out.tm_zone = Name::GMT.pointer();
    calendar::fill(time, -i64::from(leaps), extra, out).ok_or(libc::EOVERFLOW)
}

/// Takes the locks before a fork.
pub fn fork_prepare() {
    STATE.raw.lock();
    super::names::NAMES.raw.lock();
}

/// Gives them back on both sides.
pub fn fork_done() {
    super::names::NAMES.raw.unlock();
    STATE.raw.unlock();
}

/// Where gmtime and localtime put their answer.
struct Static(UnsafeCell<MaybeUninit<tm>>);
// SAFETY: localtime(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new(MaybeUninit::zeroed()));

unsafe fn answer(result: Result<(), c_int>, out: *mut tm) -> *mut tm {
    match result {
        Ok(()) => out,
        Err(error) => {
            errno::set(error);
            ptr::null_mut()
        }
    }
}

c_api! {
    /// tzset(3).
    fn tzset() { refresh(&mut STATE.lock(), true) }

    /// localtime(3).
    fn localtime(time: *const time_t) -> *mut tm {
        let out = STATIC.0.get().cast();
        answer(convert(*time, true, &mut *out), out)
    }

    /// localtime_r(3). Looks at TZ only if nothing has before.
    fn localtime_r(time: *const time_t, out: *mut tm) -> *mut tm { answer(convert(*time, false, &mut *out), out) }

    /// gmtime(3).
    fn gmtime(time: *const time_t) -> *mut tm { gmtime_r(time, STATIC.0.get().cast()) }

    /// gmtime_r(3).
    fn gmtime_r(time: *const time_t, out: *mut tm) -> *mut tm { answer(convert_utc(*time, &mut *out), out) }
}
