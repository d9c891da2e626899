//! The table of /etc/pcid.d: which program drives which function.
//!
//! Each file there holds `[[driver]]` tables, of which the first that fits, in the order of the files' names, is taken:
//!
//! ```toml
//! [[driver]]
//! vendor = 0x1af4
//! device = 0x1042
//! program = "/sbin/virtio-blkd"
//! scheme = "disk.virtio-"
//! ```

#![forbid(unsafe_code)]

use serde::Deserialize;

/// One `[[driver]]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// Only functions of this vendor.
    pub vendor: Option<u16>,
    /// Only this device.
    pub device: Option<u16>,
    /// Only this class (the upper of the three bytes).
    pub class: Option<u8>,
    /// Only this subclass.
    pub subclass: Option<u8>,
    /// What to start. Its arguments are the function's name and the scheme's.
    pub program: String,
    /// What the scheme's name begins with; a number follows, from 0 on in the order of the functions.
    pub scheme: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    driver: Vec<Driver>,
}

/// What a function tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Class, subclass, interface.
    pub class: u32,
}

impl Driver {
    /// Whether it drives such a function. One that names nothing drives nothing.
    pub fn fits(&self, identity: &Identity) -> bool {
        let agrees = |wanted: Option<u32>, is: u32| wanted.is_none_or(|wanted| wanted == is);
        let names = self.vendor.is_some() || self.class.is_some();
        names
            && agrees(self.vendor.map(u32::from), identity.vendor.into())
            && agrees(self.device.map(u32::from), identity.device.into())
            && agrees(self.class.map(u32::from), identity.class >> 16)
            && agrees(self.subclass.map(u32::from), identity.class >> 8 & 0xff)
    }
}

/// Reads one file.
pub fn parse(text: &str) -> Result<Vec<Driver>, String> {
    toml::from_str::<File>(text).map(|file| file.driver).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_what_it_names() {
        let table = "[[driver]]\nvendor = 0x1af4\ndevice = 0x1042\nprogram = '/a'\nscheme = 'disk.virtio-'\n\
                     [[driver]]\nclass = 1\nsubclass = 6\nprogram = '/b'\nscheme = 'disk.ahci-'\n\
                     [[driver]]\nprogram = '/c'\nscheme = 'c'\n";
        let drivers = parse(table).unwrap();
        let first = |identity| drivers.iter().find(|driver| driver.fits(&identity)).map(|driver| &*driver.program);
        assert_eq!(first(Identity { vendor: 0x1af4, device: 0x1042, class: 0x01_0000 }), Some("/a"));
        assert_eq!(first(Identity { vendor: 0x8086, device: 0x2922, class: 0x01_0601 }), Some("/b"));
        assert_eq!(first(Identity { vendor: 0x8086, device: 0x2918, class: 0x06_0100 }), None);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert!(parse("[[driver]]\nprogram = '/a'\nscheme = 'a'\ncolour = 1").unwrap_err().contains("colour"));
        assert!(parse("[[driver]]\nprogram = '/a'").unwrap_err().contains("scheme"));
        assert_eq!(parse(""), Ok(vec![]));
    }
}
