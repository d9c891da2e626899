//! Finding symbols: hash tables, versions, scopes.

use super::elf::*;
use super::error::Result;
use super::object::{Object, ObjectRef};

/// A version name.
#[derive(Clone, Copy)]
pub struct Version {
    /// Its text.
    pub name: &'static [u8],
    /// Who defines it, or empty: the object itself.
    pub file: &'static [u8],
    /// It need not exist: VER_FLG_WEAK.
    pub weak: bool,
}

/// DT_GNU_HASH.
#[derive(Clone, Copy)]
pub struct GnuHash {
    buckets: *const u32,
    bucket_count: u32,
    offset: u32,
    bloom: *const u64,
    bloom_mask: u32,
    bloom_shift: u32,
    chains: *const u32,
    chains_end: *const u32,
}

impl GnuHash {
    /// Reads and checks the table at `at`.
    ///
    /// # Errors
    /// A part of it lies outside the object.
    pub fn new(object: &Object, at: usize) -> Result<GnuHash> {
        object.check(at, 16, "DT_GNU_HASH")?;
        if !at.is_multiple_of(8) {
            return Err(object.damaged("DT_GNU_HASH"));
        }
        // SAFETY: just checked.
        let [bucket_count, offset, bloom_words, bloom_shift] = unsafe { *(at as *const [u32; 4]) };
        let bloom = at + 16;
        let buckets = bloom + bloom_words as usize * 8;
        let chains = buckets + bucket_count as usize * 4;
        object.check(at, chains - at, "DT_GNU_HASH")?;
        if bucket_count == 0 || !bloom_words.is_power_of_two() {
            return Err(object.damaged("DT_GNU_HASH"));
        }
        let end = object.readable_end(at);
        Ok(GnuHash {
            buckets: buckets as *const u32,
            bucket_count,
            offset,
            bloom: bloom as *const u64,
            bloom_mask: bloom_words - 1,
            bloom_shift: bloom_shift & 31,
            chains: chains as *const u32,
            chains_end: (end & !3) as *const u32,
        })
    }

    /// Calls `found` with each symbol index whose hash is `hash`, until it returns a value.
    #[inline]
    fn find<T>(&self, hash: u32, mut found: impl FnMut(u32) -> Option<T>) -> Option<T> {
        // SAFETY: bloom and buckets were checked; the chain is followed no further than the mapping.
        unsafe {
            let word = *self.bloom.add(((hash / 64) & self.bloom_mask) as usize);
            let bits = 1u64 << (hash % 64) | 1u64 << ((hash >> self.bloom_shift) % 64);
            if word & bits != bits {
                return None;
            }
            let mut index = *self.buckets.add((hash % self.bucket_count) as usize);
            if index < self.offset {
                return None;
            }
            let mut chain = self.chains.wrapping_add((index - self.offset) as usize);
            while chain < self.chains_end && chain >= self.chains {
                let entry = *chain;
                if (entry ^ hash) >> 1 == 0 {
                    let value = found(index);
                    if value.is_some() {
                        return value;
                    }
                }
                if entry & 1 != 0 {
                    return None;
                }
                chain = chain.add(1);
                index = index.wrapping_add(1);
            }
        }
        None
    }

    /// Calls `each` with every symbol index in the table.
    pub fn for_each(&self, mut each: impl FnMut(u32)) {
        // SAFETY: as in `find`.
        unsafe {
            // Every entry is in one chain; buckets that share their chains must not make this quadratic.
            let mut left = (self.chains_end.addr() - self.chains.addr()) / 4;
            for bucket in 0..self.bucket_count as usize {
                let mut index = *self.buckets.add(bucket);
                if index < self.offset {
                    continue;
                }
                let mut chain = self.chains.wrapping_add((index - self.offset) as usize);
                while chain < self.chains_end && chain >= self.chains {
                    each(index);
                    left -= 1;
                    if left == 0 {
                        return;
                    }
                    if *chain & 1 != 0 {
                        break;
                    }
                    chain = chain.add(1);
                    index = index.wrapping_add(1);
                }
            }
        }
    }
}

/// DT_HASH.
#[derive(Clone, Copy)]
pub struct SysvHash {
    buckets: *const u32,
    bucket_count: u32,
    chains: *const u32,
    chain_count: u32,
}

impl SysvHash {
    /// Reads and checks the table at `at`.
    ///
    /// # Errors
    /// A part of it lies outside the object.
    pub fn new(object: &Object, at: usize) -> Result<SysvHash> {
        object.check(at, 8, "DT_HASH")?;
        if !at.is_multiple_of(4) {
            return Err(object.damaged("DT_HASH"));
        }
        // SAFETY: just checked.
        let [bucket_count, chain_count] = unsafe { *(at as *const [u32; 2]) };
        object.check(at, 8 + (bucket_count as usize + chain_count as usize) * 4, "DT_HASH")?;
        let buckets = (at + 8) as *const u32;
        Ok(SysvHash { buckets, bucket_count, chains: buckets.wrapping_add(bucket_count as usize), chain_count })
    }

    fn find<T>(&self, hash: u32, mut found: impl FnMut(u32) -> Option<T>) -> Option<T> {
        if self.bucket_count == 0 {
            return None;
        }
        // SAFETY: indexes are compared with the checked count; a cycle ends after that many steps.
        unsafe {
            let mut index = *self.buckets.add((hash % self.bucket_count) as usize);
            for _ in 0..self.chain_count {
                if index == 0 || index >= self.chain_count {
                    return None;
                }
                let value = found(index);
                if value.is_some() {
                    return value;
                }
                index = *self.chains.add(index as usize);
            }
        }
        None
    }

    /// Calls `each` with every symbol index.
    pub fn for_each(&self, each: impl FnMut(u32)) {
        (1..self.chain_count).for_each(each);
    }
}

/// A name to look up, hashed.
pub struct Name {
    text: &'static [u8],
    gnu: u32,
}

impl Name {
    /// Hashes `text`.
    pub fn new(text: &[u8]) -> Name {
        let gnu = text.iter().fold(5381u32, |hash, &byte| hash.wrapping_mul(33).wrapping_add(byte as u32));
        // SAFETY: a Name is used within the lookup it is made for; the lifetime is only shortened
        // for callers whose text lives shorter.
        let text = unsafe { core::mem::transmute::<&[u8], &'static [u8]>(text) };
        Name { text, gnu }
    }

    fn sysv(&self) -> u32 {
        self.text.iter().fold(0u32, |hash, &byte| {
            let hash = (hash << 4).wrapping_add(byte as u32);
            let high = hash & 0xf000_0000;
            (hash ^ high >> 24) & !high
        })
    }

    /// Whether the NUL-terminated string at `other` is this name.
    unsafe fn is(&self, other: *const u8) -> bool {
        for (index, &byte) in self.text.iter().enumerate() {
            // SAFETY: stops at the first difference, the NUL at the latest.
            if unsafe { *other.add(index) } != byte {
                return false;
            }
        }
        // SAFETY: all bytes before were not NUL.
        unsafe { *other.add(self.text.len()) == 0 }
    }
}

/// A definition.
#[derive(Clone, Copy)]
pub struct Found {
    /// Who defines it.
    pub object: ObjectRef,
    /// The symbol.
    pub symbol: &'static Sym,
}

impl Found {
    /// The symbol's type, STT_*.
    pub fn kind(&self) -> u8 {
        self.symbol.st_info & 15
    }

    /// The symbol's binding, STB_*.
    pub fn binding(&self) -> u8 {
        self.symbol.st_info >> 4
    }

    /// The symbol's address, an indirect function's resolver left alone.
    pub fn raw_address(&self) -> usize {
        let value = self.symbol.st_value as usize;
        if self.symbol.st_shndx == SHN_ABS { value } else { self.object.base.wrapping_add(value) }
    }
}

/// What a reference asks for.
pub struct Query<'a> {
    /// The name.
    pub name: &'a Name,
    /// The version, if it has one.
    pub version: Option<&'static [u8]>,
    /// A call through the PLT: a program's own PLT entry is no definition then.
    pub call: bool,
    /// A definition without a version does not serve: dlvsym(3).
    pub exact: bool,
}

const VERSION_HIDDEN: u16 = 0x8000;
const VER_FLG_WEAK: u16 = 2;

/// Looks for a definition in one object.
pub fn lookup_in(object: ObjectRef, query: &Query) -> Option<Found> {
    let accept = |index: u32| -> Option<Found> {
        let symbol = object.symbol(index).ok()?;
        let (kind, binding) = (symbol.st_info & 15, symbol.st_info >> 4);
        if symbol.st_shndx == SHN_UNDEF && (query.call || kind != STT_FUNC || symbol.st_value == 0) {
            return None;
        }
        if symbol.st_value == 0 && kind != STT_TLS && symbol.st_shndx != SHN_ABS {
            return None;
        }
        if binding == STB_LOCAL || !matches!(kind, 0 | 1 | 2 | 5 | 6 | 10) {
            return None;
        }
        // SAFETY: `name_at` points into the string table, which ends in NUL.
        if !unsafe { query.name.is(object.name_at(symbol)) } {
            return None;
        }
        version_matches(&object, index, query).then_some(Found { object, symbol })
    };
    if let Some(table) = &object.gnu_hash {
        table.find(query.name.gnu, accept)
    } else if let Some(table) = &object.sysv_hash {
        table.find(query.name.sysv(), accept)
    } else {
        None
    }
}

fn version_matches(object: &Object, index: u32, query: &Query) -> bool {
    // relibc has one definition per name, whatever version asks for it.
    if object.versym.is_null() || object.is_self {
        return true;
    }
    let at = object.versym.wrapping_add(index as usize);
    if !object.contains(at as usize, 2) {
        return false;
    }
    // SAFETY: inside the mapping.
    let entry = unsafe { at.read_unaligned() };
    let number = (entry & !VERSION_HIDDEN) as usize;
    match query.version {
        None => entry & VERSION_HIDDEN == 0,
        // 0 is local to the object, 1 is global without a version.
        Some(_) if number < 2 => number == 1 && !query.exact,
        Some(wanted) => match object.versions.get(number) {
            Some(Some(version)) => version.name == wanted,
            _ => false,
        },
    }
}

/// The version that `object` asks for in its reference number `index`.
pub fn version_of_reference(object: &Object, index: u32) -> Option<&'static [u8]> {
    if object.versym.is_null() {
        return None;
    }
    let at = object.versym.wrapping_add(index as usize);
    if !object.contains(at as usize, 2) {
        return None;
    }
    // SAFETY: inside the mapping.
    let number = (unsafe { at.read_unaligned() } & !VERSION_HIDDEN) as usize;
    object.versions.get(number).copied().flatten().map(|version| version.name)
}

/// Looks for a definition in a list of objects, leaving one out.
pub fn lookup(scope: &[ObjectRef], query: &Query, except: Option<ObjectRef>) -> Option<Found> {
    scope.iter().filter(|object| Some(**object) != except).find_map(|object| lookup_in(*object, query))
}

/// Reads DT_VERDEF and DT_VERNEED (address, number of entries) into names by index.
///
/// # Errors
/// A record or name outside the object.
pub fn read_versions(
    object: &Object,
    defined: Option<(usize, usize)>,
    needed: Option<(usize, usize)>,
) -> Result<alloc::vec::Vec<Option<Version>>> {
    // Indexes have 15 bits; more records than twice that are a trick to keep us busy.
    let mut records = 1u32 << 16;
    let mut versions = alloc::vec::Vec::new();
    let mut put = |index: u16, version: Version| {
        let index = (index & !VERSION_HIDDEN) as usize;
        if versions.len() <= index {
            versions.resize(index + 1, None);
        }
        versions[index] = Some(version);
    };
    let read16 = |at: usize| -> Result<u16> {
        object.check(at, 2, "version record")?;
        // SAFETY: just checked.
        Ok(unsafe { (at as *const u16).read_unaligned() })
    };
    let read32 = |at: usize| -> Result<usize> {
        object.check(at, 4, "version record")?;
        // SAFETY: just checked.
        Ok(unsafe { (at as *const u32).read_unaligned() } as usize)
    };
    // Elf64_Verdef: version, flags, ndx, cnt (u16), hash, aux, next (u32); Verdaux: name, next.
    if let Some((mut at, count)) = defined {
        for _ in 0..count {
            records = records.checked_sub(1).ok_or_else(|| object.damaged("version record"))?;
            let name = object.string(read32(at + read32(at + 12)?)?)?;
            put(read16(at + 4)?, Version { name, file: b"", weak: false });
            match read32(at + 16)? {
                0 => break,
                next => at += next,
            }
        }
    }
    // Elf64_Verneed: version, cnt (u16), file, aux, next (u32); Vernaux: hash (u32), flags, other
    // (u16), name, next (u32).
    if let Some((mut at, count)) = needed {
        for _ in 0..count {
            records = records.checked_sub(1).ok_or_else(|| object.damaged("version record"))?;
            let mut aux = at + read32(at + 8)?;
            let file = object.string(read32(at + 4)?)?;
            for _ in 0..read16(at + 2)? {
                records = records.checked_sub(1).ok_or_else(|| object.damaged("version record"))?;
                let name = object.string(read32(aux + 8)?)?;
                let weak = read16(aux + 4)? & VER_FLG_WEAK != 0;
                put(read16(aux + 6)?, Version { name, file, weak });
                match read32(aux + 12)? {
                    0 => break,
                    next => aux += next,
                }
            }
            match read32(at + 12)? {
                0 => break,
                next => at += next,
            }
        }
    }
    Ok(versions)
}
