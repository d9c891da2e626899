//! A device that a driver has taken.

use crate::protocol::{ADDRESSES, BAR, DMA, INTERRUPT, RELEASE};
use ochre_rt::call::Call;
use ochre_rt::mapping::Mapping;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::O_RDWR;
use ochre_scheme::abi::layout::PAGE_SIZE;
use ochre_scheme::{Client, Errno, Result};
use zerocopy::IntoBytes;

/// Addresses that one answer has room for.
const ADDRESSES_MAX: usize = 512;

/// A device, this driver's alone until the value is dropped or the process ends.
#[derive(Debug)]
pub struct Device {
    name: String,
    handle: Client,
}

/// Physically adjacent memory that the device may read and write.
#[derive(Debug)]
pub struct Dma {
    /// The memory as this driver sees it.
    pub memory: Mapping,
    /// Where the device sees it.
    pub address: u64,
}

/// An interrupt.
#[derive(Debug)]
pub struct Interrupt(OwnedFd);

impl Device {
    /// Takes the device with a name of `/scheme/pci`, such as `00:02.0`. EBUSY: another driver has it; EACCES: not for root alone.
    pub fn take(name: &str) -> Result<Device> {
        let handle = Client::open(&format!("/scheme/pci/{name}/driver"), O_RDWR)?;
        Ok(Device { name: name.to_owned(), handle })
    }

    /// Its name, as [`Self::take`] had it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A copy of its configuration space: 4,096 bytes, or 256 where there are no more.
    pub fn config(&self) -> Result<Vec<u8>> {
        let mut config = vec![0; 4096];
        let len = syscall::read(self.handle.fd(), &mut config)?;
        config.truncate(len);
        Ok(config)
    }

    /// Maps a part of a base address register's memory. `offset` need not be aligned; the mapping starts there. Errors of [`BAR`] and mmap(2).
    pub fn registers(&self, bar: u8, offset: u64, len: usize) -> Result<(Mapping, usize)> {
        let fd = OwnedFd::new(self.descriptor(BAR, [bar.into(), 0, 0])?);
        let inside = (offset % PAGE_SIZE as u64) as usize;
        let len = len.checked_add(inside).ok_or(Errno::EINVAL)?;
        Ok((Mapping::new(fd.get(), offset - inside as u64, len)?, inside))
    }

    /// An interrupt. Errors of [`INTERRUPT`].
    pub fn interrupt(&self, vector: u16) -> Result<Interrupt> {
        self.descriptor(INTERRUPT, [vector.into(), 0, 0]).map(|fd| Interrupt(OwnedFd::new(fd)))
    }

    /// Physically adjacent zeroed memory of whole pages. Errors of [`DMA`].
    pub fn dma(&self, len: usize) -> Result<Dma> {
        let fd = OwnedFd::new(self.descriptor(DMA, [len as u64, 0, 0])?);
        let memory = Mapping::new(fd.get(), 0, len)?;
        // Adjacent memory is held anyway: number 0 stands for all of it.
        let address = *self.some_addresses(fd.get(), 0, 0, 1)?.first().ok_or(Errno::EIO)?;
        Ok(Dma { memory, address })
    }

    /// Physical addresses of all pages of a memory object of `len` bytes, which pcid holds under `number` (above 0) until
    /// [`Self::release`]. Errors of [`ADDRESSES`].
    pub fn addresses(&self, object: i32, number: u64, len: u64) -> Result<Vec<u64>> {
        let pages = usize::try_from(len.div_ceil(PAGE_SIZE as u64)).map_err(|_| Errno::EINVAL)?;
        let mut all = Vec::new();
        while all.len() < pages {
            let more = self.some_addresses(object, (all.len() * PAGE_SIZE) as u64, number, pages - all.len())?;
            if more.is_empty() {
                return Err(Errno::EINVAL);
            }
            all.extend(more);
        }
        Ok(all)
    }

    fn some_addresses(&self, object: i32, offset: u64, number: u64, pages: usize) -> Result<Vec<u64>> {
        let mut addresses = vec![0u64; pages.min(ADDRESSES_MAX)];
        let fds = [object];
        let mut call = Call::new(ADDRESSES, [offset, number, 0]).fds(&fds).output(addresses.as_mut_bytes());
        let count = call.send(self.handle.fd())?;
        addresses.truncate(count);
        Ok(addresses)
    }

    /// The device is done with an object.
    pub fn release(&self, number: u64) -> Result<()> {
        self.handle.value(RELEASE, [number, 0, 0]).map(|_| ())
    }

    fn descriptor(&self, op: u16, args: [u64; 3]) -> Result<i32> {
        self.handle.value(op, args).map(|fd| fd as i32)
    }
}

impl Interrupt {
    /// Waits for interrupts; how many came since the last wait.
    pub fn wait(&self) -> Result<u64> {
        let mut count = 0u64;
        match syscall::read(self.0.get(), count.as_mut_bytes())? {
            8 => Ok(count),
            _ => Err(Errno::EIO),
        }
    }
}
