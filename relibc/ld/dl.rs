//! `dlfcn.h` and `link.h`: the loader as programs use it.

use super::elf::*;
use super::error::{Error, Result, fail, show};
use super::object::ObjectRef;
use super::registry::{self, Held};
use super::symbols::{self, Found, Name, Query};
use super::{load, relocate, tls};
use crate::heap::{c_free, c_string};
use crate::thread;
use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use libc::{Dl_info, dl_phdr_info, size_t};

/// Keeps an error for `dlerror`.
unsafe fn keep(error: &Error) {
    let thread = thread::current();
    c_free((*thread).dlerror.cast());
    (*thread).dlerror = c_string(error.0.as_bytes());
}

/// Turns a result into a pointer, keeping the error for `dlerror`.
unsafe fn pointer(result: Result<*mut c_void>) -> *mut c_void {
    match result {
        Ok(pointer) => pointer,
        Err(error) => {
            keep(&error);
            ptr::null_mut()
        }
    }
}

/// The object behind a handle.
fn object_of(held: &Held, handle: *mut c_void) -> Result<ObjectRef> {
    held.with(|registry| registry.objects.iter().find(|object| object.as_ptr().cast() == handle.cast_const()).copied())
        .ok_or_else(|| fail!("invalid handle"))
}

unsafe extern "C" fn open_from(name: *const c_char, flags: c_int, caller: usize) -> *mut c_void {
    let held = registry::lock();
    if name.is_null() || *name == 0 {
        let program = held.with(|registry| registry.objects.first().copied());
        return program.map_or(ptr::null_mut(), |object| object.as_ptr().cast_mut().cast());
    }
    let name = CStr::from_ptr(name).to_bytes();
    let opened = load::open(&held, name, flags, registry::find(caller));
    pointer(opened.map(|object| object.as_ptr().cast_mut().cast()))
}

unsafe extern "C" fn symbol_from(
    handle: *mut c_void,
    name: *const c_char,
    caller: usize,
    version: *const c_char,
) -> *mut c_void {
    let text = CStr::from_ptr(name).to_bytes();
    let version = if version.is_null() { None } else { Some(CStr::from_ptr(version).to_bytes()) };
    pointer(find_symbol(handle, text, caller, version))
}

unsafe fn find_symbol(
    handle: *mut c_void,
    text: &[u8],
    caller: usize,
    version: Option<&'static [u8]>,
) -> Result<*mut c_void> {
    let name = Name::new(text);
    let query = Query { name: &name, version, call: false };
    let held = registry::lock();
    let program = held.with(|registry| registry.objects.first().copied());
    let found = if handle == libc::RTLD_DEFAULT {
        let own = registry::find(caller).map_or(&[] as &[ObjectRef], |object| object.local_scope.get());
        held.with(|registry| symbols::lookup(&registry.global, &query, None))
            .or_else(|| symbols::lookup(own, &query, None))
    } else if handle == libc::RTLD_NEXT {
        let me = registry::find(caller);
        let scope = me.map_or(&[] as &[ObjectRef], |object| object.local_scope.get());
        let after = scope.iter().position(|object| Some(*object) == me).map_or(0, |index| index + 1);
        symbols::lookup(&scope[after..], &query, None)
    } else if program.is_some_and(|program| program.as_ptr().cast() == handle.cast_const()) {
        held.with(|registry| symbols::lookup(&registry.global, &query, None))
    } else {
        // An object's own dependencies, breadth first from it.
        let object = object_of(&held, handle)?;
        let mut order = alloc::vec::Vec::from([object]);
        let mut next = 0;
        while next < order.len() {
            let deps = order[next].deps.borrow().clone();
            order.extend(deps.into_iter().filter(|dep| !order.contains(dep)).collect::<alloc::vec::Vec<_>>());
            next += 1;
        }
        symbols::lookup(&order, &query, None)
    };
    match found {
        Some(found) if found.kind() == STT_TLS => {
            let module = found.object.tls.map_or(0, |segment| segment.module);
            let index = tls::Index { module, offset: found.symbol.st_value as usize };
            Ok(tls::address(&index) as *mut c_void)
        }
        Some(found) => Ok(relocate::address_of(&found) as *mut c_void),
        None => Err(fail!("undefined symbol: {}", show(text))),
    }
}

/// The symbol of `object` that `address` lies in, or the nearest below it without a size.
fn nearest(object: ObjectRef, address: usize) -> Option<Found> {
    let mut best: Option<Found> = None;
    let consider = |index: u32| {
        let Ok(symbol) = object.symbol(index) else { return };
        let found = Found { object, symbol };
        if symbol.st_shndx == SHN_UNDEF || found.kind() == STT_TLS || symbol.st_name == 0 {
            return;
        }
        let start = found.raw_address();
        let size = symbol.st_size as usize;
        if start <= address
            && (size == 0 || address - start < size)
            && best.is_none_or(|best| best.raw_address() < start)
        {
            best = Some(found);
        }
    };
    if let Some(table) = &object.gnu_hash {
        table.for_each(consider);
    } else if let Some(table) = &object.sysv_hash {
        table.for_each(consider);
    }
    best
}

/// What `_dl_find_object` fills in. glibc's dlfcn.h.
#[repr(C)]
pub struct FindObject {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// dlopen(3). Passes its caller on, whose RUNPATH counts.
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym open_from)
}

/// dlsym(3). Passes its caller on, for RTLD_NEXT.
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    naked_asm!("mov rdx, [rsp]", "xor ecx, ecx", "jmp {}", sym symbol_from)
}

/// dlvsym(3).
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void {
    naked_asm!("mov rcx, rdx", "mov rdx, [rsp]", "jmp {}", sym symbol_from)
}

c_api! {
    /// dlclose(3).
    fn dlclose(handle: *mut c_void) -> c_int {
        let held = registry::lock();
        match object_of(&held, handle) {
            Ok(object) => {
                load::close(&held, object);
                0
            }
            Err(error) => {
                keep(&error);
                -1
            }
        }
    }

    /// dlerror(3). The string is valid until the thread's next call.
    fn dlerror() -> *mut c_char {
        let thread = thread::current();
        c_free((*thread).dlerror_old.cast());
        (*thread).dlerror_old = core::mem::replace(&mut (*thread).dlerror, ptr::null_mut());
        (*thread).dlerror_old
    }

    /// dladdr(3).
    fn dladdr(address: *const c_void, info: *mut Dl_info) -> c_int {
        let Some(object) = registry::find(address.addr()) else { return 0 };
        (*info).dli_fname = if object.path_bytes().is_empty() {
            (*crate::auxv::arguments().1).cast_const()
        } else {
            object.path.as_ptr().cast()
        };
        (*info).dli_fbase = object.map_start as *mut c_void;
        (*info).dli_sname = ptr::null();
        (*info).dli_saddr = ptr::null_mut();
        if let Some(found) = nearest(object, address.addr()) {
            (*info).dli_sname = object.name_at(found.symbol).cast();
            (*info).dli_saddr = found.raw_address() as *mut c_void;
        }
        1
    }

    /// dl_iterate_phdr(3).
    fn dl_iterate_phdr(
        callback: Option<unsafe extern "C" fn(*mut dl_phdr_info, size_t, *mut c_void) -> c_int>,
        data: *mut c_void,
    ) -> c_int {
        let Some(callback) = callback else { return 0 };
        let held = registry::lock();
        let (adds, subs) = held.with(|registry| (registry.adds, registry.subs));
        for object in held.objects() {
            let phdrs = object.phdrs.as_slice();
            let module = object.tls.map_or(0, |segment| segment.module);
            let mut info = dl_phdr_info {
                dlpi_addr: object.base as u64,
                dlpi_name: object.path.as_ptr().cast(),
                dlpi_phdr: phdrs.as_ptr(),
                dlpi_phnum: phdrs.len() as u16,
                dlpi_adds: adds,
                dlpi_subs: subs,
                dlpi_tls_modid: module,
                dlpi_tls_data: if module == 0 { ptr::null_mut() } else { tls::block_of(module) as *mut c_void },
            };
            let result = callback(&mut info, size_of::<dl_phdr_info>(), data);
            if result != 0 {
                return result;
            }
        }
        0
    }

    /// Finds the object and the unwind table for a program counter: _dl_find_object in glibc's
    /// dlfcn.h. Takes no lock. Returns 0, or −1 when no object holds `address`.
    fn _dl_find_object(address: *mut c_void, out: *mut FindObject) -> c_int {
        let Some(object) = registry::find(address.addr()) else { return -1 };
        if object.eh_frame_hdr == 0 {
            return -1;
        }
        *out = FindObject {
            flags: 0,
            map_start: object.map_start as *mut c_void,
            map_end: (object.map_start + object.map_len) as *mut c_void,
            link_map: object.as_ptr().cast_mut().cast(),
            eh_frame: object.eh_frame_hdr as *mut c_void,
            reserved: [0; 7],
        };
        0
    }
}
