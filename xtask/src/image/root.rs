//! The root file system: the image's tree on a volume of RedoxFS, in a file.

use super::items::Item;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// Makes the image `out` with `free` bytes of room beside what is in it. `id` tells this file system from others.
pub fn make(out: &Path, items: &BTreeMap<String, Item>, free: u64, time: u64, id: Uuid) -> Result<()> {
    bail!(
        "{}: {} things, {free} bytes, {time}, {id}: there is no file system to put them into yet",
        out.display(),
        items.len()
    )
}
