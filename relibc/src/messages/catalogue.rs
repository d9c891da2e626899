//! Catalogues: `.mo` files. GNU gettext manual, "The format of GNU MO files". Strings that depend on the system (minor revision 1) are left out,
//! as if they were not translated.

use super::plural::Forms;
use alloc::vec::Vec;

/// A catalogue's file, checked.
#[derive(Debug)]
pub struct Catalogue {
    bytes: Vec<u8>,
    big_endian: bool,
    count: usize,
    originals: usize,
    translations: usize,
    /// Which form of a message stands for a count.
    pub forms: Forms,
    charset: Option<(usize, usize)>,
}

const MAGIC: u32 = 0x9504_12de;

impl Catalogue {
    /// Reads a file. None if it is no catalogue, or a truncated one.
    pub fn new(bytes: Vec<u8>) -> Option<Catalogue> {
        let magic: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        let big_endian = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (MAGIC, _) => false,
            (_, MAGIC) => true,
            _ => return None,
        };
        let mut catalogue = Catalogue {
            bytes,
            big_endian,
            count: 0,
            originals: 0,
            translations: 0,
            forms: Forms::germanic(),
            charset: None,
        };
        // The major revision: 0 and 1 are alike in what is used here.
        if catalogue.word(4)? >> 16 > 1 {
            return None;
        }
        catalogue.count = catalogue.word(8)?;
        catalogue.originals = catalogue.word(12)?;
        catalogue.translations = catalogue.word(16)?;
        let table = catalogue.count.checked_mul(8)?;
        for start in [catalogue.originals, catalogue.translations] {
            if start.checked_add(table)? > catalogue.bytes.len() {
                return None;
            }
        }
        if let Some((at, header)) = catalogue.find(b"").and_then(|index| catalogue.entry(catalogue.translations, index))
        {
            let header = header.to_vec();
            catalogue.forms = Forms::of_header(&header);
            catalogue.charset = charset(&header).map(|(start, end)| (at + start, at + end));
        }
        Some(catalogue)
    }

    fn word(&self, at: usize) -> Option<usize> {
        let bytes: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) } as usize)
    }

    /// A string of a table, with the NULs in it but not the last, and its offset. None if it is not within the file or has no NUL at its end.
    fn entry(&self, table: usize, index: usize) -> Option<(usize, &[u8])> {
        let (len, at) = (self.word(table + 8 * index)?, self.word(table + 8 * index + 4)?);
        let (text, end) = (self.bytes.get(at..at.checked_add(len)?)?, self.bytes.get(at.checked_add(len)?)?);
        (*end == 0).then_some((at, text))
    }

    /// The number of a message, by its singular.
    pub fn find(&self, message: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (_, text) = self.entry(self.originals, middle)?;
            let singular = text.split(|&byte| byte == 0).next().unwrap_or_default();
            match singular.cmp(message) {
                core::cmp::Ordering::Equal => return Some(middle),
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// A message's translation: its forms, a NUL after each.
    pub fn translation(&self, index: usize) -> Option<&[u8]> {
        let (at, text) = self.entry(self.translations, index)?;
        Some(&self.bytes[at..=at + text.len()])
    }

    /// The charset of the translations.
    pub fn charset(&self) -> Option<&[u8]> {
        self.charset.map(|(start, end)| &self.bytes[start..end])
    }
}

/// Where `charset=` of a header says which.
fn charset(header: &[u8]) -> Option<(usize, usize)> {
    const WORD: &[u8] = b"charset=";
    let start = header.windows(WORD.len()).position(|window| window == WORD)? + WORD.len();
    let len = header[start..].iter().take_while(|byte| !byte.is_ascii_whitespace() && **byte != 0).count();
    Some((start, start + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file with these messages, which are sorted.
    fn file(messages: &[(&[u8], &[u8])], big: bool) -> Vec<u8> {
        let word = |value: usize| if big { (value as u32).to_be_bytes() } else { (value as u32).to_le_bytes() };
        let (mut head, mut texts) = (Vec::new(), Vec::new());
        let start = 28 + 16 * messages.len();
        for value in [MAGIC as usize, 0, messages.len(), 28, 28 + 8 * messages.len(), 0, start] {
            head.extend(word(value));
        }
        for side in 0..2 {
            for message in messages {
                let text = if side == 0 { message.0 } else { message.1 };
                head.extend(word(text.len()));
                head.extend(word(start + texts.len()));
                texts.extend_from_slice(text);
                texts.push(0);
            }
        }
        head.extend(texts);
        head
    }

    const MESSAGES: [(&[u8], &[u8]); 3] = [
        (b"", b"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n>1;\n"),
        (b"file\0files", b"Datei\0Dateien"),
        (b"no", b"nein"),
    ];

    #[test]
    fn messages_are_found() {
        for big in [false, true] {
            let catalogue = Catalogue::new(file(&MESSAGES, big)).expect("a catalogue");
            assert_eq!(catalogue.charset(), Some(&b"UTF-8"[..]));
            assert_eq!(catalogue.forms.pick(0), 0);
            let found = |message: &[u8]| catalogue.find(message).and_then(|index| catalogue.translation(index));
            assert_eq!(found(b"file"), Some(&b"Datei\0Dateien\0"[..]));
            assert_eq!(found(b"no"), Some(&b"nein\0"[..]));
            assert_eq!(found(b"yes"), None);
        }
    }

    proptest! {
        #[test]
        fn bad_files_do_no_harm(at in 0usize..200, value: u8, cut in 0usize..220, message in "(file|no|x)?") {
            let mut bytes = file(&MESSAGES, false);
            let last = bytes.len() - 1;
            bytes[at.min(last)] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Some(catalogue) = Catalogue::new(bytes) {
                let _ = catalogue.find(message.as_bytes()).and_then(|index| catalogue.translation(index));
            }
        }
    }
}
