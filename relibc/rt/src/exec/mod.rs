//! Starting programs: exec and spawn, in user code.
//!
//! An image is built in a fresh address space (SPACE_CREATE) by mapping the file's segments and those of its interpreter, and by
//! writing the initial stack; then the calling process goes on there (SPACE_EXEC) or a child starts there (PROCESS_CREATE).
//! Nothing allocates from a heap, so that the C library can do all this between fork and exec; every descriptor opened
//! here is close-on-exec and closed before the program runs. Errors are execve(2)'s.

mod map;
pub mod script;
pub mod stack;
mod strings;

pub use strings::{CStrings, Strings};

use crate::elf::page_up;
use crate::{OwnedFd, cpu, signal, syscall};
use core::iter::once;
use ochre_abi::call::{CallArgs, OP_STAT};
use ochre_abi::file::{AT_FDCWD, O_CLOEXEC, O_EXEC, O_RDONLY, Stat};
use ochre_abi::layout::{PAGE_SIZE, USER_END};
use ochre_abi::memory::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use ochre_abi::process::{FdPair, PROCESS_INHERIT_FDS, ProcessArgs, ProgramInfo, RIGHTS_ALL, StartArgs};
use ochre_abi::{Errno, Result};
use script::{LINE_MAX, NESTING_MAX};
use stack::{Aux, Plan};

type PageBuffer = [u8; PAGE_SIZE];

/// What is mapped beside a program that asks for no interpreter.
const EMULATOR: &[u8] = b"/lib64/ld-linux-x86-64.so.2";
/// Where position-independent programs start, before randomisation (Linux's ELF_ET_DYN_BASE).
const PROGRAM_BASE: u64 = 0x5555_5555_4000;
/// Where interpreters start, before randomisation: far above programs, below the stack.
const INTERPRETER_BASE: u64 = 0x7e00_0000_0000;
/// Randomisation in pages, as Linux's: 28 bits for images, 22 bits for the stack.
///
/// Images are placed anew at each boot and not for each process (as macOS and Windows place their shared libraries): code at the same
/// address everywhere is translated once by an emulator and predicted by a CPU's branch tables, and a spawn costs a sixth under QEMU's TCG.
/// Stack and heap differ from process to process.
const IMAGE_RANDOM_PAGES: u64 = (1 << 28) - 1;
const STACK_RANDOM_PAGES: u64 = (1 << 22) - 1;
/// Initial stacks up to this size are built on the caller's stack, greater ones in mapped memory.
const SMALL_STACK: usize = 8192;

/// A program in its own address space, ready to run.
#[derive(Debug)]
pub struct Image {
    pub space: OwnedFd,
    pub entry: u64,
    pub stack: u64,
    /// The file's name without directories, cut at 15 bytes, NUL-padded.
    pub name: [u8; 16],
    /// The program's file; close-on-exec, so that it is gone once the program runs.
    pub file: OwnedFd,
    /// Where its stack has what, for listings.
    pub info: ProgramInfo,
}

/// Opens a program file relative to `dirfd`. EACCES if it may not be run.
pub fn open(dirfd: i32, path: &[u8]) -> Result<OwnedFd> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    syscall::openat(dirfd, path, O_RDONLY | O_EXEC | O_CLOEXEC, 0).map(OwnedFd::new)
}

/// Loads the program or script at `path` (relative to the working directory).
///
/// ENOENT, EACCES: the file or an interpreter; ENOEXEC: neither ELF for x86-64 nor a script; ELOOP: scripts nested too deep;
/// ELIBBAD: the ELF interpreter is broken; E2BIG: arguments.
pub fn load<'a>(path: &'a [u8], argv: impl Strings<'a>, envp: impl Strings<'a>) -> Result<Image> {
    load_file(open(AT_FDCWD, path)?, path, argv, envp)
}

/// [`load`] of a file that is open already (fexecve, execveat); `path` is what the program is told of its name.
pub fn load_file<'a>(file: OwnedFd, path: &'a [u8], argv: impl Strings<'a>, envp: impl Strings<'a>) -> Result<Image> {
    let mut file = file;
    let mut first = [0; PAGE_SIZE];
    let mut lines = [[0; LINE_MAX]; NESTING_MAX];
    let mut depth = 0;
    let len = loop {
        let len = syscall::pread(file.get(), &mut first, 0).map_err(|error| match error {
            Errno::EISDIR => Errno::EACCES,
            other => other,
        })?;
        if !script::is_script(first.get(..len).unwrap_or(&[])) {
            break len;
        }
        let line = lines.get_mut(depth).ok_or(Errno::ELOOP)?;
        // A shorter file leaves the NULs of the array, which end the line.
        for (to, from) in line.iter_mut().zip(first.iter().take(len)) {
            *to = *from;
        }
        file = open(AT_FDCWD, script::parse(line)?.program)?;
        depth += 1;
    };
    // The innermost interpreter and its argument first, at last the script's path in place of its argv[0].
    let lines = lines.get(..depth).unwrap_or(&[]);
    let words = lines
        .iter()
        .rev()
        .filter_map(|line| script::parse(line).ok())
        .flat_map(|line| once(line.program).chain(line.argument));
    let scripted = depth > 0;
    // An empty argv becomes one empty string, as on Linux since 5.18.
    let missing = (!scripted && argv.clone().next().is_none()).then_some(&b""[..]);
    let argv =
        words.chain(scripted.then_some(path)).chain(missing).chain(argv.skip(usize::from(scripted)).map(shorter));
    build(file, first, len, path, argv, envp.map(shorter))
}

/// Lets lists of different lifetimes stand in one.
fn shorter<'s, 'l: 's>(string: &'l [u8]) -> &'s [u8] {
    string
}

fn build<'a>(
    file: OwnedFd,
    mut first: PageBuffer,
    len: usize,
    path: &[u8],
    argv: impl Strings<'a>,
    envp: impl Strings<'a>,
) -> Result<Image> {
    let plan = Plan::new(argv.clone(), envp.clone(), path)?;
    let mut random = [0; 24];
    syscall::entropy(&mut random)?;
    let pages = |word: u64, mask: u64| (word & mask) * PAGE_SIZE as u64;
    let seed = crate::time::layout_seed();

    let mut spare = [0; PAGE_SIZE];
    let space = OwnedFd::new(syscall::space_create(O_CLOEXEC)?);
    let (mapped, interpreter) = {
        let head = first.get(..len).ok_or(Errno::EIO)?;
        let program = map::program(&file, head, &mut spare)?;
        let mapped = map::image(&space, &file, &program, PROGRAM_BASE + pages(seed, IMAGE_RANDOM_PAGES))?;
        (mapped, program.interpreter)
    };
    let mut entry = mapped.entry;
    let mut base = 0;
    let loader = match interpreter {
        Some((offset, len)) => {
            let path = spare.get_mut(..len).ok_or(Errno::ENOEXEC)?;
            map::read_exactly(&file, path, offset)?;
            if path.last() != Some(&0) {
                return Err(Errno::ENOEXEC);
            }
            Some(open(AT_FDCWD, path.split(|&byte| byte == 0).next().unwrap_or(&[]))?)
        }
        None => emulator(&file)?,
    };
    if let Some(loader) = loader {
        let len = syscall::pread(loader.get(), &mut first, 0)?;
        let broken = |_| Errno::ELIBBAD;
        let program = map::program(&loader, first.get(..len).ok_or(Errno::EIO)?, &mut spare).map_err(broken)?;
        let mapped = map::image(&space, &loader, &program, INTERPRETER_BASE + pages(seed >> 32, IMAGE_RANDOM_PAGES))?;
        entry = mapped.entry;
        base = mapped.bias;
    }

    let last = random.last_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
    let top = USER_END as u64 - pages(last, STACK_RANDOM_PAGES);
    map::stack(&space, top)?;
    let mut aux = Aux {
        phdr: mapped.phdr,
        phnum: mapped.phnum,
        base,
        entry: mapped.entry,
        credentials: syscall::get_credentials()?,
        hwcap: cpu::hwcap(),
        minimum_signal_stack: signal::minimum_stack() as u64,
        ..Aux::default()
    };
    aux.random.copy_from_slice(random.first_chunk::<16>().unwrap_or(&[0; 16]));
    let size = plan.size();
    let fill = |buffer: &mut [u8]| -> Result<stack::Written> {
        let written = plan.write(buffer, top, argv, envp, path, &aux)?;
        map::write(&space, top - size as u64, buffer)?;
        Ok(written)
    };
    let written = if size <= SMALL_STACK {
        let mut buffer = [0; SMALL_STACK];
        fill(buffer.get_mut(..size).ok_or(Errno::EIO)?)?
    } else {
        fill(Scratch::new(size)?.bytes())?
    };
    let info = ProgramInfo { file: file.get() as u64 + 1, ..written.info };
    Ok(Image { space, entry, stack: written.pointer, name: name(path), file, info })
}

/// The C library, which carries out the system calls of a program without an interpreter; none for the C library itself, which is
/// such a program, nor in a system without it.
fn emulator(program: &OwnedFd) -> Result<Option<OwnedFd>> {
    let library = match open(AT_FDCWD, EMULATOR) {
        Err(Errno::ENOENT) => return Ok(None),
        other => other?,
    };
    Ok((identity(&library)? != identity(program)?).then_some(library))
}

/// Device and inode of a file.
fn identity(file: &OwnedFd) -> Result<(u64, u64)> {
    let mut stat = Stat::default();
    let output = core::ptr::from_mut(&mut stat).expose_provenance() as u64;
    let args = CallArgs { op: OP_STAT.into(), output, output_len: size_of::<Stat>() as u64, ..CallArgs::default() };
    // SAFETY: the answer's place is `stat`, of which every bit pattern is one.
    unsafe { syscall::call(file.get(), &args) }?;
    Ok((stat.dev, stat.ino))
}

/// The last component of a path, cut at 15 bytes.
fn name(path: &[u8]) -> [u8; 16] {
    let mut name = [0; 16];
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    for (to, from) in name.iter_mut().take(15).zip(last) {
        *to = *from;
    }
    name
}

/// Mapped memory for one function's use.
struct Scratch {
    address: usize,
    len: usize,
}

impl Scratch {
    fn new(len: usize) -> Result<Self> {
        let mapped = page_up(len as u64) as usize;
        // SAFETY: a fresh mapping at an address that the kernel chooses.
        let address = unsafe { syscall::mmap(0, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) }?;
        Ok(Self { address, len })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes are mapped at `address`, zeroed, for this value alone, until it is dropped.
        unsafe { core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(self.address), self.len) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's and goes with it. An error would leave it mapped, which harms nothing.
        let _ = unsafe { syscall::munmap(self.address, page_up(self.len as u64) as usize) };
    }
}

/// execve(2): the calling process goes on as the program at `path`; returns only with an error.
///
/// `sigmask` and `sigignore` are the blocked and ignored signals that the program starts with.
///
/// # Safety
/// On success every other thread and everything in this address space is gone.
pub unsafe fn execve<'a>(
    path: &'a [u8],
    argv: impl Strings<'a>,
    envp: impl Strings<'a>,
    sigmask: u64,
    sigignore: u64,
) -> Errno {
    match load(path, argv, envp) {
        // SAFETY: the caller's contract.
        Ok(image) => unsafe { enter(&image, sigmask, sigignore) },
        Err(error) => error,
    }
}

/// The calling process goes on in a loaded image; returns only with an error.
///
/// # Safety
/// As [`execve`].
pub unsafe fn enter(image: &Image, sigmask: u64, sigignore: u64) -> Errno {
    // SAFETY: the caller's contract.
    unsafe { syscall::space_exec(image.space.get(), &image.start(sigmask, sigignore)) }
}

impl Image {
    fn start(&self, sigmask: u64, sigignore: u64) -> StartArgs {
        StartArgs { entry: self.entry, stack: self.stack, name: self.name, sigmask, sigignore, program: self.info }
    }
}

/// The child's descriptors.
#[derive(Clone, Copy, Debug)]
pub enum Fds<'a> {
    /// Exactly these.
    Only(&'a [FdPair]),
    /// All of the caller's that are not close-on-exec, then these.
    Inherit(&'a [FdPair]),
}

/// How [`spawn`] starts a child.
#[derive(Clone, Copy, Debug)]
pub struct SpawnOptions<'a> {
    pub fds: Fds<'a>,
    /// A directory to start in, else the caller's.
    pub cwd: Option<i32>,
    /// RIGHT_ bits that the child gets, of those the caller has.
    pub rights: u64,
    /// PROCESS_NULL_NAMESPACE, PROCESS_NEW_SESSION.
    pub flags: u64,
    /// Process group: 0 the caller's, `u64::MAX` a new one, else an existing one.
    pub pgid: u64,
    pub sigmask: u64,
    pub sigignore: u64,
}

impl Default for SpawnOptions<'_> {
    fn default() -> Self {
        Self { fds: Fds::Inherit(&[]), cwd: None, rights: RIGHTS_ALL, flags: 0, pgid: 0, sigmask: 0, sigignore: 0 }
    }
}

/// Starts the program at `path` as a child; its pid. Errors are those of [`load`] and of PROCESS_CREATE (EAGAIN, ENOMEM, EBADF).
pub fn spawn<'a>(
    path: &'a [u8],
    argv: impl Strings<'a>,
    envp: impl Strings<'a>,
    options: &SpawnOptions<'_>,
) -> Result<i32> {
    start(load(path, argv, envp)?, options)
}

/// Starts a loaded image as a child; its pid.
pub fn start(image: Image, options: &SpawnOptions<'_>) -> Result<i32> {
    let (pairs, inherit) = match options.fds {
        Fds::Only(pairs) => (pairs, 0),
        Fds::Inherit(pairs) => (pairs, PROCESS_INHERIT_FDS),
    };
    let args = ProcessArgs {
        start: image.start(options.sigmask, options.sigignore),
        space: image.space.get(),
        cwd: options.cwd.unwrap_or(-1),
        fds: pairs.as_ptr() as u64,
        fd_count: pairs.len() as u64,
        rights: options.rights,
        flags: options.flags | inherit,
        pgid: options.pgid,
    };
    // SAFETY: `fds` and `fd_count` describe the slice above.
    let pid = unsafe { syscall::process_create(&args) }?;
    // The process has taken the address space over, and the descriptor with it.
    let _ = image.space.into_raw();
    Ok(pid)
}
