//! Imbalance maker: joins the heavier side of the book with a post-only order and leaves on the other side.
//!
//! An entry that has not filled within `hold_ms` is taken back. What filled is offered at the opposite touch; what of it is
//! not taken within another `hold_ms` is closed at the market. There is one order at a time. What is worth too little for
//! the venue to take is kept, and left with the next entry.

use super::registry::BuildError;
use super::{Context, IndicatorHandle, Setup, Stops, Strategy, StrategySpec};
use crate::domain::order::OrderState;
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::{
    DenyReason, InstrumentId, Market, Order, OrderId, OrderStatus, PlaceError, Qty, Side, Time,
};
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
            doc: "how long an entry may rest before it is taken back, and an exit before the market closes it, milliseconds",
            kind: ParamKind::Integer { min: 10, max: 3_600_000, default: 2_000 },
        },
    ],
    build,
};

/// The order under way.
#[derive(Debug, Clone, Copy)]
struct Working {
    order: OrderId,
    leaves: bool,
    /// Which timer says that it has rested long enough; any other is an earlier order's.
    timer: Option<u64>,
}

struct ImbalanceMaker {
    instrument: InstrumentId,
    imbalance: IndicatorHandle,
    threshold: f64,
    qty: Qty,
    hold: Duration,
    can_short: bool,
    working: Option<Working>,
    /// Whether what is held has been offered for long enough: the rest is closed at the market.
    overdue: bool,
    /// What is held and cannot be left alone, being worth too little.
    dust: Qty,
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
        overdue: false,
        dust: Qty::ZERO,
        quiet_until: Time(0),
    }))
}

impl ImbalanceMaker {
    fn rest(
        &mut self,
        ctx: &mut Context<'_>,
        side: Side,
        qty: Qty,
        leaves: bool,
        top: &Top,
    ) -> Result<(), PlaceError> {
        // Asked for first: an order that nobody wakes for could rest for ever.
        let timer = Some(ctx.wake_after(self.hold)?);
        let order = match side {
            Side::Buy => ctx.buy(self.instrument, qty).at_limit(top.bid.price),
            Side::Sell => ctx.sell(self.instrument, qty).at_limit(top.ask.price),
        };
        let order = order.post_only();
        let order = if leaves { order.reduce_only() } else { order }.send()?;
        self.working = Some(Working { order, leaves, timer });
        Ok(())
    }

    /// Offers what is held at the opposite touch, or closes what was offered for long enough.
    fn leave(&mut self, ctx: &mut Context<'_>, held: i64, top: &Top) -> Result<(), PlaceError> {
        let (side, qty) = if held > 0 { (Side::Sell, Qty(held)) } else { (Side::Buy, Qty(-held)) };
        if !self.overdue {
            return self.rest(ctx, side, qty, true, top);
        }
        let order = match side {
            Side::Buy => ctx.buy(self.instrument, qty),
            Side::Sell => ctx.sell(self.instrument, qty),
        };
        let order = order.at_market().reduce_only().send()?;
        self.working = Some(Working { order, leaves: true, timer: None });
        Ok(())
    }

    /// Joins a side, by the strategy's sizing or else the parameter, unless that allows nothing.
    fn enter(&mut self, ctx: &mut Context<'_>, side: Side, top: &Top) -> Result<(), PlaceError> {
        let entry = if side == Side::Buy { top.bid.price } else { top.ask.price };
        match ctx.size_or(self.qty, self.instrument, entry, None) {
            Qty::ZERO => Ok(()),
            qty => self.rest(ctx, side, qty, false, top),
        }
    }

    fn decide(&mut self, ctx: &mut Context<'_>, top: &Top) -> Result<(), PlaceError> {
        let held = ctx.position_in_lots(self.instrument);
        if held != self.dust {
            self.dust = Qty::ZERO;
        }
        if held != self.dust {
            return self.leave(ctx, held.0, top);
        }
        self.overdue = false;
        let Some([imbalance, ..]) = ctx.indicator(self.imbalance) else { return Ok(()) };
        if imbalance > self.threshold {
            self.enter(ctx, Side::Buy, top)
        } else if imbalance < -self.threshold && self.can_short {
            self.enter(ctx, Side::Sell, top)
        } else {
            Ok(())
        }
    }

    /// An order that rests already is an earlier run's: it is this one's from now on.
    fn adopt(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(order) = ctx.open_orders(self.instrument).next().map(|o| o.order) else { return false };
        let Order { id, reduce_only, .. } = order;
        let timer = ctx.wake_after(self.hold).ok();
        self.working = Some(Working { order: id, leaves: reduce_only, timer });
        true
    }
}

impl Strategy for ImbalanceMaker {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if !top.is_two_sided() {
            return;
        }
        if self.working.is_some() || ctx.now() < self.quiet_until || self.adopt(ctx) {
            return;
        }
        // A refusal is counted by the desk; the next quote decides anew.
        let _ = self.decide(ctx, top);
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        let Some(working) = self.working.filter(|w| w.order == order.order.id) else { return };
        if !order.status.is_final() {
            return;
        }
        self.working = None;
        // What was refused would be refused again at the next quote: give the market a moment.
        if matches!(order.status, OrderStatus::Denied | OrderStatus::Rejected) {
            self.quiet_until = ctx.now().plus(Duration::from_millis(100));
        }
        let of_size = [DenyReason::MinNotional, DenyReason::Notional, DenyReason::LotSize];
        let too_small = denied.is_some_and(|denied| of_size.contains(&denied));
        if working.leaves && too_small {
            self.dust = ctx.position_in_lots(self.instrument);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        let Some(working) = self.working.as_mut().filter(|w| w.timer == Some(timer)) else { return };
        self.overdue |= working.leaves;
        // The venue may refuse the cancel: then it is asked for again.
        let _ = ctx.cancel(working.order);
        working.timer = ctx.wake_after(self.hold).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentTable, Level, Price, StrategyId};
    use crate::strategy::context::View;
    use crate::strategy::desk::Desk;
    use crate::strategy::{Action, Intent};

    const OF: InstrumentId = InstrumentId(0);
    const HOLD: Duration = Duration::from_millis(200);

    struct Rig {
        view: View,
        desk: Desk,
        maker: ImbalanceMaker,
    }

    impl Rig {
        fn new() -> Self {
            let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one instrument");
            let mut view = View::new(&table, 1);
            view.tops[0] = Top { bid: Level::new(100, 5), ask: Level::new(101, 5), valid: true };
            let maker = ImbalanceMaker {
                instrument: OF,
                imbalance: IndicatorHandle(0),
                threshold: 0.5,
                qty: Qty(10),
                hold: HOLD,
                can_short: true,
                working: None,
                overdue: false,
                dust: Qty::ZERO,
                quiet_until: Time(0),
            };
            Self { view, desk: Desk::new(StrategyId(0), 1), maker }
        }

        /// What one call sends.
        fn call(&mut self, f: impl FnOnce(&mut ImbalanceMaker, &mut Context<'_>)) -> Vec<Action> {
            f(&mut self.maker, &mut Context { view: &self.view, desk: &mut self.desk });
            self.desk.take_intents().map(|Intent { action, .. }| action).collect()
        }

        fn quote(&mut self, at: u64, imbalance: f64) -> Vec<Action> {
            self.view.now = Time(at * 1_000_000);
            self.view.values[0] = Some([imbalance, 0.0, 0.0]);
            let top = self.view.tops[0];
            self.call(|maker, ctx| maker.on_quote(ctx, OF, &top))
        }

        fn timers(&mut self, at: u64) -> Vec<Action> {
            self.view.now = Time(at * 1_000_000);
            let mut sent = Vec::new();
            while let Some(timer) = self.desk.due_timer(self.view.now) {
                sent.extend(self.call(|maker, ctx| maker.on_timer(ctx, timer)));
            }
            sent
        }

        /// Ends the order under way, denied for `denied` where that is given.
        fn end(&mut self, status: OrderStatus, denied: Option<DenyReason>) -> Vec<Action> {
            let id = self.maker.working.expect("one is").order;
            let order = self.desk.end(id, status).expect("it is live");
            self.call(|maker, ctx| maker.on_order(ctx, &order, denied))
        }
    }

    fn order(actions: &[Action]) -> Order {
        match actions {
            [Action::New(order)] => *order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_is_taken_back_by_its_own_timer_alone() {
        let mut rig = Rig::new();
        let first = order(&rig.quote(0, 0.6));
        assert_eq!((first.side, first.reduce_only), (Side::Buy, false));
        rig.end(OrderStatus::Canceled, None);
        let second = order(&rig.quote(150, 0.6));
        assert!(rig.timers(200).is_empty(), "that timer was the first order's");
        assert!(rig.quote(210, -0.9).is_empty(), "there is one already");
        assert!(matches!(rig.timers(350)[..], [Action::Cancel { order, .. }] if order == second.id));
        rig.end(OrderStatus::Canceled, None);
        assert_eq!(order(&rig.quote(400, -0.6)).side, Side::Sell);
    }

    #[test]
    fn what_is_held_is_offered_and_then_closed_at_the_market() {
        let mut rig = Rig::new();
        rig.desk.state.positions[0].qty = Qty(7);
        let offer = order(&rig.quote(0, 0.0));
        assert_eq!(
            (offer.side, offer.price, offer.qty, offer.reduce_only),
            (Side::Sell, Price(101), Qty(7), true)
        );
        assert!(rig.quote(10, 0.9).is_empty(), "an exit is not reconsidered");
        assert!(matches!(rig.timers(200)[..], [Action::Cancel { .. }]));
        // The venue may refuse that, and is asked again.
        rig.desk.state.orders[0].status = OrderStatus::Open;
        assert!(matches!(rig.timers(400)[..], [Action::Cancel { .. }]));
        rig.end(OrderStatus::Canceled, None);
        let close = order(&rig.quote(410, 0.0));
        assert_eq!(
            (close.kind, close.qty, close.reduce_only),
            (crate::domain::OrderKind::Market, Qty(7), true)
        );
    }

    #[test]
    fn what_is_worth_too_little_is_kept_until_there_is_more() {
        // As a futures venue names its filter, and as a spot venue does.
        for reason in [DenyReason::MinNotional, DenyReason::Notional] {
            let mut rig = Rig::new();
            rig.desk.state.positions[0].qty = Qty(7);
            order(&rig.quote(0, 0.0));
            rig.end(OrderStatus::Denied, Some(reason));
            assert!(rig.quote(1_000, 0.0).is_empty(), "it is not offered again");
            let entry = order(&rig.quote(1_001, 0.6));
            assert_eq!(entry.side, Side::Buy);
            rig.end(OrderStatus::Filled, None);
            rig.desk.state.positions[0].qty = Qty(17);
            assert_eq!(order(&rig.quote(1_002, 0.6)).qty, Qty(17), "all of it is left together");
        }
    }

    #[test]
    fn an_order_of_an_earlier_run_is_its_own() {
        let mut rig = Rig::new();
        let resting = order(&rig.call(|_, ctx| {
            ctx.buy(OF, Qty(10)).at_limit(Price(99)).post_only().send().expect("a sound order");
        }));
        assert!(rig.quote(0, 0.6).is_empty(), "there is one already");
        assert!(matches!(rig.timers(200)[..], [Action::Cancel { order, .. }] if order == resting.id));
    }
}
