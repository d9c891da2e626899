//! printf and strtod on 1,000,000 random inputs each.

use conform::{Group, Random};
use std::ffi::{CString, c_char, c_int};

/// Flags, width and precision.
fn middle(random: &mut Random) -> String {
    let mut out: String = "-+ #0'".chars().filter(|_| random.below(5) == 0).collect();
    if random.below(2) == 0 {
        out += &random.below(30).to_string();
    }
    if random.below(2) == 0 {
        out.push('.');
        if random.below(8) != 0 {
            let end = if random.below(500) == 0 { 1200 } else { 25 };
            out += &random.below(end).to_string();
        }
    }
    out
}

fn double(random: &mut Random) -> f64 {
    const CHOSEN: [f64; 14] =
        [0.0, -0.0, 0.5, 1.5, 2.5, 0.125, 9.5, 99.5, 999_999.5, 1e-5, 1e-4, f64::NAN, f64::INFINITY, 5e-324];
    match random.below(6) {
        0 => f64::from_bits(random.next()),
        1 => *random.pick(&CHOSEN),
        2 => random.below(100_000) as f64 / 1000.0,
        3 => random.next() as i64 as f64,
        4 => random.below(2000) as f64 / 16.0,
        _ => f64::from_bits(random.next() >> 12 | (1000 + random.below(60)) << 52),
    }
}

fn shown(buffer: &[u8], count: c_int) -> String {
    let end = usize::try_from(count).unwrap_or(0).min(buffer.len() - 1);
    format!("{count} {}", String::from_utf8_lossy(&buffer[..end]))
}

fn formats() {
    let mut random = Random::new(21);
    let mut group = Group::new("snprintf");
    let mut buffer = vec![0u8; 2000];
    for _ in 0..1_000_000 {
        let mut middle = middle(&mut random);
        let (at, len): (*mut c_char, usize) = (buffer.as_mut_ptr().cast(), buffer.len());
        let text = |format: String| CString::new(format).expect("no NUL");
        // SAFETY: arguments fit the formats.
        let (format, count) = unsafe {
            match random.below(4) {
                0 | 1 => {
                    let conversion = *random.pick(&["f", "F", "e", "E", "g", "G", "a", "A"]);
                    // glibc 2.36 loses zeros of `%#g` when rounding carries into a new digit.
                    if matches!(conversion, "g" | "G") {
                        middle = middle.replace('#', "");
                    }
                    let value = double(&mut random);
                    let format = text(format!("<%{middle}{conversion}>"));
                    let count = libc::snprintf(at, len, format.as_ptr(), value);
                    (format, count)
                }
                2 => {
                    let conversion = random.pick(&["d", "i", "u", "o", "x", "X"]);
                    let length = random.pick(&["", "h", "hh", "l", "ll", "j", "z", "t"]);
                    let value = random.next() >> random.below(64);
                    let format = text(format!("<%{middle}{length}{conversion}>"));
                    let count = libc::snprintf(at, len, format.as_ptr(), value);
                    (format, count)
                }
                _ => match random.below(4) {
                    0 => {
                        let format = text(format!("<%{middle}s>"));
                        let count = libc::snprintf(at, len, format.as_ptr(), c"some text".as_ptr());
                        (format, count)
                    }
                    1 => {
                        let format = text(format!("<%{middle}c>"));
                        let count = libc::snprintf(at, len, format.as_ptr(), 33 + random.below(90) as c_int);
                        (format, count)
                    }
                    2 => {
                        let format = text(format!("<%{middle}ls|%lc>"));
                        let wide = [119, 105, 100, 101, 0u32];
                        let count = libc::snprintf(at, len, format.as_ptr(), wide.as_ptr(), 65 as c_int);
                        (format, count)
                    }
                    _ => {
                        let format = text(format!("<%{middle}p>"));
                        let count = libc::snprintf(at, len, format.as_ptr(), random.below(3) * 0x1234_5678);
                        (format, count)
                    }
                },
            }
        };
        group.add(format_args!("{format:?} {}", shown(&buffer, count)));
    }
    group.end();
}

fn numbers() {
    let mut random = Random::new(22);
    let mut group = Group::new("strtod");
    for _ in 0..1_000_000 {
        let text = match random.below(4) {
            0 => format!("{}", double(&mut random)),
            1 => format!("{}.{}e{}", random.next(), random.next(), random.below(700) as i64 - 350),
            2 => format!("0x{:x}.{:x}p{}", random.next(), random.next(), random.below(2400) as i64 - 1250),
            _ => format!("{:e}", f64::from_bits(random.next())),
        };
        let text = CString::new(text).expect("no NUL");
        let mut end = std::ptr::null_mut();
        // SAFETY: a C string, and a place for its end.
        let (double, float, used) = unsafe {
            let double = libc::strtod(text.as_ptr(), &raw mut end);
            (double, libc::strtof(text.as_ptr(), std::ptr::null_mut()), end.offset_from(text.as_ptr()))
        };
        group.add(format_args!("{text:?} {:x} {:x} {used}", double.to_bits(), float.to_bits()));
    }
    group.end();
}

fn main() {
    formats();
    numbers();
}
