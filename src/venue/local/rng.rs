//! Random integers that are the same on every machine.
//!
//! Owns: the generator (xoshiro256++, seeded by SplitMix64; Blackman and Vigna, <https://prng.di.unimi.it>) and the few
//! distributions the flow needs. Invariant: integers only, so a seed gives one sequence everywhere.

/// One step of SplitMix64: moves `state` and returns the next 64 bits.
pub const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A xoshiro256++ generator.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of one of a seed's independent streams.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = seed;
        let mut mixed = split_mix(&mut mixed) ^ stream.wrapping_mul(0xD134_2543_DE82_EF95);
        Self { state: std::array::from_fn(|_| split_mix(&mut mixed)) }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// An integer from 0 to `n` - 1; 0 for `n` = 0. The bias, below 2^-32 for the ranges used here, is accepted.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// True `per_mille` times in a thousand.
    #[inline]
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// -1 or +1.
    #[inline]
    pub fn sign(&mut self) -> i64 {
        if self.next_u64() >> 63 == 0 { 1 } else { -1 }
    }

    /// About -log2 of a uniform number in (0, 1], with 16 fraction bits: the integer part is exact, the fraction is
    /// taken to be linear. Its mean is 1.5, its largest value 64.
    #[inline]
    fn neg_log2_q16(&mut self) -> u64 {
        let bits = self.next_u64() | 1;
        let zeros = u64::from(bits.leading_zeros());
        let fraction = if zeros == 63 { 0 } else { (bits << (zeros + 1)) >> 48 };
        ((zeros + 1) << 16) - fraction
    }

    /// An exponential-like gap with mean `mean` (below 2^40); at most 43 times the mean.
    #[inline]
    pub fn exponential(&mut self, mean: u64) -> u64 {
        mean * self.neg_log2_q16() * 2 / (3 << 16)
    }

    /// A size of at least `base` (at most 2^32) with a power-law tail of exponent about 4/3, cut off after
    /// `doublings_max` (at most 15) doublings.
    #[inline]
    pub fn heavy_tailed(&mut self, base: u64, doublings_max: u64) -> u64 {
        let exponent = (self.neg_log2_q16() * 3 / 4).min(doublings_max << 16);
        let floor = base << (exponent >> 16);
        floor + ((floor * (exponent & 0xFFFF)) >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequences_are_the_published_ones() {
        let mut state = 1_234_567;
        let mixed: [u64; 3] = std::array::from_fn(|_| split_mix(&mut state));
        assert_eq!(mixed, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let first: [u64; 3] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Rng::new(1, 0).next_u64(), Rng::new(1, 1).next_u64());
        assert_ne!(Rng::new(1, 0).next_u64(), Rng::new(2, 0).next_u64());
    }

    #[test]
    fn gaps_have_their_mean_and_sizes_their_tail() {
        let mut rng = Rng::new(7, 0);
        let gaps: Vec<u64> = (0..100_000).map(|_| rng.exponential(1_000_000)).collect();
        let mean = gaps.iter().sum::<u64>() / 100_000;
        assert!((985_000..1_015_000).contains(&mean), "{mean}");
        let above_triple = gaps.iter().filter(|&&gap| gap > 3_000_000).count();
        assert!((3_000..7_000).contains(&above_triple), "an exponential has 5 %: {above_triple} of 100,000");

        let mut sizes: Vec<u64> = (0..100_000).map(|_| rng.heavy_tailed(100, 8)).collect();
        sizes.sort_unstable();
        assert!(sizes[0] >= 100 && sizes[99_999] <= 25_600);
        assert!((150..200).contains(&sizes[50_000]), "median {}", sizes[50_000]);
        assert!(sizes[99_000] > 2_000, "99th percentile {}", sizes[99_000]);
    }

    #[test]
    fn integers_below_a_bound_reach_every_value() {
        let mut rng = Rng::new(3, 3);
        let mut seen = [0u32; 5];
        for _ in 0..5_000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }
}
