//! The C names that relibc owes and does not implement yet.
//!
//! A program that imports such a name still loads; the call aborts with the name on standard
//! error, so that what is missing tells itself. The definitions are weak and live in a crate, and
//! therefore an object file, of their own, because an assembler refuses a weak and a strong
//! definition of one name in one file.

#![no_std]

#[cfg(panic = "abort")]
core::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/missing.s")));
