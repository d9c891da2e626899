//! Formatting against the host's glibc.

use super::strings;
use core::ffi::{c_char, c_int};

type Snprintf = unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int;

fn ours() -> Snprintf {
    // SAFETY: the entry point takes what a variadic function of this type is given.
    unsafe { core::mem::transmute(strings::snprintf as unsafe extern "C" fn()) }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 20) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Flags, width and precision.
    fn middle(&mut self) -> String {
        let mut out = String::new();
        for flag in "-+ #0".chars() {
            if self.below(4) == 0 {
                out.push(flag);
            }
        }
        if self.below(2) == 0 {
            out += &self.below(30).to_string();
        }
        if self.below(2) == 0 {
            out.push('.');
            if self.below(8) != 0 {
                let end = if self.below(50) == 0 { 1200 } else { 25 };
                out += &self.below(end).to_string();
            }
        }
        out
    }

    fn double(&mut self) -> f64 {
        match self.below(6) {
            0 => f64::from_bits(self.next()),
            1 => self.pick(&[
                0.0,
                -0.0,
                0.5,
                1.5,
                2.5,
                0.125,
                9.5,
                99.5,
                999_999.5,
                1e-5,
                1e-4,
                f64::NAN,
                -f64::NAN,
                f64::INFINITY,
                5e-324,
            ]),
            2 => self.below(100_000) as f64 / 1000.0,
            3 => self.next() as i64 as f64,
            4 => self.below(2000) as f64 / 16.0,
            _ => f64::from_bits(self.next() >> 12 | (1000 + self.below(60)) << 52),
        }
    }
}

fn shown(buffer: &[u8], count: c_int) -> String {
    let end = usize::try_from(count).unwrap_or(0).min(buffer.len() - 1);
    format!("{count} {}", String::from_utf8_lossy(&buffer[..end]))
}

macro_rules! compare {
    ($format:expr $(, $argument:expr)*) => {{
        let format = std::ffi::CString::new($format).expect("no NUL");
        let (mut a, mut b) = (vec![0u8; 8000], vec![0u8; 8000]);
        // SAFETY: the arguments fit the format.
        let (x, y) = unsafe {
            (
                ours()(a.as_mut_ptr().cast(), a.len(), format.as_ptr() $(, $argument)*),
                libc::snprintf(b.as_mut_ptr().cast(), b.len(), format.as_ptr() $(, $argument)*),
            )
        };
        assert_eq!(shown(&a, x), shown(&b, y), "format {format:?}");
    }};
}

#[test]
fn random_formats_agree_with_the_host() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..100_000 {
        let middle = random.middle();
        match random.below(4) {
            0 | 1 => {
                let conversion = random.pick(&["f", "F", "e", "E", "g", "G", "a", "A"]);
                let value = random.double();
                // glibc 2.36 loses zeros of `%#g` when rounding carries into a new digit.
                let middle = if matches!(conversion, "g" | "G") { middle.replace('#', "") } else { middle };
                compare!(format!("<%{middle}{conversion}>"), value);
            }
            2 => {
                let conversion = random.pick(&["d", "i", "u", "o", "x", "X"]);
                let length = random.pick(&["", "h", "hh", "l", "ll", "j", "z", "t"]);
                let shift = random.below(64);
                let value = random.next() >> shift;
                compare!(format!("<%{middle}{length}{conversion}>"), value);
            }
            _ => match random.below(3) {
                0 => compare!(format!("<%{middle}s>"), c"some text".as_ptr()),
                1 => {
                    let value = 33 + random.below(90) as c_int;
                    compare!(format!("<%{middle}c>"), value);
                }
                _ => {
                    let value = random.below(3) * 0x1234_5678;
                    compare!(format!("<%{middle}p>"), value);
                }
            },
        }
    }
}

#[test]
fn numbered_and_many_arguments_agree_with_the_host() {
    compare!("%2$s %1$d %3$*4$.*5$f|%1$x", 42 as c_int, c"two".as_ptr(), 3.25f64, 12 as c_int, 1 as c_int);
    compare!(
        "%d %d %d %d %d %s %f",
        1 as c_int,
        2 as c_int,
        3 as c_int,
        4 as c_int,
        5 as c_int,
        c"six".as_ptr(),
        7.5f64
    );
    compare!("%f %f %f %f %f %f %f %f %f %d", 1f64, 2f64, 3f64, 4f64, 5f64, 6f64, 7f64, 8f64, 9f64, 10 as c_int);
    compare!("%*d|%-*d|%.*d", -8 as c_int, 1 as c_int, 9 as c_int, 2 as c_int, -1 as c_int, 3 as c_int);
    compare!("%s %.3s %.6s %%", core::ptr::null::<c_char>(), core::ptr::null::<c_char>(), core::ptr::null::<c_char>());
    compare!("100%");
    compare!("%#g %#.3g %#.10g", 1.5f64, 100f64, 1e20f64);
}

#[test]
fn a_file_is_written_and_read_back() {
    use super::api::*;
    let path = std::env::temp_dir().join(format!("relibc-stdio-{}", std::process::id()));
    let name = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
    // SAFETY: the contracts of the functions called are met.
    unsafe {
        let file = fopen(name.as_ptr(), c"w+".as_ptr());
        assert!(!file.is_null());
        assert_eq!(fputs(c"one\ntwo\n".as_ptr(), file), 1);
        let print: unsafe extern "C" fn(*mut super::file::File, *const c_char, ...) -> c_int =
            core::mem::transmute(fprintf as unsafe extern "C" fn());
        assert_eq!(print(file, c"%d %s %.2f\n".as_ptr(), 3 as c_int, c"x".as_ptr(), 1.005f64), 9);
        let big = vec![b'y'; 20_000];
        assert_eq!(fwrite(big.as_ptr().cast(), 1, big.len(), file), big.len());
        assert_eq!(ftello(file), 20_017);
        rewind(file);
        let mut line = [0 as c_char; 64];
        assert!(!fgets(line.as_mut_ptr(), 64, file).is_null());
        assert_eq!(crate::string::bytes(line.as_ptr()), b"one\n");
        assert_eq!(fgetc(file), c_int::from(b't'));
        assert_eq!(ungetc(c_int::from(b'T'), file), c_int::from(b'T'));
        assert_eq!(ftello(file), 4);
        assert_eq!(fgetc(file), c_int::from(b'T'));
        assert_eq!(fseeko(file, 17, 0), 0);
        let mut back = vec![0u8; 30_000];
        assert_eq!(fread(back.as_mut_ptr().cast(), 1, back.len(), file), big.len());
        assert!(back[..big.len()] == big[..] && feof(file) == 1 && ferror(file) == 0);
        assert_eq!(fclose(file), 0);
        let (mut line, mut room) = (core::ptr::null_mut(), 0);
        let file = fopen(name.as_ptr(), c"r".as_ptr());
        let mut lengths = Vec::new();
        loop {
            let len = getline(&mut line, &mut room, file);
            if len < 0 {
                break;
            }
            lengths.push(len);
        }
        assert_eq!(lengths, [4, 4, 9, 20_000]);
        assert_eq!(fputc(1, file), -1);
        crate::heap::c_free(line.cast());
        assert_eq!(fclose(file), 0);
    }
    std::fs::remove_file(path).expect("the file is there");
}
