//! `mntent.h`: tables of mounted file systems. getmntent(3).

use crate::database::{Buffer, Full};
use crate::stdio::{api, file::File};
use crate::{heap, string};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;
use libc::mntent;

/// Blanks and what stands for them in a table.
const ESCAPES: [(u8, &[u8]); 4] = [(b' ', b"\\040"), (b'\t', b"\\011"), (b'\n', b"\\012"), (b'\\', b"\\134")];

fn decode(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        // Of a backslash the reader knows two forms.
        let found = ESCAPES.iter().find(|(_, code)| rest.starts_with(code));
        if let Some((byte, code)) = found {
            out.push(*byte);
            rest = &rest[code.len()..];
        } else if rest.starts_with(b"\\\\") {
            out.push(b'\\');
            rest = &rest[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn encode(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in word {
        match ESCAPES.iter().find(|(plain, _)| plain == byte) {
            Some((_, code)) => out.extend_from_slice(code),
            None => out.push(*byte),
        }
    }
    out
}

/// A number at the start of a word, as scanf reads it; 0 if there is none.
fn number(word: Option<&[u8]>) -> c_int {
    let word = word.unwrap_or_default();
    let len = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    core::str::from_utf8(&word[..len]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn store(line: &[u8], buffer: &mut Buffer) -> Result<mntent, Full> {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let mut text = || buffer.text(&decode(words.next().unwrap_or_default()));
    let (mnt_fsname, mnt_dir, mnt_type, mnt_opts) = (text()?, text()?, text()?, text()?);
    Ok(mntent {
        mnt_fsname,
        mnt_dir,
        mnt_type,
        mnt_opts,
        mnt_freq: number(words.next()),
        mnt_passno: number(words.next()),
    })
}

/// Where getmntent puts its answer.
struct Static(UnsafeCell<(MaybeUninit<mntent>, [c_char; 4096])>);
// SAFETY: getmntent(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new((MaybeUninit::uninit(), [0; 4096])));

c_api! {
    /// setmntent(3).
    fn setmntent(path: *const c_char, mode: *const c_char) -> *mut File { api::fopen(path, mode) }

    /// endmntent(3).
    fn endmntent(file: *mut File) -> c_int {
        if !file.is_null() {
            api::fclose(file);
        }
        1
    }

    /// getmntent_r(3). Null at the end, and for a line that does not fit.
    fn getmntent_r(file: *mut File, out: *mut mntent, buffer: *mut c_char, room: c_int) -> *mut mntent {
        let (mut line, mut size) = (ptr::null_mut(), 0);
        let answer = loop {
            let len = api::getdelim(&mut line, &mut size, c_int::from(b'\n'), file);
            if len < 0 {
                break ptr::null_mut();
            }
            let text = core::slice::from_raw_parts(line.cast::<u8>(), len as usize).trim_ascii();
            if text.is_empty() || text[0] == b'#' {
                continue;
            }
            match store(text, &mut Buffer::new(buffer, room.max(0) as usize)) {
                Ok(entry) => {
                    *out = entry;
                    break out;
                }
                Err(Full) => break ptr::null_mut(),
            }
        };
        heap::c_free(line.cast());
        answer
    }

    /// getmntent(3).
    fn getmntent(file: *mut File) -> *mut mntent {
        let place = STATIC.0.get();
        getmntent_r(file, (&raw mut (*place).0).cast(), (&raw mut (*place).1).cast(), 4096)
    }

    /// addmntent(3). 0 on success, as the page says.
    fn addmntent(file: *mut File, entry: *const mntent) -> c_int {
        if api::fseeko(file, 0, libc::SEEK_END) != 0 {
            return 1;
        }
        let entry = &*entry;
        let mut line = Vec::new();
        for text in [entry.mnt_fsname, entry.mnt_dir, entry.mnt_type, entry.mnt_opts] {
            line.extend_from_slice(&encode(string::bytes(text)));
            line.push(b' ');
        }
        line.extend_from_slice(alloc::format!("{} {}\n", entry.mnt_freq, entry.mnt_passno).as_bytes());
        let done = api::fwrite(line.as_ptr().cast(), 1, line.len(), file) == line.len() && api::fflush(file) == 0;
        c_int::from(!done)
    }

    /// hasmntopt(3).
    fn hasmntopt(entry: *const mntent, option: *const c_char) -> *mut c_char {
        let (all, option) = (string::bytes((*entry).mnt_opts), string::bytes(option));
        let mut at = 0;
        for word in all.split(|&byte| byte == b',') {
            let matches = word.starts_with(option) && matches!(word.get(option.len()), None | Some(b'='));
            if matches {
                return (*entry).mnt_opts.add(at);
            }
            at += word.len() + 1;
        }
        ptr::null_mut()
    }
}
