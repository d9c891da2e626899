//! What a process runs, for listings: the program's file, and where its initial stack has what it was given.

use crate::file::File;
use crate::process::Process;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ochre_abi::process::ProgramInfo;

/// The greatest part of arguments or environment that is shown, in bytes: exec takes no more.
const SHOWN_MAX: u64 = 2 << 20;

/// A program as exec or spawn described it.
#[derive(Clone, Default)]
pub struct Program {
    /// Its file.
    pub file: Option<Arc<File>>,
    info: ProgramInfo,
}

impl Program {
    /// `process` is the one whose descriptor `info` names. A wrong description is shown as it is and harms nothing.
    pub(crate) fn new(process: &Process, info: ProgramInfo) -> Program {
        let file = info.file.checked_sub(1).and_then(|fd| process.file(i32::try_from(fd).ok()?).ok());
        Program { file, info }
    }

    /// The path under which it was opened.
    pub fn path(&self) -> Option<&[u8]> {
        self.file.as_ref().and_then(|file| file.path())
    }

    /// The argument strings as they are in the process's memory now; empty if they are not there.
    pub fn args(&self, process: &Process) -> Vec<u8> {
        shown(process, self.info.args)
    }

    /// The same of the environment's strings.
    pub fn env(&self, process: &Process) -> Vec<u8> {
        shown(process, self.info.env)
    }

    /// The same of the auxiliary vector.
    pub fn auxv(&self, process: &Process) -> Vec<u8> {
        shown(process, self.info.auxv)
    }

    /// An address in the initial stack, 0 if unknown.
    pub fn stack_address(&self) -> u64 {
        self.info.args[0]
    }
}

/// Memory of a process as far as its pages are there; nothing is faulted in.
fn shown(process: &Process, [start, end]: [u64; 2]) -> Vec<u8> {
    let len = end.saturating_sub(start).min(SHOWN_MAX) as usize;
    if len == 0 || crate::io::need_room(len).is_err() {
        return Vec::new();
    }
    let mut bytes = alloc::vec![0; len];
    let seen = process.space().peek(start as usize, &mut bytes);
    bytes.truncate(seen);
    bytes
}
