//! Passes hal's link script to the linker, so that whoever builds the kernel need not know it.

fn main() {
    println!("cargo:rerun-if-changed=../link.ld");
    let dir = std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for argument in [&format!("-T{dir}/../link.ld"), "-zmax-page-size=4096", "--no-pie"] {
            println!("cargo:rustc-link-arg={argument}");
        }
    }
}
