//! The filters of one symbol as values.
//!
//! Every number is an integer in the instrument's own units, so that a check is a comparison. Zero turns a bound off
//! where the venue says so. An absent filter is `None`.

use crate::domain::event::{MarketRules, Rules};
use crate::domain::{Instrument, Notional, Price, Qty};
use serde::{Deserialize, Serialize};

/// A factor in units of 10^-8: 500,000,000 is 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Multiplier(pub i64);

impl Multiplier {
    /// Decimals of its unit.
    pub const DECIMALS: u8 = 8;
    /// The factor one.
    pub const ONE: Multiplier = Multiplier(100_000_000);
}

/// `PRICE_FILTER`. Of prices and stop prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceFilter {
    /// Lowest price; zero: no such bound.
    pub min: Price,
    /// Highest price; zero: no such bound.
    pub max: Price,
    /// Price step; zero: any price.
    pub tick: Price,
}

/// `LOT_SIZE` and `MARKET_LOT_SIZE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotSize {
    /// Smallest quantity; zero: no such bound.
    pub min: Qty,
    /// Largest quantity; zero: no such bound.
    pub max: Qty,
    /// Quantity step; zero: any quantity.
    pub step: Qty,
}

/// `PERCENT_PRICE`, and a side of `PERCENT_PRICE_BY_SIDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PercentPrice {
    /// The highest price, as a factor of the reference.
    pub up: Multiplier,
    /// The lowest price, as a factor of the reference.
    pub down: Multiplier,
    /// Minutes of the average that is the reference; zero: the last price is.
    pub minutes: u32,
}

/// `PERCENT_PRICE_BY_SIDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PercentPriceBySide {
    /// For buy orders.
    pub bid: PercentPrice,
    /// For sell orders.
    pub ask: PercentPrice,
}

/// `MIN_NOTIONAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinNotional {
    /// Smallest order value.
    pub min: Notional,
    /// Whether it binds market orders, valued at the reference.
    pub market: bool,
    /// Minutes of the average that is the reference; zero: the last price is.
    pub minutes: u32,
}

/// `NOTIONAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotionalRange {
    /// Smallest order value.
    pub min: Notional,
    /// Whether that binds market orders, valued at the reference.
    pub min_market: bool,
    /// Largest order value.
    pub max: Notional,
    /// Whether that binds market orders, valued at the reference.
    pub max_market: bool,
    /// Minutes of the average that is the reference; zero: the last price is.
    pub minutes: u32,
}

/// `TRAILING_DELTA`, in hundredths of a per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailingDelta {
    /// Smallest distance of an order that triggers above the market's low.
    pub min_above: u32,
    /// Largest such distance.
    pub max_above: u32,
    /// Smallest distance of an order that triggers below the market's high.
    pub min_below: u32,
    /// Largest such distance.
    pub max_below: u32,
}

/// How many orders may be open, on a symbol or on the whole exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountLimits {
    /// Of every kind.
    pub orders: Option<u32>,
    /// Stop and take-profit orders.
    pub algo: Option<u32>,
    /// Icebergs.
    pub iceberg: Option<u32>,
    /// Order lists.
    pub lists: Option<u32>,
}

/// Every filter of one symbol, the exchange's own included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Filters {
    /// Decimals of prices, which say how breaches are shown.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
    /// `PRICE_FILTER`.
    pub price: Option<PriceFilter>,
    /// `LOT_SIZE`.
    pub lot: Option<LotSize>,
    /// `MARKET_LOT_SIZE`.
    pub market_lot: Option<LotSize>,
    /// `PERCENT_PRICE`.
    pub percent: Option<PercentPrice>,
    /// `PERCENT_PRICE_BY_SIDE`.
    pub percent_by_side: Option<PercentPriceBySide>,
    /// `MIN_NOTIONAL`.
    pub min_notional: Option<MinNotional>,
    /// `NOTIONAL`.
    pub notional: Option<NotionalRange>,
    /// `ICEBERG_PARTS`.
    pub iceberg_parts: Option<u32>,
    /// `TRAILING_DELTA`.
    pub trailing_delta: Option<TrailingDelta>,
    /// `MAX_POSITION`, in units of quantity; 128 bits, since holdings are not bound by what one order may be.
    pub max_position: Option<i128>,
    /// `MAX_ASSET` of the base asset; of one account, from its own list of filters.
    pub max_base: Option<Qty>,
    /// `MAX_ASSET` of the quote asset.
    pub max_quote: Option<Notional>,
    /// `MAX_NUM_ORDER_AMENDS`.
    pub max_amends: Option<u32>,
    /// `MAX_NUM_ORDERS`, `…_ALGO_ORDERS`, `…_ICEBERG_ORDERS`, `…_ORDER_LISTS`.
    pub counts: CountLimits,
    /// The same with `EXCHANGE_` before it.
    pub exchange: CountLimits,
}

/// What an instrument file says of filters: tick, lot, smallest and largest quantity, smallest value.
impl From<&Instrument> for Filters {
    fn from(i: &Instrument) -> Self {
        let mut filters = Filters {
            price_decimals: i.price_decimals,
            qty_decimals: i.qty_decimals,
            price: Some(PriceFilter { min: Price(0), max: Price(0), tick: i.tick }),
            lot: Some(LotSize { min: i.min_qty, max: i.max_qty, step: i.lot }),
            ..Filters::default()
        };
        filters.set_min_notional(i.min_notional);
        filters
    }
}

impl Filters {
    /// Takes changed rules over.
    pub fn change(&mut self, rules: &Rules) {
        let price = self.price.get_or_insert(PriceFilter { min: Price(0), max: Price(0), tick: rules.tick });
        price.tick = rules.tick;
        self.lot = Some(LotSize { min: rules.min_qty, max: rules.max_qty, step: rules.lot });
        self.set_min_notional(rules.min_notional);
    }

    /// Takes over what is changed of market orders.
    pub fn change_market(&mut self, rules: &MarketRules) {
        let &MarketRules { min_qty: min, max_qty: max, lot: step, .. } = rules;
        self.market_lot = Some(LotSize { min, max, step });
    }

    /// The largest market order by `MARKET_LOT_SIZE`.
    #[must_use]
    pub fn market_max(&self) -> Qty {
        self.market_lot.map(|lot| lot.max).filter(|max| max.0 != 0).unwrap_or(Qty(i64::MAX))
    }

    fn set_min_notional(&mut self, min: Notional) {
        match (&mut self.notional, &mut self.min_notional) {
            (Some(range), None) => range.min = min,
            (_, Some(filter)) => filter.min = min,
            (None, None) => self.min_notional = Some(MinNotional { min, market: true, minutes: 0 }),
        }
    }
}
