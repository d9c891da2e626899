//! Why a packet command failed: sense data (SPC-4, section 4.5).

use ochre_scheme::Errno;

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did not fail.
    Fine,
    /// Once more: the drive only had something to say.
    Again,
    /// Another medium was put in.
    Changed,
    /// There is no medium.
    NoMedium,
    /// The medium is not ready yet.
    NotYet,
    /// Anything else.
    Failed(Errno),
}

/// Judges sense data in the fixed format; other formats and too little of it are EIO.
pub fn judge(sense: &[u8]) -> Verdict {
    let byte = |n: usize| sense.get(n).copied().unwrap_or(0);
    if !matches!(byte(0) & 0x7f, 0x70 | 0x71) {
        return Verdict::Failed(Errno::EIO);
    }
    match (byte(2) & 0xf, byte(12), byte(13)) {
        (0 | 1, ..) => Verdict::Fine,
        (2, 0x3a, _) => Verdict::NoMedium,
        // Becoming ready, or an operation is in progress.
        (2, 0x04, 0x01 | 0x04 | 0x07 | 0x08) => Verdict::NotYet,
        (6, 0x28, _) => Verdict::Changed,
        // Somebody wants it out.
        (6, 0x3a, _) => Verdict::NoMedium,
        (6, ..) | (0xb, ..) => Verdict::Again,
        (7, ..) => Verdict::Failed(Errno::EROFS),
        (5, 0x20 | 0x24, _) => Verdict::Failed(Errno::EOPNOTSUPP),
        _ => Verdict::Failed(Errno::EIO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let sense = |key: u8, code: u8, qualifier: u8| {
            let mut bytes = [0; 18];
            (bytes[0], bytes[2], bytes[12], bytes[13]) = (0x70, key, code, qualifier);
            judge(&bytes)
        };
        assert_eq!(sense(2, 0x3a, 1), Verdict::NoMedium);
        assert_eq!(sense(2, 4, 1), Verdict::NotYet);
        assert_eq!(sense(2, 4, 0), Verdict::Failed(Errno::EIO));
        assert_eq!(sense(6, 0x28, 0), Verdict::Changed);
        assert_eq!(sense(6, 0x29, 0), Verdict::Again);
        assert_eq!(sense(3, 0x11, 0), Verdict::Failed(Errno::EIO));
        assert_eq!(sense(5, 0x20, 0), Verdict::Failed(Errno::EOPNOTSUPP));
        assert_eq!(sense(5, 0x21, 0), Verdict::Failed(Errno::EIO));
        assert_eq!(sense(0, 0, 0), Verdict::Fine);
        assert_eq!(judge(&[]), Verdict::Failed(Errno::EIO));
        assert_eq!(judge(&[0x72; 18]), Verdict::Failed(Errno::EIO));
    }
}
