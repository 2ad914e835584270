//! What is used of each limit of a run, reckoned from a snapshot of what risk knows.
//!
//! Owns: the names by which distances to limits are told, and which limits have one. A limit on a sum, a count or a state
//! has a distance: so far it can still go. A limit on one order ([`PER_ORDER`]) has none, since between two orders nothing
//! of it is used: what an order came to is told with it. Amounts are as the limits count them: of every quote asset alike.

use super::config::{Config, QUOTE_DECIMALS};
use crate::domain::{Instrument, InstrumentId, InstrumentTable, StrategyId};
use crate::risk::limits::{OwnLimits, RateLimits, SCALES, Scale, ScaleLimits};
use crate::risk::metrics::LimitUse;
use crate::risk::snapshot::RiskSnapshot;
use crate::risk::{Counted, RiskLimits, Sum};

/// Limits that bind each order by itself.
pub const PER_ORDER: [&str; 6] = [
    "order_notional_max",
    "order_qty_max",
    "price_collar_bps",
    "mark_collar_bps",
    "fat_finger_multiple",
    "duplicate_window_ms",
];

const MS: f64 = 1e6;

/// An amount in units of 10^-8.
pub(super) fn amount(units: i128) -> f64 {
    units as f64 / 10f64.powi(QUOTE_DECIMALS.into())
}

/// The limits of a run, with the names of what they are of.
#[derive(Debug)]
pub(super) struct LimitTable {
    pub names: Vec<String>,
    strategies: Vec<String>,
    groups: Vec<String>,
    accounts: Vec<String>,
    /// Wallets that quote assets are in, with the first instrument that is paid out of each.
    wallets: Vec<(String, usize)>,
    pub limits: RiskLimits,
    own: OwnLimits,
}

impl LimitTable {
    pub fn new(config: &Config) -> Self {
        let table: &InstrumentTable = &config.instruments;
        let mut wallets: Vec<(String, usize)> = Vec::new();
        for (at, of) in table.all().iter().enumerate() {
            let name = format!("{} in {}:{}", of.quote, of.venue, of.market);
            if !wallets.iter().any(|(known, _)| *known == name) {
                wallets.push((name, at));
            }
        }
        Self {
            names: table.all().iter().map(Instrument::name).collect(),
            strategies: config.strategies.iter().map(|s| s.label.clone()).collect(),
            groups: config.risk.groups.clone(),
            accounts: crate::domain::kill::venues(table),
            wallets,
            limits: config.risk.limits,
            own: config.risk.setup.own_limits.clone(),
        }
    }

    /// What is used of each limit that is set, and of how many nothing is.
    pub fn uses(&self, snapshot: &RiskSnapshot) -> (Vec<LimitUse>, usize) {
        let limits = &self.limits;
        let equity = amount(i128::from(limits.capital).saturating_add(snapshot.whole.profit));
        let (whole, share_from) = (snapshot.portfolio.gross, i128::from(limits.share_from));
        let mut uses = Uses { equity, whole, share_from, ..Uses::default() };
        uses.money(snapshot.portfolio.gross, limits.gross_notional_max, || "gross_notional_max".to_owned());
        self.levels(snapshot, &mut uses);
        self.cells(snapshot, &mut uses);
        self.market(snapshot, &mut uses);
        self.losses(snapshot, &mut uses);
        self.rates(snapshot, &mut uses);
        (uses.used, uses.unused)
    }

    fn levels(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let (limits, scales) = (&self.limits, &self.limits.scales);
        let levels: [(Scale, &str, &[String], &[Sum]); SCALES - 1] = [
            (Scale::Instrument, "instrument", &self.names, &snapshot.by_instrument),
            (Scale::Strategy, "strategy", &self.strategies, &snapshot.by_strategy),
            (Scale::Group, "group", &self.groups, &snapshot.by_group),
            (Scale::Account, "account", &self.accounts, &snapshot.by_account),
        ];
        for (scale, kind, names, sums) in levels {
            for (at, (name, sum)) in names.iter().zip(sums).enumerate() {
                let limits = match (scale, u16::try_from(at), u8::try_from(at)) {
                    (Scale::Instrument, Ok(id), _) => self.own.of_instrument(InstrumentId(id), limits),
                    (Scale::Strategy, _, Ok(id)) => self.own.of_strategy(StrategyId(id), limits),
                    _ => &scales[scale as usize],
                };
                uses.of_scale(&|limit| format!("{limit} of {kind} {name}"), sum, limits);
            }
        }
        let whole = &scales[Scale::Portfolio as usize];
        uses.of_scale(&|limit| format!("{limit} of everything"), &snapshot.portfolio, whole);
    }

    /// What each strategy has in each instrument.
    fn cells(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let (limits, instruments) = (&self.limits, self.names.len().max(1));
        for (at, gross) in snapshot.cells.iter().enumerate() {
            let (strategy, name) = (self.strategies.get(at / instruments), self.names.get(at % instruments));
            let (Some(strategy), Some(name)) = (strategy, name) else { continue };
            let named = |limit: &str| format!("{limit} of {strategy} in {name}");
            uses.money(*gross, limits.position_notional_max, || named("position_notional_max"));
            let count = |counts: &[u32]| counts.get(at).copied().unwrap_or(0).into();
            uses.count(count(&snapshot.cell_orders), limits.open_orders_max, || named("open_orders_max"));
            uses.count(count(&snapshot.same_way), limits.same_way_max, || named("same_way_max"));
        }
    }

    /// What was heard of the market and the venue's clock, and what has to stay in the wallets.
    fn market(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let limits = &self.limits;
        if limits.book_age_max_ns != u64::MAX {
            for (name, silent) in self.names.iter().zip(&snapshot.silent_ns) {
                let Some(silent) = silent else { continue };
                let limit = limits.book_age_max_ns as f64 / MS;
                uses.take(*silent as f64 / MS, limit, || format!("book_age_ms_max of instrument {name}"));
            }
        }
        if limits.clock_lag_max_ns != u64::MAX {
            let limit = limits.clock_lag_max_ns as f64 / MS;
            uses.take(snapshot.clock_lag_ns as f64 / MS, limit, || "clock_lag_ms_max".to_owned());
        }
        if limits.quote_free_min != i64::MIN {
            for (name, at) in &self.wallets {
                let Some(free) = snapshot.quote_free.get(*at).copied().flatten() else { continue };
                // The other way round: of what is free so much has to stay, and the rest is the distance.
                let min = amount(limits.quote_free_min.into());
                uses.take(min, amount(free), || format!("quote_free_min of {name}, of what is free"));
            }
        }
    }

    fn losses(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let (losses, whole) = (&self.limits.losses, &snapshot.whole);
        let of = |limit: &str| format!("losses.{limit}");
        uses.money(whole.day_start - whole.profit, losses.daily_max, || of("daily_max"));
        uses.money(whole.peak - whole.profit, losses.drawdown_max, || of("drawdown_max"));
        uses.money(whole.fell, losses.velocity_max, || of("velocity_max"));
        for (name, track) in self.strategies.iter().zip(&snapshot.strategies) {
            let of = |limit: &str| format!("losses.{limit} of strategy {name}");
            let (day, fell) = (track.day_start - track.profit, track.peak - track.profit);
            uses.money(day, losses.strategy_daily_max, || of("strategy_daily_max"));
            uses.money(fell, losses.strategy_drawdown_max, || of("strategy_drawdown_max"));
            let in_a_row = track.losses_in_a_row.into();
            uses.count(in_a_row, losses.consecutive_max, || of("consecutive_max"));
        }
    }

    fn rates(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let limits = &self.limits;
        let mut of = |sent: &Counted, rates: &RateLimits, whose: &str| {
            let kinds = [
                ("orders", sent.orders, rates.orders),
                ("cancels", sent.cancels, rates.cancels),
                ("messages", sent.messages(), rates.messages),
            ];
            for (kind, pulse, pace) in kinds {
                let named = |time: &str| format!("{kind}_per_{time}_max of {whose}");
                uses.count(pulse.second.into(), pace.second, || named("second"));
                uses.count(pulse.minute.into(), pace.minute, || named("minute"));
                uses.count(pulse.day.into(), pace.day, || named("day"));
            }
        };
        of(&snapshot.sent_all, &limits.rates, "everything");
        for (name, sent) in self.strategies.iter().zip(&snapshot.sent) {
            let mut rates = limits.strategy_rates;
            rates.orders.second = limits.orders_per_second_max;
            of(sent, &rates, &format!("strategy {name}"));
        }
        if limits.order_to_trade_max == u32::MAX {
            return;
        }
        for ((name, sent), trades) in self.strategies.iter().zip(&snapshot.sent).zip(&snapshot.trades_today) {
            // Until so many orders it is not judged, and nothing of it is used.
            let judged = sent.orders.day > limits.order_to_trade_from;
            let orders = if judged { f64::from(sent.orders.day) } else { 0.0 };
            let room = f64::from(limits.order_to_trade_max) * f64::from((*trades).max(1));
            uses.take(orders, room, || format!("order_to_trade_max of strategy {name}"));
        }
    }
}

/// What was found of limits.
#[derive(Default)]
struct Uses {
    equity: f64,
    /// Gross exposure of everything, and of a level up to which its share is not judged.
    whole: i128,
    share_from: i128,
    used: Vec<LimitUse>,
    unused: usize,
}

impl Uses {
    /// The name is made of what is used alone: most are not.
    fn take(&mut self, used: f64, limit: f64, name: impl FnOnce() -> String) {
        if used > 0.0 {
            self.used.push(LimitUse { name: name(), used, limit });
        } else {
            self.unused += 1;
        }
    }

    /// A limit that is "none" is as high as a number goes, and has no distance to it.
    fn money(&mut self, used: i128, limit: i64, name: impl FnOnce() -> String) {
        if limit != i64::MAX {
            self.take(amount(used), amount(limit.into()), name);
        }
    }

    fn count(&mut self, used: u64, limit: u32, name: impl FnOnce() -> String) {
        if limit != u32::MAX {
            self.take(used as f64, limit.into(), name);
        }
    }

    fn of_scale(&mut self, named: &dyn Fn(&str) -> String, sum: &Sum, limits: &ScaleLimits) {
        self.money(sum.long, limits.long_notional_max, || named("long_notional_max"));
        self.money(sum.short, limits.short_notional_max, || named("short_notional_max"));
        self.money(sum.gross, limits.gross_notional_max, || named("gross_notional_max"));
        self.money(sum.up.max(-sum.down), limits.net_notional_max, || named("net_notional_max"));
        self.count(sum.orders.into(), limits.open_orders_max, || named("open_orders_max"));
        if limits.leverage_max != u32::MAX {
            // Without equity no leverage would do.
            let used = match amount(sum.gross) {
                gross if gross > 0.0 && self.equity <= 0.0 => f64::INFINITY,
                gross if gross > 0.0 => gross / self.equity,
                _ => 0.0,
            };
            self.take(used, f64::from(limits.leverage_max) / 100.0, || named("leverage_max"));
        }
        if limits.share_pct_max != u32::MAX {
            let judged = sum.gross > self.share_from && self.whole > 0;
            let share = if judged { 100.0 * amount(sum.gross) / amount(self.whole) } else { 0.0 };
            self.take(share, limits.share_pct_max.into(), || named("share_pct_max"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Pauses, Price, Time};
    use crate::risk::snapshot::LossTrack;
    use crate::risk::{Pulse, TurnedAway};

    const QUOTE: i128 = 100_000_000;

    /// The default configuration without its limits.
    fn without_limits() -> String {
        let text = include_str!("../../config/default.toml");
        let (before, after) = text.split_once("\n[risk]\n").expect("it has limits");
        let strategies = after.find("\n[[strategy]]").expect("it has strategies");
        format!("{before}{}", &after[strategies..])
    }

    /// Every limit that can be set: those that are missed where nobody writes any.
    fn every_limit() -> Vec<String> {
        let config = Config::from_text_with_built_in(&without_limits(), "x.toml").expect("it can be read");
        let missing = config.risk.missing;
        assert!(missing.len() > 60, "{missing:?}");
        missing
    }

    /// A configuration in which every one of them is a hundred, shares are judged above 25, and one group has every
    /// instrument.
    pub fn all_set() -> Config {
        let is_decimal = |name: &str| {
            let ends = ["notional_max", "capital", "qty_max", "free_min", "share_from", "leverage_max"];
            let losses = ["daily_max", "drawdown_max", "velocity_max"];
            ends.iter().chain(&losses).any(|end| name.ends_with(end))
        };
        let mut sections: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        let limits = every_limit();
        for limit in &limits {
            let (section, key) = limit.rsplit_once('.').unwrap_or(("", limit));
            let value = match key {
                "share_from" => "\"25\"",
                key if is_decimal(key) => "\"100\"",
                _ => "100",
            };
            *sections.entry(section).or_default() += &format!("{key} = {value}\n");
        }
        let instruments = Config::embedded_default().instruments;
        let names: Vec<String> = instruments.all().iter().map(|i| format!("{:?}", i.name())).collect();
        let mut text = format!("{}\n[risk]\n{}", without_limits(), sections.remove("").expect("some"));
        text += &format!("[risk.groups]\nall = [{}]\n", names.join(", "));
        for (section, keys) in &sections {
            text += &format!("[risk.{section}]\n{keys}");
        }
        let config = Config::from_text_with_built_in(&text, "x.toml").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(config.risk.missing, [""; 0]);
        config
    }

    /// A snapshot of so many instruments in which something is used of everything.
    pub fn all_used(instruments: usize, strategies: usize) -> RiskSnapshot {
        let quarter = 25 * QUOTE;
        let sum = Sum { long: quarter, short: quarter, gross: 2 * quarter, up: quarter, down: 0, orders: 25 };
        let pulse = Pulse { second: 10, minute: 20, day: 30 };
        let counted = Counted { orders: Pulse { day: 150, ..pulse }, cancels: pulse };
        let track = LossTrack {
            profit: -5 * QUOTE,
            day_start: 0,
            peak: 5 * QUOTE,
            fell: 5 * QUOTE,
            losses_in_a_row: 3,
        };
        let cells = instruments * strategies;
        RiskSnapshot {
            awaits_prices: false,
            time: Time(1_000_000_000),
            day_ends: Time(0),
            whole: track,
            strategies: vec![track; strategies],
            marks: vec![Price(100); instruments],
            values: vec![QUOTE; instruments],
            lots_held: vec![true; instruments],
            cells: vec![quarter; cells],
            cell_orders: vec![7; cells],
            same_way: vec![2; cells],
            silent_ns: vec![Some(40_000_000); instruments],
            clock_lag_ns: 30_000_000,
            quote_free: vec![Some(400 * QUOTE); instruments],
            by_instrument: vec![sum; instruments],
            by_strategy: vec![sum; strategies],
            by_group: vec![sum; 1],
            by_account: vec![sum; 2],
            portfolio: Sum { gross: 4 * quarter, ..sum },
            sent: vec![counted; strategies],
            sent_all: counted,
            trades_today: vec![3; strategies],
            turned_away: vec![TurnedAway::default(); strategies],
            pauses: Pauses::default(),
        }
    }

    /// How what is used of a limit is named.
    fn told_as(limit: &str) -> String {
        let Some((section, key)) = limit.rsplit_once('.') else { return limit.to_owned() };
        match section {
            "portfolio" | "rates" => format!("{key} of everything"),
            "strategy_rates" => format!("{key} of strategy "),
            "losses" => limit.to_owned(),
            level => format!("{key} of {level} "),
        }
    }

    #[test]
    fn every_limit_that_is_set_has_a_distance_but_those_of_one_order() {
        let config = all_set();
        let table = LimitTable::new(&config);
        let (used, unused) = table.uses(&all_used(config.instruments.len(), config.strategies.len()));
        assert_eq!(unused, 0);
        // What is no limit by itself: what others are counted from.
        let no_limits = ["capital", "share_from"];
        let limits = every_limit();
        for limit in limits.iter().map(String::as_str) {
            let told = used.iter().any(|of| of.name.starts_with(&told_as(limit)));
            let has_none = PER_ORDER.contains(&limit) || no_limits.contains(&limit);
            assert_eq!(told, !has_none, "{limit}");
        }
        for limit in PER_ORDER {
            assert!(limits.iter().any(|known| known == limit), "{limit} is a limit");
        }
        // Nothing is told that is not of a limit.
        for of in &used {
            assert!(limits.iter().any(|limit| of.name.starts_with(&told_as(limit))), "{}", of.name);
        }
    }

    #[test]
    fn what_is_used_is_what_the_rules_compare() {
        let config = all_set();
        let (used, _) =
            LimitTable::new(&config).uses(&all_used(config.instruments.len(), config.strategies.len()));
        let of = |name: &str| {
            let found = used.iter().find(|of| of.name == name).unwrap_or_else(|| panic!("no {name}"));
            (found.used, found.limit)
        };
        let instrument = config.instruments.all()[0].name();
        let strategy = &config.strategies[0].label;
        assert_eq!(of(&format!("share_pct_max of instrument {instrument}")), (50.0, 100.0));
        // A gross exposure of 50, of which the capital of 100 is less 5.
        assert_eq!(of(&format!("leverage_max of instrument {instrument}")), (50.0 / 95.0, 100.0));
        assert_eq!(of(&format!("open_orders_max of {strategy} in {instrument}")), (7.0, 100.0));
        assert_eq!(of(&format!("same_way_max of {strategy} in {instrument}")), (2.0, 100.0));
        assert_eq!(of(&format!("book_age_ms_max of instrument {instrument}")), (40.0, 100.0));
        assert_eq!(of("clock_lag_ms_max"), (30.0, 100.0));
        // A hundred orders for each of three trades.
        assert_eq!(of(&format!("order_to_trade_max of strategy {strategy}")), (150.0, 300.0));
        assert_eq!(of(&format!("messages_per_day_max of strategy {strategy}")), (180.0, 100.0));
        assert_eq!(of("losses.velocity_max"), (5.0, 100.0));
        assert_eq!(of(&format!("losses.consecutive_max of strategy {strategy}")), (3.0, 100.0));
        // Of four hundred that are free a hundred have to stay.
        let free = used.iter().find(|of| of.name.starts_with("quote_free_min of USDT in binance:spot"));
        assert_eq!(free.map(|of| (of.used, of.limit)), Some((100.0, 400.0)));
    }

    #[test]
    fn what_is_not_judged_is_not_used_and_what_nothing_would_do_for_is_over() {
        let config = all_set();
        let mut table = LimitTable::new(&config);
        let mut of = all_used(config.instruments.len(), config.strategies.len());
        of.whole.profit = -100 * QUOTE;
        of.quote_free.fill(None);
        of.silent_ns.fill(None);
        table.limits.share_from = i64::MAX;
        table.limits.order_to_trade_from = 150;
        let (used, unused) = table.uses(&of);
        let named = |start: &str| used.iter().filter(|of| of.name.starts_with(start)).collect::<Vec<_>>();
        assert!(named("share_pct_max").is_empty() && named("order_to_trade_max").is_empty() && unused > 0);
        assert!(named("quote_free_min").is_empty() && named("book_age_ms_max").is_empty());
        let leverage = named("leverage_max");
        assert!(
            !leverage.is_empty() && leverage.iter().all(|of| of.used == f64::INFINITY),
            "no equity is left"
        );
    }
}
