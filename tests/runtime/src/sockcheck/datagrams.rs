//! SOCK_DGRAM: names of senders, connecting to and away from, full queues.

use crate::{file, path, unique};
use runtime_tests::sys;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::os::fd::OwnedFd;
use std::time::Duration;

checks!("datagrams": with_names, connected_filters, reconnects, receiver_gone, full_queue, kinds, cut, shut);

const DATAGRAM: i32 = libc::SOCK_DGRAM;
const NONBLOCK: i32 = libc::SOCK_NONBLOCK;

fn bound(what: &str) -> Result<(OwnedFd, Vec<u8>)> {
    let name = unique(what);
    let socket = sys::socket(DATAGRAM)?;
    sys::bind(&socket, &name)?;
    Ok((socket, name))
}

fn with_names() -> Result {
    let mut buffer = [0; 32];
    let (a, a_name) = bound("a")?;
    let (b, b_name) = bound("b")?;
    sys::send_to(&a, b"hello", Some(&b_name), 0)?;
    same!(sys::receive_from(&b, &mut buffer, 0)?, (5, a_name.clone()));
    sys::send_to(&b, b"", Some(&a_name), 0)?;
    same!(sys::receive_from(&a, &mut buffer, 0)?, (0, b_name.clone()));
    // Who has no name is nobody.
    sys::send_to(&sys::socket(DATAGRAM)?, b"anonymous", Some(&b_name), 0)?;
    same!(sys::receive_from(&b, &mut buffer, libc::MSG_PEEK)?, (9, Vec::new()));
    same!(sys::receive_from(&b, &mut buffer, 0)?, (9, Vec::new()));
    let name = path("datagram");
    let c = sys::socket(DATAGRAM)?;
    sys::bind(&c, &name)?;
    sys::send_to(&c, b"from a file", Some(&a_name), 0)?;
    same!(sys::receive_from(&a, &mut buffer, 0)?, (11, name.clone()));
    std::fs::remove_file(file(&name))?;
    same!(errno(sys::send_to(&a, b"x", None, 0)), libc::ENOTCONN);
    Ok(())
}

fn connected_filters() -> Result {
    let (server, server_name) = bound("server")?;
    let (client, client_name) = bound("client")?;
    let (other, other_name) = bound("other")?;
    sys::connect(&client, &server_name)?;
    same!(sys::name(&client, true)?, server_name);
    // Only the one it is connected to may send to it.
    same!(errno(sys::send_to(&other, b"x", Some(&client_name), 0)), libc::EPERM);
    same!(errno(sys::connect(&other, &client_name)), libc::EPERM);
    sys::send_to(&server, b"x", Some(&client_name), 0)?;
    // The client may still send elsewhere.
    sys::send_to(&client, b"y", Some(&other_name), 0)?;
    same!(sys::receive_from(&other, &mut [0; 4], 0)?, (1, client_name));
    Ok(())
}

fn reconnects() -> Result {
    let (one, one_name) = bound("one")?;
    let (two, two_name) = bound("two")?;
    let client = sys::socket(DATAGRAM)?;
    sys::connect(&client, &one_name)?;
    sys::send_to(&client, b"1", None, 0)?;
    sys::connect(&client, &two_name)?;
    sys::send_to(&client, b"22", None, 0)?;
    same!(sys::receive_from(&one, &mut [0; 4], 0)?.0, 1);
    same!(sys::receive_from(&two, &mut [0; 4], 0)?.0, 2);
    sys::disconnect(&client)?;
    same!(errno(sys::name(&client, true)), libc::ENOTCONN);
    same!(errno(sys::send_to(&client, b"x", None, 0)), libc::ENOTCONN);
    Ok(())
}

fn receiver_gone() -> Result {
    let (server, name) = bound("gone")?;
    let client = sys::socket(DATAGRAM)?;
    sys::connect(&client, &name)?;
    drop(server);
    same!(errno(sys::send_to(&client, b"x", None, 0)), libc::ECONNREFUSED);
    same!(errno(sys::send_to(&client, b"x", Some(&name), 0)), libc::ECONNREFUSED);
    Ok(())
}

fn full_queue() -> Result {
    let (server, name) = bound("full")?;
    let client = sys::socket(DATAGRAM | NONBLOCK)?;
    sys::connect(&client, &name)?;
    let mut sent = 0;
    let stopped = loop {
        match sys::send_to(&client, &[7; 1000], None, 0) {
            Ok(_) => sent += 1,
            Err(error) => break error.raw_os_error(),
        }
        ensure!(sent < 100_000);
    };
    same!(stopped, Some(libc::EAGAIN));
    same!(sys::poll(&client, libc::POLLOUT, 0)?, 0);
    // Room wakes who waits for it.
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| sys::poll(&client, libc::POLLOUT, 10_000));
        std::thread::sleep(Duration::from_millis(20));
        for _ in 0..sent {
            same!(sys::receive_from(&server, &mut [0; 1000], 0)?.0, 1000);
        }
        same!(waiting.join().map_err(|_| "a thread panicked")??, libc::POLLOUT);
        Ok(())
    })?;
    sys::send_to(&client, b"again", None, 0)?;
    Ok(())
}

fn kinds() -> Result {
    let stream = sys::socket(libc::SOCK_STREAM)?;
    let name = path("stream");
    sys::bind(&stream, &name)?;
    sys::listen(&stream, 1)?;
    let datagram = sys::socket(DATAGRAM)?;
    same!(errno(sys::connect(&datagram, &name)), libc::EPROTOTYPE);
    same!(errno(sys::send_to(&datagram, b"x", Some(&name), 0)), libc::EPROTOTYPE);
    std::fs::remove_file(file(&name))?;
    same!(errno(sys::send_to(&datagram, b"x", Some(&unique("nobody")), 0)), libc::ECONNREFUSED);
    same!(errno(sys::send_to(&datagram, b"x", Some(b"/no/where\0"), 0)), libc::ENOENT);
    Ok(())
}

fn cut() -> Result {
    let (server, name) = bound("cut")?;
    let client = sys::socket(DATAGRAM)?;
    sys::send_to(&client, b"0123456789", Some(&name), 0)?;
    sys::send_to(&client, b"next", Some(&name), 0)?;
    let mut buffer = [0; 4];
    let message = sys::receive_message(&server, &mut buffer, 0, 0)?;
    same!((message.len, message.flags & libc::MSG_TRUNC, buffer), (4, libc::MSG_TRUNC, *b"0123"));
    let message = sys::receive_message(&server, &mut buffer, 0, 0)?;
    same!((message.len, message.flags & libc::MSG_TRUNC, buffer), (4, 0, *b"next"));
    Ok(())
}

fn shut() -> Result {
    let (server, name) = bound("shut")?;
    let client = sys::socket(DATAGRAM)?;
    sys::connect(&client, &name)?;
    sys::shutdown(&client, libc::SHUT_WR)?;
    same!(errno(sys::send_to(&client, b"x", None, libc::MSG_NOSIGNAL)), libc::EPIPE);
    let other = sys::socket(DATAGRAM)?;
    sys::send_to(&other, b"fine", Some(&name), 0)?;
    sys::shutdown(&server, libc::SHUT_RD)?;
    same!(errno(sys::send_to(&other, b"x", Some(&name), libc::MSG_NOSIGNAL)), libc::EPIPE);
    same!(sys::receive_from(&server, &mut [0; 8], 0)?.0, 4);
    same!(sys::receive_from(&server, &mut [0; 8], 0)?.0, 0);
    Ok(())
}
