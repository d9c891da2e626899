//! Extended attributes: getxattr(2) and the rest of xattr(7).

use super::paths::Target;
use super::{Args, Result, bytes, bytes_mut, string};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::{OP_XATTR_GET, OP_XATTR_LIST, OP_XATTR_REMOVE, OP_XATTR_SET};
use ochre_rt::abi::file::*;
use ochre_rt::call::Call;

const CWD: usize = AT_FDCWD as isize as usize;

/// The file of a path, with a last symbolic link followed; and of the link itself.
unsafe fn file<'a>(path: usize) -> Result<Target<'a>> {
    Target::of(CWD, path, 0)
}

/// A name argument: ERANGE if it is empty or too long.
unsafe fn name<'a>(pointer: usize) -> Result<&'a [u8]> {
    let name = string(pointer)?;
    if name.is_empty() || name.len() > XATTR_NAME_MAX { Err(Errno::ERANGE) } else { Ok(name) }
}

/// `a` is (file, name, buffer, room).
unsafe fn get(target: Target<'_>, flags: u64, a: Args) -> Result {
    let room = a[3].min(XATTR_SIZE_MAX);
    let call = Call::new(OP_XATTR_GET, [flags, room as u64, 0]).lend(name(a[1])?);
    target.send(if room == 0 { call } else { call.lend_mut(bytes_mut(a[2], room)?) })
}

/// `a` is (file, name, value, length, XATTR_ flags).
unsafe fn set(target: Target<'_>, flags: u64, a: Args) -> Result {
    let (len, how) = (a[3], u64::from(a[4] as u32));
    if how & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    if len > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let call = Call::new(OP_XATTR_SET, [flags, len as u64, how]).lend(name(a[1])?);
    target.send(if len == 0 { call } else { call.lend(bytes(a[2], len)?) })
}

/// `a` is (file, buffer, room).
unsafe fn list(target: Target<'_>, flags: u64, a: Args) -> Result {
    let room = a[2].min(XATTR_LIST_MAX);
    let call = Call::new(OP_XATTR_LIST, [flags, room as u64, 0]);
    target.send(if room == 0 { call } else { call.lend_mut(bytes_mut(a[1], room)?) })
}

/// `a` is (file, name).
unsafe fn remove(target: Target<'_>, flags: u64, a: Args) -> Result {
    target.send(Call::new(OP_XATTR_REMOVE, [flags, 0, 0]).lend(name(a[1])?))
}

macro_rules! forms {
    ($($work:ident: $follow:ident, $link:ident, $open:ident;)*) => {
        $(
            pub unsafe fn $follow(a: Args) -> Result {
                $work(file(a[0])?, 0, a)
            }

            pub unsafe fn $link(a: Args) -> Result {
                $work(file(a[0])?, AT_SYMLINK_NOFOLLOW, a)
            }

            pub unsafe fn $open(a: Args) -> Result {
                $work(Target::Open(a[0]), 0, a)
            }
        )*
    };
}

forms! {
    get: getxattr, lgetxattr, fgetxattr;
    set: setxattr, lsetxattr, fsetxattr;
    list: listxattr, llistxattr, flistxattr;
    remove: removexattr, lremovexattr, fremovexattr;
}
