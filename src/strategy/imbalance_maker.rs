//! Imbalance maker: joins the heavier side of the book with a post-only order and leaves on the other side.
//!
//! An entry that has not filled within `hold_ms`, or whose reason is gone, is taken back. What filled is offered at
//! the opposite touch; after another `hold_ms` it is closed at the market.

use super::registry::BuildError;
use super::{Context, IndicatorHandle, Setup, Stops, Strategy, StrategySpec};
use crate::domain::order::OrderState;
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::{DenyReason, InstrumentId, Market, OrderId, OrderStatus, PlaceError, Qty, Side, Time};
use crate::market::Top;
use std::time::Duration;

/// Its line in the registry.
pub const SPEC: StrategySpec = StrategySpec {
    name: "imbalance-maker",
    doc: "joins the heavier side of the book with a post-only order and leaves at the opposite touch",
    params: &[
        ParamSpec {
            name: "levels",
            doc: "levels a side that the imbalance looks at",
            kind: ParamKind::Integer { min: 1, max: 100, default: 5 },
        },
        ParamSpec {
            name: "threshold",
            doc: "imbalance, (bid − ask) ÷ (bid + ask), beyond which to join",
            kind: ParamKind::Float { min: 0.01, max: 0.99, default: 0.30 },
        },
        ParamSpec {
            name: "qty",
            doc: "order size, in the base asset; where the strategy has sizing, that decides",
            kind: ParamKind::Decimal { min: "0.00000001", max: "1000000", default: "0.100" },
        },
        ParamSpec {
            name: "hold_ms",
            doc: "how long an order may rest before it is taken back, milliseconds",
            kind: ParamKind::Integer { min: 10, max: 3_600_000, default: 2_000 },
        },
    ],
    build,
};

struct ImbalanceMaker {
    instrument: InstrumentId,
    imbalance: IndicatorHandle,
    threshold: f64,
    qty: Qty,
    hold: Duration,
    can_short: bool,
    working: Option<OrderId>,
    quiet_until: Time,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    let definition = setup.table.get(instrument);
    setup.size_entries(Stops::None);
    let hold_ms = u64::try_from(setup.params.integer("hold_ms")).unwrap_or_default();
    Ok(Box::new(ImbalanceMaker {
        instrument,
        threshold: setup.params.float("threshold"),
        qty: setup.qty("qty", instrument)?,
        hold: Duration::from_millis(hold_ms),
        can_short: definition.market != Market::Spot,
        imbalance: setup.indicator(instrument, "imbalance", &[setup.params.integer("levels")])?,
        working: None,
        quiet_until: Time(0),
    }))
}

impl ImbalanceMaker {
    fn rest(&mut self, ctx: &mut Context<'_>, side: Side, qty: Qty, top: &Top) -> Result<(), PlaceError> {
        let order = match side {
            Side::Buy => ctx.buy(self.instrument, qty).at_limit(top.bid.price).post_only().send()?,
            Side::Sell => ctx.sell(self.instrument, qty).at_limit(top.ask.price).post_only().send()?,
        };
        self.working = Some(order);
        ctx.wake_after(self.hold)?;
        Ok(())
    }

    /// Joins a side, by the strategy's sizing or else the parameter, unless that allows nothing.
    fn enter(&mut self, ctx: &mut Context<'_>, side: Side, top: &Top) -> Result<(), PlaceError> {
        let entry = if side == Side::Buy { top.bid.price } else { top.ask.price };
        match ctx.size_or(self.qty, self.instrument, entry, None) {
            Qty::ZERO => Ok(()),
            qty => self.rest(ctx, side, qty, top),
        }
    }

    fn decide(&mut self, ctx: &mut Context<'_>, top: &Top) -> Result<(), PlaceError> {
        let Some([imbalance, ..]) = ctx.indicator(self.imbalance) else { return Ok(()) };
        let held = ctx.position_in_lots(self.instrument).0;
        if held > 0 {
            self.rest(ctx, Side::Sell, Qty(held), top)
        } else if held < 0 {
            self.rest(ctx, Side::Buy, Qty(-held), top)
        } else if imbalance > self.threshold {
            self.enter(ctx, Side::Buy, top)
        } else if imbalance < -self.threshold && self.can_short {
            self.enter(ctx, Side::Sell, top)
        } else {
            Ok(())
        }
    }
}

impl Strategy for ImbalanceMaker {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if !top.is_two_sided() || self.working.is_some() || ctx.now() < self.quiet_until {
            return;
        }
        // A refusal is counted by the desk; the next quote decides anew.
        let _ = self.decide(ctx, top);
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if self.working == Some(order.order.id) && order.status.is_final() {
            self.working = None;
            // What was refused would be refused again at the next quote: give the market a moment.
            if matches!(order.status, OrderStatus::Denied | OrderStatus::Rejected) {
                self.quiet_until = ctx.now().plus(Duration::from_millis(100));
            }
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        let Some(working) = self.working else { return };
        let stale = ctx
            .open_orders(self.instrument)
            .any(|o| o.order.id == working && o.status != OrderStatus::PendingCancel);
        if stale {
            let _ = ctx.cancel(working);
        }
    }
}
