//! The line discipline in canonical mode: what is read, and what is seen.

use super::pair::{Pair, QUIET, is_ready};
use libc::*;
use runtime_tests::{Result, checks, ensure, same, sys};
use std::time::Duration;

checks!("editing": line, erase, erase_word, kill, kill_plainly, print_erased, tabs, literal, reprint, end_of_file,
    other_ends, utf8, echo_flags, returns, case_and_strip, marks, long_line, read_ahead, inject);

fn line() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"hello\r")?;
    same!(pair.line()?, "hello\n");
    pair.screen("hello\r\n")?;
    sys::write(pair.slave(), b"a\nb\tc")?;
    pair.screen("a\r\nb\tc")?;
    pair.keys(b"par")?;
    ensure!(!is_ready(pair.slave(), QUIET)?);
    pair.keys(b"t\nnext\n")?;
    same!(pair.line()?, "part\n");
    same!(pair.line()?, "next\n");
    Ok(())
}

fn erase() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"helx\x7flo\x01\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7fok\n")?;
    same!(pair.line()?, "ok\n");
    let three = "\x08 \x08";
    pair.screen(&format!("helx{three}lo^A{}ok\r\n", three.repeat(7)))
}

fn erase_word() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"one two_2  \x17three\n")?;
    same!(pair.line()?, "one three\n");
    pair.screen(&format!("one two_2  {}three\r\n", "\x08 \x08".repeat(7)))
}

fn kill() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"abc\x15d\n")?;
    same!(pair.line()?, "d\n");
    pair.screen(&format!("abc{}d\r\n", "\x08 \x08".repeat(3)))
}

fn kill_plainly() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHOKE)?;
    pair.keys(b"abc\x15d\n")?;
    same!(pair.line()?, "d\n");
    pair.screen("abc^U\r\nd\r\n")?;
    let pair = Pair::with(|t| t.c_lflag &= !(ECHOKE | ECHOE))?;
    pair.keys(b"abc\x7fd\n")?;
    same!(pair.line()?, "abd\n");
    pair.screen("abc^?d\r\n")
}

fn print_erased() -> Result {
    let pair = Pair::with(|t| t.c_lflag |= ECHOPRT)?;
    pair.keys(b"abc\x7f\x7fd\n")?;
    same!(pair.line()?, "ad\n");
    pair.screen("abc\\cb/d\r\n")
}

fn tabs() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"ab\tc\x7f\x7fx\n")?;
    same!(pair.line()?, "abx\n");
    pair.screen("ab\tc\x08 \x08\x08\x08\x08\x08\x08\x08x\r\n")?;
    let pair = Pair::with(|t| t.c_oflag |= TAB3)?;
    sys::write(pair.slave(), b"a\tb\n\tc\n")?;
    pair.screen("a       b\r\n        c\r\n")
}

fn literal() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"a\x16\x03b\x16\x7f\n")?;
    same!(pair.line()?, "a\x03b\x7f\n");
    pair.screen("a^\x08^Cb^\x08^?\r\n")
}

fn reprint() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"ab\x12c\n")?;
    same!(pair.line()?, "abc\n");
    pair.screen("ab^R\r\nabc\r\n")
}

fn end_of_file() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"part\x04")?;
    same!(pair.line()?, "part");
    pair.keys(b"\x04rest\n")?;
    same!(pair.line()?, "");
    same!(pair.line()?, "rest\n");
    pair.screen("partrest\r\n")
}

fn other_ends() -> Result {
    let pair = Pair::with(|t| (t.c_cc[VEOL], t.c_cc[VEOL2]) = (b';', b'!'))?;
    pair.keys(b"a;b!c\n")?;
    same!(pair.line()?, "a;");
    same!(pair.line()?, "b!");
    same!(pair.line()?, "c\n");
    pair.screen("a;b!c\r\n")?;
    pair.change(|t| t.c_lflag &= !IEXTEN)?;
    pair.keys(b"b!\x16\n")?;
    same!(pair.line()?, "b!\x16\n");
    Ok(())
}

fn utf8() -> Result {
    let pair = Pair::with(|t| t.c_iflag |= IUTF8)?;
    pair.keys("aé€\x7f\x7fb\n".as_bytes())?;
    same!(pair.line()?, "ab\n");
    pair.screen("aé€\x08 \x08\x08 \x08b\r\n")
}

fn echo_flags() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHO)?;
    pair.keys(b"secret\n")?;
    same!(pair.line()?, "secret\n");
    pair.change(|t| t.c_lflag |= ECHONL)?;
    pair.keys(b"secret\n")?;
    same!(pair.line()?, "secret\n");
    pair.screen("\r\n")?;
    let pair = Pair::with(|t| t.c_lflag &= !ECHOCTL)?;
    pair.keys(b"a\x01\x7f\x7fb\n")?;
    same!(pair.line()?, "b\n");
    pair.screen("a\x01\x08 \x08b\r\n")
}

fn returns() -> Result {
    let pair = Pair::with(|t| t.c_iflag = t.c_iflag & !ICRNL | INLCR)?;
    pair.change(|t| t.c_cc[VEOL] = b'.')?;
    pair.keys(b"a\rb\nc.")?;
    same!(pair.line()?, "a\rb\rc.");
    pair.change(|t| t.c_iflag = IGNCR)?;
    pair.keys(b"a\rb\n")?;
    same!(pair.line()?, "ab\n");
    let pair = Pair::with(|t| t.c_oflag = OPOST | OCRNL | ONOCR)?;
    sys::write(pair.slave(), b"\ra\rb\nc\r")?;
    pair.screen("a\nb\nc\n")?;
    pair.change(|t| t.c_oflag = OPOST | ONOCR | ONLRET)?;
    sys::write(pair.slave(), b"x\n\ry\r")?;
    pair.screen("x\ny\r")
}

fn case_and_strip() -> Result {
    let pair = Pair::with(|t| {
        t.c_iflag |= IUCLC | ISTRIP;
        t.c_oflag |= OLCUC;
        t.c_lflag &= !ECHO;
    })?;
    pair.keys(b"HeL\xec\xcf\n")?;
    same!(pair.line()?, "hello\n");
    sys::write(pair.slave(), b"shout")?;
    pair.screen("SHOUT")
}

fn marks() -> Result {
    let pair = Pair::with(|t| {
        t.c_iflag |= PARMRK;
        t.c_lflag &= !ECHO;
    })?;
    pair.keys(b"a\xffb\n")?;
    let mut buffer = [0; 16];
    let got = sys::read(pair.slave(), &mut buffer)?;
    same!(buffer[..got], *b"a\xff\xffb\n");
    Ok(())
}

/// A line has room for 4,095 bytes and its end; what is too much is lost.
fn long_line() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHO)?;
    pair.keys(&[b'x'; 3000])?;
    pair.keys(&[b'y'; 3000])?;
    pair.keys(b"\nnext\n")?;
    let line = pair.line()?;
    same!(line.len(), 4096);
    ensure!(line.ends_with("y\n"));
    same!(pair.line()?, "next\n");
    Ok(())
}

fn read_ahead() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHO)?;
    pair.keys(b"first\nsecond\n")?;
    super::pair::ready(pair.slave())?;
    let mut two = [0; 2];
    same!(sys::read(pair.slave(), &mut two)?, 2);
    same!(two, *b"fi");
    same!(pair.line()?, "rst\n");
    ensure!(is_ready(pair.slave(), Duration::from_secs(10))?);
    same!(sys::control(pair.slave(), FIONREAD, 0)?, 7);
    sys::flush(pair.slave(), TCIFLUSH)?;
    ensure!(!is_ready(pair.slave(), QUIET)?);
    // What was typed becomes readable when lines do not count any more.
    pair.keys(b"raw")?;
    ensure!(!is_ready(pair.slave(), QUIET)?);
    pair.change(|t| t.c_lflag &= !ICANON)?;
    same!(pair.line()?, "raw");
    Ok(())
}

fn inject() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHO)?;
    for byte in b"hi\n" {
        match sys::control(pair.slave(), TIOCSTI, (*byte).into()) {
            // Linux may have it switched off (dev.tty.legacy_tiocsti), and without privileges it is refused here.
            Err(error) if matches!(error.raw_os_error(), Some(EIO | EPERM)) && sys::user() != 0 => return Ok(()),
            other => other?,
        };
    }
    same!(pair.line()?, "hi\n");
    Ok(())
}
