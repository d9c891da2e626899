//! Time zone files: TZif, versions 1 to 4. RFC 8536, tzfile(5).

use super::names::Name;
use super::posix::Rules;
use alloc::vec::Vec;

/// A kind of local time.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Seconds east of UTC.
    pub offset: i32,
    /// Whether it is daylight-saving time.
    pub dst: bool,
    /// Its abbreviation.
    pub name: Name,
}

/// A leap second: from when on it counts, and the sum of all up to it.
#[derive(Clone, Copy, Debug)]
pub struct Leap {
    /// Seconds since 1970, with the leap seconds before it.
    pub from: i64,
    /// The correction from then on.
    pub sum: i32,
}

/// A file's contents.
#[derive(Debug)]
pub struct Data {
    /// When local time changes, ascending.
    pub times: Vec<i64>,
    /// What it changes to: an index into `kinds` for each.
    pub to: Vec<u8>,
    /// At least one.
    pub kinds: Vec<Kind>,
    /// Ascending.
    pub leaps: Vec<Leap>,
    /// What holds after the last change.
    pub after: Option<Rules>,
}

/// The bytes not read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn take_all(&mut self, count: usize, size: usize) -> Option<&'a [u8]> {
        self.take(count.checked_mul(size)?)
    }
}

/// A big-endian number of four or eight bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        _ => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

/// A header: the version, and how many there are of: UT flags, standard flags, leap seconds, changes, kinds, name bytes.
fn header(input: &mut Input<'_>) -> Option<(u8, [usize; 6])> {
    let head = input.take(44)?;
    if !head.starts_with(b"TZif") {
        return None;
    }
    let mut counts = [0; 6];
    for (count, bytes) in counts.iter_mut().zip(head[20..].chunks_exact(4)) {
        *count = usize::try_from(number(bytes)?).ok()?;
    }
    Some((head[4], counts))
}

impl Data {
    /// Reads a file. None if it is none, or damaged.
    pub fn parse(file: &[u8]) -> Option<Data> {
        let mut input = Input(file);
        let (version, mut counts) = header(&mut input)?;
        let mut size = 4;
        if version != 0 {
            // A second block with 64-bit times follows the first.
            let [ut, standard, leaps, times, kinds, names] = counts;
            for (count, size) in [(times, 5), (kinds, 6), (names, 1), (leaps, 8), (standard, 1), (ut, 1)] {
                input.take_all(count, size)?;
            }
            counts = header(&mut input)?.1;
            size = 8;
        }
        let [ut, standard, leaps, times, kinds, names] = counts;
        let times = input.take_all(times, size)?.chunks_exact(size).map(number).collect::<Option<Vec<_>>>()?;
        let to = input.take(times.len())?.to_vec();
        let kinds_raw = input.take_all(kinds, 6)?;
        let names = input.take(names)?;
        let kinds = kinds_raw.chunks_exact(6).map(|raw| {
            let dst = raw[4];
            let name = names.get(usize::from(raw[5])..)?;
            (dst <= 1).then_some(Kind { offset: number(&raw[..4])? as i32, dst: dst == 1, name: Name::new(name) })
        });
        let kinds = kinds.collect::<Option<Vec<_>>>()?;
        let leaps = input.take_all(leaps, size + 4)?.chunks_exact(size + 4);
        let leaps = leaps.map(|raw| Some(Leap { from: number(&raw[..size])?, sum: number(&raw[size..])? as i32 }));
        let leaps = leaps.collect::<Option<Vec<_>>>()?;
        input.take(standard)?;
        input.take(ut)?;
        let sound = !kinds.is_empty()
            && to.iter().all(|kind| usize::from(*kind) < kinds.len())
            && times.is_sorted()
            && leaps.is_sorted_by_key(|leap| leap.from);
        let footer = match input.0 {
            [b'\n', text @ ..] if version != 0 => text.split(|&byte| byte == b'\n').next().unwrap_or_default(),
            _ => &[],
        };
        let after = (!footer.is_empty()).then(|| Rules::parse(footer));
        sound.then_some(Data { times, to, kinds, leaps, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused_and_never_panic() {
        let Ok(file) = std::fs::read("/usr/share/zoneinfo/Europe/London") else { return };
        let whole = Data::parse(&file).expect("a sound file");
        assert!(whole.kinds.len() > 2 && whole.after.is_some());
        for len in 0..file.len().min(2000) {
            Data::parse(&file[..len]);
        }
        let mut damaged = file.clone();
        for at in 0..file.len().min(2000) {
            damaged[at] = 0xff;
            Data::parse(&damaged);
            damaged[at] = file[at];
        }
        assert!(Data::parse(b"TZif").is_none() && Data::parse(b"").is_none());
    }
}
