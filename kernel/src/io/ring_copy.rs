//! One copy between user memory and a ring's frames, without the lock around the ring.

use super::Vectors;
use crate::user;
use hal::SpinLock;
use hal::mem::Frame;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::ring::{Piece, Ring};

fn own(piece: Piece<&Frame>) -> Piece<Frame> {
    Piece { chunk: piece.chunk.clone(), offset: piece.offset, len: piece.len }
}

/// Adds the frames that a reservation of `n` bytes needs, and reserves; ENOMEM.
pub fn reserve(ring: &mut Ring<Frame>, n: usize) -> Result<()> {
    for _ in 0..ring.missing(n) {
        ring.push_chunk(Frame::alloc_for_overwrite().ok_or(Errno::ENOMEM)?);
    }
    if ring.reserve(n) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Fills a reservation of `len` bytes from user memory. How many bytes were copied, and why not all.
pub fn fill<S>(
    state: &SpinLock<S>,
    ring: impl Fn(&S) -> &Ring<Frame>,
    from: &mut Vectors,
    len: usize,
) -> (usize, Result<()>) {
    let mut done = 0;
    while done < len {
        let Some(piece) = ring(&state.lock()).writable(done).map(own) else { break };
        let wanted = piece.len.min(len - done);
        let mut inside = 0;
        while let Some(part) = from.next(wanted - inside) {
            if let Err(error) = user::frame_in(&piece.chunk, piece.offset + inside, part.addr, part.len) {
                return (done, Err(error));
            }
            from.advance(part.len);
            inside += part.len;
            done += part.len;
        }
        if inside < wanted {
            break;
        }
    }
    (done, Ok(()))
}

/// Copies `len` bytes of the ring's data, from `skip` on, to user memory. How many bytes were copied, and why not all.
pub fn drain<S>(
    state: &SpinLock<S>,
    ring: impl Fn(&S) -> &Ring<Frame>,
    to: &mut Vectors,
    skip: usize,
    len: usize,
) -> (usize, Result<()>) {
    let mut done = 0;
    while done < len {
        let Some(piece) = ring(&state.lock()).readable(skip + done).map(own) else { break };
        let wanted = piece.len.min(len - done);
        let mut inside = 0;
        while let Some(part) = to.next(wanted - inside) {
            if let Err(error) = user::frame_out(part.addr, &piece.chunk, piece.offset + inside, part.len) {
                return (done, Err(error));
            }
            to.advance(part.len);
            inside += part.len;
            done += part.len;
        }
        if inside < wanted {
            break;
        }
    }
    (done, Ok(()))
}
