//! What is on a medium: whether there is one, and its partitions.

use super::announce::Subject;
use super::drive::Kind;
use super::engine::Engine;
use super::job::What;
use crate::partition::Partition;
use crate::table::content::content;
use crate::table::{Media, scan};
use ochre_scheme::{Errno, Result};
use std::time::Duration;

/// How long a drive may take to make a medium ready, asked in these steps.
const STEP: Duration = Duration::from_millis(250);
const STEPS: usize = 40;

/// A unit as the partition tables' source.
struct Wire<'a> {
    engine: &'a Engine,
    unit: usize,
    size: u64,
    logical: u64,
}

impl Media for Wire<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical(&self) -> u64 {
        self.logical
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let data = self.engine.inner(self.unit, What::Copy { write: false }, offset, vec![0; buffer.len()])?;
        // Less comes back than was asked for if the rest failed.
        if data.len() != buffer.len() {
            return Err(Errno::EIO);
        }
        buffer.copy_from_slice(&data);
        Ok(())
    }
}

impl Engine {
    /// Reads a unit's partition table again. Waits for the device.
    pub fn rescan(&self, unit: usize) -> Result<()> {
        let (medium, size, logical, name) = {
            let state = self.state();
            let unit = state.units.get(unit).ok_or(Errno::ENXIO)?;
            (unit.limits.medium, unit.limits.bytes, u64::from(unit.limits.logical), unit.name().to_owned())
        };
        let found = scan(&mut Wire { engine: self, unit, size, logical }, unit as u32);
        let table = found.as_ref().map(|table| table.partitions.clone()).unwrap_or_default();
        if let Some(slot) = self.state().tables.get_mut(unit) {
            *slot = (medium, table);
        }
        for complaint in found?.complaints {
            eprintln!("{name}: {complaint}");
        }
        self.announce(unit);
        Ok(())
    }

    /// Tells devd, if it is to be told, what a unit is and what is on it. Waits for the device.
    pub fn announce(&self, unit: usize) {
        let mut announcer = self.announcer();
        let Some(announcer) = &mut *announcer else { return };
        let (limits, table) = {
            let state = self.state();
            let (Some(own), Some((_, table))) = (state.units.get(unit), state.tables.get(unit)) else { return };
            (own.limits.clone(), table.clone())
        };
        let size = limits.bytes;
        let mut wire = Wire { engine: self, unit, size, logical: u64::from(limits.logical) };
        let inside = |partition: &Partition| content(&mut wire, partition.start * 512, partition.sectors * 512);
        let contents: Vec<_> = table.iter().map(inside).collect();
        let partitions: Vec<_> = table.into_iter().zip(contents).collect();
        let content = content(&mut wire, 0, size);
        announcer.tell(&Subject { unit, limits: &limits, partitions: &partitions, content });
    }

    /// Makes sure that what is known of a drive's medium is so. ENOMEDIUM: there is none. Waits for the device.
    pub fn check(&self, unit: usize) -> Result<()> {
        for _ in 0..STEPS {
            match self.command(unit, Kind::Check) {
                Err(Errno::EBUSY) => std::thread::sleep(STEP),
                Err(error) => return Err(error),
                Ok(()) => {
                    let fresh = {
                        let state = self.state();
                        state.units.get(unit).map(|unit| unit.limits.medium)
                            != state.tables.get(unit).map(|table| table.0)
                    };
                    return if fresh { self.rescan(unit) } else { Ok(()) };
                }
            }
        }
        Err(Errno::ENOMEDIUM)
    }
}
