//! Round trips and bandwidths between processes and threads; all messages are 8 bytes.

use super::{Group, Row};
use crate::measure::each;
use crate::peer::{Kind, eventfds, futex_round_trip, other_cpu, pipes, round_trip, sockets, stream};
use crate::sys;

const fn ipc(
    name: &'static str,
    what: &'static str,
    measure: fn(usize) -> std::io::Result<crate::measure::Figure>,
) -> Row {
    Row { group: Group::Ipc, name, what, measure }
}

/// Bytes a round, for bandwidths.
const BULK: usize = 8 << 20;

pub const ROWS: &[Row] = &[
    ipc("null_syscall", "getppid()", |_| {
        each(|| {
            sys::getppid();
            Ok(())
        })
    }),
    ipc("pipe_round_trip", "two processes, two pipes", |_| round_trip(pipes(), Kind::Process, 0)),
    ipc("pipe_round_trip_threads", "two threads, two pipes", |_| round_trip(pipes(), Kind::Thread, 0)),
    ipc("pipe_round_trip_cross_cpu", "two processes on two CPUs, two pipes", |cpus| {
        round_trip(pipes(), Kind::Process, other_cpu(cpus)?)
    }),
    ipc("socketpair_round_trip", "two processes, AF_UNIX stream", |_| round_trip(sockets(), Kind::Process, 0)),
    ipc("socketpair_round_trip_threads", "two threads, AF_UNIX stream", |_| round_trip(sockets(), Kind::Thread, 0)),
    ipc("socketpair_round_trip_cross_cpu", "two processes on two CPUs, AF_UNIX stream", |cpus| {
        round_trip(sockets(), Kind::Process, other_cpu(cpus)?)
    }),
    ipc("eventfd_round_trip", "two processes, two eventfds", |_| round_trip(eventfds(), Kind::Process, 0)),
    ipc("eventfd_round_trip_threads", "two threads, two eventfds", |_| round_trip(eventfds(), Kind::Thread, 0)),
    ipc("eventfd_round_trip_cross_cpu", "two processes on two CPUs, two eventfds", |cpus| {
        round_trip(eventfds(), Kind::Process, other_cpu(cpus)?)
    }),
    ipc("futex_round_trip", "two processes, a word of shared memory", |_| futex_round_trip(Kind::Process, 0)),
    ipc("futex_round_trip_threads", "two threads, private futex", |_| futex_round_trip(Kind::Thread, 0)),
    ipc("futex_round_trip_cross_cpu", "two processes on two CPUs, a word of shared memory", |cpus| {
        futex_round_trip(Kind::Process, other_cpu(cpus)?)
    }),
    ipc("pipe_bandwidth", "a process writes 64 KiB pieces to another", |_| stream(pipes(), BULK)),
    ipc("unix_bandwidth", "a process writes 64 KiB pieces to another", |_| stream(sockets(), BULK)),
];
