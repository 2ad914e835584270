//! What changed between two readings of a symbol's rules, for who reads the log: after a refusal that contradicts the rules
//! as they were known, the difference says whether the venue had changed them or the order was wrong.
//!
//! Owns: which rules are told, by the venue's names, as far as orders are held to them. Invariant: a rule is told where its
//! value is another, not where the same value is written in other decimals.

use super::super::exchange_info::Symbol;
use super::super::filters::{CountLimits, LotSize, Multiplier, OrderType, PercentPrice};
use crate::domain::decimal::Scaled;
use crate::domain::{Notional, Price, Qty};
use std::fmt;

/// What is no bound is as none: zero turns one off, and so does the largest number there is.
type Value = Option<Scaled>;

/// A rule that is another now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// A number: a step, a bound, a count.
    Number {
        /// The filter and its field, as the venue calls them.
        rule: &'static str,
        /// What it was; none where it did not hold.
        before: Option<Scaled>,
        /// What it is; likewise.
        now: Option<Scaled>,
    },
    /// Something is taken, or is no longer.
    Takes {
        /// What, as the venue calls it.
        what: String,
        /// Whether it is taken now.
        now: bool,
    },
}

impl fmt::Display for RuleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Value| value.map_or("none".to_owned(), |value| format!("{value:#}"));
        match self {
            Self::Number { rule, before, now } => write!(f, "{rule} {} to {}", shown(before), shown(now)),
            Self::Takes { what, now: true } => write!(f, "{what} is taken"),
            Self::Takes { what, now: false } => write!(f, "{what} is not taken any more"),
        }
    }
}

/// What is another in `now` than it was.
pub fn changes(before: &Symbol, now: &Symbol) -> Vec<RuleChange> {
    let same = |a: &Value, b: &Value| a.map(|a| format!("{a:#}")) == b.map(|b| format!("{b:#}"));
    let numbers = numbers(before).into_iter().zip(numbers(now));
    let numbers = numbers.filter(|((_, before), (_, now))| !same(before, now));
    let numbers = numbers
        .map(|((rule, before), (_, now))| RuleChange::Number { rule, before, now })
        .collect::<Vec<_>>();
    let types = OrderType::ALL.into_iter().map(|kind| (kind.name(), kind)).filter_map(|(name, kind)| {
        let takes = |symbol: &Symbol| symbol.order_types.contains(kind);
        (takes(before) != takes(now)).then(|| (name.to_owned(), takes(now)))
    });
    let (old, new) = (&before.self_trade_modes, &now.self_trade_modes);
    let gone = old.iter().filter(|mode| !new.contains(mode)).map(|mode| (mode.clone(), false));
    let come = new.iter().filter(|mode| !old.contains(mode)).map(|mode| (mode.clone(), true));
    let taken = types.chain(gone).chain(come).map(|(what, now)| RuleChange::Takes { what, now });
    numbers.into_iter().chain(taken).collect()
}

/// Every number, always the same ones in the same order.
fn numbers(of: &Symbol) -> Vec<(&'static str, Value)> {
    let filters = &of.filters;
    let (price_decimals, qty_decimals) = (filters.price_decimals, filters.qty_decimals);
    let bound = |value: i128, decimals| {
        let holds = value != 0 && value != i128::from(i64::MAX);
        holds.then_some(Scaled { value, decimals })
    };
    let price = |of: Option<Price>| of.and_then(|of| bound(of.0.into(), price_decimals));
    let qty = |of: Option<Qty>| of.and_then(|of| bound(of.0.into(), qty_decimals));
    let worth = |of: Option<Notional>| of.and_then(|of| bound(of.0, price_decimals + qty_decimals));
    let count = |of: Option<u32>| of.map(|value| Scaled { value: value.into(), decimals: 0 });
    let factor = |of: Option<Multiplier>| of.and_then(|of| bound(of.0.into(), Multiplier::DECIMALS));
    let mut all = vec![
        ("quoteAssetPrecision", count(Some(price_decimals.into()))),
        ("baseAssetPrecision", count(Some(qty_decimals.into()))),
        ("PRICE_FILTER tickSize", price(filters.price.map(|of| of.tick))),
        ("PRICE_FILTER minPrice", price(filters.price.map(|of| of.min))),
        ("PRICE_FILTER maxPrice", price(filters.price.map(|of| of.max))),
    ];
    type Names = [&'static str; 3];
    let mut lot = |of: Option<LotSize>, names: Names| {
        let fields = [of.map(|of| of.step), of.map(|of| of.min), of.map(|of| of.max)];
        all.extend(names.into_iter().zip(fields.map(qty)));
    };
    lot(filters.lot, ["LOT_SIZE stepSize", "LOT_SIZE minQty", "LOT_SIZE maxQty"]);
    lot(filters.market_lot, ["MARKET_LOT_SIZE stepSize", "MARKET_LOT_SIZE minQty", "MARKET_LOT_SIZE maxQty"]);
    let mut percent = |of: Option<PercentPrice>, names: Names| {
        let fields =
            [factor(of.map(|of| of.up)), factor(of.map(|of| of.down)), count(of.map(|of| of.minutes))];
        all.extend(names.into_iter().zip(fields));
    };
    percent(
        filters.percent,
        ["PERCENT_PRICE multiplierUp", "PERCENT_PRICE multiplierDown", "PERCENT_PRICE avgPriceMins"],
    );
    percent(
        filters.percent_by_side.map(|of| of.bid),
        [
            "PERCENT_PRICE_BY_SIDE bidMultiplierUp",
            "PERCENT_PRICE_BY_SIDE bidMultiplierDown",
            "PERCENT_PRICE_BY_SIDE avgPriceMins",
        ],
    );
    percent(
        filters.percent_by_side.map(|of| of.ask),
        [
            "PERCENT_PRICE_BY_SIDE askMultiplierUp",
            "PERCENT_PRICE_BY_SIDE askMultiplierDown",
            "PERCENT_PRICE_BY_SIDE avgPriceMins",
        ],
    );
    let (min, range, trailing) = (filters.min_notional, filters.notional, filters.trailing_delta);
    let flag = |of: Option<bool>| count(of.map(u32::from));
    all.extend([
        ("MIN_NOTIONAL minNotional", worth(min.map(|of| of.min))),
        ("MIN_NOTIONAL applyToMarket", flag(min.map(|of| of.market))),
        ("MIN_NOTIONAL avgPriceMins", count(min.map(|of| of.minutes))),
        ("NOTIONAL minNotional", worth(range.map(|of| of.min))),
        ("NOTIONAL applyMinToMarket", flag(range.map(|of| of.min_market))),
        ("NOTIONAL maxNotional", worth(range.map(|of| of.max))),
        ("NOTIONAL applyMaxToMarket", flag(range.map(|of| of.max_market))),
        ("NOTIONAL avgPriceMins", count(range.map(|of| of.minutes))),
        ("ICEBERG_PARTS limit", count(filters.iceberg_parts)),
        ("TRAILING_DELTA minTrailingAboveDelta", count(trailing.map(|of| of.min_above))),
        ("TRAILING_DELTA maxTrailingAboveDelta", count(trailing.map(|of| of.max_above))),
        ("TRAILING_DELTA minTrailingBelowDelta", count(trailing.map(|of| of.min_below))),
        ("TRAILING_DELTA maxTrailingBelowDelta", count(trailing.map(|of| of.max_below))),
        ("MAX_POSITION maxPosition", filters.max_position.and_then(|of| bound(of, qty_decimals))),
        ("MAX_ASSET of the base asset", qty(filters.max_base)),
        ("MAX_ASSET of the quote asset", worth(filters.max_quote)),
        ("MAX_NUM_ORDER_AMENDS", count(filters.max_amends)),
    ]);
    let mut counts = |of: &CountLimits, names: [&'static str; 4]| {
        all.extend(names.into_iter().zip([of.orders, of.algo, of.iceberg, of.lists].map(count)));
    };
    counts(
        &filters.counts,
        ["MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ICEBERG_ORDERS", "MAX_NUM_ORDER_LISTS"],
    );
    counts(
        &filters.exchange,
        [
            "EXCHANGE_MAX_NUM_ORDERS",
            "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            "EXCHANGE_MAX_NUM_ORDER_LISTS",
        ],
    );
    all
}
