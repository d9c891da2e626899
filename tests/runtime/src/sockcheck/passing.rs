//! SCM_RIGHTS, SCM_CREDENTIALS and the flags of recvmsg(2), over sockets that met by name.

use crate::unique;
use runtime_tests::sys;
use runtime_tests::{Result, checks, ensure, same};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};

checks!("passing": files, files_cut_short, close_on_exec, credentials, by_datagram, unaccepted, itself);

fn connected(what: &str, kind: i32) -> Result<(OwnedFd, OwnedFd)> {
    let name = unique(what);
    let server = sys::socket(kind)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, 1)?;
    let client = sys::socket(kind)?;
    sys::connect(&client, &name)?;
    Ok((client, sys::accept(&server, libc::SOCK_CLOEXEC)?.0))
}

fn temporary(what: &str) -> Result<File> {
    let path = std::env::temp_dir().join(format!("sockcheck-{}-{what}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn files() -> Result {
    let (client, server) = connected("files", libc::SOCK_STREAM)?;
    let mut file = temporary("files")?;
    file.write_all(b"across")?;
    same!(sys::send_files(&client, b"x", &[file.as_raw_fd(), client.as_raw_fd()], 0)?, 1);
    let mut buffer = [0; 4];
    let message = sys::receive_message(&server, &mut buffer, 256, 0)?;
    same!((message.len, message.files.len(), message.flags & libc::MSG_CTRUNC), (1, 2, 0));
    let mut files = message.files.into_iter().map(File::from);
    let mut text = String::new();
    let mut received = files.next().ok_or("no file")?;
    // The same open file: with one position.
    same!(received.stream_position()?, 6);
    received.seek(SeekFrom::Start(0))?;
    received.read_to_string(&mut text)?;
    same!(text, "across");
    // The client's own end came along.
    drop(client);
    let other = files.next().ok_or("no socket")?;
    sys::send_to(&other, b"me", None, 0)?;
    same!(sys::receive_from(&server, &mut buffer, 0)?.0, 2);
    drop(other);
    same!(sys::receive_from(&server, &mut buffer, 0)?.0, 0);
    Ok(())
}

fn files_cut_short() -> Result {
    let (client, server) = connected("short", libc::SOCK_SEQPACKET)?;
    let (reader, writer) = std::io::pipe()?;
    sys::send_files(&client, b"x", &[writer.as_raw_fd(); 4], 0)?;
    drop(writer);
    // Room for one header and two descriptors.
    let message = sys::receive_message(&server, &mut [0; 4], 24, 0)?;
    same!((message.files.len(), message.flags & libc::MSG_CTRUNC), (2, libc::MSG_CTRUNC));
    sys::send_files(&client, b"x", &[reader.as_raw_fd()], 0)?;
    let without = sys::receive_message(&server, &mut [0; 4], 0, 0)?;
    same!((without.files.len(), without.flags & libc::MSG_CTRUNC), (0, libc::MSG_CTRUNC));
    // Those that found no room are closed: nobody can write any more.
    drop(message);
    let mut reader = reader;
    same!(reader.read(&mut [0; 1])?, 0);
    Ok(())
}

fn close_on_exec() -> Result {
    let (client, server) = connected("cloexec", libc::SOCK_STREAM)?;
    for (flags, closes) in [(0, false), (libc::MSG_CMSG_CLOEXEC, true)] {
        sys::send_files(&client, b"x", &[client.as_raw_fd()], 0)?;
        let message = sys::receive_message(&server, &mut [0; 4], 64, flags)?;
        same!(message.files.len(), 1);
        same!(sys::closes_on_exec(&message.files[0])?, closes);
    }
    Ok(())
}

fn credentials() -> Result {
    let name = unique("credentials");
    let server = sys::socket(libc::SOCK_STREAM)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, 1)?;
    sys::set_option(&server, libc::SO_PASSCRED, 1)?;
    let client = sys::socket(libc::SOCK_STREAM)?;
    sys::connect(&client, &name)?;
    // Asked for before anybody accepted: the queued connection has the option already.
    sys::send_to(&client, b"x", None, 0)?;
    let (end, _) = sys::accept(&server, 0)?;
    same!(sys::option(&end, libc::SO_PASSCRED)?, 1);
    let message = sys::receive_message(&end, &mut [0; 4], 64, 0)?;
    let (pid, uid, _) = message.credentials.ok_or("no credentials")?;
    same!((pid, uid), (std::process::id() as i32, sys::user()));
    // Not to those who did not ask.
    sys::send_to(&end, b"x", None, 0)?;
    ensure!(sys::receive_message(&client, &mut [0; 4], 64, 0)?.credentials.is_none());
    Ok(())
}

fn by_datagram() -> Result {
    let name = unique("datagram");
    let server = sys::socket(libc::SOCK_DGRAM)?;
    sys::bind(&server, &name)?;
    sys::set_option(&server, libc::SO_PASSCRED, 1)?;
    let client = sys::socket(libc::SOCK_DGRAM)?;
    sys::connect(&client, &name)?;
    let (mut reader, writer) = std::io::pipe()?;
    sys::send_files(&client, b"", &[writer.as_raw_fd()], 0)?;
    drop(writer);
    let message = sys::receive_message(&server, &mut [0; 4], 128, 0)?;
    same!((message.len, message.files.len()), (0, 1));
    same!(message.credentials.map(|(pid, ..)| pid), Some(std::process::id() as i32));
    drop(message);
    same!(reader.read(&mut [0; 1])?, 0);
    Ok(())
}

fn unaccepted() -> Result {
    // Files in a connection that nobody accepts go with it.
    let name = unique("unaccepted");
    let server = sys::socket(libc::SOCK_STREAM)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, 1)?;
    let client = sys::socket(libc::SOCK_STREAM)?;
    sys::connect(&client, &name)?;
    let (mut reader, writer) = std::io::pipe()?;
    sys::send_files(&client, b"x", &[writer.as_raw_fd()], 0)?;
    drop(writer);
    drop(server);
    same!(reader.read(&mut [0; 1])?, 0);
    Ok(())
}

fn itself() -> Result {
    // A socket in its own inbox is nobody's: more of them than descriptors are allowed must not matter.
    for n in 0..2000 {
        let (client, server) = connected(&format!("itself{n}"), libc::SOCK_STREAM)?;
        sys::send_files(&client, b"x", &[server.as_raw_fd()], 0)?;
        sys::send_files(&server, b"x", &[client.as_raw_fd()], 0)?;
    }
    Ok(())
}
