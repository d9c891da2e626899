//! Child processes: how they are started, and what is said when they fail.

use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// A command whose environment holds nothing that the cargo which runs xtask has put there: another cargo started
/// with those would take them for its user's wishes.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let outer = name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(
                name,
                "CARGO"
                    | "CARGO_BIN_NAME"
                    | "CARGO_CRATE_NAME"
                    | "CARGO_ENCODED_RUSTFLAGS"
                    | "CARGO_PRIMARY_PACKAGE"
                    | "LD_LIBRARY_PATH"
                    | "OUT_DIR"
                    | "RUSTC"
                    | "RUSTC_BOOTSTRAP"
                    | "RUSTFLAGS"
                    | "RUST_RECURSION_COUNT"
            );
        if outer {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The command line as a person would type it, for messages.
pub fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// Runs a command to its end and fails unless it succeeds. Its output goes where ours goes, except that its standard
/// output becomes standard error.
pub fn run(command: &mut Command) -> Result<()> {
    command.stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command to its end, silently, and returns what it printed. On failure, the error holds its output.
pub fn output(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed: {}\n{}{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output)
}

/// As [`output`], but only the standard output, as text without surrounding white space.
pub fn text(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    let text =
        String::from_utf8(output.stdout).with_context(|| format!("`{}` printed what is not UTF-8", shown(command)))?;
    Ok(text.trim().to_owned())
}
