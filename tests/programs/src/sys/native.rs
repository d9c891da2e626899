//! System calls by number, past the C library.

use std::arch::asm;
use std::path::Path;

use ochre_abi::process::{Credentials, RIGHTS_ALL};
use ochre_abi::syscall;
use zerocopy::IntoBytes;

/// Whether this is Ochre: only there does `/scheme/sys` exist.
pub fn is_ochre() -> bool {
    Path::new("/scheme/sys").exists()
}

/// Makes the call and returns what the kernel puts into rax. Memory that the kernel writes for it is not known to the
/// compiler: this is for processes that expect to be destroyed by it.
pub fn call(number: u64, args: [u64; 6]) -> i64 {
    let result;
    // SAFETY: rcx and r11 are what the instruction clobbers, and memory is not assumed unchanged. What else the call
    // does to this process is the caller's intent: see above.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
        )
    };
    result
}

/// Gives up every right of this process, and becomes nobody (uid and gid 65534). False where one of both fails.
pub fn become_unprivileged() -> bool {
    let nobody = Credentials { ruid: 65534, euid: 65534, suid: 65534, rgid: 65534, egid: 65534, sgid: 65534 };
    let address = nobody.as_bytes().as_ptr().addr() as u64;
    call(syscall::SET_CREDENTIALS, [address, 0, 0, 0, 0, 0]) == 0
        && call(syscall::RIGHTS_DROP, [RIGHTS_ALL, 0, 0, 0, 0, 0]) == 0
}
