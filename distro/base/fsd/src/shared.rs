//! What the server's thread and the pager's share: the volume, and the objects of files.
//!
//! The lock of the volume is held for one operation at a time, and never while an object is read or written: these may wait for the pager,
//! which needs the lock.

use crate::memory::{Memory, Object};
use ochre_abi::Result;
use ochre_volume::{Attributes, Ino, NewNode, Usage, Volume};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file with bytes in memory.
#[derive(Debug)]
pub struct Cached<O> {
    /// Its bytes.
    pub object: O,
    size: AtomicU64,
}

impl<O: Object> Cached<O> {
    /// The file's size. The volume may not know of it yet.
    pub fn size(&self) -> u64 {
        self.size.load(SeqCst)
    }

    /// Notes the size.
    pub fn set_size(&self, size: u64) {
        self.size.store(size, SeqCst);
    }
}

/// The files with bytes in memory, by number.
#[derive(Debug)]
pub struct Cache<M: Memory> {
    memory: M,
    files: Arc<Mutex<HashMap<Ino, Arc<Cached<M::Object>>>>>,
    /// Objects of a server before this one, of files that are not open here yet.
    inherited: Arc<Mutex<HashMap<Ino, M::Object>>>,
}

impl<M: Memory> Cache<M> {
    /// None yet.
    pub fn new(memory: M) -> Self {
        Self { memory, files: Arc::default(), inherited: Arc::default() }
    }

    /// Another reference to the same files, for the pager.
    pub fn share(&self) -> Cache<M>
    where
        M: Clone,
    {
        Cache { memory: self.memory.clone(), files: self.files.clone(), inherited: self.inherited.clone() }
    }

    /// Keeps the object that a server before this one had for a file, for when it is opened: its dirty pages and its size are newer than
    /// the volume's.
    pub fn inherit(&self, ino: Ino, object: M::Object) {
        lock(&self.inherited).insert(ino, object);
    }

    /// Objects that were inherited for files that nobody has open.
    pub fn disinherit(&self) -> Vec<M::Object> {
        lock(&self.inherited).drain().map(|(_, object)| object).collect()
    }

    /// Makes a file's object, of `size` bytes if it is new.
    pub fn insert(&self, ino: Ino, size: u64) -> Result<Arc<Cached<M::Object>>> {
        let inherited = lock(&self.inherited).remove(&ino);
        let (object, size) = match inherited {
            Some(object) => {
                let size = object.size()?;
                (self.memory.take_over(ino, object)?, size)
            }
            None => (self.memory.create(ino, size)?, size),
        };
        let file = Arc::new(Cached { object, size: AtomicU64::new(size) });
        lock(&self.files).insert(ino, file.clone());
        Ok(file)
    }

    /// The object of a file, if it has one.
    pub fn get(&self, ino: Ino) -> Option<Arc<Cached<M::Object>>> {
        lock(&self.files).get(&ino).cloned()
    }

    /// Forgets a file's object.
    pub fn remove(&self, ino: Ino) {
        lock(&self.files).remove(&ino);
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a thread that panicked left half done, the volume itself refuses to go on with.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A volume that several threads use.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<dyn Volume + Send>>);

impl Shared {
    /// Shares a volume.
    pub fn new(volume: impl Volume + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(volume)))
    }

    /// The volume, for several operations that belong together.
    pub fn lock(&self) -> MutexGuard<'_, dyn Volume + Send + 'static> {
        lock(&self.0)
    }
}

impl Volume for Shared {
    fn root(&self) -> Ino {
        self.lock().root()
    }
    fn read_only(&self) -> bool {
        self.lock().read_only()
    }
    fn attributes(&mut self, ino: Ino) -> Result<Attributes> {
        self.lock().attributes(ino)
    }
    fn set_attributes(&mut self, ino: Ino, to: &Attributes) -> Result<()> {
        self.lock().set_attributes(ino, to)
    }
    fn lookup(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        self.lock().lookup(directory, name)
    }
    fn entries(&mut self, directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()> {
        self.lock().entries(directory, each)
    }
    fn parent(&mut self, directory: Ino) -> Result<Ino> {
        self.lock().parent(directory)
    }
    fn is_empty(&mut self, directory: Ino) -> Result<bool> {
        self.lock().is_empty(directory)
    }
    fn create(&mut self, new: &NewNode<'_>) -> Result<Ino> {
        self.lock().create(new)
    }
    fn link(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        self.lock().link(directory, name, ino)
    }
    fn unlink(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        self.lock().unlink(directory, name)
    }
    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), exchange: bool) -> Result<()> {
        self.lock().rename(from, to, exchange)
    }
    fn hold(&mut self, ino: Ino) -> Result<()> {
        self.lock().hold(ino)
    }
    fn release(&mut self, ino: Ino) -> Result<()> {
        self.lock().release(ino)
    }
    fn read(&mut self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.lock().read(ino, offset, buffer)
    }
    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()> {
        self.lock().write(ino, offset, bytes)
    }
    fn resize(&mut self, ino: Ino, size: u64) -> Result<()> {
        self.lock().resize(ino, size)
    }
    fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        self.lock().punch(ino, offset, len)
    }
    fn next_data(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        self.lock().next_data(ino, offset)
    }
    fn next_hole(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        self.lock().next_hole(ino, offset)
    }
    fn target(&mut self, ino: Ino) -> Result<Vec<u8>> {
        self.lock().target(ino)
    }
    fn xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        self.lock().xattr(ino, name)
    }
    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8]) -> Result<()> {
        self.lock().set_xattr(ino, name, value)
    }
    fn remove_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<()> {
        self.lock().remove_xattr(ino, name)
    }
    fn list_xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        self.lock().list_xattrs(ino)
    }
    fn usage(&mut self) -> Result<Usage> {
        self.lock().usage()
    }
    fn commit(&mut self) -> Result<()> {
        self.lock().commit()
    }
}
