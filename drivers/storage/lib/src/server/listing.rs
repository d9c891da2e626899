//! The scheme's directory.

use super::engine::State;
use ochre_scheme::abi::file::{DT_BLK, DT_REG, put_dirent};
use ochre_scheme::{Answer, Errno, Request, Result};

/// The file that lists partitions.
pub const PARTITIONS: &str = "partitions";

/// What a name in the directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The directory.
    Root,
    /// [`PARTITIONS`].
    Partitions,
    /// A disk (partition 0) or partition.
    Disk(usize, u32),
}

impl Name {
    /// Reads a path. Numbers have one spelling.
    pub fn parse(path: &[u8]) -> Option<Name> {
        let path = std::str::from_utf8(path).ok()?;
        let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        let (first, rest) = (parts.next(), parts.next());
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| number.to_string() == text);
        let name = match first {
            None => Name::Root,
            Some(PARTITIONS) => Name::Partitions,
            Some(name) => match name.split_once('p') {
                Some((disk, part)) => Name::Disk(number(disk)? as usize, number(part).filter(|part| *part > 0)?),
                None => Name::Disk(number(name)? as usize, 0),
            },
        };
        rest.is_none().then_some(name)
    }
}

impl State {
    /// The text of [`PARTITIONS`].
    pub fn partitions(&self) -> String {
        self.tables.iter().flat_map(|(_, table)| table).map(|partition| format!("{partition}\n")).collect()
    }

    /// As much of the directory from a position on as fits.
    pub fn list(&self, request: &mut Request, position: u64) -> Result<Answer> {
        let mut names: Vec<(String, u8)> = Vec::new();
        for (n, (_, table)) in self.tables.iter().enumerate() {
            names.push((n.to_string(), DT_BLK));
            names.extend(table.iter().map(|partition| (partition.file(), DT_BLK)));
        }
        names.push((PARTITIONS.to_owned(), DT_REG));
        let mut page = [0u8; 4096];
        let room = request.room().min(page.len());
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(names.len());
        let (mut len, mut next) = (0, start);
        for (name, kind) in &names[start..] {
            if !put_dirent(&mut page[..room], &mut len, next as u64 + 1, next as u64 + 1, *kind, name.as_bytes()) {
                break;
            }
            next += 1;
        }
        if len == 0 && start < names.len() {
            return Err(Errno::EINVAL);
        }
        request.put(&page[..len])?;
        Ok(Answer::value(len).with_args([next as u64, 0, 0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, name) in [
            ("", Some(Name::Root)),
            ("0", Some(Name::Disk(0, 0))),
            ("12p3", Some(Name::Disk(12, 3))),
            ("partitions", Some(Name::Partitions)),
            ("./0", Some(Name::Disk(0, 0))),
            ("0/", Some(Name::Disk(0, 0))),
        ] {
            assert_eq!(Name::parse(path.as_bytes()), name, "{path}");
        }
        for path in ["00", "0p", "0p0", "p1", "0p01", "+1", "0/1", "x", "99999999999"] {
            assert_eq!(Name::parse(path.as_bytes()), None, "{path}");
        }
    }
}
