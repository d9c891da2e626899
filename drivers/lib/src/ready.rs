//! What a service tells init.

use ochre_rt::syscall;

/// Tells init that the service answers requests from now on: a script's `notify` waits for it. Without init it does nothing.
pub fn ready() {
    let fd = std::env::var("INIT_NOTIFY").ok().and_then(|fd| fd.parse::<i32>().ok());
    if let Some(fd) = fd {
        // If init is gone, nobody waits.
        let _ = syscall::write(fd, b"1");
        let _ = syscall::close(fd);
    }
}
