//! From the kernel's stack to the program's entry point.

use super::elf::*;
use super::error::{Error, Occasion, Result, fail, show};
use super::map::{self, File};
use super::object::{Mapping, Object, ObjectRef};
use super::registry::{self, Held};
use super::{debug, entry, init, lazy, load, relocate, tls, version};
use crate::thread::Thread;
use crate::{auxv, pthread, runtime, sys};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_void};
use core::ptr;

/// The control block that serves until the thread-local segments are known.
struct Early(UnsafeCell<Thread>);
// SAFETY: used by the only thread there is, before others exist.
unsafe impl Sync for Early {}
static EARLY: Early = Early(UnsafeCell::new(Thread::new()));

/// Loads everything and returns the program's entry point. `stack` points to `argc`.
///
/// # Safety
/// Called once, by the loader's first instructions, with this object relocated at `base`.
pub unsafe fn run(stack: *mut usize, base: usize) -> usize {
    let mut layout = Layout::read(stack);
    sys::early_init(layout.auxv);
    let early = EARLY.0.get();
    (*early).tcb = early;
    (*early).this = early;
    sys::set_fs(early.cast());
    auxv::set(layout.argc, layout.argv, layout.envp, layout.auxv);
    if let Some(random) = auxv::get(libc::AT_RANDOM) {
        // The canary's lowest byte is 0, so that string functions stop at it.
        (*early).canary = (random as *const usize).read_unaligned() & !0xff;
        (*early).pointer_guard = (random as *const usize).add(1).read_unaligned();
    }

    let held = registry::lock();
    match load_all(&held, stack, &mut layout, base) {
        Ok(entry) => {
            drop(held);
            entry
        }
        Err(error) => {
            drop(held);
            fatal(&error)
        }
    }
}

/// The program's name for messages: `argv[0]`.
pub fn program_name() -> alloc::borrow::Cow<'static, str> {
    let (argc, argv, _) = auxv::arguments();
    if argc == 0 || argv.is_null() {
        return "<program name unknown>".into();
    }
    // SAFETY: the arguments live as long as the process.
    match unsafe { *argv } {
        name if name.is_null() => "<program name unknown>".into(),
        name => show(unsafe { CStr::from_ptr(name) }.to_bytes()),
    }
}

/// Prints why the program cannot start or go on, and ends it as glibc does.
pub fn fatal(error: &Error) -> ! {
    let name = program_name();
    let (occasion, status) = match error.occasion {
        Occasion::Load => ("error while loading shared libraries: ", 127),
        Occasion::Lookup => ("symbol lookup error: ", 127),
        Occasion::Version => ("", 1),
    };
    runtime::print(&alloc::format!("{name}: {occasion}{}\n", error.text()));
    sys::exit_process(status)
}

/// The kernel's block on the initial stack.
struct Layout {
    argc: usize,
    argv: *mut *mut c_char,
    envp: *mut *mut c_char,
    auxv: *mut [usize; 2],
}

impl Layout {
    unsafe fn read(stack: *mut usize) -> Layout {
        let argc = *stack;
        let argv = stack.add(1).cast::<*mut c_char>();
        let envp = argv.add(argc + 1);
        let mut end = envp;
        while !(*end).is_null() {
            end = end.add(1);
        }
        Layout { argc, argv, envp, auxv: end.add(1).cast() }
    }

    /// Removes the first `count` arguments, moving the rest down, so that the stack stays aligned
    /// and looks as if the kernel had started the program itself.
    unsafe fn drop_arguments(&mut self, stack: *mut usize, count: usize) {
        let mut auxv_end = self.auxv;
        while (*auxv_end)[0] != 0 {
            auxv_end = auxv_end.add(1);
        }
        let from = self.argv.add(count).cast::<usize>();
        let words = auxv_end.add(1).cast::<usize>().offset_from_unsigned(from);
        ptr::copy(from, self.argv.cast::<usize>(), words);
        *stack = self.argc - count;
        *self = Layout::read(stack);
        auxv::set(self.argc, self.argv, self.envp, self.auxv);
    }

    unsafe fn set_auxv(&mut self, key: u64, value: usize) {
        let mut at = self.auxv;
        while (*at)[0] != 0 {
            if (*at)[0] == key as usize {
                (*at)[1] = value;
            }
            at = at.add(1);
        }
    }

    /// An environment variable.
    unsafe fn env(&self, name: &[u8]) -> Option<&'static [u8]> {
        let mut at = self.envp;
        while !(*at).is_null() {
            let entry = CStr::from_ptr(*at).to_bytes();
            if let Some(value) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
            at = at.add(1);
        }
        None
    }
}

unsafe fn load_all(held: &Held, stack: *mut usize, layout: &mut Layout, base: usize) -> Result<usize> {
    let itself = describe_self(base)?;
    if is_static() {
        return beside_static(held, layout, itself);
    }
    let program = if auxv::get(libc::AT_ENTRY) == Some(entry::start as *const () as usize) {
        load_program(held, stack, layout)?
    } else {
        describe_program()?
    };
    let program = load::add(held, program, b"");
    let itself = load::add(held, itself, b"libc.so.6");
    program.permanent.set(true);
    itself.permanent.set(true);

    let mut roots = Vec::from([program]);
    let secure = auxv::get(libc::AT_SECURE).unwrap_or(0) != 0;
    if !secure {
        if let Some(list) = layout.env(b"LD_DEBUG") {
            debug::set(list);
        }
        if layout.env(b"LD_BIND_NOW").is_some_and(|value| !value.is_empty()) {
            lazy::bind_now();
        }
        let path = layout.env(b"LD_LIBRARY_PATH").filter(|path| !path.is_empty());
        if let Some(path) = path {
            // What the command line says comes before the environment.
            held.with(|registry| _ = registry.library_path.get_or_insert_with(|| path.to_vec()));
        }
        if let Some(list) = layout.env(b"LD_PRELOAD") {
            for name in list.split(|byte| b": ".contains(byte)).filter(|name| !name.is_empty()) {
                match load::preload(held, name) {
                    Ok(object) => roots.push(object),
                    Err(error) => runtime::print(&alloc::format!(
                        "ERROR: ld.so: object '{}' from LD_PRELOAD cannot be preloaded ({}): ignored.\n",
                        show(name),
                        error.what
                    )),
                }
            }
        }
    }
    let mut scope = load::load_dependencies(held, &roots)?;
    if !scope.contains(&itself) {
        scope.push(itself);
    }
    let kept: &'static [ObjectRef] = scope.clone().leak();
    for object in &scope {
        object.permanent.set(true);
        object.local_scope.set(kept);
    }
    load::make_global(held, &scope);
    registry::publish(held);

    for object in &scope {
        version::check(held, *object)?;
    }
    tls::lay_out(&scope)?;
    main_thread()?;
    sys::late_init();

    // Dependencies first, the program last: its copy relocations read finished variables.
    relocate::relocate(itself, false)?;
    for object in scope.iter().rev().filter(|object| !object.relocated.get()) {
        relocate::relocate(*object, true)?;
    }
    crate::start::set_globals();
    for object in &scope {
        relocate::finish(*object)?;
    }
    init::preinit(program);
    init::construct(&scope, Some(program));
    Ok(program.entry)
}

/// Whether the program that the kernel mapped asked for no interpreter: exec maps this library beside it all the same.
fn is_static() -> bool {
    auxv::get(libc::AT_ENTRY) != Some(entry::start as *const () as usize) && interpreter().is_none()
}

/// Sets up this library alone, to carry out the system calls of a static program; returns the program's entry point.
unsafe fn beside_static(held: &Held, layout: &mut Layout, itself: Object) -> Result<usize> {
    let itself = load::add(held, itself, b"libc.so.6");
    itself.permanent.set(true);
    let scope: &'static [ObjectRef] = Vec::from([itself]).leak();
    itself.local_scope.set(scope);
    load::make_global(held, scope);
    registry::publish(held);
    tls::lay_out(scope)?;
    main_thread()?;
    sys::late_init();
    relocate::relocate(itself, false)?;
    crate::start::set_globals();
    relocate::finish(itself)?;
    init::construct(scope, None);
    // The program is to find what Linux tells one without an interpreter.
    layout.set_auxv(libc::AT_BASE, 0);
    match sys::result(sys::emulate()) {
        Ok(_) => auxv::get(libc::AT_ENTRY).ok_or_else(|| fail!("the kernel did not say where the program starts")),
        Err(errno) => Err(Error::new("the program", "cannot run a static program", errno)),
    }
}

/// Describes this library from its own headers.
unsafe fn describe_self(base: usize) -> Result<Object> {
    let header = base as *const Header;
    let phdrs =
        core::slice::from_raw_parts((base + (*header).e_phoff as usize) as *const Phdr, (*header).e_phnum as usize);
    let mut path = b"/lib/x86_64-linux-gnu/libc.so.6\0".to_vec();
    if auxv::get(libc::AT_BASE) == Some(base)
        && let Some(interpreter) = interpreter()
    {
        path = interpreter;
    }
    Object::new(Mapping {
        path,
        identity: (0, 0),
        base,
        phdrs,
        entry: base + (*header).e_entry as usize,
        is_self: true,
    })
}

fn program_phdrs() -> Option<(&'static [Phdr], usize)> {
    let address = auxv::get(libc::AT_PHDR)?;
    let count = auxv::get(libc::AT_PHNUM)?;
    // SAFETY: the kernel mapped the program and says where its headers are.
    let phdrs = unsafe { core::slice::from_raw_parts(address as *const Phdr, count) };
    let base =
        phdrs.iter().find(|phdr| phdr.p_type == PT_PHDR).map_or(0, |phdr| address.wrapping_sub(phdr.p_vaddr as usize));
    Some((phdrs, base))
}

/// The PT_INTERP string of the program, with NUL.
fn interpreter() -> Option<Vec<u8>> {
    const PT_INTERP: u32 = 3;
    let (phdrs, base) = program_phdrs()?;
    let phdr = phdrs.iter().find(|phdr| phdr.p_type == PT_INTERP)?;
    // SAFETY: the kernel used this very string to find us.
    let text = unsafe { CStr::from_ptr(base.wrapping_add(phdr.p_vaddr as usize) as *const c_char) };
    Some(text.to_bytes_with_nul().to_vec())
}

/// Describes the program that the kernel mapped.
unsafe fn describe_program() -> Result<Object> {
    let (phdrs, base) = program_phdrs().ok_or_else(|| fail!("the kernel did not say where the program is"))?;
    Object::new(Mapping {
        path: Vec::from([0]),
        identity: (0, 0),
        base,
        phdrs,
        entry: auxv::get(libc::AT_ENTRY).unwrap_or(0),
        is_self: false,
    })
}

/// Loads the program named by the arguments: this library was itself started as a program.
unsafe fn load_program(held: &Held, stack: *mut usize, layout: &mut Layout) -> Result<Object> {
    const USAGE: &str = "usage: ld-linux-x86-64.so.2 [--library-path LIST] [--argv0 NAME] PROGRAM [ARGUMENT]...\n\
        Runs PROGRAM with this C library and loader.\n";
    let mut skip = 1;
    let mut name = None;
    let argument = |index: usize| (index < layout.argc).then(|| CStr::from_ptr(*layout.argv.add(index)).to_bytes());
    loop {
        match argument(skip) {
            Some(b"--library-path") if skip + 1 < layout.argc => {
                let list = argument(skip + 1).unwrap_or_default().to_vec();
                held.with(|registry| registry.library_path = Some(list));
                skip += 2;
            }
            Some(b"--argv0") if skip + 1 < layout.argc => {
                name = Some(*layout.argv.add(skip + 1));
                skip += 2;
            }
            Some(program) if !program.starts_with(b"--") => break,
            Some(b"--help") => {
                runtime::print(USAGE);
                sys::exit_process(0);
            }
            _ => {
                runtime::print(USAGE);
                sys::exit_process(1);
            }
        }
    }
    layout.drop_arguments(stack, skip);
    let path = CStr::from_ptr(*layout.argv).to_bytes_with_nul().to_vec();
    if let Some(name) = name {
        *layout.argv = name;
    }
    let file = File::open(path.clone())
        .map_err(|errno| Error::new(show(&path[..path.len() - 1]), "cannot open shared object file", errno))?;
    let mut object = map::map(file, true)?;
    layout.set_auxv(libc::AT_ENTRY, object.entry);
    layout.set_auxv(libc::AT_PHDR, object.phdrs.as_slice().as_ptr().addr());
    layout.set_auxv(libc::AT_PHNUM, object.phdrs.as_slice().len());
    layout.set_auxv(libc::AT_EXECFN, path_on_stack(layout));
    object.path = Vec::from([0]);
    Ok(object)
}

unsafe fn path_on_stack(layout: &Layout) -> usize {
    (*layout.argv).addr()
}

/// The path the program was started by.
pub fn program_path() -> Vec<u8> {
    match auxv::get(libc::AT_EXECFN) {
        // SAFETY: AT_EXECFN is a string on the initial stack.
        Some(name) => unsafe { CStr::from_ptr(name as *const c_char) }.to_bytes().to_vec(),
        None => Vec::new(),
    }
}

/// Gives the main thread its control block and static thread-local storage.
unsafe fn main_thread() -> Result<()> {
    let (start, thread) =
        pthread::stack::map_control(0, 0).ok_or_else(|| fail!("out of memory for thread-local storage"))?;
    let early = EARLY.0.get();
    ptr::copy_nonoverlapping(early, thread, 1);
    (*thread).tcb = thread;
    (*thread).this = thread;
    // The mapping is not the thread's to free: length 0.
    (*thread).map = start as *mut c_void;
    (*thread).map_len = 0;
    // The loader's lock is held by the early block's address; it is the same thread.
    registry::change_owner(early, thread);
    sys::set_fs(thread.cast());
    let tid = sys::set_tid_address((&raw mut (*thread).tid).cast());
    (*thread).tid.store(tid as i32, core::sync::atomic::Ordering::Relaxed);
    if !tls::set_up(thread) {
        return Err(fail!("out of memory for thread-local storage"));
    }
    pthread::list::add(thread);
    Ok(())
}
