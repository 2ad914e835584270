//! `[risk.instruments."VENUE:MARKET:SYMBOL"]` and `[risk.strategies.LABEL]`: limits of one instrument or strategy.
//!
//! Each is in place of the same of its level, `[risk.instrument]` or `[risk.strategy]`, wider or tighter, and `"none"` is
//! no limit; what is not written is as there. Limits of wider levels, of the group, the account and everything, hold
//! beside them, and one that is above such a limit is refused. A limit that is missing at the level still denies.

use super::levels::{Level, Levels};
use super::limit::{Limit, Reader};
use crate::domain::InstrumentTable;
use crate::domain::params::not_known;
use crate::risk::limits::OwnLimits;
use crate::run::config::check::Checks;
use crate::run::config::raw::{RawRisk, RawScale};
use std::collections::BTreeMap;
use toml::Spanned;

/// What they are checked against.
pub(super) struct Against<'a> {
    pub levels: &'a Levels,
    pub capital: &'a Limit,
    pub table: Option<&'a InstrumentTable>,
    /// To which group an instrument belongs.
    pub groups: &'a [Option<u16>],
    pub strategies: &'a [&'a str],
}

/// What holds of single instruments and strategies at their level: their own limits, and the level's where they have none.
#[derive(Default)]
pub(super) struct Own {
    pub instruments: Vec<Option<Level>>,
    pub strategies: Vec<Option<Level>>,
}

impl Own {
    pub fn read(raw: &RawRisk, against: &Against<'_>, checks: &mut Checks<'_>) -> Self {
        let &Against { levels, capital, table, groups, strategies } = against;
        let mut own = Self::default();
        if let Some(table) = table {
            let names: Vec<String> = table.all().iter().map(|instrument| instrument.name()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let what = What { section: "instruments", one: "an instrument", names: &names, capital };
            let around = |at: usize| levels.around_instruments(groups.get(at).is_some_and(Option::is_some));
            own.instruments = read(&raw.instruments, &what, &levels.instrument, around, checks);
        }
        let what = What { section: "strategies", one: "a strategy", names: strategies, capital };
        let around = |_| levels.around_strategies();
        own.strategies = read(&raw.strategies, &what, &levels.strategy, around, checks);
        own
    }

    /// As they are compared with.
    pub fn limits(&self) -> OwnLimits {
        let limits = |all: &[Option<Level>]| all.iter().map(|own| own.as_ref().map(Level::limits)).collect();
        OwnLimits { instruments: limits(&self.instruments), strategies: limits(&self.strategies) }
    }
}

/// What has limits of its own.
struct What<'a> {
    section: &'a str,
    one: &'a str,
    names: &'a [&'a str],
    capital: &'a Limit,
}

/// Those of one section. `around` says within what one lies, by its place among the names.
fn read<'l>(
    raw: &BTreeMap<String, Spanned<RawScale>>,
    what: &What<'_>,
    level: &'l Level,
    around: impl Fn(usize) -> Vec<&'l Level>,
    checks: &mut Checks<'_>,
) -> Vec<Option<Level>> {
    if raw.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<Option<Level>> = what.names.iter().map(|_| None).collect();
    for (name, given) in raw {
        let Some(at) = what.names.iter().position(|known| known == name) else {
            checks.refuse(&given.span(), not_known(what.one, name, what.names));
            continue;
        };
        // Limits that are missing are missed at the level.
        let mut reader = Reader { checks, defaults: true, missing: Vec::new() };
        let name = format!("{}.{name:?}", what.section);
        let own = Level::read(given.get_ref(), &name, what.capital, &mut reader);
        let merged = own.or(level);
        own.within_gross(&merged.gross, &around(at), &mut reader);
        all[at] = Some(merged);
    }
    all
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
                .split_once("\n[risk]\n")
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
