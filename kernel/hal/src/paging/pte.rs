//! Encoding of page-table entries (Intel SDM volume 3, table 4-20). Pure, tested on the host.

/// The entry is present.
pub const PRESENT: u64 = 1 << 0;
/// Writes are allowed.
pub const WRITE: u64 = 1 << 1;
/// User mode may access it.
pub const USER: u64 = 1 << 2;
/// Low bit of the memory type's index into IA32_PAT.
pub const PWT: u64 = 1 << 3;
/// High bit of that index (bit 7, the third, is not used).
pub const PCD: u64 = 1 << 4;
/// Set by the CPU on the first access.
pub const ACCESSED: u64 = 1 << 5;
/// Set by the CPU on the first write.
pub const DIRTY: u64 = 1 << 6;
/// Not flushed by a reload of CR3.
pub const GLOBAL: u64 = 1 << 8;
/// Ours: device memory, no frame reference behind it.
pub const DEVICE: u64 = 1 << 9;
/// Ours: occupied although perhaps not present (`Prot::NONE`), so that address zero is not taken for an empty entry.
pub const OCCUPIED: u64 = 1 << 10;
/// Instruction fetches are refused.
pub const NO_EXECUTE: u64 = 1 << 63;
/// The physical address.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// The bits that [`Prot`] decides.
pub const RIGHTS: u64 = PRESENT | WRITE | USER | NO_EXECUTE;

/// What user mode may do with a page. Writable and executable together do not exist: `W | X` drops X.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prot(u8);

impl Prot {
    /// No access; the page keeps its frame.
    pub const NONE: Prot = Prot(0);
    /// Read.
    pub const R: Prot = Prot(1);
    /// Read and write.
    pub const RW: Prot = Prot(3);
    /// Read and execute.
    pub const RX: Prot = Prot(5);

    /// From three wishes. Any right includes reading (the MMU knows no page that is writable or executable but not
    /// readable); of writing and executing, writing wins.
    pub const fn new(read: bool, write: bool, exec: bool) -> Prot {
        if write {
            Prot::RW
        } else if exec {
            Prot::RX
        } else if read {
            Prot::R
        } else {
            Prot::NONE
        }
    }

    /// Any access is allowed.
    pub const fn readable(self) -> bool {
        self.0 & 1 != 0
    }

    /// Writes are allowed.
    pub const fn writable(self) -> bool {
        self.0 & 2 != 0
    }

    /// Instruction fetches are allowed.
    pub const fn executable(self) -> bool {
        self.0 & 4 != 0
    }

    /// The same without writing.
    pub const fn without_write(self) -> Prot {
        Prot(self.0 & !2)
    }

    /// The [`RIGHTS`] bits of an entry.
    pub const fn bits(self) -> u64 {
        let mut bits = 0;
        if self.readable() {
            bits |= PRESENT | USER;
        }
        if self.writable() {
            bits |= WRITE;
        }
        if !self.executable() {
            bits |= NO_EXECUTE;
        }
        bits
    }

    /// The rights that an entry gives.
    pub const fn of(entry: u64) -> Prot {
        if entry & PRESENT == 0 { Prot::NONE } else { Prot::new(true, entry & WRITE != 0, entry & NO_EXECUTE == 0) }
    }
}

/// How the CPU caches device memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cache {
    /// Every access reaches the device, in order.
    Uncached,
    /// Writes are gathered: for framebuffers.
    WriteCombining,
    /// Like RAM.
    WriteBack,
}

impl Cache {
    /// The type's bits in an entry; the meaning of the indices is set by [`PAT`].
    pub const fn bits(self) -> u64 {
        match self {
            Cache::WriteBack => 0,
            Cache::WriteCombining => PWT,
            Cache::Uncached => PCD | PWT,
        }
    }
}

/// IA32_PAT (SDM volume 3, section 11.12): WB, WC, UC-, UC, and WB, WT, UC-, UC.
pub const PAT: u64 = 0x0007_0406_0007_0106;

/// A user page's entry.
pub const fn user(phys: u64, prot: Prot) -> u64 {
    phys & ADDRESS | prot.bits() | OCCUPIED
}

/// A device page's entry.
pub const fn device(phys: u64, prot: Prot, cache: Cache) -> u64 {
    user(phys, prot) | cache.bits() | DEVICE
}

/// `entry` with the rights of `prot` instead of its own.
pub const fn with_prot(entry: u64, prot: Prot) -> u64 {
    entry & !RIGHTS | prot.bits()
}

/// Changing `old` to `new` takes something away that a TLB may still allow, or changes where it leads.
pub const fn needs_flush(old: u64, new: u64) -> bool {
    let lost = old & !new & (PRESENT | WRITE | DIRTY) | !old & new & NO_EXECUTE | (old ^ new) & ADDRESS;
    old & PRESENT != 0 && lost != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Prot; 4] = [Prot::NONE, Prot::R, Prot::RW, Prot::RX];

    #[test]
    fn rights_survive_the_entry() {
        for prot in ALL {
            assert_eq!(Prot::of(user(0x1234_5000, prot)), prot);
            assert_eq!(user(0x1234_5000, prot) & ADDRESS, 0x1234_5000);
            assert_ne!(user(0, prot), 0);
            for other in ALL {
                assert_eq!(Prot::of(with_prot(user(0x5000, other), prot)), prot);
            }
        }
    }

    #[test]
    fn write_and_execute_exclude_each_other() {
        for bits in 0..8 {
            let prot = Prot::new(bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            assert!(!(prot.writable() && prot.executable()));
            assert_eq!(prot.readable(), bits != 0);
        }
    }

    #[test]
    fn flush_where_rights_shrink() {
        let page = |prot| user(0x1000, prot);
        assert!(needs_flush(page(Prot::RW), page(Prot::R)));
        assert!(needs_flush(page(Prot::RX), page(Prot::R)));
        assert!(needs_flush(page(Prot::R), page(Prot::NONE)));
        assert!(needs_flush(page(Prot::R), user(0x2000, Prot::R)));
        assert!(needs_flush(page(Prot::R), 0));
        assert!(needs_flush(page(Prot::RW) | DIRTY, page(Prot::RW)));
        assert!(!needs_flush(page(Prot::R), page(Prot::RW)));
        assert!(!needs_flush(page(Prot::R), page(Prot::RX)));
        assert!(!needs_flush(page(Prot::NONE), page(Prot::RW)));
        assert!(!needs_flush(0, page(Prot::RW)));
    }
}
