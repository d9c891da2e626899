//! Makes one clean memory map of what firmware reports: sorted, no overlaps, usable RAM in whole pages.

use super::info::{List, MAX_REGIONS, MemoryKind, MemoryRegion, PhysRange, Regions};

const PAGE: u64 = crate::layout::PAGE as u64;

/// Sorts the regions by address, resolves overlaps in favour of the less usable kind, merges neighbours of one kind and
/// cuts usable regions to whole pages.
pub(super) fn normalise(regions: &mut Regions) {
    let mut bounds: List<u64, { 2 * MAX_REGIONS }> = List::new(0);
    for region in regions.iter() {
        let shrink = region.kind == MemoryKind::Usable;
        let (start, end) = page_bounds(&region.range, shrink);
        bounds.push(start);
        bounds.push(end);
    }
    bounds.sort_unstable();
    let all = *regions;
    regions.clear();
    for pair in bounds.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        let kind = all
            .iter()
            .filter(|region| {
                let (from, to) = page_bounds(&region.range, region.kind == MemoryKind::Usable);
                from <= start && end <= to
            })
            .map(|region| region.kind)
            .max();
        let (Some(kind), true) = (kind, start < end) else { continue };
        match regions.last_mut() {
            Some(last) if last.kind == kind && last.range.end() == start => last.range.len = end - last.range.start,
            _ => {
                if !regions.push(MemoryRegion { range: PhysRange { start, len: end - start }, kind }) {
                    return;
                }
            }
        }
    }
}

/// The whole pages inside a range, or those that it touches.
fn page_bounds(range: &PhysRange, shrink: bool) -> (u64, u64) {
    let up = |address: u64| address.checked_next_multiple_of(PAGE).unwrap_or(!(PAGE - 1));
    let down = |address: u64| address & !(PAGE - 1);
    if shrink {
        let start = up(range.start);
        (start, down(range.end()).max(start))
    } else {
        (down(range.start), up(range.end()))
    }
}
