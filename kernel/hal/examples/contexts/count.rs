//! How many instructions hal's hot paths take.

use alloc::boxed::Box;
use core::hint::black_box;

use ochre_hal::context::{self, Context};
use ochre_hal::mem::Frame;
use ochre_hal::paging::{PageTable, Prot};
use ochre_hal::{Exception, Level, SpinLock, UserRegs, log, time, user};

use crate::machine::{CODE, Task, finish, handle, page, run as run_task, to_main};
use crate::programs::{ECHO, NULLS, YIELDS};

const DATA: usize = 0x50_0000;
const ROUNDS: u64 = 1000;

/// Instructions of one `f`, without the loop around it (two instructions, and what the clock takes).
fn measure(name: &str, mut f: impl FnMut()) {
    for _ in 0..100 {
        f();
    }
    let start = time::now();
    for _ in 0..ROUNDS {
        f();
    }
    let end = time::now();
    report(name, end - start - 2 * ROUNDS);
}

fn report(name: &str, ticks: u64) {
    log!(Level::Info, "count: {name}: {}.{}", ticks / ROUNDS, ticks % ROUNDS * 10 / ROUNDS);
}

pub fn run() {
    measure("time::now", || {
        black_box(time::now());
    });
    let lock = SpinLock::new(0u64);
    measure("lock, add, unlock", || *black_box(&lock).lock() += 1);
    for_heap();
    measure("frame alloc + free", || drop(black_box(Frame::alloc_for_overwrite())));
    measure("frame alloc zeroed + free", || drop(black_box(Frame::alloc_zeroed())));
    let frame = Frame::alloc_zeroed().expect("memory");
    measure("frame clone + drop", || drop(black_box(frame.clone())));

    let table = PageTable::new().expect("memory");
    for n in 0..64 {
        table.map(DATA + n * 4096, frame.clone(), Prot::RW).expect("memory");
    }
    measure("lookup + drop", || drop(black_box(table.lookup(black_box(DATA)))));
    measure("map over the same", || table.map(DATA, frame.clone(), Prot::RW).expect("memory"));
    measure("unmap + map", || {
        table.unmap(DATA, 1, &mut |_, frame, _| drop(frame));
        table.map(DATA, frame.clone(), Prot::RW).expect("memory");
    });
    measure("protect 64 pages, twice", || {
        table.protect(DATA, 64, Prot::R);
        table.protect(DATA, 64, Prot::RW);
    });
    measure("new table + share 64 pages + drop", || {
        let child = PageTable::new().expect("memory");
        table.share_readonly(&child, DATA, 64).expect("memory");
    });
    measure("new table + drop", || drop(PageTable::new()));
    measure("new task + drop (with a code page)", || drop(Task::new(NULLS, &table, 0, &UserRegs::default())));

    let task = Task::new(NULLS, &table, 0, &UserRegs { rbx: ROUNDS, ..Default::default() });
    let ticks = finish(&task);
    report("null syscall, user to user, with 3 of loop", ticks);
    in_user(&table);

    // A round trip is two switches, two syscalls, and this kernel's own part.
    for (name, other) in [("same table", table.clone()), ("two tables", PageTable::new().expect("memory"))] {
        let regs = UserRegs { rbx: ROUNDS, ..Default::default() };
        let tasks = [Task::new(YIELDS, &table, 0, &regs), Task::new(YIELDS, &other, 0, &regs)];
        assert!(tasks[0].peer.set(tasks[1].clone()).is_ok() && tasks[1].peer.set(tasks[0].clone()).is_ok());
        while tasks[0].exit().is_none() {
            assert!(run_task(&tasks[0]));
        }
        let ticks = tasks[0].exit().unwrap_or(0);
        report(&alloc::format!("yield there and back, {name}"), ticks);
        core::mem::forget(tasks);
    }
    let worker = Context::new_kernel(bounce, 0).expect("memory");
    measure("switch_to a kernel context and back", || context::switch_to(&worker).expect("it waits"));
}

/// A kernel context that switches back at once.
fn bounce(_: usize) -> ! {
    loop {
        to_main();
    }
}

fn for_heap() {
    measure("heap 32 bytes", || drop(black_box(Box::new([0u64; 4]))));
    measure("heap 500 bytes", || drop(black_box(alloc::vec::Vec::<u8>::with_capacity(black_box(500)))));
    measure("heap 5000 bytes", || drop(black_box(alloc::vec::Vec::<u8>::with_capacity(black_box(5000)))));
}

/// What needs an active user address space.
fn in_user(table: &alloc::sync::Arc<PageTable>) {
    fn handler(regs: &mut UserRegs, _: Option<Exception>) {
        let mut bytes = [0; 8];
        let mut more = [0; 64];
        measure("copy_from_user 8 bytes", || {
            user::copy_from_user(black_box(&mut bytes), black_box(DATA)).expect("mapped")
        });
        measure("copy_to_user 8 bytes", || user::copy_to_user(black_box(DATA), black_box(&bytes)).expect("mapped"));
        measure("copy_from_user 64 bytes", || {
            user::copy_from_user(black_box(&mut more), black_box(DATA)).expect("mapped")
        });
        measure("load_u32", || {
            black_box(user::load_u32(black_box(DATA))).expect("mapped");
        });
        let frame = Frame::alloc_zeroed().expect("memory");
        measure("copy a page to user", || user::copy_frame_to_user(DATA, &frame, 0, 4096).expect("mapped"));
        measure("fault in copy_from_user", || {
            black_box(user::copy_from_user(black_box(&mut bytes), 0x1000)).expect_err("not mapped");
        });
        *regs = UserRegs { rax: 1, rip: CODE as u64, ..Default::default() };
    }
    page(table, DATA);
    handle(Some(handler));
    finish(&Task::new(ECHO, table, 0, &UserRegs { rax: 99, ..Default::default() }));
    handle(None);
}
