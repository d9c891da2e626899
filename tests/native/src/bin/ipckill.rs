//! ipcd is killed: connections do not notice, and the names that sockets have already still lead to them.

use native_tests::{Result, check, pid_of, report};
use ochre_rt::syscall;
use ochre_scheme::abi::signal::SIGKILL;
use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::ExitCode;

/// init gives up a service that ends more often than this in ten seconds.
const ROUNDS: u8 = 4;

fn main() -> ExitCode {
    report("ipckill", run())
}

fn run() -> Result<()> {
    let name = SocketAddr::from_abstract_name("ipckill")?;
    let listener = UnixListener::bind_addr(&name)?;
    let (letters, letter_box) = (UnixDatagram::unbound()?, SocketAddr::from_abstract_name("ipckill-letters")?);
    let receiver = UnixDatagram::bind_addr(&letter_box)?;
    // One that is gone must not come back.
    drop(UnixListener::bind_addr(&SocketAddr::from_abstract_name("ipckill-gone")?)?);
    let mut client = UnixStream::connect_addr(&name)?;
    let (mut server, _) = listener.accept()?;
    for round in 0..ROUNDS {
        let pid = pid_of("ipcd")?;
        syscall::kill(pid, SIGKILL)?;
        // No server stands between the two.
        client.write_all(&[round])?;
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        check(byte == [round], "another byte came")?;
        let mut next = UnixStream::connect_addr(&name)?;
        let (mut accepted, _) = listener.accept()?;
        accepted.write_all(b"met")?;
        let mut text = [0; 3];
        next.read_exact(&mut text)?;
        letters.send_to_addr(&[round], &letter_box)?;
        receiver.recv(&mut byte)?;
        let taken = UnixListener::bind_addr(&name).map_err(|error| error.kind());
        check(matches!(taken, Err(ErrorKind::AddrInUse)), format!("binding a name that is taken: {taken:?}"))?;
        let gone = UnixStream::connect_addr(&SocketAddr::from_abstract_name("ipckill-gone")?);
        let gone = gone.map_err(|error| error.kind());
        check(matches!(gone, Err(ErrorKind::ConnectionRefused)), format!("a closed socket's name: {gone:?}"))?;
        check(pid_of("ipcd")? != pid, "the old ipcd is still there")?;
    }
    Ok(())
}
