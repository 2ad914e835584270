//! The rules' one table; they run in the table's order and the first denial stands.

use super::exposure::Sum;
use super::limits::{QUOTE_DECIMALS, RiskLimits, SCALES, ScaleLimits};
use super::rates::Counted;
use super::rules;
use super::units::Unit;
use super::witness::Comparison;
pub(super) use super::witness::{Nobody, Witness};
use crate::domain::decimal::POW10;
use crate::domain::wallet::Need;
use crate::domain::{DenyReason, Instrument, Measure, Notional, Order, OrderKind, Price, Qty, Side, Time};
use crate::market::Top;
use crate::venue::binance::filters::{Filters, OpenCounts};

/// What a rule judges by.
#[derive(Debug)]
pub struct Case<'a> {
    /// The order.
    pub order: &'a Order,
    /// Its instrument, for what a refusal says.
    pub instrument: &'a Instrument,
    /// Whether orders may be sent for that at all.
    pub tradable: bool,
    /// Whether that is known by its bars alone.
    pub of_bars: bool,
    /// Decimals of its quantities.
    pub qty_decimals: u8,
    /// Decimals of its notionals.
    pub notional_decimals: u8,
    /// The top of book that the strategy saw.
    pub top: &'a Top,
    /// The limits.
    pub limits: &'a RiskLimits,
    /// The present time.
    pub now: Time,
    /// The strategy's position.
    pub position: Qty,
    /// Unfilled quantity of the strategy's live buy and sell orders here.
    pub open_buy: Qty,
    /// See `open_buy`.
    pub open_sell: Qty,
    /// The strategy's live orders here.
    pub open_orders: u32,
    /// Unfilled quantity of those on the order's side that reduce only, or trade at once.
    pub leaving: Qty,
    /// Best resting price of all our own orders on the other side, if any rest.
    pub own_opposite: Option<Price>,
    /// The venue's filters of the instrument.
    pub filters: &'a Filters,
    /// Everybody's live orders here, by kind.
    pub counts: OpenCounts,
    /// Everybody's live orders anywhere.
    pub exchange_counts: OpenCounts,
    /// What it needs of its wallet; none where no balances are known, or nothing has to be there.
    pub need: Option<Need>,
    /// What would be left free of the quote asset, units of 10^-8; none where that is not known or not touched.
    pub quote_left: Option<i128>,
    /// Whether an operator halted trading.
    pub halted: bool,
    /// Whether anybody holds the instrument back.
    pub paused: bool,
    /// Whether nothing can be sent for it.
    pub suspended: bool,
    /// Why the kill switch stops it, if it does.
    pub killed: Option<DenyReason>,
    /// Whether it may go out though it is stopped: it protects what is held, or was triggered to leave it, and nothing
    /// else closes that.
    pub spared: bool,
    /// Whether the instrument is not to be traded.
    pub restricted: bool,
    /// Whether the market, or the strategy, is outside its trading hours.
    pub closed: bool,
    /// What the order is worth, units of 10^-8 quote, rounded up.
    pub value: i128,
    /// The exposures that it would add to, from the instrument's to the whole.
    pub scopes: [&'a Sum; SCALES],
    /// The limits of each: those of this very instrument and strategy, where they have their own.
    pub levels: [&'a ScaleLimits; SCALES],
    /// What it would add.
    pub adds: Sum,
    /// Whether every rule of the levels' exposure is known to pass: none is near its limit.
    pub roomy: bool,
    /// Capital and profit, units of 10^-8 quote.
    pub equity: i128,
    /// The price that positions are valued at, zero where none is known.
    pub mark: Price,
    /// When something was heard of the instrument's market last, zero where nothing was.
    pub heard: Time,
    /// How far the venue's clock is from ours, ns.
    pub clock_lag_ns: u64,
    /// Sum and number of the quantities that the strategy ordered here last.
    pub recent_sizes: (i64, u32),
    /// When the strategy ordered the same last.
    pub same_before: Option<Time>,
    /// What the strategy sent.
    pub sent: Counted,
    /// What all strategies sent.
    pub sent_all: Counted,
    /// Trades of the strategy's orders since the day began.
    pub trades_today: u32,
    /// Trades of the strategy here the way of the order, one after the other, within the window.
    pub same_way: u32,
}

/// Why an order is denied: the reason names the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, one for each rule.
    pub reason: DenyReason,
    /// The limit, in the unit of its rule; zero where the rule has none.
    pub limit: i64,
    /// What the order came to.
    pub value: i64,
    /// What the limit is of and how it binds, where the reason does not say that.
    pub measure: Option<Measure>,
}

impl From<DenyReason> for Refusal {
    fn from(reason: DenyReason) -> Self {
        Self { reason, limit: 0, value: 0, measure: None }
    }
}

/// What a rule says.
pub type Judged = Result<(), Refusal>;

/// One rule.
pub struct RuleSpec {
    /// Its name.
    pub name: &'static str,
    /// What it denies.
    pub doc: &'static str,
    /// Whether it also binds orders that only reduce a position.
    pub binds_reducing: bool,
    /// What it denies for.
    pub reasons: &'static [DenyReason],
    /// What its limit, and what an order comes to, are counted in.
    pub unit: Unit,
    /// The rule.
    pub check: fn(&Case<'_>) -> Judged,
    /// The rule once more, telling what it compares, for who asks why; none where it compares no numbers.
    pub measure: Option<fn(&Case<'_>, &mut Vec<Comparison>) -> Judged>,
}

impl Case<'_> {
    /// The best price that the order would meet.
    #[must_use]
    pub fn touch(&self) -> Price {
        match self.order.side {
            Side::Buy => self.top.ask.price,
            Side::Sell => self.top.bid.price,
        }
    }

    /// The price the order would trade at by the touch, or its limit.
    #[inline]
    #[must_use]
    pub fn reference_price(&self) -> Price {
        reference_price(self.order, self.top)
    }

    /// The worst price that a buy can come to: its limit, or, of a market order, the touch and the collar beyond it, or,
    /// of one that waits for a price, that price and the collar.
    #[must_use]
    pub fn worst_price(order: &Order, top: &Top, limits: &RiskLimits) -> Price {
        if order.kind.has_limit() {
            return order.price;
        }
        let touch = i128::from(top.ask.price.0.max(order.extras.stop_price.0));
        // Without a collar nothing says how bad it can be: twice the price is held to be the worst.
        let worst = touch + basis_points(touch, limits.price_collar_bps.min(10_000)) + 1;
        Price(i64::try_from(worst).unwrap_or(i64::MAX))
    }

    /// A notional in units of 10^-8 quote, rounded up.
    #[inline]
    #[must_use]
    pub fn quote_units(&self, notional: Notional) -> i128 {
        quote_units(notional, self.notional_decimals)
    }
}

/// The price that `order` would trade at by the touch, or its limit.
#[inline]
#[must_use]
pub(super) fn reference_price(order: &Order, top: &Top) -> Price {
    match (order.kind, order.side) {
        (kind, _) if kind.has_limit() => order.price,
        (OrderKind::Stop | OrderKind::TakeProfit, _) if order.extras.stop_price.0 != 0 => {
            order.extras.stop_price
        }
        (_, Side::Buy) => top.ask.price,
        (_, Side::Sell) => top.bid.price,
    }
}

/// A notional with `decimals` decimals in units of 10^-8 quote, rounded away from zero.
#[inline]
#[must_use]
pub fn quote_units(notional: Notional, decimals: u8) -> i128 {
    if decimals <= QUOTE_DECIMALS {
        let unit = i128::from(POW10[usize::from(QUOTE_DECIMALS - decimals)]);
        // Nearly every amount fits 64 bits, whose product always fits 128.
        return match i64::try_from(notional.0) {
            Ok(amount) => i128::from(amount) * unit,
            Err(_) => notional.0.saturating_mul(unit),
        };
    }
    let over = decimals - QUOTE_DECIMALS;
    // Nearly every amount fits 64 bits, whose division takes a tenth of the time.
    if let (Ok(amount), Some(divisor)) = (i64::try_from(notional.0), POW10.get(usize::from(over))) {
        return i128::from(amount / divisor + (amount % divisor).signum());
    }
    let divisor = 10i128.pow(u32::from(over));
    let rest = notional.0 % divisor;
    notional.0 / divisor + rest.signum()
}

/// So many ten-thousandths of a price, rounded towards zero.
#[inline]
pub(super) fn basis_points(price: i128, bps: u32) -> i128 {
    let product = price * i128::from(bps);
    // Nearly every product fits 64 bits; a 128-bit division takes ten times as long.
    match i64::try_from(product) {
        Ok(product) => i128::from(product / 10_000),
        Err(_) => product / 10_000,
    }
}

/// An amount so many times over.
#[inline(always)]
pub(super) fn times(amount: i128, n: u32) -> i128 {
    // Nearly every amount fits 64 bits, whose product always fits 128 and takes a tenth of the time.
    match i64::try_from(amount) {
        Ok(amount) => i128::from(amount) * i128::from(n),
        Err(_) => amount.saturating_mul(n.into()),
    }
}

/// Denies for `reason` where `denied`; for rules without a number.
#[inline]
pub(super) fn when(denied: bool, reason: DenyReason) -> Judged {
    if denied { Err(reason.into()) } else { Ok(()) }
}

/// Denies what is over its limit.
#[inline(always)]
pub(super) fn over(w: &mut impl Witness, value: i128, limit: i128, reason: DenyReason) -> Judged {
    w.saw(value, limit, reason);
    if value > limit { Err(refusal(value, limit, reason)) } else { Ok(()) }
}

/// Denies what is over its limit.
#[inline(always)]
pub(super) fn over_count(w: &mut impl Witness, value: u64, limit: u64, reason: DenyReason) -> Judged {
    w.saw(value.into(), limit.into(), reason);
    if value > limit { Err(refusal(value.into(), limit.into(), reason)) } else { Ok(()) }
}

#[cold]
pub(super) fn refusal(value: i128, limit: i128, reason: DenyReason) -> Refusal {
    Refusal { reason, limit: fit(limit), value: fit(value), measure: None }
}

/// A number as a refusal carries it.
pub(super) fn fit(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX })
}

/// Which rules a stage runs. A type, so that no configuration and no command can leave rules out.
pub trait RuleList: Send + 'static {
    /// Runs them, those alone that bind reducing orders where `reducing`.
    ///
    /// # Errors
    /// The [`Refusal`] of the first rule that denies.
    fn check(&mut self, case: &Case<'_>, reducing: bool) -> Judged;
}

/// All of [`RULES`]: what trades.
#[derive(Debug)]
pub struct EveryRule;

impl RuleList for EveryRule {
    #[inline]
    fn check(&mut self, case: &Case<'_>, reducing: bool) -> Judged {
        check_all(case, reducing)
    }
}

/// None: what the stage takes beside its rules, to measure them against.
#[derive(Debug)]
pub struct NoRules;

impl RuleList for NoRules {
    #[inline]
    fn check(&mut self, _: &Case<'_>, _: bool) -> Judged {
        Ok(())
    }
}

/// The rules in the order they run, as a table and as one function.
///
/// A loop over the table would call each rule by its address. Written out, and each inlined whatever its size, all become
/// one piece of code: what they share is worked out once, and what a rule judges by is never put into memory for it.
///
/// Those in brackets are the ones that [`Case::roomy`] speaks for.
macro_rules! in_this_order {
    ($($before:ident)* [$($level:ident)*] $($after:ident)*) => {
        /// Every rule, in the order they run.
        pub static RULES: &[RuleSpec] = &[
            $(rules::$before::RULE,)*
            $(rules::$level::RULE,)*
            $(rules::$after::RULE,)*
        ];

        /// Those whose passing [`Case::roomy`] tells.
        #[cfg(test)]
        pub(super) static OF_LEVELS: &[RuleSpec] = &[$(rules::$level::RULE),*];

        /// Runs the rules, those alone that bind reducing orders where `reducing`; the first denial stands.
        ///
        /// # Errors
        /// The [`Refusal`] of the first rule that denies.
        #[inline(always)]
        pub fn check_all(case: &Case<'_>, reducing: bool) -> Judged {
            macro_rules! run {
                ($rule:ident) => {
                    if !reducing || rules::$rule::RULE.binds_reducing {
                        rules::$rule::check(case, &mut Nobody)?;
                    }
                };
            }
            $(run!($before);)*
            if !case.roomy {
                $(run!($level);)*
            }
            $(run!($after);)*
            Ok(())
        }
    };
}

in_this_order! {
    halt
    suspended
    paused
    kill
    limits_set
    tradable
    restricted
    trading_hours
    book
    stale_book
    stale_clock
    filters
    price
    mark_collar
    reduce_only
    order_qty
    order_size
    fat_finger
    duplicate
    position
    [gross scale_long scale_short scale_gross scale_net leverage share]
    balance
    minimum_balance
    open_orders
    scale_open_orders
    order_rate
    order_rates
    cancel_rates
    message_rates
    order_to_trade
    same_way
    self_trade
}
