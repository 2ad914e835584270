//! The execution stage: order states and ledgers of record.

use super::record::{self, Record, RecordKind};
use super::score::Score;
use crate::domain::event::Report;
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::{
    ClientOrderId, DenyReason, InstrumentId, InstrumentTable, Lots, Order, OrderId, Passed, Position, Slot,
    StrategyId, Stretch,
};
use crate::pipeline::{LaneReceiver, LaneSender, Lull, Sequenced, Shared, Stage};
use crate::risk::{Approved, Verdict, VerdictBody};
use crate::strategy::desk::DeskState;

/// What a gateway is told.
#[derive(Debug, Clone, Copy)]
pub enum GatewayMessage {
    /// Place this order.
    New {
        /// The event that caused it.
        seq: u64,
        /// The order; only risk can have approved it.
        order: Approved<Order>,
        /// The id the venue will know it by.
        client_id: ClientOrderId,
    },
    /// Take this order back.
    Cancel {
        /// The event that caused it.
        seq: u64,
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Of what.
        instrument: InstrumentId,
        /// The id the venue knows it by.
        client_id: ClientOrderId,
    },
}

impl Sequenced for GatewayMessage {
    fn seq(&self) -> u64 {
        match self {
            GatewayMessage::New { seq, .. } | GatewayMessage::Cancel { seq, .. } => *seq,
        }
    }
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecutionCounts {
    /// Orders and denied orders asked for.
    pub intents: u64,
    /// Of those, denied.
    pub denials: u64,
    /// Orders handed to the gateway.
    pub orders: u64,
    /// Cancels handed to the gateway.
    pub cancels: u64,
    /// Fills booked.
    pub fills: u64,
    /// Orders the venue refused.
    pub rejected: u64,
    /// Reports on orders we do not know.
    pub unknown_reports: u64,
    /// Fills beyond an order's quantity: never booked, always a fault.
    pub overfills: u64,
}

/// Most orders that can be live at once.
const LIVE_ORDERS_MAX: usize = 16_384;

/// See the module.
pub struct ExecutionStage {
    verdicts: LaneReceiver<Verdict>,
    keeper: Keeper,
}

/// Who keeps the states, apart from where verdicts come from, so that they are read where they lie.
struct Keeper {
    /// The id of no order, which has the epoch in it.
    client_ids: ClientOrderId,
    records: LaneSender<Record>,
    gateway: LaneSender<GatewayMessage>,
    live: Vec<OrderState>,
    positions: Vec<Vec<Position>>,
    /// The same lot by lot, where profit is told by FIFO.
    lots: Option<Vec<Vec<Lots>>>,
    counts: ExecutionCounts,
    /// Of a backtest.
    score: Option<Box<Score>>,
}

impl ExecutionStage {
    /// A stage for `strategies` strategies; `epoch` goes into every client order id.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        epoch: u64,
        verdicts: LaneReceiver<Verdict>,
        records: LaneSender<Record>,
        gateway: LaneSender<GatewayMessage>,
    ) -> Self {
        let keeper = Keeper {
            client_ids: ClientOrderId::derive(epoch, OrderId(0)),
            records,
            gateway,
            live: Vec::with_capacity(LIVE_ORDERS_MAX),
            positions: vec![vec![Position::default(); table.len()]; strategies],
            lots: None,
            counts: ExecutionCounts::default(),
            score: None,
        };
        Self { verdicts, keeper }
    }

    /// The same, keeping the score of a backtest.
    #[must_use]
    pub fn with_score(mut self, score: Option<Score>) -> Self {
        self.keeper.score = score.map(Box::new);
        self
    }

    /// The score, taken out, if one was kept.
    pub fn take_score(&mut self) -> Option<Score> {
        self.keeper.score.take().map(|score| *score)
    }

    /// The same with what an earlier run left: positions, and orders that were with the venue.
    #[must_use]
    pub fn resuming(mut self, desks: &[DeskState]) -> Self {
        self.keeper.live.extend(desks.iter().flat_map(DeskState::with_the_venue));
        for (positions, desk) in self.keeper.positions.iter_mut().zip(desks) {
            positions.iter_mut().zip(&desk.positions).for_each(|(mine, theirs)| *mine = *theirs);
        }
        self
    }

    /// The same, keeping the lots of its positions. `left` are those of an earlier run, by strategy and instrument; where
    /// they are not those of its position, the position is one lot at its cost.
    #[must_use]
    pub fn with_lots(mut self, left: &[Vec<Lots>]) -> Self {
        let lots = self.keeper.positions.iter().enumerate().map(|(strategy, positions)| {
            let lots = positions.iter().enumerate().map(|(instrument, position)| {
                let left = left.get(strategy).and_then(|left| left.get(instrument));
                let fits = left.filter(|left| left.qty() == position.qty);
                fits.cloned().unwrap_or_else(|| Lots::carried(position))
            });
            lots.collect::<Vec<_>>()
        });
        self.keeper.lots = Some(lots.collect());
        self
    }

    /// Lots by strategy and instrument, where they are kept.
    #[must_use]
    pub fn lots(&self) -> Option<&[Vec<Lots>]> {
        self.keeper.lots.as_deref()
    }

    /// What happened.
    #[must_use]
    pub fn counts(&self) -> ExecutionCounts {
        self.keeper.counts
    }

    /// Positions of record, by strategy and instrument.
    #[must_use]
    pub fn positions(&self) -> &[Vec<Position>] {
        &self.keeper.positions
    }

    /// Orders that are not final.
    #[must_use]
    pub fn live(&self) -> &[OrderState] {
        &self.keeper.live
    }
}

impl Keeper {
    #[inline]
    fn record(
        &mut self,
        seq: u64,
        kind: RecordKind,
        order: Order,
        denied: Option<DenyReason>,
    ) -> ClientOrderId {
        let client_id = self.client_ids.with_order(order.id);
        let record = Record { seq, kind, order, denied, client_id };
        if let Some(score) = &mut self.score {
            score.on_record(&record);
        }
        self.records.push(record);
        client_id
    }

    #[inline]
    fn on_verdict(&mut self, verdict: &Verdict) {
        let seq = verdict.seq;
        match verdict.body {
            VerdictBody::Approved(approved) => {
                let order = *approved.get();
                self.counts.intents += 1;
                self.counts.orders += 1;
                let client_id = self.record(seq, RecordKind::Order, order, None);
                if let Some(score) = &mut self.score {
                    score.decided(order.id, verdict.decided);
                }
                self.live.push(OrderState::new(order));
                self.gateway.push(GatewayMessage::New { seq, order: approved, client_id });
            }
            VerdictBody::Denied(order, reason) => {
                self.counts.intents += 1;
                self.counts.denials += 1;
                self.record(seq, RecordKind::Denied, order, Some(reason));
            }
            VerdictBody::Held(order) => {
                self.record(seq, RecordKind::Held, order, None);
            }
            VerdictBody::Note(note) => {
                let (kind, order) = record::of_note(&note);
                self.record(seq, kind, order, None);
            }
            VerdictBody::Cancel { order, strategy, instrument } => {
                let Some(state) = self.live.iter_mut().find(|o| o.order.id == order) else {
                    // Risk denied it a moment ago, which its strategy had not heard yet: nobody to tell, but the journal.
                    let asked = record::nothing_of(order, strategy, instrument);
                    self.record(seq, RecordKind::Cancel, asked, None);
                    return;
                };
                state.cancel_sent();
                let asked = state.order;
                self.counts.cancels += 1;
                let client_id = self.record(seq, RecordKind::Cancel, asked, None);
                self.gateway.push(GatewayMessage::Cancel { seq, order, strategy, instrument, client_id });
            }
        }
    }

    fn book_lots(&mut self, report: &Report) {
        if let Some(lots) = &mut self.lots {
            lots[report.strategy.index()][report.instrument.index()].book_report(report);
        }
    }

    fn book(&mut self, report: &Report) {
        self.counts.fills += 1;
        self.positions[report.strategy.index()][report.instrument.index()].book(report);
        self.book_lots(report);
        if let Some(score) = &mut self.score {
            score.on_report(report, &self.positions);
        }
    }

    /// A report of an order that is over, or was never ours. A trade is money whatever became of its order, and the client
    /// tells each once: it is booked to whose it was.
    fn on_late(&mut self, report: &Report) {
        self.counts.unknown_reports += 1;
        let of = self.positions.get(report.strategy.index());
        let known = of.is_some_and(|of| report.instrument.index() < of.len());
        if known && report.kind == ReportKind::Fill && report.qty.0 > 0 {
            self.book(report);
        }
    }

    fn on_report(&mut self, report: &Report) {
        if report.kind.is_of_position() {
            self.positions[report.strategy.index()][report.instrument.index()].apply_report(report);
            self.book_lots(report);
            if let Some(score) = &mut self.score {
                score.on_report(report, &self.positions);
            }
            return;
        }
        let Some(index) = self.live.iter().position(|o| o.order.id == report.order) else {
            return self.on_late(report);
        };
        match self.live[index].apply(report.kind, report.qty, report.trade_id) {
            Applied::Overfill => self.counts.overfills += 1,
            Applied::Changed if report.kind == ReportKind::Fill => {
                self.book(report);
            }
            Applied::Changed | Applied::Ignored => {}
        }
        self.counts.rejected += u64::from(report.kind == ReportKind::Rejected);
        if self.live[index].status.is_final() {
            if let Some(score) = &mut self.score {
                score.ended(report.order);
            }
            self.live.remove(index);
        }
    }
}

impl<S: Shared> Stage<S> for ExecutionStage {
    fn name(&self) -> &'static str {
        "execution"
    }

    fn room(&self) -> u64 {
        self.keeper.records.events_room().min(self.keeper.gateway.events_room())
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, shared: &S) {
        let Self { verdicts, keeper } = self;
        if let Some(score) = &mut keeper.score {
            score.on_slot(slot, &keeper.positions, shared);
        }
        if !slot.is_last() {
            return;
        }
        if let Some(report) = slot.as_report() {
            keeper.on_report(&report);
        }
        verdicts.take_up_to(seq, |verdict| keeper.on_verdict(verdict));
    }

    fn is_calm(&self, lull: &Lull) -> bool {
        self.keeper.score.as_ref().is_none_or(|score| score.is_calm(lull))
    }

    fn shorten(&mut self, stretch: &mut Stretch<'_>) {
        if let Some(score) = &self.keeper.score {
            score.shorten(stretch);
        }
    }

    fn is_calm_in_trades(&self, _instrument: InstrumentId) -> bool {
        true
    }

    fn pass_over_trades(&mut self, _seq: u64, trades: &[Slot]) {
        let Keeper { score, positions, .. } = &mut self.keeper;
        if let Some(score) = score {
            trades.iter().for_each(|slot| score.on_slot(slot, positions, &()));
        }
    }

    fn pass_over_bars(&mut self, _passed: Passed, stretch: &Stretch<'_>) {
        let Keeper { score, positions, .. } = &mut self.keeper;
        if let Some(score) = score {
            score.pass_over_bars(stretch, positions);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
