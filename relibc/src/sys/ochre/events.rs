//! Waiting for descriptors, and the descriptors that are made for it.

use super::clocks::{milliseconds, ns_of, time_of, timeout, timeval_of};
use super::signals::with_mask;
use super::{Args, Result, bytes_mut, get, get_opt, int, native, put_opt};
use core::mem::MaybeUninit;
use libc::{timespec, timeval};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::{OP_INOTIFY_REMOVE, OP_WATCH};
use ochre_rt::abi::event::{
    EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDNORM, EPOLLWRNORM, PollFd,
};
use ochre_rt::abi::file::AT_FDCWD;
use ochre_rt::abi::syscall::{self as sys, FOREVER};
use ochre_rt::call::Call;
use ochre_rt::{syscall, time};

pub unsafe fn poll(a: Args) -> Result {
    native(sys::POLL, [a[0], a[1], milliseconds(a[2]) as usize, 0, 0, 0])
}

pub unsafe fn ppoll(a: Args) -> Result {
    let timeout = timeout(a[2])?;
    with_mask(a[3], |mask| native(sys::POLL, [a[0], a[1], timeout as usize, mask, 0, 0]))
}

/// Descriptors that a select may name (FD_SETSIZE).
const SETS: usize = 1024;
const READ: u32 = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR;
const WRITE: u32 = EPOLLOUT | EPOLLWRNORM | 0x200 | EPOLLERR;
const EXCEPT: u32 = EPOLLPRI;

type Set = [u64; SETS / 64];

/// The sets' bits below `count`.
unsafe fn read_set(pointer: usize, count: usize) -> Result<Set> {
    let mut set = [0; SETS / 64];
    if pointer == 0 {
        return Ok(set);
    }
    let words = bytes_mut(pointer, count.div_ceil(64) * 8)?;
    for (index, word) in set.iter_mut().enumerate().take(count.div_ceil(64)) {
        *word = get(words.as_ptr().expose_provenance() + index * 8)?;
        let left = count - index * 64;
        if left < 64 {
            *word &= (1 << left) - 1;
        }
    }
    Ok(set)
}

unsafe fn write_set(pointer: usize, count: usize, set: &Set) {
    if pointer != 0 {
        for (index, word) in set.iter().enumerate().take(count.div_ceil(64)) {
            put_opt(pointer + index * 8, *word);
        }
    }
}

/// select by way of poll.
unsafe fn select_with(a: Args, timeout: u64, mask: usize) -> Result {
    let count = usize::try_from(a[0] as i32).map_err(|_| Errno::EINVAL)?.min(SETS);
    let pointers = [a[1], a[2], a[3]];
    let asked = [read_set(a[1], count)?, read_set(a[2], count)?, read_set(a[3], count)?];
    let mut room = [const { MaybeUninit::uninit() }; SETS];
    let fds = entries(&asked, count, &mut room);
    let (list, used) = (fds.as_mut_ptr().expose_provenance(), fds.len());
    let ready = with_mask(mask, |mask| native(sys::POLL, [list, used, timeout as usize, mask, 0, 0]))?;
    let mut found = [[0; SETS / 64]; 3];
    let mut total = 0;
    for entry in fds.iter().filter(|entry| entry.revents != 0).take(ready) {
        let revents = u32::from(entry.revents);
        if revents & ochre_rt::abi::event::EPOLLNVAL != 0 {
            return Err(Errno::EBADF);
        }
        let (word, bit) = (entry.fd as usize / 64, 1 << (entry.fd % 64));
        for ((set, bits), asked) in found.iter_mut().zip([READ, WRITE, EXCEPT]).zip(&asked) {
            if revents & bits != 0 && asked[word] & bit != 0 {
                set[word] |= bit;
                total += 1;
            }
        }
    }
    for (pointer, set) in pointers.iter().zip(&found) {
        write_set(*pointer, count, set);
    }
    Ok(total)
}

/// The sets as a list for poll: of those below `count`, the descriptors that are in one.
fn entries<'r>(asked: &[Set; 3], count: usize, room: &'r mut [MaybeUninit<PollFd>; SETS]) -> &'r mut [PollFd] {
    let [read, write, except] = asked;
    let mut used = 0;
    for word in 0..count.div_ceil(64) {
        let (read, write, except) = (read[word], write[word], except[word]);
        let mut left = read | write | except;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            let has = |set: u64| (set >> bit & 1) as u32;
            let events = match write | except {
                // Most ask for reading alone.
                0 => EPOLLIN,
                _ => has(read) * EPOLLIN | has(write) * EPOLLOUT | has(except) * EPOLLPRI,
            };
            room[used].write(PollFd { fd: (word * 64) as i32 + bit as i32, events: events as u16, revents: 0 });
            used += 1;
        }
    }
    // SAFETY: the first `used` entries were written just now.
    unsafe { room[..used].assume_init_mut() }
}

/// What is left of a timeout that began at `start`.
fn left(start: u64, timeout: u64) -> u64 {
    timeout.saturating_sub(time::monotonic() - start)
}

pub unsafe fn pselect6(a: Args) -> Result {
    let timeout = timeout(a[4])?;
    // The sixth argument points to the mask's address and size.
    let mask = get_opt::<[usize; 2]>(a[5])?.map_or(0, |[mask, _]| mask);
    let start = time::monotonic();
    let done = select_with(a, timeout, mask);
    if timeout != FOREVER {
        put_opt::<timespec>(a[4], time_of(left(start, timeout)));
    }
    done
}

pub unsafe fn select(a: Args) -> Result {
    let timeout = match get_opt::<timeval>(a[4])? {
        None => FOREVER,
        Some(time) if time.tv_sec < 0 || time.tv_usec < 0 => return Err(Errno::EINVAL),
        Some(time) => ns_of(timespec {
            tv_sec: time.tv_sec.saturating_add(time.tv_usec / 1_000_000),
            tv_nsec: time.tv_usec % 1_000_000 * 1000,
        })?,
    };
    let start = time::monotonic();
    let done = select_with(a, timeout, 0);
    if timeout != FOREVER {
        put_opt(a[4], timeval_of(left(start, timeout)));
    }
    done
}

pub unsafe fn epoll_create1(a: Args) -> Result {
    native(sys::EVENT_CREATE, [a[0] as u32 as usize, 0, 0, 0, 0, 0])
}

pub unsafe fn epoll_create(a: Args) -> Result {
    if a[0] as i32 <= 0 { Err(Errno::EINVAL) } else { epoll_create1([0; 6]) }
}

pub unsafe fn epoll_ctl(a: Args) -> Result {
    native(sys::EVENT_CTL, [int(a[0]), a[1] as u32 as usize, int(a[2]), a[3], 0, 0])
}

unsafe fn event_wait(a: Args, timeout: u64, mask: usize) -> Result {
    let max = usize::try_from(a[2] as i32).ok().filter(|max| *max > 0).ok_or(Errno::EINVAL)?;
    with_mask(mask, |mask| native(sys::EVENT_WAIT, [int(a[0]), a[1], max, timeout as usize, mask, 0]))
}

pub unsafe fn epoll_wait(a: Args) -> Result {
    event_wait(a, milliseconds(a[3]), 0)
}

pub unsafe fn epoll_pwait(a: Args) -> Result {
    event_wait(a, milliseconds(a[3]), a[4])
}

pub unsafe fn epoll_pwait2(a: Args) -> Result {
    event_wait(a, timeout(a[3])?, a[4])
}

pub unsafe fn eventfd2(a: Args) -> Result {
    native(sys::EVENTFD, [a[0] as u32 as usize, a[1] as u32 as usize, 0, 0, 0, 0])
}

pub unsafe fn eventfd(a: Args) -> Result {
    eventfd2([a[0], 0, 0, 0, 0, 0])
}

pub unsafe fn signalfd4(a: Args) -> Result {
    let mask: u64 = get(a[1])?;
    syscall::signal_fd(a[0] as i32, mask, a[3] as u32).map(|fd| fd as usize)
}

pub unsafe fn timerfd_create(a: Args) -> Result {
    native(sys::TIMER_CREATE, [a[0] as u32 as usize, a[1] as u32 as usize, 0, 0, 0, 0])
}

pub unsafe fn timerfd_settime(a: Args) -> Result {
    native(sys::TIMER_SET, [int(a[0]), a[1] as u32 as usize, a[2], a[3], 0, 0])
}

pub unsafe fn timerfd_gettime(a: Args) -> Result {
    native(sys::TIMER_GET, [int(a[0]), a[1], 0, 0, 0, 0])
}

pub unsafe fn inotify_init1(a: Args) -> Result {
    native(sys::INOTIFY_CREATE, [a[0] as u32 as usize, 0, 0, 0, 0, 0])
}

pub unsafe fn inotify_init(_: Args) -> Result {
    inotify_init1([0; 6])
}

/// The file's server keeps the watch. EINVAL where it keeps none.
pub unsafe fn inotify_add_watch(a: Args) -> Result {
    const EVENTS: u32 = 0xfff;
    if a[2] as u32 & EVENTS == 0 {
        return Err(Errno::EINVAL);
    }
    let path = super::paths::path(a[1])?;
    let fds = [a[0] as i32];
    let mask = u64::from(a[2] as u32);
    let done = Call::new(OP_WATCH, [mask, 0, 0]).fds(&fds).send_path(AT_FDCWD, path);
    done.map_err(|error| if error == Errno::ENOSYS { Errno::EINVAL } else { error })
}

pub unsafe fn inotify_rm_watch(a: Args) -> Result {
    Call::new(OP_INOTIFY_REMOVE, [a[1] as u32 as u64, 0, 0]).send(a[0] as i32)
}
