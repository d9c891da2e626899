//! `time.h`, `sys/time.h`, `sys/timex.h`, `utime.h`: clocks, calendars, time zones, timers.
//!
//! A conversion goes through three layers: [`calendar`] counts days, [`zone`] holds what is known about a time zone (from a
//! [`tzif`] file or a [`posix`] TZ string), and [`local`] keeps the process's zone and fills `struct tm`.

pub mod calendar;
pub mod clocks;
pub mod local;
pub mod mktime;
pub mod names;
pub mod posix;
pub mod set;
pub mod strftime;
pub mod strptime;
pub mod text;
pub mod timers;
pub mod tzif;
pub mod zone;

pub use clocks::*;
