//! Which pages of a region of virtual memory are taken. Pure, tested on the host.

/// One bit per page, next-fit.
#[derive(Debug)]
pub struct Bitmap<const WORDS: usize> {
    words: [u64; WORDS],
    hint: usize,
}

impl<const WORDS: usize> Bitmap<WORDS> {
    /// Pages in the region.
    pub const PAGES: usize = WORDS * 64;

    /// All pages free.
    pub const fn new() -> Self {
        Bitmap { words: [0; WORDS], hint: 0 }
    }

    /// Takes `count` adjacent pages and returns the first.
    pub fn take(&mut self, count: usize) -> Option<usize> {
        let start = self.hint;
        let first =
            self.find(start, Self::PAGES, count).or_else(|| self.find(0, (start + count).min(Self::PAGES), count))?;
        for page in first..first + count {
            self.words[page / 64] |= 1 << (page % 64);
        }
        self.hint = first + count;
        Some(first)
    }

    /// Gives pages back.
    pub fn give(&mut self, first: usize, count: usize) {
        for page in first..first + count {
            self.words[page / 64] &= !(1 << (page % 64));
        }
        // The lowest free pages first: page tables are shared by more.
        self.hint = self.hint.min(first);
    }

    fn find(&self, from: usize, to: usize, count: usize) -> Option<usize> {
        let (mut page, mut run) = (from, 0);
        while page < to {
            let word = self.words[page / 64];
            if page.is_multiple_of(64) && word == u64::MAX {
                run = 0;
                page += 64;
                continue;
            }
            run = if word >> (page % 64) & 1 == 0 { run + 1 } else { 0 };
            page += 1;
            if run == count {
                return Some(page - count);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_do_not_overlap() {
        let mut map = Bitmap::<4>::new();
        let mut runs = Vec::new();
        while let Some(first) = map.take(5) {
            assert!(runs.iter().all(|&other: &usize| other.abs_diff(first) >= 5));
            runs.push(first);
        }
        assert_eq!(runs.len(), 256 / 5);
        map.give(runs[7], 5);
        map.give(runs[8], 5);
        assert_eq!(map.take(10), Some(runs[7]));
        assert_eq!(map.take(5), None);
        assert_eq!(map.take(1), Some(255));
    }
}
