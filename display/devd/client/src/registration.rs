//! A program's devices at devd.

use crate::device::Device;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};

/// Where devd takes registrations.
pub const REGISTER: &str = "/scheme/devd/register";
/// Bytes of a message at the most.
pub const MESSAGE_MAX: usize = 64 << 10;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The device is there, or is another one than it was.
    Add(Box<Device>),
    /// The device of that subsystem and name is gone.
    Remove(String, String),
}

impl Change {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Change::Add(device) => {
                out.push(b'+');
                device.encode(&mut out);
            }
            Change::Remove(subsystem, name) => out.extend_from_slice(format!("-{subsystem}\0{name}").as_bytes()),
        }
        out
    }

    /// From bytes. `None`: they are no message.
    pub fn decode(message: &[u8]) -> Option<Change> {
        match message.split_first()? {
            (b'+', rest) => Device::decode(rest).map(|device| Change::Add(Box::new(device))),
            (b'-', rest) => {
                let (subsystem, name) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
                Some(Change::Remove(subsystem.to_owned(), name.to_owned()))
            }
            _ => None,
        }
    }
}

/// Devices of this program. They are there for as long as this is open, so that a program that ends looks as if its devices were unplugged;
/// a devd that is started again finds them.
#[derive(Debug)]
pub struct Registration(File);

impl Registration {
    /// With no devices yet. An error of the kind NotFound: this system has no devd; PermissionDenied: only the superuser may.
    pub fn open() -> Result<Registration> {
        OpenOptions::new().write(true).open(REGISTER).map(Registration)
    }

    /// A device is there, or has changed. AlreadyExists: another program has one of that name.
    pub fn add(&mut self, device: &Device) -> Result<()> {
        self.send(&Change::Add(Box::new(device.clone())))
    }

    /// A device is gone. NotFound: it was not there.
    pub fn remove(&mut self, subsystem: &str, name: &str) -> Result<()> {
        self.send(&Change::Remove(subsystem.to_owned(), name.to_owned()))
    }

    fn send(&mut self, change: &Change) -> Result<()> {
        let message = change.encode();
        if message.len() > MESSAGE_MAX {
            return Err(Error::from(ErrorKind::FileTooLarge));
        }
        self.0.write_all(&message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back() {
        let add = Change::Add(Box::new(Device::of_class("block", "vda")));
        let remove = Change::Remove("block".into(), "vda".into());
        for change in [add, remove] {
            assert_eq!(Change::decode(&change.encode()), Some(change));
        }
        for wrong in [&b""[..], b"+", b"-", b"-x", b"?a\0b"] {
            assert_eq!(Change::decode(wrong), None);
        }
    }
}
