//! POSIX message queues: `mqueue.h`. mq_overview(7).

use crate::errno::{self, int, long};
use crate::sys;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{mode_t, mq_attr, mqd_t, size_t, ssize_t, timespec};

c_api! {
    /// mq_open(3). Variadic in C: mode and attributes matter with O_CREAT only.
    fn mq_open(name: *const c_char, flags: c_int, mode: mode_t, attributes: *mut mq_attr) -> mqd_t {
        if *name != b'/' as c_char {
            return errno::fail(libc::EINVAL);
        }
        let (mode, attributes) = if flags & libc::O_CREAT != 0 { (mode, attributes) } else { (0, ptr::null_mut()) };
        let args = [name.add(1).expose_provenance(), flags as usize, mode as usize, attributes.expose_provenance(), 0, 0];
        int(sys::call(libc::SYS_mq_open, args))
    }

    /// mq_close(3).
    fn mq_close(queue: mqd_t) -> c_int { int(sys::close(queue)) }

    /// mq_unlink(3).
    fn mq_unlink(name: *const c_char) -> c_int {
        if *name != b'/' as c_char {
            return errno::fail(libc::EINVAL);
        }
        match sys::result(sys::call(libc::SYS_mq_unlink, [name.add(1).expose_provenance(), 0, 0, 0, 0, 0])) {
            Ok(_) => 0,
            // POSIX has no EPERM here.
            Err(libc::EPERM) => errno::fail(libc::EACCES),
            Err(error) => errno::fail(error),
        }
    }

    /// mq_getattr(3).
    fn mq_getattr(queue: mqd_t, out: *mut mq_attr) -> c_int { mq_setattr(queue, ptr::null(), out) }

    /// mq_setattr(3).
    fn mq_setattr(queue: mqd_t, new: *const mq_attr, old: *mut mq_attr) -> c_int {
        let args = [queue as usize, new.expose_provenance(), old.expose_provenance(), 0, 0, 0];
        int(sys::call(libc::SYS_mq_getsetattr, args))
    }

    /// mq_timedsend(3).
    fn mq_timedsend(queue: mqd_t, text: *const c_char, len: size_t, priority: c_uint, deadline: *const timespec) -> c_int {
        let args = [queue as usize, text.expose_provenance(), len, priority as usize, deadline.expose_provenance(), 0];
        int(sys::call(libc::SYS_mq_timedsend, args))
    }

    /// mq_send(3).
    fn mq_send(queue: mqd_t, text: *const c_char, len: size_t, priority: c_uint) -> c_int {
        mq_timedsend(queue, text, len, priority, ptr::null())
    }

    /// mq_timedreceive(3).
    fn mq_timedreceive(queue: mqd_t, out: *mut c_char, room: size_t, priority: *mut c_uint, deadline: *const timespec) -> ssize_t {
        let args =
            [queue as usize, out.expose_provenance(), room, priority.expose_provenance(), deadline.expose_provenance(), 0];
        long(sys::call(libc::SYS_mq_timedreceive, args))
    }

    /// mq_receive(3).
    fn mq_receive(queue: mqd_t, out: *mut c_char, room: size_t, priority: *mut c_uint) -> ssize_t {
        mq_timedreceive(queue, out, room, priority, ptr::null())
    }
}
