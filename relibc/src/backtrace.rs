//! `execinfo.h`: backtrace(3). The walk is done by the unwinder that the program brings (libgcc_s); without one there are no frames.

use crate::heap::c_malloc;
use crate::ld::{dl, find};
use crate::{string, sys};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::{mem, ptr};

type GetIp = unsafe extern "C" fn(*mut c_void) -> usize;
type Trace = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;
type Backtrace = unsafe extern "C" fn(Trace, *mut c_void) -> c_int;

/// What the walk fills.
struct Walk {
    get_ip: GetIp,
    out: *mut *mut c_void,
    room: usize,
    count: usize,
    /// The first frame is `backtrace` itself.
    first: bool,
}

/// Called for each frame (_Unwind_Trace_Fn); 0 goes on, _URC_END_OF_STACK ends.
unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const END_OF_STACK: c_int = 5;
    let walk = &mut *walk.cast::<Walk>();
    if mem::take(&mut walk.first) {
        return GO_ON;
    }
    let ip = (walk.get_ip)(context);
    if walk.count == walk.room || ip == 0 {
        return END_OF_STACK;
    }
    *walk.out.add(walk.count) = ptr::with_exposed_provenance_mut(ip);
    walk.count += 1;
    GO_ON
}

/// `FILE(SYMBOL+0xOFFSET) [0xADDRESS]`, as glibc writes a frame.
unsafe fn describe(frame: *mut c_void) -> String {
    let mut info: libc::Dl_info = mem::zeroed();
    let address = frame.addr();
    if dl::dladdr(frame, &mut info) == 0 || info.dli_fname.is_null() {
        return format!("[{address:#x}]");
    }
    let text = |name| String::from_utf8_lossy(string::bytes(name)).into_owned();
    let file = text(info.dli_fname);
    let (name, base) =
        if info.dli_sname.is_null() { (String::new(), info.dli_fbase) } else { (text(info.dli_sname), info.dli_saddr) };
    format!("{file}({name}+{:#x}) [{address:#x}]", address.wrapping_sub(base.addr()))
}

c_api! {
    /// backtrace(3).
    fn backtrace(out: *mut *mut c_void, room: c_int) -> c_int {
        let (Some(walker), Some(get_ip)) = (find::find_loaded(b"_Unwind_Backtrace"), find::find_loaded(b"_Unwind_GetIP"))
        else {
            return 0;
        };
        // SAFETY: the unwinder's functions of these names have these types (Itanium C++ ABI: Exception Handling, 1.6; libgcc).
        let (walker, get_ip) =
            (mem::transmute::<*mut c_void, Backtrace>(walker), mem::transmute::<*mut c_void, GetIp>(get_ip));
        let mut walk = Walk { get_ip, out, room: room.max(0) as usize, count: 0, first: true };
        walker(step, (&raw mut walk).cast());
        walk.count as c_int
    }

    /// backtrace_symbols(3).
    fn backtrace_symbols(frames: *const *mut c_void, count: c_int) -> *mut *mut core::ffi::c_char {
        let texts: Vec<String> = (0..count.max(0) as usize).map(|index| describe(*frames.add(index))).collect();
        let table = texts.len() * size_of::<*mut u8>();
        let block = c_malloc(table + texts.iter().map(|text| text.len() + 1).sum::<usize>()).cast::<u8>();
        if block.is_null() {
            return ptr::null_mut();
        }
        let mut at = block.add(table);
        for (index, text) in texts.iter().enumerate() {
            *block.cast::<*mut u8>().add(index) = at;
            string::memcpy(at.cast(), text.as_ptr().cast(), text.len());
            *at.add(text.len()) = 0;
            at = at.add(text.len() + 1);
        }
        block.cast()
    }

    /// backtrace_symbols_fd(3).
    fn backtrace_symbols_fd(frames: *const *mut c_void, count: c_int, fd: c_int) {
        for index in 0..count.max(0) as usize {
            let mut line = describe(*frames.add(index));
            line.push('\n');
            sys::write(fd, line.as_ptr().cast(), line.len());
        }
    }
}
