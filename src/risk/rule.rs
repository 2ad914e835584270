//! The rules, one function each, in one table; they run in the table's order and the first denial stands.

use super::limits::{QUOTE_DECIMALS, RiskLimits};
use crate::domain::decimal::POW10;
use crate::domain::{DenyReason, Instrument, Notional, Order, OrderKind, Price, Qty, Side};
use crate::market::Top;

/// What a rule judges by.
#[derive(Debug)]
pub struct Case<'a> {
    /// The order.
    pub order: &'a Order,
    /// Its instrument.
    pub instrument: &'a Instrument,
    /// The top of book that the strategy saw.
    pub top: &'a Top,
    /// The limits.
    pub limits: &'a RiskLimits,
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
    /// The strategy's new orders within the last second.
    pub recent_orders: u32,
    /// Best resting price of all our own orders on the other side, if any rest.
    pub own_opposite: Option<Price>,
    /// Sum of all positions' absolute values, units of 10^-8 quote.
    pub gross: i128,
    /// Whether the wallet's free balance pays for it; true where no balances are configured.
    pub payable: bool,
    /// Whether an operator halted trading.
    pub halted: bool,
}

/// One rule.
pub struct RuleSpec {
    /// Its name.
    pub name: &'static str,
    /// What it denies.
    pub doc: &'static str,
    /// Whether it also binds orders that only reduce a position.
    pub binds_reducing: bool,
    /// The rule.
    pub check: fn(&Case<'_>) -> Result<(), DenyReason>,
}

impl Case<'_> {
    /// The price the order would trade at by the touch, or its limit.
    #[must_use]
    pub fn reference_price(&self) -> Price {
        match (self.order.kind, self.order.side) {
            (kind, _) if kind.has_limit() => self.order.price,
            (OrderKind::Stop | OrderKind::TakeProfit, _) if self.order.extras.stop_price.0 != 0 => {
                self.order.extras.stop_price
            }
            (_, Side::Buy) => self.top.ask.price,
            (_, Side::Sell) => self.top.bid.price,
        }
    }

    /// The worst price that a buy can come to: its limit, or, of a market order, the touch and the collar beyond it, or,
    /// of one that waits for a price, that price and the collar.
    #[must_use]
    pub fn worst_price(order: &Order, top: &Top, limits: &RiskLimits) -> Price {
        if order.kind.has_limit() {
            return order.price;
        }
        let touch = i128::from(top.ask.price.0.max(order.extras.stop_price.0));
        let worst = touch + touch * i128::from(limits.price_collar_bps) / 10_000 + 1;
        Price(i64::try_from(worst).unwrap_or(i64::MAX))
    }

    /// A notional in units of 10^-8 quote, rounded up.
    #[must_use]
    pub fn quote_units(&self, notional: Notional) -> i128 {
        quote_units(notional, self.instrument.notional_decimals())
    }
}

/// A notional with `decimals` decimals in units of 10^-8 quote, rounded away from zero.
#[must_use]
pub fn quote_units(notional: Notional, decimals: u8) -> i128 {
    if decimals <= QUOTE_DECIMALS {
        return notional.0.saturating_mul(i128::from(POW10[usize::from(QUOTE_DECIMALS - decimals)]));
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

fn when(denied: bool, reason: DenyReason) -> Result<(), DenyReason> {
    if denied { Err(reason) } else { Ok(()) }
}

/// Every rule, in the order they run.
pub static RULES: &[RuleSpec] = &[
    RuleSpec {
        name: "halt",
        doc: "nothing but reducing orders while trading is halted",
        binds_reducing: false,
        check: |c| when(c.halted, DenyReason::Halted),
    },
    RuleSpec {
        name: "tradable",
        doc: "inverse contracts are data only until their accounting is stated",
        binds_reducing: true,
        check: |c| when(!c.instrument.tradable(), DenyReason::DataOnly),
    },
    RuleSpec {
        name: "book",
        doc: "no order on a book that is not synchronised or has an empty side",
        binds_reducing: true,
        check: |c| when(!c.top.is_two_sided(), DenyReason::BookInvalid),
    },
    RuleSpec {
        name: "quantity",
        doc: "the venue's LOT_SIZE: minimum, maximum, step",
        binds_reducing: true,
        check: |c| {
            let (qty, i) = (c.order.qty, c.instrument);
            let off = qty < i.min_qty || qty > i.max_qty || qty.0 % i.lot.0.max(1) != 0;
            when(off, DenyReason::BadQuantity)
        },
    },
    RuleSpec {
        name: "price",
        doc: "the venue's tick, and a collar around the touch",
        binds_reducing: true,
        check: |c| {
            let (order, tick) = (c.order, c.instrument.tick.0.max(1));
            let stop = order.extras.stop_price.0;
            if stop != 0 && (stop < 0 || stop % tick != 0) {
                return Err(DenyReason::BadPrice);
            }
            if !order.kind.has_limit() {
                return Ok(());
            }
            let price = order.price.0;
            // One that waits for a price is an order when the touch is there.
            let touch = i128::from(match order.side {
                _ if stop != 0 => stop,
                Side::Buy => c.top.ask.price.0,
                Side::Sell => c.top.bid.price.0,
            });
            let room = touch * i128::from(c.limits.price_collar_bps) / 10_000;
            let beyond = match c.order.side {
                Side::Buy => i128::from(price) > touch + room,
                Side::Sell => i128::from(price) < touch - room,
            };
            when(price <= 0 || price % tick != 0 || beyond, DenyReason::BadPrice)
        },
    },
    RuleSpec {
        name: "reduce-only",
        doc: "an order that says it only reduces must do so",
        binds_reducing: true,
        check: |c| {
            let open = match c.order.side {
                Side::Buy => -i128::from(c.position.0),
                Side::Sell => i128::from(c.position.0),
            };
            // What is on its way out already cannot be left again.
            let asked = i128::from(c.order.qty.0) + i128::from(c.leaving.0);
            when(c.order.reduce_only && asked > open, DenyReason::NotReducing)
        },
    },
    RuleSpec {
        name: "notional",
        doc: "the venue's minimum order value",
        binds_reducing: false,
        check: |c| {
            let value = c.reference_price().times(c.order.qty);
            when(value < c.instrument.min_notional, DenyReason::NotionalTooSmall)
        },
    },
    RuleSpec {
        name: "order-size",
        doc: "order_notional_max",
        binds_reducing: false,
        check: |c| {
            let value = c.quote_units(c.reference_price().times(c.order.qty));
            when(value > i128::from(c.limits.order_notional_max), DenyReason::OrderTooLarge)
        },
    },
    RuleSpec {
        name: "position",
        doc: "position_notional_max, as if every open order of that side filled",
        binds_reducing: false,
        check: |c| {
            let worst = match c.order.side {
                Side::Buy => i128::from(c.position.0) + i128::from(c.open_buy.0) + i128::from(c.order.qty.0),
                Side::Sell => {
                    i128::from(c.position.0) - i128::from(c.open_sell.0) - i128::from(c.order.qty.0)
                }
            };
            let value = Notional(i128::from(c.reference_price().0).saturating_mul(worst.abs()));
            when(c.quote_units(value) > i128::from(c.limits.position_notional_max), DenyReason::PositionLimit)
        },
    },
    RuleSpec {
        name: "gross",
        doc: "gross_notional_max over all strategies and instruments",
        binds_reducing: false,
        check: |c| {
            let value = c.quote_units(c.reference_price().times(c.order.qty));
            when(c.gross + value > i128::from(c.limits.gross_notional_max), DenyReason::GrossExposure)
        },
    },
    RuleSpec {
        name: "balance",
        doc: "[paper.balances]: what a spot order needs, its fee included, must be free in its wallet",
        binds_reducing: true,
        check: |c| when(!c.payable, DenyReason::InsufficientBalance),
    },
    RuleSpec {
        name: "open-orders",
        doc: "open_orders_max for each strategy and instrument",
        binds_reducing: false,
        check: |c| when(c.open_orders >= c.limits.open_orders_max, DenyReason::OpenOrders),
    },
    RuleSpec {
        name: "order-rate",
        doc: "orders_per_second_max for each strategy",
        binds_reducing: false,
        check: |c| when(c.recent_orders >= c.limits.orders_per_second_max, DenyReason::OrderRate),
    },
    RuleSpec {
        name: "self-trade",
        doc: "no order that would meet one of our own resting orders",
        binds_reducing: true,
        check: |c| {
            let Some(own) = c.own_opposite else { return Ok(()) };
            if c.order.kind.is_conditional() {
                return Ok(());
            }
            let meets =
                c.order.kind == OrderKind::Market || c.order.side.at_least_as_aggressive(c.order.price, own);
            when(meets, DenyReason::SelfTrade)
        },
    },
];
