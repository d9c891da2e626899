//! REFLECT_SET: system calls with foreign numbers.

use crate::sys::process::{end_of, fork};
use crate::sys::reflect::{LINUX_GETPID, answer_linux, linux, set_address};
use crate::{Check, Result, holds, same};
use ochre_rt::Errno;
use ochre_rt::abi::syscall::END;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("reflect.none", none),
    ("reflect.handler", handler),
    ("reflect.inherited", inherited),
    ("reflect.refused", refused),
];

const ARGS: [u64; 6] = [1, 20, 300, 4000, 50_000, 600_000];
const SUM: usize = 654_321;

fn none() -> Result {
    for number in [0, LINUX_GETPID, 0x7fff, END, u64::MAX] {
        same!(linux(number, ARGS), Err(Errno::ENOSYS));
    }
    Ok(())
}

fn handler() -> Result {
    answer_linux()?;
    let answers = (linux(LINUX_GETPID, ARGS), linux(LINUX_GETPID + 1, ARGS));
    let native = ochre_rt::syscall::getpid();
    set_address(0)?;
    same!(answers, (Ok(SUM), Err(Errno::EPERM)));
    same!(native, std::process::id() as i32);
    same!(linux(LINUX_GETPID, ARGS), Err(Errno::ENOSYS));
    Ok(())
}

/// A forked child keeps the handler; its own changes stay its own.
fn inherited() -> Result {
    answer_linux()?;
    let child = fork(|| {
        let kept = linux(LINUX_GETPID, ARGS) == Ok(SUM);
        let gone = set_address(0).is_ok() && linux(LINUX_GETPID, ARGS) == Err(Errno::ENOSYS);
        u64::from(!(kept && gone))
    });
    let here = linux(LINUX_GETPID, ARGS);
    set_address(0)?;
    same!(end_of(child?)?, (1, 0));
    same!(here, Ok(SUM));
    Ok(())
}

fn refused() -> Result {
    holds!(set_address(0xffff_8000_0000_0000).is_err());
    holds!(set_address(usize::MAX).is_err());
    same!(linux(LINUX_GETPID, ARGS), Err(Errno::ENOSYS));
    Ok(())
}
