//! Calls that only pass their arguments on: `sys/mount.h`, `sys/xattr.h`, `sys/ipc.h`, `mqueue.h`, `sched.h` and others.
//!
//! What Ochre's back end lacks is ENOSYS there.

/// Defines C functions that make one system call: `fn name(arguments) -> type = number;`.
macro_rules! thin {
    ($( $(#[$meta:meta])* fn $name:ident ( $($arg:ident : $ty:ty),* $(,)? ) -> $ret:ty = $number:ident; )*) => {
        $(
            #[doc = concat!(stringify!($name), "(2): the system call `", stringify!($number), "`.")]
            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            pub unsafe extern "C" fn $name( $($arg : $ty),* ) -> $ret {
                let arguments: &[usize] = &[$($arg as usize),*];
                let mut all = [0; 6];
                all[..arguments.len()].copy_from_slice(arguments);
                crate::errno::long(crate::sys::call(libc::$number, all)) as $ret
            }
        )*
    };
}

pub mod files;
pub mod ids;
pub mod ipc;
pub mod mounts;
pub mod mqueue;
pub mod scheduling;
pub mod setxid;
pub mod system;
pub mod xattr;
