//! `virtio-blkd BB:DD.F SCHEME`: drives one virtio block device.

use ochre_block::server::{Events, MEMORY, serve};
use ochre_pci::Device;
use ochre_scheme::{Errno, Result};
use virtio_blkd::disk::Disk;
use virtio_blkd::transport::Transport;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(function), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: virtio-blkd BB:DD.F SCHEME");
        return Err(Errno::EINVAL);
    };
    let device = Device::take(&function)?;
    // Before anything lets the device master the bus again: it may still have what a dead driver gave it.
    let transport = Transport::new(&device)?;
    let done = device.interrupt(0)?;
    // Without a second vector there is nobody to tell of a disk that grows.
    let changed = device.interrupt(1).ok();
    // pcid-spawner numbers the drivers of a kind, and so their schemes.
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let disk = Disk::start(&device, transport, digits.parse().unwrap_or(0), changed.is_some())?;
    let memory = device.dma(MEMORY)?;
    serve(&name, vec![(Box::new(disk), Box::new(memory))], Box::new(device), Events { done, changed })
}
