//! What the checks share: results that know their line, and a runner that gives each check a process of its own.
#![deny(unsafe_code)]

mod runner;
#[allow(unsafe_code)]
pub mod sys;

use std::fmt::Display;
use std::io;
use std::panic::Location;

pub use runner::run;

/// One named check.
pub struct Check {
    /// `subject.what`.
    pub name: &'static str,
    /// What it does, in a process of its own.
    pub run: fn() -> Result,
}

/// Why a check failed: the place and the reason.
#[derive(Debug)]
pub struct Failure(pub String);

/// A check's result.
pub type Result<T = ()> = std::result::Result<T, Failure>;

impl<E: Display> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let place = Location::caller();
        Failure(format!("{}:{}: {error}", place.file(), place.line()))
    }
}

/// Fails the check unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr) => {
        if !$condition {
            return Err($crate::Failure(format!("{}:{}: not so: {}", file!(), line!(), stringify!($condition))));
        }
    };
}

/// Fails the check unless both are equal; the reason shows them.
#[macro_export]
macro_rules! same {
    ($left:expr, $right:expr) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            let what = stringify!($left);
            return Err($crate::Failure(format!("{}:{}: {what} is {left:?}, not {right:?}", file!(), line!())));
        }
    }};
}

/// The list of a file's checks: `checks!("subject": first, second)` names them `subject.first`, `subject.second`.
#[macro_export]
macro_rules! checks {
    ($subject:literal: $($check:ident),+ $(,)?) => {
        /// The checks of this subject.
        pub const CHECKS: &[$crate::Check] =
            &[$($crate::Check { name: concat!($subject, ".", stringify!($check)), run: $check }),+];
    };
}

/// The error number of a failed operation, 0 of one that worked.
pub fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().map_or(0, |error| error.raw_os_error().unwrap_or(-1))
}
