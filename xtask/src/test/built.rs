//! What system tests run on, built before any of them starts.

use super::spec::{Spec, System};
use crate::boot::{self, FromMedium, Start};
use crate::build::kernel::Kernel;
use crate::build::libc::{self, Backend};
use crate::image::archive::{self, Image};
use crate::image::programs;
use crate::image::system::{self, System as Whole};
use crate::linux::{self, Guest};
use crate::symbolise::Symboliser;
use crate::vm::cmdline;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What tests have in common: which system, which image, which kernel, and whether with a root file system.
pub type Key = (System, String, Kernel, bool);

/// A system that tests can run on.
pub enum Built {
    /// Ochre or a kernel that tries the hardware layer.
    Ochre(Image),
    /// Ochre with a root file system.
    System(Box<Whole>),
    /// This host, with the image's programs.
    Host(BTreeMap<String, PathBuf>),
    /// Linux, with the image's programs and our C library.
    Linux(BTreeMap<String, PathBuf>, PathBuf),
}

/// What the test runs on.
pub fn key(spec: &Spec) -> Key {
    (spec.on, spec.config.clone(), spec.kernel.clone().map_or(Kernel::Ochre, Kernel::Example), spec.root.is_some())
}

/// Builds it.
pub fn build(workspace: &Workspace, (system, config, kernel, root): &Key) -> Result<Built> {
    match system {
        System::Ochre if *root => Ok(Built::System(Box::new(system::build(workspace, config)?))),
        System::Ochre => Ok(Built::Ochre(archive::build(workspace, config, kernel)?)),
        System::Console => {
            // Two consoles at a time must not build at a time as well.
            if *root {
                system::build(workspace, config)?;
            } else {
                archive::build(workspace, config, kernel)?;
            }
            Ok(Built::Host(programs::files(workspace, config)?))
        }
        System::Host => Ok(Built::Host(programs::files(workspace, config)?)),
        System::LinuxRelibc => {
            let programs = programs::files(workspace, config)?;
            Ok(Built::Linux(programs, libc::build(workspace, Backend::Linux)?))
        }
    }
}

impl Built {
    /// The host's copy of an image's program.
    pub fn program(&self, path: &str) -> Result<&Path> {
        let programs = match self {
            Built::Ochre(image) => &image.programs,
            Built::System(system) => &system.image.programs,
            Built::Host(programs) | Built::Linux(programs, _) => programs,
        };
        programs.get(path).map(PathBuf::as_path).with_context(|| format!("the image has no program {path}"))
    }

    /// Makes a test's boot, with files in `dir`.
    pub fn boot(&self, workspace: &Workspace, spec: &Spec, dir: &Path) -> Result<Start> {
        match self {
            Built::Ochre(image) => {
                let cmdline = cmdline::line("info", spec.append.as_deref(), &spec.command);
                boot::prepare(image, spec.iso.map(Into::into), None, &cmdline, dir)
            }
            Built::System(system) => {
                let cmdline = cmdline::line("info", spec.append.as_deref(), &spec.command);
                let (name, firmware) = (&spec.config, spec.firmware.map(Into::into));
                let medium = spec.root.context("a system with a root file system, and no medium for it")?;
                FromMedium { name, system, medium, firmware, put: None, cmdline: &cmdline }.prepare(workspace, dir)
            }
            Built::Linux(programs, libc) => {
                let guest = Guest {
                    programs,
                    libc: Some(libc),
                    put: None,
                    debian: &BTreeMap::new(),
                    disk: false,
                    command: &spec.command,
                };
                Ok(linux::boot(workspace, &guest, dir)?.into())
            }
            Built::Host(_) => bail!("the host is not booted"),
        }
    }

    /// What gives names to addresses in the log.
    pub fn symboliser(&self) -> Symboliser {
        match self {
            Built::Ochre(image) => Symboliser::new(Some(&image.kernel), &image.programs),
            Built::System(system) => Symboliser::new(Some(&system.image.kernel), &system.image.programs),
            Built::Host(programs) | Built::Linux(programs, _) => Symboliser::new(None, programs),
        }
    }
}
