//! The units of the rules' limits, and a limit and what an order came to as a person reads them.
//!
//! Rules compare integers; everybody who shows what they compared goes by the [`Unit`] of the rule's line in the table.

use super::limits::QUOTE_DECIMALS;
use super::recent::SIZES;
use super::rule::{RULES, RuleSpec};
use crate::domain::decimal::Scaled;
use crate::domain::{DenyReason, Instrument, Measure, Subject};
use serde::Serialize;
use std::fmt;

/// What a rule's limit is counted in, and what an order comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: the rule says yes or no.
    None,
    /// An amount of the quote asset, units of 10^-8.
    Quote,
    /// An amount of the base asset, units of 10^-8.
    Base,
    /// A quantity, units of the instrument.
    Qty,
    /// The same as a sum of as many orders as habits are kept of.
    QtyOfSizes,
    /// A price, units of the instrument; below zero where it is a sell's, which may not be under its limit.
    Price,
    /// A number of these.
    Count(&'static str),
    /// Hundredths.
    Percent,
    /// Hundredths of a whole, so many times something.
    Times,
    /// Nanoseconds.
    Nanos,
    /// That of what the refusal says that it measured.
    Measured,
    /// A price, units of the instrument, as it is.
    PlainPrice,
}

/// A limit, what an order came to, and what the limit is of where the reason does not say that.
pub type Numbers = (i64, i64, Option<Measure>);

/// A limit, and what an order came to, as exact numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact<'a> {
    /// The limit; none where there is none.
    pub limit: Option<Scaled>,
    /// What the order came to; none where it is over every number.
    pub value: Option<Scaled>,
    /// The unit of both: an asset, `%`, `ms`, `times`, or what is counted.
    pub unit: &'a str,
}

/// The same as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The limit, an exact decimal; `none` where there is none.
    pub limit: String,
    /// What the order came to, an exact decimal; `unbounded` where it is over every number.
    pub value: String,
    /// The unit of both: an asset, `%`, `ms`, `times`, or what is counted.
    pub unit: String,
    /// What the order has too much or too little of, such as `quantity`; not where the reason says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'static str>,
    /// How the limit binds it: `at most`, `at least`, `a multiple of` or `more than`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binds: Option<&'static str>,
    /// The most that can be reckoned, an exact decimal, where the order is worth more than that: that is denied under no
    /// limit too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reckoned_max: Option<String>,
}

impl Told {
    /// Whether nothing binds: there is no limit, and what the order came to can be reckoned.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.limit == NO_LIMIT && self.reckoned_max.is_none()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, value, unit, .. } = self;
        if let (Some(subject), Some(binds)) = (self.subject, self.binds) {
            return write!(f, "{subject} {value} {unit}, must be {binds} {limit} {unit}");
        }
        if self.is_unlimited() {
            return write!(f, "{value} {unit}, no limit");
        }
        if let Some(max) = &self.reckoned_max {
            return write!(f, "worth more than can be reckoned, {max} {unit}");
        }
        write!(f, "{value} {unit}, limit {limit} {unit}")
    }
}

const NO_LIMIT: &str = "none";
const UNBOUNDED: &str = "unbounded";

impl Unit {
    /// `limit` and `value` of an order of `instrument` as exact numbers; nothing where the rule had none.
    #[must_use]
    pub fn exact(self, (limit, value, measure): Numbers, instrument: &Instrument) -> Option<Exact<'_>> {
        if let Some(measure) = measure {
            return Self::of(measure.subject).exact((limit, value, None), instrument).or_else(|| {
                // Nothing at all, where there must be something.
                let zero = Scaled { value: 0, decimals: 0 };
                let unit = Self::of(measure.subject).name(instrument)?;
                Some(Exact { limit: Some(zero), value: Some(zero), unit })
            });
        }
        // No comparison refuses zero by zero: a refusal that has neither is that of a rule that compares nothing.
        if (limit, value) == (0, 0) {
            return None;
        }
        let unit = self.name(instrument)?;
        let unlimited = match self {
            Self::Count(_) => limit >= i64::from(u32::MAX),
            _ => limit == i64::MAX,
        };
        let number = |number| self.scaled(number, instrument);
        let limit = (!unlimited).then(|| number(limit));
        Some(Exact { limit, value: (value != i64::MAX).then(|| number(value)), unit })
    }

    /// Its name; none where there is nothing to count.
    fn name(self, instrument: &Instrument) -> Option<&str> {
        Some(match self {
            Self::None | Self::Measured => return None,
            Self::Quote | Self::Price | Self::PlainPrice => &instrument.quote,
            Self::Base | Self::Qty | Self::QtyOfSizes => &instrument.base,
            Self::Count(what) => what,
            Self::Percent => "%",
            Self::Times => "times",
            Self::Nanos => "ms",
        })
    }

    /// What a subject is counted in.
    fn of(subject: Subject) -> Self {
        match subject {
            Subject::Price | Subject::StopPrice => Self::PlainPrice,
            Subject::Quantity | Subject::IcebergQty | Subject::Position => Self::Qty,
            Subject::Value | Subject::Cost => Self::Quote,
            Subject::Sold => Self::Base,
            Subject::TrailingDelta => Self::Count("bps"),
            Subject::Parts => Self::Count("parts"),
            Subject::OpenOrders | Subject::OpenAlgoOrders => Self::Count("orders"),
            Subject::OpenIcebergs => Self::Count("icebergs"),
            Subject::OpenLists => Self::Count("lists"),
            Subject::Amendments => Self::Count("amendments"),
        }
    }

    /// The same as a person reads them.
    #[must_use]
    pub fn tell(self, numbers: Numbers, instrument: &Instrument) -> Option<Told> {
        let Exact { limit, value, unit } = self.exact(numbers, instrument)?;
        let measure = numbers.2;
        let text = |number: Option<Scaled>, otherwise: &str| match (self, number) {
            (_, None) => otherwise.to_owned(),
            (Self::Qty | Self::Price, Some(number)) => number.to_string(),
            (_, Some(number)) => format!("{number:#}"),
        };
        let beyond = self == Self::Quote && measure.is_none() && limit.is_none() && value.is_none();
        Some(Told {
            reckoned_max: beyond.then(|| format!("{:#}", self.scaled(i64::MAX, instrument))),
            limit: text(limit, NO_LIMIT),
            value: text(value, UNBOUNDED),
            unit: unit.to_owned(),
            subject: measure.map(|measure| measure.subject.label()),
            binds: measure.map(|measure| measure.binds.label()),
        })
    }

    /// A number of this unit, exact.
    fn scaled(self, number: i64, instrument: &Instrument) -> Scaled {
        let value = i128::from(number);
        let (value, decimals) = match self {
            Self::None | Self::Measured | Self::Count(_) | Self::Percent => (value, 0),
            Self::Quote | Self::Base => (value, QUOTE_DECIMALS),
            Self::Qty => (value, instrument.qty_decimals),
            // An eighth is 125 thousandths.
            Self::QtyOfSizes => (value * (1_000 / SIZES as i128), instrument.qty_decimals + 3),
            Self::Price => (value.abs(), instrument.price_decimals),
            Self::PlainPrice => (value, instrument.price_decimals),
            Self::Times => (value, 2),
            Self::Nanos => (value, 6),
        };
        Scaled { value, decimals }
    }
}

const _: () = assert!(1_000 % SIZES == 0);

/// The rule that denies for `reason`; none for those of the journals of before whose rule is gone.
#[must_use]
pub fn rule_of(reason: DenyReason) -> Option<&'static RuleSpec> {
    RULES.iter().find(|rule| rule.reasons.contains(&reason))
}

/// Limit and value of a denial for `reason`, as a person reads them; nothing where its rule has none.
#[must_use]
pub fn told(reason: DenyReason, numbers: Numbers, instrument: &Instrument) -> Option<Told> {
    rule_of(reason)?.unit.tell(numbers, instrument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{Binds, Market};

    #[test]
    fn every_reason_is_of_a_rule_and_of_one_alone() {
        for reason in DenyReason::ALL {
            let rules: Vec<_> = RULES.iter().filter(|rule| rule.reasons.contains(reason)).collect();
            // Two limits have rules of their own, and a place in a rule of all levels: the first is the one that is set.
            let twice = matches!(reason, DenyReason::OrderRate | DenyReason::GrossExposure);
            let expected = if twice { 2 } else { 1 };
            assert_eq!(rules.len(), expected, "{reason}");
        }
        assert_eq!(rule_of(DenyReason::OrderRate).map(|rule| rule.name), Some("order-rate"));
        assert_eq!(rule_of(DenyReason::GrossExposure).map(|rule| rule.name), Some("gross"));
        for rule in RULES {
            assert_eq!(rule.unit == Unit::None, rule.measure.is_none(), "{}", rule.name);
        }
    }

    #[test]
    fn limits_and_values_are_told_in_units_that_a_person_reads() {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let told = |reason, limit, value| {
            let told = told(reason, (limit, value, None), &instrument)?;
            Some(format!("{} {} {}", told.limit, told.value, told.unit))
        };
        for (reason, limit, value, expected) in [
            (DenyReason::OrderTooLarge, 100_000_000_000, 150_000_000_001, "1000 1500.00000001 USDT"),
            (DenyReason::PortfolioNet, 50_000_000, 150_000_000, "0.5 1.5 USDT"),
            (DenyReason::MinimumBalance, 1_000_000_000, -500_000_000, "10 -5 USDT"),
            (DenyReason::QuantityTooLarge, 25_000_000, 25_000_001, "0.25 0.25000001 BTC"),
            (DenyReason::NotReducing, 0, 1_500, "0.000 1.500 BTC"),
            // Eight times 0.101, and ten times a sum of 0.080.
            (DenyReason::FatFinger, 800, 808, "0.1 0.101 BTC"),
            (DenyReason::FatFinger, 801, 803, "0.100125 0.100375 BTC"),
            (DenyReason::BadPrice, 6_030_010, 6_030_020, "60300.10 60300.20 USDT"),
            (DenyReason::MarkCollar, -5_940_000, -5_939_990, "59400.00 59399.90 USDT"),
            (DenyReason::OrderRate, 9, 10, "9 10 orders"),
            (DenyReason::AllCancelsDay, 100, 101, "100 101 cancels"),
            (DenyReason::GroupLeverage, 300, 312, "3 3.12 times"),
            (DenyReason::GroupLeverage, 300, i64::MAX, "3 unbounded times"),
            (DenyReason::StrategyShare, 40, 41, "40 41 %"),
            (DenyReason::StaleBook, 5_000_000_000, 5_000_000_001, "5000 5000.000001 ms"),
        ] {
            assert_eq!(told(reason, limit, value).as_deref(), Some(expected), "{reason}");
        }
        assert_eq!(told(DenyReason::Halted, 0, 0), None);
        assert_eq!(told(DenyReason::LotSize, 0, 0), None);
        assert_eq!(told(DenyReason::OpenOrders, 0, 0), None, "no order can be live any more");
    }

    #[test]
    fn what_one_rule_measures_of_many_things_is_told_with_what_it_is_and_how_it_binds() {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let shown = |reason, subject, binds, limit, value| {
            let measure = Some(Measure { subject, binds });
            told(reason, (limit, value, measure), &instrument).map(|told| told.to_string())
        };
        use DenyReason as R;
        for (reason, subject, binds, limit, value, expected) in [
            (
                R::PriceFilter,
                Subject::Price,
                Binds::MultipleOf,
                10,
                6_000_011,
                "price 60000.11 USDT, must be a multiple of 0.1 USDT",
            ),
            (
                R::PriceFilter,
                Subject::StopPrice,
                Binds::MoreThan,
                0,
                -5,
                "stop price -0.05 USDT, must be more than 0 USDT",
            ),
            (
                R::LotSize,
                Subject::Quantity,
                Binds::AtLeast,
                20,
                5,
                "quantity 0.005 BTC, must be at least 0.02 BTC",
            ),
            (R::LotSize, Subject::Quantity, Binds::MoreThan, 0, 0, "quantity 0 BTC, must be more than 0 BTC"),
            (
                R::MinNotional,
                Subject::Value,
                Binds::AtLeast,
                500_000_000,
                499_999_999,
                "order value 4.99999999 USDT, must be at least 5 USDT",
            ),
            (
                R::MaxAsset,
                Subject::Quantity,
                Binds::AtMost,
                1_000,
                2_000,
                "quantity 2 BTC, must be at most 1 BTC",
            ),
            (
                R::MaxNumAlgoOrders,
                Subject::OpenAlgoOrders,
                Binds::AtMost,
                5,
                6,
                "number of open stop and take-profit orders with this one 6 orders, must be at most 5 orders",
            ),
            (
                R::InsufficientBalance,
                Subject::Cost,
                Binds::AtMost,
                10_000_000_000,
                10_010_000_000,
                "cost with its fee 100.1 USDT, must be at most 100 USDT",
            ),
            (
                R::InsufficientBalance,
                Subject::Sold,
                Binds::AtMost,
                0,
                100_000_000,
                "quantity to sell 1 BTC, must be at most 0 BTC",
            ),
        ] {
            assert_eq!(shown(reason, subject, binds, limit, value).as_deref(), Some(expected), "{reason}");
        }
    }

    #[test]
    fn a_limit_that_is_not_set_is_told_as_none() {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let shown =
            |unit: Unit, limit, value| unit.tell((limit, value, None), &instrument).map(|t| t.to_string());
        let count = shown(Unit::Count("orders"), u32::MAX.into(), 3);
        assert_eq!(count.as_deref(), Some("3 orders, no limit"));
        let amount = shown(Unit::Quote, i64::MAX, 1_250_000_000);
        assert_eq!(amount.as_deref(), Some("12.5 USDT, no limit"));
        let amount = shown(Unit::Quote, 1_000_000_000, 1_250_000_000);
        assert_eq!(amount.as_deref(), Some("12.5 USDT, limit 10 USDT"));
    }

    #[test]
    fn what_is_worth_more_than_can_be_reckoned_is_told_so_and_not_as_under_no_limit() {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let tell = |unit: Unit, limit, value| unit.tell((limit, value, None), &instrument).expect("numbers");
        let beyond = tell(Unit::Quote, i64::MAX, i64::MAX);
        assert_eq!(beyond.to_string(), "worth more than can be reckoned, 92233720368.54775807 USDT");
        assert!(!beyond.is_unlimited(), "`audit why` tells of it");
        assert_eq!((beyond.limit.as_str(), beyond.value.as_str()), ("none", "unbounded"));
        let limited = tell(Unit::Quote, 1_000_000_000, i64::MAX);
        assert_eq!(limited.to_string(), "unbounded USDT, limit 10 USDT");
        // A leverage without equity passes where there is no limit to it.
        let leverage = tell(Unit::Times, i64::MAX, i64::MAX);
        assert!(leverage.is_unlimited());
        assert_eq!(leverage.to_string(), "unbounded times, no limit");
    }
}
