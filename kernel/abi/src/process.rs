//! Processes and threads: arguments, rights, limits.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How a process or thread starts in an address space.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct StartArgs {
    pub entry: u64,
    pub stack: u64,
    /// Name of the program for listings, ≤ 15 bytes, NUL-padded.
    pub name: [u8; 16],
    /// Signals blocked at first (what SIGNAL_SETUP puts into the page).
    pub sigmask: u64,
    /// Signals ignored at first.
    pub sigignore: u64,
    /// What is told of the program (/proc/PID/exe, cmdline, environ, auxv).
    pub program: ProgramInfo,
}

/// Where a program comes from and where its initial stack has what it was given. Only for listings: nothing else depends on it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgramInfo {
    /// 1 + a descriptor of the program's file, or 0: unknown.
    pub file: u64,
    /// Start and end of the argument strings, each with its NUL.
    pub args: [u64; 2],
    /// The same of the environment's strings.
    pub env: [u64; 2],
    /// The same of the auxiliary vector.
    pub auxv: [u64; 2],
}

/// Argument of PROCESS_CREATE.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProcessArgs {
    pub start: StartArgs,
    /// The address space's fd; the process takes it over.
    pub space: i32,
    /// Directory fd to start in, or −1 for the caller's.
    pub cwd: i32,
    /// Address of `fd_count` [`FdPair`]s: the child's whole handle table.
    pub fds: u64,
    pub fd_count: u64,
    /// Rights the child gets, of those that the caller has.
    pub rights: u64,
    /// PROCESS_ flags.
    pub flags: u64,
    /// Process group to join: 0 the caller's, u64::MAX a new one of its own.
    pub pgid: u64,
}

/// The child has the null namespace.
pub const PROCESS_NULL_NAMESPACE: u64 = 1;
/// The child starts a session (setsid).
pub const PROCESS_NEW_SESSION: u64 = 2;
/// `fds` is not the whole table: every descriptor of the caller that is not close-on-exec is inherited first, then the pairs apply.
pub const PROCESS_INHERIT_FDS: u64 = 4;

/// `source` in the caller's table becomes `target` in the child's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FdPair {
    pub source: i32,
    pub target: i32,
}

/// Argument of THREAD_CREATE. The thread starts at `entry` with `arg` in rdi, `stack` in rsp.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ThreadArgs {
    pub entry: u64,
    pub stack: u64,
    pub arg: u64,
    /// FS base (the thread control block).
    pub tls: u64,
    /// u32 to write the tid to before the thread runs, or 0 (CLONE_PARENT_SETTID).
    pub set_tid: u64,
    /// u32 cleared and futex-woken at the thread's end, or 0 (CLONE_CHILD_CLEARTID).
    pub clear_tid: u64,
    /// Blocked signals at first.
    pub sigmask: u64,
}

/// EXIT: the process ended by the signal in the low bits (what a handler of rt passes for a default action).
pub const EXIT_SIGNAL: u64 = 1 << 32;
/// With [`EXIT_SIGNAL`]: the action would dump core.
pub const EXIT_CORE: u64 = 1 << 33;

/// WAIT: kinds, as waitid(2)'s idtype_t.
pub const P_ALL: u64 = 0;
pub const P_PID: u64 = 1;
pub const P_PGID: u64 = 2;
pub const P_PIDFD: u64 = 3;
/// WAIT: options, as waitid(2)'s.
pub const WNOHANG: u64 = 1;
pub const WSTOPPED: u64 = 2;
pub const WEXITED: u64 = 4;
pub const WCONTINUED: u64 = 8;
pub const WNOWAIT: u64 = 0x0100_0000;

/// What WAIT found.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct WaitResult {
    pub pid: u32,
    pub uid: u32,
    /// CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED.
    pub code: i32,
    /// Exit status or signal.
    pub status: i32,
    pub usage: Usage,
}

/// Resources used; times in ns.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Usage {
    pub user_ns: u64,
    pub system_ns: u64,
    pub max_resident_pages: u64,
    pub faults: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
}

/// What GROUP_INFO tells of a process group.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct GroupInfo {
    /// The session that it belongs to.
    pub sid: u32,
    /// 1: no member's parent is in another group of the session (POSIX, XBD 3.270).
    pub orphaned: u32,
}

/// User and group ids. The kernel hands them to servers and compares uids for signals; their meaning is procd's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Credentials {
    pub ruid: u32,
    pub euid: u32,
    pub suid: u32,
    pub rgid: u32,
    pub egid: u32,
    pub sgid: u32,
}

/// May register schemes.
pub const RIGHT_SCHEME: u64 = 1;
/// May have device memory, ports, interrupts and physical addresses.
pub const RIGHT_DEVICE: u64 = 2;
/// May add prefixes to its namespace.
pub const RIGHT_NAMESPACE: u64 = 4;
/// May turn the machine off.
pub const RIGHT_POWER: u64 = 8;
/// May signal and inspect any process.
pub const RIGHT_KILL: u64 = 16;
/// May set credentials.
pub const RIGHT_CREDENTIALS: u64 = 32;
/// May set the clock.
pub const RIGHT_TIME: u64 = 64;
/// May raise priorities and limits.
pub const RIGHT_PRIORITY: u64 = 128;
/// All of them: what the first process has.
pub const RIGHTS_ALL: u64 = 255;

/// Argument of SIGNAL_TIMER_CREATE.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TimerArgs {
    /// The signal to send, 0 for none.
    pub signal: u32,
    /// The thread of this process that gets it, 0: the process.
    pub tid: u32,
    /// What comes with the signal.
    pub value: u64,
    /// Not 0: the timer's id comes instead.
    pub value_is_id: u64,
}

/// ATTRIBUTE: nice value plus 20 (0 to 39); one below the present one needs RIGHT_PRIORITY.
pub const PROCESS_ATTRIBUTE_NICE: u64 = 0;
/// ATTRIBUTE: the signal sent to this process when its parent ends, 0 for none (PR_SET_PDEATHSIG).
pub const PROCESS_ATTRIBUTE_DEATH_SIGNAL: u64 = 1;
/// ATTRIBUTE: 1: orphans below it become its children (PR_SET_CHILD_SUBREAPER).
pub const PROCESS_ATTRIBUTE_SUBREAPER: u64 = 2;
/// ATTRIBUTE: what PR_SET_DUMPABLE sets.
pub const PROCESS_ATTRIBUTE_DUMPABLE: u64 = 3;
/// ATTRIBUTE: PR_SET_NO_NEW_PRIVS; never back to 0.
pub const PROCESS_ATTRIBUTE_NO_NEW_PRIVILEGES: u64 = 4;

/// ATTRIBUTE, to be read only: the CPU that the caller runs on at this moment.
pub const PROCESS_ATTRIBUTE_CPU: u64 = 5;

/// Supplementary groups of one process at the most (Linux: NGROUPS_MAX).
pub const GROUPS_MAX: usize = 65_536;

/// Resources of LIMIT: Linux's numbers, and Ochre's own from 32 on.
pub const RLIMIT_CPU: u64 = 0;
pub const RLIMIT_FSIZE: u64 = 1;
pub const RLIMIT_DATA: u64 = 2;
pub const RLIMIT_STACK: u64 = 3;
pub const RLIMIT_CORE: u64 = 4;
pub const RLIMIT_NPROC: u64 = 6;
pub const RLIMIT_NOFILE: u64 = 7;
pub const RLIMIT_AS: u64 = 9;
/// Physical pages a process has brought in for itself, in bytes.
pub const RLIMIT_RESIDENT: u64 = 32;
/// Threads of a process.
pub const RLIMIT_THREADS: u64 = 33;
/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

/// struct rlimit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rlimit {
    pub current: u64,
    pub max: u64,
}
