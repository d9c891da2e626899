//! Giving up what is not needed any more.

use ochre_abi::Result;
use ochre_rt::syscall;

/// For ever gives up every path, and all rights but `keep` (`RIGHT_`): for a server that holds all it needs. What is open stays open.
///
/// A server that is broken into can then do no more than answer its clients badly, and use what it kept.
pub fn confine(keep: u64) -> Result<()> {
    syscall::ns_restrict(b"")?;
    syscall::rights_drop(!keep).map(drop)
}
