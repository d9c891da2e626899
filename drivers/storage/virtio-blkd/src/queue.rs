//! A split virtqueue (VIRTIO 1.2, section 2.7).

use ochre_scheme::Result;

/// Descriptors at the most.
pub const SIZE_MAX: u16 = 256;
/// Where the driver's and the device's ring are, and how many bytes all takes, for any size up to [`SIZE_MAX`].
pub const DRIVER_RING: usize = 4096;
pub const DEVICE_RING: usize = 8192;
pub const BYTES: usize = 12288;

/// A descriptor goes on with another one; the device writes to it.
const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// Memory that the rings are in. `ochre_rt`'s mapping, or a test's.
pub trait Memory {
    /// 16 bits at an offset.
    fn get16(&self, offset: usize) -> Result<u16>;
    /// 32 bits at an offset.
    fn get32(&self, offset: usize) -> Result<u32>;
    /// Sets 16 bits.
    fn set16(&self, offset: usize, value: u16) -> Result<()>;
    /// Sets 32 bits.
    fn set32(&self, offset: usize, value: u32) -> Result<()>;
    /// Keeps what is before from what is after.
    fn order(&self);
}

impl Memory for ochre_rt::mapping::Mapping {
    fn get16(&self, offset: usize) -> Result<u16> {
        self.read16(offset)
    }

    fn get32(&self, offset: usize) -> Result<u32> {
        self.read32(offset)
    }

    fn set16(&self, offset: usize, value: u16) -> Result<()> {
        self.write16(offset, value)
    }

    fn set32(&self, offset: usize, value: u32) -> Result<()> {
        self.write32(offset, value)
    }

    fn order(&self) {
        self.barrier();
    }
}

/// A piece of memory in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Physical address.
    pub address: u64,
    /// Bytes.
    pub len: u32,
    /// The device writes it.
    pub written: bool,
}

/// The driver's side. A device that breaks the rules gets nothing out of it but its own requests lost.
pub struct Queue {
    size: u16,
    free: Vec<u16>,
    /// By first descriptor, the chains under way.
    chains: Vec<Vec<u16>>,
    added: u16,
    taken: u16,
}

impl Queue {
    /// An empty one, over zeroed memory.
    pub fn new(size: u16) -> Queue {
        let size = size.min(SIZE_MAX);
        Queue { size, free: (0..size).rev().collect(), chains: vec![Vec::new(); size.into()], added: 0, taken: 0 }
    }

    /// Descriptors.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Descriptors that are free.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// Adds a request; the number that comes back by [`Self::done`]. `None`: no room, or no parts.
    pub fn add(&mut self, memory: &impl Memory, parts: &[Part]) -> Result<Option<u16>> {
        if parts.is_empty() || parts.len() > self.free.len() {
            return Ok(None);
        }
        let chain = self.free.split_off(self.free.len() - parts.len());
        for (n, (descriptor, part)) in chain.iter().zip(parts).enumerate() {
            let at = usize::from(*descriptor) * 16;
            let next = chain.get(n + 1);
            let flags = if part.written { WRITE } else { 0 } | if next.is_some() { NEXT } else { 0 };
            memory.set32(at, part.address as u32)?;
            memory.set32(at + 4, (part.address >> 32) as u32)?;
            memory.set32(at + 8, part.len)?;
            memory.set16(at + 12, flags)?;
            memory.set16(at + 14, next.copied().unwrap_or(0))?;
        }
        let head = chain[0];
        self.chains[usize::from(head)] = chain;
        memory.set16(DRIVER_RING + 4 + 2 * usize::from(self.added % self.size), head)?;
        memory.order();
        self.added = self.added.wrapping_add(1);
        memory.set16(DRIVER_RING + 2, self.added)?;
        // Before the device is notified, and before it is looked at whether that is wanted.
        memory.order();
        Ok(Some(head))
    }

    /// A request that the device has done. Numbers that are not under way are passed over.
    pub fn done(&mut self, memory: &impl Memory) -> Result<Option<u16>> {
        while memory.get16(DEVICE_RING + 2)? != self.taken {
            memory.order();
            let head = memory.get32(DEVICE_RING + 4 + 8 * usize::from(self.taken % self.size))?;
            self.taken = self.taken.wrapping_add(1);
            let chain = self.chains.get_mut(head as usize).map(std::mem::take).unwrap_or_default();
            if !chain.is_empty() {
                self.free.extend(chain);
                return Ok(Some(head as u16));
            }
        }
        Ok(None)
    }

    /// Whether the device wants to be told of new requests now.
    pub fn wants_notice(&self, memory: &impl Memory) -> Result<bool> {
        Ok(memory.get16(DEVICE_RING)? & 1 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    struct Heap(RefCell<Vec<u8>>);

    impl Memory for Heap {
        fn get16(&self, at: usize) -> Result<u16> {
            Ok(u16::from_le_bytes(self.0.borrow()[at..at + 2].try_into().unwrap()))
        }
        fn get32(&self, at: usize) -> Result<u32> {
            Ok(u32::from_le_bytes(self.0.borrow()[at..at + 4].try_into().unwrap()))
        }
        fn set16(&self, at: usize, value: u16) -> Result<()> {
            self.0.borrow_mut()[at..at + 2].copy_from_slice(&value.to_le_bytes());
            Ok(())
        }
        fn set32(&self, at: usize, value: u32) -> Result<()> {
            self.0.borrow_mut()[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Ok(())
        }
        fn order(&self) {}
    }

    /// The device does the request at the ring's end, or claims to.
    fn finish(memory: &Heap, size: u16, head: u32) {
        let done = memory.get16(DEVICE_RING + 2).unwrap();
        memory.set32(DEVICE_RING + 4 + 8 * usize::from(done % size), head).unwrap();
        memory.set16(DEVICE_RING + 2, done.wrapping_add(1)).unwrap();
    }

    fn parts(count: usize) -> Vec<Part> {
        (0..count).map(|n| Part { address: n as u64 + (1 << 33), len: 512, written: n == 1 }).collect()
    }

    #[test]
    fn chains_are_linked_and_come_back() {
        let memory = Heap(RefCell::new(vec![0; BYTES]));
        let mut queue = Queue::new(4);
        let head = queue.add(&memory, &parts(3)).unwrap().unwrap();
        let flags = |n: u16| memory.get16(usize::from(n) * 16 + 12).unwrap();
        let next = |n: u16| memory.get16(usize::from(n) * 16 + 14).unwrap();
        assert_eq!([flags(head), flags(next(head)), flags(next(next(head)))], [NEXT, NEXT | WRITE, 0]);
        assert_eq!(memory.get32(usize::from(head) * 16 + 4).unwrap(), 2, "the address's upper half");
        assert_eq!(queue.add(&memory, &parts(2)).unwrap(), None, "no room");
        assert_eq!(queue.done(&memory).unwrap(), None);
        finish(&memory, 4, head.into());
        assert_eq!(queue.done(&memory).unwrap(), Some(head));
        assert_eq!(queue.room(), 4);
    }

    #[test]
    fn wraps_round_and_survives_a_lying_device() {
        let memory = Heap(RefCell::new(vec![0; BYTES]));
        let mut queue = Queue::new(8);
        for _ in 0..70_000 {
            let a = queue.add(&memory, &parts(3)).unwrap().unwrap();
            let b = queue.add(&memory, &parts(2)).unwrap().unwrap();
            finish(&memory, 8, b.into());
            finish(&memory, 8, b.into());
            finish(&memory, 8, 0xffff_ffff);
            finish(&memory, 8, a.into());
            assert_eq!(queue.done(&memory).unwrap(), Some(b));
            assert_eq!(queue.done(&memory).unwrap(), Some(a), "what was not under way is passed over");
            assert_eq!((queue.done(&memory).unwrap(), queue.room()), (None, 8));
        }
    }
}
