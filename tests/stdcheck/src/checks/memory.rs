//! The heap: what malloc, realloc and anonymous memory promise.

use std::hint::black_box;
use std::thread;

use crate::check::{Check, Outcome, ensure, equal, join};

pub const CHECKS: &[Check] = &[
    Check { name: "memory.zeroed", run: zeroed },
    Check { name: "memory.large", run: large },
    Check { name: "memory.growth", run: growth },
    Check { name: "memory.many-small", run: many_small },
    Check { name: "memory.alignment", run: alignment },
    Check { name: "memory.allocation-failure", run: allocation_failure },
    Check { name: "memory.threads", run: threads },
];

fn zeroed() -> Outcome {
    for size in [1, 100, 4096, 1 << 17, 8 << 20] {
        for _ in 0..4 {
            let mut memory = vec![0u8; size];
            ensure!(black_box(&memory).iter().all(|&byte| byte == 0), "{size} bytes are not zero");
            // The next round must not see these through a reused block.
            memory.fill(0xa5);
            black_box(&memory);
        }
    }
    Ok(())
}

fn large() -> Outcome {
    const SIZE: usize = 48 << 20;
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(SIZE)?;
    memory.resize(SIZE, 1);
    for page in (0..SIZE).step_by(4096) {
        memory[page] = (page >> 12) as u8;
    }
    for page in (0..SIZE).step_by(4096) {
        equal!(memory[page], (page >> 12) as u8);
        equal!(memory[page + 1], 1);
    }
    Ok(())
}

fn growth() -> Outcome {
    let mut numbers = Vec::new();
    for number in 0..1_000_000u64 {
        numbers.push(number);
    }
    ensure!(numbers.iter().copied().eq(0..1_000_000));
    numbers.truncate(10);
    numbers.shrink_to_fit();
    ensure!(numbers.iter().copied().eq(0..10));
    Ok(())
}

fn many_small() -> Outcome {
    let mut boxes: Vec<Option<Box<[usize]>>> = (0..50_000).map(|n| Some(vec![n; n % 37 + 1].into())).collect();
    for slot in boxes.iter_mut().step_by(3) {
        *slot = None;
    }
    for (n, slot) in boxes.iter_mut().enumerate() {
        match slot {
            Some(words) => ensure!(words.iter().all(|&word| word == n), "block {n} was overwritten"),
            None => *slot = Some(vec![n; n % 101 + 1].into()),
        }
    }
    for (n, slot) in boxes.iter().enumerate() {
        ensure!(slot.as_ref().is_some_and(|words| words.iter().all(|&word| word == n)), "block {n} was overwritten");
    }
    Ok(())
}

fn alignment() -> Outcome {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    #[repr(align(64))]
    struct Line(u8);
    let pages: Vec<Box<Page>> = (0..20u8).map(|n| Box::new(Page([n; 4096]))).collect();
    let lines: Vec<Box<Line>> = (0..20).map(|n| Box::new(Line(n))).collect();
    for (n, page) in pages.iter().enumerate() {
        equal!(std::ptr::from_ref(&**page).addr() % 4096, 0);
        equal!(usize::from(page.0[4095]), n);
    }
    for (n, line) in lines.iter().enumerate() {
        equal!(std::ptr::from_ref(&**line).addr() % 64, 0);
        equal!(usize::from(line.0), n);
    }
    Ok(())
}

fn allocation_failure() -> Outcome {
    let mut memory: Vec<u8> = Vec::new();
    ensure!(memory.try_reserve_exact(isize::MAX as usize / 2).is_err());
    // The heap still works.
    memory.try_reserve_exact(1 << 20)?;
    memory.resize(1 << 20, 3);
    ensure!(memory.iter().all(|&byte| byte == 3));
    Ok(())
}

fn threads() -> Outcome {
    // Blocks allocated in one thread and freed in another.
    let producers: Vec<_> = (0..8u8)
        .map(|thread| thread::spawn(move || (0..2000).map(|n| vec![thread; n % 300]).collect::<Vec<_>>()))
        .collect();
    let mut consumers = Vec::new();
    for (thread, producer) in producers.into_iter().enumerate() {
        let blocks = join(producer)?;
        consumers.push(thread::spawn(move || {
            blocks.into_iter().all(|block| block.iter().all(|&byte| usize::from(byte) == thread))
        }));
    }
    for consumer in consumers {
        ensure!(join(consumer)?);
    }
    Ok(())
}
