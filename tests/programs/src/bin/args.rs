//! `args ARGS…`: prints its arguments, a line each, as the bytes that they are.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for arg in std::env::args_os().skip(1) {
        out.write_all(arg.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
