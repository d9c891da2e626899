//! `fsd [--live] [--read-only] SCHEME ROOT`: serves the volume on a partition as the scheme SCHEME.
//!
//! ROOT is `disk.NAME/FILE`, `PARTUUID=…` or `LABEL=…`. With `--live` changes stay in memory.

use fsd::disk::Disk;
use fsd::memory::Kernel;
use fsd::pager::Pager;
use fsd::root::{self, Root};
use fsd::shared::{Cache, Shared};
use fsd::store::Files;
use ochre_abi::call::OP_SYNC;
use ochre_abi::file::O_RDONLY;
use ochre_abi::process::{RLIMIT_NOFILE, Rlimit};
use ochre_abi::{Errno, Result};
use ochre_rt::call::Call;
use ochre_rt::syscall;
use ochre_scheme::{Client, Server};
use ochre_vfs::server::FileServer;
use ochre_vfs::tree::Fs;
use ochre_volume::device::Overlay;
use ochre_volume::redox::{Options, Redox};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long what was written may be in memory only.
const WRITE_BACK: Duration = Duration::from_secs(5);
/// The device number of the files, in stat(2).
const DEVICE: u64 = 2;

/// Open files of the server: one for every file that has bytes in memory.
const FILES_MAX: u64 = 1 << 20;

/// What the volume says of damage goes to the log of the service.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        eprintln!("fsd: {}", record.args());
    }
    fn flush(&self) {}
}

struct Arguments {
    live: bool,
    read_only: bool,
    scheme: String,
    root: Root,
}

fn main() -> ExitCode {
    // It is the first, so it is the one.
    let _ = log::set_logger(&Logger).map(|()| log::set_max_level(log::LevelFilter::Info));
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        eprintln!("usage: fsd [--live] [--read-only] SCHEME (disk.NAME/FILE | PARTUUID=… | LABEL=…)");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fsd: {}: {error}", arguments.root);
            ExitCode::FAILURE
        }
    }
}

fn arguments(words: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut live, mut read_only, mut rest) = (false, false, Vec::new());
    for word in words {
        match word.as_str() {
            "--live" => live = true,
            "--read-only" => read_only = true,
            _ if word.starts_with("--") => return None,
            _ => rest.push(word),
        }
    }
    let [scheme, root] = <[String; 2]>::try_from(rest).ok()?;
    Some(Arguments { live, read_only, scheme, root: Root::parse(&root)? })
}

fn run(arguments: &Arguments) -> Result<()> {
    let files = Rlimit { current: FILES_MAX, max: FILES_MAX };
    // With the default limit fewer files can be open.
    let _ = syscall::limit(RLIMIT_NOFILE, Some(&files));
    let path = root::find(&arguments.root)?;
    let disk = open(&path).inspect_err(|error| eprintln!("fsd: {path}: {error}"))?;
    let options = Options { read_only: arguments.read_only, ..Options::default() };
    let volume = if arguments.live {
        Shared::new(Redox::open(Overlay::new(disk, root::live_limit()), options)?)
    } else {
        Shared::new(Redox::open(disk, options)?)
    };
    // The pages of files that are mapped outlive this server, as do its handles: the next one goes on with both.
    let (pager_server, pages) = Server::register_keeping(&format!("{}.pages", arguments.scheme))?;
    let cache = Cache::new(Kernel { port: pager_server.fd() });
    let (full, is_full) = mpsc::channel();
    let pager = Pager::new(volume.clone(), cache.share(), move || {
        // Only at the process's end nobody hears it.
        let _ = full.send(());
    });
    let inherited = cache.share();
    let tree = Fs::mount(Files::new(volume, cache, DEVICE))?;
    let (mut server, inheritance) = Server::register_keeping(&arguments.scheme)?;
    let mut files = FileServer::new(tree, server.port());
    let handles = inheritance.handles()?;
    if !handles.is_empty() {
        pages.objects()?.into_iter().for_each(|(ino, object)| inherited.inherit(ino, object));
        let open = handles.len();
        let adopted = files.adopt(handles);
        eprintln!("fsd: goes on with {adopted} of {open} open files");
    }
    for object in inherited.disinherit() {
        // Whoever still needs a page of it gets EIO.
        let _ = syscall::object_pager(object.get(), -1, 0);
    }
    std::thread::spawn(move || page(pager_server, pager));
    let scheme = format!("/scheme/{}", arguments.scheme);
    std::thread::spawn(move || write_back(&scheme, &is_full));
    ochre_scheme::ready();
    serve(&mut server, &mut files)
}

/// Opens the disk. A server that has just died may seem to have it still.
fn open(path: &str) -> Result<Disk> {
    let start = Instant::now();
    loop {
        match Disk::open(path) {
            Err(Errno::EBUSY) if start.elapsed() < WRITE_BACK => std::thread::sleep(Duration::from_millis(5)),
            other => return other,
        }
    }
}

/// The thread that has the server write back when writers wait for that, as a client that calls syncfs(2) would.
fn write_back(scheme: &str, full: &mpsc::Receiver<()>) {
    let mut root = None;
    while full.recv().is_ok() {
        // What came meanwhile is done with the same call.
        while full.try_recv().is_ok() {}
        root = root.or_else(|| Client::open(scheme, O_RDONLY).ok());
        let done = root.as_ref().map(|root| Call::new(OP_SYNC, [2, 0, 0]).send(root.fd()));
        if let Some(Err(error)) = done {
            eprintln!("fsd: writing back: {error}");
        }
    }
}

/// The pager's thread.
fn page(mut server: Server, mut pager: Pager<Kernel>) {
    let error = server.run(&mut pager);
    // Without it nothing can be read: the successor may fare better.
    eprintln!("fsd: the pager ends: {error:?}");
    std::process::exit(1);
}

/// The event loop: requests, and writing back what they changed.
fn serve(server: &mut Server, files: &mut FileServer<Files<Kernel>>) -> Result<()> {
    let mut due = Instant::now() + WRITE_BACK;
    loop {
        let left = due.saturating_duration_since(Instant::now());
        match server.process(files, left.as_nanos() as u64) {
            Ok(_) | Err(Errno::ETIMEDOUT) => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= due {
            if let Err(error) = files.tree().sync_all() {
                eprintln!("fsd: writing back: {error}");
            }
            due = Instant::now() + WRITE_BACK;
        }
    }
}
