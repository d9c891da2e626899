//! What a system test is: a `[[test]]` table in tests/system/*.toml.

use crate::boot::Medium;
use crate::vm::cue::Cue;
use crate::vm::machine::{Bus, Firmware};
use anyhow::{Context, Result, bail};
use regex_lite::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A system test: a command, the machine it runs in, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// Its name, which no other test has.
    pub name: String,
    /// The command and its arguments. Without one, the kernel must end the machine itself.
    #[serde(default)]
    pub command: Vec<String>,
    /// Commands of boots before that one, one each, on the same disks; each must end with status 0.
    #[serde(default)]
    pub before: Vec<Vec<String>>,
    /// Boots an example kernel of package `ochre-hal` instead of Ochre's.
    #[serde(default)]
    pub kernel: Option<String>,
    /// Further words for the kernel's command line.
    #[serde(default)]
    pub append: Option<String>,
    /// On a console: a script of the program ptydrive.
    #[serde(default)]
    pub keys: String,
    /// The image.
    #[serde(default = "base")]
    pub config: String,
    /// The system that the command runs on.
    #[serde(default)]
    pub on: System,
    /// The number of CPUs.
    #[serde(default = "two")]
    pub smp: u32,
    /// The memory's size.
    #[serde(default = "memory")]
    pub mem: String,
    /// Boots from an ISO under this firmware.
    #[serde(default)]
    pub iso: Option<Boot>,
    /// Boots with a root file system on this medium; what the machine writes there is forgotten.
    #[serde(default)]
    pub root: Option<Medium>,
    /// What boots from that medium; without it, QEMU loads the kernel.
    #[serde(default)]
    pub firmware: Option<Boot>,
    /// Empty disks of so many MiB each.
    #[serde(default)]
    pub disks: Vec<u64>,
    /// The disks of `bench fs`: a file system of ours, and an archive.
    #[serde(default)]
    pub bench_disks: bool,
    /// What they hang on.
    #[serde(default)]
    pub bus: Bus,
    /// What is wrong with them.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Which of them, from 0 on, cannot be written to.
    #[serde(default)]
    pub read_only_disks: Vec<usize>,
    /// Counts time in instructions.
    #[serde(default)]
    pub icount: bool,
    /// After so many seconds the test has failed.
    #[serde(default = "minutes")]
    pub timeout: u64,
    /// No other machine runs meanwhile: it holds times of this host's clock against limits.
    #[serde(default)]
    pub alone: bool,
    /// Runs only with `--long`.
    #[serde(default)]
    pub long: bool,
    /// The exit status that the command must have.
    #[serde(default)]
    pub status: i32,
    /// Whether the guest must turn the machine off, or restart it, instead.
    #[serde(default)]
    pub off: bool,
    /// What is done to the machine meanwhile.
    #[serde(default)]
    pub cues: Vec<Cue>,
    /// Whether the guest must die of a fault in its kernel instead.
    #[serde(default)]
    pub kernel_fault: bool,
    /// Regular expressions that must each match a part of the output.
    #[serde(default)]
    pub output: Vec<String>,
    /// Regular expressions that must not match any part of the output.
    #[serde(default)]
    pub forbidden_output: Vec<String>,
    /// Regular expressions that must each match a part of the log.
    #[serde(default)]
    pub log: Vec<String>,
    /// Regular expressions that must not match any part of the log.
    #[serde(default)]
    pub forbidden_log: Vec<String>,
    /// For output in the form of /bin/bench: rows that must be there, and their greatest allowed figures.
    #[serde(default)]
    pub limits: BTreeMap<String, f64>,
}

/// A system that a command can run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Ochre, in a machine.
    #[default]
    Ochre,
    /// This host.
    Host,
    /// Debian's Linux with our C library, in a machine.
    LinuxRelibc,
    /// Ochre as `cargo xtask run` boots it: somebody at a terminal presses `keys`.
    Console,
}

/// A thing that a disk always fails at.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which of the test's disks, from 0 on.
    #[serde(default)]
    pub disk: usize,
    /// What it fails at.
    pub at: Failure,
    /// The sector of 512 bytes that it fails at; without one, all do.
    #[serde(default)]
    pub sector: Option<u64>,
}

/// What a disk can fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Flushing its cache.
    Flush,
}

impl Fault {
    /// For QEMU's blkdebug (docs/devel/blkdebug.txt): in force from the beginning on, and always EIO.
    pub fn rule(&self) -> String {
        let kind = match self.at {
            Failure::Read => "read",
            Failure::Write => "write",
            Failure::Flush => "flush",
        };
        let sector = self.sector.map(|sector| format!("sector = \"{sector}\"\n")).unwrap_or_default();
        format!("[inject-error]\nevent = \"none\"\niotype = \"{kind}\"\nerrno = \"5\"\n{sector}\n")
    }
}

/// The firmware of a test's machine.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi,
}

impl From<Boot> for Firmware {
    fn from(boot: Boot) -> Firmware {
        match boot {
            Boot::Bios => Firmware::Bios,
            Boot::Uefi => Firmware::Uefi,
        }
    }
}

/// The image of tests that name none.
fn base() -> String {
    "base".into()
}

fn two() -> u32 {
    2
}

fn memory() -> String {
    "512M".into()
}

fn minutes() -> u64 {
    120
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    test: Vec<Spec>,
}

/// Reads all test files of a folder, in the order of their names.
pub fn load(dir: &Path) -> Result<Vec<Spec>> {
    let mut files = Vec::new();
    if dir.exists() {
        for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut specs: Vec<Spec> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let tests = parse(&text).with_context(|| format!("in {}", file.display()))?;
        for spec in tests {
            if specs.iter().any(|other| other.name == spec.name) {
                bail!("in {}: there are two tests named `{}`", file.display(), spec.name);
            }
            specs.push(spec);
        }
    }
    Ok(specs)
}

fn parse(text: &str) -> Result<Vec<Spec>> {
    let file: File = toml::from_str(text)?;
    for spec in &file.test {
        let patterns = [&spec.output, &spec.forbidden_output, &spec.log, &spec.forbidden_log];
        for pattern in patterns.into_iter().flatten() {
            Regex::new(pattern).with_context(|| format!("the test `{}`: the pattern `{pattern}`", spec.name))?;
        }
        if (spec.on == System::Console) == spec.keys.is_empty() {
            bail!("the test `{}`: `keys` are pressed on a console, and only there", spec.name);
        }
        let elsewhere = matches!(spec.on, System::Host | System::LinuxRelibc);
        if elsewhere && (spec.command.is_empty() || spec.kernel.is_some() || spec.iso.is_some()) {
            bail!("the test `{}` needs a command, and no kernel or ISO, when it does not run on Ochre", spec.name);
        }
        if spec.root.is_some() && (elsewhere || spec.iso.is_some() || spec.kernel.is_some()) {
            bail!(
                "the test `{}` has a root file system, which goes with Ochre alone, and with no other ISO",
                spec.name
            );
        }
        if spec.firmware.is_some() && spec.root.is_none() {
            bail!("the test `{}`: `firmware` boots from the medium that `root` names", spec.name);
        }
        if spec.on != System::Console && spec.command.is_empty() && spec.kernel.is_none() && !spec.kernel_fault {
            bail!("the test `{}` has no command, and no kernel that ends the machine itself", spec.name);
        }
    }
    Ok(file.test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_test() {
        let specs =
            parse("[[test]]\nname = 'a'\ncommand = ['/bin/a']\niso = 'uefi'\nlimits = { call = 3000 }\n").unwrap();
        assert_eq!(specs[0].limits["call"], 3000.0);
        assert!(matches!(specs[0].iso, Some(Boot::Uefi)));
    }

    #[test]
    fn faults_become_rules() {
        let specs = parse("[[test]]\nname = 'a'\ncommand = ['a']\nfaults = [{ at = 'read', sector = 7 }]\n").unwrap();
        let rule = "[inject-error]\nevent = \"none\"\niotype = \"read\"\nerrno = \"5\"\nsector = \"7\"\n\n";
        assert_eq!(specs[0].faults[0].rule(), rule);
    }

    #[test]
    fn refuses_mistakes() {
        for line in
            ["outputs = ['x']", "output = ['(']", "command = []", "smp = 'x'", "root = 'tape'", "firmware = 'bios'"]
        {
            let command = if line.starts_with("command") { "" } else { "command = ['a']\n" };
            assert!(parse(&format!("[[test]]\nname = 'a'\n{command}{line}\n")).is_err(), "{line}");
        }
    }

    #[test]
    fn the_tests_of_this_repository_are_sound() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/system");
        load(&dir).unwrap();
    }
}
