//! Makes one weak entry point for every name of `../symbols.tsv`. Where relibc defines the name,
//! its strong definition wins at the link; where it does not, a call ends in
//! `__relibc_missing(name)`, which says so on standard error and aborts.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    let list = "../symbols.tsv";
    println!("cargo::rerun-if-changed={list}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(list).expect("relibc/symbols.tsv is part of the source");
    let mut asm = String::from(".text\n");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("milestone"));
    for (number, name) in rows.filter_map(|row| row.split('\t').nth(1)).enumerate() {
        write!(
            asm,
            ".section .text.missing.{name},\"ax\",@progbits\n\
             .weak {name}\n.type {name},@function\n{name}:\n\
             lea rdi, [rip + .Lmissing{number}]\njmp __relibc_missing\n.size {name}, . - {name}\n\
             .section .rodata.missing.{name},\"a\",@progbits\n\
             .Lmissing{number}: .asciz \"{name}\"\n"
        )
        .expect("a String takes everything");
    }
    asm.push_str(".text\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("missing.s"), asm).expect("OUT_DIR is writable");
}
