//! `ttyent.h`: the table of terminals, /etc/ttys. getttyent(3), ttys(5) of BSD. Debian has no such file: programs that look find nothing.

use crate::database::{Buffer, Database, Full};
use crate::{string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;

/// Log-ins are enabled.
const TTY_ON: c_int = 1;
/// The superuser may log in.
const TTY_SECURE: c_int = 2;

/// `struct ttyent`. ttyent.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ttyent {
    ty_name: *mut c_char,
    ty_getty: *mut c_char,
    ty_type: *mut c_char,
    ty_status: c_int,
    ty_window: *mut c_char,
    ty_comment: *mut c_char,
}

/// A line's fields, and the comment at its end. A field may stand in quotes, in which `\"` is a quote.
fn fields(line: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut fields = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        if let Some(comment) = rest.strip_prefix(b"#") {
            return (fields, comment.trim_ascii_start());
        }
        let mut field = Vec::new();
        let mut quoted = false;
        while let [byte, tail @ ..] = rest {
            match (byte, tail) {
                (b'\\', [b'"', tail @ ..]) if quoted => {
                    field.push(b'"');
                    rest = tail;
                    continue;
                }
                (b'"', _) => quoted = !quoted,
                (b' ' | b'\t' | b'#', _) if !quoted => break,
                _ => field.push(*byte),
            }
            rest = tail;
        }
        fields.push(field);
        rest = rest.trim_ascii_start();
    }
    (fields, b"")
}

fn store(line: &[u8], buffer: &mut Buffer) -> Option<Result<Ttyent, Full>> {
    let (fields, comment) = fields(line);
    let [name, command, kind, options @ ..] = &fields[..] else { return None };
    let mut status = 0;
    let mut window: Option<&[u8]> = None;
    for option in options {
        match &option[..] {
            b"on" => status |= TTY_ON,
            b"off" => status &= !TTY_ON,
            b"secure" => status |= TTY_SECURE,
            other => window = other.strip_prefix(b"window=").or(window),
        }
    }
    let optional =
        |text: Option<&[u8]>, buffer: &mut Buffer| text.map_or(Ok(ptr::null_mut()), |text| buffer.text(text));
    let mut fill = || {
        Ok(Ttyent {
            ty_name: buffer.text(name)?,
            ty_getty: buffer.text(command)?,
            ty_type: buffer.text(kind)?,
            ty_status: status,
            ty_window: optional(window, buffer)?,
            ty_comment: optional(Some(comment).filter(|comment| !comment.is_empty()), buffer)?,
        })
    };
    Some(fill())
}

static TERMINALS: Database<Ttyent> = Database::new(b"/etc/ttys\0", store);

c_api! {
    /// getttyent(3).
    fn getttyent() -> *mut Ttyent { TERMINALS.next() }

    /// getttynam(3).
    fn getttynam(name: *const c_char) -> *mut Ttyent {
        let name = string::bytes(name);
        TERMINALS.find(|terminal| string::bytes(terminal.ty_name) == name)
    }

    /// setttyent(3): 0 if the table cannot be read.
    fn setttyent() -> c_int {
        TERMINALS.rewind();
        let file = sys::openat(libc::AT_FDCWD, c"/etc/ttys".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC, 0);
        let Ok(fd) = sys::result(file) else { return 0 };
        sys::close(fd as c_int);
        1
    }

    /// endttyent(3).
    fn endttyent() -> c_int {
        TERMINALS.rewind();
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_as_ttys_says() {
        let (found, comment) =
            fields(b"ttyS0\t\"/usr/libexec/getty \\\"std\\\" 9600\" vt100 on secure # the \"first\"");
        let expected: [&[u8]; 5] = [b"ttyS0", b"/usr/libexec/getty \"std\" 9600", b"vt100", b"on", b"secure"];
        assert_eq!(found, expected);
        assert_eq!(comment, b"the \"first\"");
        assert_eq!(fields(b"  # nothing"), (Vec::new(), &b"nothing"[..]));
        assert_eq!(fields(b"a \"unfinished b"), ([b"a".to_vec(), b"unfinished b".to_vec()].into(), &b""[..]));
    }

    #[test]
    fn entries_have_their_status() {
        let mut room = [0; 128];
        // SAFETY: the room outlives the entry.
        let mut buffer = unsafe { Buffer::new(room.as_mut_ptr(), room.len()) };
        let entry = store(b"console none unknown off secure window=x", &mut buffer).unwrap().ok().unwrap();
        assert_eq!((entry.ty_status, entry.ty_comment.is_null()), (TTY_SECURE, true));
        // SAFETY: it is set.
        assert_eq!(unsafe { string::bytes(entry.ty_window) }, b"x");
        assert!(store(b"two words", &mut buffer).is_none());
        let mut small = [0; 4];
        // SAFETY: as above.
        let mut buffer = unsafe { Buffer::new(small.as_mut_ptr(), small.len()) };
        assert_eq!(store(b"console none unknown", &mut buffer).map(|r| r.is_err()), Some(true));
    }
}
