//! Loading objects with their dependencies, and unloading them.

use super::elf::PAGE;
use super::error::{Error, Result};
use super::map;
use super::object::{Object, ObjectRef};
use super::registry::{self, Held};
use super::{init, relocate, search, tls, version};
use crate::sys;
use alloc::vec::Vec;
use core::ffi::c_void;

/// Finds an object that is already loaded under `name`.
pub fn find_loaded(held: &Held, name: &[u8]) -> Option<ObjectRef> {
    held.with(|registry| {
        if search::is_built_in(name) {
            return registry.objects.iter().find(|object| object.is_self).copied();
        }
        let known = |object: &&ObjectRef| {
            object.path_bytes() == name || object.names.borrow().iter().any(|known| known == name)
        };
        registry.objects.iter().find(known).copied()
    })
}

/// Maps `name`, unless it is loaded; its dependencies are not looked at.
fn load_one(held: &Held, name: &[u8], wanted_by: Option<ObjectRef>) -> Result<ObjectRef> {
    if let Some(object) = find_loaded(held, name) {
        return Ok(object);
    }
    let file = search::open(name, wanted_by, held)?;
    if let Some(object) = find_same(held, file.identity) {
        object.names.borrow_mut().push(name.to_vec());
        return Ok(object);
    }
    let object = map::map(file, false)?;
    if object.pie {
        let what = "cannot dynamically load position-independent executable";
        let error = Error::new(object.shown(), what, 0);
        // SAFETY: nobody knows the mapping.
        unsafe { sys::munmap(object.map_start as *mut c_void, object.map_len) };
        return Err(error);
    }
    let object = add(held, object, name);
    object.loader.set(wanted_by);
    Ok(object)
}

/// Loads a library of LD_PRELOAD.
///
/// # Errors
/// It is missing or damaged.
pub fn preload(held: &Held, name: &[u8]) -> Result<ObjectRef> {
    load_one(held, name, None)
}

/// Enters a mapped object into the registry.
pub fn add(held: &Held, mut object: Object, name: &[u8]) -> ObjectRef {
    object.names.get_mut().push(name.to_vec());
    if let Some(segment) = &mut object.tls {
        segment.module = tls::new_module(segment);
    }
    let object = ObjectRef::new(object);
    held.with(|registry| {
        registry.objects.push(object);
        registry.adds += 1;
    });
    object
}

/// Loads what the objects of `roots` need, breadth first. Returns all of them, roots first, in
/// the order in which symbols are looked for.
///
/// # Errors
/// A library that is missing or damaged; the sentence says who needs it.
pub fn load_dependencies(held: &Held, roots: &[ObjectRef]) -> Result<Vec<ObjectRef>> {
    let mut order: Vec<ObjectRef> = roots.to_vec();
    let mut next = 0;
    while next < order.len() {
        let object = order[next];
        next += 1;
        if !object.needed.is_empty() && object.deps.borrow().is_empty() {
            for name in &object.needed {
                let dep = load_one(held, name, Some(object))?;
                object.deps.borrow_mut().push(dep);
            }
        }
        for dep in object.deps.borrow().iter() {
            if !order.contains(dep) {
                order.push(*dep);
            }
        }
    }
    Ok(order)
}

/// Loads an object with its dependencies, relocates them and runs their constructors: `dlopen`. Nothing if RTLD_NOLOAD asks for
/// an object that is not loaded.
///
/// # Errors
/// Missing, damaged or unlinkable objects; then nothing has changed.
pub fn open(held: &Held, name: &[u8], flags: i32, wanted_by: Option<ObjectRef>) -> Result<Option<ObjectRef>> {
    let before = held.objects().len();
    let attempt = open_inner(held, name, flags, wanted_by);
    match attempt {
        Ok(root) => {
            if let Some(root) = root {
                root.opens.set(root.opens.get() + 1);
            }
            Ok(root)
        }
        Err(error) => {
            let fresh: Vec<ObjectRef> = held.objects().into_iter().skip(before).collect();
            for object in &fresh {
                // SAFETY: their constructors have not run, so nobody knows them.
                unsafe { unload(held, *object) };
            }
            registry::publish(held);
            registry::wait_for_readers();
            for object in fresh {
                // SAFETY: nobody can find it any more.
                unsafe { unmap(object) };
            }
            Err(error)
        }
    }
}

/// What `dlopen` of `name` would open, if it is loaded: also under another name.
fn find_open(held: &Held, name: &[u8], wanted_by: Option<ObjectRef>) -> Result<Option<ObjectRef>> {
    match find_loaded(held, name) {
        None => Ok(find_same(held, search::open(name, wanted_by, held)?.identity)),
        found => Ok(found),
    }
}

/// The loaded object that was made from a file.
fn find_same(held: &Held, identity: (u64, u64)) -> Option<ObjectRef> {
    held.with(|registry| {
        registry.objects.iter().find(|object| object.identity == identity && object.identity.1 != 0).copied()
    })
}

fn open_inner(held: &Held, name: &[u8], flags: i32, wanted_by: Option<ObjectRef>) -> Result<Option<ObjectRef>> {
    if flags & libc::RTLD_NOLOAD != 0 {
        let Some(root) = find_open(held, name, wanted_by)? else { return Ok(None) };
        if flags & libc::RTLD_GLOBAL != 0 {
            make_global(held, root.local_scope.get());
            registry::publish(held);
        }
        if flags & libc::RTLD_NODELETE != 0 {
            root.permanent.set(true);
        }
        return Ok(Some(root));
    }
    let root = load_one(held, name, wanted_by)?;
    let scope = load_dependencies(held, &[root])?;
    let kept: &'static [ObjectRef] = scope.clone().leak();
    for object in &scope {
        if object.local_scope.get().is_empty() {
            object.local_scope.set(kept);
        }
    }
    registry::publish(held);
    for object in scope.iter().filter(|object| !object.relocated.get()) {
        version::check(held, *object)?;
    }
    let fresh: Vec<ObjectRef> = scope.iter().filter(|object| !object.relocated.get()).copied().collect();
    for object in fresh.iter().rev() {
        object.deepbind.set(flags & libc::RTLD_DEEPBIND != 0);
        // SAFETY: the objects are mapped, and dependencies come first.
        unsafe { relocate::relocate(*object, flags & libc::RTLD_NOW == 0)? };
    }
    for object in &fresh {
        // SAFETY: relocations are done.
        unsafe { relocate::finish(*object)? };
    }
    if flags & libc::RTLD_GLOBAL != 0 {
        make_global(held, &scope);
        registry::publish(held);
    }
    if flags & libc::RTLD_NODELETE != 0 {
        root.permanent.set(true);
    }
    // SAFETY: everything the constructors need is in place.
    unsafe { init::construct(&scope, None) };
    Ok(Some(root))
}

/// Puts objects into the global scope.
pub fn make_global(held: &Held, objects: &[ObjectRef]) {
    held.with(|registry| {
        for object in objects.iter().filter(|object| !object.global.get()) {
            object.global.set(true);
            registry.global.push(*object);
        }
    });
}

/// `dlclose`: gives one `dlopen` back, and unloads what nothing needs any more.
///
/// # Safety
/// As dlclose(3): the program uses nothing of it any more.
pub unsafe fn close(held: &Held, object: ObjectRef) {
    object.opens.set(object.opens.get().saturating_sub(1));
    // What stays: the program and what it was started with, what is open, permanent or global by
    // STB_GNU_UNIQUE bindings, and all that these need.
    let mut alive: Vec<ObjectRef> =
        held.objects().into_iter().filter(|object| object.permanent.get() || object.opens.get() > 0).collect();
    let mut next = 0;
    while next < alive.len() {
        let deps = alive[next].deps.borrow().clone();
        for dep in deps {
            if !alive.contains(&dep) {
                alive.push(dep);
            }
        }
        next += 1;
    }
    let dead: Vec<ObjectRef> = held.objects().into_iter().filter(|object| !alive.contains(object)).collect();
    if dead.is_empty() {
        return;
    }
    for object in &dead {
        init::destruct(*object);
    }
    held.with(|registry| {
        registry.objects.retain(|object| !dead.contains(object));
        registry.global.retain(|object| !dead.contains(object));
        registry.subs += dead.len() as u64;
    });
    registry::publish(held);
    registry::wait_for_readers();
    for object in dead {
        unmap(object);
    }
}

/// Takes an object whose constructors have not run out of everything.
unsafe fn unload(held: &Held, object: ObjectRef) {
    held.with(|registry| {
        registry.objects.retain(|other| *other != object);
        registry.global.retain(|other| *other != object);
        registry.unique.retain(|(_, found)| found.object != object);
        registry.subs += 1;
    });
}

unsafe fn unmap(object: ObjectRef) {
    if let Some(segment) = object.tls {
        tls::drop_module(segment.module);
    }
    debug_assert!(object.map_start.is_multiple_of(PAGE));
    sys::munmap(object.map_start as *mut c_void, object.map_len);
    // The description stays: a table of ranges that another thread still reads may name it.
}
