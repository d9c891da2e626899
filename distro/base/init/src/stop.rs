//! The end of the machine's run: what runs is told to end, files are written, and the power goes.

use crate::service::{Service, State};
use init::ending::Ending;
use init::family::Family;
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_SYNC;
use ochre_scheme::abi::event::{EPOLLIN, PollFd};
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDONLY};
use ochre_scheme::abi::signal::{SIGCONT, SIGHUP, SIGKILL, SIGTERM};
use ochre_scheme::abi::syscall::{POWER_OFF, POWER_REBOOT};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{fs, process};

/// How long programs may take to end.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the root file system's server may take.
const ROOT_PATIENCE: Duration = Duration::from_secs(20);
/// How long a killed process may take.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// Stops all but the servers that the root file system's own server needs, in the reverse order of their start; writes what is to be
/// written; stops that server; and ends the machine's run.
pub fn end(ending: Ending, services: &[Service], root: &str, command: Option<u32>) -> ! {
    eprintln!("init: {}: stopping", ending.word());
    let family = Family::of(&fs::read_to_string("/scheme/sys/process").unwrap_or_default());
    // Processes whose parents have ended are the first process's children, as init is; they go first, with the command of `xtask exec`.
    let orphans = family.children(1).filter(|pid| *pid != process::id());
    let loose: BTreeSet<u32> = orphans.chain(command).flat_map(|pid| family.with_descendants(pid)).collect();
    stop(&loose, PATIENCE);
    let root_scheme = root.split('/').next().unwrap_or_default();
    let is_root = |service: &&Service| service.schemes.iter().any(|scheme| scheme == root_scheme);
    // Servers in the initial file system have nothing to lose, and others need them to the end.
    let stays = |service: &&Service| service.world.is_initial() && !service.schemes.is_empty();
    for service in services.iter().rev().filter(|service| !stays(service)) {
        stop_service(service, &family, PATIENCE);
    }
    sync(root);
    if let Some(service) = services.iter().find(is_root) {
        stop_service(service, &family, ROOT_PATIENCE);
    }
    eprintln!("init: {}", ending.word());
    let result = match ending {
        Ending::PowerOff => syscall::power(POWER_OFF, 0),
        Ending::Reboot => syscall::power(POWER_REBOOT, 0),
        Ending::Halt => Ok(()),
    };
    if let Err(error) = result {
        eprintln!("init: {}: {error}", ending.word());
    }
    loop {
        std::thread::park();
    }
}

fn stop_service(service: &Service, family: &Family, patience: Duration) {
    let State::Running { process, .. } = &service.state else { return };
    eprintln!("init: stopping {}", service.argv[0]);
    if !stop(&family.with_descendants(process.pid), patience) {
        eprintln!("init: {} did not end in time", service.argv[0]);
    }
}

/// Has processes end, by force if they take too long. False: by force.
fn stop(pids: &BTreeSet<u32>, patience: Duration) -> bool {
    let ends: Vec<(u32, OwnedFd)> =
        pids.iter().filter_map(|pid| Some((*pid, OwnedFd::new(syscall::pidfd_open(*pid as i32, 0).ok()?)))).collect();
    let all = |signal| {
        for (pid, _) in &ends {
            // Who has ended meanwhile needs no signal.
            let _ = syscall::kill(*pid as i32, signal);
        }
    };
    // A shell at a terminal ends by SIGHUP only; who is stopped has to go on to end.
    [SIGTERM, SIGHUP, SIGCONT].into_iter().for_each(all);
    if await_ends(&ends, patience) {
        return true;
    }
    all(SIGKILL);
    await_ends(&ends, KILL_PATIENCE);
    false
}

/// Waits until all have ended; false after `patience`.
fn await_ends(ends: &[(u32, OwnedFd)], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    ends.iter().all(|(_, end)| {
        let left = deadline.saturating_duration_since(Instant::now()).as_nanos() as u64;
        let mut fds = [PollFd { fd: end.get(), events: EPOLLIN as u16, revents: 0 }];
        matches!(syscall::poll(&mut fds, left, None), Ok(1))
    })
}

/// Writes the root file system's changes to its medium.
fn sync(root: &str) {
    let path = format!("/scheme/{root}");
    let synced = syscall::openat(AT_FDCWD, path.as_bytes(), O_RDONLY | O_CLOEXEC, 0)
        .map(OwnedFd::new)
        .and_then(|root| Call::new(OP_SYNC, [0; 3]).send(root.get()));
    if let Err(error) = synced {
        eprintln!("init: sync: {error}");
    }
}
