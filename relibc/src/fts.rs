//! `fts.h`: walks over file trees, a file at a time. fts(3).
//!
//! The structures are glibc's, and so is when the walk changes the current directory (never with FTS_NOCHDIR or FTS_LOGICAL). The
//! path of a walk has its longest length (that of `fts_pathlen`, 65,535 bytes) from the start, so that it never moves.

use crate::dirent::{Dir, closedir, dirfd, opendir, readdir};
use crate::heap::{c_free, c_malloc};
use crate::sort::qsort;
use crate::{errno, string, sys};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr::{self, null_mut};
use libc::stat;

type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

/// `FTS`: a walk.
#[repr(C)]
pub struct Fts {
    current: *mut Entry,
    child: *mut Entry,
    array: *mut *mut Entry,
    device: u64,
    path: *mut c_char,
    root: c_int,
    path_room: c_int,
    items: c_int,
    compare: Option<Compare>,
    options: c_int,
}

/// `FTSENT`: a file of a walk. Its name follows, and its status behind that.
#[repr(C)]
pub struct Entry {
    cycle: *mut Entry,
    parent: *mut Entry,
    link: *mut Entry,
    number: c_long,
    pointer: *mut c_void,
    access: *mut c_char,
    path: *mut c_char,
    errno: c_int,
    link_fd: c_int,
    path_len: u16,
    name_len: u16,
    inode: u64,
    device: u64,
    links: u64,
    level: i16,
    info: u16,
    flags: u16,
    instruction: u16,
    status: *mut stat,
    name: [c_char; 1],
}

const _: () = assert!(core::mem::offset_of!(Entry, name) == 112 && size_of::<Fts>() == 72);

const COMFOLLOW: c_int = 1;
const LOGICAL: c_int = 2;
const NOCHDIR: c_int = 4;
const NOSTAT: c_int = 8;
const PHYSICAL: c_int = 0x10;
const SEEDOT: c_int = 0x20;
const XDEV: c_int = 0x40;
const OPTIONS: c_int = 0xff;
const NAMEONLY: c_int = 0x100;
const STOP: c_int = 0x200;

const D: u16 = 1;
const DC: u16 = 2;
const DEFAULT: u16 = 3;
const DNR: u16 = 4;
const DOT: u16 = 5;
const DP: u16 = 6;
const ERR: u16 = 7;
const F: u16 = 8;
const INIT: u16 = 9;
const NS: u16 = 10;
const NSOK: u16 = 11;
const SL: u16 = 12;
const SLNONE: u16 = 13;

const DONTCHDIR: u16 = 1;
const SYMFOLLOW: u16 = 2;

const AGAIN: u16 = 1;
const FOLLOW: u16 = 2;
const NOINSTR: u16 = 3;
const SKIP: u16 = 4;

const ROOT_PARENT: i16 = -1;
const ROOT: i16 = 0;

/// Room for a path: the longest that `fts_pathlen` tells, and its end.
const PATH_ROOM: usize = u16::MAX as usize + 1;

/// Why a directory is read.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    /// For fts_children, with the status of the files.
    Children,
    /// For fts_children, the names alone.
    Names,
    /// To go on into it.
    Visit,
}

unsafe fn name(entry: *mut Entry) -> *mut c_char {
    (&raw mut (*entry).name).cast()
}

unsafe fn is_dot(entry: *mut Entry) -> bool {
    matches!(string::bytes(name(entry)), b"." | b"..")
}

unsafe fn open(path: *const c_char) -> c_int {
    errno::int(sys::openat(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0))
}

unsafe fn free_list(mut entry: *mut Entry) {
    while !entry.is_null() {
        let next = (*entry).link;
        c_free(entry.cast());
        entry = next;
    }
}

/// Copies a text and its end.
unsafe fn copy(to: *mut c_char, from: *const c_char, len: usize) {
    ptr::copy(from, to, len);
    *to.add(len) = 0;
}

impl Entry {
    /// Where the name of a file in it goes in the path, its slash before it.
    unsafe fn end(&self) -> usize {
        let len = usize::from(self.path_len);
        if len > 0 && *self.path.add(len - 1) as u8 == b'/' { len - 1 } else { len }
    }
}

impl Fts {
    fn has(&self, option: c_int) -> bool {
        self.options & option != 0
    }

    /// Makes an entry; null with ENOMEM.
    unsafe fn allocate(&self, text: *const c_char, len: usize) -> *mut Entry {
        let mut size = core::mem::offset_of!(Entry, name) + len + 1;
        let status = size.next_multiple_of(align_of::<stat>());
        if !self.has(NOSTAT) {
            size = status + size_of::<stat>();
        }
        let entry = c_malloc(size.max(size_of::<Entry>())).cast::<Entry>();
        if entry.is_null() {
            return entry;
        }
        string::memset(entry.cast(), 0, size.max(size_of::<Entry>()));
        copy(name(entry), text, len);
        (*entry).name_len = len as u16;
        (*entry).path = self.path;
        (*entry).instruction = NOINSTR;
        if !self.has(NOSTAT) {
            (*entry).status = entry.byte_add(status).cast();
        }
        entry
    }

    /// Looks at a file; what it is.
    unsafe fn look(&self, entry: *mut Entry, follow: bool) -> u16 {
        let mut own: stat = core::mem::zeroed();
        let status = if (*entry).status.is_null() { &raw mut own } else { (*entry).status };
        let path = (*entry).access;
        let follow = follow || self.has(LOGICAL);
        let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        if let Err(error) = sys::result(sys::newfstatat(libc::AT_FDCWD, path, status, flags)) {
            if follow && sys::newfstatat(libc::AT_FDCWD, path, status, libc::AT_SYMLINK_NOFOLLOW) == 0 {
                errno::set(0);
                return SLNONE;
            }
            (*entry).errno = error;
            *status = core::mem::zeroed();
            return NS;
        }
        match (*status).st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                (*entry).device = (*status).st_dev;
                (*entry).inode = (*status).st_ino;
                (*entry).links = (*status).st_nlink;
                if is_dot(entry) {
                    return DOT;
                }
                let mut above = (*entry).parent;
                while (*above).level >= ROOT {
                    if ((*above).inode, (*above).device) == ((*entry).inode, (*entry).device) {
                        (*entry).cycle = above;
                        return DC;
                    }
                    above = (*above).parent;
                }
                D
            }
            libc::S_IFLNK => SL,
            libc::S_IFREG => F,
            _ => DEFAULT,
        }
    }

    /// Sorts a list as the caller wants it; unsorted if memory is short.
    unsafe fn sort(&mut self, head: *mut Entry, count: usize) -> *mut Entry {
        let Some(compare) = self.compare.filter(|_| count > 1) else { return head };
        let list = c_malloc(count * size_of::<*mut Entry>()).cast::<*mut Entry>();
        if list.is_null() {
            return head;
        }
        let mut entry = head;
        for at in 0..count {
            *list.add(at) = entry;
            entry = (*entry).link;
        }
        qsort(list.cast(), count, size_of::<*mut Entry>(), compare);
        for at in 0..count {
            (**list.add(at)).link = if at + 1 < count { *list.add(at + 1) } else { null_mut() };
        }
        let head = *list;
        c_free(list.cast());
        head
    }

    /// Starts with one of the caller's files.
    unsafe fn load(&mut self, entry: *mut Entry) {
        let mut len = usize::from((*entry).name_len);
        (*entry).path_len = len as u16;
        copy(self.path, name(entry), len);
        let text = string::bytes(name(entry));
        if let Some(slash) = text.iter().rposition(|&byte| byte == b'/').filter(|_| text != b"/") {
            len -= slash + 1;
            copy(name(entry), name(entry).add(slash + 1), len);
            (*entry).name_len = len as u16;
        }
        (*entry).access = self.path;
        (*entry).path = self.path;
        self.device = (*entry).device;
    }

    /// fchdir(2) unless the walk stays where it is; false with `errno` set.
    unsafe fn back(&self, fd: c_int) -> bool {
        self.has(NOCHDIR) || errno::int(sys::fchdir(fd)) == 0
    }

    /// Enters a directory by a descriptor or else a path, if it is still the same one; false with `errno` set.
    unsafe fn enter(&self, entry: *mut Entry, fd: c_int, path: *const c_char) -> bool {
        if self.has(NOCHDIR) {
            return true;
        }
        let new = if fd < 0 { open(path) } else { fd };
        if new < 0 {
            return false;
        }
        let mut status: stat = core::mem::zeroed();
        let result = sys::result(sys::fstat(new, &mut status)).and_then(|_| {
            if ((*entry).device, (*entry).inode) != (status.st_dev, status.st_ino) {
                return Err(libc::ENOENT);
            }
            sys::result(sys::fchdir(new))
        });
        if fd < 0 {
            sys::close(new);
        }
        result.map_err(errno::set).is_ok()
    }

    /// Back to where a directory lies that was entered.
    unsafe fn leave(&self, entry: *mut Entry) -> bool {
        if (*entry).level == ROOT { self.back(self.root) } else { self.enter((*entry).parent, -1, c"..".as_ptr()) }
    }

    /// After an error from which there is no way on.
    fn stop(&mut self) -> *mut Entry {
        self.options |= STOP;
        null_mut()
    }

    /// Follows the link that a file is.
    unsafe fn follow(&mut self, entry: *mut Entry) {
        (*entry).info = self.look(entry, true);
        if (*entry).info == D && !self.has(NOCHDIR) {
            (*entry).link_fd = open(c".".as_ptr());
            if (*entry).link_fd < 0 {
                (*entry).errno = errno::get();
                (*entry).info = ERR;
            } else {
                (*entry).flags |= SYMFOLLOW;
            }
        }
    }

    /// The files in the current directory. Null if there are none, or none to be had: then its entry says why.
    unsafe fn build(&mut self, purpose: Purpose) -> *mut Entry {
        let current = self.current;
        let dir = opendir((*current).access);
        if dir.is_null() {
            if purpose == Purpose::Visit {
                (*current).info = DNR;
                (*current).errno = errno::get();
            }
            return null_mut();
        }
        // How many directories there may be yet, by the link count; below 0 if that is not known.
        let no_status = purpose != Purpose::Names && self.has(NOSTAT) && self.has(PHYSICAL);
        let mut links = match purpose {
            Purpose::Names => 0,
            _ if no_status => (*current).links as i64 - if self.has(SEEDOT) { 0 } else { 2 },
            _ => -1,
        };
        let wanted = links != 0 || purpose == Purpose::Visit;
        let mut entered = wanted;
        if wanted && !self.enter(current, dirfd(dir), ptr::null()) {
            if links != 0 && purpose == Purpose::Visit {
                (*current).errno = errno::get();
            }
            (*current).flags |= DONTCHDIR;
            entered = false;
            closedir(dir);
        }
        let unreachable = wanted && !entered;
        let at = (*current).end() + 1;
        if self.has(NOCHDIR) {
            *self.path.add(at - 1) = b'/' as c_char;
        }
        let list = if unreachable { Ok((null_mut(), 0)) } else { self.list(dir, at, &mut links, no_status) };
        if !unreachable {
            let before = errno::get();
            closedir(dir);
            errno::set(before);
        }
        if self.has(NOCHDIR) {
            let end = if matches!(list, Ok((_, 0))) { at - 1 } else { at };
            *self.path.add(end) = 0;
        }
        let Ok((head, count)) = list else {
            (*current).info = ERR;
            return self.stop();
        };
        if entered && (purpose == Purpose::Children || count == 0) && !self.leave(current) {
            (*current).info = ERR;
            free_list(head);
            return self.stop();
        }
        if count == 0 && purpose == Purpose::Visit {
            (*current).info = DP;
        }
        self.sort(head, count)
    }

    /// Reads a directory whose files' names stand at `at` in the path; the list and its length, or an error with `errno` set.
    unsafe fn list(
        &mut self,
        dir: *mut Dir,
        at: usize,
        links: &mut i64,
        no_status: bool,
    ) -> Result<(*mut Entry, usize), ()> {
        let (mut head, mut last, mut count): (*mut Entry, *mut Entry, usize) = (null_mut(), null_mut(), 0);
        loop {
            let found = readdir(dir);
            if found.is_null() {
                return Ok((head, count));
            }
            let text = string::bytes((&raw const (*found).d_name).cast());
            if !self.has(SEEDOT) && matches!(text, b"." | b"..") {
                continue;
            }
            let entry =
                if at + text.len() < PATH_ROOM { self.allocate(text.as_ptr().cast(), text.len()) } else { null_mut() };
            if entry.is_null() {
                errno::set(if at + text.len() < PATH_ROOM { libc::ENOMEM } else { libc::ENAMETOOLONG });
                free_list(head);
                return Err(());
            }
            (*entry).level = (*self.current).level + 1;
            (*entry).parent = self.current;
            (*entry).path_len = (at + text.len()) as u16;
            (*entry).access = if self.has(NOCHDIR) { (*entry).path } else { name(entry) };
            let kind = (*found).d_type;
            if *links == 0 || no_status && !matches!(kind, libc::DT_DIR | libc::DT_UNKNOWN) {
                (*entry).info = NSOK;
            } else {
                if self.has(NOCHDIR) {
                    copy(self.path.add(at), text.as_ptr().cast(), text.len());
                }
                (*entry).info = self.look(entry, false);
                if *links > 0 && matches!((*entry).info, D | DC | DOT) {
                    *links -= 1;
                }
            }
            if head.is_null() {
                head = entry;
            } else {
                (*last).link = entry;
            }
            last = entry;
            count += 1;
        }
    }

    /// Makes an entry of the walk the current one; its path is complete then.
    unsafe fn name_path(&mut self, entry: *mut Entry) -> *mut Entry {
        let at = (*(*entry).parent).end();
        *self.path.add(at) = b'/' as c_char;
        copy(self.path.add(at + 1), name(entry), usize::from((*entry).name_len));
        entry
    }

    /// The first file in a directory that was shown, or the directory again.
    unsafe fn descend(&mut self, entry: *mut Entry, instruction: u16) -> *mut Entry {
        if instruction == SKIP || self.has(XDEV) && (*entry).device != self.device {
            if (*entry).flags & SYMFOLLOW != 0 {
                sys::close((*entry).link_fd);
            }
            free_list(core::mem::replace(&mut self.child, null_mut()));
            (*entry).info = DP;
            return entry;
        }
        if !self.child.is_null() && self.has(NAMEONLY) {
            self.options &= !NAMEONLY;
            free_list(core::mem::replace(&mut self.child, null_mut()));
        }
        if !self.child.is_null() {
            if !self.enter(entry, -1, (*entry).access) {
                (*entry).errno = errno::get();
                (*entry).flags |= DONTCHDIR;
                let mut child = self.child;
                while !child.is_null() {
                    (*child).access = (*entry).access;
                    child = (*child).link;
                }
            }
        } else {
            self.child = self.build(Purpose::Visit);
            if self.child.is_null() {
                return if self.has(STOP) { null_mut() } else { entry };
            }
        }
        self.current = core::mem::replace(&mut self.child, null_mut());
        self.name_path(self.current)
    }

    /// The file after one that is done: beside it, or the directory above.
    unsafe fn advance(&mut self, mut entry: *mut Entry) -> *mut Entry {
        loop {
            let done = entry;
            entry = (*done).link;
            if entry.is_null() {
                self.current = (*done).parent;
                c_free(done.cast());
                return self.ascend();
            }
            self.current = entry;
            c_free(done.cast());
            if (*entry).level == ROOT {
                if !self.back(self.root) {
                    return self.stop();
                }
                self.load(entry);
                return entry;
            }
            if (*entry).instruction == SKIP {
                continue;
            }
            if (*entry).instruction == FOLLOW {
                self.follow(entry);
                (*entry).instruction = NOINSTR;
            }
            return self.name_path(entry);
        }
    }

    /// The current directory once more, after all in it; null above all.
    unsafe fn ascend(&mut self) -> *mut Entry {
        let entry = self.current;
        if entry.is_null() || (*entry).level == ROOT_PARENT {
            c_free(entry.cast());
            self.current = null_mut();
            errno::set(0);
            return null_mut();
        }
        *self.path.add(usize::from((*entry).path_len)) = 0;
        let way = if (*entry).level != ROOT && (*entry).flags & SYMFOLLOW != 0 {
            let way = self.back((*entry).link_fd);
            sys::close((*entry).link_fd);
            way
        } else {
            (*entry).level != ROOT && (*entry).flags & DONTCHDIR != 0 || self.leave(entry)
        };
        if !way {
            return self.stop();
        }
        (*entry).info = if (*entry).errno != 0 { ERR } else { DP };
        entry
    }

    /// Frees what remains.
    unsafe fn free(walk: *mut Fts) {
        let mut entry = (*walk).current;
        while !entry.is_null() {
            let next = if (*entry).link.is_null() { (*entry).parent } else { (*entry).link };
            c_free(entry.cast());
            entry = next;
        }
        free_list((*walk).child);
        c_free((*walk).path.cast());
        c_free(walk.cast());
    }

    /// Takes the caller's files; the list of them.
    unsafe fn roots(&mut self, paths: *const *const c_char) -> Result<*mut Entry, c_int> {
        if (*paths).is_null() {
            return Ok(null_mut());
        }
        let parent = self.allocate(c"".as_ptr(), 0);
        if parent.is_null() {
            return Err(libc::ENOMEM);
        }
        (*parent).level = ROOT_PARENT;
        let (mut head, mut last, mut count): (*mut Entry, *mut Entry, usize) = (null_mut(), null_mut(), 0);
        while !(*paths.add(count)).is_null() {
            let path = *paths.add(count);
            let len = string::strlen(path);
            let entry = if len > 0 && len < PATH_ROOM { self.allocate(path, len) } else { null_mut() };
            if entry.is_null() {
                free_list(head);
                c_free(parent.cast());
                return Err(match len {
                    0 => libc::ENOENT,
                    PATH_ROOM.. => libc::ENAMETOOLONG,
                    _ => libc::ENOMEM,
                });
            }
            (*entry).parent = parent;
            (*entry).access = name(entry);
            (*entry).info = self.look(entry, self.has(COMFOLLOW));
            if (*entry).info == DOT {
                (*entry).info = D;
            }
            // In order, or backwards if they are sorted anyhow: as in glibc, where the sort is stable.
            if self.compare.is_some() {
                (*entry).link = head;
                head = entry;
            } else if head.is_null() {
                head = entry;
                last = entry;
            } else {
                (*last).link = entry;
                last = entry;
            }
            count += 1;
        }
        Ok(self.sort(head, count))
    }
}

unsafe fn start(paths: *const *const c_char, options: c_int, compare: Option<Compare>) -> Result<*mut Fts, c_int> {
    let walk = c_malloc(size_of::<Fts>()).cast::<Fts>();
    let path = c_malloc(PATH_ROOM).cast::<c_char>();
    if walk.is_null() || path.is_null() {
        c_free(walk.cast());
        c_free(path.cast());
        return Err(libc::ENOMEM);
    }
    *path = 0;
    let options = if options & LOGICAL != 0 { options | NOCHDIR } else { options };
    *walk = Fts {
        current: null_mut(),
        child: null_mut(),
        array: null_mut(),
        device: 0,
        path,
        root: -1,
        path_room: PATH_ROOM as c_int,
        items: 0,
        compare,
        options,
    };
    let roots = (*walk).roots(paths).inspect_err(|_| Fts::free(walk))?;
    let first = (*walk).allocate(c"".as_ptr(), 0);
    if first.is_null() {
        (*walk).current = roots;
        Fts::free(walk);
        return Err(libc::ENOMEM);
    }
    (*first).link = roots;
    (*first).info = INIT;
    (*walk).current = first;
    if !(*walk).has(NOCHDIR) {
        (*walk).root = open(c".".as_ptr());
        if (*walk).root < 0 {
            (*walk).options |= NOCHDIR;
        }
    }
    Ok(walk)
}

c_api! {
    /// fts_open(3).
    fn fts_open(paths: *const *const c_char, options: c_int, compare: Option<Compare>) -> *mut Fts {
        if options & !OPTIONS != 0 {
            errno::set(libc::EINVAL);
            return null_mut();
        }
        start(paths, options, compare).unwrap_or_else(|errno| {
            errno::set(errno);
            null_mut()
        })
    }

    /// fts_read(3).
    fn fts_read(walk: *mut Fts) -> *mut Entry {
        let walk = &mut *walk;
        let entry = walk.current;
        if entry.is_null() || walk.has(STOP) {
            return null_mut();
        }
        let instruction = core::mem::replace(&mut (*entry).instruction, NOINSTR);
        if instruction == AGAIN {
            (*entry).info = walk.look(entry, false);
            return entry;
        }
        if instruction == FOLLOW && matches!((*entry).info, SL | SLNONE) {
            walk.follow(entry);
            return entry;
        }
        if (*entry).info == D { walk.descend(entry, instruction) } else { walk.advance(entry) }
    }

    /// fts_children(3).
    fn fts_children(walk: *mut Fts, options: c_int) -> *mut Entry {
        if options != 0 && options != NAMEONLY {
            errno::set(libc::EINVAL);
            return null_mut();
        }
        let walk = &mut *walk;
        let entry = walk.current;
        errno::set(0);
        if entry.is_null() || walk.has(STOP) {
            return null_mut();
        }
        if (*entry).info == INIT {
            return (*entry).link;
        }
        if (*entry).info != D {
            return null_mut();
        }
        free_list(core::mem::replace(&mut walk.child, null_mut()));
        let purpose = if options == NAMEONLY { Purpose::Names } else { Purpose::Children };
        walk.options |= options;
        // Before the first step into a tree its path is relative to here, where the way back may not lead.
        if (*entry).level != ROOT || *(*entry).access as u8 == b'/' || walk.has(NOCHDIR) {
            walk.child = walk.build(purpose);
            return walk.child;
        }
        let here = open(c".".as_ptr());
        if here < 0 {
            return null_mut();
        }
        walk.child = walk.build(purpose);
        let before = errno::get();
        let raw = sys::fchdir(here);
        sys::close(here);
        if raw < 0 {
            errno::int(raw);
            return null_mut();
        }
        errno::set(before);
        walk.child
    }

    /// fts_set(3): 1 with EINVAL for an instruction that there is not.
    fn fts_set(_walk: *mut Fts, entry: *mut Entry, instruction: c_int) -> c_int {
        if !(0..=c_int::from(SKIP)).contains(&instruction) {
            errno::set(libc::EINVAL);
            return 1;
        }
        (*entry).instruction = instruction as u16;
        0
    }

    /// fts_close(3).
    fn fts_close(walk: *mut Fts) -> c_int {
        let (stays, root) = ((*walk).has(NOCHDIR), (*walk).root);
        Fts::free(walk);
        if stays {
            return 0;
        }
        let raw = sys::fchdir(root);
        sys::close(root);
        errno::int(raw)
    }
}

c_alias! {
    fn fts64_open = fts_open[paths: *const *const c_char, options: c_int, compare: Option<Compare>] -> *mut Fts;
    fn fts64_read = fts_read[walk: *mut Fts] -> *mut Entry;
    fn fts64_children = fts_children[walk: *mut Fts, options: c_int] -> *mut Entry;
    fn fts64_set = fts_set[walk: *mut Fts, entry: *mut Entry, instruction: c_int] -> c_int;
    fn fts64_close = fts_close[walk: *mut Fts] -> c_int;
}
