//! One config file as it is written.

use super::Install;
use anyhow::{Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file; the keys are described in distro/README.md.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub packages: BTreeMap<String, Install>,
    #[serde(default)]
    pub debug: Vec<String>,
    #[serde(default)]
    pub debian: DebianSection,
    #[serde(default)]
    pub alternatives: BTreeMap<String, Alternative>,
    #[serde(default)]
    pub initfs: InitfsSection,
    pub root: Option<RootSection>,
    #[serde(default)]
    pub groups: Vec<Group>,
    #[serde(default)]
    pub users: Vec<User>,
    #[serde(default)]
    pub dirs: Vec<DirEntry>,
    #[serde(default)]
    pub files: Vec<FileEntry>,
    #[serde(default)]
    pub links: Vec<LinkEntry>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianSection {
    #[serde(default)]
    pub packages: Vec<String>,
    #[serde(default)]
    pub exclude: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitfsSection {
    #[serde(default)]
    pub packages: Vec<String>,
    #[serde(default)]
    pub files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootSection {
    pub free: String,
}

/// What a path that several packages would have leads to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// The name of the link in /etc/alternatives.
    pub name: String,
    /// What it leads to.
    pub path: String,
}

/// A group (group(5)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// The Debian package whose maintainer scripts would make it; an image without that package has no such group.
    pub package: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub reason: String,
}

/// A user (passwd(5), shadow(5)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group; its own number if not given. Where no group has it, one of the user's name is made.
    pub gid: Option<u32>,
    /// Names of further groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The home folder. One below /home gets what is in /etc/skel.
    pub home: String,
    /// The program that a log-in starts.
    #[serde(default = "nologin")]
    pub shell: String,
    /// The name of the person, and more.
    #[serde(default)]
    pub gecos: String,
    /// The password itself.
    pub password: Option<String>,
    /// The password as crypt(5) hashes it. Without this and a password, nobody can log in by one.
    pub password_hash: Option<String>,
    /// As a group's.
    pub package: Option<String>,
    /// As a group's.
    #[serde(default)]
    pub reason: String,
}

fn nologin() -> String {
    "/usr/sbin/nologin".into()
}

impl Group {
    /// Fails unless /etc/group can say this.
    pub fn check(&self) -> Result<()> {
        name(&self.name)?;
        why(&self.name, self.package.as_deref(), &self.reason)
    }
}

impl User {
    /// Fails unless /etc/passwd and /etc/shadow can say this.
    pub fn check(&self) -> Result<()> {
        name(&self.name)?;
        why(&self.name, self.package.as_deref(), &self.reason)?;
        for (what, field) in [("home", &self.home), ("shell", &self.shell), ("gecos", &self.gecos)] {
            if field.contains([':', '\n', '\0']) {
                bail!("the {what} of user `{}` has a colon, the end of a line or NUL in it", self.name);
            }
        }
        match (&self.password, &self.password_hash) {
            (Some(_), Some(_)) => bail!("user `{}` has both `password` and `password-hash`", self.name),
            // A terminal can send no such password.
            (Some(password), None) if password.contains(['\n', '\0']) => {
                bail!("the password of user `{}` has the end of a line or NUL in it, and cannot be hashed", self.name)
            }
            (None, Some(hash)) if !is_hash(hash) => {
                bail!("`password-hash` of user `{}` is not one of crypt(5)'s forms, such as `$6$SALT$HASH`", self.name)
            }
            _ => Ok(()),
        }
    }
}

/// Names as useradd(8) takes them.
fn name(name: &str) -> Result<()> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
    if !first || !rest || name.len() > 32 {
        bail!("`{name}` is not a name for a user or group");
    }
    Ok(())
}

fn why(name: &str, package: Option<&str>, reason: &str) -> Result<()> {
    if package.is_some() && reason.is_empty() {
        bail!("`{name}` is a package's, and has no reason");
    }
    Ok(())
}

/// Whether the text is `$ID$…$…` in crypt(5)'s alphabet.
fn is_hash(text: &str) -> bool {
    let parts: Vec<&str> = text.split('$').collect();
    let known = matches!(parts.get(1), Some(&("y" | "gy" | "7" | "2a" | "2b" | "2y" | "6" | "5" | "1")));
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !":;*!\\".contains(c));
    parts.first() == Some(&"")
        && known
        && parts.len() >= 4
        && plain
        && parts.last().is_some_and(|hash| hash.len() >= 22)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirEntry {
    pub path: String,
    pub mode: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub path: String,
    pub mode: Option<u32>,
    pub data: Option<String>,
    pub source: Option<PathBuf>,
    pub debian: Option<String>,
    pub copy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEntry {
    pub path: String,
    pub target: String,
}
