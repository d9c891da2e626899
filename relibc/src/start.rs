//! The way into `main`: `__libc_start_main`, and the variables a program finds set.

use crate::exit;
use crate::ld::{init, registry};
use crate::{auxv, ld, thread};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;

type Main = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;
type Init = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char);

/// The program's name as it was called, and its last part. A program may hold these variables
/// itself, by copy relocation, so that they are reached through the global offset table.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut __progname_full: *mut c_char = ptr::null_mut();
/// See [`__progname_full`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut __progname: *mut c_char = ptr::null_mut();
/// See [`__progname_full`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut program_invocation_name: *mut c_char = ptr::null_mut();
/// See [`__progname_full`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut program_invocation_short_name: *mut c_char = ptr::null_mut();
/// Where the stack began. ld.so's symbol.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut __libc_stack_end: *mut c_void = ptr::null_mut();
/// Whether only one thread exists; never true, which costs its readers an atomic operation.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static __libc_single_threaded: u8 = 0;
/// Whether the program runs with raised privileges.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut __libc_enable_secure: c_int = 0;

/// Sets the variables above and `environ`. The loader calls it once everything is relocated: this library's
/// references lead to a program's copies of them, which a copy relocation would overwrite.
///
/// # Safety
/// Called once, by the only thread.
pub unsafe fn set_globals() {
    let (argc, argv, envp) = auxv::arguments();
    crate::env::set_initial(envp);
    if argc > 0 {
        let full = *argv;
        let mut short = full;
        let mut at = full;
        while *at != 0 {
            if *at == b'/' as c_char {
                short = at.add(1);
            }
            at = at.add(1);
        }
        __progname_full = full;
        __progname = short;
        program_invocation_name = full;
        program_invocation_short_name = short;
    }
    __libc_stack_end = argv.cast::<c_void>();
    __libc_enable_secure = auxv::get(libc::AT_SECURE).unwrap_or(0) as c_int;
}

c_api! {
    /// Runs `main` and exits with its result. Called by the program's own start code.
    ///
    /// Since 2.34 programs pass null for `init`, and the program's constructors are run here;
    /// older ones bring a function that runs them.
    fn __libc_start_main(
        main: Main,
        argc: c_int,
        argv: *mut *mut c_char,
        init: Option<Init>,
        _fini: Option<unsafe extern "C" fn()>,
        rtld_fini: Option<unsafe extern "C" fn()>,
        _stack_end: *mut c_void,
    ) -> c_int {
        if let Some(function) = rtld_fini {
            exit::atexit(function);
        }
        let envp = argv.add(argc as usize + 1);
        let held = registry::lock();
        let program = held.with(|registry| registry.objects.first().copied());
        drop(held);
        if let Some(program) = program {
            match init {
                Some(init) => {
                    ld::init::note_constructed(program);
                    init(argc, argv, envp);
                }
                None => init::run_constructors(program),
            }
        }
        debug_assert!(!thread::current().is_null());
        exit::exit(main(argc, argv, envp))
    }
}
