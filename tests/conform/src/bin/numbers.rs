//! strtod and friends on random texts.

use conform::{Group, Random};
use std::ffi::CString;

/// A text that looks more or less like a number.
fn text(random: &mut Random) -> CString {
    const PIECES: [&str; 16] = ["0", "1", "9", "5", "12", "e", "E", "+", "-", ".", "0x", "inf", "nan", " ", "p", "7f"];
    let pieces = (0..=random.below(12)).map(|_| *random.pick(&PIECES));
    CString::new(pieces.collect::<String>()).expect("no NUL in the pieces")
}

fn main() {
    let mut random = Random::new(1);
    let mut doubles = Group::new("strtod");
    let mut integers = Group::new("strtol");
    for _ in 0..200_000 {
        let text = text(&mut random);
        let mut end = std::ptr::null_mut();
        // SAFETY: the text ends in NUL, and `end` is a place for a pointer into it.
        let (value, used) = unsafe {
            let value = libc::strtod(text.as_ptr(), &raw mut end);
            (value, end.offset_from(text.as_ptr()))
        };
        doubles.add(format_args!("{text:?} {:x} {used}", value.to_bits()));
        let base = *random.pick(&[0, 2, 8, 10, 16, 36]);
        // SAFETY: as above.
        let (value, used) = unsafe {
            let value = libc::strtol(text.as_ptr(), &raw mut end, base);
            (value, end.offset_from(text.as_ptr()))
        };
        integers.add(format_args!("{text:?} {base} {value} {used}"));
    }
    doubles.end();
    integers.end();
}
