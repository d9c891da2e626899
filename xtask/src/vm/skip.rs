//! Leaving out the beginning of a stream.

use std::io::Write;

/// Hands on only what comes after `marker`.
pub struct SkipUntil<W> {
    out: W,
    marker: Vec<u8>,
    /// What has come of the beginning; nothing once it is over.
    skipped: Option<Vec<u8>>,
}

impl<W: Write> SkipUntil<W> {
    /// Nothing is handed on to `out` yet.
    pub fn new(out: W, marker: impl Into<Vec<u8>>) -> SkipUntil<W> {
        SkipUntil { out, marker: marker.into(), skipped: Some(Vec::new()) }
    }
}

impl<W: Write> Write for SkipUntil<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(skipped) = &mut self.skipped else {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        };
        skipped.extend_from_slice(bytes);
        let found = skipped.windows(self.marker.len()).position(|window| window == self.marker);
        if let Some(at) = found {
            let rest = skipped.split_off(at + self.marker.len());
            self.skipped = None;
            self.out.write_all(&rest)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_on_what_follows_the_marker() {
        let mut out = Vec::new();
        let mut skip = SkipUntil::new(&mut out, "=end=\n\r");
        for part in ["noise\n=e", "nd=\n", "\rhel", "lo\n=end=\n\r"] {
            skip.write_all(part.as_bytes()).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "hello\n=end=\n\r");
    }
}
