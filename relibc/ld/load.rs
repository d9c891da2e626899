//! Loading objects with their dependencies, and unloading them.

use super::elf::PAGE;
use super::error::{Result, fail, show};
use super::map;
use super::object::{Object, ObjectRef};
use super::registry::{self, Held};
use super::{init, relocate, search, tls};
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
    let library_path = held.with(|registry| registry.library_path.clone());
    let file = search::open(name, wanted_by.as_deref(), library_path.as_deref())?;
    let same = held.with(|registry| {
        registry.objects.iter().find(|object| object.identity == file.identity && object.identity.1 != 0).copied()
    });
    if let Some(object) = same {
        object.names.borrow_mut().push(name.to_vec());
        return Ok(object);
    }
    let object = map::map(file, false)?;
    Ok(add(held, object, name))
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
                let dep = load_one(held, name, Some(object))
                    .map_err(|error| fail!("{} (needed by {})", error.0, object.shown()))?;
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

/// Loads an object with its dependencies, relocates them and runs their constructors: `dlopen`.
///
/// # Errors
/// Missing, damaged or unlinkable objects; then nothing has changed.
pub fn open(held: &Held, name: &[u8], flags: i32, wanted_by: Option<ObjectRef>) -> Result<ObjectRef> {
    let before = held.objects().len();
    let attempt = open_inner(held, name, flags, wanted_by);
    match attempt {
        Ok(root) => {
            root.opens.set(root.opens.get() + 1);
            Ok(root)
        }
        Err(error) => {
            for object in held.objects().into_iter().skip(before) {
                // SAFETY: their constructors have not run, so nobody knows them.
                unsafe { unload(held, object) };
            }
            registry::publish(held);
            Err(error)
        }
    }
}

fn open_inner(held: &Held, name: &[u8], flags: i32, wanted_by: Option<ObjectRef>) -> Result<ObjectRef> {
    if flags & libc::RTLD_NOLOAD != 0 {
        let found = find_loaded(held, name);
        let root = found.ok_or_else(|| fail!("{}: not loaded", show(name)))?;
        if flags & libc::RTLD_GLOBAL != 0 {
            make_global(held, root.local_scope.get());
        }
        return Ok(root);
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
    let fresh: Vec<ObjectRef> = scope.iter().filter(|object| !object.relocated.get()).copied().collect();
    for object in fresh.iter().rev() {
        // SAFETY: the objects are mapped, and dependencies come first.
        unsafe { relocate::relocate(held, *object, &[])? };
    }
    for object in &fresh {
        // SAFETY: relocations are done.
        unsafe { relocate::finish(*object)? };
    }
    if flags & libc::RTLD_GLOBAL != 0 {
        make_global(held, &scope);
    }
    if flags & libc::RTLD_NODELETE != 0 {
        root.permanent.set(true);
    }
    // SAFETY: everything the constructors need is in place.
    unsafe { init::construct(root) };
    Ok(root)
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
    for object in dead {
        unmap(object);
    }
}

unsafe fn unload(held: &Held, object: ObjectRef) {
    held.with(|registry| {
        registry.objects.retain(|other| *other != object);
        registry.global.retain(|other| *other != object);
        registry.unique.retain(|(_, found)| found.object != object);
        registry.subs += 1;
    });
    unmap(object);
}

unsafe fn unmap(object: ObjectRef) {
    if let Some(segment) = object.tls {
        tls::drop_module(segment.module);
    }
    debug_assert!(object.map_start.is_multiple_of(PAGE));
    sys::munmap(object.map_start as *mut c_void, object.map_len);
    // The description stays: a table of ranges that another thread still reads may name it.
}
