//! `powercut FOLDER [check NAME SEED TOLD,TOLD…] [write NAME SEED]`: half of the power cut test; the other half is on the host.
//!
//! `write` works in the folder NAME, in several places at the same time, and tells `told PLACE STEP` whenever fsync(2) has returned, for ever.
//! `check` looks whether NAME is what a cut may leave when that was told, and removes it. No answer is told before it is true, and the
//! host may have heard less than was told, never more.

use file_tests::judge::{judge, read};
use file_tests::plan::{Plan, Step};
use file_tests::work::{step, sync_folder};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Places that are worked in at the same time.
const PLACES: u64 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((folder, rest)) => run(Path::new(folder), rest),
        None => Err("usage: powercut FOLDER [check NAME SEED TOLD,TOLD…] [write NAME SEED]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("FAILED {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, mut words: &[String]) -> Result<(), String> {
    while let Some((word, rest)) = words.split_first() {
        words = match (word.as_str(), rest) {
            ("check", [name, seed, told, rest @ ..]) => {
                let told: Result<Vec<u64>, _> = told.split(',').map(str::parse).collect();
                check(folder, name, number(seed)?, &told.map_err(|error| error.to_string())?)?;
                println!("checked {name}");
                rest
            }
            ("write", [name, seed, rest @ ..]) => {
                write(folder, name, number(seed)?)?;
                rest
            }
            _ => return Err(format!("what is {word}?")),
        };
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn plan_seed(seed: u64, place: u64) -> u64 {
    seed.wrapping_mul(PLACES).wrapping_add(place)
}

fn check(folder: &Path, name: &str, seed: u64, told: &[u64]) -> Result<(), String> {
    let folder = folder.join(name);
    for (told, place) in told.iter().zip(0..) {
        let found = read(&folder.join(place.to_string())).map_err(|error| format!("{name}/{place}: {error}"))?;
        judge(&found, plan_seed(seed, place), *told)
            .map_err(|why| format!("{name}/{place}, told {told} steps: {why}"))?;
    }
    fs::remove_dir_all(&folder).map_err(|error| format!("removing {name}: {error}"))
}

fn write(folder: &Path, name: &str, seed: u64) -> Result<(), String> {
    let make = || -> io::Result<()> {
        let own = folder.join(name);
        fs::create_dir(&own)?;
        for place in 0..PLACES {
            let place = own.join(place.to_string());
            fs::create_dir(&place)?;
            sync_folder(&place)?;
        }
        sync_folder(&own)?;
        sync_folder(folder)
    };
    make().map_err(|error| format!("making {name}: {error}"))?;
    println!("writing {name}");
    std::thread::scope(|scope| {
        let places = (0..PLACES).map(|place| scope.spawn(move || work(&folder.join(name), seed, place)));
        let places: Vec<_> = places.collect();
        places.into_iter().try_for_each(|place| place.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}

fn work(folder: &Path, seed: u64, place: u64) -> Result<(), String> {
    let folder = folder.join(place.to_string());
    for (what, number) in Plan::new(plan_seed(seed, place)).zip(0..) {
        step(&folder, number, what).map_err(|error| format!("place {place}, step {number}, {what:?}: {error}"))?;
        if matches!(what, Step::Sync(..) | Step::SyncFolder) {
            // In one piece, also with others at the same time.
            let line = format!("told {place} {}\n", number + 1);
            io::stdout().lock().write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
