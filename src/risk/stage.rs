//! The risk stage: judges each intent at the event that asked for it.

use super::approved::Approved;
use super::exposure::Exposure;
use super::limits::RiskLimits;
use super::rule::{Case, check_all};
use crate::domain::event::{Command, Denial, Event, Kind, Report, Rules};
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::wallet::WalletFill;
use crate::domain::{
    DenyReason, InstrumentId, InstrumentTable, Order, OrderId, OrderKind, Position, Price, Qty, Side, Slot,
    StrategyId, Time, Wallets,
};
use crate::pipeline::{Answer, LaneReceiver, LaneSender, Sequenced, Shared, Stage};
use crate::strategy::desk::DeskState;
use crate::strategy::{Action, Intent, Note};
use crate::venue::binance::filters::{Filters, OpenCounts};

/// What risk says of an intent.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// The event that caused it.
    pub seq: u64,
    /// What it says.
    pub body: VerdictBody,
}

/// What a verdict says.
#[derive(Debug, Clone, Copy)]
pub enum VerdictBody {
    /// Send it.
    Approved(Approved<Order>),
    /// Do not.
    Denied(Order, DenyReason),
    /// Take it back: cancels are always approved.
    Cancel {
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Of what.
        instrument: InstrumentId,
    },
    /// Nothing is asked for: the order manager holds this order, which the journal has to know.
    Held(Order),
    /// Nothing is asked for: what else the journal has to know of the order manager.
    Note(Note),
}

impl Sequenced for Verdict {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// Most orders that can be live at once, over all strategies.
const LIVE_ORDERS_MAX: usize = 16_384;

/// See the module.
pub struct RiskStage {
    intents: LaneReceiver<Intent>,
    judge: Judge,
}

/// Who judges, apart from where intents come from, so that they are read where they lie.
struct Judge {
    table: InstrumentTable,
    limits: RiskLimits,
    verdicts: LaneSender<Verdict>,
    /// Absent when a journal is replayed: its denials are in the journal already.
    answers: Option<LaneSender<Answer>>,
    answer_delay_ns: u64,
    answer_count: u64,
    live: Vec<OrderState>,
    positions: Vec<Vec<Position>>,
    exposure: Exposure,
    wallets: Wallets,
    rates: Vec<RateWindow>,
    halted: bool,
    paused: Vec<bool>,
    filters: Vec<Filters>,
    now: Time,
    denied: Vec<u64>,
}

/// Live orders that bear on a new one.
#[derive(Debug, Default)]
struct Open {
    /// Unfilled, of the same strategy and instrument.
    buy: Qty,
    sell: Qty,
    /// How many those are.
    orders: u32,
    /// Best resting price of the other side in this instrument, of any strategy.
    own_opposite: Option<Price>,
    /// Of the same instrument, by kind.
    counts: OpenCounts,
    /// Of the same strategy, instrument and side: what reduces, or trades at once.
    leaving: Qty,
}

/// Orders within the last second, counted in eight slices of an eighth.
#[derive(Debug, Clone, Copy, Default)]
struct RateWindow {
    slices: [u32; 8],
    slice: u64,
}

impl RateWindow {
    const SLICE_NS: u64 = 125_000_000;

    fn roll(&mut self, now: Time) {
        let slice = now.0 / Self::SLICE_NS;
        let passed = slice.saturating_sub(self.slice).min(8);
        for n in 1..=passed {
            self.slices[((slice - passed + n) % 8) as usize] = 0;
        }
        self.slice = self.slice.max(slice);
    }

    fn count(&mut self, now: Time) -> u32 {
        self.roll(now);
        self.slices.iter().sum()
    }

    fn add(&mut self) {
        self.slices[(self.slice % 8) as usize] += 1;
    }
}

impl RiskStage {
    /// A stage for `strategies` strategies. `answers` carries denials back, `answer_delay_ns` after their cause.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        intents: LaneReceiver<Intent>,
        verdicts: LaneSender<Verdict>,
        answers: Option<LaneSender<Answer>>,
        answer_delay_ns: u64,
    ) -> Self {
        let judge = Judge {
            table: table.clone(),
            limits,
            verdicts,
            answers,
            answer_delay_ns,
            answer_count: 0,
            live: Vec::with_capacity(LIVE_ORDERS_MAX),
            positions: vec![vec![Position::default(); table.len()]; strategies],
            exposure: Exposure::new(table),
            wallets: Wallets::default(),
            rates: vec![RateWindow::default(); strategies],
            halted: false,
            paused: vec![false; table.len()],
            filters: table.all().iter().map(Filters::from).collect(),
            now: Time(0),
            denied: vec![0; 256],
        };
        Self { intents, judge }
    }

    /// The same with wallets, whose balances bound what can be ordered.
    #[must_use]
    pub fn with_wallets(mut self, wallets: Wallets) -> Self {
        self.judge.wallets = wallets;
        self
    }

    /// The same with the filters that the venue told, by instrument, in place of what instrument files say.
    #[must_use]
    pub fn with_filters(mut self, filters: Vec<Filters>) -> Self {
        self.judge.filters = filters;
        self
    }

    /// The same with what an earlier run left: positions, and orders that were with the venue, which need what they needed.
    #[must_use]
    pub fn resuming(mut self, desks: &[DeskState]) -> Self {
        let judge = &mut self.judge;
        for (positions, desk) in judge.positions.iter_mut().zip(desks) {
            for (index, (mine, theirs)) in positions.iter_mut().zip(&desk.positions).enumerate() {
                *mine = *theirs;
                if theirs.qty != Qty::ZERO {
                    // At its own price, until the market says another.
                    let price = i64::try_from(theirs.cost.0 / i128::from(theirs.qty.0)).unwrap_or(i64::MAX);
                    let instrument = InstrumentId(index as u16);
                    judge.exposure.moved(instrument, Qty::ZERO, theirs.qty, Price(price));
                }
            }
        }
        for live in desks.iter().flat_map(DeskState::with_the_venue) {
            let left = Order { qty: live.leaves(), ..live.order };
            judge.wallets.lock(&left, left.price);
            judge.live.push(*live);
        }
        self
    }

    /// The wallets as they now are.
    #[must_use]
    pub fn wallets(&self) -> &Wallets {
        &self.judge.wallets
    }

    /// Denials by reason, those that happened.
    pub fn denials(&self) -> impl Iterator<Item = (DenyReason, u64)> + '_ {
        DenyReason::ALL.iter().map(|r| (*r, self.judge.denied[*r as usize])).filter(|d| d.1 > 0)
    }
}

impl Judge {
    fn judge(&mut self, order: &Order, intent: &Intent) -> Result<(), DenyReason> {
        let instrument = self.table.get(order.instrument);
        let open = self.open(order);
        let strategy = order.strategy.index();
        let position = self.positions[strategy][order.instrument.index()].qty;
        let recent_orders = self.rates[strategy].count(self.now);
        let case = Case {
            order,
            instrument,
            top: &intent.reference,
            limits: &self.limits,
            position,
            open_buy: open.buy,
            open_sell: open.sell,
            open_orders: open.orders,
            leaving: open.leaving,
            filters: &self.filters[order.instrument.index()],
            counts: open.counts,
            exchange_counts: OpenCounts { orders: self.live.len() as u32, ..OpenCounts::default() },
            recent_orders,
            own_opposite: open.own_opposite,
            gross: self.exposure.gross(),
            payable: self.wallets.can_pay(order, Case::worst_price(order, &intent.reference, &self.limits)),
            halted: self.halted || self.paused[order.instrument.index()],
        };
        check_all(&case, order.reduce_only)?;
        if self.live.len() >= LIVE_ORDERS_MAX { Err(DenyReason::OpenOrders) } else { Ok(()) }
    }

    /// What is live already, as far as it bears on `order`; one pass.
    fn open(&self, order: &Order) -> Open {
        let mut open = Open::default();
        for live in &self.live {
            let o = &live.order;
            if o.instrument != order.instrument {
                continue;
            }
            open.counts.orders += 1;
            open.counts.algo += u32::from(o.kind.is_conditional());
            open.counts.iceberg += u32::from(o.extras.iceberg_qty.0 != 0);
            if o.strategy == order.strategy {
                open.orders = open.orders.saturating_add(1);
                let side = match o.side {
                    Side::Buy => &mut open.buy,
                    Side::Sell => &mut open.sell,
                };
                *side = Qty(side.0.saturating_add(live.leaves().0));
                if o.side == order.side && (o.reduce_only || o.kind == OrderKind::Market) {
                    open.leaving = Qty(open.leaving.0.saturating_add(live.leaves().0));
                }
            }
            if o.side != order.side && matches!(o.kind, OrderKind::Limit | OrderKind::PostOnly) {
                open.own_opposite = Some(match (open.own_opposite, order.side) {
                    (None, _) => o.price,
                    (Some(best), Side::Buy) => best.min(o.price),
                    (Some(best), Side::Sell) => best.max(o.price),
                });
            }
        }
        open
    }

    #[inline]
    fn on_intent(&mut self, intent: &Intent) {
        let body = match &intent.action {
            &Action::Cancel { order, strategy, instrument } => {
                VerdictBody::Cancel { order, strategy, instrument }
            }
            Action::Hold(order) => VerdictBody::Held(*order),
            Action::Note(note) => VerdictBody::Note(*note),
            Action::New(order) => {
                if intent.reference.is_two_sided() {
                    self.exposure.mark(order.instrument, intent.reference.mid());
                }
                match self.judge(order, intent) {
                    Ok(()) => {
                        self.rates[order.strategy.index()].add();
                        self.wallets.lock(order, Case::worst_price(order, &intent.reference, &self.limits));
                        self.live.push(OrderState::new(*order));
                        VerdictBody::Approved(Approved::new(*order))
                    }
                    Err(reason) => {
                        self.deny(intent.seq, order, reason);
                        VerdictBody::Denied(*order, reason)
                    }
                }
            }
        };
        self.verdicts.push(Verdict { seq: intent.seq, body });
    }

    /// Takes changed rules of an instrument over.
    fn change(&mut self, rules: &Rules) {
        self.table.change(rules);
        if let Some(filters) = self.filters.get_mut(rules.instrument.index()) {
            filters.change(rules);
        }
    }

    fn on_command(&mut self, command: Command) {
        let (instrument, paused) = match command {
            Command::Halt | Command::Resume => {
                self.halted = command == Command::Halt;
                return;
            }
            Command::Pause(instrument) => (instrument, true),
            Command::Unpause(instrument) => (instrument, false),
        };
        if let Some(flag) = self.paused.get_mut(instrument.index()) {
            *flag = paused;
        }
    }

    fn deny(&mut self, seq: u64, order: &Order, reason: DenyReason) {
        self.denied[reason as usize] += 1;
        let Some(answers) = &mut self.answers else { return };
        let denial =
            Denial { instrument: order.instrument, order: order.id, strategy: order.strategy, reason };
        self.answer_count += 1;
        answers.push(Answer {
            due: self.now.plus_nanos(self.answer_delay_ns),
            cause_seq: seq,
            origin: 0,
            number: self.answer_count,
            slot: Slot::denial(&denial),
        });
    }

    /// What happened to a position without an order.
    #[cold]
    fn on_position(&mut self, report: &Report) {
        let position = &mut self.positions[report.strategy.index()][report.instrument.index()];
        let before = *position;
        position.apply_report(report);
        let (held, realised) = (position.qty, position.realised.minus(before.realised));
        self.exposure.moved(report.instrument, before.qty, held, report.price);
        let traded = if report.kind == ReportKind::Liquidated { report.qty } else { Qty::ZERO };
        let &Report { order, instrument, side, price, fee, fee_asset, .. } = report;
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
    }

    fn on_report(&mut self, report: &Report) {
        if report.kind.is_of_position() {
            return self.on_position(report);
        }
        let Some(index) = self.live.iter().position(|o| o.order.id == report.order) else { return };
        let applied = self.live[index].apply(report.kind, report.qty, report.trade_id);
        if applied == Applied::Changed && report.kind == ReportKind::Fill {
            let position = &mut self.positions[report.strategy.index()][report.instrument.index()];
            let before = *position;
            position.book(report);
            let (qty, realised) = (position.qty, position.realised.minus(before.realised));
            self.exposure.moved(report.instrument, before.qty, qty, report.price);
            let &Report { order, instrument, side, qty, price, fee, fee_asset, .. } = report;
            self.wallets.fill(&WalletFill { order, instrument, side, qty, price, fee, fee_asset, realised });
        }
        if self.live[index].status.is_final() {
            self.wallets.close(report.order);
            self.live.remove(index);
        }
    }
}

impl<S: Shared> Stage<S> for RiskStage {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn room(&self) -> u64 {
        let answers = self.judge.answers.as_ref().map_or(u64::MAX, LaneSender::events_room);
        self.judge.verdicts.events_room().min(answers)
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, _shared: &S) {
        let Self { intents, judge } = self;
        if slot.is_first() {
            judge.now = slot.time();
        }
        if !slot.is_last() {
            return;
        }
        match slot.kind() {
            Kind::Trade | Kind::Quote | Kind::Levels => {}
            Kind::Report => {
                if let Some(report) = slot.as_report() {
                    judge.on_report(&report);
                }
            }
            _ => match slot.event() {
                Event::Command(command) => judge.on_command(command),
                Event::Rules(rules) => judge.change(&rules),
                _ => {}
            },
        }
        intents.take_up_to(seq, |intent| judge.on_intent(intent));
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_window_counts_one_second() {
        let mut window = RateWindow::default();
        let at = |ms: u64| Time(1_000_000_000_000 + ms * 1_000_000);
        window.count(at(0));
        window.add();
        window.count(at(500));
        window.add();
        assert_eq!(window.count(at(900)), 2);
        assert_eq!(window.count(at(1_000)), 1, "the first has left the window");
        assert_eq!(window.count(at(9_000)), 0);
    }
}
