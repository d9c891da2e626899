//! The line discipline against a model, and against any input at all. (What Linux does with each flag is told by `ttycheck`, which runs on both.)

use super::*;
use libc::*;
use proptest::prelude::*;

fn pty() -> Line {
    Line::new(Termios::initial(B38400 | CS8 | CREAD))
}

fn keys(line: &mut Line, keys: &[u8]) {
    for key in keys {
        if line.has_room() {
            line.receive(*key);
        }
    }
}

fn shown(line: &mut Line) -> String {
    String::from_utf8_lossy(&line.take_output(usize::MAX)).into_owned()
}

#[test]
fn a_line_is_edited_echoed_and_read() {
    let mut line = pty();
    keys(&mut line, b"helx\x7flo\r");
    assert_eq!(line.readable(), 6);
    assert_eq!(line.read(4), b"hell");
    assert_eq!(line.read(100), b"o\n".as_slice());
    assert_eq!(shown(&mut line), "helx\x08 \x08lo\r\n");
    assert_eq!(line.wanted(1), Wanted::Input);
}

#[test]
fn signals_are_left_for_the_owner_and_forget_the_line() {
    let mut line = pty();
    keys(&mut line, b"abc\x03\x1c\x1ad\n");
    assert_eq!(line.take_signals(), [2, 3, 20]);
    assert_eq!(line.read(10), b"d\n");
    let mut quiet = *line.termios();
    quiet.lflag &= !ISIG;
    line.set_termios(quiet);
    keys(&mut line, b"\x03\n");
    assert_eq!((line.take_signals(), line.read(10)), (vec![], b"\x03\n".to_vec()));
}

#[test]
fn times_of_reads_without_lines() {
    use std::time::Duration;
    let mut line = pty();
    let mut raw = *line.termios();
    raw.lflag &= !ICANON;
    for (min, time, empty, some) in [
        (2, 0, Wanted::Input, Wanted::Input),
        (2, 3, Wanted::Input, Wanted::Pause(Duration::from_millis(300))),
        (0, 3, Wanted::Within(Duration::from_millis(300)), Wanted::Now),
        (0, 0, Wanted::Now, Wanted::Now),
    ] {
        (raw.cc[VMIN], raw.cc[VTIME]) = (min, time);
        line.set_termios(raw);
        assert_eq!(line.wanted(10), empty);
        keys(&mut line, b"x");
        assert_eq!(line.wanted(10), some);
        assert_eq!(line.wanted(1), Wanted::Now);
        assert_eq!(line.read(10), b"x");
    }
}

#[test]
fn a_full_queue_asks_to_stop_and_an_empty_one_to_go_on() {
    let mut line = pty();
    let mut flow = *line.termios();
    flow.iflag |= IXOFF | IMAXBEL;
    flow.lflag &= !(ICANON | ECHO);
    line.set_termios(flow);
    keys(&mut line, &[b'x'; 3900]);
    assert_eq!(line.throttle(), None);
    keys(&mut line, &[b'x'; 1000]);
    assert_eq!((line.throttle(), line.throttle(), line.has_room()), (Some(0o23), None, false));
    assert_eq!(line.read(3000).len(), 3000);
    assert_eq!(line.throttle(), None);
    assert_eq!(line.read(5000).len(), INPUT_MAX - 1 - 3000);
    assert_eq!(line.throttle(), Some(0o21));
}

#[test]
fn a_line_that_is_too_long_rings_and_can_be_ended() {
    let mut line = pty();
    let mut bell = *line.termios();
    bell.iflag |= IMAXBEL;
    bell.lflag &= !ECHO;
    line.set_termios(bell);
    keys(&mut line, &[b'x'; INPUT_MAX + 3]);
    assert_eq!(shown(&mut line), "\x07\x07\x07");
    keys(&mut line, b"\n");
    let got = line.read(2 * INPUT_MAX);
    assert_eq!((got.len(), got.last()), (INPUT_MAX, Some(&b'\n')));
}

#[test]
fn settings_keep_their_bytes() {
    let termios = *pty().termios();
    for with_speeds in [false, true] {
        assert_eq!(Termios::decode(&termios.encode(with_speeds)), Ok(termios));
    }
    assert!(Termios::decode(&[0; 35]).is_err());
}

proptest! {
    /// Printable characters, erasing and killing give what a plain model of them gives.
    #[test]
    fn editing_is_as_the_model(typed in prop::collection::vec(prop::sample::select(b"ab _-\t\x7f\x17\x15\x01".to_vec()), 0..200)) {
        let mut model: Vec<u8> = Vec::new();
        for key in &typed {
            match key {
                0x7f => { model.pop(); }
                0x15 => model.clear(),
                0x17 => {
                    let word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
                    while model.last().is_some_and(|byte| !word(*byte)) { model.pop(); }
                    while model.last().is_some_and(|byte| word(*byte)) { model.pop(); }
                }
                key => model.push(*key),
            }
        }
        model.push(b'\n');
        let mut line = pty();
        keys(&mut line, &typed);
        keys(&mut line, b"\n");
        prop_assert_eq!(line.read(INPUT_MAX), model);
    }

    /// Whatever the settings and the input, the queues stay within their bounds and everything can be read.
    #[test]
    fn any_settings_and_input(
        flags in prop::array::uniform3(any::<u32>()),
        cc in prop::array::uniform19(any::<u8>()),
        input in prop::collection::vec(any::<u8>(), 0..6000),
        other in prop::array::uniform3(any::<u32>()),
    ) {
        let mut line = pty();
        let settings = |flags: [u32; 3]| Termios { iflag: flags[0], oflag: flags[1], lflag: flags[2], cc, ..*pty().termios() };
        for (part, flags) in input.chunks(3000).zip([flags, other]) {
            line.set_termios(settings(flags));
            keys(&mut line, part);
            line.write(part);
            prop_assert!(line.queue.len() <= INPUT_MAX + 1 && line.committed <= line.queue.len());
            prop_assert!(line.output.len() <= OUTPUT_MAX + 2 * ECHO_MAX && line.held.len() <= OUTPUT_MAX + ECHO_MAX);
        }
        line.take_output(usize::MAX);
        let raw = Termios { lflag: 0, ..settings(other) };
        line.set_termios(raw);
        let left = line.readable();
        prop_assert_eq!(line.read(usize::MAX).len(), left);
    }
}
