//! `ahcid BB:DD.F SCHEME`: drives one AHCI controller and what hangs on it.

use ahcid::cd::Cd;
use ahcid::disk::Disk;
use ahcid::hba::Hba;
use ahcid::port::{Kind, Port, connected};
use ochre_block::server::{Drive, Events, MEMORY, Memory, serve};
use ochre_pci::Device;
use ochre_scheme::{Errno, Result};
use std::sync::Arc;

/// Numbers of Linux's that a controller's disks have for themselves.
const NUMBERS: u32 = 8;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(function), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: ahcid BB:DD.F SCHEME");
        return Err(Errno::EINVAL);
    };
    let device = Device::take(&function)?;
    // Before anything lets the device master the bus again: it may still have what a dead driver gave it.
    let hba = Arc::new(Hba::start(&device)?);
    let done = device.interrupt(0)?;
    // pcid-spawner numbers the drivers of a kind, and so their schemes.
    let number: u32 = name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    let (mut disks, mut cds) = (number * NUMBERS, number * NUMBERS);
    let mut drives: Vec<(Box<dyn Drive>, Box<dyn Memory>)> = Vec::new();
    for n in connected(&hba)? {
        match open(&hba, &device, n, &mut disks, &mut cds) {
            Ok(Some(drive)) => drives.push((drive, Box::new(device.dma(MEMORY)?))),
            Ok(None) => {}
            // The others shall not suffer from it.
            Err(error) => eprintln!("{name}: port {n}: {error}"),
        }
    }
    hba.enable_interrupts()?;
    serve(&name, drives, Box::new(device), Events { done, changed: None })
}

fn open(hba: &Arc<Hba>, device: &Device, n: usize, disks: &mut u32, cds: &mut u32) -> Result<Option<Box<dyn Drive>>> {
    let next = |number: &mut u32| {
        *number += 1;
        *number - 1
    };
    Ok(match Port::start(hba.clone(), device, n)? {
        Some((port, Kind::Disk)) => Some(Box::new(Disk::new(port, next(disks))?)),
        Some((port, Kind::Packet)) => Some(Box::new(Cd::new(port, next(cds))?)),
        None => None,
    })
}
