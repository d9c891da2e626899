//! Syscalls: the table, and the way in and out of the kernel.

use crate::io::socket::names;
use crate::thread::{self, Thread};
use crate::{
    attributes, clock, fd, group, io, log, mm, namespace, open, port, power, process, ptimer, sched, signal, stats,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use hal::{Exception, UserRegs};
use ochre_abi::syscall::{self as abi, BASE, END};
use ochre_abi::{Errno, Result, errno};
use ochre_hal as hal;

type Handler = fn(&Arc<Thread>, &[u64; 6]) -> Result<usize>;

const COUNT: usize = (END - BASE) as usize;

fn unknown(_: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    Err(Errno::ENOSYS)
}

fn getpid(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    Ok(me.process.pid as usize)
}

fn getppid(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    Ok(me.process.ppid() as usize)
}

fn gettid(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    Ok(me.tid as usize)
}

macro_rules! table {
    ($($name:ident => $handler:path),* $(,)?) => {{
        let mut table: [Handler; COUNT] = [unknown; COUNT];
        $(table[(abi::$name - BASE) as usize] = $handler;)*
        table
    }};
}

static TABLE: [Handler; COUNT] = table! {
    GETPID => getpid, GETPPID => getppid, GETTID => gettid,
    CLOSE => fd::close, DUP => fd::dup, DUP3 => fd::dup3, FCNTL => fd::fcntl, CLOSE_RANGE => fd::close_range,
    READ => fd::read, WRITE => fd::write, PREAD => fd::pread, PWRITE => fd::pwrite, READV => fd::readv, WRITEV => fd::writev,
    LSEEK => fd::lseek, OPENAT => open::openat, DUP_NAMED => open::dup_named, CALL => fd::call,
    PATH_CALL => open::path_call, PATH_CALL2 => open::path_call2, GETCWD => open::getcwd, FCHDIR => open::fchdir,
    FD_PATH => open::fd_path,
    PORT_CREATE => port::port_create, REPLY_RECEIVE => port::reply_receive, WINDOW_COPY => port::window_copy,
    TAKE_FD => port::take_fd, CALLER_INFO => port::caller_info, CALLER_GROUPS => port::caller_groups, HANDLE_READY => port::handle_ready,
    HANDLE_ATTACH => port::handle_attach, SCHEME_REGISTER => namespace::scheme_register,
    SCHEME_RESERVE => namespace::scheme_reserve, PORT_ADOPT => port::port_adopt, PORT_NEXT => port::port_next,
    PORT_PARK => port::port_park, HANDLE_DROP => port::handle_drop,
    MMAP => mm::syscalls::mmap, MUNMAP => mm::syscalls::munmap, MPROTECT => mm::syscalls::mprotect,
    MREMAP => mm::syscalls::mremap, MADVISE => mm::syscalls::madvise, MSYNC => mm::syscalls::msync,
    OBJECT_CREATE => mm::syscalls::object_create, OBJECT_SLICE => mm::syscalls::object_slice,
    OBJECT_PHYS => mm::syscalls::object_phys, OBJECT_PAGER => mm::syscalls::object_pager,
    OBJECT_SUPPLY => mm::syscalls::object_supply, OBJECT_CLEAN => mm::syscalls::object_clean,
    OBJECT_STORED => mm::syscalls::object_stored, OBJECT_LIMIT => mm::syscalls::object_limit, PAGER_LIMIT => mm::syscalls::pager_limit,
    OBJECT_EVICT => mm::syscalls::object_evict, MLOCK => mm::syscalls::mlock, MINCORE => mm::syscalls::mincore,
    MEMORY_READ => mm::syscalls::memory_read,
    SPACE_CREATE => mm::syscalls::space_create, SPACE_MAP => mm::syscalls::space_map, SPACE_WRITE => mm::syscalls::space_write,
    SPACE_EXEC => process::space_exec, PROCESS_CREATE => process::process_create, THREAD_CREATE => thread::thread_create,
    THREAD_EXIT => process::thread_exit, EXIT => process::exit, WAIT => process::wait, PIDFD_OPEN => process::pidfd_open,
    SET_CLEAR_TID => thread::set_clear_tid, SET_ROBUST_LIST => thread::set_robust_list, SET_FS_BASE => thread::set_fs_base,
    YIELD => thread::yield_now, SET_AFFINITY => thread::set_affinity, GET_AFFINITY => thread::get_affinity,
    SET_PRIORITY => thread::set_priority, CPU_COUNT => thread::cpu_count, LIMIT => process::limit,
    RIGHTS_DROP => process::rights_drop, SET_CREDENTIALS => process::set_credentials,
    GET_CREDENTIALS => process::get_credentials, SET_NAME => thread::set_name, PROCESS_USAGE => process::process_usage,
    REFLECT_SET => thread::reflect_set, KILL => signal::kill, TGKILL => signal::tgkill, SIGQUEUE => signal::sigqueue,
    GETPGID => process::getpgid, SETPGID => process::setpgid, SETSID => process::setsid, GETSID => process::getsid,
    SIGNAL_SETUP => signal::signal_setup, SIGNAL_DELIVER => signal::signal_deliver,
    SIGNAL_SUSPEND => signal::signal_suspend, SIGNAL_TAKE => signal::signal_take, SIGNAL_FD => io::signalfd::signal_fd,
    POLL => io::poll::poll, EVENT_CREATE => io::event::event_create, EVENT_CTL => io::event::event_ctl,
    EVENT_WAIT => io::event::event_wait, EVENTFD => io::eventfd::eventfd, TIMER_CREATE => io::timerfd::timer_create,
    TIMER_SET => io::timerfd::timer_set, TIMER_GET => io::timerfd::timer_get, CLOCK_GET => clock::clock_get,
    CLOCK_SET => clock::clock_set, SLEEP => clock::sleep, FUTEX_WAIT => io::futex::futex_wait,
    FUTEX_WAKE => io::futex::futex_wake, FUTEX_REQUEUE => io::futex::futex_requeue, FUTEX_WAKE_OP => io::futex::futex_wake_op,
    REFLECT_FS => thread::reflect_fs,
    FUTEX_LOCK_PI => io::futex_pi::futex_lock_pi, FUTEX_UNLOCK_PI => io::futex_pi::futex_unlock_pi,
    PIPE => io::pipe::pipe, SOCKETPAIR => io::socket::socketpair, SENDMSG => io::socket::sendmsg,
    RECVMSG => io::socket::recvmsg, SHUTDOWN => io::socket::shutdown, SOCKET_OPTION => io::socket::socket_option,
    SOCKET => names::socket, SOCKET_NAME => names::socket_name, SOCKET_LISTEN => names::socket_listen,
    SOCKET_ACCEPT => names::socket_accept, SOCKET_CONNECT => names::socket_connect,
    SOCKET_REFERENCE => names::socket_reference, SOCKET_NEXT => names::socket_next,
    INOTIFY_CREATE => io::inotify::inotify_create, INOTIFY_SOURCE => io::inotify::inotify_source,
    INOTIFY_WATCH => io::inotify::inotify_watch, INOTIFY_PUSH => io::inotify::inotify_push,
    FIFO_CREATE => io::fifo::fifo_create,
    NS_BIND => namespace::ns_bind, NS_RESTRICT => namespace::ns_restrict, NS_OPEN => namespace::ns_open,
    NS_ENTER => namespace::ns_enter, ENTROPY => power::entropy, LOG => log::log,
    POWER => power::power, HOSTNAME => power::hostname,
    GROUP_INFO => group::group_info, GROUP_SIGNAL => group::group_signal,
    SIGNAL_TIMER_CREATE => ptimer::create, SIGNAL_TIMER_SET => ptimer::set, SIGNAL_TIMER_OVERRUN => ptimer::overrun,
    SIGNAL_TIMER_DELETE => ptimer::delete, GROUPS => attributes::groups, ATTRIBUTE => attributes::attribute,
    LIMIT_OF => attributes::limit_of, PIDFD_SIGNAL => attributes::pidfd_signal, PIDFD_GETFD => attributes::pidfd_getfd,
};

/// A `syscall` instruction.
pub fn enter(regs: &mut UserRegs) {
    stats::syscall();
    let me = thread::current();
    let number = regs.rax;
    let index = number.wrapping_sub(BASE) as usize;
    let Some(handler) = TABLE.get(index) else {
        reflect(&me, regs);
        leave(me, regs, 0);
        return;
    };
    me.in_syscall.store(number, Relaxed);
    let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
    let result = if number == abi::FORK { process::fork(&me, regs) } else { handler(&me, &args) };
    me.in_syscall.store(0, Relaxed);
    regs.rax = errno::encode(result);
    if me.wants_attention() || sched::need_resched() {
        let interrupted = if result == Err(Errno::EINTR) { number } else { 0 };
        leave(me, regs, interrupted);
    }
}

/// A number that is not ours goes to the process's handler, which sees the registers as the instruction left them
/// (rcx: return address, r11: flags, or the FS base if REFLECT_FS gave another).
fn reflect(me: &Arc<Thread>, regs: &mut UserRegs) {
    let handler = me.process.reflect.load(Relaxed);
    if handler == 0 {
        regs.rax = errno::encode(Err(Errno::ENOSYS));
        return;
    }
    regs.rcx = regs.rip;
    regs.r11 = me.enter_own_fs().unwrap_or(regs.rflags);
    regs.rip = handler;
}

/// An exception in user mode.
pub fn exception(regs: &mut UserRegs, exception: Exception) {
    use ochre_abi::signal::*;
    let me = thread::current();
    let (number, code, addr) = match exception {
        Exception::PageFault { addr, write, exec, .. } => {
            stats::fault();
            use mm::fault::FaultError;
            match me.process.space().fault(addr, write, exec) {
                Ok(()) => return,
                Err(FaultError::NoMapping) => (SIGSEGV, SEGV_MAPERR, addr as u64),
                Err(FaultError::Protection) => (SIGSEGV, SEGV_ACCERR, addr as u64),
                Err(FaultError::Bus) => (SIGBUS, BUS_ADRERR, addr as u64),
                Err(FaultError::OutOfMemory) => (SIGBUS, BUS_ADRERR, addr as u64),
            }
        }
        Exception::DivideError => (SIGFPE, FPE_INTDIV, regs.rip),
        Exception::FloatingPoint | Exception::SimdFloatingPoint => (SIGFPE, FPE_FLTINV, regs.rip),
        Exception::Debug => (SIGTRAP, TRAP_TRACE, regs.rip),
        Exception::Breakpoint => (SIGTRAP, SI_KERNEL, regs.rip),
        Exception::InvalidOpcode => (SIGILL, ILL_ILLOPN, regs.rip),
        Exception::AlignmentCheck => (SIGBUS, BUS_ADRALN, regs.rip),
        Exception::Overflow
        | Exception::Bound
        | Exception::DeviceNotAvailable
        | Exception::StackFault(_)
        | Exception::GeneralProtection(_)
        | Exception::Other(..) => (SIGSEGV, SI_KERNEL, 0),
    };
    signal::exception(&me, regs, number, code, addr, &exception);
}

/// After an exception or interrupt from user mode.
pub fn exit_to_user(regs: &mut UserRegs) {
    let Some(me) = thread::try_current() else { return };
    if me.wants_attention() || sched::need_resched() {
        leave(me, regs, 0);
    }
}

/// What is due before user mode: give way, stop, end, signals. Owns the only reference to the thread on this stack.
fn leave(me: Arc<Thread>, regs: &mut UserRegs, interrupted: u64) {
    if sched::need_resched() {
        sched::yield_now(&me);
    }
    while me.wants_attention() {
        if me.is_killed() {
            thread::exit(me);
        }
        me.calm();
        if me.process.is_stopped() {
            let process = me.process.clone();
            // Killed or continued: the loop looks again. A signal waits until the process continues.
            while process.is_stopped() && !me.is_killed() {
                process.continued.wait_stopped(&me, || !process.is_stopped());
            }
            drop(process);
            if me.is_killed() {
                continue;
            }
        }
        signal::deliver(&me, regs, interrupted);
    }
}
