//! eventfd(2), epoll(7), poll(2).

use super::{ready, sleep_ms};
use crate::{Check, Result, holds, same};
use ochre_rt::abi::event::*;
use ochre_rt::abi::file::O_NONBLOCK;
use ochre_rt::abi::syscall::FOREVER;
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("events.eventfd", eventfd),
    ("events.level", level),
    ("events.edge", edge),
    ("events.oneshot", oneshot),
    ("events.refused", refused),
    ("events.nested", nested),
    ("events.duplicates", duplicates),
    ("events.many", many),
    ("events.poll", poll),
];

fn counter(value: u32) -> ochre_rt::Result<OwnedFd> {
    Ok(OwnedFd::new(syscall::eventfd(value, O_NONBLOCK)?))
}

fn queue() -> ochre_rt::Result<OwnedFd> {
    Ok(OwnedFd::new(syscall::event_create(0)?))
}

fn control(queue: &OwnedFd, operation: u64, fd: &OwnedFd, events: u32, data: u64) -> ochre_rt::Result<()> {
    syscall::event_ctl(queue.get(), operation, fd.get(), Some(&EpollEvent { events, data }))
}

fn signal(counter: &OwnedFd, value: u64) -> ochre_rt::Result<usize> {
    syscall::write(counter.get(), &value.to_le_bytes())
}

fn take(counter: &OwnedFd) -> ochre_rt::Result<u64> {
    let mut value = [0; 8];
    syscall::read(counter.get(), &mut value)?;
    Ok(u64::from_le_bytes(value))
}

/// The data of what is ready.
fn wait(queue: &OwnedFd, timeout: u64) -> ochre_rt::Result<Vec<u64>> {
    let mut events = [EpollEvent::default(); 40];
    let count = syscall::event_wait(queue.get(), &mut events, timeout, None)?;
    Ok(events[..count].iter().map(|event| event.data).collect())
}

fn eventfd() -> Result {
    let counter = counter(0)?;
    same!(take(&counter), Err(Errno::EAGAIN));
    same!((signal(&counter, 5), signal(&counter, 2)), (Ok(8), Ok(8)));
    same!(take(&counter), Ok(7));
    same!(signal(&counter, u64::MAX), Err(Errno::EINVAL));
    same!(signal(&counter, u64::MAX - 1), Ok(8));
    same!(signal(&counter, 1), Err(Errno::EAGAIN));
    same!(ready(counter.get(), EPOLLIN | EPOLLOUT, 0)?, EPOLLIN);
    same!(take(&counter), Ok(u64::MAX - 1));
    same!(ready(counter.get(), EPOLLIN | EPOLLOUT, 0)?, EPOLLOUT);
    Ok(())
}

fn level() -> Result {
    let (queue, counter) = (queue()?, counter(0)?);
    control(&queue, EPOLL_CTL_ADD, &counter, EPOLLIN, 77)?;
    same!(wait(&queue, 0)?, []);
    signal(&counter, 1)?;
    same!((wait(&queue, 0)?, wait(&queue, 0)?), (vec![77], vec![77]));
    same!(ready(queue.get(), EPOLLIN, 0)?, EPOLLIN);
    take(&counter)?;
    same!(ready(queue.get(), EPOLLIN, 0)?, 0);
    same!(wait(&queue, 0)?, []);
    Ok(())
}

fn edge() -> Result {
    let (queue, counter) = (queue()?, counter(0)?);
    control(&queue, EPOLL_CTL_ADD, &counter, EPOLLIN | EPOLLET, 78)?;
    signal(&counter, 1)?;
    same!((wait(&queue, 0)?, wait(&queue, 0)?), (vec![78], vec![]));
    signal(&counter, 1)?;
    same!(wait(&queue, 0)?, [78]);
    Ok(())
}

fn oneshot() -> Result {
    let (queue, counter) = (queue()?, counter(1)?);
    control(&queue, EPOLL_CTL_ADD, &counter, EPOLLIN | EPOLLONESHOT, 79)?;
    same!((wait(&queue, 0)?, wait(&queue, 0)?), (vec![79], vec![]));
    control(&queue, EPOLL_CTL_MOD, &counter, EPOLLIN | EPOLLONESHOT, 80)?;
    same!((wait(&queue, 0)?, wait(&queue, 0)?), (vec![80], vec![]));
    Ok(())
}

fn refused() -> Result {
    let (queue, counter) = (queue()?, counter(0)?);
    control(&queue, EPOLL_CTL_ADD, &counter, EPOLLIN, 1)?;
    same!(control(&queue, EPOLL_CTL_ADD, &counter, EPOLLIN, 1), Err(Errno::EEXIST));
    same!(control(&queue, EPOLL_CTL_ADD, &queue, EPOLLIN, 1), Err(Errno::EINVAL));
    same!(control(&counter, EPOLL_CTL_ADD, &queue, EPOLLIN, 1), Err(Errno::EINVAL));
    same!(syscall::event_ctl(queue.get(), EPOLL_CTL_ADD, 9999, Some(&EpollEvent::default())), Err(Errno::EBADF));
    same!(ready(9999, EPOLLIN, 0)?, EPOLLNVAL);
    Ok(())
}

/// Five queues deep, as Linux; circles are refused.
fn nested() -> Result {
    let counter = counter(1)?;
    let chain = [queue()?, queue()?, queue()?, queue()?, queue()?];
    control(&chain[0], EPOLL_CTL_ADD, &counter, EPOLLIN, 5)?;
    for pair in chain.windows(2) {
        control(&pair[1], EPOLL_CTL_ADD, &pair[0], EPOLLIN, 5)?;
    }
    let one_more = queue()?;
    same!(control(&one_more, EPOLL_CTL_ADD, &chain[4], EPOLLIN, 5), Err(Errno::ELOOP));
    same!(control(&chain[0], EPOLL_CTL_ADD, &chain[4], EPOLLIN, 5), Err(Errno::ELOOP));
    same!(control(&chain[0], EPOLL_CTL_ADD, &one_more, EPOLLIN, 5), Err(Errno::ELOOP));
    same!(wait(&chain[4], 0)?, [5]);
    take(&counter)?;
    same!(wait(&chain[4], 0)?, []);
    signal(&counter, 1)?;
    same!(wait(&chain[4], FOREVER)?, [5]);
    Ok(())
}

/// What is watched is the open file: it goes with its last descriptor.
fn duplicates() -> Result {
    let (queue, first) = (queue()?, counter(1)?);
    control(&queue, EPOLL_CTL_ADD, &first, EPOLLIN, 1)?;
    let second = OwnedFd::new(syscall::dup(first.get(), 0, 0)?);
    control(&queue, EPOLL_CTL_ADD, &second, EPOLLIN, 2)?;
    same!(wait(&queue, 0)?.len(), 2);
    drop(second);
    same!(wait(&queue, 0)?.len(), 2);
    drop(first);
    same!(wait(&queue, 0)?, []);
    for _ in 0..2000 {
        control(&queue, EPOLL_CTL_ADD, &counter(1)?, EPOLLIN, 1)?;
    }
    same!(wait(&queue, 0)?, []);
    Ok(())
}

/// Signals one of them after a while; what `wait` returns meanwhile.
fn later<T: Send>(counter: &OwnedFd, wait: impl FnOnce() -> ochre_rt::Result<T>) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| sleep_ms(20).and_then(|()| signal(counter, 1)));
        let result = wait()?;
        thread.join().map_err(|_| "the thread panicked")??;
        Ok(result)
    })
}

fn counters(queue: &OwnedFd) -> Result<Vec<OwnedFd>> {
    let all = (0..100).map(|_| counter(0)).collect::<ochre_rt::Result<Vec<_>>>()?;
    for (i, counter) in all.iter().enumerate() {
        control(queue, EPOLL_CTL_ADD, counter, EPOLLIN, i as u64)?;
    }
    Ok(all)
}

/// Every ready descriptor gets its turn, though a wait returns only 40.
fn many() -> Result {
    let queue = queue()?;
    let all = counters(&queue)?;
    same!(later(&all[50], || wait(&queue, FOREVER))?, [50]);
    for counter in &all {
        signal(counter, 1)?;
    }
    let mut seen = 0u128;
    for _ in 0..3 {
        for data in wait(&queue, 0)? {
            seen |= 1 << data;
        }
    }
    same!(seen.count_ones(), 100);
    Ok(())
}

fn poll() -> Result {
    let queue = queue()?;
    let all = counters(&queue)?;
    let mut fds: Vec<_> = all.iter().map(|fd| PollFd { fd: fd.get(), events: EPOLLIN as u16, revents: 0 }).collect();
    let start = std::time::Instant::now();
    same!(syscall::poll(&mut fds, 30_000_000, None), Ok(0));
    holds!(start.elapsed().as_millis() >= 30);
    same!(later(&all[50], || syscall::poll(&mut fds, FOREVER, None))?, 1);
    same!(u32::from(fds[50].revents), EPOLLIN);
    for counter in &all {
        signal(counter, 1)?;
    }
    same!(syscall::poll(&mut fds, FOREVER, None), Ok(100));
    Ok(())
}
