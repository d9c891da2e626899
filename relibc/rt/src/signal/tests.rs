//! A delivery as the kernel makes it, played by the test: no system call is needed for an exception's signal.

use super::action::{SA_NODEFER, SA_ONSTACK};
use super::context::{SigInfoT, UContext, reg};
use super::frame::Page;
use super::*;
use core::arch::naked_asm;
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering::Relaxed;
use ochre_abi::signal::{SIGTRAP, SIGUSR1, SIGUSR2};

/// General registers and an xmm register, before and after.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Registers {
    /// In gregs' order, without rsp.
    general: [u64; 15],
    xmm: [u64; 2],
}

/// Loads `before`, is "interrupted", and stores what is in the registers afterwards.
#[unsafe(naked)]
unsafe extern "C" fn interrupted(_page: *mut SignalPage, _before: *const Registers, _after: *mut Registers) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdx",
        // What the kernel saves.
        "lea rax, [rip + 2f]",
        "mov [rdi + {rip}], rax",
        "mov [rdi + {rsp}], rsp",
        "pushfq",
        "pop rax",
        "or rax, 1",
        "mov [rdi + {flags}], rax",
        "mov rax, [rsi + 13 * 8]",
        "mov [rdi + {rax}], rax",
        "mov dword ptr [rdi + {held}], 1",
        // Something in the red zone that must survive.
        "mov rax, 0x1234",
        "mov [rsp - 128], rax",
        "mov rax, rdi",
        "movdqu xmm5, [rsi + 120]",
        "mov r8, [rsi]",
        "mov r9, [rsi + 8]",
        "mov r10, [rsi + 16]",
        "mov r11, [rsi + 24]",
        "mov r12, [rsi + 32]",
        "mov r13, [rsi + 40]",
        "mov r14, [rsi + 48]",
        "mov r15, [rsi + 56]",
        "mov rdi, [rsi + 64]",
        "mov rbp, [rsi + 80]",
        "mov rbx, [rsi + 88]",
        "mov rdx, [rsi + 96]",
        "mov rcx, [rsi + 112]",
        "mov rsi, [rsi + 72]",
        "jmp {trampoline}",
        "2:",
        // The carry flag came back, and the red zone is whole.
        "jnc 3f",
        "cmp qword ptr [rsp - 128], 0x1234",
        "jne 3f",
        "xchg rdx, [rsp]",
        "mov [rdx], r8",
        "mov [rdx + 8], r9",
        "mov [rdx + 16], r10",
        "mov [rdx + 24], r11",
        "mov [rdx + 32], r12",
        "mov [rdx + 40], r13",
        "mov [rdx + 48], r14",
        "mov [rdx + 56], r15",
        "mov [rdx + 64], rdi",
        "mov [rdx + 72], rsi",
        "mov [rdx + 80], rbp",
        "mov [rdx + 88], rbx",
        "mov [rdx + 104], rax",
        "mov [rdx + 112], rcx",
        "movdqu [rdx + 120], xmm5",
        "pop rax",
        "mov [rdx + 96], rax",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        "3:",
        "ud2",
        rip = const core::mem::offset_of!(SignalPage, saved_rip),
        rsp = const core::mem::offset_of!(SignalPage, saved_rsp),
        flags = const core::mem::offset_of!(SignalPage, saved_rflags),
        rax = const core::mem::offset_of!(SignalPage, saved_rax),
        held = const core::mem::offset_of!(SignalPage, held),
        trampoline = sym trampoline::trampoline,
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    signal: i32,
    code: i32,
    address: u64,
    mask: u64,
    held: u32,
    rbx: u64,
    stack: usize,
}

thread_local! {
    static PAGE: Box<Page> = Box::new(
        // SAFETY: a page of integers.
        unsafe { core::mem::zeroed() }
    );
    static ACTION: Cell<Action> = const { Cell::new(Action { disposition: Disposition::Ignore, flags: 0, mask: 0 }) };
    static ALTERNATE: Cell<AltStack> = const { Cell::new(AltStack::NONE) };
    static SEEN: RefCell<Vec<Seen>> = const { RefCell::new(Vec::new()) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

static DISPATCHER: Dispatcher = Dispatcher {
    action: |_| ACTION.get(),
    alternate_stack: || ALTERNATE.get(),
    holds_back: || false,
    program_fs: || None,
};

extern "C" fn handler(signal: i32, info: *mut SigInfoT, context: *mut UContext) {
    let page = page();
    // SAFETY: the page and both structures are the delivery's.
    let (info, context, shared) = unsafe { (&*info, &mut *context, &(*page).shared) };
    let local = 0u8;
    SEEN.with_borrow_mut(|seen| {
        seen.push(Seen {
            signal,
            code: info.code,
            address: info.first,
            mask: shared.mask.load(Relaxed),
            held: shared.held.load(Relaxed),
            rbx: context.gregs[11],
            stack: &raw const local as usize,
        });
    });
    context.gregs[0] = context.gregs[0].wrapping_add(1);
    if NESTED.replace(0) == 1 {
        let _ = deliver(SIGUSR2);
    }
    assert_eq!(context.gregs[reg::RDI], 108);
}

fn page() -> *mut Page {
    PAGE.with(|page| core::ptr::from_ref(&**page).cast_mut())
}

/// Has a signal delivered to a function with known registers; returns those before and after.
fn deliver(signal: u32) -> (Registers, Registers) {
    deliver::prepare(&DISPATCHER);
    let page = page();
    let before = Registers { general: core::array::from_fn(|n| n as u64 + 100), xmm: [7, 8] };
    let mut after = Registers::default();
    // SAFETY: the page is this thread's.
    unsafe {
        (*page).shared.fault_signal.store(signal, Relaxed);
        (*page).shared.fault_code.store(9, Relaxed);
        (*page).shared.fault_addr.store(0xabc, Relaxed);
        interrupted(page.cast(), &before, &mut after);
        assert_eq!((*page).shared.held.load(Relaxed), 0);
    }
    (before, after)
}

fn handle(flags: u64, mask: u64) {
    ACTION.set(Action { disposition: Disposition::Handler(handler as *const () as usize), flags, mask });
}

/// The registers as the handler leaves them: it counts r8 up.
fn counted(mut registers: Registers) -> Registers {
    registers.general[0] += 1;
    registers
}

#[test]
fn a_handler_sees_the_signal_and_everything_comes_back() {
    handle(0, bit(SIGUSR2));
    let (before, after) = deliver(SIGUSR1);
    assert_eq!(after, counted(before));
    let seen = SEEN.take();
    let own = bit(SIGUSR1) | bit(SIGUSR2);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        Seen { stack: 0, ..seen[0] },
        Seen { signal: 10, code: 9, address: 0xabc, mask: own, held: 0, rbx: 111, stack: 0 }
    );
    // SAFETY: the page is this thread's.
    assert_eq!(unsafe { (*page()).shared.mask.load(Relaxed) }, 0);
}

#[test]
fn handlers_nest() {
    handle(SA_NODEFER, 0);
    NESTED.set(1);
    let (before, after) = deliver(SIGUSR1);
    assert_eq!(after, counted(before));
    assert_eq!(SEEN.take().iter().map(|seen| seen.signal).collect::<Vec<_>>(), [10, 12]);
}

#[test]
fn the_alternate_stack_is_used_once() {
    let mut memory = vec![0u64; 16384];
    let area = memory.as_mut_ptr() as usize;
    ALTERNATE.set(AltStack { sp: area, flags: 0, size: 16384 * 8 });
    handle(SA_ONSTACK | SA_NODEFER, 0);
    NESTED.set(1);
    let (before, after) = deliver(SIGUSR1);
    assert_eq!(after, counted(before));
    let seen = SEEN.take();
    assert!(seen.iter().all(|seen| (area..area + 16384 * 8).contains(&seen.stack)));
    assert!(seen[1].stack < seen[0].stack, "the second handler runs below the first");
}

#[test]
fn an_ignored_signal_changes_nothing() {
    ACTION.set(Action { disposition: Disposition::Ignore, flags: 0, mask: 0 });
    let (before, after) = deliver(SIGTRAP);
    assert_eq!(after, before);
    assert!(SEEN.take().is_empty());
}
