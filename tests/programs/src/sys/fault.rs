//! Deliberate faults. These functions end the process on a system that protects memory; on one that does not, they are
//! as wrong as they look, and the test that calls them fails.

use std::arch::asm;
use std::hint::black_box;

/// Reads the byte at the address.
pub fn read(address: usize) {
    // SAFETY: assembly, so that the compiler assumes nothing of the access; a load changes nothing.
    unsafe { asm!("mov {value}, byte ptr [{address}]", address = in(reg) address, value = out(reg_byte) _) };
}

/// Writes a byte to the address.
fn write(address: usize) {
    // SAFETY: only called for memory that is mapped without the right to write, so that no byte changes.
    unsafe { asm!("mov byte ptr [{address}], 0x90", address = in(reg) address) };
}

/// Writes to this program's code.
pub fn write_text() {
    write(black_box(write_text as fn()) as usize);
}

static CONSTANT: [u8; 64] = [0x90; 64];

/// Writes to this program's constants.
pub fn write_constant() {
    write(black_box(&CONSTANT).as_ptr().addr());
}

/// Goes on at the address.
pub fn jump(address: usize) {
    // SAFETY: only called for memory that is mapped without the right to execute, or not at all: nothing runs there.
    unsafe { asm!("call {address}", address = in(reg) address, clobber_abi("C")) };
}

/// Goes on in writable data, where a `ret` stands.
pub fn jump_to_data() {
    const RET: u8 = 0xc3;
    let data = black_box(vec![RET; 64]);
    jump(data.as_ptr().addr());
}

/// Divides by zero with the CPU's instruction.
pub fn divide_by_zero() {
    // SAFETY: traps; where it did not, it would change only registers named here.
    unsafe { asm!("div {zero:e}", zero = in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
}

/// An instruction that is defined to be undefined.
pub fn illegal_instruction() {
    // SAFETY: traps, with no other effect.
    unsafe { asm!("ud2") };
}

/// An instruction for the kernel alone: clears the interrupt flag.
pub fn privileged_instruction() {
    // SAFETY: traps in user mode, with no other effect.
    unsafe { asm!("cli") };
}

/// A debugger's breakpoint.
pub fn breakpoint() {
    // SAFETY: traps, with no other effect.
    unsafe { asm!("int3") };
}
