//! Lazy binding: a call through the PLT is bound when it is first made. psABI, section 5.2.
//!
//! An object's unbound slots lead to its first PLT entry, which pushes the object and jumps to [`entry`]. Neither that nor
//! [`bind`] takes a lock: a constructor may wait for a thread that makes its first call meanwhile, and a signal may arrive
//! anywhere. They read lists that are replaced as a whole, and announce themselves to whoever unmaps an object.

use super::elf::*;
use super::object::{Object, ObjectRef};
use super::relocate::{self, Linker};
use super::{registry, start};
use core::arch::naked_asm;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// LD_BIND_NOW is set.
static BIND_NOW: AtomicBool = AtomicBool::new(false);

/// Binds everything at once from now on: LD_BIND_NOW.
pub fn bind_now() {
    BIND_NOW.store(true, Ordering::Relaxed);
}

/// Whether neither LD_BIND_NOW nor `object` itself asks for its calls to be bound at once.
pub fn is_wanted(object: &Object) -> bool {
    !BIND_NOW.load(Ordering::Relaxed) && !object.bind_now
}

/// Whether the calls of `object` can be bound lazily.
pub fn is_possible(object: &Object) -> bool {
    const RESERVED: usize = 3 * size_of::<usize>();
    let at = object.pltgot;
    let protected = object.relro.is_some_and(|(start, len)| at.wrapping_add(RESERVED) > start && at < start + len);
    !object.is_self
        && !object.jmprel.as_slice().is_empty()
        && at.is_multiple_of(size_of::<usize>())
        && object.may_write(at, RESERVED)
        && !protected
}

/// Puts the object and [`entry`] where its first PLT entry looks for them.
///
/// # Safety
/// [`is_possible`], and no thread runs the object's code.
pub unsafe fn prepare(object: ObjectRef) {
    let reserved = object.pltgot as *mut usize;
    *reserved.add(1) = object.as_ptr().addr();
    *reserved.add(2) = entry as *const () as usize;
}

/// Where the first PLT entry jumps to, with the object, the relocation's number and the return address on the stack.
/// Keeps every register that passes arguments (and r10, the static chain). What runs meanwhile uses SSE registers and no
/// wider ones, whose upper parts it leaves alone.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rax",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "sub rsp, 512",
        "and rsp, -16",
        "fxsave64 [rsp]",
        "mov rdi, [rbp + 8]",
        "mov rsi, [rbp + 16]",
        "cld",
        "call {bind}",
        "mov r11, rax",
        "fxrstor64 [rsp]",
        "lea rsp, [rbp - 64]",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "pop rbp",
        "add rsp, 16",
        "jmp r11",
        bind = sym bind,
    )
}

/// Binds call number `index` of the object at `object` and returns the function's address. A name that nobody defines ends
/// the process with a message.
unsafe extern "C" fn bind(object: *const Object, index: usize) -> usize {
    let errno = crate::errno::get();
    // SAFETY: `prepare` put it there, and descriptions are never freed.
    let object = ObjectRef::from_ptr(object);
    let result = match object.jmprel.as_slice().get(index) {
        Some(rela) if rela.kind() == R_JUMP_SLOT => target(object, rela),
        _ => Err(object.damaged("PLT")),
    };
    let value = match result {
        Ok(value) => value,
        Err(error) => start::fatal(&error),
    };
    crate::errno::set(errno);
    value
}

unsafe fn target(object: ObjectRef, rela: &Rela) -> super::error::Result<usize> {
    let target = {
        let reader = registry::read();
        let mut linker = Linker::new(object, reader.global());
        linker.resolve(rela.symbol(), true)?
    };
    let value = relocate::address_of_target(&target);
    let place = object.base.wrapping_add(rela.offset) as *mut usize;
    if place.is_aligned() && object.may_write(place.addr(), size_of::<usize>()) {
        AtomicUsize::from_ptr(place).store(value, Ordering::Release);
    }
    Ok(value)
}
