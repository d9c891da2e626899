//! The server's side of NBD, as far as QEMU wants it: the fixed newstyle negotiation and simple replies.
//!
//! After "The NBD protocol", doc/proto.md of the project nbd. All numbers are big-endian.

use super::{State, lock};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

const GREETING: u64 = 0x4e42_444d_4147_4943;
const OPTION: u64 = 0x4948_4156_454f_5054;
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;

/// NBD_FLAG_FIXED_NEWSTYLE and NBD_FLAG_NO_ZEROES.
const HANDSHAKE: u16 = 3;
/// NBD_FLAG_HAS_FLAGS, _SEND_FLUSH and _SEND_FUA.
const EXPORT: u16 = 1 | 4 | 8;

const EXPORT_NAME: u32 = 1;
const ABORT: u32 = 2;
const GO: u32 = 7;
const ACK: u32 = 1;
const INFO: u32 = 3;
const UNSUPPORTED: u32 = (1 << 31) + 1;

/// NBD_CMD_FLAG_FUA.
const FUA: u16 = 1;
const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// The longest request and option, in bytes: QEMU's are shorter.
const LONGEST: u32 = 64 << 20;

/// Serves one connection to its end.
pub fn serve(mut stream: &UnixStream, state: &Mutex<State>) -> io::Result<()> {
    stream.write_all(&[&GREETING.to_be_bytes()[..], &OPTION.to_be_bytes(), &HANDSHAKE.to_be_bytes()].concat())?;
    number::<4>(&mut stream)?;
    let len = lock(state).store.len();
    while !option(stream, len)? {}
    while request(stream, state)? {}
    Ok(())
}

/// One number of the stream.
fn number<const BYTES: usize>(stream: &mut &UnixStream) -> io::Result<u64> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes[8 - BYTES..])?;
    Ok(u64::from_be_bytes(bytes))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn bytes(stream: &mut &UnixStream, len: u32) -> io::Result<Vec<u8>> {
    if len > LONGEST {
        return Err(broken("too long"));
    }
    let mut bytes = vec![0; len as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Answers one option. True if requests follow.
fn option(mut stream: &UnixStream, len: u64) -> io::Result<bool> {
    if number::<8>(&mut stream)? != OPTION {
        return Err(broken("no option"));
    }
    let option = number::<4>(&mut stream)? as u32;
    let size = number::<4>(&mut stream)? as u32;
    bytes(&mut stream, size)?;
    let reply = |kind: u32, data: &[u8]| {
        let head = [&OPTION_REPLY.to_be_bytes()[..], &option.to_be_bytes(), &kind.to_be_bytes()].concat();
        [&head[..], &(data.len() as u32).to_be_bytes(), data].concat()
    };
    let export = [&len.to_be_bytes()[..], &EXPORT.to_be_bytes()].concat();
    match option {
        EXPORT_NAME => {
            stream.write_all(&export)?;
            Ok(true)
        }
        GO => {
            // Information 0 is the export, 3 its block sizes: least, preferred, greatest.
            stream.write_all(&reply(INFO, &[&[0, 0], &export[..]].concat()))?;
            let sizes: Vec<u8> = [512_u32, 4096, 32 << 20].iter().flat_map(|size| size.to_be_bytes()).collect();
            stream.write_all(&reply(INFO, &[&[0, 3], &sizes[..]].concat()))?;
            stream.write_all(&reply(ACK, &[]))?;
            Ok(true)
        }
        ABORT => {
            stream.write_all(&reply(ACK, &[]))?;
            Err(broken("the client wants no more"))
        }
        _ => {
            stream.write_all(&reply(UNSUPPORTED, &[]))?;
            Ok(false)
        }
    }
}

/// Serves one request. False if the client said good-bye, or went after the power was off.
fn request(mut stream: &UnixStream, state: &Mutex<State>) -> io::Result<bool> {
    if number::<4>(&mut stream)? != u64::from(REQUEST) {
        return Err(broken("no request"));
    }
    let flags = number::<2>(&mut stream)? as u16;
    let kind = number::<2>(&mut stream)? as u16;
    let cookie = number::<8>(&mut stream)?;
    let offset = number::<8>(&mut stream)?;
    let len = number::<4>(&mut stream)? as u32;
    // A write's bytes follow, whether it is right or not.
    let mut data = if kind == 1 { bytes(&mut stream, len)? } else { Vec::new() };
    let mut state = lock(state);
    if state.off {
        drop(state);
        // A disk without power says nothing. QEMU must not take the end of the connection for an error that the guest hears of.
        return io::copy(&mut stream, &mut io::sink()).map(|_| false);
    }
    let store = &mut state.store;
    let status = |result: io::Result<()>| if result.is_ok() { 0 } else { EIO };
    let error = match kind {
        0 | 1 if len > LONGEST || !store.holds(offset, len as usize) => EINVAL,
        0 => {
            data = vec![0; len as usize];
            status(store.read(offset, &mut data))
        }
        1 => {
            let written = store.write(offset, &data);
            let forced = if flags & FUA != 0 { store.force(offset, data.len()) } else { Ok(()) };
            status(written.and(forced))
        }
        2 => return Ok(false),
        3 => status(store.flush()),
        _ => EINVAL,
    };
    drop(state);
    let mut answer = [&REPLY.to_be_bytes()[..], &error.to_be_bytes(), &cookie.to_be_bytes()].concat();
    if kind == 0 && error == 0 {
        answer.extend(data);
    }
    stream.write_all(&answer)?;
    Ok(true)
}
