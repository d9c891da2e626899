//! A client that outlives the driver.

use crate::protocol::{ATTACH, INFO, Info, TRANSFER, Transfer};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_SYNC;
use ochre_scheme::abi::file::O_RDWR;
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
    object: OwnedFd,
    len: u64,
    session: Mutex<Arc<Session>>,
}

struct Session {
    handle: Client,
    object: u64,
}

impl Disk {
    /// Opens `/scheme/NAME`, with `len` bytes (whole pages) of memory for transfers.
    pub fn open(path: &str, len: u64) -> Result<Disk> {
        let object = OwnedFd::new(syscall::object_create(len, OBJECT_CLOEXEC)?);
        let session = Mutex::new(Arc::new(Session::open(path, object.get(), len)?));
        Ok(Disk { path: path.to_owned(), object, len, session })
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
                *current = Arc::new(Session::open(&self.path, self.object.get(), self.len)?);
            }
        }
        Err(last)
    }
}

impl Session {
    fn open(path: &str, object: i32, len: u64) -> Result<Session> {
        let handle = Client::open(path, O_RDWR)?;
        let fds = [object];
        let object = Call::new(ATTACH, [len, 0, 0]).fds(&fds).send(handle.fd())? as u64;
        Ok(Session { handle, object })
    }
}
