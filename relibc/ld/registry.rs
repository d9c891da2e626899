//! The list of loaded objects.
//!
//! Loading and unloading happen under [`LOADER`], a lock that its holder may take again, because
//! constructors call `dlopen`. The unwinder asks for objects by address from any thread, also while
//! another loads: it reads a sorted table that is replaced as a whole and never freed while in use.

use super::object::ObjectRef;
use crate::lock::RawLock;
use crate::thread;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The loader's state, reached through [`lock`].
pub struct Registry {
    /// All objects in load order; the program is first, this library second.
    pub objects: Vec<ObjectRef>,
    /// Objects whose symbols everyone sees, in order.
    pub global: Vec<ObjectRef>,
    /// LD_LIBRARY_PATH, unless the program runs with raised privileges.
    pub library_path: Option<Vec<u8>>,
    /// Definitions of STB_GNU_UNIQUE symbols that references were bound to.
    pub unique: Vec<(&'static [u8], super::symbols::Found)>,
    /// Objects loaded ever, and unloaded ever (`dl_iterate_phdr` reports both).
    pub adds: u64,
    /// See `adds`.
    pub subs: u64,
}

struct Loader {
    lock: RawLock,
    owner: AtomicUsize,
    depth: UnsafeCell<usize>,
    registry: UnsafeCell<Registry>,
}

// SAFETY: the cells are only touched by the thread that holds the lock.
unsafe impl Sync for Loader {}

static LOADER: Loader = Loader {
    lock: RawLock::new(),
    owner: AtomicUsize::new(0),
    depth: UnsafeCell::new(0),
    registry: UnsafeCell::new(Registry {
        objects: Vec::new(),
        global: Vec::new(),
        library_path: None,
        unique: Vec::new(),
        adds: 0,
        subs: 0,
    }),
};

/// Holds the loader's lock.
pub struct Held(());

/// Takes the loader's lock; its holder may take it again.
pub fn lock() -> Held {
    let me = thread::current().addr();
    if LOADER.owner.load(Ordering::Relaxed) != me {
        LOADER.lock.lock();
        LOADER.owner.store(me, Ordering::Relaxed);
    }
    // SAFETY: this thread holds the lock.
    unsafe { *LOADER.depth.get() += 1 };
    Held(())
}

impl Held {
    /// The registry, for a moment: no call that takes the lock again may happen meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(&mut Registry) -> R) -> R {
        // SAFETY: this thread holds the lock, and by the rule above no second borrow exists.
        f(unsafe { &mut *LOADER.registry.get() })
    }

    /// A copy of the list of objects.
    pub fn objects(&self) -> Vec<ObjectRef> {
        self.with(|registry| registry.objects.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock.
        unsafe {
            *LOADER.depth.get() -= 1;
            if *LOADER.depth.get() == 0 {
                LOADER.owner.store(0, Ordering::Relaxed);
                LOADER.lock.unlock();
            }
        }
    }
}

/// Hands the lock from one control block of the calling thread to another.
pub fn change_owner(from: *mut thread::Thread, to: *mut thread::Thread) {
    if LOADER.owner.load(Ordering::Relaxed) == from.addr() {
        LOADER.owner.store(to.addr(), Ordering::Relaxed);
    }
}

/// Before a fork: nobody else is inside.
pub fn fork_prepare() {
    core::mem::forget(lock());
}

/// After a fork, in parent and child: undoes [`fork_prepare`]. The forking thread keeps its control
/// block's address in the child, so that it owns the lock there as well.
pub fn fork_done() {
    drop(Held(()));
}

/// An object's address range, for finding it by address without the lock.
#[derive(Clone, Copy)]
pub struct Range {
    /// First address.
    pub start: usize,
    /// First address behind it.
    pub end: usize,
    /// The object.
    pub object: ObjectRef,
}

static RANGES: AtomicPtr<Vec<Range>> = AtomicPtr::new(core::ptr::null_mut());

/// The global scope, for those who hold no lock.
static GLOBAL: AtomicPtr<Vec<ObjectRef>> = AtomicPtr::new(core::ptr::null_mut());
/// Threads that look for a symbol without the lock.
static READERS: AtomicUsize = AtomicUsize::new(0);

/// Looks for symbols without the lock; while it lives no object is unmapped. No foreign code runs meanwhile.
pub struct Reader(());

/// Announces a reader.
pub fn read() -> Reader {
    READERS.fetch_add(1, Ordering::SeqCst);
    Reader(())
}

impl Reader {
    /// The global scope.
    pub fn global(&self) -> &[ObjectRef] {
        let list = GLOBAL.load(Ordering::SeqCst);
        // SAFETY: published lists are never freed.
        if list.is_null() { &[] } else { unsafe { &*list } }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // In a child of fork the count has begun anew, which may have been inside a reader that a signal interrupted.
        let _ = READERS.try_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
    }
}

/// Waits until nobody reads lists that were published before.
pub fn wait_for_readers() {
    while READERS.load(Ordering::SeqCst) != 0 {
        // SAFETY: takes nothing.
        unsafe { crate::sys::sched_yield() };
    }
}

/// In a child of fork: threads that were reading do not exist there.
pub fn forget_readers() {
    READERS.store(0, Ordering::SeqCst);
}

/// Rebuilds the table of ranges and the global scope for readers. The old ones are left to those that may still look at them: a
/// few words for each `dlopen`.
pub fn publish(held: &Held) {
    let mut ranges: Vec<Range> = held.with(|registry| {
        registry
            .objects
            .iter()
            .map(|&object| Range { start: object.map_start, end: object.map_start + object.map_len, object })
            .collect()
    });
    ranges.sort_unstable_by_key(|range| range.start);
    held.with(|registry| {
        let mut previous: Option<ObjectRef> = None;
        for object in &registry.objects {
            object.link.next.set(core::ptr::null());
            object.link.previous.set(previous.map_or(core::ptr::null(), |previous| &raw const (*previous).link));
            if let Some(previous) = previous {
                previous.link.next.set(&raw const object.link);
            }
            previous = Some(*object);
        }
    });
    let global = held.with(|registry| registry.global.clone());
    GLOBAL.store(Box::into_raw(Box::new(global)), Ordering::Release);
    RANGES.store(Box::into_raw(Box::new(ranges)), Ordering::Release);
}

/// The object that `address` lies in.
pub fn find(address: usize) -> Option<ObjectRef> {
    let table = RANGES.load(Ordering::Acquire);
    if table.is_null() {
        return None;
    }
    // SAFETY: published tables are never freed.
    let table = unsafe { &*table };
    let index = table.partition_point(|range| range.start <= address).checked_sub(1)?;
    let range = &table[index];
    (address < range.end).then_some(range.object)
}
