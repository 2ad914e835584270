//! How much of one book's diffs is kept while the whole book is on its way.
//!
//! The feed, which judges what was fetched, and the stages, which put the kept diffs on top of it, count alike by this:
//! so both know which diffs a book has to join, and neither asks the other.

/// Levels kept of one book.
pub const KEPT_LEVELS_MAX: usize = 65_536;
/// Diffs kept of one book.
pub const KEPT_DIFFS_MAX: usize = 8_192;

/// What is kept of one book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    levels: usize,
    diffs: usize,
}

/// How a diff is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// After those kept before.
    Behind,
    /// In their place, since there is no room for both: without its newest diffs no book can be joined.
    Alone,
    /// Not at all, and nothing before it either: it alone is too large.
    Not,
}

impl Kept {
    /// One more diff, of so many levels, is to be kept.
    pub fn add(&mut self, levels: usize) -> Keep {
        if self.diffs < KEPT_DIFFS_MAX && self.levels + levels <= KEPT_LEVELS_MAX {
            *self = Self { levels: self.levels + levels, diffs: self.diffs + 1 };
            return Keep::Behind;
        }
        if levels <= KEPT_LEVELS_MAX {
            *self = Self { levels, diffs: 1 };
            return Keep::Alone;
        }
        *self = Self::default();
        Keep::Not
    }

    /// Whether anything is.
    #[must_use]
    pub fn any(&self) -> bool {
        self.diffs > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_the_place_of_what_was_kept() {
        let mut kept = Kept::default();
        assert_eq!(kept.add(KEPT_LEVELS_MAX - 1), Keep::Behind);
        assert_eq!([1, 0, 1].map(|n| kept.add(n)), [Keep::Behind, Keep::Behind, Keep::Alone]);
        assert_eq!(kept, Kept { levels: 1, diffs: 1 });
        assert_eq!((kept.add(KEPT_LEVELS_MAX + 1), kept.any()), (Keep::Not, false));
        let mut kept = Kept::default();
        assert!((0..KEPT_DIFFS_MAX).all(|_| kept.add(0) == Keep::Behind));
        assert_eq!((kept.add(0), kept.any()), (Keep::Alone, true));
    }
}
