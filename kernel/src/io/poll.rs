//! poll(2): a look at many files' readiness, and the wait for one of them.

use super::event::{EventQueue, bits_now};
use super::{deadline_after, need_room, with_synonyms};
use crate::file::File;
use crate::process::Process;
use crate::readiness::{Readiness, WatchId, Watcher};
use crate::sched::{self, Wake};
use crate::signal;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use ochre_abi::event::*;
use ochre_abi::file::O_PATH;
use ochre_abi::process::RLIMIT_NOFILE;
use ochre_abi::{Errno, Result};
use zerocopy::IntoBytes;

/// What a file is that has no readiness: always ready.
const ALWAYS: u32 = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;

/// The polling thread, as files know it.
struct Poller(Arc<Thread>);

impl Watcher for Poller {
    fn notify(&self, _bits: u32) {
        sched::unpark(&self.0);
    }
}

/// Errors are told without being asked for.
fn asked(entry: &PollFd) -> u32 {
    u32::from(entry.events) | EPOLLERR | EPOLLHUP | EPOLLNVAL
}

fn bits_of(file: &File) -> u32 {
    if file.flags() & O_PATH != 0 {
        return EPOLLNVAL;
    }
    match file.object.readiness().map(Readiness::get) {
        // What is quiet is most of what is polled.
        Some(0) => 0,
        Some(bits) => with_synonyms(bits),
        None => ALWAYS,
    }
}

/// Fills in `revents`; how many are not 0.
fn scan(process: &Process, fds: &mut [PollFd]) -> usize {
    let mut count = 0;
    // Event queues that may be ready look at their own files, which must not happen under the lock of the handle table.
    let mut queues: Vec<usize> = Vec::new();
    process.with_handles(|table| {
        for (index, entry) in fds.iter_mut().enumerate() {
            entry.revents = 0;
            if entry.fd < 0 {
                continue;
            }
            let handle = table.get(entry.fd);
            let bits = match handle.map_or(EPOLLNVAL, |handle| bits_of(&handle.file)) {
                0 => continue,
                bits => bits & asked(entry),
            };
            if bits == 0 {
                continue;
            }
            if handle.is_some_and(|handle| handle.file.object::<EventQueue>().is_some()) {
                queues.push(index);
                continue;
            }
            entry.revents = bits as u16;
            count += 1;
        }
    });
    for index in queues {
        let entry = &mut fds[index];
        let bits = process.file(entry.fd).map_or(EPOLLNVAL, |file| bits_now(&file)) & asked(entry);
        entry.revents = bits as u16;
        count += usize::from(bits != 0);
    }
    count
}

/// Subscriptions to each distinct file among the descriptors; dropping ends them.
struct Watches(Vec<(Arc<File>, WatchId)>);

impl Watches {
    fn new(process: &Process, fds: &[PollFd], poller: &Arc<Poller>) -> Result<Watches> {
        need_room(size_of_val(fds) * 3)?;
        let mut files: Vec<Arc<File>> = fds.iter().filter_map(|entry| process.file(entry.fd).ok()).collect();
        files.sort_unstable_by_key(|file| Arc::as_ptr(file).addr());
        files.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let weak: Weak<Poller> = Arc::downgrade(poller);
        let watch = |file: Arc<File>| {
            let id = file.object.readiness()?.watch(weak.clone());
            Some((file, id))
        };
        Ok(Watches(files.into_iter().filter_map(watch).collect()))
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for (file, id) in &self.0 {
            if let Some(readiness) = file.object.readiness() {
                readiness.unwatch(*id);
            }
        }
    }
}

/// Waits until one of the descriptors has something to tell; 0 after the deadline.
fn wait(me: &Arc<Thread>, fds: &mut [PollFd], timeout: u64) -> Result<usize> {
    let count = scan(&me.process, fds);
    if count > 0 || timeout == 0 {
        return Ok(count);
    }
    let deadline = deadline_after(timeout);
    let poller = Arc::new(Poller(me.clone()));
    let _watches = Watches::new(&me.process, fds, &poller)?;
    loop {
        let count = scan(&me.process, fds);
        if count > 0 {
            return Ok(count);
        }
        match sched::park(me, deadline, true) {
            Wake::Unparked => {}
            Wake::TimedOut => return Ok(scan(&me.process, fds)),
            Wake::Interrupted | Wake::Killed => {
                return match scan(&me.process, fds) {
                    0 => Err(Errno::EINTR),
                    count => Ok(count),
                };
            }
        }
    }
}

/// Descriptors that need no allocation.
const INLINE: usize = 16;

fn poll_at(me: &Arc<Thread>, addr: u64, count: u64, timeout: u64) -> Result<usize> {
    if count > me.process.limit(RLIMIT_NOFILE as usize).min(1 << 20) {
        return Err(Errno::EINVAL);
    }
    let count = count as usize;
    let memory = UserSlice::new(addr, (count * size_of::<PollFd>()) as u64)?;
    let mut inline = [PollFd::default(); INLINE];
    let mut many: Vec<PollFd> = Vec::new();
    let fds = match inline.get_mut(..count) {
        Some(fds) => fds,
        None => {
            need_room(memory.len)?;
            many.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
            many.resize(count, PollFd::default());
            &mut many[..]
        }
    };
    memory.copy_in(0, fds.as_mut_bytes())?;
    let ready = wait(me, fds, timeout)?;
    if memory.len > 0 {
        memory.copy_out(0, fds.as_bytes())?;
    }
    drop(many);
    Ok(ready)
}

/// POLL.
pub fn poll(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, count, timeout, mask, ..] = *a;
    if mask == 0 {
        return poll_at(me, addr, count, timeout);
    }
    signal::with_mask(user::read(mask)?, || poll_at(me, addr, count, timeout))
}
