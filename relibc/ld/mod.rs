//! The dynamic loader: what `ld-linux-x86-64.so.2` does.
//!
//! - [`entry`]: the first instructions, and relocating ourselves
//! - [`start`]: from the kernel's stack to the program's entry point
//! - [`object`]: one loaded ELF file; [`map`] makes it from a file, [`elf`] names the format
//! - [`header`]: whether a file is one that can be loaded; [`version`]: whether it has the versions that others need
//! - [`search`]: where libraries are looked for
//! - [`symbols`]: versions, hash tables, scopes
//! - [`relocate`]: relocations; [`lazy`]: calls bound later; [`tlsdesc`]: the entry points of TLS descriptors
//! - [`tls`]: thread-local storage, static and dynamic
//! - [`registry`]: the list of loaded objects; [`load`]: loading with dependencies; [`init`]: constructors and destructors
//! - [`dl`]: `dlfcn.h` and `link.h`
//!
//! Text is mapped, never copied, and what a program promised to make read-only becomes so before its first instruction. Calls
//! are bound when they are first made, unless the object, `dlopen` or LD_BIND_NOW wants it earlier.
//! A damaged file is an error with the file's name; see [`map`] for what is checked.

pub mod debug;
pub mod dl;
pub mod elf;
pub mod entry;
pub mod error;
pub mod find;
pub mod header;
#[cfg(test)]
mod hostile;
pub mod init;
pub mod lazy;
pub mod load;
pub mod map;
pub mod object;
pub mod registry;
pub mod relocate;
pub mod search;
pub mod start;
pub mod symbols;
pub mod tls;
pub mod tlsdesc;
pub mod version;
