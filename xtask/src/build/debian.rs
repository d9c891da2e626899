//! Debian binary packages, unmodified: downloaded with the host's apt and unpacked below target/debian.

use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Downloads and unpacks a Debian package, unless the version that apt would install is there already. Returns the
/// folder that holds its files. `members` are the paths to unpack, as tar patterns; all if there are none.
pub fn unpacked(workspace: &Workspace, package: &str, members: &[&str]) -> Result<PathBuf> {
    unpacked_part(workspace, package, "", members)
}

/// The same for a further part of a package, which is called `part`.
pub fn unpacked_part(workspace: &Workspace, package: &str, part: &str, members: &[&str]) -> Result<PathBuf> {
    // Two threads may want the same package.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    host::ensure(&[host::DEBS])?;
    let base = workspace.target_dir("debian")?;
    with_lists(|| {
        let version = candidate(package)?;
        let end = if part.is_empty() { String::new() } else { format!("_{part}") };
        let dir = base.join(format!("{package}_{}{end}", version.replace(':', "%3a")));
        if !dir.exists() {
            let _step = Step::start(format!("fetching Debian's {package} {version}"));
            let partial = base.join(format!("{package}.partial.{}", std::process::id()));
            fetch(package, &version, members, &partial)?;
            std::fs::rename(&partial, &dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        Ok(dir)
    })
}

/// The packages that a package depends on, as apt resolves them.
pub fn depends(package: &str) -> Result<Vec<String>> {
    let text = with_lists(|| process::text(process::command("apt-cache").args(["depends", "--important", package])))?;
    Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
}

/// Does what needs apt's lists of packages, and once more with new lists if that fails: a new machine has none, and old
/// ones name versions that the mirror no longer has.
pub fn with_lists<T>(job: impl Fn() -> Result<T>) -> Result<T> {
    job().or_else(|first| {
        let step = Step::start("updating apt's lists of packages");
        process::output(process::command("apt-get").args(["-qq", "update"])).context(first)?;
        drop(step);
        job()
    })
}

/// The versions that apt would install of those packages that it knows.
pub fn candidate_versions(packages: &[&str]) -> Result<BTreeMap<String, String>> {
    let text = process::text(process::command("apt-cache").env("LC_ALL", "C").arg("policy").args(packages))?;
    Ok(parse_policy(&text))
}

/// Reads what `apt-cache policy` prints.
fn parse_policy(text: &str) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let mut package = "";
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            package = name;
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ").filter(|version| *version != "(none)") {
            versions.insert(package.to_owned(), version.to_owned());
        }
    }
    versions
}

/// The version that apt would install.
fn candidate(package: &str) -> Result<String> {
    candidate_versions(&[package])?.remove(package).with_context(|| format!("apt knows no {package}"))
}

/// Downloads one version of a package and unpacks it into `dir`.
fn fetch(package: &str, version: &str, members: &[&str], dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut download = process::command("apt-get");
    process::output(download.current_dir(dir).args(["-qq", "download", &format!("{package}={version}")]))?;
    let deb = std::fs::read_dir(dir)?.next().context("apt-get download left no file")??.path();
    unpack(&deb, dir, members)?;
    std::fs::remove_file(&deb).with_context(|| format!("cannot remove {}", deb.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_candidates() {
        let text =
            "bash:\n  Installed: 1\n  Candidate: 5.2-1\n  Version table:\n     5.2-1 500\nno:\n  Candidate: (none)\n";
        assert_eq!(parse_policy(text), BTreeMap::from([("bash".to_owned(), "5.2-1".to_owned())]));
    }
}
