//! The start of the system.

use bootstrap::load;
use ochre_abi::file::{AT_FDCWD, O_CLOEXEC, O_RDONLY};
use ochre_abi::process::{FdPair, P_ALL, RLIMIT_NOFILE, Rlimit, WEXITED};
use ochre_abi::signal::CLD_EXITED;
use ochre_abi::syscall::POWER_EXIT_VM;
use ochre_abi::{Errno, Result};
use ochre_rt::exec::{self, Fds, SpawnOptions};
use ochre_rt::start::{self, Level, log};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::Server;
use ochre_vfs::memory::Objects;
use ochre_vfs::server::FileServer;
use ochre_vfs::tree::Fs;

const MODULE: i32 = 0;
const CONSOLE: i32 = 1;
/// The tree's device number, in stat(2).
const DEVICE: u64 = 1;
const SCHEME: &str = "initfs";
const INIT: &[u8] = b"/sbin/init";
const ENVIRONMENT: [&[u8]; 4] = [
    b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    b"HOME=/root",
    b"TERM=linux",
    b"LANG=C.UTF-8",
];
const SERVER_STACK: usize = 128 * 1024;
/// Open files of the server: one for every file that is open or was written.
const FILES_MAX: u64 = 1 << 20;
/// Bytes that files may take if the kernel does not tell how much memory there is.
const DEFAULT_LIMIT: u64 = 128 << 20;
/// What `cargo xtask exec` takes for a failure.
const EXIT_FAILURE: u64 = 0x11;

/// Runs the system; returns if it cannot start.
pub fn main() -> i32 {
    if let Err(error) = run() {
        log(Level::Error, format_args!("the system cannot start: {error}"));
    }
    // Power may be refused only without the right to it, which the first process has.
    let _ = syscall::power(POWER_EXIT_VM, EXIT_FAILURE);
    1
}

fn run() -> Result<()> {
    let files = Rlimit { current: FILES_MAX, max: FILES_MAX };
    // With the default limit the system starts, too.
    let _ = syscall::limit(RLIMIT_NOFILE, Some(&files));
    let server = Server::register(SCHEME)?;
    let mut fs = Fs::new(Objects::new(DEVICE, Some(OwnedFd::new(MODULE))), memory_limit());
    let entries = load::load(&mut fs, |entry, error| {
        log(Level::Warn, format_args!("{}: {error}", entry.name.escape_ascii()));
    })?;
    log(Level::Debug, format_args!("{entries} entries in the initial tree"));
    let files = FileServer::new(fs, server.port());
    start::spawn(SERVER_STACK, move || serve(server, files))?;
    syscall::ns_bind(b"/", SCHEME.as_bytes())?;
    let init = spawn_init().inspect_err(|error| log(Level::Error, format_args!("/sbin/init: {error}")))?;
    reap(init)
}

fn serve(mut server: Server, mut files: FileServer<Objects>) {
    if let Err(error) = server.run(&mut files) {
        log(Level::Error, format_args!("the root file system ends: {error}"));
    }
}

fn spawn_init() -> Result<i32> {
    let console = [0, 1, 2].map(|target| FdPair { source: CONSOLE, target });
    let root = OwnedFd::new(syscall::openat(AT_FDCWD, b"/", O_RDONLY | O_CLOEXEC, 0)?);
    let options = SpawnOptions { fds: Fds::Only(&console), cwd: Some(root.get()), ..SpawnOptions::default() };
    exec::spawn(INIT, [INIT].into_iter(), ENVIRONMENT.into_iter(), &options)
}

/// Waits for children, orphans among them, until init ends.
fn reap(init: i32) -> Result<()> {
    loop {
        match syscall::wait(P_ALL, 0, WEXITED) {
            Ok(Some(ended)) if ended.pid as i32 == init => {
                let how = if ended.code == CLD_EXITED { "exited with status" } else { "was ended by signal" };
                log(Level::Error, format_args!("init {how} {}", ended.status));
                return Err(Errno::ECHILD);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Half of the memory, as Linux's tmpfs takes.
fn memory_limit() -> u64 {
    let mut text = [0; 256];
    let read = syscall::openat(AT_FDCWD, b"/scheme/sys/memory", O_RDONLY | O_CLOEXEC, 0).map(OwnedFd::new);
    let len = read.and_then(|file| syscall::read(file.get(), &mut text)).unwrap_or(0);
    let frames = bootstrap::total_frames(text.get(..len).unwrap_or(&[]));
    frames.map_or(DEFAULT_LIMIT, |frames| frames * ochre_abi::layout::PAGE_SIZE as u64 / 2)
}
