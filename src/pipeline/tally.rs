//! Counts of values by size: one addition a value, at a known error.
//!
//! Owns: an array laid out as the counts of an HDR histogram: values below 2^`BITS` have a place each, and of each
//! power of two above the upper half, coarser by one bit each time. Invariant: the memory is taken once.

/// Counts of values, at least `BITS` - 1 significant bits each.
#[derive(Debug)]
pub struct Tally<const BITS: u32> {
    counts: Box<[u64]>,
    max: u64,
    len: u64,
}

impl<const BITS: u32> Tally<BITS> {
    const HALF: u64 = 1 << (BITS - 1);

    /// No values yet; those above `max` will count as `max`.
    #[must_use]
    pub fn new(max: u64) -> Self {
        Self { counts: vec![0; Self::place(max) + 1].into_boxed_slice(), max, len: 0 }
    }

    #[inline(always)]
    const fn place(value: u64) -> usize {
        let power = 64 - BITS - (value | (2 * Self::HALF - 1)).leading_zeros();
        (power as u64 * Self::HALF + (value >> power)) as usize
    }

    /// The smallest and the largest value with this place.
    const fn values(place: usize) -> (u64, u64) {
        let place = place as u64;
        let power = if place < 2 * Self::HALF { 0 } else { place / Self::HALF - 1 };
        let smallest = (place - power * Self::HALF) << power;
        (smallest, smallest + (1 << power) - 1)
    }

    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(Self::place(value.min(self.max))) {
            *count += 1;
            self.len += 1;
        }
    }

    /// How many values there are.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values told apart, each by the smallest it may have been, and how many of it.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(place, count)| (Self::values(place).0, *count))
    }

    /// The value that `quantile` (above 0, up to 1) of all are at or below; the largest that it may have been. Zero of none.
    #[must_use]
    pub fn value_at_quantile(&self, quantile: f64) -> u64 {
        let wanted = ((quantile * self.len as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::values(place).1;
            }
        }
        0
    }

    /// Forgets every value.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_an_hdr_histogram() {
        const MAX: u64 = 60_000_000_000;
        let mut tally = Tally::<8>::new(MAX);
        let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX, 2).expect("constant bounds");
        assert_eq!((tally.value_at_quantile(0.5), tally.is_empty()), (0, true));
        let mut random = 88_172_645_463_325_252u64;
        for n in 0..20_000u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let value = (random >> 29) >> (random % 34);
            tally.record(value);
            hdr.saturating_record(value);
            if n % 997 == 0 {
                for quantile in [0.001, 0.01, 0.5, 0.9, 0.99, 1.0] {
                    let expected = hdr.value_at_quantile(quantile);
                    assert_eq!(tally.value_at_quantile(quantile), expected, "{quantile} of {n}");
                }
            }
        }
        assert_eq!(tally.len(), 20_000);
        tally.clear();
        assert!(tally.is_empty() && tally.counts().next().is_none());
    }
}
