//! The limits, as the hot path compares with them.
//!
//! Amounts are in units of 10^-8 of the quote asset. A limit that is written as `"none"` is the largest number of its
//! type, or a window of zero; that one is not written at all is told apart by [`RiskLimits::unset`] alone, which denies
//! every order that does not reduce.

use crate::domain::{InstrumentId, StrategyId};

/// Decimals of the quote amounts in [`RiskLimits`].
pub const QUOTE_DECIMALS: u8 = 8;

/// Levels at which exposure is added up and limited, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// One instrument, over all strategies.
    Instrument = 0,
    /// One strategy, over all instruments.
    Strategy = 1,
    /// One group of instruments that move together.
    Group = 2,
    /// One part of one venue.
    Account = 3,
    /// Everything.
    Portfolio = 4,
}

/// How many levels there are.
pub const SCALES: usize = 5;

/// Limits of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaleLimits {
    /// Sum of long positions, were every open buy to fill.
    pub long_notional_max: i64,
    /// Sum of short positions, were every open sell to fill.
    pub short_notional_max: i64,
    /// Sum of both, each position at its worse side.
    pub gross_notional_max: i64,
    /// Difference of both, were the open orders of the worse side to fill.
    pub net_notional_max: i64,
    /// Gross exposure over equity, hundredths.
    pub leverage_max: u32,
    /// Part of the whole gross exposure, per cent.
    pub share_pct_max: u32,
    /// Open orders.
    pub open_orders_max: u32,
}

impl ScaleLimits {
    /// No limit.
    pub const NONE: Self = Self {
        long_notional_max: i64::MAX,
        short_notional_max: i64::MAX,
        gross_notional_max: i64::MAX,
        net_notional_max: i64::MAX,
        leverage_max: u32::MAX,
        share_pct_max: u32::MAX,
        open_orders_max: u32::MAX,
    };
}

/// Limits that hold of single instruments and strategies in place of their level's, by their ids. One that has none, has
/// its level's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnLimits {
    /// By instrument.
    pub instruments: Vec<Option<ScaleLimits>>,
    /// By strategy.
    pub strategies: Vec<Option<ScaleLimits>>,
}

impl OwnLimits {
    /// Those of an instrument.
    #[inline]
    #[must_use]
    pub fn of_instrument<'a>(&'a self, id: InstrumentId, limits: &'a RiskLimits) -> &'a ScaleLimits {
        let own = self.instruments.get(id.index()).and_then(Option::as_ref);
        own.unwrap_or(&limits.scales[Scale::Instrument as usize])
    }

    /// Those of a strategy.
    #[inline]
    #[must_use]
    pub fn of_strategy<'a>(&'a self, id: StrategyId, limits: &'a RiskLimits) -> &'a ScaleLimits {
        let own = self.strategies.get(id.index()).and_then(Option::as_ref);
        own.unwrap_or(&limits.scales[Scale::Strategy as usize])
    }
}

/// How many a second, a minute and a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In any second.
    pub second: u32,
    /// In any minute.
    pub minute: u32,
    /// Since the day began.
    pub day: u32,
}

impl Pace {
    /// No limit.
    pub const NONE: Self = Self { second: u32::MAX, minute: u32::MAX, day: u32::MAX };
}

/// Limits on how often something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Orders.
    pub orders: Pace,
    /// Cancels. They are never refused; above this no new order is approved.
    pub cancels: Pace,
    /// Both together.
    pub messages: Pace,
}

impl RateLimits {
    /// No limit.
    pub const NONE: Self = Self { orders: Pace::NONE, cancels: Pace::NONE, messages: Pace::NONE };
}

/// Losses at which trading stops until an operator releases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossLimits {
    /// Since the day began, over all strategies.
    pub daily_max: i64,
    /// The same of one strategy.
    pub strategy_daily_max: i64,
    /// From the peak of profit, over all strategies.
    pub drawdown_max: i64,
    /// The same of one strategy.
    pub strategy_drawdown_max: i64,
    /// Positions of one strategy that were closed with a loss, one after the other.
    pub consecutive_max: u32,
    /// Within the window, over all strategies.
    pub velocity_max: i64,
    /// The window, ns.
    pub velocity_window_ns: u64,
    /// Whether what is stopped is closed at the market too.
    pub flatten: bool,
}

impl LossLimits {
    /// No limit.
    pub const NONE: Self = Self {
        daily_max: i64::MAX,
        strategy_daily_max: i64::MAX,
        drawdown_max: i64::MAX,
        strategy_drawdown_max: i64::MAX,
        consecutive_max: u32::MAX,
        velocity_max: i64::MAX,
        velocity_window_ns: 60_000_000_000,
        flatten: false,
    };
}

/// Limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiskLimits {
    /// Whether a limit is missing.
    pub unset: bool,
    /// What equity is counted from.
    pub capital: i64,
    /// Largest value of one order.
    pub order_notional_max: i64,
    /// Largest quantity of one order, units of 10^-8 of the base asset.
    pub order_qty_max: i64,
    /// Largest value of a strategy's position in one instrument, open orders included.
    pub position_notional_max: i64,
    /// Largest sum of all positions' absolute values, open orders included.
    pub gross_notional_max: i64,
    /// Most live orders of a strategy in one instrument.
    pub open_orders_max: u32,
    /// Most new orders of a strategy in one second of the sequencer's time.
    pub orders_per_second_max: u32,
    /// How far a limit price may be beyond the touch, hundredths of a per cent.
    pub price_collar_bps: u32,
    /// How far a limit price may be beyond the mark, hundredths of a per cent.
    pub mark_collar_bps: u32,
    /// How many times the average of recent orders one may be.
    pub fat_finger_multiple: u32,
    /// How long an instrument's market may have been silent, ns.
    pub book_age_max_ns: u64,
    /// How far the venue's clock may be from ours, ns.
    pub clock_lag_max_ns: u64,
    /// How long the same order is a duplicate, ns; zero: never.
    pub duplicate_window_ns: u64,
    /// What has to stay free of the quote asset; `i64::MIN`: nothing has to.
    pub quote_free_min: i64,
    /// By level.
    pub scales: [ScaleLimits; SCALES],
    /// Gross exposure of a level up to which its share is not judged.
    pub share_from: i64,
    /// Of all strategies together.
    pub rates: RateLimits,
    /// Of each strategy; orders a second are `orders_per_second_max`.
    pub strategy_rates: RateLimits,
    /// Orders of a strategy for each of its trades, within a day.
    pub order_to_trade_max: u32,
    /// Orders of the day up to which that is not judged.
    pub order_to_trade_from: u32,
    /// Trades the same way, one after the other, within the window.
    pub same_way_max: u32,
    /// That window, ns.
    pub same_way_window_ns: u64,
    /// Losses.
    pub losses: LossLimits,
}

impl RiskLimits {
    /// No limit at all.
    pub const NONE: Self = Self {
        unset: false,
        capital: 0,
        order_notional_max: i64::MAX,
        order_qty_max: i64::MAX,
        position_notional_max: i64::MAX,
        gross_notional_max: i64::MAX,
        open_orders_max: u32::MAX,
        orders_per_second_max: u32::MAX,
        price_collar_bps: u32::MAX,
        mark_collar_bps: u32::MAX,
        fat_finger_multiple: u32::MAX,
        book_age_max_ns: u64::MAX,
        clock_lag_max_ns: u64::MAX,
        duplicate_window_ns: 0,
        quote_free_min: i64::MIN,
        scales: [ScaleLimits::NONE; SCALES],
        share_from: 0,
        rates: RateLimits::NONE,
        strategy_rates: RateLimits::NONE,
        order_to_trade_max: u32::MAX,
        order_to_trade_from: 0,
        same_way_max: u32::MAX,
        same_way_window_ns: 60_000_000_000,
        losses: LossLimits::NONE,
    };
}
