//! User pagers: a port supplies an object's pages, gets the dirty ones, and may fail or die.

use crate::sys::mapping::Mapping;
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::call::{Completion, OP_PAGE_IN};
use ochre_rt::region::Region;
use ochre_rt::{Errno, OwnedFd, syscall};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("pager.page-in", page_in),
    ("pager.clean", clean),
    ("pager.evict", evict),
    ("pager.private", private),
    ("pager.error", error),
    ("pager.append", append),
    ("pager.dies", dies),
];

const PAGES: usize = 65;
const SIZE: usize = 64 * PAGE + 100;
const COOKIE: u64 = 0x77;
const ALL: u64 = u64::MAX;

/// A paged object: each byte of page n is n + 1.
struct Paged {
    object: Arc<OwnedFd>,
    fail: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<ochre_rt::Result<()>>>,
}

impl Paged {
    fn new() -> Result<Self> {
        let port = OwnedFd::new(syscall::port_create(0)?);
        let region = Region::map(port.get())?;
        let object = Arc::new(OwnedFd::new(syscall::object_create(SIZE as u64, 0)?));
        syscall::object_pager(object.get(), port.get(), COOKIE)?;
        let (fail, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (shared, failing, stopped) = (object.clone(), fail.clone(), stop.clone());
        let server = std::thread::spawn(move || serve(port, region, &shared, &failing, &stopped));
        Ok(Self { object, fail, stop, server: Some(server) })
    }

    fn fd(&self) -> i32 {
        self.object.get()
    }

    fn clean(&self) -> Result<Vec<u64>> {
        let mut offsets = [0; 80];
        let count = syscall::object_clean(self.fd(), 0, ALL, &mut offsets)?;
        Ok(offsets[..count].to_vec())
    }

    /// Ends the pager; its port is closed afterwards.
    fn end(&mut self) -> Result {
        self.stop.store(true, SeqCst);
        if let Some(server) = self.server.take() {
            server.join().map_err(|_| "the pager panicked")??;
        }
        Ok(())
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

/// The pager: supplies pages until it is stopped.
fn serve(
    port: OwnedFd,
    region: Arc<Region>,
    object: &OwnedFd,
    fail: &AtomicBool,
    stop: &AtomicBool,
) -> ochre_rt::Result<()> {
    let mut seen = 0u32;
    let mut answers = 0;
    while !stop.load(SeqCst) {
        syscall::reply_receive(port.get(), answers, 0, 10_000_000)?;
        answers = 0;
        while seen != region.submitted() {
            let slot = region.take(region.announced(seen)).ok_or(Errno::EIO)?;
            seen = seen.wrapping_add(1);
            let request = slot.entry();
            if request.op == OP_PAGE_IN {
                let [cookie, offset, len] = request.args;
                let status = if cookie != COOKIE || fail.load(SeqCst) { Errno::EIO.0 } else { 0 };
                for at in (offset..offset + len).step_by(PAGE) {
                    let page = [(at / PAGE as u64 + 1) as u8; PAGE];
                    syscall::object_supply(object.get(), at, &page, status)?;
                }
            }
            region.set_completion(answers, Completion { tag: request.tag, result: 0 });
            answers += 1;
        }
    }
    Ok(())
}

fn page_in() -> Result {
    let mut paged = Paged::new()?;
    let view = Mapping::shared(paged.fd(), PAGES * PAGE)?;
    for page in 0..64 {
        same!(view.get(page * PAGE + 5), page as u8 + 1);
    }
    // The last page ends with the object, whatever the pager put behind.
    same!((view.get(64 * PAGE + 99), view.get(64 * PAGE + 100)), (65, 0));
    paged.end()
}

fn clean() -> Result {
    let mut paged = Paged::new()?;
    let view = Mapping::shared(paged.fd(), PAGES * PAGE)?;
    same!(view.get(3 * PAGE), 4);
    same!(paged.clean()?, Vec::<u64>::new());
    view.set(3 * PAGE, 7);
    view.set(10 * PAGE, 8);
    same!(syscall::pwrite(paged.fd(), b"abc", 20 * PAGE as u64), Ok(3));
    same!(paged.clean()?, [3, 10, 20].map(|page| page * PAGE as u64));
    same!(paged.clean()?, Vec::<u64>::new());
    view.set(3 * PAGE, 9);
    same!(paged.clean()?, [3 * PAGE as u64]);
    paged.end()
}

fn evict() -> Result {
    let mut paged = Paged::new()?;
    let view = Mapping::shared(paged.fd(), PAGES * PAGE)?;
    for page in 0..PAGES {
        view.get(page * PAGE);
    }
    view.set(3 * PAGE, 7);
    paged.clean()?;
    view.set(5 * PAGE, 50);
    // All go but the dirty one; what was cleaned comes back as the pager has it.
    same!(syscall::object_evict(paged.fd(), 0, ALL), Ok(PAGES - 1));
    same!((view.get(5 * PAGE), view.get(3 * PAGE), view.get(20 * PAGE)), (50, 4, 21));
    paged.end()
}

fn private() -> Result {
    let mut paged = Paged::new()?;
    let view = Mapping::private(paged.fd(), PAGES * PAGE)?;
    view.set(7 * PAGE, 200);
    same!(view.get(8 * PAGE), 9);
    holds!(syscall::object_evict(paged.fd(), 0, ALL)? > 0);
    same!((view.get(7 * PAGE), view.get(8 * PAGE)), (200, 9));
    paged.end()
}

fn error() -> Result {
    let mut paged = Paged::new()?;
    let mut buffer = [0; 8];
    paged.fail.store(true, SeqCst);
    same!(syscall::pread(paged.fd(), &mut buffer, 30 * PAGE as u64), Err(Errno::EIO));
    paged.fail.store(false, SeqCst);
    same!(syscall::pread(paged.fd(), &mut buffer, 30 * PAGE as u64), Ok(8));
    same!(buffer, [31; 8]);
    paged.end()
}

/// Beyond the end nothing is asked of the pager for a page that is written as a whole.
fn append() -> Result {
    let mut paged = Paged::new()?;
    same!(syscall::pwrite(paged.fd(), &[9; PAGE], 70 * PAGE as u64), Ok(PAGE));
    let mut buffer = [0; 8];
    same!(syscall::pread(paged.fd(), &mut buffer, 71 * PAGE as u64 - 8), Ok(8));
    same!(buffer, [9; 8]);
    paged.end()
}

fn dies() -> Result {
    let mut paged = Paged::new()?;
    let mut buffer = [0; 8];
    same!(syscall::pread(paged.fd(), &mut buffer, 40 * PAGE as u64), Ok(8));
    syscall::object_evict(paged.fd(), 0, ALL)?;
    paged.end()?;
    same!(syscall::pread(paged.fd(), &mut buffer, 60 * PAGE as u64), Err(Errno::EIO));
    Ok(())
}
