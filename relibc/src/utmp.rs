//! `utmp.h`, `utmpx.h`: who is logged in. utmp(5), getutent(3), getlogin(3), logwtmp(3), getusershell(3).

use crate::lock::Lock;
use crate::pwd::{name_of, read_file};
use crate::{errno, string, sys};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::{size_t, utmpx};

/// Where records are, and how far they were read.
struct State {
    path: Vec<u8>,
    fd: c_int,
    at: i64,
    /// The record read last, which stands before `at`.
    last: Option<utmpx>,
}

static STATE: Lock<State> = Lock::new(State { path: Vec::new(), fd: -1, at: 0, last: None });

const DEFAULT: &[u8] = b"/var/run/utmp\0";
const SIZE: usize = size_of::<utmpx>();

/// Where getutxent and its like put their answer.
struct Static(UnsafeCell<utmpx>);
// SAFETY: getutxent(3) is documented not to be thread-safe; all-zero is a valid record.
unsafe impl Sync for Static {}
// SAFETY: as above.
static STATIC: Static = Static(UnsafeCell::new(unsafe { core::mem::zeroed() }));

impl State {
    /// Opens the file if it is not; for reading alone if it may not be written.
    unsafe fn open(&mut self) -> Result<c_int, c_int> {
        if self.fd < 0 {
            let path = if self.path.is_empty() { DEFAULT } else { &self.path };
            let open =
                |flags| sys::result(sys::openat(libc::AT_FDCWD, path.as_ptr().cast(), flags | libc::O_CLOEXEC, 0));
            self.fd = open(libc::O_RDWR).or_else(|_| open(libc::O_RDONLY))? as c_int;
            self.at = 0;
        }
        Ok(self.fd)
    }

    unsafe fn close(&mut self) {
        if self.fd >= 0 {
            sys::close(self.fd);
        }
        self.fd = -1;
        self.at = 0;
        self.last = None;
    }

    /// The next record. ESRCH behind the last.
    unsafe fn next(&mut self, out: *mut utmpx) -> Result<(), c_int> {
        let fd = self.open()?;
        let len = sys::result(sys::pread(fd, out.cast(), SIZE, self.at))?;
        if len < SIZE {
            return Err(libc::ESRCH);
        }
        self.at += SIZE as i64;
        self.last = Some(out.read());
        Ok(())
    }

    /// The next record that is wanted.
    unsafe fn find(&mut self, out: *mut utmpx, wanted: impl Fn(&utmpx) -> bool) -> Result<(), c_int> {
        loop {
            self.next(out)?;
            if wanted(&*out) {
                return Ok(());
            }
        }
    }
}

/// Text in a field of fixed size.
fn text(field: &[c_char]) -> &[c_char] {
    let len = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..len]
}

/// Whether a record is the one that getutxid(3) looks for.
fn same_id(wanted: &utmpx, found: &utmpx) -> bool {
    const CLOCKS: [i16; 4] = [libc::RUN_LVL, libc::BOOT_TIME, libc::NEW_TIME, libc::OLD_TIME];
    const PROCESSES: [i16; 4] = [libc::INIT_PROCESS, libc::LOGIN_PROCESS, libc::USER_PROCESS, libc::DEAD_PROCESS];
    if CLOCKS.contains(&wanted.ut_type) {
        return found.ut_type == wanted.ut_type;
    }
    let ids = text(&wanted.ut_id);
    let same = if ids.is_empty() { text(&found.ut_line) == text(&wanted.ut_line) } else { text(&found.ut_id) == ids };
    PROCESSES.contains(&found.ut_type) && same
}

fn same_line(wanted: &utmpx, found: &utmpx) -> bool {
    matches!(found.ut_type, libc::LOGIN_PROCESS | libc::USER_PROCESS) && text(&found.ut_line) == text(&wanted.ut_line)
}

unsafe fn answer(result: Result<(), c_int>) -> *mut utmpx {
    match result {
        Ok(()) => STATIC.0.get(),
        Err(error) => {
            errno::set(error);
            ptr::null_mut()
        }
    }
}

/// A result with the place it was put to, as the `…_r` functions give it.
unsafe fn answer_r(done: Result<(), c_int>, out: *mut utmpx, result: *mut *mut utmpx) -> c_int {
    match done {
        Ok(()) => {
            *result = out;
            0
        }
        Err(error) => {
            *result = ptr::null_mut();
            errno::fail(error)
        }
    }
}

/// Puts a record over the one of its id that was read last or comes next, or behind the last of all.
unsafe fn put(state: &mut State, record: *const utmpx) -> Result<(), c_int> {
    let fd = state.open()?;
    let mut found: utmpx = core::mem::zeroed();
    let known = state.last.is_some_and(|last| same_id(&*record, &last));
    let search = if known { Ok(()) } else { state.find(&mut found, |other| same_id(&*record, other)) };
    match search {
        Ok(()) => state.at -= SIZE as i64,
        // Behind the last whole record.
        Err(libc::ESRCH) => {}
        Err(error) => return Err(error),
    }
    let len = sys::result(sys::pwrite(fd, record.cast(), SIZE, state.at))?;
    state.last = None;
    if len < SIZE {
        return Err(libc::ENOSPC);
    }
    state.at += SIZE as i64;
    Ok(())
}

/// Puts text into a field of fixed size, cut if it is too long.
unsafe fn fill(field: &mut [c_char], text: *const c_char) {
    let bytes = string::bytes(text);
    for (to, byte) in field.iter_mut().zip(bytes) {
        *to = *byte as c_char;
    }
}

/// The user who logged in on the controlling terminal.
unsafe fn login_name() -> Result<Vec<u8>, c_int> {
    // The kernel keeps the id of the user who logged in; all ones for none. proc(5).
    const NONE: u32 = u32::MAX;
    if let Some(id) =
        read_file(b"/proc/self/loginuid\0").and_then(|text| core::str::from_utf8(&text).ok()?.trim().parse().ok())
    {
        if id == NONE {
            return Err(libc::ENXIO);
        }
        let name = name_of(id);
        if !name.is_empty() {
            return Ok(name);
        }
    }
    let mut path = [0 as c_char; 64];
    let terminal = crate::unistd::readlink(c"/proc/self/fd/0".as_ptr(), path.as_mut_ptr(), path.len() - 1);
    let prefix = b"/dev/";
    if terminal < 0 || crate::unistd::isatty(0) == 0 || !string::bytes(path.as_ptr()).starts_with(prefix) {
        return Err(libc::ENOTTY);
    }
    let mut wanted: utmpx = core::mem::zeroed();
    fill(&mut wanted.ut_line, path.as_ptr().add(prefix.len()));
    let mut own = State { path: STATE.lock().path.clone(), fd: -1, at: 0, last: None };
    let mut found: utmpx = core::mem::zeroed();
    let result = own.find(&mut found, |other| same_line(&wanted, other));
    own.close();
    result.map(|()| text(&found.ut_user).iter().map(|byte| *byte as u8).collect())
}

/// Shells that users may choose, and the next one to tell; each ends in NUL.
static SHELLS: Lock<Option<(Vec<Vec<u8>>, usize)>> = Lock::new(None);

fn shells() -> Vec<Vec<u8>> {
    let file = read_file(b"/etc/shells\0");
    let mut list: Vec<Vec<u8>> = Vec::new();
    for line in file.as_deref().unwrap_or_default().split(|&byte| byte == b'\n') {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let Some(start) = line.iter().position(|&byte| byte == b'/') else { continue };
        let word = line[start..].split(u8::is_ascii_whitespace).next().unwrap_or_default();
        list.push([word, b"\0"].concat());
    }
    if file.is_none() {
        list = Vec::from([b"/bin/sh\0".to_vec(), b"/bin/csh\0".to_vec()]);
    }
    list
}

c_api! {
    /// setutxent(3).
    fn setutxent() { STATE.lock().close() }

    /// endutxent(3).
    fn endutxent() { STATE.lock().close() }

    /// getutxent(3).
    fn getutxent() -> *mut utmpx { answer(STATE.lock().next(STATIC.0.get())) }

    /// getutxid(3).
    fn getutxid(wanted: *const utmpx) -> *mut utmpx {
        let wanted = wanted.read();
        if !(libc::RUN_LVL..=libc::DEAD_PROCESS).contains(&wanted.ut_type) {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        }
        answer(STATE.lock().find(STATIC.0.get(), |found| same_id(&wanted, found)))
    }

    /// getutxline(3).
    fn getutxline(wanted: *const utmpx) -> *mut utmpx {
        let wanted = wanted.read();
        answer(STATE.lock().find(STATIC.0.get(), |found| same_line(&wanted, found)))
    }

    /// pututxline(3).
    fn pututxline(record: *const utmpx) -> *mut utmpx {
        let done = put(&mut STATE.lock(), record);
        if done.is_ok() {
            *STATIC.0.get() = record.read();
        }
        answer(done)
    }

    /// getutent_r(3).
    fn getutent_r(out: *mut utmpx, result: *mut *mut utmpx) -> c_int {
        answer_r(STATE.lock().next(out), out, result)
    }

    /// getutid_r(3).
    fn getutid_r(wanted: *const utmpx, out: *mut utmpx, result: *mut *mut utmpx) -> c_int {
        let wanted = wanted.read();
        answer_r(STATE.lock().find(out, |found| same_id(&wanted, found)), out, result)
    }

    /// getutline_r(3).
    fn getutline_r(wanted: *const utmpx, out: *mut utmpx, result: *mut *mut utmpx) -> c_int {
        let wanted = wanted.read();
        answer_r(STATE.lock().find(out, |found| same_line(&wanted, found)), out, result)
    }

    /// utmpxname(3).
    fn utmpxname(path: *const c_char) -> c_int {
        let mut state = STATE.lock();
        state.close();
        state.path = [string::bytes(path), b"\0"].concat();
        0
    }

    /// updwtmp(3): adds a record to a file, if there is one.
    fn updwtmpx(path: *const c_char, record: *const utmpx) {
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC;
        if let Ok(fd) = sys::result(sys::openat(libc::AT_FDCWD, path, flags, 0)) {
            sys::write(fd as c_int, record.cast::<c_void>(), SIZE);
            sys::close(fd as c_int);
        }
    }

    /// logwtmp(3).
    fn logwtmp(line: *const c_char, name: *const c_char, host: *const c_char) {
        let mut record: utmpx = core::mem::zeroed();
        record.ut_pid = sys::getpid() as c_int;
        record.ut_type = if *name == 0 { libc::DEAD_PROCESS } else { libc::USER_PROCESS };
        fill(&mut record.ut_line, line);
        fill(&mut record.ut_user, name);
        fill(&mut record.ut_host, host);
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        sys::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        record.ut_tv.tv_sec = now.tv_sec as i32;
        record.ut_tv.tv_usec = (now.tv_nsec / 1000) as i32;
        updwtmpx(c"/var/log/wtmp".as_ptr(), &record);
    }

    /// getlogin_r(3).
    fn getlogin_r(out: *mut c_char, room: size_t) -> c_int {
        match login_name() {
            Ok(name) if name.len() < room => {
                ptr::copy_nonoverlapping(name.as_ptr(), out.cast(), name.len());
                *out.add(name.len()) = 0;
                0
            }
            Ok(_) => libc::ERANGE,
            Err(error) => error,
        }
    }

    /// getlogin(3).
    fn getlogin() -> *mut c_char {
        const ROOM: usize = 257;
        struct Name(UnsafeCell<[c_char; ROOM]>);
        // SAFETY: getlogin(3) is documented not to be thread-safe.
        unsafe impl Sync for Name {}
        static NAME: Name = Name(UnsafeCell::new([0; ROOM]));
        match getlogin_r(NAME.0.get().cast(), ROOM) {
            0 => NAME.0.get().cast(),
            error => {
                errno::set(error);
                ptr::null_mut()
            }
        }
    }

    /// cuserid(3): the name of the effective user.
    fn cuserid(out: *mut c_char) -> *mut c_char {
        const ROOM: usize = 9;
        struct Name(UnsafeCell<[c_char; ROOM]>);
        // SAFETY: cuserid(3) without a buffer is documented not to be thread-safe.
        unsafe impl Sync for Name {}
        static NAME: Name = Name(UnsafeCell::new([0; ROOM]));
        let name = name_of(crate::unistd::geteuid());
        if name.is_empty() {
            if !out.is_null() {
                *out = 0;
            }
            return out;
        }
        let out = if out.is_null() { NAME.0.get().cast() } else { out };
        let len = name.len().min(ROOM - 1);
        ptr::copy_nonoverlapping(name.as_ptr(), out.cast(), len);
        *out.add(len) = 0;
        out
    }

    /// getusershell(3).
    fn getusershell() -> *mut c_char {
        let mut state = SHELLS.lock();
        let (list, at) = state.get_or_insert_with(|| (shells(), 0));
        match list.get_mut(*at) {
            Some(shell) => {
                *at += 1;
                shell.as_mut_ptr().cast()
            }
            None => ptr::null_mut(),
        }
    }

    /// setusershell(3).
    fn setusershell() { *SHELLS.lock() = Some((shells(), 0)); }

    /// endusershell(3).
    fn endusershell() { *SHELLS.lock() = None; }
}

c_alias! {
    fn setutent = setutxent[];
    fn endutent = endutxent[];
    fn getutent = getutxent[] -> *mut utmpx;
    fn getutid = getutxid[wanted: *const utmpx] -> *mut utmpx;
    fn getutline = getutxline[wanted: *const utmpx] -> *mut utmpx;
    fn pututline = pututxline[record: *const utmpx] -> *mut utmpx;
    fn utmpname = utmpxname[path: *const c_char] -> c_int;
    fn updwtmp = updwtmpx[path: *const c_char, record: *const utmpx];
}
