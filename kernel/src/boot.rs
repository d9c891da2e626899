//! From the boot module to the first process.
//!
//! The module is a cpio archive (newc) that starts with `boot/bootstrap`, a flat program image, and `boot/kernel.sym`. The kernel reads no
//! other file of it: the bootstrap program serves the archive as the initial file tree.

use crate::file::File;
use crate::mm::object::MemoryObject;
use crate::mm::object_file::MemoryFile;
use crate::mm::space::Space;
use crate::namespace::Namespace;
use crate::process::{self, Inherited, Process};
use crate::thread::Thread;
use crate::{sched, schemes, symbols};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::context::Context;
use hal::mem::Frame;
use hal::paging::Prot;
use hal::{BootInfo, Level, UserRegs};
use ochre_abi::file::{O_RDONLY, O_RDWR};
use ochre_abi::process::{Credentials, RIGHTS_ALL};
use ochre_hal as hal;
use ochre_logic::fd_table::FdTable;

/// Pages of the first process's stack, right below the end of the user half.
const STACK_PAGES: usize = 64;
const STACK_TOP: usize = 0x7fff_0000_0000;

/// The module's bytes, by pages.
struct Module {
    frames: Vec<Frame>,
    len: usize,
}

impl Module {
    /// Copies bytes out; `None` beyond the end.
    fn read(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        if offset.checked_add(out.len())? > self.len {
            return None;
        }
        let mut done = 0;
        while done < out.len() {
            let at = offset + done;
            let len = (out.len() - done).min(4096 - at % 4096);
            self.frames.get(at / 4096)?.read(at % 4096, &mut out[done..done + len]);
            done += len;
        }
        Some(())
    }

    fn u64(&self, offset: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(offset, &mut bytes)?;
        Some(u64::from_le_bytes(bytes))
    }

    /// Offset and length of a file's data. Only the first entries are looked at: the two that the kernel needs stand there.
    fn find(&self, wanted: &[u8]) -> Option<(usize, usize)> {
        let mut at = 0usize;
        for _ in 0..8 {
            let mut header = [0u8; 110];
            self.read(at, &mut header)?;
            if !header.starts_with(b"070701") {
                return None;
            }
            let field = |n: usize| {
                let text = core::str::from_utf8(&header[6 + 8 * n..14 + 8 * n]).ok()?;
                usize::from_str_radix(text, 16).ok()
            };
            let (size, name_size) = (field(6)?, field(11)?);
            let mut name = alloc::vec![0; name_size.min(8192)];
            self.read(at + 110, &mut name)?;
            let name = name.split(|b| *b == 0).next()?;
            let data = (at + 110 + name_size).next_multiple_of(4);
            if name == wanted {
                return Some((data, size));
            }
            at = (data + size).next_multiple_of(4);
        }
        None
    }
}

/// The first boot module, if the loader gave one.
fn first_module(info: &BootInfo) -> Option<Module> {
    let range = info.modules.first()?;
    Some(Module { frames: Frame::boot_module(0), len: range.len as usize })
}

/// Takes the names of the kernel's functions from the boot module, if it has them: backtraces are symbolised from here on.
pub fn load_symbols(info: &BootInfo) {
    let Some(module) = first_module(info) else { return };
    let Some((offset, len)) = module.find(b"boot/kernel.sym") else { return };
    let mut table = alloc::vec![0; len];
    if module.read(offset, &mut table).is_some() {
        symbols::init(table);
    }
}

/// Starts the first process from the first boot module. An error names what is wrong with the module.
pub fn start_first_process(info: &BootInfo) -> Result<(), &'static str> {
    let module = first_module(info).ok_or("no boot module was given: the initial file tree is missing")?;
    let (image, image_len) = module.find(b"boot/bootstrap").ok_or("the boot module holds no boot/bootstrap")?;
    if image % 4096 != 0 {
        return Err("boot/bootstrap does not start on a page of the boot module");
    }
    let space = Space::new().map_err(|_| "no memory for the first process")?;
    let entry = map_image(&module, image, image_len, &space).ok_or("boot/bootstrap is damaged")?;
    for page in 1..=STACK_PAGES {
        let frame = Frame::alloc_zeroed().ok_or("no memory for the first stack")?;
        space.map_page(Some(STACK_TOP - page * 4096), frame, Prot::RW).map_err(|_| "no room for the first stack")?;
    }
    let pages = module.frames.len();
    let object = MemoryObject::from_frames(module.frames, module.len as u64);
    hal::log!(Level::Info, "boot module: {pages} pages; first process starts at {entry:#x}");
    start(space, entry, object).map_err(|_| "the first process could not be made")
}

/// Maps the flat image's segments: read-only ones from the module's pages, writable ones as copies.
fn map_image(module: &Module, image: usize, image_len: usize, space: &Arc<Space>) -> Option<usize> {
    let mut magic = [0; 8];
    module.read(image, &mut magic)?;
    if &magic != b"OCHREBT1" {
        return None;
    }
    let entry = module.u64(image + 8)? as usize;
    let segments = module.u64(image + 16)?.min(16) as usize;
    for n in 0..segments {
        let header = image + 24 + n * 40;
        let [vaddr, offset, file_size, mem_size, flags] =
            [0, 8, 16, 24, 32].map(|field| module.u64(header + field).unwrap_or(u64::MAX) as usize);
        if vaddr % 4096 != 0 || offset % 4096 != 0 || offset.checked_add(file_size)? > image_len {
            return None;
        }
        let (write, execute) = (flags & 2 != 0, flags & 1 != 0);
        for page in 0..mem_size.checked_add(4095)? / 4096 {
            let from = page * 4096;
            let in_file = file_size.saturating_sub(from).min(4096);
            let source = image + offset + from;
            let frame = if !write && in_file == 4096 {
                module.frames.get(source / 4096)?.clone()
            } else {
                let frame = Frame::alloc_zeroed()?;
                if in_file > 0 {
                    frame.copy_from(0, module.frames.get(source / 4096)?, 0, in_file);
                }
                frame
            };
            let prot = if write {
                Prot::RW
            } else if execute {
                Prot::RX
            } else {
                Prot::R
            };
            space.map_page(Some(vaddr.checked_add(from)?), frame, prot).ok()?;
        }
    }
    Some(entry)
}

/// Makes process 1: the module at fd 0, the console at 1 and 2, every right, all schemes.
fn start(space: Arc<Space>, entry: usize, module: Arc<MemoryObject>) -> ochre_abi::Result<()> {
    let console = schemes::debug::console();
    let mut handles = FdTable::new();
    let files = [
        File::new(Arc::new(MemoryFile::new(module)), O_RDONLY),
        File::new(console.clone(), O_RDWR),
        File::new(console, O_RDWR),
    ];
    for file in files {
        let inserted = handles.insert(0, 16, file, false);
        debug_assert!(inserted.is_ok(), "an empty table has room");
    }
    let regs = UserRegs { rip: entry as u64, rsp: (STACK_TOP - 16) as u64, rflags: 0x202, ..UserRegs::default() };
    let context = Context::new_user(&regs, 0, space.table()).ok_or(ochre_abi::Errno::ENOMEM)?;
    let pid = process::allocate_id()?;
    let from = Inherited {
        parent: Weak::new(),
        namespace: Namespace::root(),
        cwd: None,
        credentials: Credentials::default(),
        rights: RIGHTS_ALL,
        limits: process::default_limits(),
        pgid: 0,
        sid: 0,
        program: Arc::default(),
        attributes: Default::default(),
    };
    let first = Process::new(pid, space, handles, from)?;
    first.signals.start(&first, 0)?;
    let thread = Thread::new(&first, pid, context, *b"bootstrap\0\0\0\0\0\0\0");
    first.add_thread(&thread)?;
    sched::start(&thread);
    Ok(())
}
