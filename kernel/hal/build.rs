//! Passes the link script to the linker for hal's own kernel, examples/selftest.rs.

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    let dir = std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for argument in [&format!("-T{dir}/link.ld"), "-zmax-page-size=4096", "--no-pie"] {
            println!("cargo:rustc-link-arg-examples={argument}");
        }
    }
}
