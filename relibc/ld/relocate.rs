//! Relocations. x86-64 psABI, table 4.9, and "TLS descriptors for x86".

use super::debug::{self, debug};
use super::elf::*;
use super::entry::relr_apply;
use super::error::{Error, Occasion, Result, fail, show};
use super::object::ObjectRef;
use super::symbols::{self, Found, Name, Query};
use super::{lazy, registry, tls, tlsdesc};
use crate::sys;
use core::ffi::{CStr, c_void};
use core::ptr;

/// What a symbol reference came to.
#[derive(Clone, Copy)]
pub enum Target {
    /// A definition.
    Found(Found),
    /// A weak reference to nothing: address 0.
    Nothing,
}

/// Applies all relocations of `object`, IRELATIVE ones last. With `lazy`, calls are left to [`lazy::bind`](super::lazy) where
/// that is possible.
///
/// # Errors
/// An undefined symbol, a damaged table, no static TLS left.
///
/// # Safety
/// The object is mapped and not relocated yet, and no thread runs its code.
pub unsafe fn relocate(object: ObjectRef, lazy: bool) -> Result<()> {
    let data = object.phdrs.as_slice().iter().any(|phdr| phdr.p_type == PT_LOAD && phdr.p_flags & PF_W != 0);
    if !data && !object.rela.as_slice().is_empty() {
        return Err(fail!("{}: relocations in read-only memory are not supported", object.shown()));
    }
    let reader = registry::read();
    let mut linker = Linker::new(object, reader.global());
    let wanted = lazy && lazy::is_wanted(&object);
    let lazy = wanted && lazy::is_possible(&object);
    debug!(RELOC, "\nrelocation processing: {}{}", object.shown(), if wanted { " (lazy)" } else { "" });
    if lazy {
        lazy::prepare(object);
    }

    if !object.is_self {
        check_relr(object)?;
        let relr = object.relr.as_slice();
        relr_apply(object.base, relr.as_ptr(), relr.len());
    }
    for table in [object.rela, object.jmprel] {
        for rela in table.as_slice() {
            if lazy && rela.kind() == R_JUMP_SLOT && linker.postpone(rela)? {
                continue;
            }
            if rela.kind() != R_IRELATIVE {
                linker.apply(rela)?;
            }
        }
    }
    drop(reader);
    object.relocated.set(true);
    for table in [object.rela, object.jmprel] {
        for rela in table.as_slice().iter().filter(|rela| rela.kind() == R_IRELATIVE) {
            let place = place(object, rela, 8)?;
            let resolver = object.base.wrapping_add_signed(rela.addend);
            object.check(resolver, 1, "IRELATIVE")?;
            place.write_unaligned(call_resolver(resolver));
        }
    }
    Ok(())
}

/// Makes what a program asked for read-only.
///
/// # Errors
/// mprotect failed.
///
/// # Safety
/// The object is relocated.
pub unsafe fn finish(object: ObjectRef) -> Result<()> {
    if let Some((start, len)) = object.relro {
        let first = start & !(PAGE - 1);
        let end = (start + len) & !(PAGE - 1);
        if end > first {
            let raw = sys::mprotect(first as *mut c_void, end - first, libc::PROT_READ);
            sys::result(raw)
                .map_err(|errno| fail!("{}: cannot protect: {}", object.shown(), crate::string::error_text(errno)))?;
        }
    }
    Ok(())
}

/// Checks every place that DT_RELR names.
fn check_relr(object: ObjectRef) -> Result<()> {
    let mut place = 0usize;
    for &word in object.relr.as_slice() {
        let (start, len) = if word & 1 == 0 {
            place = object.base.wrapping_add(word);
            let start = place;
            place = place.wrapping_add(8);
            (start, 8)
        } else {
            let start = place;
            place = place.wrapping_add(63 * 8);
            (start, (63 - (word.leading_zeros() as usize).min(63)) * 8)
        };
        if !object.may_write(start, len) || start % 8 != 0 {
            return Err(object.damaged("DT_RELR"));
        }
    }
    Ok(())
}

unsafe fn call_resolver(address: usize) -> usize {
    if cfg!(test) {
        // Tests damage files; their code must not run.
        return address;
    }
    // SAFETY: an indirect function's resolver takes nothing we pass and returns an address.
    let resolver: extern "C" fn() -> usize = core::mem::transmute(address);
    resolver()
}

/// The address that a definition stands for.
///
/// # Safety
/// The defining object is relocated if the symbol is an indirect function.
pub unsafe fn address_of(found: &Found) -> usize {
    let address = found.raw_address();
    if found.kind() == STT_GNU_IFUNC && found.symbol.st_shndx != SHN_UNDEF {
        return call_resolver(address);
    }
    address
}

/// The address that a reference stands for, as for [`address_of`].
///
/// # Safety
/// As for [`address_of`].
pub unsafe fn address_of_target(target: &Target) -> usize {
    match target {
        Target::Found(found) => address_of(found),
        Target::Nothing => 0,
    }
}

/// Finds what an object's references mean.
pub struct Linker<'a> {
    object: ObjectRef,
    global: &'a [ObjectRef],
    /// The last reference resolved: linkers sort relocations by symbol.
    last: (u32, bool, Target),
}

/// The word to relocate.
fn place(object: ObjectRef, rela: &Rela, len: usize) -> Result<*mut usize> {
    let place = object.base.wrapping_add(rela.offset);
    if !object.may_write(place, len) {
        return Err(object.damaged("relocation outside its writable segments"));
    }
    Ok(place as *mut usize)
}

impl<'a> Linker<'a> {
    /// For the references of `object`, among the objects of the global scope.
    pub fn new(object: ObjectRef, global: &'a [ObjectRef]) -> Linker<'a> {
        Linker { object, global, last: (u32::MAX, false, Target::Nothing) }
    }

    fn place(&self, rela: &Rela, len: usize) -> Result<*mut usize> {
        place(self.object, rela, len)
    }

    /// Leaves a call to be bound later: its slot leads into the PLT. False if the slot will be read-only.
    unsafe fn postpone(&self, rela: &Rela) -> Result<bool> {
        let place = self.place(rela, 8)?;
        let protected = self.object.relro.is_some_and(|(start, len)| (start..start + len).contains(&place.addr()));
        if protected || !place.is_aligned() {
            return Ok(false);
        }
        *place = (*place).wrapping_add(self.object.base);
        Ok(true)
    }

    /// Finds what reference number `index` means; `call` says that it is called through the PLT.
    ///
    /// # Errors
    /// Nobody defines it, and it is not weak.
    pub fn resolve(&mut self, index: u32, call: bool) -> Result<Target> {
        if (self.last.0, self.last.1) == (index, call) {
            return Ok(self.last.2);
        }
        let symbol = self.object.symbol(index)?;
        let target = self.resolve_symbol(index, symbol, call)?;
        self.last = (index, call, target);
        Ok(target)
    }

    fn resolve_symbol(&mut self, index: u32, symbol: &'static Sym, call: bool) -> Result<Target> {
        let object = self.object;
        let binding = symbol.st_info >> 4;
        let itself = Found { object, symbol };
        if binding == STB_LOCAL {
            return Ok(Target::Found(itself));
        }
        // Protected and hidden definitions cannot be replaced.
        if symbol.st_other & 3 != 0 && symbol.st_shndx != SHN_UNDEF {
            return Ok(Target::Found(itself));
        }
        // SAFETY: the string table ends in NUL.
        let text = unsafe { CStr::from_ptr(object.name_at(symbol).cast()) }.to_bytes();
        let name = Name::new(text);
        let query = Query { name: &name, version: symbols::version_of_reference(&object, index), call, exact: false };
        let own: &[ObjectRef] = &[object];
        let local = object.local_scope.get();
        let symbolic = if object.symbolic { own } else { &[] };
        let deep = if object.deepbind.get() { local } else { &[] };
        let found =
            [symbolic, deep, self.global, local].into_iter().find_map(|scope| symbols::lookup(scope, &query, None));
        if let Some(found) = found
            && debug::wants(debug::BINDINGS)
        {
            let version = query.version.map_or_else(Default::default, |version| alloc::format!(" [{}]", show(version)));
            let (from, to) = (object.shown(), found.object.shown());
            debug::lines(&alloc::format!(
                "binding file {from} [0] to {to} [0]: normal symbol `{}'{version}",
                show(text)
            ));
        }
        match found {
            Some(found) if found.binding() == STB_GNU_UNIQUE => Ok(Target::Found(self.unique(text, found))),
            Some(found) => Ok(Target::Found(found)),
            None if binding == STB_WEAK => Ok(Target::Nothing),
            None => Err(undefined(object, text, query.version)),
        }
    }

    /// The process-wide definition of a unique symbol: the first that anyone was bound to.
    fn unique(&self, text: &'static [u8], found: Found) -> Found {
        registry::lock().with(|registry| {
            if let Some((_, first)) = registry.unique.iter().find(|(name, _)| *name == text) {
                return *first;
            }
            found.object.permanent.set(true);
            registry.unique.push((text, found));
            found
        })
    }

    unsafe fn address(&mut self, rela: &Rela, call: bool) -> Result<usize> {
        Ok(address_of_target(&self.resolve(rela.symbol(), call)?))
    }

    /// The thread-local variable a relocation means: its object and its offset in the block.
    fn thread_local(&mut self, rela: &Rela) -> Result<Option<(ObjectRef, usize)>> {
        let (object, value) = if rela.symbol() == 0 {
            (self.object, 0)
        } else {
            match self.resolve(rela.symbol(), false)? {
                Target::Found(found) => (found.object, found.symbol.st_value as usize),
                Target::Nothing => return Ok(None),
            }
        };
        if object.tls.is_none() {
            return Err(self.object.damaged("TLS relocation without a TLS segment"));
        }
        Ok(Some((object, value)))
    }

    /// The distance from `%fs` down to an object's block.
    fn static_offset(&self, object: ObjectRef) -> Result<usize> {
        if object.tls_offset.get() == 0 && !tls::make_static(object) {
            return Err(Error::new(object.shown(), "cannot allocate memory in static TLS block", 0));
        }
        Ok(object.tls_offset.get())
    }

    unsafe fn apply(&mut self, rela: &Rela) -> Result<()> {
        let addend = rela.addend as usize;
        let kind = rela.kind();
        if kind == R_RELATIVE {
            if !self.object.is_self {
                let place = self.place(rela, 8)?;
                place.write_unaligned(self.object.base.wrapping_add(addend));
            }
            return Ok(());
        }
        if kind == R_NONE {
            return Ok(());
        }
        let place = self.place(rela, 8)?;
        match kind {
            R_64 => {
                let value = self.address(rela, false)?.wrapping_add(addend);
                place.write_unaligned(value);
            }
            R_GLOB_DAT => place.write_unaligned(self.address(rela, false)?),
            R_JUMP_SLOT => place.write_unaligned(self.address(rela, true)?),
            R_COPY => self.copy(rela)?,
            R_DTPMOD64 => {
                let module = self.thread_local(rela)?.and_then(|(object, _)| object.tls).map_or(0, |tls| tls.module);
                place.write_unaligned(module);
            }
            R_DTPOFF64 => {
                let offset = self.thread_local(rela)?.map_or(0, |(_, value)| value);
                place.write_unaligned(offset.wrapping_add(addend));
            }
            R_TPOFF64 => {
                if let Some((object, value)) = self.thread_local(rela)? {
                    let offset = self.static_offset(object)?;
                    place.write_unaligned(value.wrapping_add(addend).wrapping_sub(offset));
                }
            }
            R_TLSDESC => {
                let place = self.place(rela, 16)?;
                let found = self.thread_local(rela)?;
                let (function, argument) = match found {
                    None => tlsdesc::undefined(addend),
                    Some((object, value)) if object.tls_offset.get() != 0 => {
                        let offset = object.tls_offset.get();
                        tlsdesc::fixed(value.wrapping_add(addend).wrapping_sub(offset))
                    }
                    Some((object, value)) => {
                        let module = object.tls.map_or(0, |segment| segment.module);
                        tlsdesc::dynamic(module, value.wrapping_add(addend))
                    }
                };
                place.write_unaligned(function);
                place.wrapping_add(1).write_unaligned(argument);
            }
            other => return Err(fail!("{}: unsupported relocation type {other}", self.object.shown())),
        }
        Ok(())
    }

    /// A copy relocation: the program holds the variable, a library its first value.
    unsafe fn copy(&mut self, rela: &Rela) -> Result<()> {
        let object = self.object;
        let symbol = object.symbol(rela.symbol())?;
        // SAFETY: the string table ends in NUL.
        let text = CStr::from_ptr(object.name_at(symbol).cast()).to_bytes();
        let name = Name::new(text);
        let version = symbols::version_of_reference(&object, rela.symbol());
        let query = Query { name: &name, version, call: false, exact: false };
        let found = symbols::lookup(self.global, &query, Some(object));
        let Some(found) = found else {
            if symbol.st_info >> 4 == STB_WEAK {
                return Ok(());
            }
            return Err(undefined(object, text, version));
        };
        let len = (symbol.st_size as usize).min(found.symbol.st_size as usize);
        let to = self.place(rela, len)?;
        let from = found.raw_address();
        found.object.check(from, len, "size of a variable")?;
        ptr::copy_nonoverlapping(from as *const u8, to.cast::<u8>(), len);
        Ok(())
    }
}

/// The error of a reference to nothing.
pub fn undefined(object: ObjectRef, name: &[u8], version: Option<&[u8]>) -> super::error::Error {
    let version = match version {
        Some(version) => alloc::format!(", version {}", show(version)),
        None => alloc::string::String::new(),
    };
    let what = alloc::format!("undefined symbol: {}{version}", show(name));
    Error::new(object.shown(), what, 0).on(Occasion::Lookup)
}
