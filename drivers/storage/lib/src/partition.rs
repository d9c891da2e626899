//! A partition as a scheme's file `partitions` lists it.

use std::fmt;
use std::str::FromStr;

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The number of its disk in the scheme.
    pub disk: u32,
    /// Its own number, from 1 on: that of its entry, as on Linux.
    pub number: u32,
    /// Where it begins on its disk, in units of 512 bytes.
    pub start: u64,
    /// Its size in units of 512 bytes.
    pub sectors: u64,
    /// Its type: a GUID in lower case, or `0x83` and the like from an MBR.
    pub kind: String,
    /// Its own identity, as Linux's PARTUUID: a GUID in lower case, or the MBR's signature and the number, `1234abcd-01`. May be empty.
    pub uuid: String,
    /// Its name in a GPT. May be empty.
    pub name: String,
}

impl Partition {
    /// Its file's name in the scheme: `0p1`.
    pub fn file(&self) -> String {
        format!("{}p{}", self.disk, self.number)
    }
}

/// A line without its end: file, start, sectors, type, identity (or `-`) and name, with tabs between them.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uuid = if self.uuid.is_empty() { "-" } else { &self.uuid };
        let name: String = self.name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        write!(f, "{}\t{}\t{}\t{}\t{uuid}\t{name}", self.file(), self.start, self.sectors, self.kind)
    }
}

/// The reverse of the above. The error: it is no such line.
impl FromStr for Partition {
    type Err = ();

    fn from_str(line: &str) -> Result<Partition, ()> {
        let mut fields = line.splitn(6, '\t');
        let mut field = || fields.next().ok_or(());
        let (disk, number) = field()?.split_once('p').ok_or(())?;
        let (disk, number) = (disk.parse().map_err(drop)?, number.parse().map_err(drop)?);
        let (start, sectors) = (field()?.parse().map_err(drop)?, field()?.parse().map_err(drop)?);
        let (kind, uuid, name) = (field()?.to_owned(), field()?, field()?.to_owned());
        Ok(Partition {
            disk,
            number,
            start,
            sectors,
            kind,
            uuid: uuid.strip_prefix('-').unwrap_or(uuid).to_owned(),
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let one = Partition {
            disk: 1,
            number: 12,
            start: 2048,
            sectors: 1 << 40,
            kind: "0x83".into(),
            uuid: String::new(),
            name: "ochre root".into(),
        };
        assert_eq!(one.to_string(), "1p12\t2048\t1099511627776\t0x83\t-\tochre root");
        assert_eq!(one.to_string().parse(), Ok(one.clone()));
        let strange = Partition { name: "a\n\tb".into(), uuid: "1234abcd-01".into(), ..one };
        assert_eq!(strange.to_string().parse::<Partition>().unwrap().name, "a\u{fffd}\u{fffd}b");
        assert!("1p\t1\t1\t0x83\t-\t".parse::<Partition>().is_err());
    }
}
