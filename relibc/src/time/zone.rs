//! A time zone: what local time is at a moment.

use super::calendar::{self, DAY};
use super::names::Name;
use super::posix::Rules;
use super::tzif::{Data, Leap};

/// Where a zone's knowledge comes from.
#[derive(Debug)]
pub enum Zone {
    /// A TZ string.
    Rules(Rules),
    /// A file.
    File(Data),
}

/// Local time at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// Seconds east of UTC.
    pub offset: i32,
    /// Whether it is daylight-saving time.
    pub dst: bool,
    /// Its name.
    pub name: Name,
    /// What the variables show from now on.
    pub shown: Summary,
}

/// What the variables `tzname`, `daylight` and `timezone` show.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Names of standard and of daylight-saving time.
    pub names: [Name; 2],
    /// Seconds east of UTC of standard time.
    pub offset: i32,
    /// Whether there is daylight-saving time.
    pub daylight: bool,
}

/// Two names, each found or not: an absent one is the other.
fn both(names: [Option<Name>; 2]) -> [Name; 2] {
    let first = names[0].or(names[1]).unwrap_or(Name::EMPTY);
    [first, names[1].unwrap_or(first)]
}

impl Zone {
    /// What holds at a moment.
    pub fn at(&self, time: i64) -> Local {
        match self {
            Zone::Rules(rules) => by_rules(rules, time),
            Zone::File(data) => in_file(data, time, || self.summary()),
        }
    }

    /// The variables after tzset.
    pub fn summary(&self) -> Summary {
        let data = match self {
            Zone::Rules(rules) => return of_rules(rules),
            Zone::File(data) => data,
        };
        let mut last = [None; 2];
        for kind in data.to.iter().rev().map(|index| data.kinds[usize::from(*index)]) {
            last[usize::from(kind.dst)].get_or_insert(kind);
        }
        let standard = last[0].map_or(if data.to.is_empty() { data.kinds[0].offset } else { 0 }, |kind| kind.offset);
        let names = match last {
            [None, None] => [data.kinds[0].name; 2],
            _ => both(last.map(|kind| kind.map(|kind| kind.name))),
        };
        Summary { names, offset: standard, daylight: last[1].is_some() }
    }

    /// Leap seconds at a moment: the sum so far, and whether this very second is an inserted one (then how many in a row).
    pub fn leap(&self, time: i64) -> (i32, i32) {
        let Zone::File(data) = self else { return (0, 0) };
        let Some(last) = data.leaps.iter().rposition(|leap| leap.from <= time) else { return (0, 0) };
        let sum_before = |index: usize| if index == 0 { 0 } else { data.leaps[index - 1].sum };
        let Leap { from, sum } = data.leaps[last];
        let mut hits = 0;
        if time == from && sum > sum_before(last) {
            hits = 1;
            let mut index = last;
            while index > 0
                && data.leaps[index].from == data.leaps[index - 1].from + 1
                && data.leaps[index].sum == data.leaps[index - 1].sum + 1
            {
                hits += 1;
                index -= 1;
            }
        }
        (sum, hits)
    }
}

fn of_rules(rules: &Rules) -> Summary {
    let [offset, other] = rules.offsets;
    Summary { names: rules.names, offset, daylight: offset != other }
}

fn by_rules(rules: &Rules, time: i64) -> Local {
    let year = calendar::year_of(time.div_euclid(DAY)).0;
    let dst = rules.is_dst(time, year);
    let which = usize::from(dst);
    Local { offset: rules.offsets[which], dst, name: rules.names[which], shown: of_rules(rules) }
}

fn in_file(data: &Data, time: i64, summary: impl Fn() -> Summary) -> Local {
    let count = data.times.partition_point(|change| *change <= time);
    let mut names = [None; 2];
    let kind = if count == 0 {
        // Before the first change: the first kind that is standard time.
        let index = data.kinds.iter().position(|kind| !kind.dst).unwrap_or(0);
        let dst = data.kinds.iter().find(|kind| kind.dst);
        names = [Some(data.kinds[index].name), dst.map(|kind| kind.name)];
        data.kinds[index]
    } else {
        if count == data.times.len()
            && let Some(rules) = &data.after
        {
            return by_rules(rules, time);
        }
        for kind in data.to[count - 1..].iter().map(|index| data.kinds[usize::from(*index)]) {
            names[usize::from(kind.dst)].get_or_insert(kind.name);
        }
        data.kinds[usize::from(data.to[count - 1])]
    };
    Local { offset: kind.offset, dst: kind.dst, name: kind.name, shown: Summary { names: both(names), ..summary() } }
}
