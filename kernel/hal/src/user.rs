//! Checked access to the active user address space.
//!
//! Addresses are checked to be in the user half; pages may be missing. The instructions that touch user memory are listed
//! in the section `.extable` with the place to go on if they fault (`trap` does that), so a fault is an [`Err`], not
//! the end of the kernel. SMAP is lifted for just these instructions.
//!
//! User memory may change at any time under the kernel, and is no Rust memory: it is read and written in assembly only.

use alloc::vec::Vec;
use core::arch::asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::Once;
use crate::cpu;
use crate::mem::Frame;
use crate::paging::USER_END;

/// User memory could not be accessed: no page, or not with these rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first address that failed (or the range's, if the range is not in the user half).
    pub addr: usize,
    /// It was a write to user memory.
    pub write: bool,
}

/// CR4.SMAP is set, so user memory is out of reach but between `stac` and `clac`.
static SMAP: AtomicBool = AtomicBool::new(false);

/// The instructions that may fault and where to go on then, by address.
static FIXUPS: Once<Vec<(usize, usize)>> = Once::new();

/// An entry of `.extable`: offsets of the instruction and of its fix-up, each from its own field.
#[repr(C)]
struct Entry {
    instruction: i32,
    target: i32,
}

/// Sorts the fix-ups. Does nothing the second time.
pub(crate) fn init() {
    unsafe extern "C" {
        safe static __extable_start: Entry;
        safe static __extable_end: Entry;
    }
    SMAP.store(cpu::features().has_smap, Relaxed);
    let (start, end) = (&raw const __extable_start, &raw const __extable_end);
    let count = (end as usize - start as usize) / size_of::<Entry>();
    // SAFETY: the link script puts all entries of the section between the two symbols.
    let table = unsafe { core::slice::from_raw_parts(start, count) };
    let resolve = |field: &i32| (&raw const *field as usize).wrapping_add_signed(*field as isize);
    let mut fixups: Vec<_> = table.iter().map(|entry| (resolve(&entry.instruction), resolve(&entry.target))).collect();
    fixups.sort_unstable();
    let _ = FIXUPS.set(fixups);
}

/// Where to go on after a fault at `address` in the kernel; None if that is a bug.
pub(crate) fn fixup(address: usize) -> Option<usize> {
    let fixups = FIXUPS.get()?;
    let found = fixups.binary_search_by_key(&address, |fixup| fixup.0).ok()?;
    Some(fixups[found].1)
}

/// `len` bytes from `addr` on are in the user half.
#[inline(always)]
fn check(addr: usize, len: usize, write: bool) -> Result<(), Fault> {
    if len <= USER_END && addr <= USER_END - len { Ok(()) } else { Err(Fault { addr, write }) }
}

/// The fault that was just fixed up.
#[cold]
#[inline(never)]
fn fault(write: bool) -> Fault {
    Fault { addr: cpu::this().fault_address.get(), write }
}

/// Lists the instruction at label `$at` with the fix-up at label `$to`.
macro_rules! on_fault {
    ($at:literal, $to:literal) => {
        concat!(".pushsection .extable, \"a\"\n.balign 4\n.long ", $at, "b - .\n.long ", $to, "f - .\n.popsection")
    };
}

/// Copies upwards; one side is user memory. Returns 0, or the number of bytes or words that were left at a fault.
///
/// # Safety
/// The kernel's side is valid for `len` bytes, the other passed `check`.
#[inline(always)]
unsafe fn copy(dst: usize, src: usize, len: usize) -> usize {
    let left: usize;
    // SAFETY: as the caller promises; a fault ends at label 4 with what is left in rcx, never 0. DF is clear (psABI).
    unsafe {
        asm!(
            "cmp byte ptr [rip + {smap}], 0",
            "je 2f",
            "stac",
            "2:",
            "rep movsq",
            on_fault!("2", "4"),
            "mov rcx, {tail}",
            "3:",
            "rep movsb",
            on_fault!("3", "4"),
            "4:",
            "cmp byte ptr [rip + {smap}], 0",
            "je 5f",
            "clac",
            "5:",
            smap = sym SMAP,
            tail = in(reg) len % 8,
            inout("rcx") len / 8 => left,
            inout("rdi") dst => _,
            inout("rsi") src => _,
            options(nostack),
        );
    }
    left
}

/// One load or store of user memory: `$instruction` with operands `value` and `address`, 1 in `failed` after a fault.
macro_rules! access {
    ($instruction:literal, $address:expr, $($value:tt)*) => {{
        let failed: u32;
        asm!(
            "cmp byte ptr [rip + {smap}], 0",
            "je 2f",
            "stac",
            "2:",
            $instruction,
            on_fault!("2", "3"),
            "xor {failed:e}, {failed:e}",
            "3:",
            "cmp byte ptr [rip + {smap}], 0",
            "je 4f",
            "clac",
            "4:",
            smap = sym SMAP,
            address = in(reg) $address,
            failed = inout(reg) 1u32 => failed,
            $($value)*,
            options(nostack),
        );
        failed
    }};
}

/// Loads a word, None after a fault; `addr` has been checked.
#[inline(always)]
fn load_8(addr: usize) -> Option<u64> {
    let mut value: u64 = 0;
    // SAFETY: reads checked user memory; a fault is fixed up.
    let failed = unsafe { access!("mov {value}, [{address}]", addr, value = inout(reg) value) };
    (failed == 0).then_some(value)
}

/// Loads half a word, None after a fault; `addr` has been checked.
#[inline(always)]
fn load_4(addr: usize) -> Option<u32> {
    let mut value: u32 = 0;
    // SAFETY: reads checked user memory; a fault is fixed up.
    let failed = unsafe { access!("mov {value:e}, [{address}]", addr, value = inout(reg) value) };
    (failed == 0).then_some(value)
}

/// Stores a word, false after a fault; `addr` has been checked.
#[inline(always)]
fn store_8(addr: usize, value: u64) -> bool {
    // SAFETY: writes checked user memory; a fault is fixed up.
    let failed = unsafe { access!("mov [{address}], {value}", addr, value = in(reg) value) };
    failed == 0
}

/// Stores half a word, false after a fault; `addr` has been checked.
#[inline(always)]
fn store_4(addr: usize, value: u32) -> bool {
    // SAFETY: writes checked user memory; a fault is fixed up.
    let failed = unsafe { access!("mov [{address}], {value:e}", addr, value = in(reg) value) };
    failed == 0
}

/// # Safety
/// `dst` is valid for `len` bytes of kernel memory.
#[inline(always)]
unsafe fn from_user(dst: *mut u8, src: usize, len: usize) -> Result<(), Fault> {
    check(src, len, false)?;
    // SAFETY: the caller promises `dst`; `src` is checked.
    unsafe {
        match len {
            8 => dst.cast::<u64>().write_unaligned(load_8(src).ok_or_else(|| fault(false))?),
            4 => dst.cast::<u32>().write_unaligned(load_4(src).ok_or_else(|| fault(false))?),
            _ if copy(dst as usize, src, len) != 0 => return Err(fault(false)),
            _ => {}
        }
    }
    Ok(())
}

/// # Safety
/// `src` is valid for `len` bytes of kernel memory.
#[inline(always)]
unsafe fn to_user(dst: usize, src: *const u8, len: usize) -> Result<(), Fault> {
    check(dst, len, true)?;
    // SAFETY: the caller promises `src`; `dst` is checked.
    let done = unsafe {
        match len {
            8 => store_8(dst, src.cast::<u64>().read_unaligned()),
            4 => store_4(dst, src.cast::<u32>().read_unaligned()),
            _ => copy(dst, src as usize, len) == 0,
        }
    };
    if done { Ok(()) } else { Err(fault(true)) }
}

/// Fills `dst` from user memory.
///
/// # Errors
/// A page that cannot be read; part of `dst` may have been written.
#[inline]
pub fn copy_from_user(dst: &mut [u8], src: usize) -> Result<(), Fault> {
    // SAFETY: `dst` is a slice.
    unsafe { from_user(dst.as_mut_ptr(), src, dst.len()) }
}

/// Copies `src` to user memory.
///
/// # Errors
/// A page that cannot be written; part may have been.
#[inline]
pub fn copy_to_user(dst: usize, src: &[u8]) -> Result<(), Fault> {
    // SAFETY: `src` is a slice.
    unsafe { to_user(dst, src.as_ptr(), src.len()) }
}

/// Copies from user memory to a page. Panics if the range leaves the page.
///
/// # Errors
/// As for [`copy_from_user`].
#[inline]
pub fn copy_user_to_frame(frame: &Frame, offset: usize, src: usize, len: usize) -> Result<(), Fault> {
    // SAFETY: `bytes` checks the range.
    unsafe { from_user(frame.bytes(offset, len), src, len) }
}

/// Copies from a page to user memory. Panics if the range leaves the page.
///
/// # Errors
/// As for [`copy_to_user`].
#[inline]
pub fn copy_frame_to_user(dst: usize, frame: &Frame, offset: usize, len: usize) -> Result<(), Fault> {
    // SAFETY: `bytes` checks the range.
    unsafe { to_user(dst, frame.bytes(offset, len), len) }
}

/// Writes zeroes to user memory.
///
/// # Errors
/// As for [`copy_to_user`].
pub fn zero_user(dst: usize, len: usize) -> Result<(), Fault> {
    check(dst, len, true)?;
    let left: usize;
    // SAFETY: checked user memory; a fault ends at label 4 with what is left in rcx. DF is clear (psABI).
    unsafe {
        asm!(
            "cmp byte ptr [rip + {smap}], 0",
            "je 2f",
            "stac",
            "2:",
            "rep stosq",
            on_fault!("2", "4"),
            "mov rcx, {tail}",
            "3:",
            "rep stosb",
            on_fault!("3", "4"),
            "4:",
            "cmp byte ptr [rip + {smap}], 0",
            "je 5f",
            "clac",
            "5:",
            smap = sym SMAP,
            tail = in(reg) len % 8,
            inout("rcx") len / 8 => left,
            inout("rdi") dst => _,
            in("rax") 0,
            options(nostack),
        );
    }
    if left == 0 { Ok(()) } else { Err(fault(true)) }
}

/// Loads a 32-bit word of user memory, in one access if it is aligned.
///
/// # Errors
/// A page that cannot be read.
#[inline]
pub fn load_u32(addr: usize) -> Result<u32, Fault> {
    check(addr, 4, false)?;
    load_4(addr).ok_or_else(|| fault(false))
}

/// Loads a 64-bit word of user memory, in one access if it is aligned.
///
/// # Errors
/// A page that cannot be read.
#[inline]
pub fn load_u64(addr: usize) -> Result<u64, Fault> {
    check(addr, 8, false)?;
    load_8(addr).ok_or_else(|| fault(false))
}

/// Atomically: if the word at `addr` is `current`, it becomes `new`. `Ok(Ok(previous))` if it did, `Ok(Err(value))` if it was
/// another value. An address that is not aligned counts as a fault.
///
/// # Errors
/// A page that cannot be written (even if the value differs).
#[inline]
pub fn compare_exchange_u32(addr: usize, current: u32, new: u32) -> Result<Result<u32, u32>, Fault> {
    check(addr, 4, true)?;
    if !addr.is_multiple_of(4) {
        return Err(Fault { addr, write: true });
    }
    let mut value = current;
    // SAFETY: changes checked user memory; a fault is fixed up.
    let failed = unsafe { access!("lock cmpxchg [{address}], {new:e}", addr, new = in(reg) new, inout("eax") value) };
    if failed != 0 {
        Err(fault(true))
    } else if value == current {
        Ok(Ok(value))
    } else {
        Ok(Err(value))
    }
}

/// Reads a value from user memory.
///
/// # Errors
/// As for [`copy_from_user`].
#[inline]
pub fn read_user<T: zerocopy::FromBytes>(addr: usize) -> Result<T, Fault> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: `value` has room for a T; if all of it was filled, any bytes are a T (FromBytes).
    unsafe {
        from_user(value.as_mut_ptr().cast(), addr, size_of::<T>())?;
        Ok(value.assume_init())
    }
}

/// Writes a value to user memory.
///
/// # Errors
/// As for [`copy_to_user`].
#[inline]
pub fn write_user<T: zerocopy::IntoBytes + zerocopy::Immutable>(addr: usize, v: &T) -> Result<(), Fault> {
    copy_to_user(addr, v.as_bytes())
}
