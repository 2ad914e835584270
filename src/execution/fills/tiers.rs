//! Fees by tier: the more was traded in the last thirty days, the less each trade costs.
//!
//! Volume is counted as Binance does, by days: a fill's tier is told by what was traded within the thirty days before
//! the day of the fill, so a day's own fills change the next day's fees.

use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, Time};
use std::collections::VecDeque;

/// One row of a venue's table of fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeTier {
    /// It begins with this much traded in thirty days, units of 10^-8 of the currency.
    pub volume: i64,
    /// Fee for an order that rested.
    pub maker: FeeRate,
    /// Fee for an order that traded at once.
    pub taker: FeeRate,
}

const DAY_NS: u64 = 86_400_000_000_000;
const DAYS: u64 = 30;

/// See the module. Without a table the instrument's own fees hold.
#[derive(Debug, Clone, Default)]
pub struct FeeTiers {
    /// By volume, rising.
    tiers: Vec<FeeTier>,
    /// Days on which something was traded, and how much, units of 10^-8.
    days: VecDeque<(u64, i128)>,
    /// Of all but today.
    past: i128,
}

impl FeeTiers {
    /// This table, in any order.
    #[must_use]
    pub fn new(mut tiers: Vec<FeeTier>) -> Self {
        tiers.sort_by_key(|tier| tier.volume);
        Self { tiers, ..Self::default() }
    }

    /// The dearest rate of any tier; none without a table.
    #[must_use]
    pub fn dearest(&self) -> Option<FeeRate> {
        self.tiers.iter().map(|tier| tier.maker.0.max(tier.taker.0)).max().map(FeeRate)
    }

    /// The rate of a fill at `now`.
    pub fn rate(&mut self, now: Time, instrument: &Instrument, maker: bool) -> FeeRate {
        if self.tiers.is_empty() {
            return if maker { instrument.maker_fee } else { instrument.taker_fee };
        }
        self.roll(now);
        let reached = self.tiers.iter().rev().find(|tier| i128::from(tier.volume) <= self.past);
        match reached.or(self.tiers.first()) {
            Some(tier) if maker => tier.maker,
            Some(tier) => tier.taker,
            None => FeeRate(0),
        }
    }

    /// Counts what was traded at `now`, units of 10^-8.
    pub fn traded(&mut self, now: Time, value: i128) {
        if self.tiers.is_empty() {
            return;
        }
        self.roll(now);
        if let Some((_, today)) = self.days.back_mut() {
            *today = today.saturating_add(value);
        }
    }

    /// Begins a day where another is over, and forgets what is older than thirty.
    fn roll(&mut self, now: Time) {
        let day = now.0 / DAY_NS;
        match self.days.back() {
            Some((last, _)) if *last >= day => return,
            Some((_, value)) => self.past = self.past.saturating_add(*value),
            None => {}
        }
        self.days.push_back((day, 0));
        while self.days.front().is_some_and(|(first, _)| first + DAYS < day) {
            let gone = self.days.pop_front().map_or(0, |(_, value)| value);
            self.past = self.past.saturating_sub(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn what_was_traded_within_thirty_days_lowers_the_fees_of_the_next_day() {
        let tier = |volume, maker, taker| FeeTier { volume, maker: FeeRate(maker), taker: FeeRate(taker) };
        let mut tiers = FeeTiers::new(vec![tier(1_000, 8, 9), tier(0, 10, 11)]);
        let instrument = sample(Market::Spot, "BTCUSDT");
        let day = |n: u64| Time(n * DAY_NS + 5);
        assert_eq!(tiers.rate(day(100), &instrument, true), FeeRate(10));
        tiers.traded(day(100), 1_000);
        assert_eq!(tiers.rate(day(100), &instrument, false), FeeRate(11), "not on the same day");
        assert_eq!(tiers.rate(day(101), &instrument, false), FeeRate(9));
        assert_eq!(tiers.rate(day(130), &instrument, true), FeeRate(8), "thirty days later still");
        assert_eq!(tiers.rate(day(131), &instrument, true), FeeRate(10), "and then no more");
        let mut none = FeeTiers::default();
        assert_eq!(none.rate(day(1), &instrument, true), instrument.maker_fee);
    }
}
