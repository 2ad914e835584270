//! How many requests were refused before they became intents, by the reason that the strategy was told.

use crate::domain::PlaceError;

/// A count for each reason, in places that are there from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusals([u64; PlaceError::ALL.len()]);

impl Refusals {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, reason: PlaceError) {
        self.add(reason, 1);
    }

    /// Adds what another counted.
    pub fn add_all(&mut self, other: &Self) {
        other.by_reason().for_each(|(reason, count)| self.add(reason, count));
    }

    fn add(&mut self, reason: PlaceError, count: u64) {
        if let Some(at) = PlaceError::ALL.iter().position(|known| *known == reason) {
            self.0[at] += count;
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that there were, each with how often.
    pub fn by_reason(&self) -> impl Iterator<Item = (PlaceError, u64)> + '_ {
        PlaceError::ALL.iter().copied().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let mut all = Refusals::default();
        for (reason, times) in PlaceError::ALL.iter().zip(1..) {
            let mut of_one = Refusals::default();
            (0..times).for_each(|_| of_one.count(*reason));
            assert_eq!(of_one.by_reason().collect::<Vec<_>>(), [(*reason, times)]);
            all.add_all(&of_one);
        }
        let counts: Vec<_> = PlaceError::ALL.iter().copied().zip(1..).collect();
        assert_eq!(all.by_reason().collect::<Vec<_>>(), counts);
        assert_eq!(all.total(), counts.iter().map(|(_, count)| count).sum::<u64>());
        assert_eq!((Refusals::default().total(), Refusals::default().by_reason().count()), (0, 0));
    }
}
