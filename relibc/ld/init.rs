//! Constructors and destructors of objects.

use super::object::ObjectRef;
use crate::auxv;
use crate::lock::Lock;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};

type Constructor = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char);
type Destructor = unsafe extern "C" fn();

/// Objects whose constructors were started, in that order.
static CONSTRUCTED: Lock<Vec<ObjectRef>> = Lock::new(Vec::new());

/// Runs the constructors of `object` and, before them, of what it needs.
///
/// # Safety
/// All of them are relocated. The loader's lock is held.
pub unsafe fn construct(object: ObjectRef) {
    if object.constructed.replace(true) {
        return;
    }
    let deps = object.deps.borrow().clone();
    for dep in deps {
        construct(dep);
    }
    run_constructors(object);
}

/// Runs the constructors of what `program` needs, then the program's `.preinit_array` functions
/// have already run.
///
/// # Safety
/// As [`construct`].
pub unsafe fn construct_dependencies(program: ObjectRef) {
    let deps = program.deps.borrow().clone();
    for dep in deps {
        construct(dep);
    }
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
