//! Frames, heap, page tables without a program.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ochre_hal::device::DeviceRange;
use ochre_hal::mem::{self, Frame};
use ochre_hal::paging::{Cache, OutOfMemory, PageTable, Prot, USER_END};
use ochre_hal::{Level, log, user};

pub fn run() {
    frames();
    heap();
    tables();
    devices();
    faults();
    log!(Level::Info, "contexts: memory passed, {:?}", mem::stats());
}

fn frames() {
    let before = mem::stats().free_frames;
    let frame = Frame::alloc_zeroed().expect("memory");
    assert!(frame.is_unique() && frame.read_as::<u64>(4088) == 0);
    frame.write(10, b"hello");
    let other = Frame::alloc_for_overwrite().expect("memory");
    other.copy_from(1, &frame, 9, 7);
    let mut bytes = [1; 7];
    other.read(1, &mut bytes);
    assert_eq!(&bytes, b"\0hello\0");
    other.fill_zero(0, 4096);
    assert_eq!(other.read_as::<[u64; 512]>(0), [0; 512]);
    other.atomic_u64(8).store(7, core::sync::atomic::Ordering::Relaxed);
    assert_eq!(other.read_as::<u64>(8), 7);
    let again = frame.clone();
    assert!(again.same(&frame) && !frame.is_unique() && !again.same(&other));
    drop((frame, again, other));
    for (count, below) in [(1, u64::MAX), (3, 16 << 20), (100, 1 << 32), (1024, u64::MAX)] {
        let frames = Frame::alloc_contiguous(count, below).expect("memory");
        assert!(frames.windows(2).all(|pair| pair[1].phys() == pair[0].phys() + 4096));
        assert!(frames.len() == count && frames[count - 1].phys() + 4096 <= below);
        assert!(frames.iter().all(|frame| frame.read_as::<[u64; 512]>(0) == [0; 512]));
    }
    assert!(Frame::alloc_contiguous(2, 4096).is_none() && Frame::alloc_contiguous(1 << 40, u64::MAX).is_none());
    // Programs get all but the reserve, and it comes back.
    let all: Vec<Frame> = core::iter::from_fn(Frame::alloc_for_overwrite).collect();
    assert!(all.len() > 1000 && !mem::has_room() && mem::stats().free_frames > 900);
    assert!(PageTable::new().is_none());
    drop(all);
    let after = mem::stats();
    assert!(mem::has_room() && before - after.free_frames <= after.kernel_heap_bytes / 4096 + 16, "{before} {after:?}");
}

fn heap() {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut random = 1u32;
    for round in 0..30_000u32 {
        random = random.wrapping_mul(1664525).wrapping_add(1013904223);
        if random >> 30 == 0 && !blocks.is_empty() {
            let at = (random >> 8) as usize % blocks.len();
            let block = blocks.swap_remove(at);
            assert!(block.iter().all(|&byte| byte == block.len() as u8));
        } else if blocks.len() < 3000 {
            let size = 1 << (random >> 8 & 15);
            let size = size + (random >> 12) as usize % size;
            let size = if round % 8 == 0 { size } else { size % 700 + 1 };
            blocks.push(alloc::vec![size as u8; size]);
        }
    }
    for block in &mut blocks {
        let (len, byte) = (block.len(), block[0]);
        block.reserve_exact(len);
        block.resize(2 * len, byte);
        assert!(block.iter().all(|&other| other == byte));
    }
    drop(blocks);
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    #[repr(align(256))]
    struct Line([u8; 300]);
    let (page, line) = (Box::new(Page([1; 4096])), Box::new(Line([2; 300])));
    assert!((&raw const *page).addr() % 4096 == 0 && (&raw const *line).addr() % 256 == 0);
    assert!(page.0[4095] == 1 && line.0[299] == 2);
}

fn tables() {
    let before = mem::stats();
    let table = PageTable::new().expect("memory");
    let frame = Frame::alloc_zeroed().expect("memory");
    let far = USER_END - 4096;
    for va in [0, 0x1000, 0x20_0000, 0x4000_0000, 0x80_0000_0000, far] {
        assert!(table.lookup(va).is_none());
        table.map(va, frame.clone(), Prot::RW).expect("memory");
        let (found, prot) = table.lookup(va).expect("just mapped");
        assert!(found.same(&frame) && prot == Prot::RW);
    }
    assert_eq!(table.resident(), 6);
    for va in [USER_END, 1, usize::MAX & !4095, 0xffff_8000_0000_0000] {
        assert_eq!(table.map(va, frame.clone(), Prot::R), Err(OutOfMemory));
        assert!(table.lookup(va & !1).is_none() || va == 1);
    }
    table.protect(0x1000, 1, Prot::NONE);
    assert_eq!(table.lookup(0x1000).map(|found| found.1), Some(Prot::NONE));
    table.protect(0, 2, Prot::RX);
    assert_eq!(table.lookup(0).map(|found| found.1), Some(Prot::RX));

    let child = PageTable::new().expect("memory");
    assert_eq!(table.share_readonly(&child, 0, usize::MAX), Ok(6));
    assert_eq!(child.lookup(far).map(|found| found.1), Some(Prot::R));
    assert_eq!(table.lookup(far).map(|found| found.1), Some(Prot::R));
    assert_eq!(child.lookup(0).map(|found| found.1), Some(Prot::RX));
    let mut seen = Vec::new();
    child.unmap(0, usize::MAX, &mut |va, found, dirty| {
        assert!(found.same(&frame) && !dirty);
        seen.push(va);
    });
    assert_eq!(seen, [0, 0x1000, 0x20_0000, 0x4000_0000, 0x80_0000_0000, far]);
    assert!(child.resident() == 0 && table.resident() == 6 && !frame.is_unique());

    // Many pages, more than a batch, over several tables.
    for page in 0..2000 {
        child.map(0x7000_0000 + page * 4096, Frame::alloc_zeroed().expect("memory"), Prot::R).expect("memory");
    }
    let mut count = 0;
    child.unmap(0x7000_0000 + 10 * 4096, 1980, &mut |_, found, _| {
        assert!(found.is_unique());
        count += 1;
    });
    assert!(count == 1980 && child.resident() == 20);
    drop((table, child));
    assert!(frame.is_unique());
    drop((frame, seen));
    let after = mem::stats();
    let heap = (after.kernel_heap_bytes - before.kernel_heap_bytes.min(after.kernel_heap_bytes)) / 4096;
    assert!(after.free_frames + heap >= before.free_frames, "{before:?} {after:?}");
}

fn devices() {
    let table = PageTable::new().expect("memory");
    let vga = 0xb_8000;
    // The frame buffer of old; RAM; the local APIC; an I/O APIC; beyond the CPU's addresses; not aligned.
    assert!(table.map_device(0x1000, vga, 2, Prot::RW, Cache::Uncached).is_ok());
    for (phys, pages) in
        [(0x20_0000, 1), (0, 512), (0xfee0_0000, 1), (0xfec0_0000, 1), (1 << 60, 1), (vga + 1, 1), (0, usize::MAX)]
    {
        assert!(
            table.map_device(0x10_0000, phys, pages, Prot::R, Cache::WriteBack).is_err(),
            "{phys:#x} could be mapped"
        );
    }
    assert!(table.resident() == 0 && table.lookup(0x1000).is_none());
    table.unmap(0, 16, &mut |_, _, _| panic!("device pages are not reported"));
    assert!(DeviceRange::claim(0xfee0_0010, 4).is_none() && DeviceRange::claim(0x100_0000, 4).is_none());
    let range = DeviceRange::claim(vga + 5, 4096).expect("device memory");
    assert!(range.phys() == vga && range.len() == 8192);
}

/// Access to user memory where there is none.
fn faults() {
    let mut bytes = [0; 100];
    for at in [0, 0x1000, USER_END - 8, USER_END, usize::MAX - 50, 0xffff_8000_0010_0000, 0xffff_ffff_8020_0000] {
        assert!(user::copy_from_user(&mut bytes, at).is_err() && user::copy_to_user(at, &bytes).is_err());
        assert!(user::zero_user(at, 5000).is_err() && user::load_u32(at).is_err() && user::load_u64(at).is_err());
        assert!(user::compare_exchange_u32(at, 0, 1).is_err());
        assert!(user::read_user::<u64>(at).is_err() && user::write_user(at, &1u32).is_err());
    }
    assert_eq!(user::load_u64(0x1234), Err(user::Fault { addr: 0x1234, write: false }));
}
