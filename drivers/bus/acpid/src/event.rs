//! The PM1 event registers: which of the fixed events happened.
//!
//! Source: ACPI Specification 6.5, section 4.8.4.1. A status bit is cleared by writing 1 to it; status and enable registers have the same bits.

use crate::ports::Ports;
use ochre_scheme::Result;

/// The power button's bit.
pub const POWER_BUTTON: u16 = 1 << 8;
/// All bits that raise an interrupt: timer, global lock, buttons, clock, PCI Express wake.
const ALL: u16 = 1 | 1 << 5 | POWER_BUTTON | 1 << 9 | 1 << 10 | 1 << 14;

/// One event block.
#[derive(Debug)]
pub struct Events<P> {
    ports: P,
    enable: u16,
}

impl<P: Ports> Events<P> {
    /// Of a block of so many bytes: has only `wanted` raise interrupts, and forgets what happened before.
    pub fn new(ports: P, len: u8, wanted: u16) -> Result<Self> {
        let events = Events { ports, enable: u16::from(len / 2) };
        events.ports.write(events.enable, wanted)?;
        events.ports.write(0, ALL)?;
        Ok(events)
    }

    /// The enabled events that happened since this was last asked.
    pub fn take(&self) -> Result<u16> {
        let happened = self.ports.read(0)? & self.ports.read(self.enable)?;
        if happened != 0 {
            self.ports.write(0, happened)?;
        }
        Ok(happened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Status and enable registers as the hardware has them.
    #[derive(Default)]
    struct Block([Cell<u16>; 2]);

    impl Ports for Rc<Block> {
        fn read(&self, offset: u16) -> Result<u16> {
            Ok(self.0[usize::from(offset) / 2].get())
        }

        fn write(&self, offset: u16, value: u16) -> Result<()> {
            let register = &self.0[usize::from(offset) / 2];
            register.set(if offset == 0 { register.get() & !value } else { value });
            Ok(())
        }
    }

    #[test]
    fn an_event_is_told_once_and_only_if_it_is_enabled() {
        let block = Rc::new(Block::default());
        block.0[0].set(POWER_BUTTON);
        let events = Events::new(block.clone(), 4, POWER_BUTTON).unwrap();
        assert_eq!(events.take(), Ok(0), "a press from before counts");
        block.0[0].set(POWER_BUTTON | 1 << 10);
        assert_eq!(events.take(), Ok(POWER_BUTTON));
        assert_eq!(events.take(), Ok(0));
        assert_eq!(block.0[0].get(), 1 << 10, "others' bits are left alone");
    }
}
