//! `search.h`: trees, linear searches, hash tables, queues. tsearch(3), lsearch(3), hsearch(3), insque(3).
//!
//! A program gets a tree's node as a pointer to the key's address, which is the node's first field. Trees are balanced as AA trees
//! (Andersson 1993); glibc's are red-black, so levels that `twalk` tells may differ.

use crate::errno;
use crate::heap::{c_free, c_malloc};
use crate::lock::Lock;
use crate::string;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::size_t;

type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

/// A node of a tree.
#[repr(C)]
pub struct Node {
    key: *const c_void,
    left: *mut Node,
    right: *mut Node,
    level: usize,
}

unsafe fn level(node: *mut Node) -> usize {
    if node.is_null() { 0 } else { (*node).level }
}

/// Turns a left child of the same level into a right one.
unsafe fn skew(node: *mut Node) -> *mut Node {
    let left = (*node).left;
    if left.is_null() || (*left).level != (*node).level {
        return node;
    }
    (*node).left = (*left).right;
    (*left).right = node;
    left
}

/// Splits three nodes of the same level.
unsafe fn split(node: *mut Node) -> *mut Node {
    let right = (*node).right;
    if right.is_null() || level((*right).right) != (*node).level {
        return node;
    }
    (*node).right = (*right).left;
    (*right).left = node;
    (*right).level += 1;
    right
}

/// Inserts; the new root, and the node of the key.
unsafe fn insert(node: *mut Node, key: *const c_void, compare: Compare) -> (*mut Node, *mut Node) {
    if node.is_null() {
        let new = c_malloc(size_of::<Node>()).cast::<Node>();
        if !new.is_null() {
            new.write(Node { key, left: ptr::null_mut(), right: ptr::null_mut(), level: 1 });
        }
        return (new, new);
    }
    let order = compare(key, (*node).key);
    let found;
    if order == 0 {
        return (node, node);
    } else if order < 0 {
        ((*node).left, found) = insert((*node).left, key, compare);
    } else {
        ((*node).right, found) = insert((*node).right, key, compare);
    }
    (split(skew(node)), found)
}

/// Restores levels after a node below was taken.
unsafe fn settle(mut node: *mut Node) -> *mut Node {
    let wanted = level((*node).left).min(level((*node).right)) + 1;
    if wanted < (*node).level {
        (*node).level = wanted;
        if level((*node).right) > wanted {
            (*(*node).right).level = wanted;
        }
    }
    node = skew(node);
    if !(*node).right.is_null() {
        (*node).right = skew((*node).right);
        let far = (*(*node).right).right;
        if !far.is_null() {
            (*(*node).right).right = skew(far);
        }
    }
    node = split(node);
    if !(*node).right.is_null() {
        (*node).right = split((*node).right);
    }
    node
}

/// Takes the least node out of a tree; the new root, and that node.
unsafe fn take_least(node: *mut Node) -> (*mut Node, *mut Node) {
    if (*node).left.is_null() {
        return ((*node).right, node);
    }
    let least;
    ((*node).left, least) = take_least((*node).left);
    (settle(node), least)
}

/// Takes the node of a key out; the new root, and that node.
unsafe fn take(node: *mut Node, key: *const c_void, compare: Compare) -> (*mut Node, *mut Node) {
    if node.is_null() {
        return (node, node);
    }
    let order = compare(key, (*node).key);
    let found;
    if order < 0 {
        ((*node).left, found) = take((*node).left, key, compare);
    } else if order > 0 {
        ((*node).right, found) = take((*node).right, key, compare);
    } else if (*node).right.is_null() {
        return ((*node).left, node);
    } else {
        let (right, next) = take_least((*node).right);
        (*next).left = (*node).left;
        (*next).right = right;
        (*next).level = (*node).level;
        return (settle(next), node);
    }
    if found.is_null() { (node, found) } else { (settle(node), found) }
}

/// The node of a key, and the one above it.
unsafe fn find(root: *mut Node, key: *const c_void, compare: Compare) -> (*mut Node, *mut Node) {
    let (mut node, mut above) = (root, ptr::null_mut());
    while !node.is_null() {
        let order = compare(key, (*node).key);
        if order == 0 {
            break;
        }
        above = node;
        node = if order < 0 { (*node).left } else { (*node).right };
    }
    (node, above)
}

type Action = unsafe extern "C" fn(*const c_void, c_int, c_int);
type ActionWith = unsafe extern "C" fn(*const c_void, c_int, *mut c_void);

/// `VISIT`.
const PREORDER: c_int = 0;
const POSTORDER: c_int = 1;
const ENDORDER: c_int = 2;
const LEAF: c_int = 3;

unsafe fn walk(node: *mut Node, depth: c_int, visit: &mut impl FnMut(*const c_void, c_int, c_int)) {
    if (*node).left.is_null() && (*node).right.is_null() {
        return visit(node.cast_const().cast(), LEAF, depth);
    }
    visit(node.cast_const().cast(), PREORDER, depth);
    if !(*node).left.is_null() {
        walk((*node).left, depth + 1, visit);
    }
    visit(node.cast_const().cast(), POSTORDER, depth);
    if !(*node).right.is_null() {
        walk((*node).right, depth + 1, visit);
    }
    visit(node.cast_const().cast(), ENDORDER, depth);
}

/// `ENTRY` of a hash table.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    key: *mut c_char,
    data: *mut c_void,
}

/// `struct hsearch_data`.
#[repr(C)]
pub struct Table {
    slots: *mut Vec<Entry>,
    size: u32,
    filled: u32,
}

const ENTER: c_int = 1;

fn hash(key: &[u8]) -> usize {
    key.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        as usize
}

/// Links of a queue's element.
#[repr(C)]
pub struct Element {
    next: *mut Element,
    previous: *mut Element,
}

static GLOBAL: Lock<Table> = Lock::new(Table { slots: ptr::null_mut(), size: 0, filled: 0 });

c_api! {
    /// tsearch(3).
    fn tsearch(key: *const c_void, root: *mut *mut Node, compare: Compare) -> *mut Node {
        if root.is_null() {
            return ptr::null_mut();
        }
        let found;
        (*root, found) = insert(*root, key, compare);
        found
    }

    /// tfind(3).
    fn tfind(key: *const c_void, root: *const *mut Node, compare: Compare) -> *mut Node {
        if root.is_null() { ptr::null_mut() } else { find(*root, key, compare).0 }
    }

    /// tdelete(3): the node above the one deleted; for the root some pointer that is not null.
    fn tdelete(key: *const c_void, root: *mut *mut Node, compare: Compare) -> *mut c_void {
        if root.is_null() {
            return ptr::null_mut();
        }
        let (found, above) = find(*root, key, compare);
        if found.is_null() {
            return ptr::null_mut();
        }
        let taken;
        (*root, taken) = take(*root, key, compare);
        c_free(taken.cast());
        if above.is_null() { root.cast() } else { above.cast() }
    }

    /// twalk(3).
    fn twalk(root: *const Node, action: Action) {
        if !root.is_null() {
            walk(root.cast_mut(), 0, &mut |node, order, depth| action(node, order, depth));
        }
    }

    /// twalk_r(3).
    fn twalk_r(root: *const Node, action: ActionWith, with: *mut c_void) {
        if !root.is_null() {
            walk(root.cast_mut(), 0, &mut |node, order, _| action(node, order, with));
        }
    }

    /// tdestroy(3).
    fn tdestroy(root: *mut Node, free: unsafe extern "C" fn(*mut c_void)) {
        if !root.is_null() {
            tdestroy((*root).left, free);
            tdestroy((*root).right, free);
            free((*root).key.cast_mut());
            c_free(root.cast());
        }
    }

    /// lfind(3).
    fn lfind(key: *const c_void, base: *const c_void, count: *mut size_t, size: size_t, compare: Compare) -> *mut c_void {
        let mut elements = (0..*count).map(|index| base.byte_add(index * size));
        elements.find(|&element| compare(key, element) == 0).unwrap_or(ptr::null()).cast_mut()
    }

    /// lsearch(3).
    fn lsearch(key: *const c_void, base: *mut c_void, count: *mut size_t, size: size_t, compare: Compare) -> *mut c_void {
        let found = lfind(key, base, count, size, compare);
        if !found.is_null() {
            return found;
        }
        let end = base.byte_add(*count * size);
        ptr::copy_nonoverlapping(key.cast::<u8>(), end.cast(), size);
        *count += 1;
        end
    }

    /// hcreate_r(3).
    fn hcreate_r(count: size_t, table: *mut Table) -> c_int {
        if table.is_null() {
            errno::set(libc::EINVAL);
            return 0;
        }
        if !(*table).slots.is_null() {
            return 0;
        }
        // A table that is never quite full ends every search.
        let size = count.max(3) + count / 4 + 1;
        let mut slots = Vec::new();
        if count > u32::MAX as usize / 2 || slots.try_reserve_exact(size).is_err() {
            errno::set(libc::ENOMEM);
            return 0;
        }
        slots.resize(size, Entry { key: ptr::null_mut(), data: ptr::null_mut() });
        (*table).slots = Box::into_raw(Box::new(slots));
        ((*table).size, (*table).filled) = (count.max(3) as u32, 0);
        1
    }

    /// hdestroy_r(3).
    fn hdestroy_r(table: *mut Table) {
        if table.is_null() {
            errno::set(libc::EINVAL);
        } else if !(*table).slots.is_null() {
            drop(Box::from_raw((*table).slots));
            (*table).slots = ptr::null_mut();
        }
    }

    /// hsearch_r(3).
    fn hsearch_r(entry: Entry, action: c_int, out: *mut *mut Entry, table: *mut Table) -> c_int {
        *out = ptr::null_mut();
        if (*table).slots.is_null() {
            errno::set(libc::ESRCH);
            return 0;
        }
        let slots = &mut *(*table).slots;
        let key = string::bytes(entry.key);
        let mut at = hash(key) % slots.len();
        while !slots[at].key.is_null() {
            if string::bytes(slots[at].key) == key {
                *out = &mut slots[at];
                return 1;
            }
            at = (at + 1) % slots.len();
        }
        if action != ENTER {
            errno::set(libc::ESRCH);
            return 0;
        }
        if (*table).filled == (*table).size {
            errno::set(libc::ENOMEM);
            return 0;
        }
        (*table).filled += 1;
        slots[at] = entry;
        *out = &mut slots[at];
        1
    }

    /// hcreate(3).
    fn hcreate(count: size_t) -> c_int { hcreate_r(count, &mut *GLOBAL.lock()) }

    /// hdestroy(3).
    fn hdestroy() { hdestroy_r(&mut *GLOBAL.lock()); }

    /// hsearch(3).
    fn hsearch(entry: Entry, action: c_int) -> *mut Entry {
        let mut found = ptr::null_mut();
        hsearch_r(entry, action, &mut found, &mut *GLOBAL.lock());
        found
    }

    /// insque(3).
    fn insque(element: *mut Element, before: *mut Element) {
        if before.is_null() {
            ((*element).next, (*element).previous) = (ptr::null_mut(), ptr::null_mut());
            return;
        }
        let next = (*before).next;
        (*before).next = element;
        if !next.is_null() {
            (*next).previous = element;
        }
        ((*element).next, (*element).previous) = (next, before);
    }

    /// remque(3).
    fn remque(element: *mut Element) {
        let (next, previous) = ((*element).next, (*element).previous);
        if !next.is_null() {
            (*next).previous = previous;
        }
        if !previous.is_null() {
            (*previous).next = next;
        }
    }
}
