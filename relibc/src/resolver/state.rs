//! `struct __res_state`, which programs read and change: the thread's `_res`, and those of `res_ninit`. resolver(3).

use super::config;
use crate::{heap, thread};
use core::ffi::{c_char, c_int, c_ulong, c_void};
use core::ptr;
use libc::{sockaddr_in, sockaddr_in6};

/// Servers, at most.
pub const SERVERS: usize = 3;
/// Domains to search, at most.
pub const DOMAINS: usize = 6;

/// The resolver is set up.
pub const RES_INIT: c_ulong = 1;
/// Ask by TCP.
pub const RES_USEVC: c_ulong = 8;
/// Take answers that are cut off.
pub const RES_IGNTC: c_ulong = 0x20;
/// The server is to ask others.
pub const RES_RECURSE: c_ulong = 0x40;
/// Put the domain behind names without a dot.
pub const RES_DEFNAMES: c_ulong = 0x80;
/// Search the domains for other names too.
pub const RES_DNSRCH: c_ulong = 0x200;
/// Begin with another server each time.
pub const RES_ROTATE: c_ulong = 0x4000;
/// Say that long answers are taken by UDP too. RFC 6891.
pub const RES_USE_EDNS0: c_ulong = 0x0010_0000;
/// Do not try names without a dot as they are.
pub const RES_NOTLDQUERY: c_ulong = 0x0100_0000;
/// Ask for authenticated data, and believe the server's word.
pub const RES_TRUSTAD: c_ulong = 0x0400_0000;

/// `struct __res_state`.
#[repr(C)]
pub struct State {
    /// Seconds to wait for the first answer.
    pub retrans: c_int,
    /// How often each server is asked.
    pub retry: c_int,
    /// See the constants.
    pub options: c_ulong,
    /// Servers in `servers`.
    pub nscount: c_int,
    /// Their IPv4 addresses; family 0: see `servers6`.
    pub servers: [sockaddr_in; SERVERS],
    /// The last message's id.
    pub id: u16,
    /// Where searched domains stand, in `names`; then null.
    pub domains: [*mut c_char; DOMAINS + 1],
    /// Their text.
    pub names: [c_char; 256],
    pfcode: c_ulong,
    /// Bits 0 to 3: dots that a name has to have to be tried as it is first.
    pub ndots: u32,
    sort_list: [u32; 20],
    hooks: [usize; 2],
    /// The error.
    pub h_errno: c_int,
    vcsock: c_int,
    flags: u32,
    nscount_2: u16,
    nsmap: [u16; SERVERS],
    nssocks: [c_int; SERVERS],
    nscount6: u16,
    nsinit: u16,
    /// Their IPv6 addresses, in memory of their own; null: see `servers`.
    pub servers6: [*mut sockaddr_in6; SERVERS],
    index: u64,
}

const _: () = assert!(size_of::<State>() == 568);
const _: () = assert!(core::mem::offset_of!(State, h_errno) == 496 && core::mem::offset_of!(State, servers6) == 536);

/// The calling thread's state, set up if it was not. Null when memory is exhausted.
pub fn current() -> *mut State {
    let state = own();
    // SAFETY: the state is the thread's own.
    unsafe {
        if !state.is_null() && (*state).options & RES_INIT == 0 {
            config::set_up(&mut *state);
        }
    }
    state
}

fn own() -> *mut State {
    // SAFETY: the calling thread's block is alive, and the field is its alone.
    unsafe {
        let place = &raw mut (*thread::current()).resolver;
        if (*place).is_null() {
            *place = heap::allocate_zeroed(size_of::<State>()).cast();
        }
        *place
    }
}

/// Frees the state of a thread that ends.
///
/// # Safety
/// Nobody uses it any more.
pub unsafe fn release(state: *mut State) {
    if !state.is_null() {
        __res_nclose(state);
        heap::release(state.cast());
    }
}

/// Sets the thread's `h_errno`.
pub fn set_error(error: c_int) {
    // SAFETY: as in `own`.
    unsafe { (*thread::current()).h_errno = error };
}

c_api! {
    /// The thread's `h_errno`. gethostbyname(3).
    fn __h_errno_location() -> *mut c_int { &raw mut (*thread::current()).h_errno }

    /// The thread's `_res`. resolver(3).
    fn __res_state() -> *mut State { own() }

    /// Reads the configuration into the thread's state. resolver(3).
    fn __res_init() -> c_int {
        let state = own();
        if state.is_null() { -1 } else { __res_ninit(state) }
    }

    /// Reads the configuration into a state. resolver(3).
    fn __res_ninit(state: *mut State) -> c_int {
        if (*state).options & RES_INIT != 0 {
            __res_nclose(state);
        }
        config::set_up(&mut *state);
        0
    }

    /// Gives back what a state holds. resolver(3).
    fn __res_nclose(state: *mut State) {
        if (*state).options & RES_INIT == 0 {
            return;
        }
        for server in &mut (*state).servers6 {
            heap::release(core::mem::replace(server, ptr::null_mut()).cast::<c_void>().cast());
        }
    }
}
