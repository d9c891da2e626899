//! Sets of Debian binary packages: resolved with their dependencies and fetched by the host's apt, whatever the host itself
//! has installed.
//!
//! apt gets a package state of our own, in which only those packages count as installed that Ochre stands in for
//! (distro/config/provided.toml). So it neither fetches these nor what only they need. Maintainer scripts never run.

use super::debian::{candidate_versions, with_lists};
use super::stamp::Stamp;
use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file that names the packages Ochre stands in for, each with the reason.
const PROVIDED: &str = "distro/config/provided.toml";
/// The command that fetches, for error messages.
const FETCH: &str = "cargo xtask fetch --config NAME";
/// apt's lists of packages: a changed folder may mean other versions.
const LISTS: &str = "/var/lib/apt/lists";

/// One fetched package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The package's name.
    pub name: String,
    /// Its Debian version.
    pub version: String,
    /// The SHA-256 of the .deb file, in hexadecimal.
    pub sha256: String,
    /// The archive of its files (tar), below target/.
    pub files: PathBuf,
    /// The script that dpkg would run behind unpacking it (deb-postinst(5)); empty if there is none.
    pub postinst: PathBuf,
}

/// Fetches the packages of these names and all they depend on; sorted by name.
pub fn fetch(workspace: &Workspace, names: &[String]) -> Result<Vec<Fetched>> {
    host::ensure(&[host::DEBS])?;
    let base = workspace.target_dir("debian/packages")?;
    let provided = provided(workspace)?;
    let key = names.join(" ");
    let list = base.join(format!("set-{:016x}.tsv", fingerprint(&key)));
    let mut stamp = Stamp::new(&list);
    stamp.text(&key);
    stamp.file(&workspace.root().join(PROVIDED))?;
    // Without lists, apt is asked anyway and says so.
    if Path::new(LISTS).exists() {
        stamp.file(Path::new(LISTS))?;
    }
    if stamp.is_fresh() {
        let known = parse(&std::fs::read_to_string(&list)?, &base);
        if let Some(known) =
            known.filter(|known| known.iter().all(|package| package.files.exists() && package.postinst.exists()))
        {
            return Ok(known);
        }
    }
    let _step = Step::start("fetching Debian's packages");
    let provided: Vec<&str> = provided.keys().map(String::as_str).collect();
    let debs = with_lists(|| download(&base, names, &provided))
        .with_context(|| format!("Debian's packages could not be fetched. With a network, this does it: {FETCH}"))?;
    let mut fetched = debs.iter().map(|deb| package(deb, &base)).collect::<Result<Vec<_>>>()?;
    fetched.sort_by(|a, b| a.name.cmp(&b.name));
    std::fs::write(&list, record(&fetched)).with_context(|| format!("cannot write {}", list.display()))?;
    stamp.save()?;
    Ok(fetched)
}

/// The packages that Ochre stands in for, each with the reason.
pub fn provided(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let text =
        std::fs::read_to_string(workspace.root().join(PROVIDED)).with_context(|| format!("cannot read {PROVIDED}"))?;
    toml::from_str(&text).with_context(|| format!("in {PROVIDED}"))
}

/// What an image says about its packages: a line each of name, version and SHA-256, with tabs between them.
pub fn record(packages: &[Fetched]) -> String {
    let line = |package: &Fetched| format!("{}\t{}\t{}\n", package.name, package.version, package.sha256);
    packages.iter().map(line).collect()
}

fn parse(record: &str, base: &Path) -> Option<Vec<Fetched>> {
    let package = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let (name, version, sha256) = (fields.next()?, fields.next()?, fields.next()?);
        let files = files_of(base, &name, &version);
        let postinst = files.with_extension("postinst");
        Some(Fetched { name, version, sha256, files, postinst })
    };
    record.lines().map(package).collect()
}

fn files_of(base: &Path, name: &str, version: &str) -> PathBuf {
    base.join(format!("{name}_{}.tar", version.replace(':', "%3a")))
}

/// FNV-1a, for the name of a file.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Lets apt resolve and download. Returns the .deb files of exactly this set.
fn download(base: &Path, names: &[String], provided: &[&str]) -> Result<Vec<PathBuf>> {
    let status = base.join("status");
    let archives = base.join("archives");
    std::fs::create_dir_all(archives.join("partial")).with_context(|| format!("cannot make {}", archives.display()))?;
    std::fs::write(&status, installed(&candidate_versions(provided)?))
        .with_context(|| format!("cannot write {}", status.display()))?;
    let apt = |more: &[&str]| {
        let mut apt = process::command("apt-get");
        apt.env("LC_ALL", "C").args(["-qq", "-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=true"]);
        // As root, apt would drop its rights, and may then not write below target/.
        apt.args(["-o", "APT::Sandbox::User=root"]);
        apt.arg("-o").arg(format!("Dir::State::status={}", status.display()));
        apt.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
        apt.args(more).arg("install").args(names);
        apt
    };
    // What is there already is not listed by a second call: the list comes first, with an empty cache.
    let none = base.join("none");
    std::fs::create_dir_all(none.join("partial")).with_context(|| format!("cannot make {}", none.display()))?;
    let uris = process::text(apt(&["--print-uris"]).arg("-o").arg(format!("Dir::Cache::archives={}", none.display())))?;
    let debs: Vec<PathBuf> =
        uris.lines().filter_map(|line| line.split(' ').nth(1)).map(|name| archives.join(name)).collect();
    if debs.is_empty() {
        bail!("apt knows no files for {}", names.join(" "));
    }
    let missing: Vec<_> = debs.iter().filter(|deb| !deb.exists()).filter_map(|deb| deb.file_name()?.to_str()).collect();
    if !missing.is_empty() {
        process::output(&mut apt(&["--yes", "--download-only"])).with_context(|| {
            format!("these are not in {}:\n{}\nand apt-get did not get them", archives.display(), missing.join("\n"))
        })?;
    }
    match debs.iter().find(|deb| !deb.exists()) {
        Some(deb) => bail!("apt left no file {}", deb.display()),
        None => Ok(debs),
    }
}

/// A dpkg status file in which these packages are installed and need nothing (deb-control(5)).
fn installed(versions: &BTreeMap<String, String>) -> String {
    let stanza = |(name, version): (&String, &String)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    versions.iter().map(stanza).collect()
}

/// Makes the archive of files of a .deb, unless it is there, and describes the package.
fn package(deb: &Path, base: &Path) -> Result<Fetched> {
    let fields =
        process::text(process::command("dpkg-deb").arg("-W").arg("--showformat=${Package}\t${Version}").arg(deb))?;
    let (name, version) = fields.split_once('\t').with_context(|| format!("{} has no version", deb.display()))?;
    let sums = process::text(process::command("sha256sum").arg("--").arg(deb))?;
    // A name with odd characters would be escaped, which a backslash announces; ours has none.
    let sha256 = sums.split(' ').next().unwrap_or_default().to_owned();
    let files = files_of(base, name, version);
    if !files.exists() {
        let partial = files.with_extension(format!("partial.{}", std::process::id()));
        let out = std::fs::File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
        let mut unpack = Command::new("dpkg-deb");
        let status = unpack.arg("--fsys-tarfile").arg(deb).stdin(Stdio::null()).stdout(out).status();
        if !status.context("cannot start dpkg-deb")?.success() {
            bail!("dpkg-deb could not read {}", deb.display());
        }
        std::fs::rename(&partial, &files).with_context(|| format!("cannot write {}", files.display()))?;
    }
    let postinst = files.with_extension("postinst");
    if !postinst.exists() {
        write_postinst(deb, &postinst)?;
    }
    Ok(Fetched { name: name.to_owned(), version: version.to_owned(), sha256, files, postinst })
}

/// Takes the script out of a .deb.
fn write_postinst(deb: &Path, to: &Path) -> Result<()> {
    let control = process::output(process::command("dpkg-deb").arg("--ctrl-tarfile").arg(deb))?.stdout;
    let mut script = Vec::new();
    for entry in tar::Archive::new(control.as_slice()).entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_some_and(|name| name == "postinst") {
            entry.read_to_end(&mut script)?;
        }
    }
    std::fs::write(to, script).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let base = Path::new("/base");
        let one = Fetched {
            name: "less".into(),
            version: "1:590-2".into(),
            sha256: "ab".into(),
            files: base.join("less_1%3a590-2.tar"),
            postinst: base.join("less_1%3a590-2.postinst"),
        };
        let all = [one];
        assert_eq!(record(&all), "less\t1:590-2\tab\n");
        assert_eq!(parse(&record(&all), base).unwrap(), all);
        assert_eq!(parse("less 1\n", base), None);
    }

    #[test]
    fn every_package_that_ochre_stands_in_for_has_a_reason() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PROVIDED);
        let provided: BTreeMap<String, String> = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(provided.contains_key("libc6"));
        assert!(provided.values().all(|reason| reason.len() > 10));
    }

    /// Set in the child of the test below: the folder of packages.
    const WITHOUT: &str = "XTASK_TEST_WITHOUT_NETWORK";

    fn try_download(base: &Path) -> Result<Vec<PathBuf>> {
        download(base, &["hostname".to_owned()], &["libc6"])
    }

    /// Runs this very test in a network name space that has no network, and returns what it printed.
    fn without_network(base: &Path) -> String {
        let mut command = process::command("unshare");
        command.args(["--map-root-user", "--net"]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "build::packages::tests::without_a_network", "--nocapture"]);
        String::from_utf8(command.env(WITHOUT, base).output().unwrap().stdout).unwrap()
    }

    #[test]
    fn without_a_network() {
        if let Some(base) = std::env::var_os(WITHOUT) {
            match try_download(Path::new(&base)) {
                Ok(debs) => println!("has {}", debs.len()),
                Err(error) => println!("error {error:#}"),
            }
            return;
        }
        let base = std::env::temp_dir().join(format!("xtask-network-{}", std::process::id()));
        std::fs::create_dir_all(base.join("archives")).unwrap();
        let cold = without_network(&base);
        assert!(cold.contains("these are not in") && cold.contains("hostname_"), "{cold}");
        // The workspace's own cache makes that of the test warm, else the network.
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debian/packages/archives");
        for deb in std::fs::read_dir(cache).into_iter().flatten().flatten() {
            if deb.file_name().to_string_lossy().starts_with("hostname_") {
                std::fs::copy(deb.path(), base.join("archives").join(deb.file_name())).unwrap();
            }
        }
        try_download(&base).unwrap();
        let warm = without_network(&base);
        assert!(warm.contains("has 1"), "{warm}");
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_package_that_does_not_exist_is_named() {
        let base = std::env::temp_dir().join(format!("xtask-absent-{}", std::process::id()));
        let error = download(&base, &["no-such-package-as-this".to_owned()], &["libc6"]).unwrap_err();
        std::fs::remove_dir_all(&base).unwrap();
        assert!(format!("{error:#}").contains("no-such-package-as-this"), "{error:#}");
    }
}
