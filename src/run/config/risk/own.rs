//! `[risk.instruments."VENUE:MARKET:SYMBOL"]` and `[risk.strategies.LABEL]`: limits of one instrument or strategy.
//!
//! What is not written there is that of its level, `[risk.instrument]` or `[risk.strategy]`: so a limit that is missing
//! there still denies.

use super::{Limit, Reader, one_scale};
use crate::domain::InstrumentTable;
use crate::domain::params::not_known;
use crate::risk::limits::{OwnLimits, RiskLimits, Scale, ScaleLimits};
use crate::run::config::check::Checks;
use crate::run::config::raw::{RawRisk, RawScale};
use std::collections::BTreeMap;
use toml::Spanned;

/// What they are checked against.
pub(super) struct Against<'a> {
    pub limits: &'a RiskLimits,
    pub whole: &'a Limit,
    pub capital: &'a Limit,
    pub table: Option<&'a InstrumentTable>,
    pub strategies: &'a [&'a str],
}

/// The limits of single instruments and strategies.
pub(super) fn own_limits(raw: &RawRisk, against: &Against<'_>, checks: &mut Checks<'_>) -> OwnLimits {
    let mut own = OwnLimits::default();
    if let Some(table) = against.table {
        let names: Vec<String> = table.all().iter().map(|instrument| instrument.name()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let of = Scale::Instrument;
        own.instruments = read(&raw.instruments, "instruments", "an instrument", &names, of, against, checks);
    }
    let (names, of) = (against.strategies, Scale::Strategy);
    own.strategies = read(&raw.strategies, "strategies", "a strategy", names, of, against, checks);
    own
}

fn read(
    raw: &BTreeMap<String, Spanned<RawScale>>,
    section: &str,
    what: &str,
    names: &[&str],
    of: Scale,
    against: &Against<'_>,
    checks: &mut Checks<'_>,
) -> Vec<Option<ScaleLimits>> {
    if raw.is_empty() {
        return Vec::new();
    }
    let mut all = vec![None; names.len()];
    let level = &against.limits.scales[of as usize];
    for (name, given) in raw {
        let Some(at) = names.iter().position(|known| known == name) else {
            checks.refuse(&given.span(), not_known(what, name, names));
            continue;
        };
        // Limits that are missing are missed at the level.
        let mut reader = Reader { checks, defaults: true, missing: Vec::new() };
        let raw = given.get_ref();
        let own = one_scale(raw, &format!("{section}.{name:?}"), against.whole, against.capital, &mut reader);
        all[at] = Some(over(level, &own, raw));
    }
    all
}

/// The level's limits with those that were written in their place.
fn over(level: &ScaleLimits, own: &ScaleLimits, raw: &RawScale) -> ScaleLimits {
    fn pick<T, L>(given: &Option<T>, own: L, level: L) -> L {
        if given.is_some() { own } else { level }
    }
    ScaleLimits {
        long_notional_max: pick(&raw.long_notional_max, own.long_notional_max, level.long_notional_max),
        short_notional_max: pick(&raw.short_notional_max, own.short_notional_max, level.short_notional_max),
        gross_notional_max: pick(&raw.gross_notional_max, own.gross_notional_max, level.gross_notional_max),
        net_notional_max: pick(&raw.net_notional_max, own.net_notional_max, level.net_notional_max),
        leverage_max: pick(&raw.leverage_max, own.leverage_max, level.leverage_max),
        share_pct_max: pick(&raw.share_pct_max, own.share_pct_max, level.share_pct_max),
        open_orders_max: pick(&raw.open_orders_max, own.open_orders_max, level.open_orders_max),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{InstrumentId, StrategyId};
    use crate::run::config::Config;

    /// The default configuration with these lines behind its last section of limits.
    fn with(lines: &str) -> Result<Config, String> {
        let text = include_str!("../../../../config/default.toml");
        let text = text.replace("[risk.losses]", &format!("{lines}\n[risk.losses]"));
        Config::from_text_with_built_in(&text, "x.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn one_instrument_and_one_strategy_have_limits_of_their_own_and_the_others_their_levels() {
        let config = with(
            "[risk.instruments.\"binance:usdm:BTCUSDT\"]\ngross_notional_max = \"7000\"\nopen_orders_max = 3\n\
             [risk.strategies.rsi-reversion]\nlong_notional_max = \"90\"",
        )
        .expect("good");
        let (limits, own) = (&config.risk.limits, &config.risk.setup.own_limits);
        let btc = config.instruments.by_name("binance:usdm:BTCUSDT").expect("built in").id;
        let of = own.of_instrument(btc, limits);
        assert_eq!((of.gross_notional_max, of.open_orders_max), (700_000_000_000, 3));
        assert_eq!(of.long_notional_max, i64::MAX, "as the level's");
        for other in config.instruments.all().iter().filter(|i| i.id != btc) {
            assert_eq!(own.of_instrument(other.id, limits).gross_notional_max, i64::MAX);
        }
        for (id, strategy) in (0u8..).zip(&config.strategies) {
            let of = own.of_strategy(StrategyId(id), limits).long_notional_max;
            assert_eq!(of == 9_000_000_000, strategy.label == "rsi-reversion", "{}", strategy.label);
        }
        assert_eq!(own.of_instrument(InstrumentId(u16::MAX), limits).open_orders_max, u32::MAX, "unknown");
    }

    #[test]
    fn what_contradicts_or_is_not_there_is_refused_with_its_line() {
        let refused = |lines: &str| with(lines).expect_err(lines);
        let over = refused("[risk.strategies.rsi-reversion]\ngross_notional_max = \"250000.01\"");
        assert!(over.contains("must not be above gross_notional_max") && over.contains("x.toml:"), "{over}");
        let side =
            refused("[risk.strategies.rsi-reversion]\nlong_notional_max = \"9\"\ngross_notional_max = \"8\"");
        assert!(side.contains("must not be above strategies.\"rsi-reversion\".gross_notional_max"), "{side}");
        let nobody = refused("[risk.strategies.rsi-reversal]\nopen_orders_max = 1");
        assert!(nobody.contains("is not a strategy; did you mean rsi-reversion?"), "{nobody}");
        let nothing = refused("[risk.instruments.\"binance:usdm:BTCUSD\"]\nopen_orders_max = 1");
        assert!(nothing.contains("is not an instrument"), "{nothing}");
        let key = refused("[risk.strategies.rsi-reversion]\ngross_max = \"1\"");
        assert!(key.contains("gross_notional_max"), "{key}");
    }

    #[test]
    fn a_limit_that_nobody_wrote_is_missing_whatever_one_instrument_has() {
        let text = "[risk.instruments.\"binance:usdm:BTCUSDT\"]\ngross_notional_max = \"7000\"";
        let text = format!(
            "{}\n{text}",
            include_str!("../../../../config/default.toml")
                .split_once("[risk]")
                .map_or("", |(before, _)| before)
        );
        let config = Config::from_text_with_built_in(&text, "x.toml").expect("it can be read");
        assert!(config.risk.limits.unset);
        assert!(config.risk.missing.contains(&"instrument.gross_notional_max".to_owned()));
        assert!(
            !config.risk.missing.iter().any(|name| name.contains("BTCUSDT")),
            "{:?}",
            config.risk.missing
        );
    }
}
