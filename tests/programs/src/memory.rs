//! How much memory the system has free.

use std::fs;
use std::io;

/// Where Ochre's kernel tells of its frames.
const OCHRE: &str = "/scheme/sys/memory";
/// Where Linux does; see proc_meminfo(5).
const LINUX: &str = "/proc/meminfo";
/// Bytes of a frame.
const FRAME: u64 = 4096;

/// What is free, and how exact that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// The kernel's own count of frames. An estimate otherwise, in which other programs and caches show.
    pub exact: bool,
}

/// Asks the system.
///
/// # Errors
/// NotFound if the system tells nowhere, InvalidData if not in a known form.
pub fn free() -> io::Result<Free> {
    let parsed = match fs::read_to_string(OCHRE) {
        Ok(text) => ochre(&text).map(|bytes| Free { bytes, exact: true }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            linux(&fs::read_to_string(LINUX)?).map(|bytes| Free { bytes, exact: false })
        }
        Err(error) => return Err(error),
    };
    parsed.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no line about free memory"))
}

/// The line `free_frames N`.
fn ochre(text: &str) -> Option<u64> {
    let number = text.lines().find_map(|line| line.strip_prefix("free_frames"))?;
    number.trim_matches(|c: char| c.is_whitespace() || c == ':').parse::<u64>().ok()?.checked_mul(FRAME)
}

/// The line `MemAvailable: N kB`.
fn linux(text: &str) -> Option<u64> {
    let number = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    number.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        assert_eq!(ochre("total_frames 100\nfree_frames 25\n"), Some(25 * 4096));
        assert_eq!(linux("MemTotal:  9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!((ochre("nothing"), linux("MemAvailable: many kB")), (None, None));
    }
}
