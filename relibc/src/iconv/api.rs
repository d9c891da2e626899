//! iconv_open(3), iconv(3), iconv_close(3).

use super::converter::{Converter, Stop};
use crate::{errno, string};
use alloc::boxed::Box;
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::size_t;

const FAILED: *mut Converter = ptr::without_provenance_mut(usize::MAX);

c_api! {
    /// iconv_open(3). EINVAL: a charset is unknown.
    fn iconv_open(to: *const c_char, from: *const c_char) -> *mut Converter {
        match Converter::new(string::bytes(from), string::bytes(to)) {
            Some(converter) => Box::into_raw(Box::new(converter)),
            None => {
                errno::set(libc::EINVAL);
                FAILED
            }
        }
    }

    /// iconv(3): the number of characters that something stands in for. EILSEQ: no character, or none in the target; EINVAL: the input
    /// ends within a character; E2BIG: the output is full; EBADF: no descriptor.
    fn iconv(
        converter: *mut Converter, input: *mut *mut c_char, input_left: *mut size_t, output: *mut *mut c_char, output_left: *mut size_t,
    ) -> size_t {
        if converter == FAILED || converter.is_null() {
            return errno::fail(libc::EBADF) as isize as size_t;
        }
        let converter = &mut *converter;
        if input.is_null() || (*input).is_null() {
            converter.reset();
            return 0;
        }
        let mut rest = core::slice::from_raw_parts((*input).cast::<u8>(), *input_left);
        let mut none = [];
        let room: &mut [u8] = if output.is_null() || (*output).is_null() {
            &mut none
        } else {
            core::slice::from_raw_parts_mut((*output).cast::<u8>(), *output_left)
        };
        let mut done = 0;
        let result = converter.run(&mut rest, room, &mut done);
        *input = (*input).add(*input_left - rest.len());
        *input_left = rest.len();
        if done > 0 {
            *output = (*output).add(done);
            *output_left -= done;
        }
        let error = match result {
            Ok(replaced) => return replaced,
            Err(Stop::Illegal) => libc::EILSEQ,
            Err(Stop::Incomplete) => libc::EINVAL,
            Err(Stop::Full) => libc::E2BIG,
        };
        errno::fail(error) as isize as size_t
    }

    /// iconv_close(3).
    fn iconv_close(converter: *mut Converter) -> c_int {
        if converter == FAILED || converter.is_null() {
            return errno::fail(libc::EBADF);
        }
        drop(Box::from_raw(converter));
        0
    }
}
