//! Event queues that watch event queues: neither cycles nor long chains.
//!
//! A notification goes up from queue to queue on the kernel stack, and a look at readiness goes down, so both must end soon.

use super::event::Core;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Queues in a chain, the innermost included (Linux: EP_MAX_NESTS + 1).
const DEPTH_MAX: usize = 5;
/// Queues that one check may come by; beyond that a web of queues is refused as too deep.
const VISITS_MAX: usize = 256;

/// Which queues a queue watches, and which watch it; each as often as there are entries.
pub(super) struct Links {
    below: Vec<Weak<Core>>,
    above: Vec<Weak<Core>>,
}

impl Links {
    pub(super) const fn new() -> Links {
        Links { below: Vec::new(), above: Vec::new() }
    }
}

/// One change of the graph at a time.
static GRAPH: SpinLock<()> = SpinLock::new(());

/// Notes that `outer` is to watch `inner`; ELOOP if that closes a cycle or makes a chain too long.
pub(super) fn link(outer: &Arc<Core>, inner: &Arc<Core>) -> Result<()> {
    let _guard = GRAPH.lock();
    let mut visits = 0;
    let down = height(inner, Some(outer), 1, &mut visits, |links| &links.below)?;
    let up = height(outer, None, 1, &mut visits, |links| &links.above)?;
    if down + up > DEPTH_MAX {
        return Err(Errno::ELOOP);
    }
    outer.links.lock().below.push(Arc::downgrade(inner));
    inner.links.lock().above.push(Arc::downgrade(outer));
    Ok(())
}

/// `outer` watches `inner` once less.
pub(super) fn unlink(outer: &Arc<Core>, inner: &Arc<Core>) {
    let _guard = GRAPH.lock();
    remove_one(&mut outer.links.lock().below, inner);
    remove_one(&mut inner.links.lock().above, outer);
}

/// The queue is closed.
pub(super) fn forget(core: &Arc<Core>) {
    let _guard = GRAPH.lock();
    let links = core::mem::replace(&mut *core.links.lock(), Links::new());
    for below in links.below.iter().filter_map(Weak::upgrade) {
        remove_one(&mut below.links.lock().above, core);
    }
    for above in links.above.iter().filter_map(Weak::upgrade) {
        remove_one(&mut above.links.lock().below, core);
    }
}

fn remove_one(list: &mut Vec<Weak<Core>>, core: &Arc<Core>) {
    if let Some(index) = list.iter().position(|other| core::ptr::eq(other.as_ptr(), Arc::as_ptr(core))) {
        list.swap_remove(index);
    }
}

/// Queues in the longest chain from `core` on; ELOOP if `forbidden` is among them or there is too much to look at.
fn height(
    core: &Arc<Core>,
    forbidden: Option<&Arc<Core>>,
    depth: usize,
    visits: &mut usize,
    side: fn(&Links) -> &Vec<Weak<Core>>,
) -> Result<usize> {
    *visits += 1;
    if depth > DEPTH_MAX || *visits > VISITS_MAX || forbidden.is_some_and(|f| Arc::ptr_eq(f, core)) {
        return Err(Errno::ELOOP);
    }
    let next: Vec<_> = side(&core.links.lock()).iter().filter_map(Weak::upgrade).collect();
    let mut tallest = 0;
    for core in &next {
        tallest = tallest.max(height(core, forbidden, depth + 1, visits, side)?);
    }
    Ok(tallest + 1)
}
