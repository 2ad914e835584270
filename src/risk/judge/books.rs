//! What happened: reports of orders and positions, and what an earlier run left.
//!
//! Owns: how each is booked, to exposure, wallets and losses alike, and once.

use super::Judge;
use crate::domain::event::Report;
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::wallet::WalletFill;
use crate::domain::{InstrumentId, Order, OrderId, Qty, StrategyId, Time};
use crate::risk::live::LiveOrder;
use crate::risk::rule::RuleList;
use crate::risk::watch::Unclosed;
use crate::strategy::desk::DeskState;

impl<R: RuleList> Judge<R> {
    /// Takes over what an earlier run left: positions, and orders that were with the venue, which need what they needed.
    pub fn resume(&mut self, desks: &[DeskState]) {
        // From the first event on.
        self.prices_by = (!desks.is_empty()).then_some(Time(0));
        for (strategy, desk) in (0u8..).zip(desks) {
            for (instrument, position) in (0u16..).zip(&desk.positions) {
                self.exposure.take_over(StrategyId(strategy), InstrumentId(instrument), position);
            }
        }
        let of_desk = |desk: &'_ DeskState| -> Vec<(OrderState, bool, Option<OrderId>)> {
            let of = |state: &OrderState| {
                let (id, manager) = (state.order.id, &desk.manager);
                (*state, manager.was_triggered(id), manager.waits_beside(id))
            };
            desk.with_the_venue().map(of).collect()
        };
        for (state, triggered, beside) in desks.iter().flat_map(of_desk) {
            let left = Order { qty: state.leaves(), ..state.order };
            // Without a quote yet: at its own price, or at what the position came to.
            let price = if left.price.0 > 0 { left.price } else { self.exposure.mark_of(left.instrument) };
            self.wallets.lock(&left, price);
            let value = self.exposure.value(left.instrument, price, left.qty);
            self.exposure.order(&left, 0, value, 1);
            self.live.push(LiveOrder {
                state,
                triggered,
                beside,
                ..LiveOrder::new(state.order, price, value)
            });
            if let Some(other) = left.other_leg() {
                self.pair(left.id, other);
            }
        }
        self.losses.start_window(&self.exposure);
    }

    /// What happened to a position without an order.
    #[cold]
    fn on_position(&mut self, seq: u64, report: &Report) {
        let filled = self.exposure.of_position(report);
        if let Some(earned) = filled.closed {
            self.losses.closed(report.strategy, earned);
        }
        let traded = if report.kind == ReportKind::Liquidated { report.qty } else { Qty::ZERO };
        let &Report { order, instrument, side, price, fee, fee_asset, strategy, .. } = report;
        if let Some((asset, amount)) = report.paid() {
            self.wallets.pay(instrument, asset, amount);
            return self.look(seq, Some(strategy));
        }
        let realised = filled.realised;
        self.wallets.fill(&WalletFill {
            order,
            instrument,
            side,
            qty: traded,
            price,
            fee,
            fee_asset,
            realised,
        });
        self.tell_if_closed(strategy, instrument);
        self.look(seq, Some(strategy));
    }

    pub fn on_report(&mut self, seq: u64, report: &Report) {
        if report.kind.is_of_position() {
            return self.on_position(seq, report);
        }
        let Some(index) = self.live.find(report.order) else { return self.on_late(seq, report) };
        let live = self.live.at_mut(index);
        let first = live.state.filled == Qty::ZERO && !live.goes_on;
        let applied = live.state.apply(report.kind, report.qty, report.trade_id);
        if applied == Applied::Changed {
            // What is heard of has an answer: what is waited for is the next.
            live.awaited_since = None;
        }
        if report.kind == ReportKind::CancelRejected {
            // Asked again at the next sweep, if it is to be.
            live.asked_at = None;
        }
        let (order, is_final) = (live.state.order, live.state.status.is_final());
        let (before, leaves) = (live.value, live.state.leaves());
        let counts = !is_final && live.counted_by.is_none();
        let after = if counts { self.exposure.value(order.instrument, live.price, leaves) } else { 0 };
        live.value = after;
        let booked = applied == Applied::Changed && report.kind == ReportKind::Fill;
        if before != after || is_final {
            self.exposure.order(&order, before, after, if is_final { -1 } else { 0 });
        }
        if booked {
            self.on_fill(report, first);
        }
        if applied == Applied::Changed && report.kind == ReportKind::Rejected {
            let why = report.refusal().unwrap_or_default();
            if let Some(of) = self.turned_away.get_mut(order.strategy.index()) {
                of.refuse(why, order.instrument, self.now);
            }
            self.tell_unclosed(&order, || Unclosed::Refused(why));
        }
        if applied == Applied::Changed && report.kind == ReportKind::Expired && leaves == order.qty {
            self.tell_unclosed(&order, || Unclosed::Untraded);
        }
        if is_final {
            self.wallets.close(report.order);
            self.live.remove(index);
            if order.other_leg().is_some() {
                self.part(order.id);
            }
        }
        if booked {
            self.look(seq, Some(order.strategy));
        }
    }

    /// A report of an order that is over: a trade is money whatever became of its order, and is told once.
    fn on_late(&mut self, seq: u64, report: &Report) {
        let known =
            report.strategy.index() < self.trades_today.len() && report.instrument.index() < self.table.len();
        if known && report.kind == ReportKind::Fill && report.qty.0 > 0 {
            self.on_fill(report, false);
            self.look(seq, Some(report.strategy));
        }
    }

    fn on_fill(&mut self, report: &Report, first: bool) {
        let &Report { order: id, strategy, instrument, side, qty, price, fee, fee_asset, .. } = report;
        let filled = self.exposure.fill(report);
        if let Some(earned) = filled.closed {
            self.losses.closed(strategy, earned);
        }
        self.publish_at = self.now;
        let traded = &mut self.trades_today[strategy.index()];
        *traded = traded.saturating_add(1);
        if first {
            let habits = &mut self.habits[strategy.index() * self.table.len() + instrument.index()];
            habits.traded(side, self.now, self.limits.same_way_window_ns);
        }
        let realised = filled.realised;
        self.wallets.fill(&WalletFill { order: id, instrument, side, qty, price, fee, fee_asset, realised });
        self.tell_if_closed(strategy, instrument);
    }
}
