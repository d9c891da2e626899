//! What a check is, and the two macros that checks are written with.

use std::fmt::{self, Display};
use std::panic::Location;
use std::thread::JoinHandle;

/// One named check.
#[derive(Clone, Copy)]
pub struct Check {
    /// `subject.detail`, unique.
    pub name: &'static str,
    /// Does the work; must clean up behind itself also when it fails.
    pub run: fn() -> Outcome,
}

/// What a check ends with.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a check failed, with the place in the source.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure at the caller's line.
    #[track_caller]
    pub fn new(why: impl Display) -> Self {
        let place = Location::caller();
        Self(format!("{}:{}: {why}", place.file(), place.line()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line a check, whatever the message was made of.
        f.write_str(&self.0.replace('\n', " / "))
    }
}

// `?` passes its own line on to here. `Failure` must not be an `Error` itself, or this would overlap with `From<T> for T`.
impl<E: std::error::Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(format_args!("{error:?}"))
    }
}

/// Fails the check unless the condition holds; a message may follow.
macro_rules! ensure {
    ($condition:expr) => {
        if !$condition {
            return Err($crate::check::Failure::new(concat!("not true: ", stringify!($condition))));
        }
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure::new(format_args!($($message)+)));
        }
    };
}

/// Fails the check unless both sides are equal, and shows them.
macro_rules! equal {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    return Err($crate::check::Failure::new(format_args!(
                        "{} is {left:?}, not {right:?}",
                        stringify!($left)
                    )));
                }
            }
        }
    };
}

/// Fails the check unless the expression is an I/O error of that kind.
macro_rules! fails_with {
    ($result:expr, $kind:expr) => {
        match $result {
            Err(error) if error.kind() == $kind => {}
            Err(error) => {
                return Err($crate::check::Failure::new(format_args!(
                    "{}: {error:?}, not {:?}",
                    stringify!($result),
                    $kind
                )));
            }
            Ok(_) => {
                return Err($crate::check::Failure::new(format_args!(
                    "{} did not fail with {:?}",
                    stringify!($result),
                    $kind
                )));
            }
        }
    };
}

pub(crate) use {ensure, equal, fails_with};

/// Joins a thread; its panic becomes a failure.
#[track_caller]
pub fn join<T>(handle: JoinHandle<T>) -> Outcome<T> {
    match handle.join() {
        Ok(value) => Ok(value),
        Err(payload) => Err(Failure::new(format_args!("a thread panicked: {}", panic_text(&*payload)))),
    }
}

/// The text of a panic's payload.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a payload that is no text"
    }
}
