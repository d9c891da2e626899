//! The ways in which a program can die of its own fault, and the signal that must come of each.

use crate::sys;

/// A deadly deed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Reads through a null pointer.
    Null,
    /// Writes to its own code.
    WriteText,
    /// Writes to read-only data.
    WriteConstant,
    /// Jumps to data.
    JumpData,
    /// Jumps to address 0.
    JumpNull,
    /// Reads memory of the kernel.
    ReadKernel,
    /// Reads an address that is none: not canonical, a general protection fault.
    NonCanonical,
    /// Divides by zero.
    Divide,
    /// Executes `ud2`.
    Illegal,
    /// Executes a privileged instruction.
    Privileged,
    /// Executes `int3`.
    Breakpoint,
}

/// Linux's numbers, signal(7).
const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;

impl Fault {
    /// Every one, with its name on command lines.
    pub const ALL: &[(&str, Self)] = &[
        ("null", Self::Null),
        ("write-text", Self::WriteText),
        ("write-constant", Self::WriteConstant),
        ("jump-data", Self::JumpData),
        ("jump-null", Self::JumpNull),
        ("read-kernel", Self::ReadKernel),
        ("non-canonical", Self::NonCanonical),
        ("divide", Self::Divide),
        ("illegal", Self::Illegal),
        ("privileged", Self::Privileged),
        ("breakpoint", Self::Breakpoint),
    ];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, fault)| *fault)
    }

    /// The signal that kills who does it.
    pub fn signal(self) -> i32 {
        match self {
            Self::Divide => SIGFPE,
            Self::Illegal => SIGILL,
            Self::Breakpoint => SIGTRAP,
            _ => SIGSEGV,
        }
    }

    /// Does it. Returns only where the system lets it pass, which is a failure.
    pub fn commit(self) {
        match self {
            Self::Null => sys::fault::read(0),
            Self::WriteText => sys::fault::write_text(),
            Self::WriteConstant => sys::fault::write_constant(),
            Self::JumpData => sys::fault::jump_to_data(),
            Self::JumpNull => sys::fault::jump(0),
            Self::ReadKernel => sys::fault::read(0xffff_ffff_8000_0000),
            Self::NonCanonical => sys::fault::read(0x8000_0000_0000_0000),
            Self::Divide => sys::fault::divide_by_zero(),
            Self::Illegal => sys::fault::illegal_instruction(),
            Self::Privileged => sys::fault::privileged_instruction(),
            Self::Breakpoint => sys::fault::breakpoint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(Fault::ALL.iter().all(|(name, fault)| Fault::named(name) == Some(*fault)));
        assert_eq!(Fault::named("nothing"), None);
    }
}
