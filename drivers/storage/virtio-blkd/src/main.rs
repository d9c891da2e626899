//! `virtio-blkd BB:DD.F SCHEME`: drives one virtio block device.

use ochre_pci::Device;
use ochre_scheme::{Errno, Result, Server};
use std::sync::{Arc, Mutex, PoisonError};
use virtio_blkd::disk::Disk;
use virtio_blkd::scheme::Front;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(function), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: virtio-blkd BB:DD.F SCHEME");
        return Err(Errno::EINVAL);
    };
    let device = Device::take(&function)?;
    let interrupt = device.interrupt(0)?;
    let disk = Arc::new(Mutex::new(Disk::start(device, &name)?));
    let mut server = Server::register(&name)?;
    let completing = disk.clone();
    std::thread::spawn(move || {
        loop {
            match interrupt.wait() {
                Ok(_) | Err(Errno::EINTR) => completing.lock().unwrap_or_else(PoisonError::into_inner).complete(),
                Err(error) => {
                    eprintln!("virtio-blkd: {name}: interrupt: {error}");
                    // Without interrupts nobody would ever be answered; the successor may fare better.
                    std::process::exit(1);
                }
            }
        }
    });
    ochre_scheme::ready();
    server.run(&mut Front(disk))
}
