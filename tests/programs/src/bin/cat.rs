//! `cat [FILE…]`: copies files, or standard input (also called `-`), to standard output.

use std::fs::File;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        files.push("-".into());
    }
    let mut status = ExitCode::SUCCESS;
    for file in files {
        let copied = if file == "-" {
            io::copy(&mut io::stdin(), &mut io::stdout())
        } else {
            File::open(&file).and_then(|mut file| io::copy(&mut file, &mut io::stdout()))
        };
        if let Err(error) = copied {
            eprintln!("cat: {}: {error}", file.display());
            status = ExitCode::FAILURE;
        }
    }
    status
}
