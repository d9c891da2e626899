//! System V shared memory, semaphores and messages: `sys/ipc.h`. sysvipc(7).

use crate::errno;
use crate::sys;
use core::ffi::{c_char, c_int, c_long, c_void};
use libc::{key_t, msqid_ds, sembuf, shmid_ds, size_t, ssize_t, timespec};

thin! {
    fn shmget(key: key_t, size: size_t, flags: c_int) -> c_int = SYS_shmget;
    fn shmat(id: c_int, at: *const c_void, flags: c_int) -> *mut c_void = SYS_shmat;
    fn shmdt(at: *const c_void) -> c_int = SYS_shmdt;
    fn shmctl(id: c_int, command: c_int, data: *mut shmid_ds) -> c_int = SYS_shmctl;
    fn semget(key: key_t, count: c_int, flags: c_int) -> c_int = SYS_semget;
    fn semop(id: c_int, operations: *mut sembuf, count: size_t) -> c_int = SYS_semop;
    fn semtimedop(id: c_int, operations: *mut sembuf, count: size_t, timeout: *const timespec) -> c_int = SYS_semtimedop;
    /// The fourth argument, a union that variadic callers pass or leave out, is a word here.
    fn semctl(id: c_int, number: c_int, command: c_int, argument: usize) -> c_int = SYS_semctl;
    fn msgget(key: key_t, flags: c_int) -> c_int = SYS_msgget;
    fn msgsnd(id: c_int, message: *const c_void, len: size_t, flags: c_int) -> c_int = SYS_msgsnd;
    fn msgrcv(id: c_int, message: *mut c_void, room: size_t, kind: c_long, flags: c_int) -> ssize_t = SYS_msgrcv;
    fn msgctl(id: c_int, command: c_int, data: *mut msqid_ds) -> c_int = SYS_msgctl;
}

c_api! {
    /// ftok(3): a key from a file's number, its device and a byte.
    fn ftok(path: *const c_char, id: c_int) -> key_t {
        let mut found: libc::stat = core::mem::zeroed();
        let raw = sys::newfstatat(libc::AT_FDCWD, path, &mut found, 0);
        if raw < 0 {
            return errno::int(raw);
        }
        (found.st_ino & 0xffff) as key_t | ((found.st_dev & 0xff) << 16) as key_t | (id & 0xff) << 24
    }
}
