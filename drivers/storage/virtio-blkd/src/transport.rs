//! The device's registers (VIRTIO 1.2, section 4.1).

use ochre_pci::Device;
use ochre_pci::config::{Read, capabilities, capability, register};
use ochre_rt::mapping::Mapping;
use ochre_scheme::{Errno, Result};

/// Kinds of structures (4.1.4).
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const DEVICE: u8 = 4;

/// Fields of the common structure (4.1.4.3).
const DEVICE_FEATURE_SELECT: usize = 0;
const DEVICE_FEATURE: usize = 4;
const DRIVER_FEATURE_SELECT: usize = 8;
const DRIVER_FEATURE: usize = 12;
const CONFIG_VECTOR: usize = 16;
const STATUS: usize = 20;
const CONFIG_GENERATION: usize = 21;
const QUEUE_SELECT: usize = 22;
const QUEUE_SIZE: usize = 24;
const QUEUE_VECTOR: usize = 26;
const QUEUE_ENABLE: usize = 28;
const QUEUE_NOTIFY_OFFSET: usize = 30;
const QUEUE_DESCRIPTORS: usize = 32;
const QUEUE_DRIVER: usize = 40;
const QUEUE_DEVICE: usize = 48;

/// Device status (2.1).
const ACKNOWLEDGE: u8 = 1;
const DRIVER: u8 = 2;
const DRIVER_OK: u8 = 4;
const FEATURES_OK: u8 = 8;
/// No vector: no interrupt.
const NO_VECTOR: u16 = 0xffff;
/// Reads of the status that a reset may take. QEMU's is over at once; a hardware device's may take a while.
const RESET_TRIES: usize = 1_000_000;

/// VIRTIO_F_VERSION_1 (6).
pub const VERSION_1: u64 = 1 << 32;

/// The registers of one device with one queue.
pub struct Transport {
    common: (Mapping, usize),
    notify: (Mapping, usize),
    device: (Mapping, usize),
    multiplier: usize,
}

impl Transport {
    /// Maps the registers and resets the device. ENODEV: it is no virtio device of version 1.
    pub fn new(device: &Device) -> Result<Transport> {
        let config = device.config()?;
        let config = &config[..];
        if config.read16(register::VENDOR) != 0x1af4 {
            return Err(Errno::ENODEV);
        }
        let structures: Vec<(u8, u16)> = capabilities(config)
            .into_iter()
            .filter(|(number, _)| *number == capability::VENDOR)
            .map(|(_, at)| (config.read8(at + 3), at))
            .collect();
        // The first of a kind that can be mapped is the one to use (4.1.4.1).
        let find = |kind, least: usize| {
            let mut offered = structures.iter().filter(|(own, _)| *own == kind);
            offered.find_map(|(_, at)| {
                let (offset, len) = (config.read32(at + 8), config.read32(at + 12) as usize);
                let mapped = device.registers(config.read8(at + 4), offset.into(), len);
                if len < least { None } else { mapped.ok().map(|mapped| (mapped, *at)) }
            })
        };
        let (common, _) = find(COMMON, 56).ok_or(Errno::ENODEV)?;
        let (notify, at) = find(NOTIFY, 2).ok_or(Errno::ENODEV)?;
        let (specific, _) = find(DEVICE, 24).ok_or(Errno::ENODEV)?;
        let multiplier = config.read32(at + 16) as usize;
        let transport = Transport { common, notify, device: specific, multiplier };
        transport.reset()?;
        Ok(transport)
    }

    /// Stops the device and forgets all that it was told. ETIMEDOUT: it does not obey.
    pub fn reset(&self) -> Result<()> {
        self.set_status(0)?;
        for _ in 0..RESET_TRIES {
            if self.status()? == 0 {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        Err(Errno::ETIMEDOUT)
    }

    fn status(&self) -> Result<u8> {
        let (map, at) = &self.common;
        map.read8(at + STATUS)
    }

    fn set_status(&self, status: u8) -> Result<()> {
        let (map, at) = &self.common;
        map.write8(at + STATUS, status)
    }

    /// Agrees on features: those of `wanted` that the device has. ENODEV if it insists on others.
    pub fn negotiate(&self, wanted: u64) -> Result<u64> {
        let (map, at) = &self.common;
        self.set_status(ACKNOWLEDGE)?;
        self.set_status(ACKNOWLEDGE | DRIVER)?;
        let mut agreed = 0;
        for half in 0..2u32 {
            map.write32(at + DEVICE_FEATURE_SELECT, half)?;
            let both = map.read32(at + DEVICE_FEATURE)? & (wanted >> (32 * half)) as u32;
            map.write32(at + DRIVER_FEATURE_SELECT, half)?;
            map.write32(at + DRIVER_FEATURE, both)?;
            agreed |= u64::from(both) << (32 * half);
        }
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK)?;
        let accepted = self.status()? & FEATURES_OK != 0 && agreed & VERSION_1 != 0;
        if accepted { Ok(agreed) } else { Err(Errno::ENODEV) }
    }

    /// Sets queue 0 up, with interrupts on vector 0, and lets the device begin. `addresses`: descriptors, driver's ring, device's ring.
    /// `told`: changes of the device's own structure interrupt on vector 1.
    pub fn start(&self, size: u16, addresses: [u64; 3], told: bool) -> Result<()> {
        let (map, at) = &self.common;
        map.write16(at + CONFIG_VECTOR, if told { 1 } else { NO_VECTOR })?;
        map.write16(at + QUEUE_SELECT, 0)?;
        map.write16(at + QUEUE_SIZE, size)?;
        map.write16(at + QUEUE_VECTOR, 0)?;
        if map.read16(at + QUEUE_VECTOR)? != 0 {
            return Err(Errno::ENOSPC);
        }
        for (field, address) in [QUEUE_DESCRIPTORS, QUEUE_DRIVER, QUEUE_DEVICE].into_iter().zip(addresses) {
            map.write32(at + field, address as u32)?;
            map.write32(at + field + 4, (address >> 32) as u32)?;
        }
        map.write16(at + QUEUE_ENABLE, 1)?;
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
    }

    /// How many descriptors queue 0 may have.
    pub fn queue_size(&self) -> Result<u16> {
        let (map, at) = &self.common;
        map.write16(at + QUEUE_SELECT, 0)?;
        map.read16(at + QUEUE_SIZE)
    }

    /// Tells the device that queue 0 has something for it.
    pub fn notify(&self) -> Result<()> {
        let (common, at) = &self.common;
        let place = usize::from(common.read16(at + QUEUE_NOTIFY_OFFSET)?);
        let (map, at) = &self.notify;
        map.write16(at + place * self.multiplier, 0)
    }

    /// Counts the changes of the device's own structure.
    pub fn generation(&self) -> Result<u8> {
        let (map, at) = &self.common;
        map.read8(at + CONFIG_GENERATION)
    }

    /// 32 bits of the device's own structure. EINVAL: it has no such field.
    pub fn config32(&self, offset: usize) -> Result<u32> {
        let (map, at) = &self.device;
        map.read32(at + offset)
    }
}
