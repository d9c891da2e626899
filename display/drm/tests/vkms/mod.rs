//! A device of two outputs without hardware, and a program's view of it.
#![allow(dead_code, reason = "each test program uses a part")]

use ochre_abi::{Errno, Result};
use ochre_drm::arrays::Arrays;
use ochre_drm::client::NodeKind;
use ochre_drm::driver::{Change, ConnectorSetup, Driver, Dumb, Identity, Limits, PlaneSetup, Setup};
use ochre_drm::format::{ARGB8888, LINEAR, RGB565, XRGB8888};
use ochre_drm::ioctl::{Reply, Request};
use ochre_drm::pipeline::{Buffer, ConnectorKind, Display, EncoderKind, Memory, PlaneKind};
use ochre_drm::uapi::ModeInfo;
use ochre_drm::{Device, Progress};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Counts the buffers that live.
#[derive(Debug)]
pub struct Pixels(Arc<AtomicUsize>);

impl Memory for Pixels {}

impl Drop for Pixels {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Vkms {
    pub living: Arc<AtomicUsize>,
    /// Commits that were made.
    pub commits: usize,
    /// What the next commit, or every check, ends with.
    pub commit_error: Option<Errno>,
    pub check_error: Option<Errno>,
}

impl Driver for Vkms {
    /// A buffer's number; 0: another device's.
    type Descriptor = u64;

    fn identity(&self) -> Identity {
        Identity { name: "vkms", description: "for tests", date: "20261122", version: (1, 0, 0), place: "nowhere" }
    }

    fn limits(&self) -> Limits {
        Limits { least: (1, 1), most: (4096, 4096), cursor: (64, 64), prefer_shadow: false }
    }

    fn check(&self, _: &Change<'_>) -> Result<()> {
        self.check_error.map_or(Ok(()), Err)
    }

    fn commit(&mut self, _: &Change<'_>) -> Result<()> {
        self.commits += 1;
        self.commit_error.take().map_or(Ok(()), Err)
    }

    fn create_dumb(&mut self, width: u32, height: u32, bits: u32) -> Result<Dumb> {
        self.living.fetch_add(1, SeqCst);
        let pitch = (width * bits.div_ceil(8)).next_multiple_of(64);
        Ok(Dumb { memory: Box::new(Pixels(self.living.clone())), pitch, size: u64::from(pitch) * u64::from(height) })
    }

    fn export(&mut self, buffer: &Buffer, _writable: bool) -> Result<u64> {
        Ok(buffer.number)
    }

    fn number_of(&mut self, descriptor: &u64) -> Option<u64> {
        Some(*descriptor).filter(|number| *number != 0)
    }

    fn import(&mut self, _: u64) -> Result<(Box<dyn Memory>, u64)> {
        self.living.fetch_add(1, SeqCst);
        Ok((Box::new(Pixels(self.living.clone())), 1 << 20))
    }
}

/// Two CRTCs, a connector for each, a primary and a cursor plane each, and one overlay for both.
pub fn device() -> Device<Vkms> {
    let display =
        |width, height| Display { modes: ModeInfo::fitting(width, height), edid: Vec::new(), size_mm: (300, 200) };
    let connector = |n: u32, display| ConnectorSetup {
        kind: ConnectorKind::Virtual,
        encoder: EncoderKind::Virtual,
        possible_crtcs: 1 << n,
        display,
    };
    let plane = |kind, possible_crtcs, formats: &[u32]| PlaneSetup {
        kind,
        possible_crtcs,
        formats: formats.to_vec(),
        modifiers: vec![LINEAR],
    };
    let setup = Setup {
        connectors: vec![connector(0, Some(display(1024, 768))), connector(1, None)],
        crtcs: 2,
        planes: vec![
            plane(PlaneKind::Primary, 1, &[XRGB8888, RGB565]),
            plane(PlaneKind::Cursor, 1, &[ARGB8888]),
            plane(PlaneKind::Primary, 2, &[XRGB8888]),
            plane(PlaneKind::Cursor, 2, &[ARGB8888]),
            plane(PlaneKind::Overlay, 3, &[XRGB8888, ARGB8888]),
        ],
    };
    Device::new(Vkms::default(), setup).expect("a sound description")
}

/// A program's arrays, in the order of the ioctl's row.
#[derive(Default)]
pub struct Lent(pub Vec<Vec<u8>>);

impl Arrays for Lent {
    fn read(&mut self, array: usize, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = self.0.get(array).and_then(|array| array.get(offset..)?.get(..to.len())).ok_or(Errno::EFAULT)?;
        to.copy_from_slice(from);
        Ok(())
    }

    fn write(&mut self, array: usize, offset: usize, from: &[u8]) -> Result<()> {
        let to = self.0.get_mut(array).and_then(|array| array.get_mut(offset..)?.get_mut(..from.len()));
        to.ok_or(Errno::EFAULT)?.copy_from_slice(from);
        Ok(())
    }
}

/// A program that has the device open.
pub struct Program {
    pub id: u64,
    pub root: bool,
}

/// A number of type 'd' for a struct of this size, both ways.
pub fn number(nr: u8, size: usize) -> u32 {
    0xc000_6400 | (size as u32) << 16 | u32::from(nr)
}

impl Program {
    pub fn open(device: &mut Device<Vkms>) -> Program {
        Program { id: device.open(NodeKind::Primary, 1, 0), root: false }
    }

    pub fn raw(
        &self,
        device: &mut Device<Vkms>,
        request: u32,
        input: &[u8],
        lent: &mut Lent,
        now: u64,
    ) -> Result<Reply<u64>> {
        let request = Request { number: request, input, arrays: lent, descriptor: Some(0), root: self.root, now };
        device.ioctl(self.id, request)
    }

    /// An ioctl with arrays; the struct as it comes back.
    pub fn with<T: IntoBytes + FromBytes + Immutable>(
        &self,
        device: &mut Device<Vkms>,
        nr: u8,
        value: T,
        lent: &mut Lent,
        now: u64,
    ) -> Result<(T, Progress)> {
        let reply = self.raw(device, number(nr, size_of::<T>()), value.as_bytes(), lent, now)?;
        let mut output = reply.output;
        output.resize(size_of::<T>(), 0);
        Ok((T::read_from_bytes(&output).expect("the right size"), reply.progress))
    }

    /// The same without arrays, at the time 0.
    pub fn ioctl<T: IntoBytes + FromBytes + Immutable>(
        &self,
        device: &mut Device<Vkms>,
        nr: u8,
        value: T,
    ) -> Result<T> {
        self.with(device, nr, value, &mut Lent::default(), 0).map(|(value, _)| value)
    }
}
