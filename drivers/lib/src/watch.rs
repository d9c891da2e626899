//! Who watches which files: inotify(7) from a file server's side.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ochre_abi::event::*;
use ochre_abi::{Errno, Result};
use ochre_rt::{OwnedFd, syscall};

/// What a server has of an inotify queue, as a trait, so that tests can play the kernel.
pub trait Queue {
    /// A new watch's number.
    fn watch(&self) -> Result<i32>;
    /// An event; ENOENT once the watch was ended, ESRCH once the queue is closed.
    fn push(&self, watch: i32, mask: u32, cookie: u32, name: &[u8]) -> Result<()>;
}

/// The kernel's.
#[derive(Debug)]
pub struct Source(pub OwnedFd);

impl Queue for Source {
    fn watch(&self) -> Result<i32> {
        syscall::inotify_watch(self.0.get())
    }

    fn push(&self, watch: i32, mask: u32, cookie: u32, name: &[u8]) -> Result<()> {
        syscall::inotify_push(self.0.get(), watch, mask, cookie, name)
    }
}

#[derive(Debug)]
struct Watch {
    queue: u64,
    number: i32,
    mask: u32,
}

/// The watches of a server's files; `K` names a file.
#[derive(Debug)]
pub struct Watches<K, Q> {
    /// By number, with how many watches each has.
    queues: BTreeMap<u64, (Q, usize)>,
    files: BTreeMap<K, Vec<Watch>>,
}

impl<K: Ord + Copy, Q: Queue> Default for Watches<K, Q> {
    fn default() -> Self {
        Self { queues: BTreeMap::new(), files: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, Q: Queue> Watches<K, Q> {
    /// Nobody watches: the common case.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether somebody watches this file.
    pub fn has(&self, file: K) -> bool {
        self.files.contains_key(&file)
    }

    /// The files that are watched.
    pub fn files(&self) -> impl Iterator<Item = K> {
        self.files.keys().copied()
    }

    /// inotify_add_watch(2): the watch's number. EINVAL, EEXIST (IN_MASK_CREATE), ENOSPC.
    pub fn add(&mut self, file: K, number: u64, queue: Q, mask: u32) -> Result<i32> {
        if mask & IN_ALL_EVENTS == 0 || mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EINVAL);
        }
        let kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
        let watches = self.files.entry(file).or_default();
        if let Some(index) = watches.iter().position(|watch| watch.queue == number) {
            let Some(old) = watches.get_mut(index) else { return Err(Errno::EINVAL) };
            // Its owner may have ended it.
            if queue.push(old.number, 0, 0, &[]).is_ok() {
                if mask & IN_MASK_CREATE != 0 {
                    return Err(Errno::EEXIST);
                }
                old.mask = if mask & IN_MASK_ADD != 0 { old.mask | kept } else { kept };
                return Ok(old.number);
            }
            watches.remove(index);
            release(&mut self.queues, number);
        }
        let made = queue.watch();
        match made {
            Ok(watch) => {
                watches.push(Watch { queue: number, number: watch, mask: kept });
                self.queues.entry(number).or_insert((queue, 0)).1 += 1;
            }
            Err(_) if watches.is_empty() => drop(self.files.remove(&file)),
            Err(_) => {}
        }
        made
    }

    /// Something happened to a file, or (with a name) in a directory. `mask` may have IN_ISDIR.
    pub fn notify(&mut self, file: K, mask: u32, cookie: u32, name: &[u8]) {
        let Some(watches) = self.files.get_mut(&file) else { return };
        let queues = &mut self.queues;
        // inotify(7) tells of no directory here.
        let told = if mask & (IN_DELETE_SELF | IN_MOVE_SELF) != 0 { mask & !IN_ISDIR } else { mask };
        watches.retain(|watch| {
            if watch.mask & mask & IN_ALL_EVENTS == 0 {
                return true;
            }
            let once = watch.mask & IN_ONESHOT != 0;
            let stays = queues.get(&watch.queue).is_some_and(|(queue, _)| {
                let pushed = queue.push(watch.number, told, cookie, name);
                // ENOMEM and the like lose the event, and not the watch.
                let gone = matches!(pushed, Err(Errno::ENOENT | Errno::ESRCH));
                if once && !gone {
                    // If it fails, there is nobody left to know.
                    let _ = queue.push(watch.number, IN_IGNORED, 0, &[]);
                }
                !gone && !once
            });
            if !stays {
                release(queues, watch.queue);
            }
            stays
        });
        if watches.is_empty() {
            self.files.remove(&file);
        }
    }

    /// The file is no more: its watches end.
    pub fn end(&mut self, file: K) {
        for watch in self.files.remove(&file).unwrap_or_default() {
            if let Some((queue, _)) = self.queues.get(&watch.queue) {
                // If it fails, there is nobody left to know.
                let _ = queue.push(watch.number, IN_IGNORED, 0, &[]);
            }
            release(&mut self.queues, watch.queue);
        }
    }
}

/// A queue has one watch less here.
fn release<Q>(queues: &mut BTreeMap<u64, (Q, usize)>, number: u64) {
    if let Some((_, count)) = queues.get_mut(&number) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            queues.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Played(Rc<RefCell<(Vec<i32>, Vec<(i32, u32)>)>>);

    impl Queue for Played {
        fn watch(&self) -> Result<i32> {
            let (watches, _) = &mut *self.0.borrow_mut();
            let next = watches.last().map_or(1, |last| last + 1);
            watches.push(next);
            Ok(next)
        }

        fn push(&self, watch: i32, mask: u32, _: u32, _: &[u8]) -> Result<()> {
            let (watches, events) = &mut *self.0.borrow_mut();
            if !watches.contains(&watch) {
                return Err(Errno::ENOENT);
            }
            if mask & IN_IGNORED != 0 {
                watches.retain(|other| *other != watch);
            }
            if mask != 0 {
                events.push((watch, mask));
            }
            Ok(())
        }
    }

    #[test]
    fn masks() {
        let (queue, mut watches) = (Played::default(), Watches::default());
        assert_eq!(watches.add(1, 7, queue.clone(), 0), Err(Errno::EINVAL));
        assert_eq!(watches.add(1, 7, queue.clone(), IN_OPEN), Ok(1));
        assert_eq!(watches.add(1, 7, queue.clone(), IN_MODIFY | IN_MASK_ADD), Ok(1));
        assert_eq!(watches.add(1, 7, queue.clone(), IN_MODIFY | IN_MASK_CREATE), Err(Errno::EEXIST));
        for mask in [IN_OPEN, IN_MODIFY | IN_ISDIR, IN_ATTRIB] {
            watches.notify(1, mask, 0, b"");
        }
        assert_eq!(queue.0.take().1, [(1, IN_OPEN), (1, IN_MODIFY | IN_ISDIR)]);
    }

    #[test]
    fn ends() {
        let (queue, mut watches) = (Played::default(), Watches::default());
        assert_eq!(watches.add(1, 7, queue.clone(), IN_OPEN | IN_ONESHOT), Ok(1));
        watches.notify(1, IN_OPEN, 0, b"");
        watches.notify(1, IN_OPEN, 0, b"");
        assert!(watches.is_empty() && watches.queues.is_empty());
        assert_eq!(watches.add(2, 7, queue.clone(), IN_DELETE_SELF), Ok(1));
        watches.notify(2, IN_DELETE_SELF | IN_ISDIR, 0, b"");
        watches.end(2);
        assert_eq!(queue.0.take().1, [(1, IN_OPEN), (1, IN_IGNORED), (1, IN_DELETE_SELF), (1, IN_IGNORED)]);
        // One that its owner ended goes with the next event.
        assert_eq!(watches.add(3, 7, queue.clone(), IN_OPEN), Ok(1));
        queue.0.borrow_mut().0.clear();
        watches.notify(3, IN_OPEN, 0, b"");
        assert!(watches.is_empty());
    }
}
