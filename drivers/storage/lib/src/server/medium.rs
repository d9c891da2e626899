//! What is on a medium: whether there is one, and its partitions.

use super::drive::Kind;
use super::engine::Engine;
use super::job::What;
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
        Ok(())
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
