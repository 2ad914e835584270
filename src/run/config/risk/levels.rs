//! Limits of the levels: instrument, strategy, group, account, everything; and which of them lie within which.
//!
//! Exposures, open orders and shares add up from level to level, so a limit of a narrower level that is above the same
//! of a wider one is never met, and is refused. Net exposures do not add up: longs of one instrument may be set against
//! shorts of another, and a portfolio may be held nearer to neutral than each of its instruments. A strategy or a group
//! lies within an account only where there is one account, and an instrument within a group only if it is in one. What
//! one instrument or strategy has of its own is in place of its level's; that of a wider level holds beside it.

use super::limit::{Limit, Reader};
use super::own::Own;
use crate::domain::{InstrumentTable, kill};
use crate::risk::limits::{SCALES, Scale, ScaleLimits};
use crate::run::config::raw::{RawPortfolio, RawRisk, RawScale};

/// Limits of one level, or of one instrument or strategy.
pub(super) struct Level {
    long: Limit,
    short: Limit,
    pub gross: Limit,
    net: Limit,
    leverage: Limit,
    share: Limit,
    pub open_orders: Limit,
}

/// Those of all levels.
pub(super) struct Levels {
    pub instrument: Level,
    pub strategy: Level,
    pub group: Level,
    pub account: Level,
    /// Its gross exposure is the one on everything.
    pub portfolio: Level,
    /// Whether strategies and groups lie within an account: there is one.
    one_account: bool,
    /// Whether each instrument is in a group.
    all_grouped: bool,
}

impl Level {
    pub fn read(raw: &RawScale, name: &str, capital: &Limit, r: &mut Reader<'_, '_>) -> Self {
        let gross = r.amount_if(&raw.gross_notional_max, &format!("{name}.gross_notional_max"), None);
        let share = r.count(&raw.share_pct_max, &format!("{name}.share_pct_max"), 1..=100, None);
        let rest = RawPortfolio {
            long_notional_max: raw.long_notional_max.clone(),
            short_notional_max: raw.short_notional_max.clone(),
            net_notional_max: raw.net_notional_max.clone(),
            leverage_max: raw.leverage_max.clone(),
            open_orders_max: raw.open_orders_max.clone(),
        };
        Self { gross, share, ..Self::sides(&rest, name, capital, r) }
    }

    /// What every level has.
    fn sides(raw: &RawPortfolio, name: &str, capital: &Limit, r: &mut Reader<'_, '_>) -> Self {
        let key = |key: &str| format!("{name}.{key}");
        let long = r.amount_if(&raw.long_notional_max, &key("long_notional_max"), None);
        let short = r.amount_if(&raw.short_notional_max, &key("short_notional_max"), None);
        let net = r.amount_if(&raw.net_notional_max, &key("net_notional_max"), None);
        let leverage = r.decimal(&raw.leverage_max, &key("leverage_max"), 2, 1..=100_000, None);
        if let (Some(at), i64::MAX) = (leverage.written(), capital.value) {
            r.checks.refuse(at, "needs capital, which equity is counted from");
        }
        let open_orders = r.count(&raw.open_orders_max, &key("open_orders_max"), 1..=100_000, None);
        Self { long, short, net, leverage, open_orders, gross: Limit::none(), share: Limit::none() }
    }

    /// Of each limit this one where it was written, otherwise the `level`'s.
    pub fn or(&self, level: &Self) -> Self {
        Self {
            long: self.long.or(&level.long),
            short: self.short.or(&level.short),
            gross: self.gross.or(&level.gross),
            net: self.net.or(&level.net),
            leverage: self.leverage.or(&level.leverage),
            share: self.share.or(&level.share),
            open_orders: self.open_orders.or(&level.open_orders),
        }
    }

    /// As they are compared with.
    pub fn limits(&self) -> ScaleLimits {
        ScaleLimits {
            long_notional_max: self.long.value,
            short_notional_max: self.short.value,
            gross_notional_max: self.gross.value,
            net_notional_max: self.net.value,
            leverage_max: self.leverage.number(),
            share_pct_max: self.share.number(),
            open_orders_max: self.open_orders.number(),
        }
    }

    /// Refuses what is never met, since it is above the level's own gross exposure or above what a level of `wider`, the
    /// nearest first, has.
    pub fn within(&self, wider: &[&Level], r: &mut Reader<'_, '_>) {
        self.within_gross(&self.gross, wider, r);
    }

    /// The same where the gross exposure is limited by `gross`.
    pub fn within_gross(&self, gross: &Limit, wider: &[&Level], r: &mut Reader<'_, '_>) {
        let same = |of: fn(&Level) -> &Limit| wider.iter().map(move |level| (1, of(level)));
        let gross = || std::iter::once((1, gross)).chain(same(|level| &level.gross));
        r.within(&self.long, gross().chain(same(|level| &level.long)));
        r.within(&self.short, gross().chain(same(|level| &level.short)));
        r.within(&self.net, gross());
        r.within(&self.gross, same(|level| &level.gross));
        r.within(&self.leverage, same(|level| &level.leverage));
        r.within(&self.share, same(|level| &level.share));
        r.within(&self.open_orders, same(|level| &level.open_orders));
    }
}

impl Levels {
    /// All of them; `whole` is the limit on everything, `groups` says to which group an instrument belongs.
    pub fn read(
        raw: &RawRisk,
        whole: Limit,
        capital: &Limit,
        table: Option<&InstrumentTable>,
        groups: &[Option<u16>],
        r: &mut Reader<'_, '_>,
    ) -> Self {
        let levels = Self {
            instrument: Level::read(&raw.instrument, "instrument", capital, r),
            strategy: Level::read(&raw.strategy, "strategy", capital, r),
            group: Level::read(&raw.group, "group", capital, r),
            account: Level::read(&raw.account, "account", capital, r),
            portfolio: Level { gross: whole, ..Level::sides(&raw.portfolio, "portfolio", capital, r) },
            one_account: table.is_some_and(|table| kill::venues(table).len() == 1),
            all_grouped: !groups.is_empty() && groups.iter().all(Option::is_some),
        };
        levels.portfolio.within(&[], r);
        levels.account.within(&[&levels.portfolio], r);
        levels.group.within(&levels.around_strategies(), r);
        levels.strategy.within(&levels.around_strategies(), r);
        levels.instrument.within(&levels.around_instruments(levels.all_grouped), r);
        levels
    }

    /// What strategies and groups lie within.
    pub fn around_strategies(&self) -> Vec<&Level> {
        let account = self.one_account.then_some(&self.account);
        account.into_iter().chain([&self.portfolio]).collect()
    }

    /// What an instrument lies within, or each of them.
    pub fn around_instruments(&self, grouped: bool) -> Vec<&Level> {
        let group = grouped.then_some(&self.group);
        group.into_iter().chain([&self.account, &self.portfolio]).collect()
    }

    /// What a strategy's position in one instrument, its orders there, lie within: the widest that an instrument and a
    /// strategy have, since nothing that one of them lets pass is never met.
    pub fn around_positions<'l>(&'l self, own: &'l Own, of: fn(&Level) -> &Limit) -> Vec<&'l Limit> {
        let widest = |level: &'l Level, own: &'l [Option<Level>]| {
            let each = own.iter().map(move |own| of(own.as_ref().unwrap_or(level)));
            each.max_by_key(|limit| limit.value).unwrap_or(of(level))
        };
        let mut all =
            vec![widest(&self.instrument, &own.instruments), widest(&self.strategy, &own.strategies)];
        all.extend(self.around_instruments(self.all_grouped).into_iter().map(of));
        all
    }

    /// As the hot path compares with them: the gross exposure of everything is a rule of its own.
    pub fn limits(&self) -> [ScaleLimits; SCALES] {
        let mut limits = [ScaleLimits::NONE; SCALES];
        limits[Scale::Instrument as usize] = self.instrument.limits();
        limits[Scale::Strategy as usize] = self.strategy.limits();
        limits[Scale::Group as usize] = self.group.limits();
        limits[Scale::Account as usize] = self.account.limits();
        let gross_notional_max = ScaleLimits::NONE.gross_notional_max;
        limits[Scale::Portfolio as usize] = ScaleLimits { gross_notional_max, ..self.portfolio.limits() };
        limits
    }
}
