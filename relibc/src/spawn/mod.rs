//! `spawn.h`: `posix_spawn` and its attributes.
//!
//! On Linux the child borrows this process's memory until it calls exec (like vfork), on a stack of its
//! own, so that nothing is copied however large the parent is ([`borrow`]). On Ochre the program is loaded
//! into a fresh address space, and no child runs before it does ([`native`]).

#[cfg(not(ochre_backend = "ochre"))]
mod borrow;
#[cfg(not(ochre_backend = "ochre"))]
use borrow as platform;
#[cfg(ochre_backend = "ochre")]
mod native;
#[cfg(ochre_backend = "ochre")]
use native as platform;

use crate::process::candidates;
use crate::{env, sys};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_short};
use core::ptr;
use libc::{mode_t, pid_t, posix_spawn_file_actions_t, posix_spawnattr_t, sched_param, sigset_t};

/// What is to be done with descriptors and the directory before exec.
enum Action {
    Open {
        fd: c_int,
        path: Vec<u8>,
        flags: c_int,
        mode: mode_t,
    },
    Close(c_int),
    Dup2 {
        old: c_int,
        new: c_int,
    },
    Chdir(Vec<u8>),
    Fchdir(c_int),
    CloseFrom(c_int),
    #[cfg_attr(ochre_backend = "ochre", allow(dead_code, reason = "refused there"))]
    TakeTerminal(c_int),
}

/// A `posix_spawn_file_actions_t` from inside: its first word holds the list.
#[repr(C)]
struct Actions {
    list: *mut Vec<Action>,
}

/// A `posix_spawnattr_t` from inside, as glibc lays it out.
#[repr(C)]
struct Attr {
    flags: c_short,
    group: pid_t,
    default: sigset_t,
    mask: sigset_t,
    param: sched_param,
    policy: c_int,
    cgroup: c_int,
}

const _: () = assert!(size_of::<Attr>() <= size_of::<posix_spawnattr_t>());

unsafe fn attr<'a>(at: *const posix_spawnattr_t) -> &'a Attr {
    &*at.cast::<Attr>()
}

unsafe fn attr_mut<'a>(at: *mut posix_spawnattr_t) -> &'a mut Attr {
    &mut *at.cast::<Attr>()
}

unsafe fn push(actions: *mut posix_spawn_file_actions_t, action: Action) -> c_int {
    let list = &mut *(*actions.cast::<Actions>()).list;
    if list.try_reserve(1).is_err() {
        return libc::ENOMEM;
    }
    list.push(action);
    0
}

unsafe fn owned(path: *const c_char) -> Vec<u8> {
    CStr::from_ptr(path).to_bytes_with_nul().to_vec()
}

/// What the child needs.
struct Job<'a> {
    paths: &'a [Vec<u8>],
    argv: *const *const c_char,
    envp: *const *const c_char,
    attr: Option<&'a Attr>,
    actions: &'a [Action],
    /// The caller's mask, which the child gets unless the attributes have one.
    mask: u64,
}

unsafe fn spawn(
    out: *mut pid_t,
    paths: &[Vec<u8>],
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    if paths.is_empty() {
        return libc::ENOENT;
    }
    let empty: &[Action] = &[];
    let mut job = Job {
        paths,
        argv,
        envp: if envp.is_null() { env::current().cast_const().cast() } else { envp },
        attr: if attributes.is_null() { None } else { Some(attr(attributes)) },
        actions: if actions.is_null() { empty } else { &*(*actions.cast::<Actions>()).list },
        mask: 0,
    };
    // No handler of ours is to run in the child.
    let all = u64::MAX;
    sys::rt_sigprocmask(libc::SIG_BLOCK, &all, &mut job.mask, 8);
    let started = platform::launch(&job);
    sys::rt_sigprocmask(libc::SIG_SETMASK, &job.mask, ptr::null_mut(), 8);
    match started {
        Ok(pid) => {
            if !out.is_null() {
                *out = pid;
            }
            0
        }
        Err(errno) => errno,
    }
}

c_api! {
    /// posix_spawn(3).
    fn posix_spawn(
        pid: *mut pid_t, path: *const c_char, actions: *const posix_spawn_file_actions_t,
        attr: *const posix_spawnattr_t, argv: *const *const c_char, envp: *const *const c_char,
    ) -> c_int {
        spawn(pid, &[owned(path)], actions, attr, argv, envp)
    }

    /// posix_spawnp(3).
    fn posix_spawnp(
        pid: *mut pid_t, file: *const c_char, actions: *const posix_spawn_file_actions_t,
        attr: *const posix_spawnattr_t, argv: *const *const c_char, envp: *const *const c_char,
    ) -> c_int {
        spawn(pid, &candidates(file), actions, attr, argv, envp)
    }

    /// posix_spawn_file_actions_init(3).
    fn posix_spawn_file_actions_init(actions: *mut posix_spawn_file_actions_t) -> c_int {
        actions.write_bytes(0, 1);
        (*actions.cast::<Actions>()).list = Box::into_raw(Box::new(Vec::new()));
        0
    }

    /// posix_spawn_file_actions_destroy(3).
    fn posix_spawn_file_actions_destroy(actions: *mut posix_spawn_file_actions_t) -> c_int {
        let list = core::mem::replace(&mut (*actions.cast::<Actions>()).list, ptr::null_mut());
        if !list.is_null() {
            drop(Box::from_raw(list));
        }
        0
    }

    /// posix_spawn_file_actions_addopen(3).
    fn posix_spawn_file_actions_addopen(
        actions: *mut posix_spawn_file_actions_t, fd: c_int, path: *const c_char, flags: c_int, mode: mode_t,
    ) -> c_int {
        if fd < 0 { return libc::EBADF; }
        push(actions, Action::Open { fd, path: owned(path), flags, mode })
    }

    /// posix_spawn_file_actions_addclose(3).
    fn posix_spawn_file_actions_addclose(actions: *mut posix_spawn_file_actions_t, fd: c_int) -> c_int {
        if fd < 0 { return libc::EBADF; }
        push(actions, Action::Close(fd))
    }

    /// posix_spawn_file_actions_adddup2(3).
    fn posix_spawn_file_actions_adddup2(actions: *mut posix_spawn_file_actions_t, old: c_int, new: c_int) -> c_int {
        if old < 0 || new < 0 { return libc::EBADF; }
        push(actions, Action::Dup2 { old, new })
    }

    /// posix_spawn_file_actions_addchdir_np(3).
    fn posix_spawn_file_actions_addchdir_np(actions: *mut posix_spawn_file_actions_t, path: *const c_char) -> c_int {
        push(actions, Action::Chdir(owned(path)))
    }

    /// posix_spawn_file_actions_addfchdir_np(3).
    fn posix_spawn_file_actions_addfchdir_np(actions: *mut posix_spawn_file_actions_t, fd: c_int) -> c_int {
        if fd < 0 { return libc::EBADF; }
        push(actions, Action::Fchdir(fd))
    }

    /// posix_spawn_file_actions_addclosefrom_np(3).
    fn posix_spawn_file_actions_addclosefrom_np(actions: *mut posix_spawn_file_actions_t, fd: c_int) -> c_int {
        if fd < 0 { return libc::EBADF; }
        push(actions, Action::CloseFrom(fd))
    }

    /// posix_spawn_file_actions_addtcsetpgrp_np(3).
    fn posix_spawn_file_actions_addtcsetpgrp_np(actions: *mut posix_spawn_file_actions_t, fd: c_int) -> c_int {
        if fd < 0 { return libc::EBADF; }
        push(actions, Action::TakeTerminal(fd))
    }

    /// posix_spawnattr_init(3).
    fn posix_spawnattr_init(attr: *mut posix_spawnattr_t) -> c_int {
        attr.write_bytes(0, 1);
        0
    }

    /// posix_spawnattr_destroy(3).
    fn posix_spawnattr_destroy(_attr: *mut posix_spawnattr_t) -> c_int { 0 }

    /// posix_spawnattr_setflags(3).
    fn posix_spawnattr_setflags(to: *mut posix_spawnattr_t, flags: c_short) -> c_int {
        const KNOWN: c_short = 0x1ff;
        if flags & !KNOWN != 0 {
            return libc::EINVAL;
        }
        attr_mut(to).flags = flags;
        0
    }

    /// posix_spawnattr_getflags(3).
    fn posix_spawnattr_getflags(of: *const posix_spawnattr_t, out: *mut c_short) -> c_int {
        *out = attr(of).flags;
        0
    }

    /// posix_spawnattr_setpgroup(3).
    fn posix_spawnattr_setpgroup(to: *mut posix_spawnattr_t, group: pid_t) -> c_int {
        attr_mut(to).group = group;
        0
    }

    /// posix_spawnattr_getpgroup(3).
    fn posix_spawnattr_getpgroup(of: *const posix_spawnattr_t, out: *mut pid_t) -> c_int {
        *out = attr(of).group;
        0
    }

    /// posix_spawnattr_setsigdefault(3).
    fn posix_spawnattr_setsigdefault(to: *mut posix_spawnattr_t, set: *const sigset_t) -> c_int {
        attr_mut(to).default = *set;
        0
    }

    /// posix_spawnattr_getsigdefault(3).
    fn posix_spawnattr_getsigdefault(of: *const posix_spawnattr_t, out: *mut sigset_t) -> c_int {
        *out = attr(of).default;
        0
    }

    /// posix_spawnattr_setsigmask(3).
    fn posix_spawnattr_setsigmask(to: *mut posix_spawnattr_t, set: *const sigset_t) -> c_int {
        attr_mut(to).mask = *set;
        0
    }

    /// posix_spawnattr_getsigmask(3).
    fn posix_spawnattr_getsigmask(of: *const posix_spawnattr_t, out: *mut sigset_t) -> c_int {
        *out = attr(of).mask;
        0
    }

    /// posix_spawnattr_setschedpolicy(3).
    fn posix_spawnattr_setschedpolicy(to: *mut posix_spawnattr_t, policy: c_int) -> c_int {
        if !matches!(policy, libc::SCHED_OTHER | libc::SCHED_FIFO | libc::SCHED_RR) {
            return libc::EINVAL;
        }
        attr_mut(to).policy = policy;
        0
    }

    /// posix_spawnattr_setschedparam(3).
    fn posix_spawnattr_setschedparam(to: *mut posix_spawnattr_t, param: *const sched_param) -> c_int {
        attr_mut(to).param = *param;
        0
    }
}
