//! Constructors and destructors of objects.

use super::debug::debug;
use super::object::ObjectRef;
use crate::auxv;
use crate::lock::Lock;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};

type Constructor = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char);
type Destructor = unsafe extern "C" fn();

/// Objects whose constructors were started, in that order.
static CONSTRUCTED: Lock<Vec<ObjectRef>> = Lock::new(Vec::new());

/// Runs the constructors of objects that have not run yet, but for those of `program`, which its own start code calls. `scope` is
/// in the order of the search for symbols: who is needed comes behind who first needs it.
///
/// # Safety
/// All of them are relocated. The loader's lock is held.
pub unsafe fn construct(scope: &[ObjectRef], program: Option<ObjectRef>) {
    for object in order(scope) {
        if Some(object) != program && !object.constructed.get() {
            run_constructors(object);
        }
    }
}

/// The order in which constructors run: dependencies first; among those that do not need each other, and in rings, as glibc's
/// elf/dl-sort-maps.c has it: depth first from the end of the list, whose first object comes last and has no say.
fn order(scope: &[ObjectRef]) -> Vec<ObjectRef> {
    let Some((&root, others)) = scope.split_first() else { return Vec::new() };
    let mut done = Vec::with_capacity(scope.len());
    let mut seen = Vec::from([root]);
    for &start in others.iter().rev() {
        // Each object on the way down, and how many of its dependencies were visited: a chain of thousands is no deep recursion.
        let mut path = Vec::new();
        if !seen.contains(&start) {
            seen.push(start);
            path.push((start, 0));
        }
        while let Some((object, next)) = path.last_mut() {
            let dep = object.deps.borrow().get(*next).copied();
            *next += 1;
            match dep {
                Some(dep) if scope.contains(&dep) && !seen.contains(&dep) => {
                    seen.push(dep);
                    path.push((dep, 0));
                }
                Some(_) => {}
                None => done.extend(path.pop().map(|(object, _)| object)),
            }
        }
    }
    done.push(root);
    done
}

/// Runs the program's `.preinit_array`.
///
/// # Safety
/// As [`construct`].
pub unsafe fn preinit(program: ObjectRef) {
    call_constructors(program.preinit_array.as_slice());
}

/// Runs one object's constructors.
///
/// # Safety
/// As [`construct`].
pub unsafe fn run_constructors(object: ObjectRef) {
    object.constructed.set(true);
    CONSTRUCTED.lock().push(object);
    if object.init != 0 || !object.init_array.as_slice().is_empty() {
        debug!(ANY, "\ncalling init: {}\n", object.shown());
    }
    if object.init != 0 {
        call_constructors(&[object.init]);
    }
    call_constructors(object.init_array.as_slice());
}

/// Enters an object whose constructors its own start code runs.
pub fn note_constructed(object: ObjectRef) {
    object.constructed.set(true);
    CONSTRUCTED.lock().push(object);
}

unsafe fn call_constructors(functions: &[usize]) {
    let (argc, argv, envp) = auxv::arguments();
    for &function in functions {
        // 0 and −1 are no functions, by tradition.
        if function != 0 && function != usize::MAX {
            let function: Constructor = core::mem::transmute(function);
            function(argc, argv, envp);
        }
    }
}

/// Runs one object's destructors, once.
///
/// # Safety
/// Nobody uses the object any more.
pub unsafe fn destruct(object: ObjectRef) {
    if !object.constructed.get() || object.destructed.replace(true) {
        return;
    }
    debug!(ANY, "\ncalling fini: {} [0]\n", object.shown());
    for &function in object.fini_array.as_slice().iter().rev() {
        if function != 0 && function != usize::MAX {
            let function: Destructor = core::mem::transmute(function);
            function();
        }
    }
    if object.fini != 0 {
        let function: Destructor = core::mem::transmute(object.fini);
        function();
    }
    CONSTRUCTED.lock().retain(|other| *other != object);
}

/// Runs all destructors, last constructed first: the process ends.
///
/// # Safety
/// Called by `exit`.
pub unsafe fn destruct_all() {
    loop {
        let last = CONSTRUCTED.lock().pop();
        match last {
            Some(object) => destruct(object),
            None => return,
        }
    }
}
