//! Ids, groups, nice values, prctl(2), limits, and calls on other processes.

use runtime_tests::sys::{self, Ended, bit};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

checks!("attributes": groups, users, nice_values, mask_is_kept, death_signal, subreaper, promises, limits, by_pidfd, same_file, memory, name);

/// True if this user may not do what the superuser may: then there is nothing to check.
fn unprivileged() -> bool {
    sys::user() != 0
}

fn groups() -> Result {
    if unprivileged() {
        return Ok(());
    }
    sys::set_groups(&[30, 10, 20])?;
    let mut seen = sys::groups(64)?;
    seen.sort_unstable();
    same!(seen, [10, 20, 30]);
    same!(errno(sys::groups(2)), libc::EINVAL);
    let ended = sys::child(|| i32::from(sys::groups(64).map_or(0, |groups| groups.len()) != 3))?;
    same!(ended, Ended::Status(0));
    sys::as_user(1234, || {
        same!(sys::groups(64)?, Vec::<u32>::new());
        same!(errno(sys::set_groups(&[1])), libc::EPERM);
        Ok(())
    })
}

fn users() -> Result {
    if unprivileged() {
        return Ok(());
    }
    let ended = sys::child(|| {
        let run = || -> Result {
            // The effective id is put away for a while, and with it the privilege.
            sys::set_users(u32::MAX, 1000, u32::MAX)?;
            same!(sys::users(), [0, 1000, 0]);
            same!(errno(sys::set_groups(&[1])), libc::EPERM);
            same!(errno(sys::kill(1, 0)), 0);
            sys::set_users(u32::MAX, 0, u32::MAX)?;
            sys::set_user_pair(1000, 2000)?;
            same!(sys::users(), [1000, 2000, 2000]);
            sys::set_user_pair(2000, 1000)?;
            same!(sys::users(), [2000, 1000, 1000]);
            same!(errno(sys::set_users(0, 0, 0)), libc::EPERM);
            same!(errno(sys::set_user_pair(0, u32::MAX)), libc::EPERM);
            same!(errno(sys::kill(1, 0)), libc::EPERM);
            Ok(())
        };
        run().map_or_else(
            |why| {
                println!("{}", why.0);
                1
            },
            |()| 0,
        )
    })?;
    same!(ended, Ended::Status(0));
    Ok(())
}

fn nice_values() -> Result {
    same!(sys::nice(0)?, 0);
    sys::set_nice(0, 5)?;
    same!(sys::nice(0)?, 5);
    ensure!(std::fs::read_to_string("/proc/self/stat")?.contains(" 25 5 "));
    same!(sys::child(|| i32::from(sys::nice(0).unwrap_or(0) != 5))?, Ended::Status(0));
    sys::set_nice(0, 100)?;
    same!(sys::nice(0)?, 19);
    same!(errno(sys::nice(i32::MAX as u32)), libc::ESRCH);
    if unprivileged() {
        return Ok(());
    }
    sys::set_nice(0, -3)?;
    same!(sys::nice(0)?, -3);
    sys::as_user(1234, || {
        same!(errno(sys::set_nice(0, -4)), libc::EACCES);
        same!(errno(sys::set_nice(1, 1)), libc::EPERM);
        Ok(())
    })
}

/// umask(2): children and the programs they become keep it.
fn mask_is_kept() -> Result {
    sys::exchange_umask(0o027);
    ensure!(std::fs::read_to_string("/proc/self/status")?.contains("\nUmask:\t0027\n"));
    let forked = sys::child(|| i32::from(sys::exchange_umask(0) != 0o027))?;
    same!(forked, Ended::Status(0));
    let program = std::env::current_exe()?;
    let spawned = Command::new(&program).arg("--umask").output()?;
    same!(String::from_utf8_lossy(&spawned.stdout), "27\n");
    same!(sys::exchange_umask(0o777), 0o027);
    Ok(())
}

/// PR_SET_PDEATHSIG: a grandchild hears that its parent ended.
fn death_signal() -> Result {
    let (mut reader, mut writer) = std::io::pipe()?;
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    let child = sys::fork(|| {
        let _ = sys::fork(|| {
            let set = sys::mask(bit(libc::SIGUSR1)).is_ok()
                && sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGUSR1 as usize).is_ok();
            let _ = writer.write_all(b"r");
            let told = sys::wait_for(bit(libc::SIGUSR1), Duration::from_secs(20));
            i32::from(!set || told.is_err())
        });
        let _ = reader.read_exact(&mut [0]);
        0
    })?;
    same!(sys::wait(child, 0)?, Ended::Status(0));
    // The grandchild is this process's child now.
    same!(sys::wait(-1, 0)?, Ended::Status(0));
    Ok(())
}

fn subreaper() -> Result {
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    let own = std::process::id();
    let (mut reader, mut writer) = std::io::pipe()?;
    let child = sys::fork(|| {
        let _ = sys::fork(|| {
            let mut buffer = [0];
            let _ = reader.read_exact(&mut buffer);
            i32::from(std::os::unix::process::parent_id() != own)
        });
        0
    })?;
    same!(sys::wait(child, 0)?, Ended::Status(0));
    writer.write_all(b"x")?;
    same!(sys::wait(-1, 0)?, Ended::Status(0));
    same!(errno(sys::wait(-1, 0)), libc::ECHILD);
    Ok(())
}

fn promises() -> Result {
    same!(sys::prctl(libc::PR_GET_DUMPABLE, 0)?, 1);
    sys::prctl(libc::PR_SET_DUMPABLE, 0)?;
    same!(sys::prctl(libc::PR_GET_DUMPABLE, 0)?, 0);
    same!(errno(sys::prctl(libc::PR_SET_DUMPABLE, 7)), libc::EINVAL);
    same!(sys::prctl(libc::PR_GET_NO_NEW_PRIVS, 0)?, 0);
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    same!(sys::prctl(libc::PR_GET_NO_NEW_PRIVS, 0)?, 1);
    same!(errno(sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 0)), libc::EINVAL);
    same!(sys::child(|| i32::from(sys::prctl(libc::PR_GET_NO_NEW_PRIVS, 0).unwrap_or(0) != 1))?, Ended::Status(0));
    same!(errno(sys::prctl(libc::PR_SET_PDEATHSIG, 65)), libc::EINVAL);
    same!(errno(sys::prctl(12345, 0)), libc::EINVAL);
    Ok(())
}

fn limits() -> Result {
    let (_, hard) = sys::limit(0, libc::RLIMIT_NOFILE, None)?;
    sys::limit(0, libc::RLIMIT_NOFILE, Some((50, hard)))?;
    same!(sys::limit(std::process::id() as i32, libc::RLIMIT_NOFILE, None)?, (50, hard));
    let files: Vec<_> = (0..60).map_while(|_| File::open("/").ok()).collect();
    ensure!(files.len() < 50);
    same!(errno(File::open("/")), libc::EMFILE);
    drop(files);
    same!(errno(sys::limit(0, libc::RLIMIT_NOFILE, Some((60, 50)))), libc::EINVAL);
    same!(errno(sys::limit(0, 99, None)), libc::EINVAL);
    same!(errno(sys::limit(i32::MAX, libc::RLIMIT_NOFILE, None)), libc::ESRCH);
    if unprivileged() {
        return Ok(());
    }
    // Another process's.
    let (mut reader, mut writer) = std::io::pipe()?;
    let child = sys::fork(|| {
        let _ = reader.read_exact(&mut [0]);
        i32::from(sys::limit(0, libc::RLIMIT_CORE, None).ok() != Some((1, 2)))
    })?;
    sys::limit(child, libc::RLIMIT_CORE, Some((1, 2)))?;
    sys::as_user(1234, || {
        same!(errno(sys::limit(child, libc::RLIMIT_CORE, None)), libc::EPERM);
        same!(errno(sys::limit(0, libc::RLIMIT_NOFILE, Some((1, hard + 1)))), libc::EPERM);
        sys::limit(0, libc::RLIMIT_NPROC, Some((0, 0)))?;
        same!(errno(sys::fork(|| 0)), libc::EAGAIN);
        Ok(())
    })?;
    writer.write_all(b"x")?;
    same!(sys::wait(child, 0)?, Ended::Status(0));
    Ok(())
}

fn by_pidfd() -> Result {
    let (mut reader, mut writer) = std::io::pipe()?;
    let child = sys::fork(|| {
        let _ = reader.read_to_end(&mut Vec::new());
        0
    })?;
    let pidfd = sys::pidfd(child)?;
    let mut theirs = sys::pidfd_file(&pidfd, writer.as_raw_fd())?;
    same!(errno(sys::pidfd_file(&pidfd, 999)), libc::EBADF);
    theirs.write_all(b"x")?;
    writer.flush()?;
    same!(errno(sys::pidfd_signal(&pidfd, 0)), 0);
    same!(errno(sys::pidfd_signal(&pidfd, 65)), libc::EINVAL);
    sys::pidfd_signal(&pidfd, libc::SIGTERM)?;
    same!(sys::wait(child, 0)?, Ended::Signal(libc::SIGTERM));
    same!(errno(sys::pidfd_signal(&pidfd, 0)), libc::ESRCH);
    Ok(())
}

fn same_file() -> Result {
    let one = File::open("/")?;
    let copy = one.try_clone()?;
    let other = File::open("/")?;
    same!(sys::compare_files(one.as_raw_fd(), copy.as_raw_fd())?, 0);
    ensure!(sys::compare_files(one.as_raw_fd(), other.as_raw_fd())? != 0);
    same!(errno(sys::compare_files(one.as_raw_fd(), 999)), libc::EBADF);
    Ok(())
}

fn memory() -> Result {
    let mut block = vec![b'a'; 10_000];
    let (mut reader, writer) = std::io::pipe()?;
    let (mut told, mut tell) = std::io::pipe()?;
    let child = sys::fork(|| {
        block[5000..].fill(b'b');
        let _ = tell.write_all(b"x");
        let _ = reader.read_exact(&mut [0]);
        0
    })?;
    told.read_exact(&mut [0])?;
    let seen = sys::read_process(child, block.as_ptr() as usize, block.len())?;
    ensure!(seen[..5000].iter().all(|byte| *byte == b'a') && seen[5000..].iter().all(|byte| *byte == b'b'));
    same!(seen.len(), 10_000);
    same!(errno(sys::read_process(child, 4096, 8)), libc::EFAULT);
    same!(errno(sys::read_process(i32::MAX, 4096, 8)), libc::ESRCH);
    sys::kill(child, libc::SIGKILL)?;
    same!(sys::wait(child, 0)?, Ended::Signal(libc::SIGKILL));
    drop(writer);
    Ok(())
}

/// The machine's name, as uname(2) and /proc tell it.
fn name() -> Result {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    same!(sys::host_name()?, name.trim());
    Ok(())
}
