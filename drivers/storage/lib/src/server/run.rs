//! The threads of a driver: one that serves requests, one for each interrupt, and the watchdog.

use super::announce::Announcer;
use super::drive::{BUFFER, BUFFERS, Drive, Memory, Pages};
use super::engine::Engine;
use super::front::Front;
use super::unit::Unit;
use ochre_pci::Interrupt;
use ochre_scheme::abi::process::RIGHT_DEVICE;
use ochre_scheme::{Errno, Inheritance, Port, Result, Server, confine};
use std::sync::Arc;

/// Bytes of the memory that each drive needs ([`Memory`]).
pub const MEMORY: usize = (BUFFERS + 1) * BUFFER;

/// Where a driver hears of its device.
pub struct Events {
    /// Something may be done.
    pub done: Interrupt,
    /// The device's properties may have changed ([`Drive::changed`]).
    pub changed: Option<Interrupt>,
}

/// Serves drives, each with [`MEMORY`], as the scheme `name`. Returns if that fails.
pub fn serve(
    name: &str,
    drives: Vec<(Box<dyn Drive>, Box<dyn Memory>)>,
    pages: Box<dyn Pages>,
    events: Events,
) -> Result<()> {
    let function = pages.function().to_owned();
    let units = drives.into_iter().enumerate();
    let units: Result<Vec<Unit>> =
        units.map(|(n, (drive, memory))| Unit::new(format!("{name}/{n}"), drive, memory)).collect();
    let engine = Arc::new(Engine::new(units?, pages));
    let completing = engine.clone();
    wait_for(name, events.done, move || completing.complete());
    if let Some(interrupt) = events.changed {
        let changing = engine.clone();
        let own = name.to_owned();
        wait_for(name, interrupt, move || {
            for unit in changing.changed() {
                eprintln!("{own}/{unit}: its size changed");
                if let Err(error) = changing.rescan(unit) {
                    eprintln!("{own}/{unit}: partitions: {error}");
                }
            }
        });
    }
    let watching = engine.clone();
    std::thread::spawn(move || watching.watch());
    let count = engine.state().units.len();
    *engine.announcer() = Announcer::new(name, &function);
    for unit in 0..count {
        let removable = engine.state().units[unit].limits.removable();
        let found = if removable { engine.check(unit) } else { engine.rescan(unit) };
        match found {
            Ok(()) => {}
            // A drive without a medium is a device, too.
            Err(Errno::ENOMEDIUM) => engine.announce(unit),
            Err(error) => eprintln!("{name}/{unit}: partitions: {error}"),
        }
    }
    let (mut server, inheritance) = Server::register_keeping(name)?;
    take_over(name, &engine, &server.port(), &inheritance);
    ochre_scheme::ready();
    // The device is at hand, the interrupts are. Left is the right to the physical addresses of clients' memory.
    confine(RIGHT_DEVICE)?;
    let port = server.port();
    server.run(&mut Front(engine, port))
}

/// Goes on with the handles of a driver that died, but those whose clients had attached memory: these open anew, which tells them that
/// what was under way did not happen.
fn take_over(name: &str, engine: &Engine, port: &Port, inheritance: &Inheritance) {
    let (handles, parked) = match (inheritance.handle_ids(), inheritance.parked()) {
        (Ok(handles), Ok(parked)) => (handles, parked),
        (Err(error), _) | (_, Err(error)) => return eprintln!("{name}: what is open: {error}"),
    };
    let attached = |handle: u64| parked.iter().any(|(key, _)| *key == handle);
    let mut state = engine.state();
    for handle in handles {
        if attached(handle) || state.adopt(handle).is_err() {
            // One that was closed meanwhile needs no dropping.
            let _ = port.drop_handle(handle);
        }
    }
    drop(state);
    for (key, _) in &parked {
        let _ = port.unpark(*key);
    }
}

fn wait_for(name: &str, interrupt: Interrupt, mut then: impl FnMut() + Send + 'static) {
    let name = name.to_owned();
    std::thread::spawn(move || {
        loop {
            match interrupt.wait() {
                Ok(_) | Err(Errno::EINTR) => then(),
                Err(error) => {
                    eprintln!("{name}: interrupt: {error}");
                    // Without interrupts nobody would ever be answered; the successor may fare better.
                    std::process::exit(1);
                }
            }
        }
    });
}
