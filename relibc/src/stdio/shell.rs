//! Commands: `system`, `popen`, `pclose`.

use super::api::{add, fclose};
use super::file::{File, NO_READS, NO_WRITES};
use crate::{env, errno, process, signal, spawn, sys};
use core::ffi::{c_char, c_int};
use core::mem::zeroed;
use core::ptr;
use libc::pid_t;

/// Starts the shell on a command; its id or the error number.
unsafe fn start(
    command: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attr: *const libc::posix_spawnattr_t,
) -> Result<pid_t, c_int> {
    let argv = [c"sh".as_ptr(), c"-c".as_ptr(), command, ptr::null()];
    let mut pid = 0;
    let shell = c"/bin/sh".as_ptr();
    match spawn::posix_spawn(&mut pid, shell, actions, attr, argv.as_ptr().cast(), env::current().cast()) {
        0 => Ok(pid),
        errno => Err(errno),
    }
}

unsafe fn wait(pid: pid_t) -> c_int {
    let mut status = 0;
    loop {
        if process::waitpid(pid, &mut status, 0) >= 0 {
            return status;
        }
        if errno::get() != libc::EINTR {
            return -1;
        }
    }
}

c_api! {
    /// system(3).
    fn system(command: *const c_char) -> c_int {
        if command.is_null() {
            return (sys::faccessat(libc::AT_FDCWD, c"/bin/sh".as_ptr(), libc::X_OK) == 0) as c_int;
        }
        let mut ignore: libc::sigaction = zeroed();
        ignore.sa_sigaction = libc::SIG_IGN;
        let (mut int, mut quit): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        let (mut child, mut mask, mut default): (libc::sigset_t, libc::sigset_t, libc::sigset_t) = (zeroed(), zeroed(), zeroed());
        signal::sigaction(libc::SIGINT, &ignore, &mut int);
        signal::sigaction(libc::SIGQUIT, &ignore, &mut quit);
        signal::sigaddset(&mut child, libc::SIGCHLD);
        signal::sigprocmask(libc::SIG_BLOCK, &child, &mut mask);
        if int.sa_sigaction != libc::SIG_IGN {
            signal::sigaddset(&mut default, libc::SIGINT);
        }
        if quit.sa_sigaction != libc::SIG_IGN {
            signal::sigaddset(&mut default, libc::SIGQUIT);
        }
        let mut attr: libc::posix_spawnattr_t = zeroed();
        spawn::posix_spawnattr_init(&mut attr);
        spawn::posix_spawnattr_setsigdefault(&mut attr, &default);
        spawn::posix_spawnattr_setsigmask(&mut attr, &mask);
        spawn::posix_spawnattr_setflags(&mut attr, (libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK) as i16);
        // As if the shell exited with 127.
        let status = start(command, ptr::null(), &attr).map_or(127 << 8, |pid| wait(pid));
        signal::sigaction(libc::SIGINT, &int, ptr::null_mut());
        signal::sigaction(libc::SIGQUIT, &quit, ptr::null_mut());
        signal::sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut());
        status
    }

    /// popen(3). No other child inherits the stream, whether the mode says `e` or not.
    fn popen(command: *const c_char, mode: *const c_char) -> *mut File {
        let read = match *mode as u8 {
            b'r' => true,
            b'w' => false,
            _ => {
                errno::set(libc::EINVAL);
                return ptr::null_mut();
            }
        };
        let mut fds = [0; 2];
        if errno::int(sys::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC)) < 0 {
            return ptr::null_mut();
        }
        let (own, others) = if read { (fds[0], fds[1]) } else { (fds[1], fds[0]) };
        let mut actions: libc::posix_spawn_file_actions_t = zeroed();
        spawn::posix_spawn_file_actions_init(&mut actions);
        spawn::posix_spawn_file_actions_adddup2(&mut actions, others, if read { 1 } else { 0 });
        let started = start(command, &actions, ptr::null());
        spawn::posix_spawn_file_actions_destroy(&mut actions);
        sys::close(others);
        match started {
            Ok(pid) => {
                let file = add(own, if read { NO_WRITES } else { NO_READS });
                (*file).pid = pid;
                file
            }
            Err(errno) => {
                sys::close(own);
                errno::set(errno);
                ptr::null_mut()
            }
        }
    }

    /// pclose(3).
    fn pclose(file: *mut File) -> c_int {
        let pid = (*file).pid;
        fclose(file);
        wait(pid)
    }
}
