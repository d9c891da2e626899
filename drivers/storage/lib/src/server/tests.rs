//! A unit over a drive in memory, which fails where it is told to.

use super::drive::{BUFFER, BUFFERS, Drive, Family, Kind, Limits, Memory, Segment, Work};
use super::job::{Job, Reply, What};
use super::unit::Unit;
use ochre_scheme::{Errno, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where the bounce buffers are in the machine's memory, and all of it.
const BASE: usize = 0x10000;
const RAM: usize = BASE + (BUFFERS + 1) * BUFFER + 0x40000;

/// What the drive and the test see.
#[derive(Default)]
struct World {
    ram: Vec<u8>,
    disk: Vec<u8>,
    /// Sectors that fail, and whether reads or writes of them do.
    bad: BTreeSet<(u64, bool)>,
    /// Under way: done in the order of tags when the test says so.
    under_way: BTreeMap<usize, (Kind, u64, Vec<Segment>)>,
    log: Vec<(Kind, u64, u64)>,
    /// How many works of a kind are refused with EAGAIN.
    lazy: u32,
    depth: usize,
    logical: u32,
    resets: u32,
    full: usize,
}

#[derive(Clone)]
struct Fake(Arc<Mutex<World>>);

impl Fake {
    fn new(logical: u32, depth: usize) -> Fake {
        let disk = (0..1 << 20).map(|n: u32| (n / 512 + n) as u8).collect();
        let world = World { ram: vec![0; RAM], disk, depth, logical, full: usize::MAX, ..World::default() };
        Fake(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn unit(&self) -> Unit {
        Unit::new("disk.fake/0".into(), Box::new(self.clone()), Box::new(self.clone())).unwrap()
    }
}

impl Memory for Fake {
    fn address(&self) -> u64 {
        BASE as u64
    }

    fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        to.copy_from_slice(&self.world().ram[BASE + offset..][..to.len()]);
        Ok(())
    }

    fn copy_in(&self, offset: usize, from: &[u8]) -> Result<()> {
        self.world().ram[BASE + offset..][..from.len()].copy_from_slice(from);
        Ok(())
    }
}

impl Drive for Fake {
    fn limits(&self) -> Limits {
        let world = self.world();
        Limits {
            bytes: world.disk.len() as u64,
            medium: 1,
            logical: world.logical,
            physical: 4096,
            read_only: false,
            depth: world.depth,
            segments: 4,
            transfer: 128 << 10,
            cache: true,
            discard: 0,
            zero: 0,
            rotational: false,
            family: Family::Scsi(0),
            id: String::new(),
            model: String::new(),
        }
    }

    fn submit(&mut self, tag: usize, work: &Work<'_>) -> Result<bool> {
        let mut world = self.world();
        if world.under_way.len() >= world.full {
            return Ok(false);
        }
        let logical = u64::from(world.logical);
        assert!(work.at.is_multiple_of(logical) && work.len.is_multiple_of(logical), "{work:?}");
        let sum: u64 = work.segments.iter().map(|part| u64::from(part.len)).sum();
        assert!(work.segments.len() <= 4 && (work.segments.is_empty() || sum == work.len), "{work:?}");
        world.log.push((work.kind, work.at, work.len));
        let before = world.under_way.insert(tag, (work.kind, work.at, work.segments.to_vec()));
        assert!(before.is_none(), "a tag twice");
        Ok(true)
    }

    fn completed(&mut self, done: &mut Vec<(usize, Result<()>)>) {
        let mut world = self.world();
        for (tag, (kind, at, segments)) in std::mem::take(&mut world.under_way) {
            if world.lazy > 0 {
                world.lazy -= 1;
                done.push((tag, Err(Errno::EAGAIN)));
                continue;
            }
            let write = kind == Kind::Write;
            let len: u64 = segments.iter().map(|part| u64::from(part.len)).sum();
            if (at / 512..(at + len) / 512).any(|sector| world.bad.contains(&(sector, write))) {
                done.push((tag, Err(Errno::EIO)));
                continue;
            }
            let mut place = at as usize;
            for part in segments {
                let (from, len) = (part.address as usize, part.len as usize);
                let World { ram, disk, .. } = &mut *world;
                let (memory, sectors) = (&mut ram[from..from + len], &mut disk[place..place + len]);
                if write {
                    sectors.copy_from_slice(memory)
                } else {
                    memory.copy_from_slice(sectors)
                }
                place += len;
            }
            done.push((tag, Ok(())));
        }
    }

    fn recover(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        let mut world = self.world();
        world.resets += 1;
        done.extend(std::mem::take(&mut world.under_way).into_keys().map(|tag| (tag, Err(Errno::EAGAIN))));
        Ok(())
    }
}

type Answer = Receiver<Result<Vec<u8>>>;

fn ask(unit: &mut Unit, what: What, at: u64, data: Vec<u8>) -> Answer {
    let (sender, receiver) = channel();
    let len = data.len() as u64;
    unit.add(Job::new(what, Reply::Inner(data, sender), at, len));
    receiver
}

fn read(unit: &mut Unit, at: u64, len: usize) -> Answer {
    ask(unit, What::Copy { write: false }, at, vec![0; len])
}

fn write(unit: &mut Unit, at: u64, data: &[u8]) -> Answer {
    ask(unit, What::Copy { write: true }, at, data.to_vec())
}

fn wait(unit: &mut Unit, answer: &Answer) -> Result<Vec<u8>> {
    for _ in 0..1000 {
        match answer.try_recv() {
            Ok(result) => return result,
            Err(TryRecvError::Disconnected) => panic!("nobody answers"),
            Err(TryRecvError::Empty) => unit.complete(),
        }
    }
    panic!("no answer");
}

#[test]
fn bytes_of_any_place_and_length() {
    for (logical, depth) in [(512, 1), (512, 8), (2048, 4), (4096, 32)] {
        let fake = Fake::new(logical, depth);
        let mut unit = fake.unit();
        let mut model = fake.world().disk.clone();
        let mut random = 0x1234_5678_9abc_def1u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for round in 0..200 {
            let at = next(900_000) as usize;
            let len = (next(if round % 3 == 0 { 140_000 } else { 3000 }) as usize + 1).min(model.len() - at);
            if next(2) == 0 {
                let data: Vec<u8> = (0..len).map(|n| (n ^ round) as u8).collect();
                model[at..at + len].copy_from_slice(&data);
                let answer = write(&mut unit, at as u64, &data);
                assert_eq!(wait(&mut unit, &answer).map(|data| data.len()), Ok(len));
            } else {
                let answer = read(&mut unit, at as u64, len);
                assert!(wait(&mut unit, &answer).unwrap() == model[at..at + len], "{len} bytes at {at}");
            }
        }
        assert!(fake.world().disk == model);
        assert!(!unit.is_busy());
    }
}

#[test]
fn writes_of_parts_of_one_sector_at_once() {
    let fake = Fake::new(4096, 16);
    let mut unit = fake.unit();
    // All of them begin before any is done.
    let answers: Vec<Answer> = (0..64u8).map(|n| write(&mut unit, u64::from(n) * 64, &[n; 64])).collect();
    let whole = write(&mut unit, 4096, &[9; 4096]);
    answers.iter().chain([&whole]).for_each(|answer| drop(wait(&mut unit, answer).unwrap()));
    let world = fake.world();
    assert!((0..4096).all(|n| world.disk[n] == (n / 64) as u8), "one write undid another");
}

#[test]
fn a_bad_sector_is_found_and_the_rest_counts() {
    let fake = Fake::new(512, 4);
    fake.world().bad = [(300, false), (301, true)].into();
    let mut unit = fake.unit();
    let before = fake.world().disk.clone();
    // 256 sectors from 200 on: up to the bad one.
    let answer = read(&mut unit, 200 * 512, 256 * 512);
    let got = wait(&mut unit, &answer).unwrap();
    assert!(got == before[200 * 512..300 * 512], "{} bytes", got.len());
    let answer = read(&mut unit, 300 * 512 + 100, 10);
    assert_eq!(wait(&mut unit, &answer), Err(Errno::EIO));
    let answer = read(&mut unit, 301 * 512, 512);
    assert_eq!(wait(&mut unit, &answer).map(|data| data.len()), Ok(512), "the next one is good");
    let answer = write(&mut unit, 301 * 512, &[1; 1024]);
    assert_eq!(wait(&mut unit, &answer), Err(Errno::EIO));
    // A part of a sector that cannot be read is not written.
    let answer = write(&mut unit, 300 * 512 + 1, &[1; 5]);
    assert_eq!(wait(&mut unit, &answer), Err(Errno::EIO));
    assert!(fake.world().disk == before);
    assert!(!unit.is_busy());
}

#[test]
fn what_the_device_did_not_do_is_given_again_but_not_for_ever() {
    let fake = Fake::new(512, 4);
    let mut unit = fake.unit();
    fake.world().lazy = 2;
    let answer = read(&mut unit, 0, 512);
    assert_eq!(wait(&mut unit, &answer).map(|data| data.len()), Ok(512));
    fake.world().lazy = 3;
    let answer = read(&mut unit, 0, 512);
    assert_eq!(wait(&mut unit, &answer), Err(Errno::EIO));
}

#[test]
fn a_device_that_never_answers_is_reset() {
    let fake = Fake::new(512, 4);
    let mut unit = fake.unit();
    let answers = [read(&mut unit, 0, 512), read(&mut unit, 512, 512)];
    let begin = Instant::now();
    unit.tick(begin + Duration::from_secs(1));
    assert_eq!(fake.world().resets, 0);
    for round in 1..=3 {
        unit.tick(begin + Duration::from_secs(11 * round));
        assert_eq!(fake.world().resets, round as u32);
    }
    answers.iter().for_each(|answer| assert_eq!(answer.try_recv().unwrap(), Err(Errno::EIO)));
    assert!(!unit.is_busy());
}

#[test]
fn transfers_are_cut_to_what_the_device_takes() {
    let fake = Fake::new(2048, 8);
    let mut unit = fake.unit();
    // Pages apart from each other, so that each is a segment; the device takes four.
    let pages: Arc<[u64]> = (0..12).map(|n| (BASE + (BUFFERS + 1) * BUFFER + n * 0x4000) as u64).collect();
    let what = |write| What::Direct { pages: pages.clone(), memory: 1024, write };
    let answer = ask(&mut unit, what(false), 4096, vec![0; 40 << 10]);
    wait(&mut unit, &answer).unwrap();
    let log: Vec<u64> = fake.world().log.iter().map(|(_, _, len)| *len).collect();
    assert_eq!(log, [14_336, 12_288, 12_288, 2048], "{:?}", fake.world().log);
    let mut world = fake.world();
    for n in 0..40 << 10 {
        let from = pages[(1024 + n) / 4096] as usize + (1024 + n) % 4096;
        assert_eq!(world.ram[from], world.disk[4096 + n], "byte {n}");
        world.ram[from] ^= 0xff;
    }
    let old = world.disk[4096..4096 + (40 << 10)].to_vec();
    drop(world);
    let answer = ask(&mut unit, what(true), 4096, vec![0; 40 << 10]);
    wait(&mut unit, &answer).unwrap();
    assert!(fake.world().disk[4096..].iter().zip(&old).all(|(new, old)| *new == !old));
}

#[test]
fn a_full_queue_and_zeroes() {
    let fake = Fake::new(512, 8);
    fake.world().full = 2;
    let mut unit = fake.unit();
    let answers: Vec<Answer> = (0..20).map(|n| read(&mut unit, n * 1000, 777)).collect();
    for (n, answer) in answers.iter().enumerate() {
        let got = wait(&mut unit, answer).unwrap();
        assert!(got == fake.world().disk[n * 1000..n * 1000 + 777]);
    }
    let answer = ask(&mut unit, What::Zeroes, 512, vec![1; 200 << 10]);
    wait(&mut unit, &answer).unwrap();
    let world = fake.world();
    assert!(world.disk[512..512 + (200 << 10)].iter().all(|byte| *byte == 0) && world.disk[513 + (200 << 10)] != 0);
}

#[test]
fn device_numbers() {
    let fake = Fake::new(512, 1);
    let number = |family, partition| Limits { family, ..fake.limits() }.device_number(partition);
    assert_eq!(number(Family::Scsi(0), 0), 8 << 8);
    assert_eq!(number(Family::Scsi(2), 3), 8 << 8 | 35);
    assert_eq!(number(Family::Virtio(1), 1), 254 << 8 | 17);
    assert_eq!(number(Family::Virtio(16), 0), 254 << 8 | 1 << 20, "minors above 255");
    assert_eq!(number(Family::Cd(1), 0), 11 << 8 | 1);
    assert_eq!(number(Family::Scsi(0), 16), 259 << 8 | 16);
}
