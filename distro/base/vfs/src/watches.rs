//! inotify(7) of the root file system's files.

use crate::server::{FileServer, Objects};
use crate::tree::{At, Base, Caller, Ino, Stop};
use ochre_abi::event::{IN_DELETE_SELF, IN_DONT_FOLLOW, IN_ONLYDIR};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::watch::Source;
use ochre_scheme::{Answer, Request};

impl<S: Objects> FileServer<S> {
    /// inotify_add_watch(2).
    pub(crate) fn watch(&mut self, request: &Request, mask: u32, caller: &Caller) -> Result<Answer, Stop> {
        let base = if request.handle() == 0 { Base::Root } else { Base::Handle(request.handle()) };
        let at = At { base, path: request.payload() };
        let (follow, only_directory) = (mask & IN_DONT_FOLLOW == 0, mask & IN_ONLYDIR != 0);
        let ino = self.fs.watched(at, follow, only_directory, caller)?;
        let queue = request.take_fd(0)?;
        let (source, number) = syscall::inotify_source(queue.get())?;
        let watch = self.watches.add(ino, number, Source(OwnedFd::new(source)), mask)?;
        self.fs.set_noting(true);
        // What is open now must tell of reads and writes, too.
        for (handle, open) in self.fs.open_inos() {
            if self.is_watched(open) {
                // One that is just going reads and writes no more.
                let _ = self.port.tell(handle);
            }
        }
        Ok(Answer::value(watch as usize))
    }

    /// Whether somebody wants to know what happens to a file: by itself, or in its directory.
    pub(crate) fn is_watched(&self, ino: Ino) -> bool {
        !self.watches.is_empty()
            && (self.watches.has(ino)
                || self.watches.files().any(|directory| self.fs.name_in(directory, ino).is_some()))
    }

    /// Tells of what the last request changed.
    pub(crate) fn tell_changes(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        for change in self.fs.take_changes() {
            match &change.name {
                Some(name) => self.watches.notify(change.ino, change.mask, change.cookie, name),
                None => self.tell_of_file(change.ino, change.mask, change.alone),
            }
        }
        self.fs.set_noting(!self.watches.is_empty());
    }

    /// To those who watch a directory that the file has a name in (not if it is to be told `alone`), and to those who watch the file.
    fn tell_of_file(&mut self, ino: Ino, mask: u32, alone: bool) {
        let directories: alloc::vec::Vec<Ino> =
            if alone { alloc::vec::Vec::new() } else { self.watches.files().collect() };
        for directory in directories {
            if let Some(name) = self.fs.name_in(directory, ino) {
                self.watches.notify(directory, mask, 0, &name);
            }
        }
        self.watches.notify(ino, mask, 0, &[]);
        if mask & IN_DELETE_SELF != 0 {
            self.watches.end(ino);
        }
    }
}
