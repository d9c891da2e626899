//! Tells devd of the functions, as Linux has them in /sys/bus/pci.

use crate::ecam::Ecam;
use crate::function::Function;
use ochre_devd::{Device, Registration};
use ochre_pci::config::{Read, register};
use std::io::ErrorKind;

/// What devd leads to this server's own files.
const FILES: &[&str] =
    &["class", "config", "device", "resource", "revision", "subsystem_device", "subsystem_vendor", "vendor"];
/// Where configuration space has the interrupt line that the firmware chose.
const INTERRUPT_LINE: u16 = 0x3c;
/// Class and subclass of a VGA controller.
const VGA: u32 = 0x0300;

/// Tells devd of all functions. They are there until what comes back is dropped; None: there is no devd here.
pub fn announce(ecam: &Ecam, functions: &[Function]) -> Option<Registration> {
    let told = Registration::open().and_then(|mut registration| {
        for function in functions {
            let line = ecam.function(function.address).read8(INTERRUPT_LINE);
            registration.add(&device(function, line, bridge_to(ecam, functions, function)))?;
        }
        Ok(registration)
    });
    match told {
        Ok(registration) => Some(registration),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            eprintln!("pcid: devd: {error}");
            None
        }
    }
}

/// The bridge behind which a function is.
fn bridge_to<'f>(ecam: &Ecam, functions: &'f [Function], of: &Function) -> Option<&'f Function> {
    let leads = |bridge: &&Function| {
        bridge.bridge && ecam.function(bridge.address).read8(register::SECONDARY_BUS) == of.address.bus
    };
    functions.iter().find(leads).filter(|_| of.address.bus != 0)
}

fn device(function: &Function, line: u8, bridge: Option<&Function>) -> Device {
    let name = |function: &Function| format!("0000:{}", function.address);
    let place = name(function);
    let device = Device::on_bus("pci", &place);
    let mut device = match bridge {
        Some(bridge) => device.below("pci", name(bridge)),
        None => device.in_folder(format!("pci0000:{:02x}", function.address.bus)),
    };
    for file in FILES {
        device = device.file(file, format!("/scheme/pci/{}/{file}", function.address));
    }
    let Function { vendor, device: id, class, .. } = *function;
    let (subvendor, subdevice) = function.subsystem;
    let [interface, subclass, base, _] = class.to_le_bytes();
    let modalias = format!(
        "pci:v{vendor:08X}d{id:08X}sv{subvendor:08X}sd{subdevice:08X}bc{base:02X}sc{subclass:02X}i{interface:02X}"
    );
    if class >> 8 == VGA {
        device = device.attribute("boot_vga", "1");
    }
    device
        .attribute("irq", if line == 0xff { 0 } else { line }.to_string())
        .attribute("numa_node", "-1")
        .attribute("modalias", &modalias)
        .uevent("PCI_CLASS", format!("{class:X}"))
        .uevent("PCI_ID", format!("{vendor:04X}:{id:04X}"))
        .uevent("PCI_SUBSYS_ID", format!("{subvendor:04X}:{subdevice:04X}"))
        .uevent("PCI_SLOT_NAME", &place)
        .uevent("MODALIAS", &modalias)
        .property("ID_PATH", format!("pci-{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecam::Address;
    use ochre_devd::Parent;

    #[test]
    fn a_function() {
        let function = Function {
            address: Address { bus: 0, device: 5, function: 0 },
            vendor: 0x1af4,
            device: 0x1001,
            class: 0x010000,
            revision: 0,
            subsystem: (0x1af4, 2),
            bridge: false,
            bars: [None; 6],
            capabilities: Vec::new(),
        };
        let device = device(&function, 11, None);
        assert_eq!(device.name, "0000:00:05.0");
        assert_eq!(device.parent, Parent::Folder("pci0000:00".into()));
        let alias = ("modalias".to_owned(), "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00".to_owned());
        assert!(device.attributes.contains(&alias));
        assert!(device.uevent.contains(&("PCI_CLASS".to_owned(), "10000".to_owned())));
        assert!(device.files.contains(&("config".to_owned(), "/scheme/pci/00:05.0/config".to_owned())));
        let behind = super::device(
            &Function { address: Address { bus: 1, ..function.address }, ..function.clone() },
            0xff,
            Some(&function),
        );
        assert_eq!(behind.parent, Parent::Device("pci".into(), "0000:00:05.0".into()));
        assert!(behind.attributes.contains(&("irq".to_owned(), "0".to_owned())));
    }
}
