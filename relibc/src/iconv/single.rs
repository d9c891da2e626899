//! Charsets of one byte a character.

/// A charset: which character each byte means.
#[derive(Debug)]
pub struct Table {
    /// Its name in glibc.
    pub name: &'static str,
    /// The characters of the bytes from 128 on; 0: none. Bytes below are ASCII.
    pub upper: [u16; 128],
}

impl Table {
    /// The character of a byte.
    pub fn read(&self, byte: u8) -> Option<u32> {
        match byte.checked_sub(128) {
            None => Some(u32::from(byte)),
            Some(index) => Some(u32::from(self.upper[usize::from(index)])).filter(|&wide| wide != 0),
        }
    }

    /// The byte of a character.
    pub fn write(&self, wide: u32) -> Option<u8> {
        if wide < 128 {
            return Some(wide as u8);
        }
        let at = self.upper.iter().position(|&known| u32::from(known) == wide)?;
        Some(128 + at as u8)
    }
}
