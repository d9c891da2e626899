//! A disk with a volatile write cache, whose power can be cut.
//!
//! QEMU's own caching is no model of a disk's: what QEMU has passed to the host survives QEMU. So the disk is an NBD server of ours, to which
//! QEMU connects: what was written is in memory until a flush, and a cut loses any part of it, sector by sector.

mod protocol;
mod store;

use anyhow::{Context, Result};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use store::Flushes;
use store::Store;

/// A disk that machines can use until its power is cut.
pub struct VolatileDisk {
    socket: PathBuf,
    state: Arc<Mutex<State>>,
    server: Option<JoinHandle<()>>,
}

struct State {
    store: Store,
    /// No request is served any more.
    off: bool,
    connection: Option<UnixStream>,
}

impl VolatileDisk {
    /// The disk whose stable part is `file`. `seed` decides what is lost at the cut.
    pub fn new(file: &Path, seed: u64, flushes: Flushes) -> Result<VolatileDisk> {
        let store = Store::open(file, seed, flushes)?;
        // The name of a socket must be short.
        let socket = std::env::temp_dir().join(format!("xtask-disk-{}-{seed:x}", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).with_context(|| format!("cannot make {}", socket.display()))?;
        let state = Arc::new(Mutex::new(State { store, off: false, connection: None }));
        let shared = state.clone();
        let server = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let mut state = lock(&shared);
                if state.off {
                    return;
                }
                state.connection = stream.try_clone().ok();
                drop(state);
                // QEMU has gone, or was cut off: both end the connection, and the next may come.
                let _ = protocol::serve(&stream, &shared);
            }
        });
        Ok(VolatileDisk { socket, state, server: Some(server) })
    }

    /// What QEMU takes for the name of the disk's file.
    pub fn file(&self) -> PathBuf {
        PathBuf::from(format!("nbd+unix:///?socket={}", self.socket.display()))
    }

    /// Cuts the power: no request is answered any more, not even by an error, and of what was not flushed a random part is in the file.
    /// Returns how many sectors were at risk.
    pub fn cut(&self) -> Result<usize> {
        let mut state = lock(&self.state);
        if state.off {
            return Ok(0);
        }
        state.off = true;
        state.store.cut()
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        // Somebody who wants to know of errors has called it himself.
        let _ = self.cut();
        if let Some(connection) = lock(&self.state).connection.take() {
            // It may be closed already.
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the server, which ends.
        let _ = UnixStream::connect(&self.socket);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
