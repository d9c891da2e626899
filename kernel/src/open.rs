//! Paths: from a name to the scheme that serves it.

use crate::call::{self, Answer, Call, Input};
use crate::file::File;
use crate::namespace::{Namespace, Target};
use crate::port::Port;
use crate::scheme_handle::{self, SchemeHandle, directory, read_files, read_windows};
use crate::schemes::{self, KernelScheme};
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ochre_abi::call::{self as abi, CallArgs, PathPair, Window};
use ochre_abi::file::{AT_EMPTY_PATH, O_CLOEXEC, O_EXCL, O_PATH, O_RDONLY};
use ochre_abi::{Errno, Result};
use ochre_logic::path;

/// Redirections that one path may take (Linux: MAXSYMLINKS).
const REDIRECTS_MAX: usize = 40;

/// Who serves a path.
enum Server {
    Port(Arc<Port>),
    Kernel(&'static dyn KernelScheme),
}

/// Where a path leads.
struct Resolved<'p> {
    server: Server,
    /// The server's id of the directory that `rest` starts from, or 0 for the scheme's root; held open by `base`.
    handle: u64,
    _base: Option<Arc<File>>,
    rest: Cow<'p, [u8]>,
    /// The whole path, for the new file's name.
    whole: Cow<'p, [u8]>,
}

/// A path argument: 1 to 4,095 bytes without a NUL. ENOENT if empty, ENAMETOOLONG.
pub(crate) fn read_path(addr: u64, len: u64) -> Result<Vec<u8>> {
    if len == 0 {
        return Err(Errno::ENOENT);
    }
    if len > abi::PATH_LEN_MAX as u64 {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut bytes = alloc::vec![0; len as usize];
    user::copy_in(&mut bytes, addr)?;
    if bytes.contains(&0) { Err(Errno::EINVAL) } else { Ok(bytes) }
}

/// What an absolute path leads to: server and rest.
fn lookup<'p>(namespace: &Namespace, whole: &'p [u8]) -> Result<(Server, Cow<'p, [u8]>)> {
    let found = namespace.prefixes.resolve(whole).ok_or(Errno::ENOENT)?;
    match found.target {
        Target::Scheme(entry, below) => {
            let rest = match (below.is_empty(), found.rest.is_empty()) {
                (true, _) => found.rest,
                (false, true) => Cow::Owned(below.to_vec()),
                (false, false) => Cow::Owned([&below[..], b"/", &found.rest].concat()),
            };
            match entry.kernel {
                Some(kernel) => Ok((Server::Kernel(kernel), rest)),
                None => Ok((Server::Port(entry.port()?), rest)),
            }
        }
        Target::Schemes => {
            let rest = path::normalize(&found.rest);
            let mut parts = rest[1..].splitn(2, |b| *b == b'/');
            let name = parts.next().unwrap_or_default();
            let rest = Cow::Owned(parts.next().unwrap_or_default().to_vec());
            if let Some(kernel) = schemes::find(name) {
                return Ok((Server::Kernel(kernel), rest));
            }
            let entry = crate::namespace::find(name).ok_or(Errno::ENOENT)?;
            Ok((Server::Port(entry.port()?), rest))
        }
    }
}

fn resolve<'p>(me: &Arc<Thread>, dirfd: i32, given: &'p [u8]) -> Result<Resolved<'p>> {
    let namespace = me.process.namespace();
    let relative = given.first() != Some(&b'/') && path::old_scheme(given).is_none();
    let base = if relative { directory(me, dirfd)? } else { None };
    let base_path = base.as_ref().and_then(|file| file.path()).unwrap_or(b"/");
    let whole = path::join(base_path, given);
    // Relative to a directory of the same server and mount, the server walks from its own handle: right even if the directory moved.
    if let Some(file) = &base {
        let handle = file.object::<SchemeHandle>();
        if let Some(handle) = handle.filter(|h| h.is_directory()) {
            let stays = match (namespace.prefixes.resolve(&whole), namespace.prefixes.resolve(base_path)) {
                (Some(a), Some(b)) => a.prefix_len == b.prefix_len && !matches!(a.target, Target::Schemes),
                _ => false,
            };
            if stays {
                handle.alive()?;
                let server = Server::Port(handle.port.clone());
                let id = handle.id;
                return Ok(Resolved { server, handle: id, _base: base, rest: Cow::Borrowed(given), whole });
            }
        } else if handle.is_some() {
            return Err(Errno::ENOTDIR);
        }
    }
    let (server, rest) = match &whole {
        Cow::Borrowed(whole) => lookup(&namespace, whole)?,
        Cow::Owned(whole) => {
            let (server, rest) = lookup(&namespace, whole)?;
            (server, Cow::Owned(rest.into_owned()))
        }
    };
    Ok(Resolved { server, handle: 0, _base: None, rest, whole })
}

/// What a descriptor refers to, as the start of an empty path. EXDEV for what no server opened.
fn opened(me: &Arc<Thread>, fd: i32) -> Result<Resolved<'static>> {
    let file = me.process.file(fd)?;
    let handle = file.object::<SchemeHandle>().ok_or(Errno::EXDEV)?;
    handle.alive()?;
    let (server, id) = (Server::Port(handle.port.clone()), handle.id);
    Ok(Resolved { server, handle: id, _base: Some(file), rest: Cow::Borrowed(&[]), whole: Cow::Borrowed(&[]) })
}

/// Where a redirection of the path `from` leads: an absolute path is that, another one starts at the root of the mount that `from` lies in.
///
/// ENOENT if that path has no name in this namespace, ENAMETOOLONG.
fn redirected(me: &Arc<Thread>, from: &[u8], to: Vec<u8>) -> Result<Vec<u8>> {
    if to.first() == Some(&b'/') {
        return Ok(to);
    }
    let namespace = me.process.namespace();
    let found = namespace.prefixes.resolve(from).ok_or(Errno::ENOENT)?;
    let whole = path::normalize(from);
    let (root, to) = match found.target {
        Target::Scheme(_, below) if below.is_empty() => (found.prefix_len, &to[..]),
        Target::Scheme(_, below) => {
            let within = to.strip_prefix(&below[..]).filter(|rest| rest.is_empty() || rest[0] == b'/');
            (found.prefix_len, within.ok_or(Errno::ENOENT)?)
        }
        Target::Schemes => {
            let name = whole.get(found.prefix_len + 1..).unwrap_or_default();
            let len = name.iter().position(|&byte| byte == b'/').unwrap_or(name.len());
            (found.prefix_len + 1 + len, &to[..])
        }
    };
    let whole = [whole.get(..root).unwrap_or_default(), b"/", to].concat();
    if whole.len() > abi::PATH_LEN_MAX { Err(Errno::ENAMETOOLONG) } else { Ok(whole) }
}

/// Opens a path.
pub fn open(me: &Arc<Thread>, dirfd: i32, given: &[u8], flags: u32, mode: u32) -> Result<Arc<File>> {
    let mut next: Option<Vec<u8>> = None;
    for _ in 0..REDIRECTS_MAX {
        let elsewhere = {
            let resolved = resolve(me, dirfd, next.as_deref().unwrap_or(given))?;
            let port = match resolved.server {
                Server::Kernel(scheme) => {
                    let whole = path::normalize(&resolved.whole).into_boxed_slice();
                    return scheme.open_file(me, &resolved.rest, flags, whole);
                }
                Server::Port(port) => port,
            };
            let what = Call {
                input: Input::Kernel(&resolved.rest),
                ..Call::plain(abi::OP_OPEN, resolved.handle, [u64::from(flags), u64::from(mode), 0])
            };
            match call::call(me, &port, what) {
                Err(Errno::EIO) if outlived(&port, resolved.handle) && flags & O_EXCL == 0 => continue,
                Err(error) => return Err(error),
                Ok(Answer::Redirect(elsewhere)) => redirected(me, &resolved.whole, elsewhere)?,
                Ok(answer) => return scheme_handle::file_of(answer, flags, Some(path::normalize(&resolved.whole))),
            }
        };
        next = Some(elsewhere);
    }
    Err(Errno::ELOOP)
}

/// OPENAT.
pub fn openat(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let given = read_path(a[1], a[2])?;
    let flags = a[3] as u32;
    let file = open(me, a[0] as i32, &given, flags, a[4] as u32)?;
    Ok(me.process.install(file, flags & O_CLOEXEC != 0)? as usize)
}

/// The server died, and the path starts at no handle of its own: the next one of the name can be asked the same, if asking twice does no harm.
fn outlived(port: &Arc<Port>, handle: u64) -> bool {
    handle == 0 && port.is_dead()
}

/// The operation changes nothing.
fn only_asks(op: u16) -> bool {
    matches!(op, abi::OP_STAT | abi::OP_ACCESS | abi::OP_READLINK | abi::OP_STATFS)
}

/// PATH_CALL.
pub fn path_call(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let mut given = read_path(a[1], a[2])?;
    let args: CallArgs = user::read(a[3])?;
    let op = path_op(&args)?;
    let mut room;
    let windows = match args.window_count {
        0 => &[][..],
        _ => {
            room = [Window::default(); abi::WINDOWS_MAX];
            read_windows(&args, &mut room)?
        }
    };
    let output = UserSlice::new(args.output, args.output_len)?;
    for _ in 0..REDIRECTS_MAX {
        let elsewhere = {
            let resolved = resolve(me, a[0] as i32, &given)?;
            let port = match resolved.server {
                Server::Kernel(scheme) => {
                    // Kernel schemes know no operations on paths but those that work on what the path opens.
                    let object = scheme.open(me, &resolved.rest, O_RDONLY | O_PATH)?;
                    if op == abi::OP_ACCESS {
                        return Ok(0);
                    }
                    if crate::fd::is_xattr(&args) {
                        return Err(Errno::EOPNOTSUPP);
                    }
                    let file = File::new(object, O_RDONLY);
                    return file.object.call(&file, &CallArgs { input_len: 0, ..args });
                }
                Server::Port(port) => port,
            };
            let what = Call {
                op,
                handle: resolved.handle,
                args: args.args,
                input: Input::Kernel(&resolved.rest),
                output,
                windows,
                files: read_files(me, &args)?,
                repeats: false,
            };
            match call::call(me, &port, what) {
                Err(Errno::EIO) if outlived(&port, resolved.handle) && only_asks(op) => continue,
                Err(error) => return Err(error),
                Ok(Answer::Value(value, _)) => return Ok(value),
                Ok(Answer::Redirect(elsewhere)) => redirected(me, &resolved.whole, elsewhere)?,
                Ok(answer) => return Ok(scheme_handle::install(me, answer, O_CLOEXEC, None)? as usize),
            }
        };
        given = elsewhere;
    }
    Err(Errno::ELOOP)
}

/// PATH_CALL2. The payload is both paths with a NUL between; args\[1\] and args\[2\] the directories they start from.
pub fn path_call2(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pair: PathPair = user::read(a[0])?;
    let args: CallArgs = user::read(a[1])?;
    let op = path_op(&args)?;
    let by_descriptor = op == abi::OP_LINK && pair.path_len == 0 && args.args[0] & AT_EMPTY_PATH != 0;
    let from = if by_descriptor { Vec::new() } else { read_path(pair.path, pair.path_len)? };
    let mut paths = [from, read_path(pair.path2, pair.path2_len)?];
    for _ in 0..REDIRECTS_MAX {
        let next = {
            let first = if by_descriptor { opened(me, pair.dirfd)? } else { resolve(me, pair.dirfd, &paths[0])? };
            let second = resolve(me, pair.dirfd2, &paths[1])?;
            let (Server::Port(port), Server::Port(other)) = (first.server, second.server) else {
                return Err(Errno::EXDEV);
            };
            if !Arc::ptr_eq(&port, &other) {
                return Err(Errno::EXDEV);
            }
            let mut payload = first.rest.into_owned();
            payload.push(0);
            payload.extend_from_slice(&second.rest);
            if payload.len() > abi::PAYLOAD_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            let handles = [first.handle, second.handle].map(|h| h.wrapping_add(u64::from(h != 0)));
            let what =
                Call { input: Input::Kernel(&payload), ..Call::plain(op, 0, [args.args[0], handles[0], handles[1]]) };
            match call::call(me, &port, what)? {
                Answer::Value(value, _) => return Ok(value),
                // The answer names the path of the two that goes on elsewhere by its place: "1\0path" or "2\0path".
                Answer::Redirect(next) => match next.split_first_chunk::<2>() {
                    Some((b"1\0", path)) => (0, redirected(me, &first.whole, path.to_vec())?),
                    Some((b"2\0", path)) => (1, redirected(me, &second.whole, path.to_vec())?),
                    _ => return Err(Errno::EIO),
                },
                _ => return Err(Errno::EIO),
            }
        };
        paths[next.0] = next.1;
    }
    Err(Errno::ELOOP)
}

/// The operation, if it may be asked of a path.
fn path_op(args: &CallArgs) -> Result<u16> {
    let op = u16::try_from(args.op).map_err(|_| Errno::EINVAL)?;
    let reserved = matches!(op, 0 | abi::OP_CLOSE | abi::OP_CANCEL | abi::OP_OPEN | abi::OP_DUP | abi::OP_PAGE_IN)
        || matches!(op, abi::OP_FLUSH | abi::OP_GIVE_UP);
    if reserved || args.input_len != 0 { Err(Errno::EINVAL) } else { Ok(op) }
}

/// DUP_NAMED.
pub fn dup_named(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let name = read_path(a[1], a[2])?;
    let cloexec = a[3] & u64::from(O_CLOEXEC) != 0;
    if let Some(handle) = file.object::<SchemeHandle>() {
        return Ok(handle.dup_named(me, &name, cloexec)? as usize);
    }
    let object = file.object.dup_named(&name)?;
    Ok(me.process.install(File::new(object, file.flags()), cloexec)? as usize)
}

/// GETCWD.
pub fn getcwd(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let cwd = me.process.cwd();
    path_out(cwd.as_ref().and_then(|file| file.path()).unwrap_or(b"/"), a[0], a[1])
}

/// FD_PATH.
pub fn fd_path(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    match file.path() {
        Some(path) => path_out(path, a[1], a[2]),
        None => path_out(file.object.kind().as_bytes(), a[1], a[2]),
    }
}

fn path_out(path: &[u8], addr: u64, len: u64) -> Result<usize> {
    if (path.len() as u64) > len {
        return Err(Errno::ERANGE);
    }
    user::copy_out(addr, path)?;
    Ok(path.len())
}

/// FCHDIR.
pub fn fchdir(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    if !file.object::<SchemeHandle>().is_some_and(SchemeHandle::is_directory) {
        return Err(Errno::ENOTDIR);
    }
    me.process.set_cwd(file);
    Ok(0)
}
