//! The ioctls there are, as data.
//!
//! An ioctl's argument is a number, or points to a struct, fields of which may point to arrays. A [`Row`] says so once; relibc makes a call of
//! it (the struct is the payload, each array a window, in the row's order), and servers find what they are asked for by the same
//! rows. A new ioctl is one row; one without a row is ENOTTY.
#![no_std]
#![forbid(unsafe_code)]

pub mod block;
pub mod drm;
pub mod evdev;
pub mod tty;

/// One ioctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name in Linux's headers.
    pub name: &'static str,
    /// Its number, with the size and the direction of [`Match::Number`] as they are in the headers.
    pub request: u32,
    /// Which other numbers are it too.
    pub matches: Match,
    /// What its argument is.
    pub argument: Argument,
}

/// Which numbers mean a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The row's only.
    Exact,
    /// Any with the same type and number: size and direction say what the caller's struct has, which may be older and shorter, or newer and
    /// longer, than this row's (Linux: drm_ioctl()).
    Number,
    /// Any of the same type and direction with this many numbers from the row's on; the size says how much room the caller has
    /// (Linux: evdev_do_ioctl()).
    Numbers(u8),
}

/// An ioctl's argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number, or nothing.
    Value,
    /// A pointer to a struct.
    Struct {
        /// Which way it goes.
        direction: Direction,
        /// Bytes.
        size: u16,
        /// The arrays that its fields point to.
        arrays: &'static [Array],
        /// A field with a descriptor.
        descriptor: Option<Descriptor>,
    },
}

/// Which way data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the caller.
    In,
    /// To the caller.
    Out,
    /// Both.
    InOut,
}

/// An array that a field of the struct points to. Offsets are in the struct; pointers have 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Which way it goes.
    pub direction: Direction,
    /// The pointer's offset.
    pub pointer: u16,
    /// How many elements.
    pub count: Count,
    /// Bytes of an element.
    pub element: u16,
}

/// How many elements an array has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// A field of 32 bits at this offset tells.
    Field32(u16),
    /// A field of 64 bits at this offset tells.
    Field64(u16),
    /// The sum of another array of 32-bit numbers, with its pointer's and its count's (32 bits) offsets.
    Sum { pointer: u16, count: u16 },
}

/// A field of 32 bits with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// The caller's, at this offset: it goes along with the call.
    Sent(u16),
    /// One that the caller gets, by the call's answer, at this offset; at the second is a field of open flags (O_CLOEXEC counts).
    Received(u16, u16),
}

/// A row that a number was found to mean, and how much of its struct the caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// It.
    pub row: &'static Row,
    /// Bytes that come from the caller.
    pub input: usize,
    /// Bytes that go to the caller.
    pub output: usize,
}

/// _IOC_SIZEMASK: the largest size in a number.
const SIZE_MAX: u32 = 0x3fff;
/// _IOC_WRITE and _IOC_READ, as the user sees it.
const WRITE: u32 = 1 << 30;
const READ: u32 = 2 << 30;

impl Row {
    /// What a request means by this row, if anything.
    fn found(&'static self, request: u32) -> Option<Found> {
        let user = (request >> 16 & SIZE_MAX) as usize;
        let (input, output) = match self.argument {
            Argument::Value => (0, 0),
            Argument::Struct { direction: Direction::In, size, .. } => (size.into(), 0),
            Argument::Struct { direction: Direction::Out, size, .. } => (0, size.into()),
            Argument::Struct { direction: Direction::InOut, size, .. } => (size.into(), size.into()),
        };
        match self.matches {
            Match::Exact => (request == self.request).then_some(Found { row: self, input, output }),
            Match::Number => (request & 0xffff == self.request & 0xffff).then(|| Found {
                row: self,
                input: if request & self.request & WRITE != 0 { user.min(input) } else { 0 },
                output: if request & self.request & READ != 0 { user.min(output) } else { 0 },
            }),
            Match::Numbers(count) => {
                let first = self.request as u8;
                let same = (request ^ self.request) & 0xc000_ff00 == 0;
                let number = (request as u8).checked_sub(first).is_some_and(|nth| nth < count);
                // How much there is, the caller says; what it asks for more than the struct, it does not get.
                let part = |size: usize| if size == 0 { 0 } else { user };
                (same && number).then(|| Found { row: self, input: part(input), output: part(output) })
            }
        }
    }

    /// The arrays of its struct.
    pub fn arrays(&self) -> &'static [Array] {
        match self.argument {
            Argument::Value => &[],
            Argument::Struct { arrays, .. } => arrays,
        }
    }

    /// The descriptor in its struct.
    pub fn descriptor(&self) -> Option<Descriptor> {
        match self.argument {
            Argument::Value => None,
            Argument::Struct { descriptor, .. } => descriptor,
        }
    }
}

/// What a request means; `None`: there is no such ioctl.
pub fn find(request: u32) -> Option<Found> {
    let rows: &'static [Row] = match (request >> 8) as u8 {
        drm::TYPE => drm::ROWS,
        evdev::TYPE => evdev::ROWS,
        block::TYPE | block::TYPE_DISK | block::TYPE_CD => block::ROWS,
        _ => &[],
    };
    rows.iter().chain(tty::ROWS).find_map(|row| row.found(request))
}

const fn row(name: &'static str, request: u32, matches: Match, argument: Argument) -> Row {
    Row { name, request, matches, argument }
}

const fn plain(direction: Direction, size: u16) -> Argument {
    Argument::Struct { direction, size, arrays: &[], descriptor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> impl Iterator<Item = &'static Row> {
        [drm::ROWS, evdev::ROWS, block::ROWS, tty::ROWS].into_iter().flatten()
    }

    #[test]
    fn rows_are_sound() {
        for row in every() {
            assert_eq!(find(row.request).map(|found| found.row.name), Some(row.name), "found by its own number");
            let Argument::Struct { size, arrays, descriptor, .. } = row.argument else { continue };
            for array in arrays {
                assert!(array.pointer + 8 <= size && array.pointer % 8 == 0, "{}", row.name);
                let ends = match array.count {
                    Count::Field32(at) => [at + 4, 0],
                    Count::Field64(at) => [at + 8, 0],
                    Count::Sum { pointer, count } => [pointer + 8, count + 4],
                };
                assert!(ends.iter().all(|end| *end <= size), "{}", row.name);
            }
            match descriptor {
                Some(Descriptor::Sent(at)) => assert!(at + 4 <= size),
                Some(Descriptor::Received(at, flags)) => assert!(at + 4 <= size && flags + 4 <= size),
                None => {}
            }
            if matches!(row.matches, Match::Number) {
                assert_eq!(row.request >> 16 & SIZE_MAX, size.into(), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_drm_caller_may_have_another_size() {
        let row = find(0xc010_640c).expect("GET_CAP");
        assert_eq!((row.row.name, row.input, row.output), ("DRM_IOCTL_GET_CAP", 16, 16));
        let short = find(0xc008_640c).expect("GET_CAP of 8 bytes");
        assert_eq!((short.input, short.output), (8, 8));
        let long = find(0xc020_640c).expect("GET_CAP of 32 bytes");
        assert_eq!((long.input, long.output), (16, 16));
        let write_only = find(0x4010_640c).expect("GET_CAP without a result");
        assert_eq!((write_only.input, write_only.output), (16, 0));
    }

    #[test]
    fn an_evdev_caller_says_how_much_room_there_is() {
        let name = find(0x8100_4506).expect("EVIOCGNAME(256)");
        assert_eq!((name.row.name, name.output), ("EVIOCGNAME", 256));
        let bits = find(0x8060_4521).expect("EVIOCGBIT(EV_KEY, 96)");
        assert_eq!((bits.row.name, bits.output), ("EVIOCGBIT", 96));
        assert_eq!(find(0x4060_4521), None, "the wrong direction");
        assert_eq!(find(0x8018_4580).map(|found| found.row.name), None, "behind the last axis");
    }
}
