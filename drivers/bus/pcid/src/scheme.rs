//! The tree: a directory a function, named `BB:DD.F`, with what Linux's /sys/bus/pci/devices shows under the same names.
//!
//! `driver` in it is not for reading: opening it takes the function (`ochre_pci::Device`), which only root may.

use crate::claim::Claim;
use crate::ecam::Ecam;
use crate::function::Function;
use ochre_pci::config::Read;
use ochre_pci::protocol::{ADDRESSES, BAR, DMA, INTERRUPT, RELEASE};
use ochre_scheme::abi::file::{
    DT_DIR, DT_REG, O_ACCMODE, O_PATH, O_RDONLY, O_RDWR, S_IFDIR, S_IFREG, Stat, put_dirent,
};
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use std::collections::HashMap;
use std::fmt::Write;
use zerocopy::IntoBytes;

/// Files of a function.
const FILES: &[&str] =
    &["class", "config", "device", "driver", "resource", "revision", "subsystem_device", "subsystem_vendor", "vendor"];

/// The scheme.
pub struct Pci {
    ecam: Ecam,
    functions: Vec<Function>,
    handles: HashMap<u64, Handle>,
    next: u64,
}

enum Handle {
    Root,
    Directory(usize),
    Text(Vec<u8>),
    Driver(usize, Claim),
    /// `driver`, opened only to look at it.
    Name,
}

impl Pci {
    /// With these functions.
    pub fn new(ecam: Ecam, functions: Vec<Function>) -> Pci {
        Pci { ecam, functions, handles: HashMap::new(), next: 0 }
    }

    fn add(&mut self, handle: Handle) -> Answer {
        self.next += 1;
        let answer = Answer::opened(self.next).seekable();
        let answer = match handle {
            Handle::Root | Handle::Directory(_) => answer.directory(),
            _ => answer,
        };
        self.handles.insert(self.next, handle);
        answer
    }

    fn taken(&self, function: usize) -> bool {
        self.handles.values().any(|handle| matches!(handle, Handle::Driver(n, _) if *n == function))
    }

    fn text(&self, function: &Function, file: &str) -> Vec<u8> {
        let text = match file {
            "class" => format!("{:#08x}\n", function.class),
            "device" => format!("{:#06x}\n", function.device),
            "revision" => format!("{:#04x}\n", function.revision),
            "subsystem_device" => format!("{:#06x}\n", function.subsystem.1),
            "subsystem_vendor" => format!("{:#06x}\n", function.subsystem.0),
            "vendor" => format!("{:#06x}\n", function.vendor),
            "resource" => resources(function),
            _ => return self.config(function),
        };
        text.into_bytes()
    }

    fn config(&self, function: &Function) -> Vec<u8> {
        let space = self.ecam.function(function.address);
        (0..function.config_len() as u16).step_by(4).flat_map(|at| space.read32(at).to_le_bytes()).collect()
    }

    fn driver_call(&mut self, request: &mut Request, op: u16, args: [u64; 3]) -> Result<Answer> {
        let Some(Handle::Driver(n, claim)) = self.handles.get_mut(&request.handle()) else { return Err(Errno::EINVAL) };
        let function = self.functions.get(*n).ok_or(Errno::ENODEV)?;
        match op {
            BAR => claim.bar(function, args[0]).map(Answer::give),
            INTERRUPT => claim.interrupt(&self.ecam, function, args[0]).map(Answer::give),
            DMA => claim.dma(&self.ecam, function, args[0], args[1] == 1).map(Answer::give),
            ADDRESSES => {
                let object = request.take_fd(0)?;
                let mut addresses = vec![0u64; request.room() / 8];
                let count = claim.addresses(object, args[0], args[1], &mut addresses)?;
                request.put(addresses[..count].as_bytes())?;
                Ok(Answer::value(count))
            }
            RELEASE => claim.release(args[0]).map(Answer::from),
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// A line a base address register, as in Linux's file: first and last byte, flags (IORESOURCE_, PCI_BASE_ADDRESS_).
fn resources(function: &Function) -> String {
    let mut text = String::new();
    for bar in &function.bars {
        let (start, end, flags) = bar.map_or((0, 0, 0), |bar| {
            let kind: u64 = match (bar.ports, bar.wide, bar.prefetchable) {
                (true, ..) => 0x4_0101,
                (false, wide, prefetchable) => {
                    0x4_0200 | if wide { 0x10_0004 } else { 0 } | if prefetchable { 0x2008 } else { 0 }
                }
            };
            (bar.address, bar.address.saturating_add(bar.len - 1), kind)
        });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{start:#018x} {end:#018x} {flags:#018x}");
    }
    text
}

impl Scheme for Pci {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let base = match (request.handle(), self.handles.get(&request.handle())) {
            (0, _) | (_, Some(Handle::Root)) => None,
            (_, Some(Handle::Directory(n))) => Some(*n),
            _ => return Err(Errno::ENOTDIR),
        };
        let path = std::str::from_utf8(request.payload()).map_err(|_| Errno::ENOENT)?.to_owned();
        let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        let function = match base {
            Some(n) => Some(n),
            None => match parts.next() {
                None => None,
                Some(name) => {
                    let is = |function: &Function| function.address.to_string() == name;
                    Some(self.functions.iter().position(is).ok_or(Errno::ENOENT)?)
                }
            },
        };
        let (file, rest) = (parts.next(), parts.next());
        let reads = flags & O_ACCMODE == O_RDONLY || flags & O_PATH != 0;
        let handle = match (function, file, rest) {
            (_, _, Some(_)) => return Err(Errno::ENOENT),
            (_, None, _) if !reads => return Err(Errno::EISDIR),
            (None, ..) => Handle::Root,
            (Some(n), None, _) => Handle::Directory(n),
            (Some(_), Some("driver"), _) if flags & O_PATH != 0 => Handle::Name,
            (Some(n), Some("driver"), _) => {
                if request.caller().uid != 0 || flags & O_ACCMODE != O_RDWR {
                    return Err(Errno::EACCES);
                }
                if self.taken(n) {
                    return Err(Errno::EBUSY);
                }
                let function = self.functions.get(n).ok_or(Errno::ENODEV)?;
                Handle::Driver(n, Claim::begin(&self.ecam, function)?)
            }
            (Some(n), Some(file), _) => {
                let function = self.functions.get(n).filter(|_| FILES.contains(&file)).ok_or(Errno::ENOENT)?;
                if !reads {
                    return Err(Errno::EACCES);
                }
                Handle::Text(self.text(function, file))
            }
        };
        Ok(self.add(handle))
    }

    fn close(&mut self, handle: u64) {
        if let Some(Handle::Driver(n, claim)) = self.handles.remove(&handle) {
            if let Some(function) = self.functions.get(n) {
                claim.end(&self.ecam, function);
            }
        }
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, _len: usize) -> Result<Answer> {
        let start = usize::try_from(position.unwrap_or(0)).unwrap_or(usize::MAX);
        match self.handles.get(&request.handle()) {
            Some(Handle::Text(text)) => request.put(text.get(start..).unwrap_or_default())?,
            Some(Handle::Driver(n, _)) => {
                let config = self.functions.get(*n).map(|function| self.config(function)).ok_or(Errno::ENODEV)?;
                request.put(config.get(start..).unwrap_or_default())?
            }
            Some(Handle::Root | Handle::Directory(_)) => return Err(Errno::EISDIR),
            Some(Handle::Name) | None => return Err(Errno::EBADF),
        };
        request.data_answer()
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        let stat = |mode, size: usize| Stat { ino: handle, nlink: 1, mode, size: size as i64, ..Stat::default() };
        match self.handles.get(&handle) {
            Some(Handle::Root | Handle::Directory(_)) => Ok(stat(S_IFDIR | 0o555, 0)),
            Some(Handle::Text(text)) => Ok(stat(S_IFREG | 0o444, text.len())),
            Some(Handle::Driver(..) | Handle::Name) => Ok(stat(S_IFREG | 0o600, 0)),
            None => Err(Errno::EBADF),
        }
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::GetDents { position, .. } => {
                let names: Vec<(String, u8)> = match self.handles.get(&request.handle()) {
                    Some(Handle::Root) => self.functions.iter().map(|f| (f.address.to_string(), DT_DIR)).collect(),
                    Some(Handle::Directory(_)) => FILES.iter().map(|name| ((*name).to_owned(), DT_REG)).collect(),
                    _ => return Err(Errno::ENOTDIR),
                };
                entries(request, position, &names)
            }
            Op::Private { op, args } => self.driver_call(request, op, args),
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// As much of a list from a position on as fits.
fn entries(request: &mut Request, position: u64, names: &[(String, u8)]) -> Result<Answer> {
    let mut page = [0u8; 4096];
    let room = request.room().min(page.len());
    let start = usize::try_from(position).unwrap_or(usize::MAX).min(names.len());
    let (mut len, mut next) = (0, start);
    for (name, kind) in &names[start..] {
        if !put_dirent(&mut page[..room], &mut len, next as u64 + 1, next as u64 + 1, *kind, name.as_bytes()) {
            break;
        }
        next += 1;
    }
    if len == 0 && start < names.len() {
        return Err(Errno::EINVAL);
    }
    request.put(&page[..len])?;
    Ok(Answer::value(len).with_args([next as u64, 0, 0]))
}
