//! What Rust itself needs from this library: the panic handler and unwinding symbols; and dying with a message.

use crate::sys;

/// Writes a message to standard error.
pub fn print(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the bytes are ours.
        let raw = unsafe { sys::write(2, rest.as_ptr().cast(), rest.len()) };
        match sys::result(raw) {
            Ok(count) if count > 0 => rest = &rest[count..],
            Err(libc::EINTR) => {}
            _ => return,
        }
    }
}

/// Ends the process by SIGABRT after a message.
#[cold]
pub fn die(why: &str) -> ! {
    print("relibc: ");
    print(why);
    print("\n");
    crate::exit::abort_now()
}

#[cfg(panic = "abort")]
mod symbols {
    use super::{die, print};
    use core::ffi::{CStr, c_char};

    struct Stderr;

    impl core::fmt::Write for Stderr {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            print(text);
            Ok(())
        }
    }

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo) -> ! {
        use core::fmt::Write;
        // Printing does not fail; a panic inside it would only print again and abort.
        let _ = writeln!(Stderr, "relibc: {info}");
        crate::exit::abort_now()
    }

    /// Where a call of a name ends that this library does not implement yet.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __relibc_missing(name: *const c_char) -> ! {
        print("relibc: not implemented: ");
        // SAFETY: the stubs pass their own name.
        print(unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?"));
        print("\n");
        crate::exit::abort_now()
    }

    /// The precompiled `core` names it; nothing unwinds through this library.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {
        die("unwinding through the C library")
    }

    /// As [`rust_eh_personality`].
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        die("unwinding through the C library")
    }
}
