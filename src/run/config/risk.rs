//! `[risk]`: what no order may exceed, and the losses that stop everything.
//!
//! Invariant: a limit is in force only if it was written: as a value, as `"none"`, or, all that are not, by
//! `unset = "default"`. One that is missing denies every order that does not reduce.

mod own;

use super::check::Checks;
use super::instruments::Instruments;
use super::raw::{Given, RawLosses, RawPortfolio, RawRates, RawRisk, RawScale, RawStrategyRates};
use super::sections::{QUOTE, QUOTE_DECIMALS, QUOTE_MAX};
use crate::domain::InstrumentTable;
use crate::risk::limits::{LossLimits, Pace, RateLimits, SCALES, Scale, ScaleLimits};
use crate::risk::{DayBoundary, RiskLimits, RiskSetup};
use crate::venue::binance::filters::OffStep;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// How a limit is turned off.
const NONE: &str = "none";
/// Said behind what a limit must be.
const OR_NONE: &str = ", or \"none\"";

/// The checked section.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskConfig {
    /// The limits.
    pub limits: RiskLimits,
    /// Groups, restricted instruments, and when a day begins.
    pub setup: RiskSetup,
    /// Names of the groups, by their numbers.
    pub groups: Vec<String>,
    /// Limits that were not written. While there are any, orders are denied.
    pub missing: Vec<String>,
    /// What becomes of an order that is off a step of the venue.
    pub filters: OffStep,
}

/// A limit as it is, and where it was written with a value of its own.
struct Limit {
    value: i64,
    written: Option<Range<usize>>,
    name: String,
}

/// Reads limits, and keeps those that are missing.
struct Reader<'c, 'd> {
    checks: &'c mut Checks<'d>,
    /// Whether a limit that is not written has its default.
    defaults: bool,
    missing: Vec<String>,
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
        let defaults = checks.choice(&raw.unset, &[("deny", false), ("default", true)], false);
        let (mut setup, groups) = set_up(raw, instruments, checks);
        let mut reader = Reader { checks, defaults, missing: Vec::new() };
        let (limits, [whole, capital]) = limits(raw, &mut reader);
        let missing = reader.missing;
        let table = instruments.table.as_ref();
        let against = own::Against { limits: &limits, whole: &whole, capital: &capital, table, strategies };
        setup.own_limits = own::own_limits(raw, &against, checks);
        Self { limits, setup, groups, missing, filters }
    }
}

/// The limits, and of them the one on everything together and the capital, which others are checked against.
fn limits(raw: &RawRisk, r: &mut Reader<'_, '_>) -> (RiskLimits, [Limit; 2]) {
    let capital = r.amount(&raw.capital, "capital", 1_000_000);
    let order = r.amount(&raw.order_notional_max, "order_notional_max", 50_000);
    let order_qty = r.amount_if(&raw.order_qty_max, "order_qty_max", None);
    let position = r.amount(&raw.position_notional_max, "position_notional_max", 100_000);
    let gross = r.amount(&raw.gross_notional_max, "gross_notional_max", 250_000);
    r.within(&order, 2, &position);
    r.within(&position, 1, &gross);
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
    let scales = scales(raw, &gross, &capital, r);
    let rates = rates(&raw.rates, r);
    let strategy_rates = strategy_rates(&raw.strategy_rates, &per_second, r);
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
        gross_notional_max: gross.value,
        open_orders_max: open_orders.number(),
        orders_per_second_max: per_second.number(),
        price_collar_bps: collar.number(),
        mark_collar_bps: mark_collar.number(),
        fat_finger_multiple: fat_finger.number(),
        book_age_max_ns: millis(&book_age),
        clock_lag_max_ns: millis(&clock_lag),
        duplicate_window_ns: if duplicate.value == i64::MAX { 0 } else { millis(&duplicate) },
        quote_free_min: if quote_free.value == i64::MAX { i64::MIN } else { quote_free.value },
        scales,
        share_from: if share_from.value == i64::MAX { 0 } else { share_from.value },
        rates,
        strategy_rates,
        order_to_trade_max: order_to_trade.number(),
        order_to_trade_from: r.checks.integer(&raw.order_to_trade_from, 0..=1_000_000, 100),
        same_way_max: same_way.number(),
        same_way_window_ns: u64::from(r.checks.integer(&raw.same_way_window_ms, 1..=DAY_MS, 60_000)) * MS,
        losses,
    };
    (limits, [gross, capital])
}

impl Limit {
    /// As a count, the largest of which is no limit.
    fn number(&self) -> u32 {
        u32::try_from(self.value).unwrap_or(u32::MAX)
    }

    fn is_finite(&self) -> bool {
        self.written.is_some()
    }
}

impl Reader<'_, '_> {
    /// An amount of the quote asset; the default is in whole ones.
    fn amount(&mut self, given: &Given<String>, name: &str, default: i64) -> Limit {
        self.amount_if(given, name, Some(default))
    }

    fn amount_if(&mut self, given: &Given<String>, name: &str, default: Option<i64>) -> Limit {
        self.decimal(given, name, QUOTE_DECIMALS, 1..=QUOTE_MAX, default.map(|whole| whole * QUOTE))
    }

    fn decimal(
        &mut self,
        given: &Given<String>,
        name: &str,
        decimals: u8,
        range: RangeInclusive<i64>,
        default: Option<i64>,
    ) -> Limit {
        let (value, written) = match given {
            None => (self.unwritten(name, default), None),
            Some(given) if given.get_ref() == NONE => (i64::MAX, None),
            Some(given) => match self.checks.decimal(given, decimals, range) {
                Some(value) => (value, Some(given.span())),
                None => {
                    self.or_none();
                    (i64::MAX, None)
                }
            },
        };
        Limit { value, written, name: name.to_owned() }
    }

    /// A number that can be turned off.
    fn count(
        &mut self,
        given: &Given<toml::Value>,
        name: &str,
        range: RangeInclusive<u32>,
        default: Option<u32>,
    ) -> Limit {
        let name = name.to_owned();
        let Some(given) = given else {
            let value = self.unwritten(&name, default.map(i64::from));
            return Limit { value, written: None, name };
        };
        if given.get_ref().as_str() == Some(NONE) {
            return Limit { value: i64::MAX, written: None, name };
        }
        let number = given.get_ref().as_integer().and_then(|n| u32::try_from(n).ok());
        match number.filter(|n| range.contains(n)) {
            Some(n) => Limit { value: n.into(), written: Some(given.span()), name },
            None => {
                let expected = format!("must be an integer from {} to {}", range.start(), range.end());
                self.checks.refuse(&given.span(), expected);
                self.or_none();
                Limit { value: i64::MAX, written: None, name }
            }
        }
    }

    fn unwritten(&mut self, name: &str, default: Option<i64>) -> i64 {
        if !self.defaults {
            self.missing.push(name.to_owned());
        }
        default.unwrap_or(i64::MAX)
    }

    /// The last refusal is of a limit.
    fn or_none(&mut self) {
        if let Some(problem) = self.checks.problems.last_mut() {
            problem.expected.push_str(OR_NONE);
        }
    }

    /// Refuses a limit that another, written as well, keeps from ever being met.
    fn within(&mut self, inner: &Limit, times: i64, outer: &Limit) {
        let (Some(at), true) = (&inner.written, outer.is_finite()) else { return };
        if inner.value > outer.value.saturating_mul(times) {
            let twice = if times == 2 { "twice " } else { "" };
            let why = format!("must not be above {twice}{}, which would always be met first", outer.name);
            self.checks.refuse(at, why);
        }
    }
}

fn scales(raw: &RawRisk, whole: &Limit, capital: &Limit, r: &mut Reader<'_, '_>) -> [ScaleLimits; SCALES] {
    let mut scales = [ScaleLimits::NONE; SCALES];
    let named = [
        (Scale::Instrument, "instrument", &raw.instrument),
        (Scale::Strategy, "strategy", &raw.strategy),
        (Scale::Group, "group", &raw.group),
        (Scale::Account, "account", &raw.account),
    ];
    for (scale, name, raw) in named {
        scales[scale as usize] = one_scale(raw, name, whole, capital, r);
    }
    scales[Scale::Portfolio as usize] = portfolio(&raw.portfolio, whole, capital, r);
    scales
}

fn one_scale(
    raw: &RawScale,
    name: &str,
    whole: &Limit,
    capital: &Limit,
    r: &mut Reader<'_, '_>,
) -> ScaleLimits {
    let key = |key: &str| format!("{name}.{key}");
    let gross = r.amount_if(&raw.gross_notional_max, &key("gross_notional_max"), None);
    r.within(&gross, 1, whole);
    let share = r.count(&raw.share_pct_max, &key("share_pct_max"), 1..=100, None);
    let rest = RawPortfolio {
        long_notional_max: raw.long_notional_max.clone(),
        short_notional_max: raw.short_notional_max.clone(),
        net_notional_max: raw.net_notional_max.clone(),
        leverage_max: raw.leverage_max.clone(),
        open_orders_max: raw.open_orders_max.clone(),
    };
    let limits = sides(&rest, name, &gross, capital, r);
    ScaleLimits { gross_notional_max: gross.value, share_pct_max: share.number(), ..limits }
}

fn portfolio(raw: &RawPortfolio, whole: &Limit, capital: &Limit, r: &mut Reader<'_, '_>) -> ScaleLimits {
    sides(raw, "portfolio", whole, capital, r)
}

/// What every level has.
fn sides(
    raw: &RawPortfolio,
    name: &str,
    gross: &Limit,
    capital: &Limit,
    r: &mut Reader<'_, '_>,
) -> ScaleLimits {
    let key = |key: &str| format!("{name}.{key}");
    let long = r.amount_if(&raw.long_notional_max, &key("long_notional_max"), None);
    let short = r.amount_if(&raw.short_notional_max, &key("short_notional_max"), None);
    let net = r.amount_if(&raw.net_notional_max, &key("net_notional_max"), None);
    for side in [&long, &short, &net] {
        r.within(side, 1, gross);
    }
    let leverage = r.decimal(&raw.leverage_max, &key("leverage_max"), 2, 1..=100_000, None);
    if let (Some(at), i64::MAX) = (&leverage.written, capital.value) {
        r.checks.refuse(at, "needs capital, which equity is counted from");
    }
    let open = r.count(&raw.open_orders_max, &key("open_orders_max"), 1..=100_000, None);
    ScaleLimits {
        long_notional_max: long.value,
        short_notional_max: short.value,
        net_notional_max: net.value,
        leverage_max: leverage.number(),
        open_orders_max: open.number(),
        ..ScaleLimits::NONE
    }
}

/// The three limits of one kind of message.
fn pace(given: [&Given<toml::Value>; 3], name: &str, r: &mut Reader<'_, '_>) -> Pace {
    let second = r.count(given[0], &format!("{name}_per_second_max"), 1..=100_000, None);
    let (minute, day) = minute_and_day(given[1], given[2], name, &second, r);
    Pace { second: second.number(), minute, day }
}

fn minute_and_day(
    minute: &Given<toml::Value>,
    day: &Given<toml::Value>,
    name: &str,
    second: &Limit,
    r: &mut Reader<'_, '_>,
) -> (u32, u32) {
    let minute = r.count(minute, &format!("{name}_per_minute_max"), 1..=6_000_000, None);
    let day = r.count(day, &format!("{name}_per_day_max"), 1..=1_000_000_000, None);
    r.within(second, 1, &minute);
    r.within(&minute, 1, &day);
    (minute.number(), day.number())
}

fn rates(raw: &RawRates, r: &mut Reader<'_, '_>) -> RateLimits {
    let RawRates {
        orders_per_second_max,
        orders_per_minute_max,
        orders_per_day_max,
        cancels_per_second_max,
        cancels_per_minute_max,
        cancels_per_day_max,
        messages_per_second_max,
        messages_per_minute_max,
        messages_per_day_max,
    } = raw;
    let orders = [orders_per_second_max, orders_per_minute_max, orders_per_day_max];
    let cancels = [cancels_per_second_max, cancels_per_minute_max, cancels_per_day_max];
    let messages = [messages_per_second_max, messages_per_minute_max, messages_per_day_max];
    RateLimits {
        orders: pace(orders, "rates.orders", r),
        cancels: pace(cancels, "rates.cancels", r),
        messages: pace(messages, "rates.messages", r),
    }
}

fn strategy_rates(raw: &RawStrategyRates, second: &Limit, r: &mut Reader<'_, '_>) -> RateLimits {
    let name = "strategy_rates.orders";
    let (minute, day) = minute_and_day(&raw.orders_per_minute_max, &raw.orders_per_day_max, name, second, r);
    let cancels = [&raw.cancels_per_second_max, &raw.cancels_per_minute_max, &raw.cancels_per_day_max];
    let messages = [&raw.messages_per_second_max, &raw.messages_per_minute_max, &raw.messages_per_day_max];
    RateLimits {
        // The second's is a rule of its own.
        orders: Pace { second: u32::MAX, minute, day },
        cancels: pace(cancels, "strategy_rates.cancels", r),
        messages: pace(messages, "strategy_rates.messages", r),
    }
}

fn losses(raw: &RawLosses, r: &mut Reader<'_, '_>) -> LossLimits {
    let daily = r.amount(&raw.daily_max, "losses.daily_max", 25_000);
    let strategy_daily = r.amount(&raw.strategy_daily_max, "losses.strategy_daily_max", 10_000);
    let drawdown = r.amount(&raw.drawdown_max, "losses.drawdown_max", 50_000);
    let strategy_drawdown = r.amount(&raw.strategy_drawdown_max, "losses.strategy_drawdown_max", 20_000);
    let consecutive = r.count(&raw.consecutive_max, "losses.consecutive_max", 1..=10_000, None);
    let velocity = r.amount(&raw.velocity_max, "losses.velocity_max", 10_000);
    r.within(&strategy_daily, 1, &daily);
    r.within(&strategy_drawdown, 1, &drawdown);
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
