//! The ELF format, as far as a loader needs it. System V ABI, x86-64 psABI, and glibc's elf.h.

pub use libc::{Elf64_Ehdr as Header, Elf64_Phdr as Phdr, Elf64_Sym as Sym};

/// An entry of the dynamic section.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Dyn {
    /// DT_*.
    pub tag: i64,
    /// A value or an unrelocated address.
    pub value: usize,
}

/// A relocation with addend.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Rela {
    /// Unrelocated address of the place.
    pub offset: usize,
    /// Symbol index (high half) and type (low half).
    pub info: u64,
    /// Addend.
    pub addend: isize,
}

impl Rela {
    /// R_X86_64_*.
    pub fn kind(&self) -> u32 {
        self.info as u32
    }

    /// Index into the symbol table.
    pub fn symbol(&self) -> u32 {
        (self.info >> 32) as u32
    }
}

pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;
pub const EM_X86_64: u16 = 62;

pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_PHDR: u32 = 6;
pub const PT_TLS: u32 = 7;
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
pub const PT_GNU_RELRO: u32 = 0x6474_e552;
pub const PF_X: u32 = 1;
pub const PF_W: u32 = 2;
pub const PF_R: u32 = 4;

pub const DT_NULL: i64 = 0;
pub const DT_NEEDED: i64 = 1;
pub const DT_PLTRELSZ: i64 = 2;
pub const DT_PLTGOT: i64 = 3;
pub const DT_HASH: i64 = 4;
pub const DT_STRTAB: i64 = 5;
pub const DT_SYMTAB: i64 = 6;
pub const DT_RELA: i64 = 7;
pub const DT_RELASZ: i64 = 8;
pub const DT_STRSZ: i64 = 10;
pub const DT_INIT: i64 = 12;
pub const DT_FINI: i64 = 13;
pub const DT_SONAME: i64 = 14;
pub const DT_RPATH: i64 = 15;
pub const DT_SYMBOLIC: i64 = 16;
pub const DT_DEBUG: i64 = 21;
pub const DT_JMPREL: i64 = 23;
pub const DT_BIND_NOW: i64 = 24;
pub const DT_INIT_ARRAY: i64 = 25;
pub const DT_FINI_ARRAY: i64 = 26;
pub const DT_INIT_ARRAYSZ: i64 = 27;
pub const DT_FINI_ARRAYSZ: i64 = 28;
pub const DT_RUNPATH: i64 = 29;
pub const DT_FLAGS: i64 = 30;
pub const DT_PREINIT_ARRAY: i64 = 32;
pub const DT_PREINIT_ARRAYSZ: i64 = 33;
pub const DT_RELRSZ: i64 = 35;
pub const DT_RELR: i64 = 36;
pub const DT_GNU_HASH: i64 = 0x6fff_fef5;
pub const DT_VERSYM: i64 = 0x6fff_fff0;
pub const DT_FLAGS_1: i64 = 0x6fff_fffb;
pub const DT_VERDEF: i64 = 0x6fff_fffc;
pub const DT_VERDEFNUM: i64 = 0x6fff_fffd;
pub const DT_VERNEED: i64 = 0x6fff_fffe;
pub const DT_VERNEEDNUM: i64 = 0x6fff_ffff;

pub const DF_SYMBOLIC: usize = 2;
pub const DF_BIND_NOW: usize = 8;
pub const DF_1_NOW: usize = 1;
pub const DF_1_NODELETE: usize = 8;
pub const DF_1_PIE: usize = 0x0800_0000;

pub const R_NONE: u32 = 0;
pub const R_64: u32 = 1;
pub const R_COPY: u32 = 5;
pub const R_GLOB_DAT: u32 = 6;
pub const R_JUMP_SLOT: u32 = 7;
pub const R_RELATIVE: u32 = 8;
pub const R_DTPMOD64: u32 = 16;
pub const R_DTPOFF64: u32 = 17;
pub const R_TPOFF64: u32 = 18;
pub const R_TLSDESC: u32 = 36;
pub const R_IRELATIVE: u32 = 37;

pub const STB_LOCAL: u8 = 0;
pub const STB_WEAK: u8 = 2;
pub const STB_GNU_UNIQUE: u8 = 10;
pub const STT_FUNC: u8 = 2;
pub const STT_TLS: u8 = 6;
pub const STT_GNU_IFUNC: u8 = 10;
pub const SHN_UNDEF: u16 = 0;
pub const SHN_ABS: u16 = 0xfff1;

/// Bytes of a page.
pub const PAGE: usize = 4096;
