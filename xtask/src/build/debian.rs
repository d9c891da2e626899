//! Debian binary packages, unmodified: downloaded with the host's apt and unpacked below target/debian.

use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Downloads and unpacks a Debian package, unless the version that apt would install is there already. Returns the
/// folder that holds its files. `members` are the paths to unpack, as tar patterns; all if there are none.
pub fn unpacked(workspace: &Workspace, package: &str, members: &[&str]) -> Result<PathBuf> {
    host::ensure(&[host::DEBS])?;
    let version = match candidate(package)? {
        Some(version) => version,
        None => {
            // A machine that never ran it has no lists.
            process::output(process::command("apt-get").args(["-qq", "update"]))?;
            candidate(package)?.with_context(|| format!("apt knows no package {package}"))?
        }
    };
    let base = workspace.target_dir("debian")?;
    let dir = base.join(format!("{package}_{}", version.replace(':', "%3a")));
    if dir.exists() {
        return Ok(dir);
    }
    let _step = Step::start(format!("fetching Debian's {package} {version}"));
    let partial = base.join(format!("{package}.partial.{}", std::process::id()));
    std::fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    download(&partial, package, &version)?;
    let deb = std::fs::read_dir(&partial)?.next().context("apt-get download left no file")??.path();
    unpack(&deb, &partial, members)?;
    std::fs::remove_file(&deb)?;
    std::fs::rename(&partial, &dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The packages that a package depends on, as apt resolves them.
pub fn depends(package: &str) -> Result<Vec<String>> {
    let text = process::text(process::command("apt-cache").args(["depends", "--important", package]))?;
    Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
}

/// The version that apt would install.
fn candidate(package: &str) -> Result<Option<String>> {
    let text = process::text(process::command("apt-cache").env("LC_ALL", "C").args(["policy", package]))?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    Ok(version.filter(|version| *version != "(none)").map(str::to_owned))
}

fn download(dir: &Path, package: &str, version: &str) -> Result<()> {
    let request = format!("{package}={version}");
    let fetch = || {
        let mut command = process::command("apt-get");
        // apt's own user may not write where we build; it then warns and goes on as we.
        process::output(command.current_dir(dir).args(["-qq", "download", &request])).map(|_| ())
    };
    // The mirror may have moved on since the lists were fetched.
    fetch().or_else(|_| {
        process::output(process::command("apt-get").args(["-qq", "update"]))?;
        fetch()
    })
}

fn unpack(deb: &Path, dir: &Path, members: &[&str]) -> Result<()> {
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let files = archive.stdout.take().context("dpkg-deb without output")?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(dir).arg("--no-same-owner").stdin(files);
    if !members.is_empty() {
        tar.arg("--wildcards").args(members);
    }
    process::output(&mut tar)?;
    // tar has read to the end, or failed above; dpkg-deb's own status says nothing more.
    archive.wait().context("waiting for dpkg-deb")?;
    Ok(())
}
