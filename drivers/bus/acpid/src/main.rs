//! The scheme acpi, and what the power button does: `acpid PROGRAM [ARGUMENT …]` runs that program at each press.

use acpid::event::{Events, POWER_BUTTON};
use acpid::fadt::Fadt;
use acpid::ports::Machine;
use acpid::scheme::Acpi;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::{Result, Server};
use std::collections::BTreeMap;
use std::process::Command;
use std::{env, fs, thread};

const TABLES: &str = "/scheme/sys/acpi";
const FADT: &str = "FACP0";
/// Interrupts in a row that no enabled event explains, after which the line is left masked: something that nobody here drives holds it.
const STRAY_MAX: u32 = 1000;

fn main() -> Result<()> {
    let tables = tables();
    let action: Vec<String> = env::args().skip(1).collect();
    let fadt = tables.get(FADT).and_then(|table| Fadt::parse(table));
    let mut server = Server::register("acpi")?;
    match fadt {
        Some(fadt) if fadt.power_button && !action.is_empty() => match Button::new(&fadt) {
            Ok(button) => drop(thread::spawn(move || button.watch(&action))),
            Err(error) => eprintln!("acpid: no power button: {error}"),
        },
        Some(_) => {}
        None => eprintln!("acpid: no fixed hardware"),
    }
    ochre_scheme::ready();
    server.run(&mut Acpi::new(tables))
}

/// All tables; one that cannot be read is told and missing.
fn tables() -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(TABLES).into_iter().flatten().flatten();
    let read = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let table = fs::read(entry.path()).inspect_err(|error| eprintln!("acpid: {name}: {error}")).ok()?;
        Some((name, table))
    });
    read.collect()
}

/// The power button's hardware.
struct Button {
    blocks: Vec<Events<Machine>>,
    interrupt: OwnedFd,
}

impl Button {
    /// Takes the hardware over from the firmware.
    fn new(fadt: &Fadt) -> Result<Button> {
        let path = format!("/scheme/irq/{}", fadt.interrupt);
        let interrupt = OwnedFd::new(syscall::openat(AT_FDCWD, path.as_bytes(), O_RDWR | O_CLOEXEC, 0)?);
        let events = |block: acpid::fadt::Block| {
            Events::new(Machine::take(block.base, block.len.into())?, block.len, POWER_BUTTON)
        };
        let blocks = fadt.blocks.into_iter().flatten().map(events).collect::<Result<_>>()?;
        if let Some((port, value)) = fadt.enable {
            Machine::take(port, 1)?.write8(value)?;
        }
        Ok(Button { blocks, interrupt })
    }

    /// Waits for presses, as long as the hardware works.
    fn watch(self, action: &[String]) {
        let mut stray = 0;
        while stray < STRAY_MAX {
            match self.wait() {
                Ok(true) => {
                    stray = 0;
                    press(action);
                }
                Ok(false) => stray += 1,
                Err(error) => {
                    eprintln!("acpid: the power button is not watched any more: {error}");
                    return;
                }
            }
        }
        eprintln!("acpid: the interrupt does not end; the power button is not watched any more");
    }

    /// Waits for an interrupt; whether it was the button.
    fn wait(&self) -> Result<bool> {
        let mut count = [0; 8];
        syscall::read(self.interrupt.get(), &mut count)?;
        let mut pressed = false;
        for block in &self.blocks {
            pressed |= block.take()? & POWER_BUTTON != 0;
        }
        // The line was masked when it interrupted: writing opens it again.
        syscall::write(self.interrupt.get(), &count)?;
        Ok(pressed)
    }
}

fn press(action: &[String]) {
    eprintln!("acpid: power button");
    let Some((program, arguments)) = action.split_first() else { return };
    match Command::new(program).args(arguments).env_remove("INIT_NOTIFY").status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("acpid: {program}: {status}"),
        Err(error) => eprintln!("acpid: {program}: {error}"),
    }
}
