//! Processes: exec, wait. unistd.h, sys/wait.h.

use crate::errno::{self, int};
use crate::pthread::cancel::point;
use crate::{env, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{id_t, idtype_t, pid_t, rusage, siginfo_t};

/// PATH when the environment has none. execvp(3).
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The paths that a program name may mean, each ending in NUL: the name itself if it has a slash,
/// otherwise one per directory of PATH.
///
/// # Safety
/// `file` ends in NUL.
pub unsafe fn candidates(file: *const c_char) -> Vec<Vec<u8>> {
    let name = string::bytes(file);
    let with_nul = |dir: &[u8]| {
        let mut path = Vec::with_capacity(dir.len() + name.len() + 2);
        path.extend_from_slice(dir);
        if !dir.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path.push(0);
        path
    };
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains(&b'/') {
        return Vec::from([with_nul(b"")]);
    }
    let path = env::getenv(c"PATH".as_ptr());
    let path = if path.is_null() { DEFAULT_PATH } else { string::bytes(path) };
    path.split(|&byte| byte == b':').map(with_nul).collect()
}

/// Tries to execute each path until one works; returns the errno that tells most. Allocates nothing, so
/// that it may run between fork and exec.
///
/// # Safety
/// As execve(2).
pub unsafe fn try_each(paths: &[Vec<u8>], argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    let mut worst = libc::ENOENT;
    for path in paths {
        let raw = sys::execve(path.as_ptr().cast(), argv, envp);
        match -raw as c_int {
            libc::EACCES => worst = libc::EACCES,
            libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
            other => return other,
        }
    }
    worst
}

c_api! {
    /// execve(2).
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
        int(sys::execve(path, argv, envp))
    }

    /// execv(3).
    fn execv(path: *const c_char, argv: *const *const c_char) -> c_int {
        execve(path, argv, env::current().cast())
    }

    /// execvp(3).
    fn execvp(file: *const c_char, argv: *const *const c_char) -> c_int {
        execvpe(file, argv, env::current().cast())
    }

    /// execvpe(3). A file that is no program is given to the shell.
    fn execvpe(file: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
        let paths = candidates(file);
        let errno = try_each(&paths, argv, envp);
        if errno != libc::ENOEXEC {
            return errno::fail(errno);
        }
        for path in &paths {
            let mut shell: Vec<*const c_char> = Vec::from([c"/bin/sh".as_ptr(), path.as_ptr().cast()]);
            let mut at = if (*argv).is_null() { argv } else { argv.add(1) };
            loop {
                shell.push(*at);
                if (*at).is_null() {
                    break;
                }
                at = at.add(1);
            }
            sys::execve(c"/bin/sh".as_ptr(), shell.as_ptr(), envp);
        }
        errno::fail(libc::ENOEXEC)
    }

    /// wait(2).
    fn wait(status: *mut c_int) -> pid_t { wait4(-1, status, 0, ptr::null_mut()) }

    /// waitpid(2).
    fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t { wait4(pid, status, options, ptr::null_mut()) }

    /// wait3(2).
    fn wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t { wait4(-1, status, options, usage) }

    /// wait4(2).
    fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t {
        int(point(|| sys::wait4(pid, status, options, usage)))
    }

    /// waitid(2).
    fn waitid(kind: idtype_t, id: id_t, info: *mut siginfo_t, options: c_int) -> c_int {
        int(point(|| sys::waitid(kind as c_int, id as c_uint, info, options, ptr::null_mut())))
    }
}

/// Defines an `exec` that takes its arguments one by one. The argument registers behind the first, pushed over the
/// arguments on the stack, make them one array, as the function called wants it: no copy, so that it may run after vfork.
macro_rules! exec_list {
    ($( $(#[$meta:meta])* fn $name:ident => $to:ident; )*) => {
        $(
            $(#[$meta])*
            #[unsafe(naked)]
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            pub unsafe extern "C" fn $name(path: *const c_char, argument: *const c_char) -> c_int {
                core::arch::naked_asm!(
                    "pop rax",
                    "push r9",
                    "push r8",
                    "push rcx",
                    "push rdx",
                    "push rsi",
                    "mov rsi, rsp",
                    "push rax",
                    "call {to}",
                    "pop rcx",
                    "add rsp, 40",
                    "push rcx",
                    "ret",
                    to = sym $to,
                )
            }
        )*
    };
}

exec_list! {
    /// execl(3): the further arguments end with a null pointer.
    fn execl => execv;
    /// execlp(3): the further arguments end with a null pointer.
    fn execlp => execvp;
    /// execle(3): behind the null pointer stands the environment.
    fn execle => exec_with_environment;
}

/// execve with the environment behind the arguments' null.
unsafe extern "C" fn exec_with_environment(path: *const c_char, argv: *const *const c_char) -> c_int {
    let mut end = argv;
    while !(*end).is_null() {
        end = end.add(1);
    }
    execve(path, argv, (*end.add(1)).cast())
}

c_alias! {
    fn vfork = crate::pthread::atfork::fork[] -> pid_t;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_arguments_becomes_an_array() {
        type List = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;
        // SAFETY: variadic callers pass integers and pointers as others do; execl reads up to the null. The child only
        // calls exec and _exit.
        unsafe {
            let list: List = core::mem::transmute(execl as *const ());
            let pid = libc::fork();
            if pid == 0 {
                let null = ptr::null::<c_char>();
                list(
                    c"/bin/sh".as_ptr(),
                    c"sh".as_ptr(),
                    c"-c".as_ptr(),
                    c"test $# = 6 && exit $((${6}+1))".as_ptr(),
                    c"0".as_ptr(),
                    c"1".as_ptr(),
                    c"2".as_ptr(),
                    c"3".as_ptr(),
                    c"4".as_ptr(),
                    c"5".as_ptr(),
                    c"41".as_ptr(),
                    null,
                );
                libc::_exit(1);
            }
            let mut status = 0;
            assert!(libc::waitpid(pid, &mut status, 0) > 0);
            assert_eq!(status, 42 << 8);
        }
    }
}
