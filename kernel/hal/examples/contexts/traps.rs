//! User mode on one CPU: registers over traps, faults, FPU and thread pointers over switches, user memory.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use ochre_hal::context::{self, Context};
use ochre_hal::mem::Frame;
use ochre_hal::paging::{PageTable, Prot, USER_END};
use ochre_hal::{Exception, Level, UserRegs, cpu, log, user};

use crate::machine::{CODE, Task, finish, forked, handle, page, run as run_task};
use crate::programs::{ECHO, FAULTS, FORK, VECTORS, VECTORS_SSE};

const DATA: usize = 0x50_0000;

pub fn run() {
    for _ in 0..3 {
        registers();
        faults();
        steps();
        vectors();
        fork();
        memory();
        exec();
    }
    log!(Level::Info, "contexts: traps passed");
}

static STEP: AtomicU32 = AtomicU32::new(0);

/// Registers with a pattern of their own for each step.
fn pattern(step: u32) -> UserRegs {
    let value = |n: u64| (u64::from(step) << 32 | n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    UserRegs {
        r15: value(1),
        r14: value(2),
        r13: value(3),
        r12: value(4),
        rbp: value(5),
        rbx: value(6),
        r11: value(7),
        r10: value(8),
        r9: value(9),
        r8: value(10),
        rax: value(11) | 1 << 63,
        rcx: value(12),
        rdx: value(13),
        rsi: value(14),
        rdi: value(15),
        orig_rax: 0,
        rip: CODE as u64,
        // Nonsense that must not reach the CPU.
        cs: value(16),
        rflags: value(17) & !0x100 & !0x1_0000,
        rsp: value(18),
        ss: value(19),
    }
}

/// The flags of a program that asked for `flags`.
fn flags(flags: u64) -> u64 {
    flags & 0x24_0cd5 | 0x202
}

/// The kernel sets all registers and sees them again at the program's next trap, many times.
fn registers() {
    STEP.store(0, Ordering::Relaxed);
    handle(Some(check));
    let table = PageTable::new().expect("memory");
    let task = Task::new(ECHO, &table, 0, &pattern(0));
    assert_eq!(finish(&task), 77);
    handle(None);
}

fn check(regs: &mut UserRegs, e: Option<Exception>) {
    let step = STEP.fetch_add(1, Ordering::Relaxed);
    let sent = pattern(step);
    let trap = match e {
        None => 2,
        Some(Exception::Breakpoint) => 3,
        Some(Exception::GeneralProtection(0)) if step % 7 == 3 => 0,
        other => panic!("{other:?}"),
    };
    let wild = step % 7 == 3;
    let syscall = trap == 2;
    let mut want = sent;
    want.rip = if wild { wild_rip(step) } else { CODE as u64 + trap };
    want.cs = if wild { regs.cs } else { 0x33 };
    want.ss = if wild { regs.ss } else { 0x2b };
    want.rflags = if wild { sent.rflags } else { flags(sent.rflags) };
    want.orig_rax = regs.orig_rax;
    if syscall {
        want.rcx = want.rip;
        want.r11 = want.rflags;
        assert_eq!(regs.orig_rax, sent.rax);
    }
    let got = alloc::format!("{regs:x?}");
    assert_eq!(got, alloc::format!("{want:x?}"), "step {step}");
    let mut next = pattern(step + 1);
    // The program goes on with `syscall` or `int3`, by turns of three.
    if (step + 1) % 3 == 0 {
        next.rip = CODE as u64 + 2;
    }
    if (step + 1) % 7 == 3 {
        next.rip = wild_rip(step + 1);
    }
    if (step + 1) % 5 == 1 && (step + 1) % 7 != 3 {
        // Fit for sysret.
        next.rflags = flags(next.rflags);
    }
    *regs = next;
    if step == 300 {
        *regs = UserRegs { rax: 1, rdi: 77, rip: CODE as u64, ..Default::default() };
    }
}

fn wild_rip(step: u32) -> u64 {
    [1 << 47, 0xffff_8000_0000_0000, 0xffff_ffff_8020_0000, u64::MAX][step as usize % 4]
}

/// Each fault comes as the exception that it is, once.
fn faults() {
    static TABLE: ochre_hal::SpinLock<Option<Arc<PageTable>>> = ochre_hal::SpinLock::new(None);
    fn handler(regs: &mut UserRegs, e: Option<Exception>) {
        let table = TABLE.lock().clone().expect("a table");
        let step = STEP.fetch_add(1, Ordering::Relaxed);
        let at = regs.rip as usize - CODE;
        match (step, e.expect("no unknown call")) {
            (0, Exception::PageFault { addr: DATA, write: false, exec: false, present: false }) => {
                table.map(DATA, Frame::alloc_zeroed().expect("memory"), Prot::R).expect("memory");
            }
            (1, Exception::PageFault { addr: DATA, write: true, exec: false, present: true }) => {
                table.protect(DATA, 1, Prot::RW);
            }
            (2, Exception::DivideError) if at == 0x12 => regs.rip += 2,
            (3, Exception::InvalidOpcode) if at == 0x14 => regs.rip += 2,
            // Next, to data.
            (4, Exception::GeneralProtection(0)) if at == 0x16 => regs.rip = DATA as u64,
            // To the kernel.
            (5, Exception::PageFault { addr: DATA, write: false, exec: true, present: true }) => {
                regs.rip = USER_END as u64
            }
            (6, Exception::PageFault { addr: USER_END, write: false, exec: true, present: false }) => {
                regs.rip = CODE as u64;
                regs.rbx = 0xffff_ffff_8020_0000;
            }
            (7, Exception::PageFault { addr: 0xffff_ffff_8020_0000, write: false, exec: false, .. }) => {
                regs.rbx = 1 << 47
            }
            (8, Exception::GeneralProtection(0)) => {
                regs.rip = CODE as u64 + 0x17;
                regs.rdi = 5;
            }
            (step, e) => panic!("step {step}: {e:?} at {at:#x}"),
        }
    }
    STEP.store(0, Ordering::Relaxed);
    let table = PageTable::new().expect("memory");
    *TABLE.lock() = Some(table.clone());
    handle(Some(handler));
    let task = Task::new(FAULTS, &table, 0, &UserRegs { rbx: DATA as u64, ..Default::default() });
    assert_eq!(finish(&task), 5);
    handle(None);
    *TABLE.lock() = None;
    let mut dirty = 0;
    table.clean(0, usize::MAX, &mut |va| {
        assert_eq!(va, DATA);
        dirty += 1;
    });
    assert_eq!((dirty, table.lookup(DATA).map(|found| found.1)), (1, Some(Prot::R)));
    table.clean(0, usize::MAX, &mut |_| panic!("dirty again"));
}

/// Single steps, which come on a stack of their own first; also over a system call.
fn steps() {
    const TF: u64 = 0x100;
    fn handler(regs: &mut UserRegs, e: Option<Exception>) {
        let at = regs.rip as usize - CODE;
        match (STEP.fetch_add(1, Ordering::Relaxed), e) {
            (0, Some(Exception::Debug)) => assert_eq!((at, regs.rflags & TF), (8, TF)),
            (1, Some(Exception::Debug)) => {
                assert_eq!(at, 0xd);
                // To a null system call, with the flag still set.
                (regs.rip, regs.rax) = (CODE as u64 + 0x1c, 0);
            }
            // It returns with the flag, so the step after it ends in the exception: here that is beyond the program.
            (2, Some(Exception::Debug)) => {
                assert!(at > 0x1c && regs.rax == 42);
                *regs = UserRegs { rax: 1, rdi: 9, rip: CODE as u64 + 0x1c, ..Default::default() };
            }
            (step, e) => panic!("step {step}: {e:?} at {at:#x}"),
        }
    }
    STEP.store(0, Ordering::Relaxed);
    handle(Some(handler));
    let table = PageTable::new().expect("memory");
    page(&table, DATA);
    let task = Task::new(
        FAULTS,
        &table,
        0,
        &UserRegs { rip: CODE as u64, rflags: TF, rbx: DATA as u64, ..Default::default() },
    );
    let started = task.context.with_user_regs(|regs| regs.rip += 6);
    assert!(started.is_some());
    // The byte after the program is 0: `add [rax], al`, which is fine with this address.
    page(&table, 0);
    assert_eq!(finish(&task), 9);
    handle(None);
}

/// A task that checks its vector registers, FS and GS base.
pub fn vector_task(table: &Arc<PageTable>, data: usize, rounds: u64) -> Arc<Task> {
    let frame = page(table, data);
    frame.write_as(0, &[data as u64, 1, !(data as u64), 0x1234_5678]);
    let gs = u64::from(cpu::features().has_fsgsbase);
    let program = if cpu::features().xcr0 & 4 != 0 { VECTORS } else { VECTORS_SSE };
    Task::new(program, table, data, &UserRegs { rbx: data as u64, r12: rounds, r14: gs, ..Default::default() })
}

fn vectors() {
    // One table, two tasks that switch to each other directly.
    let table = PageTable::new().expect("memory");
    let tasks = [vector_task(&table, DATA, 100), vector_task(&table, DATA + 4096, 100)];
    assert!(tasks[0].peer.set(tasks[1].clone()).is_ok());
    assert!(!tasks[0].context.is_running() && tasks[0].context.fs_base() == DATA as u64);
    assert_eq!(tasks[0].context.with_user_regs(|regs| regs.rbx), Some(DATA as u64));
    assert!(run_task(&tasks[0]));
    // Others with tables of their own, by way of the main flow.
    let tables: [_; 3] = core::array::from_fn(|_| PageTable::new().expect("memory"));
    let others: [_; 3] = core::array::from_fn(|n| vector_task(&tables[n], DATA + n * 4096, 50));
    let all = || others.iter().chain(&tasks);
    while !all().all(|task| task.exit().is_some()) {
        for task in all().filter(|task| task.exit().is_none()) {
            assert!(run_task(task));
        }
    }
    assert!(all().all(|task| task.exit() == Some(0)), "vector registers got lost");
    assert_eq!(context::switch_to(&context::current()), Err(context::Busy));
    assert_eq!(context::current().with_user_regs(|_| ()), None);
}

fn fork() {
    let table = PageTable::new().expect("memory");
    let frame = page(&table, DATA);
    frame.write_as(0, &[3u64, 1, 4, 1]);
    let task = Task::new(FORK, &table, 0, &UserRegs { rbx: DATA as u64, ..Default::default() });
    assert_eq!(finish(&task), 0, "the parent's vectors");
    let child = forked().expect("a child");
    assert_eq!(finish(&child), 0, "the child's vectors");
    assert_eq!(child.table.lookup(DATA).map(|found| found.1), Some(Prot::R));
}

/// The kernel's access to user memory, from within a system call.
fn memory() {
    fn handler(regs: &mut UserRegs, _: Option<Exception>) {
        const AT: usize = DATA + 4096 - 50;
        let mut bytes = [0u8; 100];
        let pattern: [u8; 100] = core::array::from_fn(|n| n as u8 + 1);
        for len in 0..=100 {
            user::zero_user(AT, 100).expect("mapped");
            user::copy_to_user(AT + 1, &pattern[..len]).expect("mapped");
            user::copy_from_user(&mut bytes, AT).expect("mapped");
            assert!(bytes[0] == 0 && bytes[1..][..len.min(99)] == pattern[..len.min(99)]);
            assert!(bytes.iter().skip(len + 1).all(|&byte| byte == 0));
        }
        let frame = Frame::alloc_zeroed().expect("memory");
        user::copy_user_to_frame(&frame, 7, AT, 100).expect("mapped");
        user::zero_user(AT, 100).expect("mapped");
        user::copy_frame_to_user(AT, &frame, 7, 100).expect("mapped");
        user::copy_from_user(&mut bytes, AT + 1).expect("mapped");
        assert_eq!(bytes[..99], pattern[..99]);
        // The third page is read-only, the fourth is not there.
        const READ_ONLY: usize = DATA + 0x2000;
        const HOLE: usize = DATA + 0x3000;
        for len in [4, 8, 20, 100] {
            let fault = |addr, write| Err(user::Fault { addr, write });
            assert_eq!(user::copy_to_user(READ_ONLY, &pattern[..len]), fault(READ_ONLY, true));
            assert_eq!(user::copy_from_user(&mut bytes[..len], HOLE), fault(HOLE, false));
            assert_eq!(user::copy_to_user(HOLE, &pattern[..len]), fault(HOLE, true));
        }
        assert_eq!(user::copy_from_user(&mut bytes, HOLE - 56), Err(user::Fault { addr: HOLE, write: false }));
        assert_eq!(user::zero_user(READ_ONLY - 64, 72), Err(user::Fault { addr: READ_ONLY, write: true }));
        assert_eq!(user::load_u32(READ_ONLY), Ok(9));
        user::write_user(DATA, &0x1_0000_0007u64).expect("mapped");
        assert_eq!(user::compare_exchange_u32(DATA, 7, 8), Ok(Ok(7)));
        assert_eq!(user::compare_exchange_u32(DATA, 7, 9), Ok(Err(8)));
        assert_eq!((user::load_u64(DATA), user::read_user::<u32>(DATA + 4)), (Ok(0x1_0000_0008), Ok(1)));
        assert_eq!(user::compare_exchange_u32(READ_ONLY, 1, 2), Err(user::Fault { addr: READ_ONLY, write: true }));
        assert!(user::compare_exchange_u32(DATA + 2, 0, 1).is_err());
        *regs = UserRegs { rax: 1, rdi: 6, rip: CODE as u64, ..Default::default() };
    }
    let table = PageTable::new().expect("memory");
    page(&table, DATA);
    page(&table, DATA + 0x1000);
    page(&table, DATA + 0x2000).write_as(0, &9u32);
    table.protect(DATA + 0x2000, 1, Prot::R);
    handle(Some(handler));
    let task = Task::new(ECHO, &table, 0, &UserRegs { rax: 99, ..Default::default() });
    assert_eq!(finish(&task), 6);
    handle(None);
}

/// Another address space for the running context, and for a stopped one.
fn exec() {
    static TABLES: ochre_hal::SpinLock<Option<Arc<PageTable>>> = ochre_hal::SpinLock::new(None);
    fn handler(regs: &mut UserRegs, _: Option<Exception>) {
        let table = TABLES.lock().take().expect("a table");
        let context: Arc<Context> = context::current();
        assert_eq!(user::load_u32(DATA), Ok(1));
        context.set_table(table);
        context.reset_fpu();
        context.set_fs_base(DATA as u64);
        assert_eq!((user::load_u32(DATA), context.fs_base()), (Ok(2), DATA as u64));
        *regs = UserRegs { rax: 2, rip: CODE as u64, ..Default::default() };
        STEP.store(1, Ordering::Relaxed);
    }
    let tables: [_; 3] = core::array::from_fn(|n| {
        let table = PageTable::new().expect("memory");
        page(&table, DATA).write_as(0, &(n as u32 + 1));
        // Makes the code page.
        drop(Task::new(ECHO, &table, 0, &UserRegs::default()));
        table
    });
    *TABLES.lock() = Some(tables[1].clone());
    handle(Some(handler));
    let task = Task::new(ECHO, &tables[0], 0, &UserRegs { rax: 99, ..Default::default() });
    assert!(run_task(&task) && task.exit().is_none());
    // It has yielded after the change.
    task.context.set_table(tables[0].clone());
    task.context.set_table(tables[2].clone());
    task.context.reset_fpu();
    let done = task.context.with_user_regs(|regs| {
        assert_eq!(regs.rip, CODE as u64 + 2);
        *regs = UserRegs { rax: 1, rdi: 8, rip: CODE as u64, ..Default::default() };
    });
    assert!(done.is_some());
    assert_eq!(finish(&task), 8);
    handle(None);
    drop(task);
    assert!(tables.iter().all(|table| Arc::strong_count(table) == 1), "an address space is still held");
}
