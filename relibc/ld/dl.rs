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
    (*thread).dlerror = c_string(error.text().as_bytes());
}

/// What went well leaves no error behind, not even an older one.
unsafe fn forget() {
    let thread = thread::current();
    c_free(core::mem::replace(&mut (*thread).dlerror, ptr::null_mut()).cast());
}

/// Turns a result into a pointer, keeping the error for `dlerror`.
unsafe fn pointer(result: Result<*mut c_void>) -> *mut c_void {
    match result {
        Ok(pointer) => {
            forget();
            pointer
        }
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
    const KNOWN: c_int = libc::RTLD_LAZY
        | libc::RTLD_NOW
        | libc::RTLD_NOLOAD
        | libc::RTLD_DEEPBIND
        | libc::RTLD_GLOBAL
        | libc::RTLD_NODELETE;
    let shown = if name.is_null() { "".into() } else { show(CStr::from_ptr(name).to_bytes()) };
    if flags & !KNOWN != 0 {
        return pointer(Err(fail!("invalid mode parameter")));
    }
    if flags & (libc::RTLD_LAZY | libc::RTLD_NOW) == 0 {
        return pointer(Err(Error::new(shown, "invalid mode for dlopen()", libc::EINVAL)));
    }
    let held = registry::lock();
    if name.is_null() || *name == 0 {
        forget();
        let program = held.with(|registry| registry.objects.first().copied());
        return program.map_or(ptr::null_mut(), |object| object.as_ptr().cast_mut().cast());
    }
    let name = CStr::from_ptr(name).to_bytes();
    let opened = load::open(&held, name, flags, registry::find(caller));
    pointer(opened.map(|object| object.map_or(ptr::null_mut(), |object| object.as_ptr().cast_mut().cast())))
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
    let query = Query { name: &name, version, call: false, exact: version.is_some() };
    let held = registry::lock();
    let program = held.with(|registry| registry.objects.first().copied());
    let me = registry::find(caller);
    // Who is named in an error: the object searched, or else the caller.
    let mut asked = me.or(program);
    let found = if handle == libc::RTLD_DEFAULT {
        let own = me.map_or(&[] as &[ObjectRef], |object| object.local_scope.get());
        held.with(|registry| symbols::lookup(&registry.global, &query, None))
            .or_else(|| symbols::lookup(own, &query, None))
    } else if handle == libc::RTLD_NEXT {
        let scope = me.ok_or_else(|| fail!("RTLD_NEXT used in code not dynamically loaded"))?.local_scope.get();
        let after = scope.iter().position(|object| Some(*object) == me).map_or(0, |index| index + 1);
        symbols::lookup(&scope[after..], &query, None)
    } else if program.is_some_and(|program| program.as_ptr().cast() == handle.cast_const()) {
        asked = program;
        held.with(|registry| symbols::lookup(&registry.global, &query, None))
    } else {
        // An object's own dependencies, breadth first from it.
        let object = object_of(&held, handle)?;
        asked = Some(object);
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
        None => match asked {
            Some(object) => Err(relocate::undefined(object, text, version)),
            None => Err(fail!("undefined symbol: {}", show(text))),
        },
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
            && (address - start < size || address == start)
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

/// Fills in what `address` lies in: the object, and its symbol if there is one.
unsafe fn describe(address: *const c_void, info: *mut Dl_info) -> Option<(ObjectRef, Option<Found>)> {
    let object = registry::find(address.addr())?;
    (*info).dli_fname = if object.path_bytes().is_empty() {
        (*crate::auxv::arguments().1).cast_const()
    } else {
        object.path.as_ptr().cast()
    };
    (*info).dli_fbase = object.map_start as *mut c_void;
    let found = nearest(object, address.addr());
    (*info).dli_sname = found.map_or(ptr::null(), |found| object.name_at(found.symbol).cast());
    (*info).dli_saddr = found.map_or(ptr::null_mut(), |found| found.raw_address() as *mut c_void);
    Some((object, found))
}

/// Answers a request of `dlinfo`; RTLD_DI_PHDR returns a number.
unsafe fn tell(object: ObjectRef, request: c_int, argument: *mut c_void) -> Result<c_int> {
    // glibc's dlfcn.h.
    const RTLD_DI_LMID: c_int = 1;
    const RTLD_DI_LINKMAP: c_int = 2;
    const RTLD_DI_ORIGIN: c_int = 6;
    const RTLD_DI_TLS_MODID: c_int = 9;
    const RTLD_DI_TLS_DATA: c_int = 10;
    const RTLD_DI_PHDR: c_int = 11;
    let module = object.tls.map_or(0, |segment| segment.module);
    match request {
        // There is one namespace, the base one.
        RTLD_DI_LMID => *argument.cast::<isize>() = 0,
        RTLD_DI_LINKMAP => *argument.cast::<*const c_void>() = object.as_ptr().cast(),
        RTLD_DI_ORIGIN => {
            let origin = super::search::origin_of(&object);
            ptr::copy_nonoverlapping(origin.as_ptr(), argument.cast::<u8>(), origin.len());
            *argument.cast::<u8>().add(origin.len()) = 0;
        }
        RTLD_DI_TLS_MODID => *argument.cast::<usize>() = module,
        RTLD_DI_TLS_DATA => *argument.cast::<usize>() = if module == 0 { 0 } else { tls::block_of(module) },
        RTLD_DI_PHDR => {
            let phdrs = object.phdrs.as_slice();
            *argument.cast::<*const Phdr>() = phdrs.as_ptr();
            return Ok(phdrs.len() as c_int);
        }
        _ => return Err(fail!("unsupported dlinfo request")),
    }
    Ok(0)
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
                forget();
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
        describe(address, info).is_some() as c_int
    }

    /// dladdr1(3). `flags` is RTLD_DL_SYMENT or RTLD_DL_LINKMAP, and says what `*extra` becomes; with others it is left alone.
    fn dladdr1(address: *const c_void, info: *mut Dl_info, extra: *mut *mut c_void, flags: c_int) -> c_int {
        const RTLD_DL_SYMENT: c_int = 1;
        const RTLD_DL_LINKMAP: c_int = 2;
        let Some((object, symbol)) = describe(address, info) else { return 0 };
        match flags {
            RTLD_DL_SYMENT => *extra = symbol.map_or(ptr::null_mut(), |found| ptr::from_ref(found.symbol).cast_mut().cast()),
            RTLD_DL_LINKMAP => *extra = object.as_ptr().cast_mut().cast(),
            _ => {}
        }
        1
    }

    /// dlinfo(3).
    fn dlinfo(handle: *mut c_void, request: c_int, argument: *mut c_void) -> c_int {
        let held = registry::lock();
        match object_of(&held, handle).and_then(|object| tell(object, request, argument)) {
            Ok(value) => {
                forget();
                value
            }
            Err(error) => {
                keep(&error);
                -1
            }
        }
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
