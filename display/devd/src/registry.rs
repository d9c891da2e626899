//! Who registered what.
//!
//! A registration is a handle; what it says is parked at the port under the handle's id, so that a devd that is started again knows it.

use crate::publish::{Id, Known, id};
use ochre_devd::{Change, Device};
use ochre_scheme::{Errno, Result};
use std::collections::BTreeMap;

/// Devices of one registration at the most; more is a driver gone wild.
const DEVICES_MAX: usize = 4096;

/// The devices of all registrations.
#[derive(Debug, Default)]
pub struct Registry {
    registrations: BTreeMap<u64, Vec<Known>>,
    base: Vec<Known>,
}

impl Registry {
    /// With devices that no registration has.
    pub fn new(base: Vec<Device>) -> Registry {
        let base = base.into_iter().map(|device| Known { device, since: 0 }).collect();
        Registry { registrations: BTreeMap::new(), base }
    }

    /// A registration begins, with the devices that its predecessor parked.
    pub fn begin(&mut self, handle: u64, devices: Vec<Known>) {
        self.registrations.insert(handle, devices);
    }

    /// Whether that is a registration.
    pub fn has(&self, handle: u64) -> bool {
        self.registrations.contains_key(&handle)
    }

    /// A registration ends. Whether there is anything less now.
    pub fn end(&mut self, handle: u64) -> bool {
        self.registrations.remove(&handle).is_some_and(|devices| !devices.is_empty())
    }

    /// A message of a registration, at a time in µs. EEXIST: somebody else has a device of that name; ENOENT; ENOSPC.
    pub fn change(&mut self, handle: u64, change: Change, now: u64) -> Result<()> {
        match change {
            Change::Add(device) => {
                let wanted = id(&device);
                let is = |known: &Known| id(&known.device) == wanted;
                let others = self.registrations.iter().filter(|(own, _)| **own != handle).flat_map(|(_, list)| list);
                if others.chain(&self.base).any(is) {
                    return Err(Errno::EEXIST);
                }
                let list = self.registrations.get_mut(&handle).ok_or(Errno::EBADF)?;
                let count = list.len();
                match list.iter_mut().find(|known| is(known)) {
                    Some(known) => known.device = *device,
                    None if count >= DEVICES_MAX => return Err(Errno::ENOSPC),
                    None => list.push(Known { device: *device, since: now }),
                }
            }
            Change::Remove(subsystem, name) => {
                let wanted: Id = (subsystem, name);
                let list = self.registrations.get_mut(&handle).ok_or(Errno::EBADF)?;
                let place = list.iter().position(|known| id(&known.device) == wanted).ok_or(Errno::ENOENT)?;
                list.remove(place);
            }
        }
        Ok(())
    }

    /// All devices, in the order in which they came.
    pub fn known(&self) -> Vec<Known> {
        let mut all: Vec<Known> = self.base.iter().chain(self.registrations.values().flatten()).cloned().collect();
        all.sort_by_key(|known| known.since);
        all
    }

    /// A registration as bytes, to be parked.
    pub fn save(&self, handle: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for known in self.registrations.get(&handle).into_iter().flatten() {
            let message = Change::Add(Box::new(known.device.clone())).encode();
            out.extend_from_slice(&(message.len() as u32).to_le_bytes());
            out.extend_from_slice(&known.since.to_le_bytes());
            out.extend_from_slice(&message);
        }
        // A length of 0 ends the list: objects are whole pages.
        out.extend_from_slice(&[0; 4]);
        out
    }

    /// The devices of parked bytes, up to where these make no sense.
    pub fn restore(mut bytes: &[u8]) -> Vec<Known> {
        let mut devices = Vec::new();
        while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
            let len = u32::from_le_bytes(*len) as usize;
            let Some((since, rest)) = rest.split_first_chunk::<8>() else { break };
            let Some((message, rest)) = rest.split_at_checked(len) else { break };
            let Some(Change::Add(device)) = Change::decode(message) else { break };
            devices.push(Known { device: *device, since: u64::from_le_bytes(*since) });
            bytes = rest;
        }
        devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(name: &str) -> Change {
        Change::Add(Box::new(Device::of_class("block", name)))
    }

    #[test]
    fn registrations() {
        let mut registry = Registry::new(vec![Device::of_class("mem", "null")]);
        registry.begin(1, Vec::new());
        registry.begin(2, Vec::new());
        assert_eq!(registry.change(1, add("vda"), 5), Ok(()));
        assert_eq!(registry.change(2, add("vda"), 6), Err(Errno::EEXIST));
        let null = Change::Add(Box::new(Device::of_class("mem", "null")));
        assert_eq!(registry.change(2, null, 6), Err(Errno::EEXIST));
        assert_eq!(registry.change(2, add("sda"), 4), Ok(()));
        assert_eq!(registry.change(3, add("sdb"), 4), Err(Errno::EBADF));
        let names: Vec<String> = registry.known().into_iter().map(|known| known.device.name).collect();
        assert_eq!(names, ["null", "sda", "vda"]);
        assert_eq!(Registry::restore(&registry.save(1)), registry.registrations[&1]);
        let gone = Change::Remove("block".into(), "vda".into());
        assert_eq!(registry.change(2, gone.clone(), 7), Err(Errno::ENOENT));
        assert_eq!(registry.change(1, gone, 7), Ok(()));
        assert!(!registry.end(1) && registry.end(2) && !registry.end(2));
        assert_eq!(registry.known().len(), 1);
    }

    #[test]
    fn what_was_parked_may_be_anything() {
        let mut registry = Registry::default();
        registry.begin(1, Vec::new());
        for name in ["a", "b"] {
            assert_eq!(registry.change(1, add(name), 1), Ok(()));
        }
        let whole = registry.save(1);
        for len in 0..whole.len() {
            assert!(Registry::restore(&whole[..len]).len() <= 2);
        }
        assert_eq!(Registry::restore(&[0xff; 4096]), []);
        assert_eq!(Registry::restore(&[0; 4096]), []);
    }
}
