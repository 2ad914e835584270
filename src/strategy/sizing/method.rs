//! The ways to size an order, one line each; help and configuration checks come from this table.

use crate::domain::params::{ParamKind, ParamSpec, Params};

/// Decimals of amounts in [`Method`].
pub const AMOUNT_DECIMALS: u8 = 8;
/// A whole in parts per million.
pub const WHOLE_PPM: i64 = 1_000_000;

/// How an order is sized. Amounts are in units of 10^-8, shares in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// So much of the base asset.
    FixedQty {
        /// How much.
        qty: i64,
    },
    /// What is worth so much of the quote asset.
    FixedNotional {
        /// How much.
        notional: i64,
    },
    /// What is worth this share of the equity.
    PercentOfEquity {
        /// The share.
        share: i64,
    },
    /// As much as loses this share of the equity if the stop is reached.
    RiskPerTrade {
        /// The share.
        share: i64,
    },
    /// As much as moves the equity by this share when the price moves by its average true range.
    VolatilityTarget {
        /// The share.
        share: i64,
        /// Bars of the average.
        period: u32,
    },
    /// What is worth Kelly's share of the equity, a part of it, and at most so much.
    Kelly {
        /// The share, capped.
        share: i64,
    },
    /// As the volatility target, with the share divided by the strategy's instruments, so that each adds the same risk.
    EqualRisk {
        /// The share of all together.
        share: i64,
        /// Bars of the average.
        period: u32,
    },
}

impl Method {
    /// Whether it goes by the loss, and so has no size without a stop.
    #[must_use]
    pub fn needs_stop(&self) -> bool {
        matches!(self, Self::RiskPerTrade { .. })
    }

    /// Whether it is a share of nothing, by which nothing is ever traded.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match *self {
            Self::FixedQty { .. } | Self::FixedNotional { .. } => false,
            Self::PercentOfEquity { share }
            | Self::RiskPerTrade { share }
            | Self::VolatilityTarget { share, .. }
            | Self::Kelly { share }
            | Self::EqualRisk { share, .. } => share <= 0,
        }
    }
}

/// One way to size an order.
pub struct SizingSpec {
    /// Its name, `method = "…"`.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
    build: fn(&Params) -> Method,
}

impl SizingSpec {
    /// The method of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static SizingSpec> {
        METHODS.iter().find(|spec| spec.name == name)
    }

    /// The method with these parameters, which were checked against the table.
    #[must_use]
    pub fn method(&self, params: &Params) -> Method {
        (self.build)(params)
    }
}

const AMOUNT: (&str, &str) = ("0.00000001", "10000000000");

/// The name of the parameter that equity begins with.
pub const CAPITAL: &str = "capital";

const EQUITY: ParamSpec = ParamSpec {
    name: CAPITAL,
    doc: "the strategy's equity at first, in the quote asset; its profit is added. Where it is not written a backtest goes by \
          [backtest] balance, and live orders are refused",
    kind: ParamKind::Decimal { min: AMOUNT.0, max: AMOUNT.1, default: "10000" },
};
const NOTIONAL_MAX: ParamSpec = ParamSpec {
    name: "notional_max",
    doc: "no order is worth more than this, in the quote asset",
    kind: ParamKind::Decimal { min: AMOUNT.0, max: AMOUNT.1, default: AMOUNT.1 },
};
const PERIOD: ParamSpec = ParamSpec {
    name: "atr_period",
    doc: "bars of the average true range",
    kind: ParamKind::Integer { min: 1, max: 10_000, default: 14 },
};

const fn percent(doc: &'static str, max: f64) -> ParamSpec {
    ParamSpec { name: "percent", doc, kind: ParamKind::Float { min: 0.0001, max, default: 1.0 } }
}

/// Every way there is.
pub static METHODS: &[SizingSpec] = &[
    SizingSpec {
        name: "fixed-qty",
        doc: "so much of the base asset",
        params: &[
            ParamSpec {
                name: "qty",
                doc: "how much",
                kind: ParamKind::Decimal { min: AMOUNT.0, max: "1000000", default: "0.01" },
            },
            NOTIONAL_MAX,
        ],
        build: |p| Method::FixedQty { qty: amount(p, "qty") },
    },
    SizingSpec {
        name: "fixed-notional",
        doc: "what is worth so much of the quote asset",
        params: &[
            ParamSpec {
                name: "notional",
                doc: "how much",
                kind: ParamKind::Decimal { min: AMOUNT.0, max: AMOUNT.1, default: "100" },
            },
            NOTIONAL_MAX,
        ],
        build: |p| Method::FixedNotional { notional: amount(p, "notional") },
    },
    SizingSpec {
        name: "percent-of-equity",
        doc: "what is worth this share of the strategy's equity",
        params: &[percent("the share, per cent", 1_000.0), EQUITY, NOTIONAL_MAX],
        build: |p| Method::PercentOfEquity { share: share(p.float("percent")) },
    },
    SizingSpec {
        name: "risk-per-trade",
        doc: "as much as loses this share of the equity if the stop is reached",
        params: &[percent("the share, per cent", 100.0), EQUITY, NOTIONAL_MAX],
        build: |p| Method::RiskPerTrade { share: share(p.float("percent")) },
    },
    SizingSpec {
        name: "volatility-target",
        doc: "as much as moves the equity by this share when the price moves by its average true range",
        params: &[percent("the share, per cent", 100.0), PERIOD, EQUITY, NOTIONAL_MAX],
        build: |p| Method::VolatilityTarget { share: share(p.float("percent")), period: period(p) },
    },
    SizingSpec {
        name: "kelly",
        doc: "what is worth Kelly's share of the equity for the odds given, a part of it, and at most percent_max",
        params: &[
            ParamSpec {
                name: "win_percent",
                doc: "of a hundred trades, how many win",
                kind: ParamKind::Float { min: 0.0, max: 100.0, default: 50.0 },
            },
            ParamSpec {
                name: "payoff",
                doc: "what a trade wins that wins, for each one lost by a trade that loses",
                kind: ParamKind::Float { min: 0.001, max: 1_000.0, default: 1.0 },
            },
            ParamSpec {
                name: "part",
                doc: "how much of Kelly's share: 0.5 is half Kelly",
                kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.5 },
            },
            ParamSpec {
                name: "percent_max",
                doc: "the largest share, per cent",
                kind: ParamKind::Float { min: 0.0, max: 100.0, default: 10.0 },
            },
            EQUITY,
            NOTIONAL_MAX,
        ],
        build: |p| {
            let (win, payoff) = (p.float("win_percent") / 100.0, p.float("payoff"));
            Method::Kelly { share: kelly(win, payoff, p.float("part"), p.float("percent_max")) }
        },
    },
    SizingSpec {
        name: "equal-risk",
        doc: "as volatility-target, with the share divided evenly among the strategy's instruments",
        params: &[percent("the share of all together, per cent", 100.0), PERIOD, EQUITY, NOTIONAL_MAX],
        build: |p| Method::EqualRisk { share: share(p.float("percent")), period: period(p) },
    },
];

/// An amount in units of 10^-8; the table's bounds have no more decimals.
fn amount(params: &Params, name: &str) -> i64 {
    params.decimal(name, AMOUNT_DECIMALS).unwrap_or(0)
}

/// A percentage in parts per million, rounded down.
fn share(percent: f64) -> i64 {
    (percent * (WHOLE_PPM / 100) as f64 + 1e-6).floor() as i64
}

fn period(params: &Params) -> u32 {
    u32::try_from(params.integer("atr_period")).unwrap_or(1)
}

/// Kelly's share, `win − (1 − win) ÷ payoff`, a part of it, at most `percent_max`; nothing where the odds are bad.
fn kelly(win: f64, payoff: f64, part: f64, percent_max: f64) -> i64 {
    let full = (win - (1.0 - win) / payoff).max(0.0);
    share((100.0 * full * part).min(percent_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        for spec in METHODS {
            assert!(spec.params.iter().all(ParamSpec::is_sound), "{}", spec.name);
            assert!(SizingSpec::find(spec.name).is_some());
        }
        assert!(SizingSpec::find("all-in").is_none());
    }

    #[test]
    fn kelly_is_known_cases_and_never_more_than_its_cap() {
        // Even money, 60 % wins: a fifth; half of that a tenth.
        assert_eq!(kelly(0.6, 1.0, 1.0, 100.0), 200_000);
        assert_eq!(kelly(0.6, 1.0, 0.5, 100.0), 100_000);
        // Two to one, 50 % wins: a quarter.
        assert_eq!(kelly(0.5, 2.0, 1.0, 100.0), 250_000);
        assert_eq!(kelly(0.5, 2.0, 1.0, 10.0), 100_000);
        assert_eq!(kelly(0.5, 1.0, 1.0, 100.0), 0, "no edge");
        assert_eq!(kelly(0.1, 1.0, 1.0, 100.0), 0, "bad odds");
    }
}
