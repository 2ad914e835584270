//! What stream to make: seed, time, instruments; checked before anything is made.
//!
//! Owns: the configuration of the flow and what is wrong with it. Invariant: an instrument that passed the check cannot
//! overflow in the flow's arithmetic.

use super::instruments::{OPENING_TICKS, opening_price};
use crate::domain::{Instrument, Market, Price, Time};
use std::time::Duration;
use thiserror::Error;

/// One instrument of the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInstrument {
    /// What: its precision, tick and lot are those of the frames.
    pub instrument: Instrument,
    /// Where the market opens: a multiple of the tick, 2,000 to 2^32 ticks.
    pub opening: Price,
    /// About how many order operations a second there are outside bursts, 1 to 1,000,000.
    pub events_per_s: u32,
}

impl From<Instrument> for FlowInstrument {
    /// The instrument at its plausible price, with 200 operations a second.
    fn from(instrument: Instrument) -> Self {
        let opening = opening_price(&instrument);
        Self { instrument, opening, events_per_s: 200 }
    }
}

/// What stream to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowConfig {
    /// Same seed, same stream.
    pub seed: u64,
    /// The venue's time at the start.
    pub start: Time,
    /// How long the venue runs.
    pub duration: Duration,
    /// Send `kline_1s` frames, one a second.
    pub klines_1s: bool,
    /// Send `kline_1m` frames, one every two seconds and at the minute's end.
    pub klines_1m: bool,
    /// What trades.
    pub instruments: Vec<FlowInstrument>,
}

impl FlowConfig {
    /// One minute from 2025-01-01T00:00:00Z without bars, at default rates.
    #[must_use]
    pub fn new(seed: u64, instruments: Vec<Instrument>) -> Self {
        Self {
            seed,
            start: Time::from_millis(1_735_689_600_000),
            duration: Duration::from_secs(60),
            klines_1s: false,
            klines_1m: false,
            instruments: instruments.into_iter().map(FlowInstrument::from).collect(),
        }
    }

    /// The same for every instrument: order operations a second.
    #[must_use]
    pub fn with_events_per_s(mut self, events_per_s: u32) -> Self {
        for instrument in &mut self.instruments {
            instrument.events_per_s = events_per_s;
        }
        self
    }
}

/// Why a flow cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowError {
    /// Nothing to trade, or more than there are source numbers.
    #[error("a flow needs 1 to 65,535 instruments, not {0}")]
    InstrumentCount(usize),
    /// It would end after nanoseconds are safely counted in 64 bits.
    #[error("a flow must end before the year 2262, not at {0}")]
    End(Time),
    /// Frames of this market are not made here.
    #[error("{0}: only spot and USD-margined markets can be generated")]
    Market(String),
    /// Tick, lot or precision without sense.
    #[error("{0}: tick and lot must be positive, decimals at most 18")]
    Steps(String),
    /// The opening price is off the tick, too low for a book below it, or too high.
    #[error("{0}: the opening price must be a multiple of the tick, 2,000 to 2^32 ticks, at most 2^60 units")]
    Opening(String),
    /// No events, or more than the clock resolves.
    #[error("{0}: events a second must be 1 to 1,000,000")]
    Rate(String),
    /// Base quantities are so small that they do not fit.
    #[error("{0}: the largest order quantity must be a lot to 2^40 lots, and 2^56 units at most")]
    Quantity(String),
}

/// The last moment a flow may end at.
const END_MAX: Time = Time(1 << 63);

impl FlowConfig {
    /// When the venue stops.
    pub(super) fn end(&self) -> Result<Time, FlowError> {
        let end = self.start.plus(self.duration);
        if end > END_MAX { Err(FlowError::End(end)) } else { Ok(end) }
    }
}

impl FlowInstrument {
    pub(super) fn check(&self) -> Result<(), FlowError> {
        let Instrument { market, tick, lot, max_qty, price_decimals, qty_decimals, .. } = self.instrument;
        let name = || self.instrument.name();
        if market == Market::CoinM {
            return Err(FlowError::Market(name()));
        }
        if tick.0 <= 0 || lot.0 <= 0 || price_decimals.max(qty_decimals) > 18 {
            return Err(FlowError::Steps(name()));
        }
        let on_tick = self.opening.0 % tick.0 == 0 && self.opening.0 <= 1 << 60;
        if !on_tick || !OPENING_TICKS.contains(&(self.opening.0 / tick.0)) {
            return Err(FlowError::Opening(name()));
        }
        if !(1..=1_000_000).contains(&self.events_per_s) {
            return Err(FlowError::Rate(name()));
        }
        if max_qty < lot || max_qty.0 > 1 << 56 || max_qty.0 / lot.0 > 1 << 40 {
            return Err(FlowError::Quantity(name()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FlowSource, demo_instruments};
    use super::*;

    fn refused(change: impl Fn(&mut FlowConfig)) -> FlowError {
        let mut config = FlowConfig::new(1, demo_instruments());
        change(&mut config);
        FlowSource::new(&config).expect_err("the configuration is impossible")
    }

    #[test]
    fn what_cannot_be_generated_is_refused_with_its_reason() {
        let name = || "binance:spot:BTCUSDT".to_owned();
        assert_eq!(refused(|c| c.instruments.clear()), FlowError::InstrumentCount(0));
        assert_eq!(refused(|c| c.start = Time(u64::MAX)), FlowError::End(Time(u64::MAX)));
        assert_eq!(refused(|c| c.instruments[0].events_per_s = 0), FlowError::Rate(name()));
        assert_eq!(refused(|c| c.instruments[0].opening = Price(0)), FlowError::Opening(name()));
        assert_eq!(refused(|c| c.instruments[0].opening.0 += 1), FlowError::Opening(name()));
        assert_eq!(refused(|c| c.instruments[0].instrument.tick = Price(0)), FlowError::Steps(name()));
        assert_eq!(
            refused(|c| c.instruments[0].instrument.max_qty.0 = i64::MAX),
            FlowError::Quantity(name())
        );
        assert_eq!(
            refused(|c| c.instruments[0].instrument.market = Market::CoinM),
            FlowError::Market("binance:coinm:BTCUSDT".into())
        );
    }
}
