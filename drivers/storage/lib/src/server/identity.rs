//! Handles' numbers, which tell a driver that takes over what its predecessor had opened: a count, the unit, the partition, and how.

use super::engine::Handle;

/// What a number says of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The directory.
    Root,
    /// The list of partitions.
    Text,
    /// A disk or partition.
    Disk { unit: usize, partition: u32, write: bool, exclusive: bool, path: bool, flags: u32 },
}

/// Status flags of open(2) that matter at every read and write: O_DSYNC and O_DIRECT, as on x86.
const FLAGS: [u32; 2] = [0o10000, 0o40000];
const KIND: u64 = 3;
const WRITE: u64 = 1 << 2;
const EXCLUSIVE: u64 = 1 << 3;
const PATH: u64 = 1 << 4;
const FLAG: u32 = 5;
const PARTITION: u32 = 8;
const UNIT: u32 = 18;
const COUNT: u32 = 24;

impl Identity {
    /// A handle's.
    pub fn of(handle: &Handle) -> Identity {
        match handle {
            Handle::Root => Identity::Root,
            Handle::Text(_) => Identity::Text,
            Handle::Disk(opened) => Identity::Disk {
                unit: opened.unit,
                partition: opened.partition,
                write: opened.write,
                exclusive: opened.exclusive,
                path: opened.path,
                flags: opened.flags & (FLAGS[0] | FLAGS[1]),
            },
        }
    }

    /// The number of the so-manieth handle, if it is this one.
    pub fn number(self, count: u64) -> u64 {
        let bits = match self {
            Identity::Root => 0,
            Identity::Text => 1,
            Identity::Disk { unit, partition, write, exclusive, path, flags } => {
                let bit = |on: bool, bit: u64| if on { bit } else { 0 };
                let flags = FLAGS.iter().enumerate().map(|(n, flag)| bit(flags & flag != 0, 1 << (FLAG + n as u32)));
                // A driver has at most 32 disks, a table at most 256 partitions.
                2 | bit(write, WRITE)
                    | bit(exclusive, EXCLUSIVE)
                    | bit(path, PATH)
                    | flags.sum::<u64>()
                    | u64::from(partition & 0x3ff) << PARTITION
                    | (unit as u64 & 0x3f) << UNIT
            }
        };
        count << COUNT | bits
    }

    /// What a number says, and which count it has.
    pub fn parse(number: u64) -> (Identity, u64) {
        let identity = match number & KIND {
            0 => Identity::Root,
            1 => Identity::Text,
            _ => Identity::Disk {
                unit: (number >> UNIT & 0x3f) as usize,
                partition: (number >> PARTITION & 0x3ff) as u32,
                write: number & WRITE != 0,
                exclusive: number & EXCLUSIVE != 0,
                path: number & PATH != 0,
                flags: (0..2).filter(|n| number & 1 << (FLAG + n) != 0).map(|n| FLAGS[n as usize]).sum(),
            },
        };
        (identity, number >> COUNT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        let disk =
            Identity::Disk { unit: 31, partition: 256, write: true, exclusive: false, path: true, flags: FLAGS[1] };
        let other =
            Identity::Disk { unit: 0, partition: 0, write: false, exclusive: true, path: false, flags: FLAGS[0] };
        for identity in [Identity::Root, Identity::Text, disk, other] {
            assert_eq!(Identity::parse(identity.number(77)), (identity, 77));
        }
    }
}
