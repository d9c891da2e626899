//! Requests on extended attributes.

use crate::server::{FileServer, Objects, at};
use crate::tree::{Caller, Stop};
use alloc::vec;
use alloc::vec::Vec;
use ochre_abi::file::{XATTR_NAME_MAX, XATTR_SIZE_MAX};
use ochre_abi::{Errno, Result};
use ochre_scheme::{Answer, Request, Xattr};

impl<S: Objects> FileServer<S> {
    /// The four operations; names and values are windows of the caller's.
    pub(crate) fn xattr(
        &mut self,
        request: &Request,
        what: Xattr,
        follow: bool,
        caller: &Caller,
    ) -> core::result::Result<Answer, Stop> {
        let path = at(request);
        match what {
            Xattr::Get { room } => {
                let name = window(request, 0, XATTR_NAME_MAX + 1)?;
                let value = self.fs.xattr(path, follow, &name, caller)?;
                Ok(give(request, 1, value, room)?)
            }
            Xattr::List { room } => {
                let list = self.fs.list_xattrs(path, follow, caller)?;
                Ok(give(request, 0, &list, room)?)
            }
            Xattr::Set { len, flags } => {
                let name = window(request, 0, XATTR_NAME_MAX + 1)?;
                let value = match len {
                    0 => Vec::new(),
                    len if len > XATTR_SIZE_MAX => return Err(Errno::E2BIG.into()),
                    len => window(request, 1, len)?,
                };
                self.fs.set_xattr(path, follow, &name, &value, flags, caller)?;
                Ok(Answer::done())
            }
            Xattr::Remove => {
                let name = window(request, 0, XATTR_NAME_MAX + 1)?;
                self.fs.remove_xattr(path, follow, &name, caller)?;
                Ok(Answer::done())
            }
        }
    }
}

/// What a window holds, `max` bytes of it at the most.
fn window(request: &Request, index: u32, max: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; max];
    let len = request.window(index)?.read_at(0, &mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Copies an answer into a window, or tells its length. ERANGE if it does not fit.
fn give(request: &Request, index: u32, bytes: &[u8], room: usize) -> Result<Answer> {
    if room > 0 && bytes.len() > room {
        return Err(Errno::ERANGE);
    }
    if room > 0 && !bytes.is_empty() && request.window(index)?.write_at(0, bytes)? < bytes.len() {
        return Err(Errno::ERANGE);
    }
    Ok(Answer::value(bytes.len()))
}
