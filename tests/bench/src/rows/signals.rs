//! Installing and catching a signal.

use std::io;

use super::{Group, Row};
use crate::measure::{Figure, each};
use crate::sys;

pub const ROWS: &[Row] = &[
    Row { group: Group::Os, name: "signal_install", what: "sigaction()", measure: install },
    Row { group: Group::Os, name: "signal_catch", what: "kill() of oneself, the handler, and back", measure: catch },
];

fn install(_: usize) -> io::Result<Figure> {
    each(sys::install_handler)
}

fn catch(_: usize) -> io::Result<Figure> {
    sys::install_handler()?;
    let (before, mut sent) = (sys::signals_caught(), 0);
    let figure = each(|| {
        sent += 1;
        sys::signal_self()
    })?;
    match sys::signals_caught() - before {
        caught if caught == sent => Ok(figure),
        caught => Err(io::Error::other(format!("caught {caught} of {sent} signals"))),
    }
}
