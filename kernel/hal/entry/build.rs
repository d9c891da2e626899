//! Passes hal's link script to the linker, so that whoever builds the kernel need not know it.

use std::path::Path;

fn main() {
    let script = Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../link.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg=-T{}", script.display());
        println!("cargo:rustc-link-arg=-zmax-page-size=4096");
        println!("cargo:rustc-link-arg=--no-pie");
    }
}
