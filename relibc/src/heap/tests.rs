//! The allocator against a model: blocks keep their bytes, do not overlap, are aligned.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize, u32),
    Release(usize),
    Resize(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0usize..2000, 3 => 2000usize..70_000, 1 => 70_000usize..3_000_000];
    prop_oneof![
        (size.clone(), 0u32..18).prop_map(|(size, log)| Step::Allocate(size, log)),
        any::<usize>().prop_map(Step::Release),
        (any::<usize>(), size).prop_map(|(index, size)| Step::Resize(index, size)),
    ]
}

struct Live {
    block: *mut u8,
    size: usize,
    tag: u8,
}

impl Live {
    fn ends(&self) -> [usize; 3] {
        [0, self.size / 2, self.size.saturating_sub(1)]
    }

    fn mark(&self) {
        for at in self.ends().into_iter().filter(|&at| at < self.size) {
            // SAFETY: inside the block.
            unsafe { *self.block.add(at) = self.tag };
        }
    }

    fn check(&self, most: usize) {
        for at in self.ends().into_iter().filter(|&at| at < most) {
            // SAFETY: inside the block.
            assert_eq!(unsafe { *self.block.add(at) }, self.tag);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_keep_their_bytes(steps in prop::collection::vec(step(), 1..300)) {
        let mut live: Vec<Live> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Allocate(size, log) => {
                    let alignment = 1usize << log;
                    let block = allocate_aligned(size, alignment);
                    prop_assert!(!block.is_null());
                    prop_assert_eq!(block.addr() % alignment.max(ALIGNMENT), 0);
                    // SAFETY: the block is live.
                    let room = unsafe { usable(block) };
                    prop_assert!(room >= size);
                    for other in &live {
                        let apart = block.addr() + size <= other.block.addr()
                            || other.block.addr() + other.size <= block.addr();
                        prop_assert!(apart || size == 0 || other.size == 0);
                    }
                    live.push(Live { block, size, tag: number as u8 });
                    live[live.len() - 1].mark();
                }
                Step::Release(index) if !live.is_empty() => {
                    let entry = live.swap_remove(index % live.len());
                    entry.check(entry.size);
                    // SAFETY: live until here.
                    unsafe { release(entry.block) };
                }
                Step::Resize(index, size) if !live.is_empty() => {
                    let index = index % live.len();
                    let entry = &mut live[index];
                    entry.check(entry.size);
                    // SAFETY: live until here; afterwards the new block is.
                    entry.block = unsafe { reallocate(entry.block, size) };
                    prop_assert!(!entry.block.is_null());
                    entry.check(entry.size.min(size));
                    entry.size = size;
                    entry.mark();
                }
                _ => {}
            }
        }
        for entry in live {
            entry.check(entry.size);
            // SAFETY: live until here.
            unsafe { release(entry.block) };
        }
    }
}

#[test]
fn threads_free_each_others_blocks() {
    let (send, receive) = std::sync::mpsc::sync_channel::<usize>(100);
    let maker = std::thread::spawn(move || {
        for index in 0..100_000 {
            let block = allocate(index % 500);
            // SAFETY: the block has a class of at least 16 bytes.
            unsafe { *block.cast::<usize>() = index };
            send.send(block.addr()).unwrap();
        }
    });
    for index in 0..100_000 {
        let block = receive.recv().unwrap() as *mut u8;
        // SAFETY: handed over by the other thread.
        unsafe {
            assert_eq!(*block.cast::<usize>(), index);
            release(block);
        }
    }
    maker.join().unwrap();
}

#[test]
fn great_alignments_and_sizes() {
    for log in 4..25 {
        let block = allocate_aligned(100, 1 << log);
        assert!(!block.is_null() && block.addr() % (1 << log) == 0);
        // SAFETY: live.
        unsafe {
            assert!(usable(block) >= 100);
            block.write_bytes(1, 100);
            release(block);
        }
    }
    assert!(allocate(usize::MAX).is_null());
    assert!(allocate(usize::MAX / 2).is_null());
    assert!(allocate_aligned(usize::MAX - 100, 4096).is_null());
}
