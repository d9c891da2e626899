//! The file server's store on a model of a volume and of the kernel's memory objects.

use crate::memory::{Memory, Object};
use crate::pager::Pager;
use crate::shared::{Cache, Shared};
use crate::store::Files;
use ochre_abi::file::*;
use ochre_abi::{Errno, Result};
use ochre_vfs::model::Model;
use ochre_vfs::tree::{At, Base, Caller, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, Fs, Ino, Opened, WriteAt};
use ochre_volume::Volume;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const PAGE: usize = 4096;

/// Memory whose objects ask their pager at once, on the thread that needs a page: were the volume locked then, the test would hang.
#[derive(Clone, Default)]
struct Fake {
    pager: Arc<Mutex<Option<Pager<Fake>>>>,
}

struct FakeObject {
    memory: Fake,
    ino: Ino,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    size: u64,
    /// With whether they are dirty.
    present: BTreeMap<u64, ([u8; PAGE], bool)>,
    /// Pages that were taken and are not stored.
    taken: std::collections::BTreeSet<u64>,
    failed: Option<Errno>,
}

impl Memory for Fake {
    type Object = FakeObject;

    fn create(&self, ino: Ino, size: u64) -> Result<FakeObject> {
        let pages = Mutex::new(Pages { size, ..Pages::default() });
        Ok(FakeObject { memory: self.clone(), ino, pages })
    }

    fn take_over(&self, _: Ino, object: FakeObject) -> Result<FakeObject> {
        Ok(object)
    }
}

impl FakeObject {
    /// Another descriptor of the same object, as the kernel gives to the next server.
    fn of(&self, memory: &Fake) -> FakeObject {
        let pages = self.pages();
        let mut present = pages.present.clone();
        // The kernel has them dirty for the next pager.
        for index in &pages.taken {
            present.get_mut(index).unwrap().1 = true;
        }
        let pages = Pages { size: pages.size, present, ..Pages::default() };
        FakeObject { memory: memory.clone(), ino: self.ino, pages: Mutex::new(pages) }
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }

    /// Has a page there; ENOENT of the pager's error.
    fn bring_in(&self, index: u64) -> Result<()> {
        if self.pages().present.contains_key(&index) {
            return Ok(());
        }
        let mut pager = self.memory.pager.lock().unwrap();
        pager.as_mut().unwrap().page_in(self.ino, 0, index * PAGE as u64, PAGE as u64);
        let mut pages = self.pages();
        match pages.failed.take() {
            Some(error) => Err(error),
            None => {
                assert!(pages.present.contains_key(&index), "page {index} did not come");
                Ok(())
            }
        }
    }

    /// What the kernel does for a client that writes within the size.
    fn write_directly(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        assert!(offset + bytes.len() as u64 <= self.pages().size);
        self.write(offset, bytes).map(drop)
    }
}

impl Object for FakeObject {
    fn fd(&self) -> i32 {
        -1
    }
    fn size(&self) -> Result<u64> {
        Ok(self.pages().size)
    }
    fn resize(&self, size: u64) -> Result<()> {
        let mut pages = self.pages();
        pages.size = size;
        pages.present.retain(|index, _| index * (PAGE as u64) < size);
        if let Some((page, _)) = pages.present.get_mut(&(size / PAGE as u64)) {
            page[size as usize % PAGE..].fill(0);
        }
        Ok(())
    }
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let len = self.pages().size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (n, byte) in buffer[..len].iter_mut().enumerate() {
            let at = offset as usize + n;
            self.bring_in((at / PAGE) as u64)?;
            *byte = self.pages().present[&((at / PAGE) as u64)].0[at % PAGE];
        }
        Ok(len)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        let size = self.pages().size;
        for (n, byte) in bytes.iter().enumerate() {
            let at = offset as usize + n;
            let index = (at / PAGE) as u64;
            if index < size.div_ceil(PAGE as u64) {
                self.bring_in(index)?;
            }
            let mut pages = self.pages();
            let page = pages.present.entry(index).or_insert(([0; PAGE], true));
            page.0[at % PAGE] = *byte;
            page.1 = true;
            pages.size = pages.size.max(at as u64 + 1);
        }
        Ok(bytes.len())
    }
    fn supply(&self, _: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut pages = self.pages();
        let count = pages.size.div_ceil(PAGE as u64);
        for (index, part) in (offset / PAGE as u64..count).zip(bytes.chunks(PAGE)) {
            let mut page = [0; PAGE];
            page[..part.len()].copy_from_slice(part);
            pages.present.entry(index).or_insert((page, false));
        }
        Ok(())
    }
    fn fail(&self, _: u64, _: u64, error: Errno) -> Result<()> {
        self.pages().failed = Some(error);
        Ok(())
    }
    fn clean(&self, len: u64, offsets: &mut [u64]) -> Result<usize> {
        let mut count = 0;
        let mut pages = self.pages();
        let Pages { present, taken, .. } = &mut *pages;
        for (index, (_, dirty)) in present.range_mut(..len.div_ceil(PAGE as u64)).filter(|(_, page)| page.1) {
            let Some(place) = offsets.get_mut(count) else { break };
            *place = index * PAGE as u64;
            *dirty = false;
            taken.insert(*index);
            count += 1;
        }
        Ok(count)
    }
    fn stored(&self, offset: u64, len: u64, failed: bool) -> Result<()> {
        let mut pages = self.pages();
        for index in offset / PAGE as u64..(offset + len).div_ceil(PAGE as u64) {
            if pages.taken.remove(&index)
                && failed
                && let Some(page) = pages.present.get_mut(&index)
            {
                page.1 = true;
            }
        }
        Ok(())
    }
    fn evict(&self, offset: u64, len: u64) -> Result<()> {
        let range = offset / PAGE as u64..(offset + len).div_ceil(PAGE as u64);
        self.pages().present.retain(|index, page| page.1 || !range.contains(index));
        Ok(())
    }
    fn modified(&self) -> Result<u64> {
        Ok(0)
    }
}

type Tree = Fs<Files<Fake>>;

struct World {
    tree: Tree,
    cache: Cache<Fake>,
    volume: Arc<Mutex<Model>>,
    memory: Fake,
}

/// The model, also for the test to look at.
struct Watched(Arc<Mutex<Model>>);

macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($arg: $type),*) -> $result { self.0.lock().unwrap().$name($($arg),*) })*
    };
}

impl Volume for Watched {
    fn root(&self) -> Ino {
        self.0.lock().unwrap().root()
    }
    fn read_only(&self) -> bool {
        self.0.lock().unwrap().read_only()
    }
    pass_on! {
        attributes(ino: Ino) -> Result<ochre_volume::Attributes>;
        set_attributes(ino: Ino, to: &ochre_volume::Attributes) -> Result<()>;
        lookup(directory: Ino, name: &[u8]) -> Result<Ino>;
        entries(directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()>;
        parent(directory: Ino) -> Result<Ino>;
        is_empty(directory: Ino) -> Result<bool>;
        create(new: &ochre_volume::NewNode<'_>) -> Result<Ino>;
        link(directory: Ino, name: &[u8], ino: Ino) -> Result<()>;
        unlink(directory: Ino, name: &[u8]) -> Result<Ino>;
        rename(from: (Ino, &[u8]), to: (Ino, &[u8]), exchange: bool) -> Result<()>;
        hold(ino: Ino) -> Result<()>;
        release(ino: Ino) -> Result<()>;
        read(ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize>;
        write(ino: Ino, offset: u64, bytes: &[u8]) -> Result<()>;
        resize(ino: Ino, size: u64) -> Result<()>;
        punch(ino: Ino, offset: u64, len: u64) -> Result<()>;
        next_data(ino: Ino, offset: u64) -> Result<Option<u64>>;
        next_hole(ino: Ino, offset: u64) -> Result<Option<u64>>;
        target(ino: Ino) -> Result<Vec<u8>>;
        xattr(ino: Ino, name: &[u8]) -> Result<Vec<u8>>;
        set_xattr(ino: Ino, name: &[u8], value: &[u8]) -> Result<()>;
        remove_xattr(ino: Ino, name: &[u8]) -> Result<()>;
        list_xattrs(ino: Ino) -> Result<Vec<Vec<u8>>>;
        usage() -> Result<ochre_volume::Usage>;
        commit() -> Result<()>;
    }
}

impl World {
    fn new(blocks: u64) -> Self {
        Self::over(Arc::new(Mutex::new(Model::new(blocks))))
    }

    fn over(volume: Arc<Mutex<Model>>) -> Self {
        let shared = Shared::new(Watched(volume.clone()));
        let memory = Fake::default();
        let cache = Cache::new(memory.clone());
        *memory.pager.lock().unwrap() = Some(Pager::new(shared.clone(), cache.share(), || ()));
        let tree = Fs::mount(Files::new(shared, cache.share(), 2)).unwrap();
        Self { tree, cache, volume, memory }
    }

    fn open(&mut self, path: &str, flags: u32) -> Opened {
        let opened = self.tree.open(at(path), flags, 0o644, &Caller::ROOT).unwrap();
        // As the server does, to attach it.
        self.tree.data(opened.ino).map(drop).unwrap();
        opened
    }

    fn on_volume(&self, ino: Ino) -> Vec<u8> {
        self.volume.lock().unwrap().bytes(ino).unwrap().to_vec()
    }
}

fn at(path: &str) -> At<'_> {
    At { base: Base::Root, path: path.as_bytes() }
}

#[test]
fn writes_wait_in_memory_for_fsync() {
    let mut world = World::new(100);
    let file = world.open("f", O_CREAT | O_RDWR);
    world.tree.write(file.handle, WriteAt::End, b"first").unwrap();
    assert!(world.on_volume(file.ino).is_empty());
    world.tree.sync_file(file.ino).unwrap();
    assert_eq!(world.on_volume(file.ino), b"first");
    // Past the server, as the kernel writes within the size.
    world.cache.get(file.ino).unwrap().object.write_directly(0, b"F").unwrap();
    assert_eq!(world.on_volume(file.ino), b"first");
    world.tree.sync_all().unwrap();
    assert_eq!(world.on_volume(file.ino), b"First");
}

#[test]
fn a_volume_that_is_full_says_so_to_write() {
    let mut world = World::new(64);
    let file = world.open("f", O_CREAT | O_RDWR);
    let block = [7; PAGE];
    let mut written = 0;
    let error = loop {
        match world.tree.write(file.handle, WriteAt::End, &block) {
            Ok((len, _)) => written += len,
            Err(error) => break error,
        }
    };
    assert_eq!((error, written), (Errno::ENOSPC, 63 * PAGE));
    // All that was promised has room.
    world.tree.sync_all().unwrap();
    assert_eq!(world.on_volume(file.ino).len(), written);
    world.tree.truncate_handle(file.handle, 0).unwrap();
    world.tree.write(file.handle, WriteAt::End, &block).unwrap();
    world.tree.sync_all().unwrap();
}

#[test]
fn what_cannot_be_written_back_is_tried_again() {
    let mut world = World::new(100);
    let file = world.open("f", O_CREAT | O_RDWR);
    world.tree.write(file.handle, WriteAt::End, b"bytes").unwrap();
    world.volume.lock().unwrap().trouble = Some(Errno::EIO);
    assert_eq!(world.tree.sync_file(file.ino), Err(Errno::EIO));
    world.volume.lock().unwrap().trouble = None;
    world.tree.sync_file(file.ino).unwrap();
    assert_eq!(world.on_volume(file.ino), b"bytes");
}

#[test]
fn pages_that_were_taken_stay_until_the_commit() {
    let mut world = World::new(100);
    let file = world.open("f", O_CREAT | O_RDWR);
    world.tree.write(file.handle, WriteAt::End, b"bytes").unwrap();
    // Asking for holes has the bytes given to the volume, which does not commit for that.
    assert_eq!(world.tree.seek(file.handle, 0, true), Ok(5));
    let taken = |world: &World| world.cache.get(file.ino).unwrap().object.pages().taken.len();
    assert_eq!((world.on_volume(file.ino).len(), taken(&world)), (5, 1));
    world.tree.sync_file(file.ino).unwrap();
    assert_eq!(taken(&world), 0);
}

#[test]
fn the_next_server_has_what_was_not_written_back() {
    let mut world = World::new(100);
    let file = world.open("f", O_CREAT | O_RDWR);
    world.tree.write(file.handle, WriteAt::End, &[1; 2 * PAGE]).unwrap();
    world.tree.sync_all().unwrap();
    // What comes now is in the objects alone.
    world.cache.get(file.ino).unwrap().object.write_directly(5, b"dirty").unwrap();
    world.tree.write(file.handle, WriteAt::End, b"longer").unwrap();
    let died = world;
    let mut world = World::over(died.volume.clone());
    let memory = died.cache.get(file.ino).unwrap().object.memory.clone();
    *memory.pager.lock().unwrap() = None;
    let object = died.cache.get(file.ino).unwrap().object.of(&world.memory);
    world.cache.inherit(file.ino, object);
    assert_eq!(world.tree.adopt(file.handle), Ok(file.ino));
    world.tree.data(file.ino).map(drop).unwrap();
    assert!(world.cache.disinherit().is_empty());
    let mut want = [[1; 2 * PAGE].as_slice(), b"longer"].concat();
    want[5..10].copy_from_slice(b"dirty");
    let mut read = vec![0; want.len()];
    assert_eq!(world.tree.read(file.handle, 0, &mut read), Ok(want.len()));
    assert_eq!(read, want);
    world.tree.sync_all().unwrap();
    assert_eq!(world.on_volume(file.ino), want);
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Append(Vec<u8>),
    Direct(u64, Vec<u8>),
    Truncate(u64),
    Punch(u64, u64),
    Sync,
    Reopen,
    Evict,
    Remount,
}

fn step() -> impl Strategy<Value = Step> {
    // Around the edges of pages and of the volume's records.
    let place = || prop_oneof![0u64..3 * 4096, 131_072u64 - 5000..131_072 + 5000];
    let bytes = || (any::<u8>(), 1usize..6000).prop_map(|(byte, len)| vec![byte; len]);
    prop_oneof![
        3 => (place(), bytes()).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        2 => bytes().prop_map(Step::Append),
        3 => (place(), bytes()).prop_map(|(at, bytes)| Step::Direct(at, bytes)),
        2 => place().prop_map(Step::Truncate),
        1 => (place(), 1u64..9000).prop_map(|(at, len)| Step::Punch(at, len)),
        2 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Evict),
        1 => Just(Step::Remount),
    ]
}

fn put(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if model.len() < at + bytes.len() {
        model.resize(at + bytes.len(), 0);
    }
    model[at..at + bytes.len()].copy_from_slice(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Whatever is written by whom, cut, punched, evicted and mounted again: reads show what a plain vector would.
    #[test]
    fn a_file_is_its_bytes(steps in proptest::collection::vec(step(), 1..25)) {
        let mut world = World::new(1000);
        let mut file = world.open("f", O_CREAT | O_RDWR);
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step {
                Step::Write(at, bytes) => {
                    prop_assert_eq!(world.tree.write(file.handle, WriteAt::Offset(at), &bytes), Ok((bytes.len(), false)));
                    put(&mut model, at as usize, &bytes);
                }
                Step::Append(bytes) => {
                    prop_assert_eq!(world.tree.write(file.handle, WriteAt::End, &bytes), Ok((bytes.len(), false)));
                    let end = model.len();
                    put(&mut model, end, &bytes);
                }
                Step::Direct(at, bytes) => {
                    let room = (model.len() as u64).saturating_sub(at).min(bytes.len() as u64) as usize;
                    if room > 0 {
                        world.cache.get(file.ino).unwrap().object.write_directly(at, &bytes[..room]).unwrap();
                        put(&mut model, at as usize, &bytes[..room]);
                    }
                }
                Step::Truncate(size) => {
                    world.tree.truncate_handle(file.handle, size).unwrap();
                    model.resize(size as usize, 0);
                }
                Step::Punch(at, len) => {
                    let mode = FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE;
                    world.tree.allocate(file.handle, mode, at, len).unwrap();
                    let end = model.len().min((at + len) as usize);
                    if let Some(part) = model.get_mut(at as usize..end) {
                        part.fill(0);
                    }
                }
                Step::Sync => {
                    world.tree.sync_file(file.ino).unwrap();
                    prop_assert_eq!(&world.on_volume(file.ino), &model);
                }
                Step::Reopen => {
                    world.tree.close(file.handle);
                    file = world.open("f", O_RDWR);
                }
                Step::Evict => world.cache.get(file.ino).unwrap().object.evict(0, 1 << 30).unwrap(),
                Step::Remount => {
                    world.tree.sync_all().unwrap();
                    world = World::over(world.volume.clone());
                    file = world.open("f", O_RDWR);
                }
            }
            prop_assert_eq!(world.tree.size(file.ino), Ok(model.len() as u64));
        }
        let mut read = vec![0; model.len() + 1];
        prop_assert_eq!(world.tree.read(file.handle, 0, &mut read), Ok(model.len()));
        prop_assert_eq!(&read[..model.len()], &model[..]);
        world.tree.sync_file(file.ino).unwrap();
        prop_assert_eq!(&world.on_volume(file.ino), &model);
    }
}
