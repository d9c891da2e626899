//! Reading and writing the memory of a space that need not be the current one: /proc/PID/mem, and what listings show.

use super::PAGE_SIZE;
use super::space::Space;
use ochre_abi::layout::{USER_END, USER_START};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The part of `len` bytes at `addr` that lies in one page; `None` outside of user memory.
fn part(addr: usize, len: usize) -> Option<(usize, usize)> {
    let inside = (USER_START..USER_END).contains(&addr);
    inside.then(|| (addr % PAGE_SIZE, len.min(PAGE_SIZE - addr % PAGE_SIZE)))
}

impl Space {
    /// Copies what is in the page table at `addr`, up to the first page that is not there. Nothing is faulted in, so nothing waits.
    pub fn peek(&self, addr: usize, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len() {
            let Some(at) = addr.checked_add(done) else { break };
            let Some((offset, len)) = part(at, out.len() - done) else { break };
            let Some((frame, prot)) = self.pages().lookup(at - offset) else { break };
            if !prot.readable() {
                break;
            }
            frame.read(offset, &mut out[done..done + len]);
            done += len;
        }
        done
    }

    /// Copies from memory at `addr`, bringing pages in; how much, short at the first page that cannot be read. EFAULT if that is the
    /// first one. May wait for a pager.
    pub fn read_memory(&self, addr: usize, out: &mut [u8]) -> Result<usize> {
        each_page(addr, out.len(), &mut |at, offset, range| {
            self.pin(at).map(|frame| frame.read(offset, &mut out[range]))
        })
    }

    /// The same the other way; private pages are copied first.
    pub fn write_memory(&self, addr: usize, data: &[u8]) -> Result<usize> {
        each_page(addr, data.len(), &mut |at, offset, range| {
            self.write_pinned(at, |frame| {
                frame.write(offset, &data[range.clone()]);
                Ok(())
            })
        })
    }
}

/// Calls `each` for the part in every page (address, offset in the page, range of the buffer) up to the first that fails; how much that is.
fn each_page(
    addr: usize,
    total: usize,
    each: &mut dyn FnMut(usize, usize, core::ops::Range<usize>) -> Result<()>,
) -> Result<usize> {
    let mut done = 0;
    while done < total {
        let place = addr.checked_add(done).and_then(|at| Some((at, part(at, total - done)?)));
        let copied = match place {
            Some((at, (offset, len))) => each(at, offset, done..done + len).map(|()| len),
            None => Err(Errno::EFAULT),
        };
        match copied {
            Ok(len) => {
                done += len;
                hal::cpu::poll_interrupts();
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}
