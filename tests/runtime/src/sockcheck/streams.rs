//! listen(2), accept(2) and connect(2) of the connected kinds.

use crate::unique;
use runtime_tests::sys;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

checks!("streams": both_kinds, queue_is_bounded, connect_waits_for_room, accept_waits, timeouts, readiness, listener_closes, states, shut_listener, credentials, many);

const STREAM: i32 = libc::SOCK_STREAM;
const NONBLOCK: i32 = libc::SOCK_NONBLOCK;

fn listener(what: &str, kind: i32, backlog: i32) -> Result<(OwnedFd, Vec<u8>)> {
    let name = unique(what);
    let server = sys::socket(kind)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, backlog)?;
    Ok((server, name))
}

fn both_kinds() -> Result {
    for kind in [STREAM, libc::SOCK_SEQPACKET] {
        let (server, name) = listener(&format!("kind{kind}"), kind, 1)?;
        let client = sys::socket(kind)?;
        sys::connect(&client, &name)?;
        // What is sent before anybody accepts waits.
        sys::send_to(&client, b"one", None, 0)?;
        sys::send_to(&client, b"two", None, 0)?;
        let (end, _) = sys::accept(&server, libc::SOCK_CLOEXEC | NONBLOCK)?;
        ensure!(sys::closes_on_exec(&end)?);
        let mut buffer = [0; 16];
        let whole = if kind == STREAM { 6 } else { 3 };
        same!(sys::receive_from(&end, &mut buffer, 0)?.0, whole);
        if kind != STREAM {
            same!(sys::receive_from(&end, &mut buffer[..2], libc::MSG_TRUNC)?.0, 3);
        }
        same!(errno(sys::receive_from(&end, &mut buffer, 0)), libc::EAGAIN);
        sys::send_to(&end, b"back", None, 0)?;
        same!(sys::receive_from(&client, &mut buffer, 0)?.0, 4);
        same!(sys::option(&server, libc::SO_ACCEPTCONN)?, 1);
        same!(sys::option(&end, libc::SO_ACCEPTCONN)?, 0);
        same!(sys::option(&end, libc::SO_TYPE)?, kind);
        same!(sys::option(&end, libc::SO_DOMAIN)?, libc::AF_UNIX);
        drop(end);
        same!(sys::receive_from(&client, &mut buffer, 0)?.0, 0);
        same!(errno(sys::send_to(&client, b"x", None, libc::MSG_NOSIGNAL)), libc::EPIPE);
    }
    Ok(())
}

fn queue_is_bounded() -> Result {
    let (server, name) = listener("bounded", STREAM, 2)?;
    let mut clients = Vec::new();
    let refused = loop {
        let client = sys::socket(STREAM | NONBLOCK)?;
        match sys::connect(&client, &name) {
            Ok(()) => clients.push(client),
            Err(error) => break error.raw_os_error(),
        }
        ensure!(clients.len() < 100);
    };
    // Linux lets one more than the backlog wait.
    same!((refused, clients.len()), (Some(libc::EAGAIN), 3));
    sys::accept(&server, 0)?;
    sys::connect(&sys::socket(STREAM | NONBLOCK)?, &name)?;
    // A greater backlog makes room at once.
    same!(errno(sys::connect(&sys::socket(STREAM | NONBLOCK)?, &name)), libc::EAGAIN);
    sys::listen(&server, 20)?;
    sys::connect(&sys::socket(STREAM | NONBLOCK)?, &name)?;
    Ok(())
}

fn connect_waits_for_room() -> Result {
    let (server, name) = listener("room", STREAM, 0)?;
    let first = sys::socket(STREAM)?;
    sys::connect(&first, &name)?;
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| sys::socket(STREAM).and_then(|client| sys::connect(&client, &name)));
        std::thread::sleep(Duration::from_millis(30));
        ensure!(!waiting.is_finished());
        sys::accept(&server, 0)?;
        match waiting.join() {
            Ok(result) => result?,
            Err(_) => Err("the connecting thread panicked")?,
        }
        Ok(())
    })
}

fn accept_waits() -> Result {
    let (server, name) = listener("waits", STREAM, 8)?;
    std::thread::scope(|scope| -> Result {
        let accepting: Vec<_> = (0..4).map(|_| scope.spawn(|| sys::accept(&server, 0).map(drop))).collect();
        std::thread::sleep(Duration::from_millis(20));
        for _ in 0..4 {
            sys::connect(&sys::socket(STREAM)?, &name)?;
        }
        for thread in accepting {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

fn timeouts() -> Result {
    let (server, name) = listener("timeouts", STREAM, 0)?;
    sys::set_timeout(&server, libc::SO_RCVTIMEO, Duration::from_millis(40))?;
    let start = Instant::now();
    same!(errno(sys::accept(&server, 0)), libc::EAGAIN);
    ensure!(start.elapsed() >= Duration::from_millis(35));
    let first = sys::socket(STREAM)?;
    sys::connect(&first, &name)?;
    let second = sys::socket(STREAM)?;
    sys::set_timeout(&second, libc::SO_SNDTIMEO, Duration::from_millis(40))?;
    same!(errno(sys::connect(&second, &name)), libc::EAGAIN);
    // It is not connected, and may try again.
    sys::accept(&server, 0)?;
    sys::connect(&second, &name)?;
    Ok(())
}

fn readiness() -> Result {
    let (server, name) = listener("readiness", STREAM, 4)?;
    let asked = libc::POLLIN | libc::POLLOUT;
    same!(sys::poll(&server, asked, 0)?, 0);
    let client = sys::socket(STREAM)?;
    sys::connect(&client, &name)?;
    same!(sys::poll(&client, asked, 0)?, libc::POLLOUT);
    same!(sys::poll(&server, asked, 1000)?, libc::POLLIN);
    let (end, _) = sys::accept(&server, 0)?;
    same!(sys::poll(&server, asked, 0)?, 0);
    same!(sys::poll(&end, asked, 0)?, libc::POLLOUT);
    sys::send_to(&client, b"x", None, 0)?;
    same!(sys::poll(&end, asked, 0)?, asked);
    drop(client);
    same!(sys::poll(&end, asked, 0)?, asked | libc::POLLHUP);
    // A thread that waits in poll learns of a connection.
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| sys::poll(&server, asked, 10_000));
        std::thread::sleep(Duration::from_millis(20));
        sys::connect(&sys::socket(STREAM)?, &name)?;
        same!(waiting.join().map_err(|_| "a thread panicked")??, libc::POLLIN);
        Ok(())
    })
}

fn listener_closes() -> Result {
    let (server, name) = listener("closes", STREAM, 0)?;
    let queued = sys::socket(STREAM)?;
    sys::connect(&queued, &name)?;
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| sys::socket(STREAM).and_then(|client| sys::connect(&client, &name)));
        std::thread::sleep(Duration::from_millis(20));
        drop(server);
        same!(errno(waiting.join().map_err(|_| "a thread panicked")?), libc::ECONNREFUSED);
        Ok(())
    })?;
    same!(errno(sys::receive_from(&queued, &mut [0; 4], 0)), libc::ECONNRESET);
    same!(sys::receive_from(&queued, &mut [0; 4], 0)?.0, 0);
    Ok(())
}

fn states() -> Result {
    let (server, name) = listener("states", STREAM, 4)?;
    same!(errno(sys::connect(&server, &name)), libc::EINVAL);
    let client = sys::socket(STREAM)?;
    sys::connect(&client, &name)?;
    same!(errno(sys::connect(&client, &name)), libc::EISCONN);
    same!(errno(sys::listen(&client, 1)), libc::EINVAL);
    same!(errno(sys::accept(&client, 0)), libc::EINVAL);
    same!(errno(sys::send_to(&client, b"x", Some(&name), 0)), libc::EISCONN);
    let (one, other) = sys::socket_pair(STREAM)?;
    same!(errno(sys::connect(&one, &name)), libc::EISCONN);
    same!(sys::name(&other, true)?, b"");
    // One that failed to connect may listen.
    let again = sys::socket(STREAM)?;
    same!(errno(sys::connect(&again, &unique("nobody"))), libc::ECONNREFUSED);
    sys::bind(&again, &unique("again"))?;
    sys::listen(&again, 1)?;
    // A connected socket can have a name, too.
    sys::bind(&client, &unique("client"))?;
    let (end, _) = sys::accept(&server, 0)?;
    same!(sys::name(&end, true)?, unique("client"));
    Ok(())
}

fn shut_listener() -> Result {
    let (server, name) = listener("shut", STREAM, 4)?;
    let queued = sys::socket(STREAM)?;
    sys::connect(&queued, &name)?;
    std::thread::scope(|scope| -> Result {
        sys::accept(&server, 0)?;
        let waiting = scope.spawn(|| sys::accept(&server, 0).map(drop));
        std::thread::sleep(Duration::from_millis(20));
        sys::shutdown(&server, libc::SHUT_RD)?;
        same!(errno(waiting.join().map_err(|_| "a thread panicked")?), libc::EINVAL);
        Ok(())
    })?;
    same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::ECONNREFUSED);
    Ok(())
}

fn credentials() -> Result {
    let (server, name) = listener("credentials", STREAM, 4)?;
    let me = std::process::id() as i32;
    let pid = sys::fork(|| {
        let done = sys::socket(STREAM).and_then(|client| {
            sys::connect(&client, &name)?;
            // The one who listens.
            let (pid, ..) = sys::peer_credentials(&client)?;
            sys::receive_from(&client, &mut [0; 1], 0)?;
            Ok(pid)
        });
        i32::from(done.ok() != Some(me))
    })?;
    let (end, _) = sys::accept(&server, 0)?;
    same!(sys::peer_credentials(&end)?.0, pid);
    same!(sys::peer_credentials(&end)?.1, sys::user());
    drop(end);
    same!(sys::wait(pid, 0)?, sys::Ended::Status(0));
    Ok(())
}

fn many() -> Result {
    let (server, name) = listener("many", STREAM, 64)?;
    std::thread::scope(|scope| -> Result {
        let clients: Vec<_> = (0..8u8)
            .map(|thread| {
                let name = &name;
                scope.spawn(move || -> std::io::Result<u64> {
                    let mut sum = 0;
                    for n in 0..50u8 {
                        let client = sys::socket(STREAM)?;
                        sys::connect(&client, name)?;
                        sys::send_to(&client, &[thread, n], None, 0)?;
                        let mut answer = [0; 1];
                        sys::receive_from(&client, &mut answer, libc::MSG_WAITALL)?;
                        sum += u64::from(answer[0]);
                    }
                    Ok(sum)
                })
            })
            .collect();
        for _ in 0..8 * 50 {
            let (end, _) = sys::accept(&server, 0)?;
            let mut question = [0; 2];
            same!(sys::receive_from(&end, &mut question, libc::MSG_WAITALL)?.0, 2);
            sys::send_to(&end, &[question[0] + question[1]], None, 0)?;
        }
        let mut total = 0;
        for client in clients {
            total += client.join().map_err(|_| "a thread panicked")??;
        }
        same!(total, 50 * 28 + 8 * 1225);
        Ok(())
    })
}
