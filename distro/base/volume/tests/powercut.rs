//! Power cuts: a device records what it is told; then states are made that a power cut may leave: everything up to a flush, and of what was
//! written after it any sectors of 512 bytes. Each must open, without repair, as the last commit that was acknowledged or a later one, whole.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{Model, Op, op};
use ochre_volume::device::{Device, Memory};
use ochre_volume::redox::{Format, Options, Redox, format};
use ochre_volume::{Result, Volume};
use proptest::prelude::*;

const SIZE: usize = 96 << 20;
const SECTOR: usize = 512;

enum Event {
    Write(u64, Vec<u8>),
    Flush,
    /// The commit that made this generation was acknowledged.
    Acknowledged(u64),
}

type Events = Rc<RefCell<Vec<Event>>>;

struct Recorder {
    memory: Memory,
    events: Events,
}

impl Device for Recorder {
    fn len(&self) -> u64 {
        self.memory.len()
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.memory.read(offset, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.events.borrow_mut().push(Event::Write(offset, bytes.to_vec()));
        self.memory.write(offset, bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.events.borrow_mut().push(Event::Flush);
        Ok(())
    }
}

fn options() -> Options {
    // No commit but those that are asked for, so that it is known what each generation holds.
    Options { dirty_limit: usize::MAX, ..Options::default() }
}

/// Runs operations, each some followed by a commit; returns the first state of the disk, what was done to it, and what each generation holds.
fn record(ops: &[Op]) -> (Memory, Vec<Event>, BTreeMap<u64, Model>) {
    let first = format(Memory::new(SIZE), &Format { options: options(), ..Format::default() }).unwrap().into_device();
    let events = Events::default();
    let device = Recorder { memory: first.clone(), events: events.clone() };
    let mut volume = Redox::open(device, options()).unwrap();
    let mut model = Model::new(&mut volume);
    let mut generations = BTreeMap::from([(volume.generation(), model.clone())]);
    for op in ops {
        assert!(model.apply(&mut volume, op), "no room for {op:?}");
        if matches!(op, Op::Commit | Op::Reopen | Op::Crash) {
            volume.commit().unwrap();
            let mut after = model.clone();
            after.after_crash();
            generations.insert(volume.generation(), after);
            events.borrow_mut().push(Event::Acknowledged(volume.generation()));
        }
    }
    drop(volume);
    (first, Rc::into_inner(events).unwrap().into_inner(), generations)
}

/// The state after the events before `at`, with `some` of the sectors that were not flushed.
fn crash(first: &Memory, events: &[Event], mut some: impl FnMut() -> bool) -> (Memory, u64) {
    let mut disk = first.clone();
    let flushed = events.iter().rposition(|event| matches!(event, Event::Flush)).unwrap_or(0);
    let mut acknowledged = 0;
    for (nth, event) in events.iter().enumerate() {
        match event {
            Event::Write(offset, bytes) => {
                for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                    if nth < flushed || some() {
                        let at = *offset as usize + sector * SECTOR;
                        disk.bytes()[at..at + SECTOR].copy_from_slice(part);
                    }
                }
            }
            Event::Flush => {}
            Event::Acknowledged(generation) => acknowledged = *generation,
        }
    }
    (disk, acknowledged)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_commit_is_there(
        ops in proptest::collection::vec(op(), 20..120),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0u32..5), 12),
    ) {
        let (first, events, generations) = record(&ops);
        prop_assume!(!events.is_empty());
        for (cut, seed, odds) in cuts {
            let mut state = seed | 1;
            let some = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // None, all, or about a quarter, half or three quarters of the sectors.
                (state >> 62) < u64::from(odds)
            };
            let (disk, acknowledged) = crash(&first, &events[..=cut.index(events.len())], some);
            let mut volume = Redox::open(disk, options()).unwrap();
            prop_assert!(volume.generation() >= acknowledged);
            let model = &generations[&volume.generation()];
            model.compare(&mut volume);
            volume.check().unwrap();
            // It is a volume like any other.
            let ino = common::make(&mut volume, 1, b"after the cut", &common::file(0o600)).unwrap();
            volume.write(ino, 0, b"and on we go").unwrap();
            volume.commit().unwrap();
            let mut volume = Redox::open(volume.into_device(), options()).unwrap();
            volume.check().unwrap();
            let mut bytes = [0; 12];
            prop_assert_eq!(volume.read(ino, 0, &mut bytes), Ok(12));
            prop_assert_eq!(&bytes, b"and on we go");
        }
    }
}

/// The same without the two flushes: the test above must be able to fail.
#[test]
fn a_device_that_does_not_flush_is_found_out() {
    let mut lost = 0;
    for seed in 0..20u64 {
        let mut ops = Vec::new();
        for nth in 0..40u16 {
            ops.push(Op::Create { kind: 0, name: 20 + nth % 20, directory: 0, link: true });
            ops.push(Op::Write { node: nth, offset: 0, len: 5000, seed: nth as u8 });
            ops.push(Op::Unlink { directory: 0, name: 20 + (nth + 5) % 20 });
            ops.push(Op::Commit);
        }
        let (first, mut events, generations) = record(&ops);
        events.retain(|event| !matches!(event, Event::Flush));
        let mut state = seed * 2 + 1;
        let some = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 62 != 0
        };
        let (disk, acknowledged) = crash(&first, &events[..events.len() - 2], some);
        let whole = Redox::open(disk, options()).is_ok_and(|mut volume| {
            volume.generation() >= acknowledged
                && volume.check().is_ok()
                && generations.contains_key(&volume.generation())
        });
        lost += u32::from(!whole);
    }
    assert!(lost > 0);
}
