//! A loaded ELF object.

use super::elf::*;
use super::error::{Error, Result, fail, show};
use super::symbols::{GnuHash, SysvHash, Version};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ffi::c_char;
use core::ops::{Deref, Range};
use core::slice;

/// A table in an object's memory: address and number of entries.
#[derive(Clone, Copy)]
pub struct Table<T> {
    start: *const T,
    len: usize,
}

impl<T> Table<T> {
    /// No entries.
    pub const EMPTY: Table<T> = Table { start: core::ptr::null(), len: 0 };

    /// The entries.
    pub fn as_slice(&self) -> &'static [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: made by `Object::table`, which checked the range; an object stays mapped while
        // it is in use.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

/// An object's thread-local segment.
#[derive(Clone, Copy)]
pub struct TlsSegment {
    /// Its number, from 1.
    pub module: usize,
    /// The initial bytes.
    pub image: *const u8,
    /// Length of the initial bytes.
    pub file_size: usize,
    /// Length of the whole block.
    pub size: usize,
    /// Its alignment.
    pub align: usize,
    /// The block's address is congruent to this, modulo `align`.
    pub address: usize,
}

/// What debuggers and programs see of an object: `struct link_map` of glibc's link.h. A handle of `dlopen` points to it.
#[repr(C)]
pub struct LinkMap {
    /// What to add to an address of the file.
    pub base: usize,
    /// The path.
    pub name: *const c_char,
    /// The dynamic section.
    pub dynamic: *const Dyn,
    /// The object loaded next, or null.
    pub next: Cell<*const LinkMap>,
    /// The one before, or null.
    pub previous: Cell<*const LinkMap>,
}

/// One loaded object. Fields in cells change after it was made, under the registry's lock.
#[repr(C)]
pub struct Object {
    /// The part that others know; first, as handles point here.
    pub link: LinkMap,
    /// Path as opened; the program's is empty, as `dl_iterate_phdr` reports it. Ends in NUL.
    pub path: Vec<u8>,
    /// Names it is known by: DT_SONAME and the names it was asked for, without NUL.
    pub names: RefCell<Vec<Vec<u8>>>,
    /// Device and inode, to recognise a file under another name.
    pub identity: (u64, u64),
    /// What to add to an address of the file.
    pub base: usize,
    /// The mapping.
    pub map_start: usize,
    /// Its length.
    pub map_len: usize,
    /// Program headers in memory.
    pub phdrs: Table<Phdr>,
    /// DT_DEBUG's and everybody's dynamic section.
    pub dynamic: *const Dyn,
    /// The entry point.
    pub entry: usize,

    symtab: usize,
    strtab: usize,
    strsz: usize,
    /// DT_GNU_HASH.
    pub gnu_hash: Option<GnuHash>,
    /// DT_HASH.
    pub sysv_hash: Option<SysvHash>,
    /// DT_VERSYM.
    pub versym: *const u16,
    /// Version names by index.
    pub versions: Vec<Option<Version>>,
    /// DT_RELA.
    pub rela: Table<Rela>,
    /// DT_JMPREL.
    pub jmprel: Table<Rela>,
    /// DT_RELR.
    pub relr: Table<usize>,
    /// DT_INIT, or 0.
    pub init: usize,
    /// DT_FINI, or 0.
    pub fini: usize,
    /// DT_PREINIT_ARRAY.
    pub preinit_array: Table<usize>,
    /// DT_INIT_ARRAY.
    pub init_array: Table<usize>,
    /// DT_FINI_ARRAY.
    pub fini_array: Table<usize>,
    /// DT_NEEDED, without NUL.
    pub needed: Vec<&'static [u8]>,
    /// DT_RUNPATH.
    pub runpath: Option<&'static [u8]>,
    /// DT_RPATH, which counts only without DT_RUNPATH.
    pub rpath: Option<&'static [u8]>,
    /// PT_TLS.
    pub tls: Option<TlsSegment>,
    /// PT_GNU_RELRO: start and length.
    pub relro: Option<(usize, usize)>,
    /// PT_GNU_EH_FRAME's address, or 0.
    pub eh_frame_hdr: usize,
    /// Memory that may be read: segments, adjacent ones as one. Between them may be nothing.
    readable: Vec<Range<usize>>,
    /// Memory that relocations may go to.
    writable: Vec<Range<usize>>,
    /// DT_SYMBOLIC.
    pub symbolic: bool,
    /// This library itself.
    pub is_self: bool,

    /// DT_PLTGOT, or 0.
    pub pltgot: usize,
    /// It is to be bound before it runs: DF_BIND_NOW, DF_1_NOW.
    pub bind_now: bool,
    /// A program: `dlopen` refuses it.
    pub pie: bool,

    /// Who made it be loaded, for DT_RPATH.
    pub loader: Cell<Option<ObjectRef>>,
    /// Its own scope comes before the global one: RTLD_DEEPBIND.
    pub deepbind: Cell<bool>,
    /// Direct dependencies.
    pub deps: RefCell<Vec<ObjectRef>>,
    /// What is searched after the global scope.
    pub local_scope: Cell<&'static [ObjectRef]>,
    /// Static TLS: the block is at `%fs` minus this. 0 when dynamic.
    pub tls_offset: Cell<usize>,
    /// In the global scope.
    pub global: Cell<bool>,
    /// Relocations done.
    pub relocated: Cell<bool>,
    /// Constructors were started.
    pub constructed: Cell<bool>,
    /// Destructors were run.
    pub destructed: Cell<bool>,
    /// Never unloaded.
    pub permanent: Cell<bool>,
    /// Calls of dlopen without dlclose.
    pub opens: Cell<usize>,
}

/// A reference to an object that stays valid until it is unloaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObjectRef(*const Object);

impl Deref for ObjectRef {
    type Target = Object;
    fn deref(&self) -> &Object {
        // SAFETY: made from a Box that is freed only by `destroy`.
        unsafe { &*self.0 }
    }
}

impl ObjectRef {
    /// Takes an object to the heap for good.
    pub fn new(mut object: Object) -> ObjectRef {
        object.link.name = object.path.as_ptr().cast();
        object.link.dynamic = object.dynamic;
        ObjectRef(Box::into_raw(Box::new(object)))
    }

    /// The handle `dlopen` returns.
    pub fn as_ptr(self) -> *const Object {
        self.0
    }

    /// The object behind a pointer from [`ObjectRef::as_ptr`].
    ///
    /// # Safety
    /// It is one, and the object's description was not freed.
    pub unsafe fn from_ptr(object: *const Object) -> ObjectRef {
        ObjectRef(object)
    }
}

fn holds(range: &Range<usize>, start: usize, len: usize) -> bool {
    start >= range.start && start <= range.end && len <= range.end - start
}

/// What was found out about a mapping before its dynamic section is read.
pub struct Mapping {
    /// Path, ending in NUL.
    pub path: Vec<u8>,
    /// Device and inode.
    pub identity: (u64, u64),
    /// What to add to an address of the file.
    pub base: usize,
    /// Program headers, as a table in the mapping or a copy that lives on.
    pub phdrs: &'static [Phdr],
    /// Relocated entry point.
    pub entry: usize,
    /// This library itself.
    pub is_self: bool,
}

impl Object {
    /// Reads program headers and dynamic section of what is mapped.
    ///
    /// # Errors
    /// Whatever lies outside the mapping or contradicts itself.
    ///
    /// # Safety
    /// The PT_LOADs of `mapping.phdrs` are mapped at `mapping.base`, and stay so.
    pub unsafe fn new(mapping: Mapping) -> Result<Object> {
        let base = mapping.base;
        let (mut low, mut high) = (usize::MAX, 0);
        let mut readable: Vec<Range<usize>> = Vec::new();
        let mut writable = Vec::new();
        for phdr in mapping.phdrs.iter().filter(|phdr| phdr.p_type == PT_LOAD) {
            let start = base.wrapping_add(phdr.p_vaddr as usize);
            let end = start.wrapping_add(phdr.p_memsz as usize);
            let (first, last) = (start & !(PAGE - 1), end.next_multiple_of(PAGE));
            low = low.min(first);
            high = high.max(last);
            if phdr.p_flags & (PF_R | PF_W) == PF_R | PF_W {
                writable.push(start..end);
            }
            match readable.last_mut() {
                _ if phdr.p_flags & PF_R == 0 => {}
                Some(before) if before.end == first => before.end = last,
                _ => readable.push(first..last),
            }
        }
        if low > high {
            return Err(fail!("{}: nothing to load", show(&mapping.path)));
        }
        let mut object = Object {
            link: LinkMap {
                base,
                name: core::ptr::null(),
                dynamic: core::ptr::null(),
                next: Cell::new(core::ptr::null()),
                previous: Cell::new(core::ptr::null()),
            },
            path: mapping.path,
            names: RefCell::new(Vec::new()),
            identity: mapping.identity,
            base,
            map_start: low,
            map_len: high - low,
            phdrs: Table { start: mapping.phdrs.as_ptr(), len: mapping.phdrs.len() },
            dynamic: core::ptr::null(),
            entry: mapping.entry,
            symtab: 0,
            strtab: 0,
            strsz: 0,
            gnu_hash: None,
            sysv_hash: None,
            versym: core::ptr::null(),
            versions: Vec::new(),
            rela: Table::EMPTY,
            jmprel: Table::EMPTY,
            relr: Table::EMPTY,
            init: 0,
            fini: 0,
            preinit_array: Table::EMPTY,
            init_array: Table::EMPTY,
            fini_array: Table::EMPTY,
            needed: Vec::new(),
            runpath: None,
            rpath: None,
            tls: None,
            relro: None,
            eh_frame_hdr: 0,
            readable,
            writable,
            symbolic: false,
            is_self: mapping.is_self,
            pltgot: 0,
            bind_now: false,
            pie: false,
            loader: Cell::new(None),
            deepbind: Cell::new(false),
            deps: RefCell::new(Vec::new()),
            local_scope: Cell::new(&[]),
            tls_offset: Cell::new(0),
            global: Cell::new(false),
            relocated: Cell::new(false),
            constructed: Cell::new(false),
            destructed: Cell::new(false),
            permanent: Cell::new(false),
            opens: Cell::new(0),
        };
        let mut dynamic = (0, 0);
        for phdr in mapping.phdrs {
            let start = base.wrapping_add(phdr.p_vaddr as usize);
            let (len, file_len) = (phdr.p_memsz as usize, phdr.p_filesz as usize);
            match phdr.p_type {
                PT_DYNAMIC => dynamic = (start, file_len),
                PT_GNU_EH_FRAME => object.eh_frame_hdr = start,
                PT_GNU_RELRO => {
                    object.check(start, len, "RELRO segment")?;
                    object.relro = Some((start, len));
                }
                PT_TLS if len > 0 => {
                    object.check(start, file_len, "TLS segment")?;
                    let align = (phdr.p_align as usize).max(1);
                    if !align.is_power_of_two() || align > PAGE || file_len > len || len > 1 << 30 {
                        return Err(object.damaged("TLS segment"));
                    }
                    object.tls = Some(TlsSegment {
                        module: 0,
                        image: start as *const u8,
                        file_size: file_len,
                        size: len,
                        align,
                        address: start,
                    });
                }
                _ => {}
            }
        }
        if dynamic.1 < size_of::<Dyn>() {
            return Err(Error::new(object.shown(), "object file has no dynamic section", 0));
        }
        object.check(dynamic.0, dynamic.1, "dynamic section")?;
        if dynamic.0 % align_of::<Dyn>() != 0 {
            return Err(object.damaged("dynamic section"));
        }
        object.dynamic = dynamic.0 as *const Dyn;
        let entries = slice::from_raw_parts(object.dynamic, dynamic.1 / size_of::<Dyn>());
        object.read_dynamic(entries)?;
        Ok(object)
    }

    fn read_dynamic(&mut self, entries: &[Dyn]) -> Result<()> {
        let entries = entries.iter().take_while(|entry| entry.tag != DT_NULL);
        let find = |tag: i64| entries.clone().find(|entry| entry.tag == tag).map(|entry| entry.value);
        let base = self.base;
        let address = |tag: i64| find(tag).map(|value| base.wrapping_add(value));

        self.strsz = find(DT_STRSZ).unwrap_or(0);
        self.strtab = address(DT_STRTAB).unwrap_or(0);
        self.symtab = address(DT_SYMTAB).unwrap_or(0);
        if self.strtab == 0 || self.symtab == 0 || self.strsz == 0 || !self.symtab.is_multiple_of(8) {
            return Err(self.damaged("symbol table"));
        }
        self.check(self.strtab, self.strsz, "string table")?;
        self.check(self.symtab, size_of::<Sym>(), "symbol table")?;
        // SAFETY: just checked.
        if unsafe { *((self.strtab + self.strsz - 1) as *const u8) } != 0 {
            return Err(self.damaged("string table"));
        }

        self.rela = self.table(address(DT_RELA), find(DT_RELASZ), "DT_RELA")?;
        self.jmprel = self.table(address(DT_JMPREL), find(DT_PLTRELSZ), "DT_JMPREL")?;
        self.relr = self.table(address(DT_RELR), find(DT_RELRSZ), "DT_RELR")?;
        self.init_array = self.table(address(DT_INIT_ARRAY), find(DT_INIT_ARRAYSZ), "DT_INIT_ARRAY")?;
        self.fini_array = self.table(address(DT_FINI_ARRAY), find(DT_FINI_ARRAYSZ), "DT_FINI_ARRAY")?;
        self.preinit_array = self.table(address(DT_PREINIT_ARRAY), find(DT_PREINIT_ARRAYSZ), "DT_PREINIT_ARRAY")?;
        self.init = address(DT_INIT).unwrap_or(0);
        self.fini = address(DT_FINI).unwrap_or(0);
        for function in [self.init, self.fini] {
            if function != 0 {
                self.check(function, 1, "DT_INIT or DT_FINI")?;
            }
        }

        if let Some(at) = address(DT_GNU_HASH) {
            self.gnu_hash = Some(GnuHash::new(self, at)?);
        }
        if let Some(at) = address(DT_HASH) {
            self.sysv_hash = Some(SysvHash::new(self, at)?);
        }
        if let Some(at) = address(DT_VERSYM) {
            self.check(at, 2, "DT_VERSYM")?;
            self.versym = at as *const u16;
        }
        self.versions = super::symbols::read_versions(
            self,
            address(DT_VERDEF).zip(find(DT_VERDEFNUM)),
            address(DT_VERNEED).zip(find(DT_VERNEEDNUM)),
        )?;

        for offset in entries.clone().filter(|entry| entry.tag == DT_NEEDED).map(|entry| entry.value) {
            self.needed.push(self.string(offset)?);
        }
        if let Some(offset) = find(DT_SONAME) {
            let soname = self.string(offset)?.to_vec();
            self.names.get_mut().push(soname);
        }
        self.runpath = find(DT_RUNPATH).map(|offset| self.string(offset)).transpose()?;
        self.rpath = find(DT_RPATH).map(|offset| self.string(offset)).transpose()?;
        self.symbolic = find(DT_SYMBOLIC).is_some() || find(DT_FLAGS).unwrap_or(0) & DF_SYMBOLIC != 0;
        self.pltgot = address(DT_PLTGOT).unwrap_or(0);
        let flags_1 = find(DT_FLAGS_1).unwrap_or(0);
        self.bind_now =
            find(DT_BIND_NOW).is_some() || find(DT_FLAGS).unwrap_or(0) & DF_BIND_NOW != 0 || flags_1 & DF_1_NOW != 0;
        self.pie = flags_1 & DF_1_PIE != 0;
        self.permanent.set(flags_1 & DF_1_NODELETE != 0);
        Ok(())
    }

    /// Path without NUL.
    pub fn path_bytes(&self) -> &[u8] {
        self.path.strip_suffix(&[0]).unwrap_or(&self.path)
    }

    /// A name for messages.
    pub fn shown(&self) -> alloc::borrow::Cow<'_, str> {
        if self.path_bytes().is_empty() { super::start::program_name() } else { show(self.path_bytes()) }
    }

    /// The error of a file whose `what` makes no sense.
    pub fn damaged(&self, what: &str) -> super::error::Error {
        fail!("{}: damaged ELF file: {what}", self.shown())
    }

    /// Whether `start..start + len` can be read.
    #[inline]
    pub fn contains(&self, start: usize, len: usize) -> bool {
        self.readable.iter().any(|range| holds(range, start, len))
    }

    /// The end of the readable memory that `start` lies in.
    pub fn readable_end(&self, start: usize) -> usize {
        self.readable.iter().find(|range| range.contains(&start)).map_or(start, |range| range.end)
    }

    /// [`Object::contains`] as an error that names `what`.
    ///
    /// # Errors
    /// The range is not inside.
    pub fn check(&self, start: usize, len: usize, what: &str) -> Result<()> {
        if self.contains(start, len) { Ok(()) } else { Err(self.damaged(what)) }
    }

    fn table<T>(&self, start: Option<usize>, bytes: Option<usize>, what: &str) -> Result<Table<T>> {
        let (Some(start), Some(bytes)) = (start, bytes) else {
            return Ok(Table::EMPTY);
        };
        self.check(start, bytes, what)?;
        if start % align_of::<T>() != 0 {
            return Err(self.damaged(what));
        }
        Ok(Table { start: start as *const T, len: bytes / size_of::<T>() })
    }

    /// The string at `offset` of the string table, without NUL.
    ///
    /// # Errors
    /// The offset is outside.
    pub fn string(&self, offset: usize) -> Result<&'static [u8]> {
        if offset >= self.strsz {
            return Err(self.damaged("string offset"));
        }
        // SAFETY: inside the table, which ends in NUL.
        Ok(unsafe { core::ffi::CStr::from_ptr((self.strtab + offset) as *const _).to_bytes() })
    }

    /// Symbol number `index`.
    ///
    /// # Errors
    /// It is outside the mapping.
    #[inline]
    pub fn symbol(&self, index: u32) -> Result<&'static Sym> {
        let at = self.symtab + index as usize * size_of::<Sym>();
        if !self.contains(at, size_of::<Sym>()) {
            return Err(self.damaged("symbol index"));
        }
        // SAFETY: inside the mapping and aligned.
        Ok(unsafe { &*(at as *const Sym) })
    }

    /// A pointer to the name of a symbol, checked to be in the string table.
    #[inline]
    pub fn name_at(&self, symbol: &Sym) -> *const u8 {
        let offset = (symbol.st_name as usize).min(self.strsz - 1);
        (self.strtab + offset) as *const u8
    }

    /// Whether a word at `place` may be relocated.
    #[inline]
    pub fn may_write(&self, place: usize, len: usize) -> bool {
        self.writable.iter().any(|range| holds(range, place, len))
    }
}
