//! Starts the drivers of /etc/pcid.d, and starts each again when it ends.

use ochre_rt::syscall;
use pcid_spawner::{Driver, Identity, parse};
use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const TABLES: &str = "/etc/pcid.d";
/// A driver that ends this often within [`WINDOW`] is given up.
const FAILURES_MAX: usize = 10;
/// See [`FAILURES_MAX`].
const WINDOW: Duration = Duration::from_secs(10);

fn main() {
    let drivers = tables();
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut services = Vec::new();
    for (name, identity) in functions() {
        let Some(driver) = drivers.iter().find(|driver| driver.fits(&identity)) else { continue };
        let number = numbers.entry(driver.scheme.clone()).or_default();
        let scheme = format!("{}{number}", driver.scheme);
        *number += 1;
        // Opens wait for the driver from here on, also while it is started again.
        if let Err(error) = syscall::scheme_reserve(scheme.as_bytes(), 1) {
            eprintln!("pcid-spawner: scheme {scheme}: {error}");
        }
        services.push((driver.program.clone(), name, scheme));
    }
    ochre_scheme::ready();
    let threads: Vec<_> = services.into_iter().map(|service| thread::spawn(move || supervise(&service))).collect();
    for thread in threads {
        // A thread that panicked has said so itself; the other drivers go on.
        let _ = thread.join();
    }
    // Without drivers there is nothing to do, and ending would only mean being started again.
    loop {
        thread::park();
    }
}

/// All drivers, in the order of their files.
fn tables() -> Vec<Driver> {
    let entries = std::fs::read_dir(TABLES).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    let mut drivers = Vec::new();
    for file in files {
        match std::fs::read_to_string(&file).map_err(|error| error.to_string()).and_then(|text| parse(&text)) {
            Ok(more) => drivers.extend(more),
            Err(error) => eprintln!("pcid-spawner: {}: {error}", file.display()),
        }
    }
    drivers
}

/// All functions by their names.
fn functions() -> BTreeMap<String, Identity> {
    let entries = std::fs::read_dir("/scheme/pci").into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let read = |file: &str| {
            let text = std::fs::read_to_string(entry.path().join(file)).ok()?;
            u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
        };
        let identity =
            Identity { vendor: read("vendor")? as u16, device: read("device")? as u16, class: read("class")? };
        Some((entry.file_name().to_string_lossy().into_owned(), identity))
    });
    named.collect()
}

/// Runs one driver for ever, unless it keeps failing.
fn supervise((program, function, scheme): &(String, String, String)) {
    let mut ends: Vec<Instant> = Vec::new();
    loop {
        // The descriptor in this variable is closed: it was this process's own message to init.
        let result = Command::new(program).args([function, scheme]).env_remove("INIT_NOTIFY").status();
        let now = Instant::now();
        ends.retain(|then| now.duration_since(*then) < WINDOW);
        ends.push(now);
        let how = result.map_or_else(|error| error.to_string(), |status| status.to_string());
        if ends.len() > FAILURES_MAX {
            eprintln!("pcid-spawner: {program} {function}: {how} too often; given up");
            // Whoever waits for the scheme is told that there is none.
            let _ = syscall::scheme_reserve(scheme.as_bytes(), 0);
            return;
        }
        eprintln!("pcid-spawner: {program} {function}: {how}; starting it again");
    }
}
