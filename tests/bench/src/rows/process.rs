//! Making processes and threads, and switching between them.

use std::env;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use super::{Group, Row};
use crate::EXIT_AT_ONCE;
use crate::measure::{Figure, each};
use crate::peer::{Kind, pipes, round_trip};
use crate::sys;

pub const ROWS: &[Row] = &[
    Row {
        group: Group::Os,
        name: "context_switch",
        what: "two processes, a token in pipes, less the pipes",
        measure: switch,
    },
    Row { group: Group::Os, name: "thread_create_join", what: "std::thread: spawn and join", measure: thread },
    Row { group: Group::Os, name: "fork_exit", what: "fork, _exit in the child, wait", measure: fork_exit },
    Row { group: Group::Os, name: "fork_exec", what: "fork, exec of this program, wait", measure: fork_exec },
    Row { group: Group::Os, name: "fork_sh", what: "fork, exec of sh -c with this program, wait", measure: fork_sh },
    Row { group: Group::Os, name: "posix_spawn", what: "posix_spawn of this program, wait", measure: spawn },
];

/// Half a round trip, less what writing to and reading from a pipe costs without a switch (lmbench's lat_ctx).
fn switch(_: usize) -> io::Result<Figure> {
    let trip = round_trip(pipes(), Kind::Process, 0)?;
    let (reader, writer) = io::pipe()?;
    let pipe = each(|| {
        sys::write(writer.as_fd(), &[0; 8])?;
        sys::read(reader.as_fd(), &mut [0; 8]).map(drop)
    })?;
    Ok(Figure {
        value: (trip.value / 2.0 - pipe.value).max(0.0),
        unit: "ns",
        operations: trip.operations * 2 + pipe.operations,
    })
}

fn thread(_: usize) -> io::Result<Figure> {
    each(|| thread::Builder::new().spawn(|| ())?.join().map_err(|_| io::Error::other("the thread panicked")))
}

fn success(status: i32) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::other(format!("the child ended with status {status}"))) }
}

fn fork_exit(_: usize) -> io::Result<Figure> {
    each(|| success(sys::fork(|| 0)?.wait()?))
}

/// This program and the argument with which it ends at once.
fn myself() -> io::Result<[CString; 2]> {
    Ok([CString::new(env::current_exe()?.as_os_str().as_bytes())?, CString::new(EXIT_AT_ONCE)?])
}

fn fork_exec(_: usize) -> io::Result<Figure> {
    let command = sys::ArgList::new(myself()?.to_vec());
    each(|| success(sys::fork(|| sys::exec(&command))?.wait()?))
}

fn fork_sh(_: usize) -> io::Result<Figure> {
    const SHELL: &str = "/bin/sh";
    if !Path::new(SHELL).exists() {
        return Err(io::Error::other("there is no /bin/sh"));
    }
    let [program, argument] = myself()?;
    let script = [program.as_bytes(), b" ", argument.as_bytes()].concat();
    let command = sys::ArgList::new(vec![CString::new(SHELL)?, CString::new("-c")?, CString::new(script)?]);
    each(|| success(sys::fork(|| sys::exec(&command))?.wait()?))
}

fn spawn(_: usize) -> io::Result<Figure> {
    let command = sys::ArgList::new(myself()?.to_vec());
    each(|| success(sys::posix_spawn(&command)?.wait()?))
}
