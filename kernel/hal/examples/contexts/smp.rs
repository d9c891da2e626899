//! All CPUs at once: shootdowns, tasks that wander, teardown.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use ochre_hal::context;
use ochre_hal::mem::Frame;
use ochre_hal::paging::{PageTable, Prot};
use ochre_hal::{Level, SpinLock, UserRegs, cpu, log, time, user};

use crate::machine::{BUSY, CODE, Task, enqueue, handle, page, serve_one};
use crate::programs::{ECHO, READER, YIELDS};
use crate::traps::vector_task;

const DATA: usize = 0x50_0000;
const STOP: usize = 0x60_0000;
const COUNT: usize = 0x70_0000;
const POISON: u64 = 0xdead_beef_dead_beef;

pub fn run() {
    for (name, test) in
        [("shootdowns", shootdowns as fn()), ("crossfire", crossfire), ("wanderers", wanderers), ("churn", churn)]
    {
        let start = time::now();
        test();
        log!(Level::Info, "contexts: {name} took {} ms", (time::now() - start) / 1_000_000);
    }
}

fn wait(tasks: &[Arc<Task>]) {
    while !tasks.iter().all(|task| task.exit().is_some()) {
        serve_one();
    }
    assert!(
        tasks.iter().all(|task| task.exit() == Some(0)),
        "exit codes: {:?}",
        tasks.iter().map(|t| t.exit()).collect::<Vec<_>>()
    );
    // The last CPU may still be on its way back to its main flow.
    while tasks.iter().any(|task| task.context.is_running()) {
        cpu::spin_hint();
        cpu::poll_interrupts();
    }
}

/// The other CPUs read a page while this one replaces it again and again. Once `map` (or the frame's way out of `unmap`, or
/// `protect`) is done, no CPU reads the old page any more.
fn shootdowns() {
    let others = cpu::count() - 1;
    let table = PageTable::new().expect("memory");
    let stop = page(&table, STOP);
    let counts = page(&table, COUNT);
    let mut old = page(&table, DATA);
    let tasks: Vec<_> = (0..others)
        .map(|n| {
            let regs = UserRegs {
                rbx: DATA as u64,
                rbp: POISON,
                rdx: (COUNT + 64 * n) as u64,
                r8: STOP as u64,
                ..Default::default()
            };
            Task::new(READER, &table, 0, &regs)
        })
        .collect();
    tasks.iter().for_each(enqueue);
    let count = |n: usize| counts.atomic_u64(64 * n).load(Ordering::SeqCst);
    while (0..others).any(|n| count(n) == 0) {
        cpu::spin_hint();
    }
    for round in 0..100u64 {
        let new = Frame::alloc_zeroed().expect("memory");
        new.write_as(0, &round);
        table.map(DATA, new.clone(), Prot::R).expect("memory");
        assert!(old.is_unique(), "someone still refers to a page that was replaced");
        old.write_as(0, &POISON);
        let before: Vec<_> = (0..others).map(count).collect();
        while round % 16 == 0 && (0..others).any(|n| count(n) < before[n] + 10) {
            cpu::spin_hint();
        }
        old = new;
    }
    stop.atomic_u64(0).store(1, Ordering::SeqCst);
    wait(&tasks);
}

/// Every CPU changes its own part of one address space that all have loaded, and of one that is its own: all wait for
/// one another's flushes at the same time.
fn crossfire() {
    const PAGES: usize = 70;
    fn handler(regs: &mut UserRegs, _: Option<ochre_hal::Exception>) {
        let own = context::current();
        let table = TABLE.lock().clone().expect("a table");
        let at = regs.rbx as usize;
        for round in 0..20 {
            for page in 0..PAGES {
                let frame = Frame::alloc_zeroed().expect("memory");
                frame.write_as(0, &(at + page + round));
                table.map(at + page * 4096, frame, Prot::RW).expect("memory");
            }
            assert_eq!(user::load_u64(at + 9 * 4096), Ok((at + 9 + round) as u64));
            user::write_user(at + 9 * 4096, &0u64).expect("mapped");
            let mut dirty = 0;
            table.clean(at, PAGES, &mut |va| {
                assert_eq!(va, at + 9 * 4096);
                dirty += 1;
            });
            assert_eq!(dirty, 1, "dirty pages");
            table.protect(at, PAGES / 2, Prot::NONE);
            assert!(user::load_u64(at + 9 * 4096).is_err());
            let child = PageTable::new().expect("memory");
            assert_eq!(table.share_readonly(&child, at, PAGES), Ok(PAGES));
            drop(child);
            let mut count = 0;
            table.unmap(at, PAGES, &mut |_, frame, _| {
                assert!(frame.is_unique());
                count += 1;
            });
            assert_eq!(count, PAGES);
            assert!(user::copy_from_user(&mut [0], at + 40 * 4096).is_err());
        }
        assert!(own.is_running());
        drop(own);
        drop(table);
        *regs = UserRegs { rax: 1, rip: CODE as u64, ..Default::default() };
    }
    static TABLE: SpinLock<Option<Arc<PageTable>>> = SpinLock::new(None);
    let table = PageTable::new().expect("memory");
    *TABLE.lock() = Some(table.clone());
    handle(Some(handler));
    let tasks: Vec<_> = (0..cpu::count() * 2)
        .map(|n| {
            let regs = UserRegs { rax: 99, rbx: 0x1_0000_0000 + (n as u64) * 0x10_0000, ..Default::default() };
            Task::new(ECHO, &table, 0, &regs)
        })
        .collect();
    tasks.iter().for_each(enqueue);
    wait(&tasks);
    handle(None);
    *TABLE.lock() = None;
    assert_eq!(table.resident(), 1);
}

/// Tasks that yield and go on on whichever CPU is free, with their registers.
fn wanderers() {
    let shared = PageTable::new().expect("memory");
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let own = if n % 2 == 0 { shared.clone() } else { PageTable::new().expect("memory") };
            vector_task(&own, DATA + n * 4096, 300)
        })
        .collect();
    if cpu::count() == 1 {
        tasks.iter().for_each(|task| {
            while task.exit().is_none() {
                assert!(crate::machine::run(task))
            }
        });
    } else {
        tasks.iter().for_each(enqueue);
    }
    wait(&tasks);
    log!(Level::Info, "contexts: {} tasks wandered, {} times busy so far", tasks.len(), BUSY.load(Ordering::Relaxed));
}

/// Many contexts and tables at once, more stacks than are kept; all comes back.
fn churn() {
    for _ in 0..3 {
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let table = PageTable::new().expect("memory");
                Task::new(YIELDS, &table, 0, &UserRegs::default())
            })
            .collect();
        drop(tasks);
    }
}
