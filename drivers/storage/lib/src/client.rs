//! A client that outlives the driver.

use crate::partition::Partition;
use crate::protocol::{ATTACH, DISCARD, INFO, Info, TRANSFER, Transfer};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_SYNC;
use ochre_scheme::abi::file::{O_EXCL, O_RDONLY, O_RDWR};
use ochre_scheme::abi::memory::OBJECT_CLOEXEC;
use ochre_scheme::{Client, Errno, Result};
use std::sync::{Arc, Mutex, PoisonError};
use zerocopy::IntoBytes;

/// How often one request is tried.
const TRIES: usize = 8;

/// A disk with a memory object that it transfers to and from. To be used by several threads at once: each has one request under way.
///
/// A driver that dies takes the requests along that it had. Reading and writing the same sectors once more does no harm, so these are
/// made again, on a handle of its successor. What was flushed before is on the disk; after a failed flush nothing is known of
/// what was written since the last one, so that a flush over a driver's death is EIO.
pub struct Disk {
    path: String,
    /// O_EXCL, or nothing.
    flags: u32,
    object: OwnedFd,
    len: u64,
    session: Mutex<Arc<Session>>,
}

struct Session {
    handle: Client,
    object: u64,
}

impl Disk {
    /// Opens `/scheme/disk.NAME/0`, or a partition, with `len` bytes (whole pages) of memory for transfers; read-only where there is no writing.
    pub fn open(path: &str, len: u64) -> Result<Disk> {
        Self::open_with(path, len, 0)
    }

    /// The same, for this client alone: as mount(2) does, and with EBUSY for everyone else who asks for that.
    pub fn open_exclusive(path: &str, len: u64) -> Result<Disk> {
        Self::open_with(path, len, O_EXCL)
    }

    fn open_with(path: &str, len: u64, flags: u32) -> Result<Disk> {
        let object = OwnedFd::new(syscall::object_create(len, OBJECT_CLOEXEC)?);
        let session = Mutex::new(Arc::new(Session::open(path, flags, object.get(), len)?));
        Ok(Disk { path: path.to_owned(), flags, object, len, session })
    }

    /// The memory: what a mapping of it shows is what transfers move.
    pub fn memory(&self) -> i32 {
        self.object.get()
    }

    /// What the disk is.
    pub fn info(&self) -> Result<Info> {
        self.retry(|session| session.handle.exchange(INFO, [0; 3], &[0u8; 0]))
    }

    /// Moves bytes from or to the disk. `object` of the transfer is filled in here.
    pub fn transfer(&self, what: Transfer) -> Result<()> {
        self.retry(|session| {
            let what = Transfer { object: session.object, ..what };
            Call::new(TRANSFER, [0; 3]).input(what.as_bytes()).send(session.handle.fd()).map(|_| ())
        })
    }

    /// Bytes from `at` on need not be kept. Errors of [`DISCARD`].
    pub fn discard(&self, at: u64, len: u64) -> Result<()> {
        self.retry(|session| session.handle.value(DISCARD, [at, len, 0]).map(|_| ()))
    }

    /// What was written before is on the medium afterwards.
    pub fn flush(&self) -> Result<()> {
        self.now().handle.value(OP_SYNC, [0; 3]).map(|_| ())
    }

    fn now(&self) -> Arc<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn retry<T>(&self, mut request: impl FnMut(&Session) -> Result<T>) -> Result<T> {
        let mut last = Errno::EIO;
        for _ in 0..TRIES {
            let session = self.now();
            match request(&session) {
                Ok(done) => return Ok(done),
                Err(error) => last = error,
            }
            // A driver that lives has said what it had to say.
            if session.handle.exchange::<_, Info>(INFO, [0; 3], &[0u8; 0]).is_ok() {
                return Err(last);
            }
            let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have opened it again already.
            if Arc::ptr_eq(&current, &session) {
                *current = Arc::new(Session::open(&self.path, self.flags, self.object.get(), self.len)?);
            }
        }
        Err(last)
    }
}

impl Session {
    fn open(path: &str, flags: u32, object: i32, len: u64) -> Result<Session> {
        let handle = match Client::open(path, O_RDWR | flags) {
            Err(Errno::EROFS) => Client::open(path, O_RDONLY | flags)?,
            other => other?,
        };
        let fds = [object];
        let object = Call::new(ATTACH, [len, 0, 0]).fds(&fds).send(handle.fd())? as u64;
        Ok(Session { handle, object })
    }
}

/// The partitions of all disks of a scheme, such as `disk.virtio-0`.
pub fn partitions(scheme: &str) -> Result<Vec<Partition>> {
    let text = std::fs::read_to_string(format!("/scheme/{scheme}/partitions"));
    let text = text.map_err(|error| Errno(error.raw_os_error().unwrap_or(Errno::EIO.0)))?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}
