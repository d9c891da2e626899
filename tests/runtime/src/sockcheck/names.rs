//! bind(2), getsockname(2) and who may connect.

use crate::{file, path, unique};
use runtime_tests::sys::{self, as_user};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

checks!("names": of_both_kinds, taken, bound_once, freed_by_close, of_a_file, renamed_and_unlinked, chosen, wrong, permissions, none_yet);

const STREAM: i32 = libc::SOCK_STREAM;

fn of_both_kinds() -> Result {
    for name in [unique("both"), path("both")] {
        let server = sys::socket(STREAM)?;
        same!(sys::name(&server, false)?, b"");
        same!(errno(sys::name(&server, true)), libc::ENOTCONN);
        sys::bind(&server, &name)?;
        same!(sys::name(&server, false)?, name);
        sys::listen(&server, 1)?;
        let client = sys::socket(STREAM)?;
        sys::connect(&client, &name)?;
        same!(sys::name(&client, true)?, name);
        same!(sys::name(&client, false)?, b"");
        let (end, from) = sys::accept(&server, 0)?;
        same!(from, b"");
        same!(sys::name(&end, false)?, name);
        same!(sys::name(&end, true)?, b"");
        let _ = fs::remove_file(file(&name));
    }
    // A name without the NUL at its end gets one; an abstract one has any bytes.
    let name = path("nul");
    let server = sys::socket(STREAM)?;
    sys::bind(&server, &name[..name.len() - 1])?;
    same!(sys::name(&server, false)?, name);
    fs::remove_file(file(&name))?;
    let odd = [&unique("odd")[..], &[0, 255, b'/', 0]].concat();
    let server = sys::socket(STREAM)?;
    sys::bind(&server, &odd)?;
    same!(sys::name(&server, false)?, odd);
    sys::listen(&server, 1)?;
    same!(errno(sys::connect(&sys::socket(STREAM)?, &odd[..odd.len() - 1])), libc::ECONNREFUSED);
    sys::connect(&sys::socket(STREAM)?, &odd)?;
    Ok(())
}

fn taken() -> Result {
    for name in [unique("taken"), path("taken")] {
        let one = sys::socket(STREAM)?;
        sys::bind(&one, &name)?;
        let two = sys::socket(STREAM)?;
        same!(errno(sys::bind(&two, &name)), libc::EADDRINUSE);
        // It may have another.
        let other = [&name[..name.len() - usize::from(name[0] != 0)], b"2"].concat();
        sys::bind(&two, &other)?;
        let _ = (fs::remove_file(file(&name)), fs::remove_file(file(&other)));
    }
    let plain = path("plain");
    fs::write(file(&plain), "")?;
    same!(errno(sys::bind(&sys::socket(STREAM)?, &plain)), libc::EADDRINUSE);
    same!(errno(sys::connect(&sys::socket(STREAM)?, &plain)), libc::ECONNREFUSED);
    fs::remove_file(file(&plain))?;
    Ok(())
}

fn bound_once() -> Result {
    let socket = sys::socket(STREAM)?;
    sys::bind(&socket, &unique("once"))?;
    same!(errno(sys::bind(&socket, &unique("twice"))), libc::EINVAL);
    // The other name was not taken by that.
    sys::bind(&sys::socket(STREAM)?, &unique("twice"))?;
    Ok(())
}

fn freed_by_close() -> Result {
    let name = unique("freed");
    for _ in 0..3 {
        let socket = sys::socket(STREAM)?;
        sys::bind(&socket, &name)?;
        sys::listen(&socket, 1)?;
        drop(socket);
        same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::ECONNREFUSED);
    }
    // A file's stays, and leads nowhere.
    let name = path("stays");
    let socket = sys::socket(STREAM)?;
    sys::bind(&socket, &name)?;
    sys::listen(&socket, 1)?;
    drop(socket);
    same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::ECONNREFUSED);
    same!(errno(sys::bind(&sys::socket(STREAM)?, &name)), libc::EADDRINUSE);
    fs::remove_file(file(&name))?;
    same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::ENOENT);
    Ok(())
}

fn of_a_file() -> Result {
    let name = path("file");
    sys::umask(0o027);
    let socket = sys::socket(STREAM)?;
    sys::bind(&socket, &name)?;
    let metadata = fs::symlink_metadata(file(&name))?;
    ensure!(metadata.file_type().is_socket());
    same!(metadata.mode() & 0o777, 0o750);
    same!(errno(fs::File::open(file(&name))), libc::ENXIO);
    fs::remove_file(file(&name))?;
    Ok(())
}

fn renamed_and_unlinked() -> Result {
    let (name, other) = (path("renamed"), path("other"));
    let server = sys::socket(STREAM)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, 4)?;
    fs::rename(file(&name), file(&other))?;
    same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::ENOENT);
    let client = sys::socket(STREAM)?;
    sys::connect(&client, &other)?;
    // The socket's own name stays what it was bound to.
    same!(sys::name(&client, true)?, name);
    std::os::unix::fs::symlink(file(&other), file(&name))?;
    sys::connect(&sys::socket(STREAM)?, &name)?;
    fs::remove_file(file(&name))?;
    fs::remove_file(file(&other))?;
    sys::send_to(&client, b"still", None, 0)?;
    let (end, _) = sys::accept(&server, 0)?;
    let mut buffer = [0; 8];
    same!(sys::receive_from(&end, &mut buffer, 0)?.0, 5);
    Ok(())
}

fn chosen() -> Result {
    let (one, two) = (sys::socket(STREAM)?, sys::socket(STREAM)?);
    sys::bind(&one, b"")?;
    sys::bind(&two, b"")?;
    let (a, b) = (sys::name(&one, false)?, sys::name(&two, false)?);
    ensure!(a.len() == 6 && b.len() == 6 && a[0] == 0 && a != b);
    ensure!(a[1..].iter().all(u8::is_ascii_hexdigit));
    sys::bind(&one, b"")?;
    same!(sys::name(&one, false)?, a);
    sys::listen(&one, 1)?;
    sys::connect(&sys::socket(STREAM)?, &a)?;
    Ok(())
}

fn wrong() -> Result {
    let socket = sys::socket(STREAM)?;
    same!(errno(sys::connect(&socket, b"")), libc::EINVAL);
    same!(errno(sys::connect(&socket, b"/nowhere/at/all\0")), libc::ENOENT);
    same!(errno(sys::bind(&socket, b"/nowhere/at/all\0")), libc::ENOENT);
    same!(errno(sys::connect(&socket, &unique("nobody"))), libc::ECONNREFUSED);
    let plain = fs::File::open("/")?;
    same!(errno(sys::bind(&plain, &unique("x"))), libc::ENOTSOCK);
    same!(errno(sys::listen(&plain, 1)), libc::ENOTSOCK);
    same!(errno(sys::accept(&plain, 0)), libc::ENOTSOCK);
    same!(errno(sys::connect(&plain, &unique("x"))), libc::ENOTSOCK);
    same!(errno(sys::socket(77)), libc::EINVAL);
    same!(errno(sys::socket(6)), libc::ESOCKTNOSUPPORT);
    // Other kinds do not fit.
    let datagram = sys::socket(libc::SOCK_DGRAM)?;
    let name = path("datagram");
    sys::bind(&datagram, &name)?;
    same!(errno(sys::connect(&socket, &name)), libc::EPROTOTYPE);
    fs::remove_file(file(&name))?;
    // Abstract names are each type's own.
    let (one, two) = (sys::socket(STREAM)?, sys::socket(libc::SOCK_DGRAM)?);
    sys::bind(&one, &unique("own"))?;
    sys::bind(&two, &unique("own"))?;
    same!(errno(sys::connect(&sys::socket(libc::SOCK_SEQPACKET)?, &unique("own"))), libc::ECONNREFUSED);
    sys::connect(&sys::socket(libc::SOCK_DGRAM)?, &unique("own"))?;
    same!(errno(sys::listen(&datagram, 1)), libc::EOPNOTSUPP);
    same!(errno(sys::accept(&datagram, 0)), libc::EOPNOTSUPP);
    // Bound, but not listening.
    let bound = sys::socket(STREAM)?;
    sys::bind(&bound, &unique("bound"))?;
    same!(errno(sys::connect(&socket, &unique("bound"))), libc::ECONNREFUSED);
    Ok(())
}

fn permissions() -> Result {
    if sys::user() != 0 {
        return Ok(());
    }
    let name = path("closed");
    let server = sys::socket(STREAM)?;
    sys::bind(&server, &name)?;
    sys::listen(&server, 8)?;
    fs::set_permissions(file(&name), fs::Permissions::from_mode(0o755))?;
    as_user(1000, || {
        same!(errno(sys::connect(&sys::socket(STREAM)?, &name)), libc::EACCES);
        Ok(())
    })?;
    fs::set_permissions(file(&name), fs::Permissions::from_mode(0o722))?;
    as_user(1000, || Ok(sys::connect(&sys::socket(STREAM)?, &name)?))?;
    let (end, _) = sys::accept(&server, 0)?;
    let (_, uid, gid) = sys::peer_credentials(&end)?;
    same!((uid, gid), (1000, 1000));
    fs::remove_file(file(&name))?;
    Ok(())
}

fn none_yet() -> Result {
    let socket = sys::socket(STREAM)?;
    same!(errno(sys::accept(&socket, 0)), libc::EINVAL);
    same!(errno(sys::send_to(&socket, b"x", None, libc::MSG_NOSIGNAL)), libc::ENOTCONN);
    same!(errno(sys::send_to(&socket, b"x", Some(&unique("x")), libc::MSG_NOSIGNAL)), libc::EOPNOTSUPP);
    same!(errno(sys::receive_from(&socket, &mut [0; 4], 0)), libc::EINVAL);
    let packets = sys::socket(libc::SOCK_SEQPACKET)?;
    same!(errno(sys::receive_from(&packets, &mut [0; 4], 0)), libc::ENOTCONN);
    same!(sys::poll(&socket, libc::POLLIN | libc::POLLOUT, 0)?, libc::POLLOUT | libc::POLLHUP);
    same!(sys::poll(&sys::socket(libc::SOCK_DGRAM)?, libc::POLLIN | libc::POLLOUT, 0)?, libc::POLLOUT);
    same!(sys::peer_credentials(&socket)?, (0, u32::MAX, u32::MAX));
    Ok(())
}
