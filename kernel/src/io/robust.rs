//! Robust mutexes: what happens to those that a dying thread holds (get_robust_list(2), Linux's robust-futex-ABI).

use super::futex::wake_address;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use ochre_abi::event::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// Entries that are looked at (Linux: ROBUST_LIST_LIMIT).
const LIMIT: usize = 2048;
/// In a list pointer: the entry is a priority-inheriting mutex.
const PI: u64 = 1;

/// Marks the thread's robust mutexes as orphaned and wakes a waiter of each. The list is the user's: a fault ends the walk.
pub fn exit_robust_list(me: &Arc<Thread>) {
    let head = me.robust_list.load(Relaxed);
    if head == 0 {
        return;
    }
    // struct robust_list_head: first entry, offset from an entry to its futex word, entry being locked or unlocked right now.
    let Ok([first, offset, pending]) = user::read::<[u64; 3]>(head) else { return };
    let mut entry = first;
    for _ in 0..LIMIT {
        if entry & !PI == head {
            break;
        }
        // Read before the word is released: its new owner may reuse the memory.
        let next = user::read::<u64>(entry & !PI);
        if entry & !PI != pending & !PI
            && orphan(me, (entry & !PI).wrapping_add(offset), entry & PI != 0, false).is_none()
        {
            return;
        }
        match next {
            Ok(next) => entry = next,
            Err(_) => return,
        }
    }
    if pending & !PI != 0 {
        let _ = orphan(me, (pending & !PI).wrapping_add(offset), pending & PI != 0, true);
    }
}

/// `None`: the word cannot be reached.
fn orphan(me: &Arc<Thread>, addr: u64, pi: bool, pending: bool) -> Option<()> {
    if addr % 4 != 0 {
        return None;
    }
    let mut word = user::load_u32(addr).ok()?;
    loop {
        if pending && !pi && word == 0 {
            // It died between unlocking and waking.
            wake_address(me, addr);
            return Some(());
        }
        if word & FUTEX_TID_MASK != me.tid {
            return Some(());
        }
        match user::compare_exchange_u32(addr, word, word & FUTEX_WAITERS | FUTEX_OWNER_DIED).ok()? {
            Ok(_) => break,
            Err(now) => word = now,
        }
    }
    if !pi && word & FUTEX_WAITERS != 0 {
        wake_address(me, addr);
    }
    Some(())
}
