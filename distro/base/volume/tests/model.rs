//! Random operations on a volume and on a plain model, with commits, mounts and crashes between: always the same, nothing lost, no block leaked.

mod common;

use common::{Model, Op, op};
use ochre_volume::device::Memory;
use ochre_volume::redox::{Format, Options, Redox, format};
use ochre_volume::{Errno, Volume};
use proptest::prelude::*;

fn options(compress: bool) -> Options {
    // Small caches, so that blocks are read again; no commit but those the test asks for.
    Options {
        compress,
        metadata_cache: 64 << 10,
        record_cache: 300 << 10,
        dirty_limit: usize::MAX,
        ..Options::default()
    }
}

fn run(ops: &[Op], compress: bool, bytes: usize, exact: bool) {
    let options = options(compress);
    let mut volume = format(Memory::new(bytes), &Format { options, ..Format::default() }).unwrap();
    let mut model = Model::new(&mut volume);
    let mut safe = model.clone();
    for op in ops {
        if !model.apply(&mut volume, op) {
            assert!(!exact, "no room for {op:?}");
            model.adopt(&mut volume, op);
        }
        match op {
            Op::Commit | Op::Reopen => {
                volume.commit().unwrap();
                volume.check().unwrap();
                safe = model.clone();
                if matches!(op, Op::Reopen) {
                    volume = Redox::open(volume.into_device(), options).unwrap();
                    model.after_crash();
                    model.compare(&mut volume);
                }
            }
            Op::Crash if exact => {
                volume = Redox::open(volume.into_device(), options).unwrap();
                model = safe.clone();
                model.after_crash();
                model.compare(&mut volume);
                volume.check().unwrap();
            }
            _ => {}
        }
    }
    model.compare(&mut volume);
    volume.check().unwrap();
    model.compare(&mut volume);

    // Everything goes, and all the room comes back.
    volume = Redox::open(volume.into_device(), options).unwrap();
    clear(&mut volume, 1);
    let census = volume.check().unwrap();
    assert_eq!((census.nodes, census.names), (1, 0));
    let mut fresh = format(Memory::new(bytes), &Format { options, ..Format::default() }).unwrap();
    let slack = census.used - fresh.check().unwrap().used;
    assert!(slack < 40, "{slack} blocks are not free again");
}

/// Removes what is in a directory.
fn clear(volume: &mut impl Volume, directory: u64) {
    let mut entries = Vec::new();
    volume.entries(directory, &mut |name, ino| entries.push((name.to_vec(), ino))).unwrap();
    for (name, ino) in entries {
        if volume.is_empty(ino) != Err(Errno::ENOTDIR) {
            clear(volume, ino);
        }
        assert_eq!(volume.unlink(directory, &name), Ok(ino));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_volume_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..150), compress: bool) {
        run(&ops, compress, 256 << 20, true);
    }

    #[test]
    fn so_does_one_that_is_often_full(ops in proptest::collection::vec(op(), 50..300), compress: bool) {
        run(&ops, compress, 5 << 20, false);
    }
}
