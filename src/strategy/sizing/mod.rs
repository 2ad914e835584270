//! Sizing: how much to buy or sell, by what may be lost rather than by a number in a file.
//!
//! A strategy asks its context for a size; by which method, its configuration says (`sizing = { method = … }`). What
//! comes out is whole lots, never more than the method, the cap and the instrument allow: every rounding is down. What
//! is too small to be an order is no order. A strategy that does not say that it asks has a configured `sizing` refused.
//!
//! Equity is the strategy's own: its capital, what it earned and what its open positions earn at the middle of the book,
//! less fees, over the instruments that are quoted in the same asset. All of it exact integers; the average true range
//! alone is a statistic, and is rounded up before anything is divided by it.

mod asked;
mod atr;
mod method;

pub use atr::Atr;
pub use method::{AMOUNT_DECIMALS, CAPITAL, METHODS, Method, SizingSpec, WHOLE_PPM};

use crate::domain::params::Params;
use crate::domain::{Instrument, InstrumentId, Notional, Price, Qty};
use crate::market::Bar;

/// What an order is sized by.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Of what.
    pub instrument: &'a Instrument,
    /// The price it would trade at.
    pub entry: Price,
    /// Where it would be left with a loss.
    pub stop: Option<Price>,
    /// The strategy's profit so far, after fees, units of 10^-8 of the quote asset.
    pub profit: i128,
    /// The instrument's average true range, in units of its price.
    pub atr: Option<f64>,
    /// The instruments of the strategy.
    pub instruments: usize,
}

/// A size, and what it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sized {
    /// The event.
    pub seq: u64,
    /// Of what.
    pub instrument: InstrumentId,
    /// By which method.
    pub method: Method,
    /// The equity, units of 10^-8 of the quote asset.
    pub equity: i128,
    /// What could be spent or lost, in the units of the instrument's notional; zero for a fixed quantity.
    pub budget: Notional,
    /// What one unit costs or loses: the price, the distance to the stop or the average true range, in price units.
    pub unit: Price,
    /// Before lots, caps and smallest sizes.
    pub wanted: Qty,
    /// Whole lots within everything.
    pub qty: Qty,
}

/// Why there is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSize {
    /// The strategy's configuration has no `sizing`.
    #[error("the strategy has no sizing")]
    NotConfigured,
    /// The entry is no price.
    #[error("there is no price to size by")]
    NoPrice,
    /// The method needs a stop.
    #[error("risk-per-trade needs a stop that is not the entry")]
    NoStop,
    /// The average true range is not there yet.
    #[error("the average true range is not known yet")]
    WarmingUp,
    /// Nothing is left to risk.
    #[error("the equity is used up")]
    NoEquity,
    /// What the method allows is less than the smallest order.
    #[error("what may be risked is less than the smallest order")]
    TooSmall,
}

/// A strategy's sizing.
#[derive(Debug, Clone)]
pub struct Sizer {
    method: Method,
    capital: i64,
    notional_max: i64,
    /// By instrument; only of methods that ask for it.
    ranges: Vec<Option<Atr>>,
    instruments: usize,
}

impl Sizer {
    /// A sizer by `spec` with checked parameters, for a strategy that trades `instruments` of a run that has `all`.
    #[must_use]
    pub fn new(spec: &SizingSpec, params: &Params, instruments: &[InstrumentId], all: usize) -> Self {
        let has = |name: &str| spec.params.iter().any(|param| param.name == name);
        let amount = |name: &str| match has(name) {
            true => params.decimal(name, AMOUNT_DECIMALS).unwrap_or(0),
            false => 0,
        };
        let method = spec.method(params);
        let mut ranges = vec![None; all];
        if let Method::VolatilityTarget { period, .. } | Method::EqualRisk { period, .. } = method {
            for id in instruments.iter().filter(|id| id.index() < all) {
                ranges[id.index()] = Some(Atr::new(period));
            }
        }
        let (capital, notional_max) = (amount(CAPITAL), amount("notional_max"));
        Self { method, capital, notional_max, ranges, instruments: instruments.len() }
    }

    /// Takes a bar in.
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) {
        if let Some(Some(atr)) = self.ranges.get_mut(bar.instrument.index()) {
            atr.take(bar);
        }
    }

    /// The average true range of an instrument, in units of its price.
    #[must_use]
    pub fn atr(&self, instrument: InstrumentId) -> Option<f64> {
        self.ranges.get(instrument.index())?.as_ref()?.value()
    }

    /// How many bars of an instrument it needs before it can size.
    #[must_use]
    pub fn warm_up(&self, instrument: InstrumentId) -> usize {
        let range = self.ranges.get(instrument.index()).and_then(Option::as_ref);
        range.map_or(0, Atr::warm_up)
    }

    /// How many instruments the strategy trades.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.instruments
    }

    /// A size.
    ///
    /// # Errors
    /// [`NoSize`] where there is none.
    pub fn size(&self, ask: &Ask<'_>, seq: u64) -> Result<Sized, NoSize> {
        let Ask { instrument, entry, .. } = *ask;
        if entry.0 <= 0 {
            return Err(NoSize::NoPrice);
        }
        let equity = i128::from(self.capital).saturating_add(ask.profit);
        let share_of = |share: i64| -> Result<Notional, NoSize> {
            if equity <= 0 {
                return Err(NoSize::NoEquity);
            }
            // 2^127 is 10^38: ten billion in units of 10^-8 times a million leaves a dozen digits.
            let amount = equity.saturating_mul(i128::from(share)) / i128::from(WHOLE_PPM);
            Ok(notional(amount, instrument))
        };
        let range = || {
            let range = ask.atr.ok_or(NoSize::WarmingUp)?;
            // At least one unit: what did not move at all may move yet.
            let units = range.ceil().clamp(1.0, 9e18);
            Ok(Price(units as i64))
        };
        let (budget, unit) = match self.method {
            Method::FixedQty { qty } => {
                let qty = scaled(qty.into(), AMOUNT_DECIMALS, instrument.qty_decimals);
                return self.finish(ask, seq, equity, Notional::ZERO, entry, qty);
            }
            Method::FixedNotional { notional: amount } => (notional(amount.into(), instrument), entry),
            Method::PercentOfEquity { share } | Method::Kelly { share } => (share_of(share)?, entry),
            Method::RiskPerTrade { share } => {
                let distance = ask.stop.map_or(0, |stop| i128::from(entry.0).abs_diff(stop.0.into()));
                let distance = i64::try_from(distance).ok().filter(|d| *d > 0).ok_or(NoSize::NoStop)?;
                (share_of(share)?, Price(distance))
            }
            Method::VolatilityTarget { share, .. } => (share_of(share)?, range()?),
            Method::EqualRisk { share, .. } => {
                let all = share_of(share)?;
                (Notional(all.0 / (ask.instruments.max(1) as i128)), range()?)
            }
        };
        self.finish(ask, seq, equity, budget, unit, budget.0 / i128::from(unit.0))
    }

    /// Cuts what is wanted to the cap, the instrument's largest order and whole lots.
    fn finish(
        &self,
        ask: &Ask<'_>,
        seq: u64,
        equity: i128,
        budget: Notional,
        unit: Price,
        wanted: i128,
    ) -> Result<Sized, NoSize> {
        let Ask { instrument, entry, .. } = *ask;
        let cap = notional(self.notional_max.into(), instrument).0 / i128::from(entry.0);
        let most = wanted.min(cap).min(instrument.max_qty.0.into());
        let lot = i128::from(instrument.lot.0.max(1));
        let lots = i64::try_from(most - most.rem_euclid(lot)).unwrap_or(0);
        let qty = Qty(lots);
        let value = entry.times(qty);
        if lots <= 0 || qty < instrument.min_qty || value < instrument.min_notional {
            return Err(NoSize::TooSmall);
        }
        let wanted = Qty(i64::try_from(wanted).unwrap_or(i64::MAX));
        let (method, instrument) = (self.method, instrument.id);
        Ok(Sized { seq, instrument, method, equity, budget, unit, wanted, qty })
    }
}

/// An amount in units of 10^-8 of the quote asset in those of the instrument's notional, rounded down.
fn notional(amount: i128, instrument: &Instrument) -> Notional {
    Notional(scaled(amount, AMOUNT_DECIMALS, instrument.notional_decimals()))
}

/// `value` with `from` decimals in units of `to` decimals, rounded towards zero; saturating.
fn scaled(value: i128, from: u8, to: u8) -> i128 {
    if to >= from {
        value.saturating_mul(10i128.pow(u32::from(to - from)))
    } else {
        value / 10i128.pow(u32::from(from - to))
    }
}
