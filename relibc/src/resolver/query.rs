//! Queries: made, sent to one server after the other, and searched through the domains. resolver(3), RFC 1035, 7.

use super::error::{HOST_NOT_FOUND, NETDB_INTERNAL, NO_DATA, NO_RECOVERY, TRY_AGAIN};
use super::message::HEADER;
use super::state::{
    self, RES_DEFNAMES, RES_DNSRCH, RES_IGNTC, RES_NOTLDQUERY, RES_RECURSE, RES_ROTATE, RES_TRUSTAD, RES_USE_EDNS0,
    RES_USEVC, State,
};
use super::transport::{CUT_OFF, Server, by_tcp, by_udp};
use super::{message, name};
use crate::{errno, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uchar};
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A standard query, and the notice of a change. RFC 1035, 4.1.1; RFC 1996.
const QUERY: c_int = 0;
const NOTIFY: c_int = 4;
/// Answers' codes.
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;
/// The bytes of UDP answers that EDNS lets a server send; few enough for any path.
const EDNS_SIZE: u16 = 1200;

/// Makes a query for a name's records. None if the name is none.
pub fn make(state: &mut State, op: c_int, name: &[u8], class: u16, kind: u16) -> Option<Vec<u8>> {
    let mut id = [0; 2];
    // SAFETY: the place is ours. Without random bytes the id is the one before, which a check of the question makes up for.
    if unsafe { sys::getrandom(id.as_mut_ptr().cast(), id.len(), libc::GRND_NONBLOCK as u32) } == 2 {
        state.id = u16::from_ne_bytes(id);
    }
    let mut query = Vec::from(state.id.to_be_bytes());
    let recurse = u8::from(state.options & RES_RECURSE != 0);
    let trust = if state.options & RES_TRUSTAD != 0 { 0x20 } else { 0 };
    query.extend_from_slice(&[(op as u8) << 3 | recurse, trust, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend_from_slice(&name::labels(name).ok()?);
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&class.to_be_bytes());
    Some(query)
}

/// The servers, in the order in which they are asked.
unsafe fn servers(state: &State) -> Vec<Server> {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let count = usize::try_from(state.nscount).unwrap_or(0).min(state::SERVERS);
    let mut servers: Vec<Server> = (0..count)
        .filter_map(|index| match state.servers[index].sin_family {
            0 => state.servers6[index].as_ref().map(|address| Server::V6(*address)),
            _ => Some(Server::V4(state.servers[index])),
        })
        .collect();
    if state.options & RES_ROTATE != 0 && !servers.is_empty() {
        let turn = TURN.fetch_add(1, Ordering::Relaxed) % servers.len();
        servers.rotate_left(turn);
    }
    servers
}

/// Sends a query and waits for an answer.
///
/// # Errors
/// An errno: ECONNREFUSED if no server listens, ETIMEDOUT if none answers to any purpose.
pub unsafe fn send(state: &State, query: &[u8]) -> Result<Vec<u8>, c_int> {
    let servers = servers(state);
    if servers.is_empty() {
        return Err(libc::ESRCH);
    }
    let mut refused = true;
    for attempt in 0..state.retry.clamp(1, 5) {
        // As in glibc: twice as long with each attempt, which the servers share.
        let mut seconds = i64::from(state.retrans.clamp(1, 30)) << attempt;
        if attempt > 0 {
            seconds = (seconds / servers.len() as i64).max(1);
        }
        for server in &servers {
            let mut outcome = match state.options & RES_USEVC {
                0 => by_udp(server, query, seconds * 1000),
                _ => by_tcp(server, query, seconds * 1000),
            };
            let cut = outcome.as_ref().is_ok_and(|answer| answer[2] & CUT_OFF != 0);
            if cut && state.options & (RES_USEVC | RES_IGNTC) == 0 {
                outcome = by_tcp(server, query, seconds * 1000);
            }
            match outcome {
                Ok(answer) if matches!(answer[3] & 0xf, SERVFAIL | NOTIMP | REFUSED) => refused = false,
                Ok(answer) => return Ok(answer),
                Err(error) => refused &= error == libc::ECONNREFUSED,
            }
        }
    }
    Err(if refused { libc::ECONNREFUSED } else { libc::ETIMEDOUT })
}

/// Asks for a name's records. The answer has some.
///
/// # Errors
/// What `h_errno` is to be.
pub unsafe fn ask(state: &mut State, name: &[u8], class: u16, kind: u16) -> Result<Vec<u8>, c_int> {
    let Some(mut query) = make(state, QUERY, name, class, kind) else { return Err(NO_RECOVERY) };
    if state.options & RES_USE_EDNS0 != 0 {
        query[HEADER - 1] = 1;
        query.extend_from_slice(&[0, 0, 41]);
        query.extend_from_slice(&EDNS_SIZE.to_be_bytes());
        query.extend_from_slice(&[0; 6]);
    }
    let answer = send(state, &query).map_err(|error| {
        errno::set(error);
        TRY_AGAIN
    })?;
    match answer[3] & 0xf {
        0 if message::half(&answer, 6) != Some(0) => Ok(answer),
        0 => Err(NO_DATA),
        NXDOMAIN => Err(HOST_NOT_FOUND),
        SERVFAIL => Err(TRY_AGAIN),
        _ => Err(NO_RECOVERY),
    }
}

/// Asks for a name's records, with the domains behind it if it has few dots.
///
/// # Errors
/// As [`ask`].
pub unsafe fn search(state: &mut State, name: &[u8], class: u16, kind: u16) -> Result<Vec<u8>, c_int> {
    let dots = name.iter().filter(|&&byte| byte == b'.').count();
    let absolute = name.ends_with(b".");
    let mut first = None;
    if dots >= (state.ndots & 0xf) as usize || absolute {
        match ask(state, name, class, kind) {
            Err(error) if !absolute => first = Some(error),
            other => return other,
        }
    }
    let (mut no_data, mut failed) = (false, false);
    let mut root = false;
    let mut searched = false;
    if dots == 0 && state.options & RES_DEFNAMES != 0 || dots > 0 && !absolute && state.options & RES_DNSRCH != 0 {
        for domain in state.domains.into_iter().take_while(|domain| !domain.is_null()) {
            searched = true;
            let domain = string::bytes(domain);
            let domain = domain.strip_prefix(b".").unwrap_or(domain);
            root |= domain.is_empty();
            let whole = if domain.is_empty() { name.to_vec() } else { [name, b".", domain].concat() };
            match ask(state, &whole, class, kind) {
                Ok(answer) => return Ok(answer),
                Err(NO_DATA) => no_data = true,
                Err(HOST_NOT_FOUND) => {}
                Err(TRY_AGAIN) if errno::get() == libc::ECONNREFUSED => return Err(TRY_AGAIN),
                Err(TRY_AGAIN) => failed = true,
                Err(_) => break,
            }
            if state.options & RES_DNSRCH == 0 {
                break;
            }
        }
    }
    let as_it_is = dots > 0 || !searched || state.options & RES_NOTLDQUERY == 0;
    if as_it_is && first.is_none() && !root {
        match ask(state, name, class, kind) {
            Ok(answer) => return Ok(answer),
            Err(error) if !searched => return Err(error),
            Err(_) => {}
        }
    }
    Err(match first {
        Some(error) => error,
        None if no_data => NO_DATA,
        None if failed => TRY_AGAIN,
        None => HOST_NOT_FOUND,
    })
}

/// Gives an answer to a program: its length, even if there is room for a part only.
unsafe fn give(state: &mut State, outcome: Result<Vec<u8>, c_int>, out: *mut c_uchar, room: c_int) -> c_int {
    match outcome {
        Ok(answer) => {
            let count = answer.len().min(usize::try_from(room).unwrap_or(0));
            out.copy_from_nonoverlapping(answer.as_ptr(), count);
            count as c_int
        }
        Err(error) => {
            state.h_errno = error;
            state::set_error(error);
            -1
        }
    }
}

/// Two numbers of 16 bits.
fn numbers(class: c_int, kind: c_int) -> Result<(u16, u16), c_int> {
    match (class.try_into(), kind.try_into()) {
        (Ok(class), Ok(kind)) => Ok((class, kind)),
        _ => Err(NO_RECOVERY),
    }
}

/// Runs `call` on the thread's state.
unsafe fn own(call: impl FnOnce(*mut State) -> c_int) -> c_int {
    let state = state::current();
    if state.is_null() {
        state::set_error(NETDB_INTERNAL);
        return -1;
    }
    call(state)
}

c_api! {
    /// Makes a query. resolver(3).
    fn res_nmkquery(
        state: *mut State, op: c_int, name: *const c_char, class: c_int, kind: c_int,
        _data: *const c_uchar, _len: c_int, _record: *const c_uchar, out: *mut c_uchar, room: c_int,
    ) -> c_int {
        let Ok((class, kind)) = numbers(class, kind) else { return -1 };
        if !matches!(op, QUERY | NOTIFY) {
            return -1;
        }
        match make(&mut *state, op, string::bytes(name), class, kind) {
            Some(query) if query.len() <= usize::try_from(room).unwrap_or(0) => {
                out.copy_from_nonoverlapping(query.as_ptr(), query.len());
                query.len() as c_int
            }
            _ => -1,
        }
    }

    /// [`res_nmkquery`] on the thread's state.
    fn res_mkquery(
        op: c_int, name: *const c_char, class: c_int, kind: c_int,
        data: *const c_uchar, len: c_int, record: *const c_uchar, out: *mut c_uchar, room: c_int,
    ) -> c_int {
        own(|state| res_nmkquery(state, op, name, class, kind, data, len, record, out, room))
    }

    /// Sends a message and waits for the answer. resolver(3).
    fn res_nsend(state: *mut State, query: *const c_uchar, len: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        let query = slice::from_raw_parts(query, usize::try_from(len).unwrap_or(0));
        if query.len() < HEADER || room < HEADER as c_int {
            return errno::fail(libc::EINVAL);
        }
        match send(&*state, query) {
            Ok(answer) => give(&mut *state, Ok(answer), out, room),
            Err(error) => errno::fail(error),
        }
    }

    /// [`res_nsend`] on the thread's state.
    fn res_send(query: *const c_uchar, len: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        own(|state| res_nsend(state, query, len, out, room))
    }

    /// Asks for a name's records. resolver(3).
    fn res_nquery(state: *mut State, name: *const c_char, class: c_int, kind: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        let state = &mut *state;
        let outcome = match numbers(class, kind) {
            Ok((class, kind)) => ask(state, string::bytes(name), class, kind),
            Err(error) => Err(error),
        };
        give(state, outcome, out, room)
    }

    /// [`res_nquery`] on the thread's state.
    fn res_query(name: *const c_char, class: c_int, kind: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        own(|state| res_nquery(state, name, class, kind, out, room))
    }

    /// Asks for a name's records, with the domains that are searched. resolver(3).
    fn res_nsearch(state: *mut State, name: *const c_char, class: c_int, kind: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        let state = &mut *state;
        let outcome = match numbers(class, kind) {
            Ok((class, kind)) => search(state, string::bytes(name), class, kind),
            Err(error) => Err(error),
        };
        give(state, outcome, out, room)
    }

    /// [`res_nsearch`] on the thread's state.
    fn res_search(name: *const c_char, class: c_int, kind: c_int, out: *mut c_uchar, room: c_int) -> c_int {
        own(|state| res_nsearch(state, name, class, kind, out, room))
    }
}
