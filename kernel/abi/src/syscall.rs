//! Native syscall numbers.
//!
//! `syscall` with the number in `rax`, arguments in `rdi rsi rdx r10 r8 r9`, the result in `rax` (−1..−4095: −errno);
//! `rcx` and `r11` are lost. Numbers start at [`BASE`], far from Linux's; any other number is reflected to the handler
//! that the process set with [`REFLECT_SET`], or fails with ENOSYS.
//!
//! In the comments: `fd` is an index of the process's handle table; a pointer is a user address; times are nanoseconds,
//! a timeout of [`FOREVER`] waits for ever.

/// The first native number.
pub const BASE: u64 = 0x8000;
/// A timeout or deadline that never comes.
pub const FOREVER: u64 = u64::MAX;

macro_rules! syscalls {
    ($($number:literal $name:ident $doc:literal)*) => {
        $(#[doc = $doc] pub const $name: u64 = BASE + $number;)*
        /// (number, name) of every native syscall.
        pub const NAMES: &[(u64, &str)] = &[$((BASE + $number, stringify!($name)),)*];
    };
}

syscalls! {
    // Handles
    0 GETPID "`() -> pid`: also what a null syscall costs."
    1 GETPPID "`() -> pid` of the parent, 1 once it is gone."
    2 GETTID "`() -> tid`"
    3 CLOSE "`(fd)`: close(2)."
    4 DUP "`(fd, least, flags O_CLOEXEC) -> fd`: F_DUPFD."
    5 DUP3 "`(old, new, flags O_CLOEXEC) -> fd`: dup3(2)."
    6 FCNTL "`(fd, command, arg)`: F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_QUERY; others are EINVAL."
    7 CLOSE_RANGE "`(first, last, flags)`: close_range(2); CLOSE_RANGE_CLOEXEC (4) marks instead."
    8 READ "`(fd, buffer, len) -> bytes`"
    9 WRITE "`(fd, buffer, len) -> bytes`"
    10 PREAD "`(fd, buffer, len, offset) -> bytes`"
    11 PWRITE "`(fd, buffer, len, offset) -> bytes`"
    12 READV "`(fd, *iovec, count, offset or u64::MAX) -> bytes`"
    13 WRITEV "`(fd, *iovec, count, offset or u64::MAX) -> bytes`"
    14 LSEEK "`(fd, offset, whence) -> offset`"
    15 OPENAT "`(dirfd or AT_FDCWD, path, path_len, flags, mode) -> fd`"
    16 DUP_NAMED "`(fd, name, name_len, flags O_CLOEXEC) -> fd`: the scheme makes a new handle from this one (Redox's dup with a path)."
    17 CALL "`(fd, *CallArgs) -> result`: any operation of crate::call on an open handle."
    18 PATH_CALL "`(dirfd, path, path_len, *CallArgs) -> result`: an operation on a path; the payload is the path, `CallArgs::input` must be empty."
    19 PATH_CALL2 "`(*PathPair, *CallArgs) -> result`: an operation on two paths of one scheme (rename, link); EXDEV across schemes."
    20 GETCWD "`(buffer, len) -> bytes` without a final NUL; ERANGE."
    21 FCHDIR "`(fd)`"
    22 FD_PATH "`(fd, buffer, len) -> bytes`: the path under which it was opened (what /proc/self/fd shows)."

    // Ports: the server's side of calls
    24 PORT_CREATE "`(flags O_CLOEXEC) -> fd`: a port; map its region with MMAP (layout in crate::call)."
    25 REPLY_RECEIVE "`(port, completions, flags, timeout, tag, result) -> requests`: answers with that many completion entries of the region, then waits for requests (0 with RECEIVE_NOWAIT or after the timeout)."
    26 WINDOW_COPY "`(port, tag, *WindowCopy) -> bytes`: copies between a window of a held request and the server's memory."
    27 TAKE_FD "`(port, tag, index, flags) -> fd`: a file descriptor that came with a request."
    28 CALLER_INFO "`(port, tag, *CallerInfo)`"
    29 HANDLE_READY "`(port, handle, set, clear)`: readiness bits (EPOLL*) of a handle the server opened."
    30 HANDLE_ATTACH "`(port, handle, object fd or -1, size)`: reads and maps of the handle are served from the object."
    31 SCHEME_REGISTER "`(name, name_len, port, flags SCHEME_KEEPS)`: serves /scheme/NAME from this port; needs RIGHT_SCHEME. EEXIST while another port serves it."
    32 SCHEME_RESERVE "`(name, name_len, flags)`: the name outlives its server: opens wait for the next one, and so does a port with SCHEME_KEEPS; flags 0 gives the reservation up. Needs RIGHT_SCHEME."

    // Memory
    36 MMAP "`(addr, len, prot, flags, fd, offset) -> addr`: mmap(2)."
    37 MUNMAP "`(addr, len)`"
    38 MPROTECT "`(addr, len, prot)`"
    39 MREMAP "`(addr, old_len, new_len, flags, new_addr) -> addr`"
    40 MADVISE "`(addr, len, advice)`: MADV_DONTNEED and MADV_FREE act, the known rest is taken as a hint."
    41 MSYNC "`(addr, len, flags)`"
    42 OBJECT_CREATE "`(size, flags ObjectFlags) -> fd`: a memory object."
    43 OBJECT_SLICE "`(fd, offset, len, flags) -> fd`: a view of a page-aligned part of an object; OBJECT_READ_ONLY gives up writing."
    44 OBJECT_PHYS "`(fd, offset, *u64, count) -> count`: physical addresses of the (pinned) pages, for DMA; needs RIGHT_DEVICE."
    45 OBJECT_PAGER "`(object, port, cookie)`: the port supplies this object's absent pages (OP_PAGE_IN) and hears of dirty ones (OP_DIRTY). Pages that the former pager took and had not stored are dirty again. Port −1: nobody does any more, EIO for who needs an absent page."
    46 OBJECT_SUPPLY "`(object, offset, buffer, len, status, epoch or 0) -> bytes`: the pager's answer; status != 0 is an errno for those who wait. With an epoch (of OP_PAGE_IN) that has passed the pages are asked for anew."
    47 OBJECT_CLEAN "`(object, offset, len, *u64, max) -> count`: takes the dirty pages' offsets and write-protects them. They stay in memory until OBJECT_STORED or OBJECT_EVICT."
    48 OBJECT_EVICT "`(object, offset, len) -> pages`: drops clean pages, unmapping them everywhere."
    49 MLOCK "`(addr, len, on)`: brings pages in; pages are never swapped out."
    50 MINCORE "`(addr, len, *u8)`"
    159 MEMORY_READ "`(to, from, len ≤ 256)`: copies within the caller's own memory; EFAULT where an instruction would mean SIGSEGV. For what a pointer leads to that somebody else gave."

    // Processes and threads
    54 SPACE_CREATE "`(flags O_CLOEXEC) -> fd`: an empty address space."
    55 SPACE_MAP "`(space, *MapArgs) -> addr`"
    56 SPACE_WRITE "`(space, addr, buffer, len) -> bytes`: fills mapped memory of it, whatever its protection, while no process runs in it."
    57 SPACE_EXEC "`(space, *StartArgs)`: the calling process goes on in that space: other threads end, close-on-exec handles close. Does not return."
    58 PROCESS_CREATE "`(*ProcessArgs) -> pid`: a child process in that space."
    59 FORK "`(flags) -> 0 or pid`: a copy-on-write copy of the calling process with this thread only."
    60 THREAD_CREATE "`(*ThreadArgs) -> tid`"
    61 THREAD_EXIT "`()`: ends this thread; clears and wakes its clear_tid word."
    62 EXIT "`(status)`: ends the process, all its threads; status as exit(2)'s, or EXIT_SIGNAL | signal."
    63 WAIT "`(kind, id, *WaitResult, options) -> pid or 0`: waitid(2)'s semantics."
    64 PIDFD_OPEN "`(pid, flags) -> fd`: readable once the process has ended."
    65 SET_CLEAR_TID "`(addr)`: set_tid_address(2)."
    66 SET_ROBUST_LIST "`(head, len)`: set_robust_list(2)."
    67 SET_FS_BASE "`(addr)`"
    68 YIELD "`()`"
    69 SET_AFFINITY "`(tid or 0, mask)`: a mask of CPUs, bit 0 is CPU 0."
    70 GET_AFFINITY "`(tid or 0) -> mask`"
    71 SET_PRIORITY "`(tid or 0, priority 0..=31)`: higher runs first; above 16 needs RIGHT_PRIORITY."
    72 CPU_COUNT "`() -> count`"
    73 LIMIT "`(resource, *new or 0, *old or 0)`: getrlimit/setrlimit of the calling process, struct rlimit."
    74 RIGHTS_DROP "`(mask) -> rights left`: gives up rights for ever, for this process and its children."
    75 SET_CREDENTIALS "`(*Credentials)`: needs RIGHT_CREDENTIALS."
    76 GET_CREDENTIALS "`(*Credentials)`"
    77 SET_NAME "`(pointer, len)`: the thread's name, 15 bytes at the most."
    78 PROCESS_USAGE "`(who 0 self, -1 children; *Usage)`"
    79 REFLECT_SET "`(handler)`: where a non-native syscall number goes: rcx = return address, r11 = flags (or the FS base, see REFLECT_FS), all else untouched. 0 = ENOSYS."
    80 KILL "`(pid, signal)`: kill(2) for one process; pid 0 and negative ones are procd's. Signal 0 probes."
    81 TGKILL "`(pid, tid, signal)`"
    82 SIGQUEUE "`(pid, tid or 0, signal, *SigInfo)`"
    83 GETPGID "`(pid or 0) -> pgid`"
    84 SETPGID "`(pid or 0, pgid or 0)`"
    85 SETSID "`() -> sid`"
    86 GETSID "`(pid or 0) -> sid`"

    // Signals
    88 SIGNAL_SETUP "`(trampoline) -> address of this thread's SignalPage`: maps it on the first call; see crate::signal."
    89 SIGNAL_DELIVER "`()`: looks at pending against mask again: after unblocking."
    90 SIGNAL_SUSPEND "`(mask)`: sigsuspend(2): always EINTR."
    91 SIGNAL_TAKE "`(set, timeout, *SigInfo) -> signal`: sigtimedwait(2); a zero timeout takes what is pending, EAGAIN."
    92 SIGNAL_FD "`(fd or -1, mask, flags) -> fd`: signalfd4(2)."

    // Waiting and time
    96 POLL "`(*pollfd, count, timeout, *sigmask or 0) -> ready`"
    97 EVENT_CREATE "`(flags) -> fd`: epoll_create1(2)."
    98 EVENT_CTL "`(epfd, op, fd, *epoll_event)`"
    99 EVENT_WAIT "`(epfd, *epoll_event, max, timeout, *sigmask or 0) -> count`"
    100 EVENTFD "`(initial, flags) -> fd`"
    101 TIMER_CREATE "`(clock, flags) -> fd`: timerfd_create(2)."
    102 TIMER_SET "`(fd, flags, *itimerspec, *itimerspec or 0)`"
    103 TIMER_GET "`(fd, *itimerspec)`"
    104 CLOCK_GET "`(clock) -> ns`: for clocks that the time page has not (CPU time)."
    105 CLOCK_SET "`(ns)`: the realtime clock; needs RIGHT_TIME."
    106 SLEEP "`(clock, flags TIMER_ABSTIME, ns, *remaining ns or 0)`"
    107 FUTEX_WAIT "`(addr, value, bitset, deadline, flags FutexFlags)`: EAGAIN, ETIMEDOUT, EINTR."
    108 FUTEX_WAKE "`(addr, count, bitset, flags) -> woken`"
    109 FUTEX_REQUEUE "`(addr, wake, requeue, addr2, value, flags) -> woken + requeued`: FUTEX_CMP_REQUEUE."
    110 FUTEX_WAKE_OP "`(addr, wake, wake2, addr2, encoded op, flags) -> woken`"

    111 FUTEX_LOCK_PI "`(addr, deadline, flags FutexFlags)`: takes the word for the calling thread, lending its owner the caller's priority while it waits. EDEADLK, EAGAIN, ETIMEDOUT, EINTR, ESRCH."
    112 FUTEX_UNLOCK_PI "`(addr, flags)`: gives the word to the waiter of the highest priority. EPERM."

    113 REFLECT_FS "`(own)`: the FS base with which reflected syscalls and signal deliveries of this thread run; the interrupted one stands in r11, or in SignalPage::saved_fs. 0: they run with whatever there is."

    // Pipes and sockets
    114 PIPE "`(*[i32; 2], flags)`: pipe2(2)."
    115 SOCKETPAIR "`(type, protocol, *[i32; 2])`: AF_UNIX; type with SOCK_CLOEXEC, SOCK_NONBLOCK."
    116 SENDMSG "`(fd, *msghdr, flags, 0 or 1 + fd of a reference) -> bytes`: the name in the header is not looked at, the reference is."
    117 RECVMSG "`(fd, *msghdr, flags) -> bytes`"
    118 SHUTDOWN "`(fd, how)`"
    119 SOCKET_OPTION "`(fd, level, name, buffer, *len, set) `: get/setsockopt(2) of kernel sockets."

    // Names and the rest
    122 NS_BIND "`(prefix, prefix_len, scheme, scheme_len)`: adds a prefix to this process's namespace, for SCHEME or SCHEME/PATH; needs RIGHT_NAMESPACE."
    123 NS_RESTRICT "`(list, len)`: keeps only these NUL-separated prefixes; an empty list is the null namespace."
    153 NS_OPEN "`(flags O_CLOEXEC) -> fd`: this process's namespace as it is now; needs RIGHT_NAMESPACE."
    154 NS_ENTER "`(fd)`: the namespace of NS_OPEN becomes this process's, and that of the children it makes from then on; needs RIGHT_NAMESPACE."
    124 ENTROPY "`(buffer, len ≤ 256) -> bytes`: from the CPU's generator and timing jitter; the seed of rand."
    125 LOG "`(level, text, len)`: a line of the kernel log."
    126 POWER "`(what, status)`: power off, reboot, or leave the VM with a status; needs RIGHT_POWER."

    // Sockets with names
    127 SOCKET "`(type, protocol) -> fd`: AF_UNIX; type with SOCK_CLOEXEC, SOCK_NONBLOCK."
    128 SOCKET_NAME "`(fd, which, buffer, len) -> bytes`: what follows the family in the address of the socket (0) or its peer (1); 2 sets the socket's, once; an empty one is given up again while no server keeps it."
    129 SOCKET_LISTEN "`(fd, backlog)`: listen(2)."
    130 SOCKET_ACCEPT "`(fd, flags) -> fd`: accept4(2)."
    131 SOCKET_CONNECT "`(fd, fd of a reference)`: connect(2); -1 dissolves a datagram socket's connection."
    132 SOCKET_REFERENCE "`(fd, key, key_len) -> fd`: leads to the socket and does not keep it open; needs RIGHT_SCHEME."
    133 SOCKET_NEXT "`(*SocketNext) -> fd`: one more reference to a living socket of which a server kept one; ENOENT after the last. Needs RIGHT_SCHEME."
    134 FIFO_CREATE "`(flags O_CLOEXEC) -> fd`: what a server keeps for a FIFO's inode, and attaches to an answer with OPENED_FIFO."

    // inotify
    135 INOTIFY_CREATE "`(flags) -> fd`: inotify_init1(2)."
    136 INOTIFY_SOURCE "`(fd, *u64) -> fd`: what a file's server keeps of a queue, which does not keep it open; the queue's number."
    137 INOTIFY_WATCH "`(source) -> watch`: a new watch's number. ESRCH: the queue is closed."
    138 INOTIFY_PUSH "`(source, *InotifyPush)`: ENOENT: no such watch; ESRCH."

    // Processes, continued
    140 HOSTNAME "`(buffer, len ≤ 64, set) -> bytes`: the machine's name, read, or set from the buffer; setting needs RIGHT_NAMESPACE."
    141 SIGNAL_TIMER_CREATE "`(clock, *TimerArgs) -> id`: timer_create(2); not inherited by fork, gone after exec."
    142 SIGNAL_TIMER_SET "`(id or ITIMER_…, flags TIMER_ABSTIME, *[value, interval] or 0, *[value, interval] or 0)`: new and old setting, ns."
    143 SIGNAL_TIMER_OVERRUN "`(id) -> count`: of the signal that was taken last."
    144 SIGNAL_TIMER_DELETE "`(id)`"
    145 GROUPS "`(*u32, count, set) -> count`: the supplementary groups, read (count 0: only how many there are), or set, which needs euid 0."
    146 ATTRIBUTE "`(PROCESS_ATTRIBUTE_…, pid or 0, value, set) -> value`: what prctl(2) and setpriority(2) keep for a process."
    147 LIMIT_OF "`(pid, resource, *new or 0, *old or 0)`: LIMIT of another process of the same user."
    148 PIDFD_SIGNAL "`(pidfd, signal, *SigInfo or 0)`: pidfd_send_signal(2)."
    149 PIDFD_GETFD "`(pidfd, fd) -> fd`: a descriptor for what another process of the same user has open, close-on-exec."

    // Servers, continued
    152 CALLER_GROUPS "`(port, tag, *u32, count) -> groups`: the supplementary groups of who made a held request, sorted; as many as there is room for are written, the value is how many there are."

    155 PORT_ADOPT "`(name, name_len, flags O_CLOEXEC) -> fd`: takes over the port of that name whose server ended; map its region anew. Calls wait until the first REPLY_RECEIVE. ENOENT: there is none; EEXIST: it is served. Needs RIGHT_SCHEME."
    156 PORT_NEXT "`(port, *PortNext)`: what the port has: living handles, objects whose pager it is, parked objects, one by one; ENOENT after the last."
    157 PORT_PARK "`(port, key, fd or -1)`: keeps a memory object at the port for the server's successors, instead of what is there; −1 takes it away (ENOENT)."
    158 HANDLE_DROP "`(port, handle)`: the server is done with a handle that is still open: EIO for its users."

    // Job control
    150 GROUP_INFO "`(pgid, *GroupInfo)`: session of a process group, and whether it is orphaned; ESRCH."
    151 GROUP_SIGNAL "`(pgid, signal)`: a signal from a terminal (SI_KERNEL) to a group; needs RIGHT_KILL; ESRCH."

    // Memory, continued
    160 OBJECT_STORED "`(object, offset, len, status)`: the pager has stored what OBJECT_CLEAN took of a range: the kernel may drop it under memory pressure. status != 0: it could not, and the pages are dirty again."
    161 OBJECT_LIMIT "`(object, bytes)`: up to this size writes to handles with OPENED_GROW_ATTACHED extend the object."
    162 PAGER_LIMIT "`(port, pages)`: dirty pages that all objects of this pager may have before writers wait; 0: a quarter of memory."
}

/// One more than the greatest native number.
pub const END: u64 = BASE + 168;

/// [`SIGNAL_TIMER_SET`]: the timers of setitimer(2): ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
pub const ITIMER_FIRST: u64 = 1 << 20;
/// See [`ITIMER_FIRST`].
pub const ITIMER_LAST: u64 = ITIMER_FIRST + 2;

/// [`SCHEME_REGISTER`]: the port outlives its server while the name is reserved: its handles wait for the next one, which takes them over
/// ([`PORT_ADOPT`]).
pub const SCHEME_KEEPS: u64 = 1;

/// [`REPLY_RECEIVE`]: do not wait for requests.
pub const RECEIVE_NOWAIT: u64 = 1;
/// [`REPLY_RECEIVE`]: answer one request and return at once: the fifth argument is a [`crate::call::Completion`]'s tag, the sixth its
/// result; the region's completions and waiting requests are left alone. For other threads than the one that receives.
pub const RECEIVE_ANSWER_ONE: u64 = 2;

/// [`POWER`]: turn the machine off.
pub const POWER_OFF: u64 = 0;
/// [`POWER`]: start again.
pub const POWER_REBOOT: u64 = 1;
/// [`POWER`]: leave the virtual machine through its debug-exit device with the status (one byte), else power off.
pub const POWER_EXIT_VM: u64 = 2;
