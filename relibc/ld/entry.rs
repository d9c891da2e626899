//! The first instructions of the loader.
//!
//! The kernel maps the loader anywhere and jumps to `_start` with no relocation done. Until
//! [`relocate_self`] has run, nothing may be used that holds an absolute address: no
//! vtable, no formatted panic, no table of pointers. `relocate_self` is therefore arithmetic on raw
//! pointers only.

use super::elf::*;
use core::arch::naked_asm;

/// Where the kernel enters, with `rsp` at `argc`.
///
/// # Safety
/// Only the kernel may call this.
#[unsafe(naked)]
#[cfg_attr(panic = "abort", unsafe(export_name = "_start"))]
pub unsafe extern "C" fn start() -> ! {
    naked_asm!(
        ".hidden _DYNAMIC",
        ".hidden __ehdr_start",
        "xor ebp, ebp",
        "mov rbx, rsp",
        "mov rdi, rsp",
        "lea rsi, [rip + _DYNAMIC]",
        "lea rdx, [rip + __ehdr_start]",
        "and rsp, -16",
        "call {go}",
        // The program's entry point; the stack is as the kernel left it, less our own arguments.
        "mov rsp, rbx",
        "xor edx, edx",
        "xor ebx, ebx",
        "xor ebp, ebp",
        "jmp rax",
        go = sym go,
    )
}

/// Relocates this object and runs the loader proper. Returns the program's entry point.
unsafe extern "C" fn go(stack: *mut usize, dynamic: *const Dyn, base: usize) -> usize {
    relocate_self(dynamic, base);
    super::start::run(stack, base)
}

/// Applies RELATIVE relocations, packed ones included, to the object at `base`.
unsafe fn relocate_self(dynamic: *const Dyn, base: usize) {
    let (mut rela, mut rela_size, mut relr, mut relr_size) = (0usize, 0usize, 0usize, 0usize);
    let mut entry = dynamic;
    while (*entry).tag != DT_NULL {
        let value = (*entry).value;
        // A chain of comparisons: a `match` could become a jump table, which needs relocation.
        if (*entry).tag == DT_RELA {
            rela = value;
        } else if (*entry).tag == DT_RELASZ {
            rela_size = value;
        } else if (*entry).tag == DT_RELR {
            relr = value;
        } else if (*entry).tag == DT_RELRSZ {
            relr_size = value;
        }
        entry = entry.add(1);
    }
    let mut at = base.wrapping_add(rela) as *const Rela;
    let end = base.wrapping_add(rela).wrapping_add(rela_size) as *const Rela;
    while at < end {
        if (*at).info as u32 == R_RELATIVE {
            *(base.wrapping_add((*at).offset) as *mut usize) = base.wrapping_add_signed((*at).addend);
        }
        at = at.add(1);
    }
    relr_apply(base, base.wrapping_add(relr) as *const usize, relr_size / 8);
}

/// Applies `count` words of DT_RELR: an even word is an address, an odd one a bitmap of the 63
/// words that follow the last.
///
/// # Safety
/// All places named are writable words of the object at `base`.
#[inline(always)]
pub unsafe fn relr_apply(base: usize, table: *const usize, count: usize) {
    let mut place = core::ptr::null_mut::<usize>();
    let mut index = 0;
    while index < count {
        let word = *table.add(index);
        if word & 1 == 0 {
            place = base.wrapping_add(word) as *mut usize;
            *place = (*place).wrapping_add(base);
            place = place.wrapping_add(1);
        } else {
            let mut bits = word >> 1;
            let mut at = place;
            while bits != 0 {
                if bits & 1 != 0 {
                    *at = (*at).wrapping_add(base);
                }
                bits >>= 1;
                at = at.wrapping_add(1);
            }
            place = place.wrapping_add(63);
        }
        index += 1;
    }
}
