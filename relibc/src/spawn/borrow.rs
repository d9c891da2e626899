//! Starting a child that borrows this process's memory until exec.

use super::{CANNOT_EXEC, Job, become_program};
use crate::sys;
use core::ffi::{c_int, c_void};
use core::ptr;
use libc::pid_t;

/// Stack of the child until exec, bytes.
const STACK: usize = 64 << 10;

struct Shared<'a> {
    job: &'a Job<'a>,
    /// The child's error, seen by the parent because they share memory.
    errno: c_int,
}

/// The child: only system calls from here, in memory that it shares with the parent.
unsafe extern "C" fn child(argument: *mut c_void) -> ! {
    let shared = &mut *argument.cast::<Shared>();
    shared.errno = become_program(shared.job);
    sys::exit_process(CANNOT_EXEC)
}

/// Starts the child; its id.
///
/// # Errors
/// Why there is no child, or why it could not exec.
///
/// # Safety
/// All signals are blocked.
pub unsafe fn launch(job: &Job) -> Result<pid_t, c_int> {
    let raw = sys::mmap(
        ptr::null_mut(),
        STACK,
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
        -1,
        0,
    );
    let stack = sys::result(raw)?;
    let mut shared = Shared { job, errno: 0 };
    let raw = sys::spawn_vfork((stack + STACK) as *mut c_void, child, (&raw mut shared).cast());
    let errno = (&raw const shared.errno).read_volatile();
    sys::munmap(stack as *mut c_void, STACK);
    let pid = sys::result(raw)? as pid_t;
    if errno != 0 {
        // It has ended already; nobody else is to see it.
        sys::wait4(pid, ptr::null_mut(), 0, ptr::null_mut());
        return Err(errno);
    }
    Ok(pid)
}
