//! The system as a whole: names, memory, limits, randomness.

use super::{Args, Result, bytes, bytes_mut, native, put};
use core::ffi::c_char;
use ochre_rt::abi::Errno;
use ochre_rt::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDONLY};
use ochre_rt::abi::layout::PAGE_SIZE;
use ochre_rt::abi::syscall as sys;
use ochre_rt::{OwnedFd, syscall, time};

/// Copies a text with its NUL.
fn fill(to: &mut [c_char], text: &[u8]) {
    for (to, from) in to.iter_mut().zip(text) {
        *to = *from as c_char;
    }
}

/// The names are those of the system whose programs run here: some look at `sysname` and `release` to learn what calls exist,
/// and those of Linux 6.1 do.
pub unsafe fn uname(a: Args) -> Result {
    let mut out: libc::utsname = core::mem::zeroed();
    fill(&mut out.sysname, b"Linux");
    let mut name = [0; 64];
    let len = syscall::hostname(&mut name).unwrap_or(0);
    fill(&mut out.nodename, name.get(..len).unwrap_or(&[]));
    fill(&mut out.release, b"6.1.0-ochre");
    fill(&mut out.version, b"#1 Ochre");
    fill(&mut out.machine, b"x86_64");
    fill(&mut out.domainname, b"(none)");
    put(a[0], out)
}

/// sethostname(2).
pub unsafe fn sethostname(a: Args) -> Result {
    if a[1] as isize > 64 || (a[1] as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    syscall::set_hostname(bytes(a[0], a[1])?).map(|()| 0)
}

/// reboot(2): what is written is synced first. There is no halting with the power on, and no Ctrl-Alt-Del: EINVAL, but for turning the
/// latter off.
pub unsafe fn reboot(a: Args) -> Result {
    const MAGIC: [u32; 2] = [0xfee1_dead, 672_274_793];
    const MAGIC_OTHERS: [u32; 3] = [85_072_278, 369_367_448, 537_993_216];
    if syscall::get_credentials()?.euid != 0 {
        return Err(Errno::EPERM);
    }
    if a[0] as u32 != MAGIC[0] || a[1] as u32 != MAGIC[1] && !MAGIC_OTHERS.contains(&(a[1] as u32)) {
        return Err(Errno::EINVAL);
    }
    let what = match a[2] as i32 {
        libc::RB_POWER_OFF => sys::POWER_OFF,
        libc::RB_AUTOBOOT => sys::POWER_REBOOT,
        libc::RB_DISABLE_CAD => return Ok(0),
        _ => return Err(Errno::EINVAL),
    };
    super::files::sync([0; 6])?;
    syscall::power(what, 0).map(|()| 0)
}

/// The number behind `name` in lines of a name, a blank and a number.
fn figure(text: &[u8], name: &[u8]) -> u64 {
    let number = |line: &[u8]| core::str::from_utf8(line.strip_prefix(name)?.strip_prefix(b" ")?).ok()?.parse().ok();
    text.split(|byte| *byte == b'\n').find_map(number).unwrap_or(0)
}

/// Reads a short file from its start; how many bytes.
fn read_file(path: &[u8], buffer: &mut [u8]) -> Result {
    let file = OwnedFd::new(syscall::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)?);
    syscall::read(file.get(), buffer)
}

/// sysinfo(2).
pub unsafe fn sysinfo(a: Args) -> Result {
    let mut text = [0; 512];
    let len = read_file(b"/scheme/sys/memory", &mut text)?;
    let text = text.get(..len).unwrap_or(&[]);
    let mut out: libc::sysinfo = core::mem::zeroed();
    out.uptime = (time::monotonic() / 1_000_000_000) as i64;
    out.totalram = figure(text, b"total_frames");
    out.freeram = figure(text, b"free_frames");
    out.mem_unit = PAGE_SIZE as u32;
    let mut text = [0; 2048];
    let len = read_file(b"/scheme/sys/stat", &mut text)?;
    let text = text.get(..len).unwrap_or(&[]);
    // Hundredths to Linux's fixed point of 16 bits.
    out.loads = [&b"load_1"[..], b"load_5", b"load_15"].map(|name| figure(text, name) * 65_536 / 100);
    out.procs = figure(text, b"threads") as u16;
    put(a[0], out)
}

/// Random bytes from `rand`, the generator that is a server; before it runs, and where a process's namespace has no such
/// thing, from the kernel's own source, which is slower.
pub unsafe fn getrandom(a: Args) -> Result {
    const FLAGS: u32 = libc::GRND_NONBLOCK | libc::GRND_RANDOM | libc::GRND_INSECURE;
    /// Linux's limit of one call.
    const MOST: usize = (1 << 25) - 1;
    if a[2] as u32 & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let buffer = bytes_mut(a[0], a[1].min(MOST))?;
    if buffer.is_empty() {
        return Ok(0);
    }
    match read_file(b"/scheme/rand", buffer) {
        Ok(0) | Err(_) => {}
        done => return done,
    }
    let mut done = 0;
    for chunk in buffer.chunks_mut(256) {
        done += syscall::entropy(chunk)?;
    }
    Ok(done)
}

pub unsafe fn prlimit(a: Args) -> Result {
    let pid = a[0] as i32;
    if pid != 0 && pid != syscall::getpid() {
        return native(sys::LIMIT_OF, [pid as usize, a[1] as u32 as usize, a[2], a[3], 0, 0]);
    }
    native(sys::LIMIT, [a[1] as u32 as usize, a[2], a[3], 0, 0, 0])
}

pub unsafe fn getrlimit(a: Args) -> Result {
    native(sys::LIMIT, [a[0] as u32 as usize, 0, a[1], 0, 0, 0])
}

pub unsafe fn setrlimit(a: Args) -> Result {
    native(sys::LIMIT, [a[0] as u32 as usize, a[1], 0, 0, 0, 0])
}
