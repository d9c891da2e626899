//! The readers of the loaders' information, and the locks, on the host with a made-up machine around them.

use std::cell::RefCell;

mod layout {
    pub const PAGE: usize = 4096;
    pub fn virt_to_phys(virt: usize) -> u64 {
        virt as u64
    }
}

mod cpu {
    pub const MAX_CPUS: usize = 1;
    pub fn id() -> usize {
        0
    }
}

mod paging {
    pub fn service_shootdown() {}
}

#[allow(dead_code)]
#[path = "../src/sync.rs"]
mod sync;

pub use sync::{Once, SpinLock};

thread_local! {
    static MEMORY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[allow(dead_code)]
#[path = "../src/boot"]
mod boot {
    pub mod info;
    pub mod memory;
    pub mod multiboot2;
    pub mod pvh;

    /// Physical memory: what a test has put there, from address [`BASE`].
    pub mod phys {
        pub const BASE: u64 = 0x1000;

        pub fn read<T: zerocopy::FromBytes>(phys: u64) -> Option<T> {
            crate::MEMORY.with_borrow(|memory| {
                let start = usize::try_from(phys.checked_sub(BASE)?).ok()?;
                T::read_from_bytes(memory.get(start..start.checked_add(size_of::<T>())?)?).ok()
            })
        }

        pub fn read_string(phys: u64, max: usize, mut each: impl FnMut(u8)) {
            for i in 0..max as u64 {
                match phys.checked_add(i).and_then(read::<u8>) {
                    None | Some(0) => return,
                    Some(byte) => each(byte),
                }
            }
        }
    }

    mod checks {
        use proptest::prelude::*;

        use super::info::{Gathered, MemoryKind, MemoryRegion, PhysRange};
        use super::phys::BASE;
        use super::{memory, multiboot2, pvh};
        use crate::MEMORY;

        fn with_memory<R>(memory: Vec<u8>, f: impl FnOnce() -> R) -> R {
            MEMORY.set(memory);
            f()
        }

        fn gather(read: fn(u64, &mut Gathered) -> Option<()>) -> Option<Gathered> {
            let mut out = Gathered::new();
            read(BASE, &mut out).map(|()| out)
        }

        /// A multiboot2 tag, padded.
        fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
            let mut out = [kind.to_le_bytes(), (8 + body.len() as u32).to_le_bytes()].concat();
            out.extend(body);
            out.resize(out.len().next_multiple_of(8), 0);
            out
        }

        fn words(values: &[u32]) -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        }

        fn multiboot2_bytes() -> Vec<u8> {
            let mut tags = Vec::new();
            tags.extend(tag(1, b"ochre.log=debug\0"));
            tags.extend(tag(3, &[words(&[0x40_0000, 0x40_1234]), b"initrd\0".to_vec()].concat()));
            tags.extend(tag(6, &words(&[24, 0, 0x10_0000, 0, 0x70_0000, 0, 1, 0, 0x80_0000, 0, 0x1000, 0, 2, 0])));
            tags.extend(tag(
                8,
                &[words(&[0xfd00_0000, 1, 4096, 1024, 768]), vec![32, 1, 0, 0, 16, 8, 8, 8, 0, 8]].concat(),
            ));
            tags.extend(tag(14, b"RSD PTR 012345678901"));
            tags.extend(tag(0, &[]));
            let mut out = words(&[8 + tags.len() as u32, 0]);
            out.extend(tags);
            out
        }

        #[test]
        fn multiboot2_is_read() {
            let out = with_memory(multiboot2_bytes(), || gather(multiboot2::read)).expect("sound information");
            assert_eq!(&*out.cmdline, b"ochre.log=debug");
            assert_eq!(&*out.modules, [PhysRange { start: 0x40_0000, len: 0x1234 }]);
            let usable =
                MemoryRegion { range: PhysRange { start: 0x10_0000, len: 0x70_0000 }, kind: MemoryKind::Usable };
            assert_eq!((out.regions.len(), out.regions[0]), (2, usable));
            let framebuffer = out.framebuffer.expect("a framebuffer");
            assert_eq!((framebuffer.phys, framebuffer.width, framebuffer.bpp), (0x1_fd00_0000, 1024, 32));
            assert_eq!((framebuffer.red, framebuffer.green, framebuffer.blue), ((16, 8), (8, 8), (0, 8)));
            assert_eq!(&out.rsdp_copy.expect("a root pointer")[..8], b"RSD PTR ");
        }

        fn pvh_bytes() -> Vec<u8> {
            let at = |offset: u32| BASE as u32 + offset;
            let mut out = words(&[0x336e_c578, 1, 0, 1, at(100), 0, at(200), 0, 0xf_5000, 0, at(300), 0, 2, 0]);
            out.resize(100, 0);
            out.extend(words(&[0x7f0_0000, 0, 5000, 0, 0, 0, 0, 0]));
            out.resize(200, 0);
            out.extend(b"ochre.run=ls\0");
            out.resize(300, 0);
            out.extend(words(&[0, 0, 0x9_f000, 0, 1, 0, 0x10_0000, 0, 0x7f0_0000, 0, 1, 0]));
            out
        }

        #[test]
        fn pvh_is_read() {
            let out = with_memory(pvh_bytes(), || gather(pvh::read)).expect("sound information");
            assert_eq!(&*out.cmdline, b"ochre.run=ls");
            assert_eq!(&*out.modules, [PhysRange { start: 0x7f0_0000, len: 5000 }]);
            assert_eq!((out.regions.len(), out.rsdp), (2, Some(0xf_5000)));
        }

        proptest! {
            /// Damaged information gives an error or something, but no panic and no endless loop.
            #[test]
            fn damage_is_survived(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), cut in 0usize..400) {
                for (sound, read) in [(multiboot2_bytes(), multiboot2::read as fn(u64, &mut Gathered) -> Option<()>), (pvh_bytes(), pvh::read)] {
                    let mut bytes = sound;
                    for (index, value) in &damage {
                        let index = index.index(bytes.len());
                        bytes[index] = *value;
                    }
                    bytes.truncate(bytes.len().saturating_sub(cut / 4));
                    let _ = with_memory(bytes, || gather(read));
                }
            }

            /// The clean memory map is sorted, without overlaps, usable in whole pages only, and never calls usable what any
            /// region said is not.
            #[test]
            fn memory_map_is_clean(input in prop::collection::vec((0u64..40_000, 0u64..20_000, 0u32..6), 0..12)) {
                let mut regions = Gathered::new().regions;
                let input: Vec<_> = input
                    .into_iter()
                    .map(|(start, len, kind)| MemoryRegion { range: PhysRange { start, len }, kind: MemoryKind::from_e820(kind) })
                    .collect();
                for region in &input {
                    prop_assert!(regions.push(*region));
                }
                memory::normalise(&mut regions);
                for pair in regions.windows(2) {
                    prop_assert!(pair[0].range.end() <= pair[1].range.start);
                    prop_assert!(pair[0].kind != pair[1].kind || pair[0].range.end() < pair[1].range.start);
                }
                for region in regions.iter() {
                    prop_assert!(region.range.len > 0 && region.range.start % 4096 == 0 && region.range.end() % 4096 == 0);
                }
                for address in (0..65_536).step_by(512) {
                    let said = input.iter().filter(|region| region.range.start <= address && address < region.range.end());
                    let worst = said.map(|region| region.kind).max();
                    let kept = regions.iter().find(|region| region.range.start <= address && address < region.range.end());
                    match (worst, kept.map(|region| region.kind)) {
                        (Some(MemoryKind::Usable) | None, _) => {}
                        (Some(worst), kept) => prop_assert!(kept >= Some(worst), "{address:#x}: {worst:?} became {kept:?}"),
                    }
                    if kept.is_some_and(|region| region.kind == MemoryKind::Usable) {
                        prop_assert_eq!(worst, Some(MemoryKind::Usable));
                    }
                }
            }
        }
    }
}

#[test]
fn one_at_a_time() {
    let counter = SpinLock::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    *counter.lock() += 1;
                }
            });
        }
    });
    assert_eq!(counter.into_inner(), 40_000);
}

#[test]
fn set_once() {
    let once = Once::new();
    let winners: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|i| {
                scope.spawn({
                    let once = &once;
                    move || usize::from(once.set(i).is_ok())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(winners, 1);
    assert!(once.get().is_some());
}
