//! `[risk]`: what no order may exceed, and the losses that stop everything.
//!
//! Invariant: a limit is in force only if it was written: as a value, as `"none"`, or, all that are not, by
//! `unset = "default"`. One that is missing denies every order that does not reduce. One that another keeps from ever being
//! met is refused: whoever wrote it meant something else.

mod levels;
mod limit;
mod own;
mod rates;

use super::check::Checks;
use super::instruments::Instruments;
use super::quotes::MixedQuotes;
use super::raw::{Given, RawLosses, RawRisk};
use crate::domain::InstrumentTable;
use crate::risk::limits::LossLimits;
use crate::risk::{DayBoundary, RiskLimits, RiskSetup};
use crate::venue::binance::filters::OffStep;
use levels::Levels;
use limit::{Limit, Reader};
use own::{Against, Own};
use toml::Spanned;

/// The checked section.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskConfig {
    /// The limits.
    pub limits: RiskLimits,
    /// Groups, restricted instruments, and when a day begins.
    pub setup: RiskSetup,
    /// Names of the groups, by their numbers.
    pub groups: Vec<String>,
    /// Whether capital was written.
    pub capital_given: bool,
    /// Limits that were not written. While there are any, orders are denied.
    pub missing: Vec<String>,
    /// What becomes of an order that is off a step of the venue.
    pub filters: OffStep,
    /// What becomes of instruments of different quote assets.
    pub mixed_quotes: MixedQuotes,
}

/// Milliseconds, as the hot path has them.
const MS: u64 = 1_000_000;
/// The largest window or age: a day.
const DAY_MS: u32 = 86_400_000;

impl RiskConfig {
    pub(super) fn check(
        raw: &RawRisk,
        instruments: &Instruments,
        strategies: &[&str],
        checks: &mut Checks<'_>,
    ) -> Self {
        let filters = checks.choice(&raw.filters, &OffStep::LABELS, OffStep::Round);
        let mixed_quotes = checks.choice(&raw.mixed_quotes, &MixedQuotes::LABELS, MixedQuotes::Refuse);
        let defaults = checks.choice(&raw.unset, &[("deny", false), ("default", true)], false);
        let (mut setup, groups) = set_up(raw, instruments, checks);
        let table = instruments.table.as_ref();
        let mut reader = Reader { checks, defaults, missing: Vec::new() };
        let (limits, own) = limits(raw, table, &setup.groups, strategies, &mut reader);
        let missing = reader.missing;
        setup.own_limits = own.limits();
        let capital_given = raw.capital.is_some();
        Self { limits, setup, groups, capital_given, missing, filters, mixed_quotes }
    }
}

/// The limits, and those that single instruments and strategies have of their own.
fn limits(
    raw: &RawRisk,
    table: Option<&InstrumentTable>,
    groups: &[Option<u16>],
    strategies: &[&str],
    r: &mut Reader<'_, '_>,
) -> (RiskLimits, Own) {
    let capital = r.amount(&raw.capital, "capital", 1_000_000);
    let order = r.amount(&raw.order_notional_max, "order_notional_max", 50_000);
    let order_qty = r.amount_if(&raw.order_qty_max, "order_qty_max", None);
    let position = r.amount(&raw.position_notional_max, "position_notional_max", 100_000);
    let gross = r.amount(&raw.gross_notional_max, "gross_notional_max", 250_000);
    let open_orders = r.count(&raw.open_orders_max, "open_orders_max", 1..=1_000, Some(32));
    let per_second = r.count(&raw.orders_per_second_max, "orders_per_second_max", 1..=100_000, Some(50));
    let collar = r.count(&raw.price_collar_bps, "price_collar_bps", 1..=10_000, Some(500));
    let mark_collar = r.count(&raw.mark_collar_bps, "mark_collar_bps", 1..=10_000, Some(1_000));
    let fat_finger = r.count(&raw.fat_finger_multiple, "fat_finger_multiple", 2..=10_000, Some(20));
    let book_age = r.count(&raw.book_age_ms_max, "book_age_ms_max", 1..=DAY_MS, Some(60_000));
    let clock_lag = r.count(&raw.clock_lag_ms_max, "clock_lag_ms_max", 1..=DAY_MS, None);
    let duplicate = r.count(&raw.duplicate_window_ms, "duplicate_window_ms", 1..=60_000, None);
    let quote_free = r.amount_if(&raw.quote_free_min, "quote_free_min", None);
    let share_from = r.amount(&raw.share_from, "share_from", 10_000);
    let order_to_trade = r.count(&raw.order_to_trade_max, "order_to_trade_max", 1..=100_000, None);
    let same_way = r.count(&raw.same_way_max, "same_way_max", 1..=100_000, None);
    let levels = Levels::read(raw, gross, &capital, table, groups, r);
    let against = Against { levels: &levels, capital: &capital, table, groups, strategies };
    let own = Own::read(raw, &against, r.checks);
    let around = levels.around_positions(&own, |level| &level.gross);
    // What is held may be turned around by one order.
    r.within(&order, std::iter::once((2, &position)).chain(around.iter().map(|gross| (2, *gross))));
    r.within(&position, around.iter().map(|gross| (1, *gross)));
    let around = levels.around_positions(&own, |level| &level.open_orders);
    r.within(&open_orders, around.into_iter().map(|most| (1, most)));
    let orders_per_second_max = per_second.number();
    let [rates, strategy_rates] = rates::rates(raw, per_second, r);
    let losses = losses(&raw.losses, r);
    let millis = |limit: &Limit| match limit.value {
        i64::MAX => u64::MAX,
        ms => ms as u64 * MS,
    };
    let limits = RiskLimits {
        unset: !r.missing.is_empty(),
        capital: if capital.value == i64::MAX { 0 } else { capital.value },
        order_notional_max: order.value,
        order_qty_max: order_qty.value,
        position_notional_max: position.value,
        gross_notional_max: levels.portfolio.gross.value,
        open_orders_max: open_orders.number(),
        orders_per_second_max,
        price_collar_bps: collar.number(),
        mark_collar_bps: mark_collar.number(),
        fat_finger_multiple: fat_finger.number(),
        book_age_max_ns: millis(&book_age),
        clock_lag_max_ns: millis(&clock_lag),
        duplicate_window_ns: if duplicate.value == i64::MAX { 0 } else { millis(&duplicate) },
        quote_free_min: if quote_free.value == i64::MAX { i64::MIN } else { quote_free.value },
        scales: levels.limits(),
        share_from: if share_from.value == i64::MAX { 0 } else { share_from.value },
        rates,
        strategy_rates,
        order_to_trade_max: order_to_trade.number(),
        order_to_trade_from: r.checks.integer(&raw.order_to_trade_from, 0..=1_000_000, 100),
        same_way_max: same_way.number(),
        same_way_window_ns: u64::from(r.checks.integer(&raw.same_way_window_ms, 1..=DAY_MS, 60_000)) * MS,
        losses,
    };
    (limits, own)
}

fn losses(raw: &RawLosses, r: &mut Reader<'_, '_>) -> LossLimits {
    let daily = r.amount(&raw.daily_max, "losses.daily_max", 25_000);
    let strategy_daily = r.amount(&raw.strategy_daily_max, "losses.strategy_daily_max", 10_000);
    let drawdown = r.amount(&raw.drawdown_max, "losses.drawdown_max", 50_000);
    let strategy_drawdown = r.amount(&raw.strategy_drawdown_max, "losses.strategy_drawdown_max", 20_000);
    let consecutive = r.count(&raw.consecutive_max, "losses.consecutive_max", 1..=10_000, None);
    let velocity = r.amount(&raw.velocity_max, "losses.velocity_max", 10_000);
    // What was lost in a day, or in a short time, is below the peak by at least as much.
    r.within(&strategy_daily, [(1, &daily), (1, &strategy_drawdown), (1, &drawdown)]);
    r.within(&strategy_drawdown, [(1, &drawdown)]);
    r.within(&daily, [(1, &drawdown)]);
    r.within(&velocity, [(1, &drawdown)]);
    let window_s = r.checks.integer(&raw.velocity_window_s, 1u32..=86_400, 60);
    LossLimits {
        daily_max: daily.value,
        strategy_daily_max: strategy_daily.value,
        drawdown_max: drawdown.value,
        strategy_drawdown_max: strategy_drawdown.value,
        consecutive_max: consecutive.number(),
        velocity_max: velocity.value,
        velocity_window_ns: u64::from(window_s) * 1_000_000_000,
        flatten: raw.flatten.unwrap_or(false),
    }
}

fn set_up(raw: &RawRisk, instruments: &Instruments, checks: &mut Checks<'_>) -> (RiskSetup, Vec<String>) {
    let day = day(&raw.losses, checks);
    let Some(table) = &instruments.table else {
        return (RiskSetup { day, ..RiskSetup::default() }, Vec::new());
    };
    let mut restricted = vec![false; table.len()];
    for name in raw.restricted.iter().flat_map(|list| list.get_ref()) {
        if let Some(index) = known(name, table, checks) {
            restricted[index] = true;
        }
    }
    let mut groups = vec![None; table.len()];
    for (number, list) in (0u16..).zip(raw.groups.values()) {
        for name in list.get_ref() {
            let Some(index) = known(name, table, checks) else { continue };
            if groups[index].is_some() {
                checks.refuse(&name.span(), "is in a group already; an instrument belongs to one at most");
            }
            groups[index] = Some(number);
        }
    }
    let setup = RiskSetup { groups, restricted, day, ..RiskSetup::default() };
    (setup, raw.groups.keys().cloned().collect())
}

/// The place of an instrument in the table.
fn known(name: &Spanned<String>, table: &InstrumentTable, checks: &mut Checks<'_>) -> Option<usize> {
    let found = table.by_name(name.get_ref()).map(|i| i.id.index());
    if found.is_none() {
        checks.refuse(&name.span(), "must be a configured instrument, such as \"binance:usdm:BTCUSDT\"");
    }
    found
}

fn day(raw: &RawLosses, checks: &mut Checks<'_>) -> DayBoundary {
    let text = |given: &Given<String>, default: &str| {
        given.as_ref().map_or(default.to_owned(), |given| given.get_ref().clone())
    };
    let (starts, zone) = (text(&raw.day_starts, "00:00"), text(&raw.zone, "UTC"));
    if let Some(given) = &raw.day_starts
        && DayBoundary::new(&starts, "UTC").is_none()
    {
        checks.refuse(&given.span(), "must be a time of the day, \"00:00\" to \"23:59\"");
        return DayBoundary::default();
    }
    match (DayBoundary::new(&starts, &zone), &raw.zone) {
        (Some(day), _) => day,
        (None, Some(given)) => {
            checks.refuse(&given.span(), "must be UTC or a time zone, such as \"America/New_York\"");
            DayBoundary::default()
        }
        (None, None) => DayBoundary::default(),
    }
}
