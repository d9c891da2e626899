//! Running an image's programs on this host's Linux kernel: in a root folder with the image's files, with glibc or with our C
//! library over Linux's system calls. Everything runs there, also what a program starts.
//!
//! The programs see the image, read-only, with new and empty /tmp, /run, /root and /dev, and a process namespace of their own, which
//! ends with the first process. The environment is the one that Ochre's init gives.

use crate::host;
use crate::image::items::CLibrary;
use crate::image::tree;
use crate::process;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What every process gets.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"), ("TMPDIR", "/tmp"), ("HOME", "/root")];

/// Prepares the root folder `$1`, with the folder `$2` at /mnt/put if it is not empty, lets nothing be written there if `$3` is `ro`, and runs
/// the rest there.
const ENTER: &str = r#"
set -e
root=$1 put=$2 how=$3
shift 3
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 dev dev
for node in null zero full random urandom tty; do
    : >dev/$node
    mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=700 home root
if [ -n "$put" ]; then
    mount -t tmpfs -o mode=755 mnt mnt
    mkdir mnt/put
    mount --bind "$put" mnt/put
fi
[ "$how" = rw ] || mount -o remount,bind,ro "$root"
# Not by exec: the first process of a namespace is immune to most signals.
status=0
chroot "$root" "$@" || status=$?
exit $status
"#;

/// A root folder that programs can run in.
pub struct Native {
    root: PathBuf,
}

impl Native {
    /// Builds the folder of the image `config`.
    pub fn new(workspace: &Workspace, config: &str, library: CLibrary) -> Result<Native> {
        host::ensure(&[host::NATIVE])?;
        Ok(Native { root: tree::build(workspace, config, library)? })
    }

    /// A folder that an image was written to.
    pub fn at(root: &Path) -> Native {
        Native { root: root.to_owned() }
    }

    /// A command that may change the folder.
    pub fn writing(&self, limit: Duration, words: &[String]) -> Result<Command> {
        host::ensure(&[host::NATIVE])?;
        self.enter("rw", None, limit, words)
    }

    /// A command in that folder, with a folder of the host's at /mnt/put. Its standard input is empty. After `limit` it
    /// is killed with all that it has started.
    pub fn command(&self, put: Option<&Path>, limit: Duration, words: &[String]) -> Result<Command> {
        self.enter("ro", put, limit, words)
    }

    fn enter(&self, how: &str, put: Option<&Path>, limit: Duration, words: &[String]) -> Result<Command> {
        let mut command = process::command("timeout");
        // unshare does not heed SIGTERM.
        command.args(["--foreground", "--signal=KILL", &limit.as_secs_f64().to_string(), "unshare"]);
        if !host::is_root()? {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "sh", "-c", ENTER, "sh"]);
        command.arg(&self.root).arg(put.unwrap_or(Path::new(""))).arg(how);
        command.args(words).env_clear().envs(ENVIRONMENT.iter().copied());
        Ok(command)
    }
}
