//! Namespaces, randomness, the kernel log and power.

use super::{sys, unit};
use ochre_abi::Result;
use ochre_abi::file::O_CLOEXEC;

/// Adds a prefix to this process's namespace; needs RIGHT_NAMESPACE.
pub fn ns_bind(prefix: &[u8], scheme: &[u8]) -> Result<()> {
    unit(sys!(NS_BIND, prefix.as_ptr(), prefix.len(), scheme.as_ptr(), scheme.len()))
}

/// Keeps only these NUL-separated prefixes; an empty list is the null namespace.
pub fn ns_restrict(prefixes: &[u8]) -> Result<()> {
    unit(sys!(NS_RESTRICT, prefixes.as_ptr(), prefixes.len()))
}

/// A descriptor (close-on-exec) for this process's namespace as it is now; needs RIGHT_NAMESPACE.
pub fn ns_open() -> Result<i32> {
    sys!(NS_OPEN, O_CLOEXEC).map(|fd| fd as i32)
}

/// Takes the namespace of such a descriptor, for this process and the children it makes from then on; needs RIGHT_NAMESPACE.
/// What is open, the working directory too, stays what it is.
pub fn ns_enter(namespace: i32) -> Result<()> {
    unit(sys!(NS_ENTER, namespace))
}

/// Fills up to 256 bytes from the kernel's entropy; how many.
pub fn entropy(buffer: &mut [u8]) -> Result<usize> {
    let len = buffer.len().min(256);
    sys!(ENTROPY, buffer.as_mut_ptr(), len)
}

/// A line of the kernel log.
pub fn log(level: u64, line: &[u8]) -> Result<()> {
    unit(sys!(LOG, level, line.as_ptr(), line.len()))
}

/// Powers off, reboots, or leaves the VM ([`ochre_abi::syscall::POWER_OFF`] and its neighbours); needs RIGHT_POWER.
pub fn power(what: u64, status: u64) -> Result<()> {
    unit(sys!(POWER, what, status))
}

/// The machine's name; its length. ERANGE if it does not fit.
pub fn hostname(buffer: &mut [u8]) -> Result<usize> {
    sys!(HOSTNAME, buffer.as_mut_ptr(), buffer.len(), 0)
}

/// Names the machine: at most 64 bytes (EINVAL). Needs RIGHT_NAMESPACE.
pub fn set_hostname(name: &[u8]) -> Result<()> {
    unit(sys!(HOSTNAME, name.as_ptr(), name.len(), 1))
}
