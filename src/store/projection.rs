//! From a journal's entries to rows: a pure function of the journal, wherever its blocks end and however it is batched.
//!
//! Bars and tops of book come from the market stage itself, run again over the journal's slots, so that the rows hold
//! what the strategies saw and what the summary says. Orders and positions go by the same state machines as in
//! execution.

use super::facts;
use super::row::{
    BarRow, Batch, CommissionRow, DenialRow, EquityRow, FillRow, OrderEventRow, OrderRow, PositionRow,
    Watermark,
};
use super::worth::Worth;
use crate::domain::decimal::Scaled;
use crate::domain::event::{Denial, Event, FEE_DECIMALS, FeeAsset, Kind, Report};
use crate::domain::order::{Applied, Extras, OrderState, ReportKind, TimeInForce};
use crate::domain::{InstrumentId, InstrumentTable, OrderId, Position, Qty, Side, Slot, StrategyId, Time};
use crate::execution::{Record, RecordKind};
use crate::journal::{Entry, JournalHeader};
use crate::market::book::BookKeeper;
use crate::market::message::MarketBody;
use crate::market::stage::MarketSettings;
use crate::market::{Bar, MarketMessage, MarketStage, Sourcing, Top};
use crate::pipeline::{LaneReceiver, Shared, Stage, Stop, lane};
use crate::risk::rule_of;
use std::collections::{BTreeMap, HashMap};

/// See the module.
pub struct Projection {
    table: InstrumentTable,
    books: BookKeeper,
    market: MarketStage,
    messages: LaneReceiver<MarketMessage>,
    watched: Vec<bool>,
    tops: Vec<Top>,
    live: HashMap<OrderId, OrderState>,
    held: BTreeMap<(StrategyId, InstrumentId), Held>,
    /// Rows up to here are in the database already and are not made again.
    known: Watermark,
    seq: u64,
    time: Time,
    /// The last event has ended, and what it changed is not yet told.
    unfinished: bool,
    steps_in_event: u64,
    equity_ns: u64,
    next_point: u64,
    point_seq: u64,
}

#[derive(Default)]
struct Held {
    position: Position,
    changed: bool,
    told_seq: u64,
}

/// Why a journal's entries make no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The header's instruments make no table.
    #[error("its header's instruments do not fit together")]
    Instruments,
    /// An entry names what the header does not have.
    #[error("event {0} names an instrument that its header does not have")]
    UnknownInstrument(u64),
}

impl Projection {
    /// A projection at the beginning of a journal, that makes rows from `known` on, and a point of each equity curve
    /// every `equity_seconds` of the run's time.
    ///
    /// # Errors
    /// [`Unfit::Instruments`].
    pub fn new(header: &JournalHeader, known: Watermark, equity_seconds: u32) -> Result<Self, Unfit> {
        let table = InstrumentTable::new(header.instruments.clone()).map_err(|_| Unfit::Instruments)?;
        let mut watched = vec![header.strategies.is_empty(); table.len()];
        for id in header.strategies.iter().flat_map(|s| &s.instruments) {
            *watched.get_mut(id.index()).ok_or(Unfit::Instruments)? = true;
        }
        let settings = MarketSettings {
            bar: header.bar,
            bar_grace_ns: header.bar_grace_ns,
            incomplete_bars: header.incomplete_bars,
        };
        let messages_max = MarketStage::messages_per_event_max(&watched, &[]);
        let (to, messages) = lane("market→store", 8 * messages_max, messages_max, &Stop::new());
        let market = MarketStage::new(&table, &watched, &[], settings, to).map_err(|_| Unfit::Instruments)?;
        let fed = Sourcing { aggregates: header.aggregates, ..Sourcing::default() };
        let market = market.with_sourcing(&table, &vec![fed; table.len()]);
        let books = BookKeeper::new(table.all(), |i| watched[i.id.index()]);
        // What an earlier run left: its orders have their rows with that run, and its positions go on here.
        let (mut live, mut held) = (HashMap::new(), BTreeMap::new());
        let desks = header.resumed.iter().flat_map(|resumed| &resumed.desks);
        for (strategy, desk) in (0..=u8::MAX).map(StrategyId).zip(desks) {
            live.extend(desk.with_the_venue().map(|state| (state.order.id, *state)));
            let traded = (0..).map(InstrumentId).zip(&desk.positions).filter(|(_, p)| p.fills > 0);
            held.extend(traded.map(|(id, p)| ((strategy, id), Held { position: *p, ..Held::default() })));
        }
        Ok(Self {
            books,
            market,
            messages,
            watched,
            tops: vec![Top::default(); table.len()],
            table,
            live,
            held,
            known,
            seq: 0,
            time: Time(0),
            unfinished: false,
            steps_in_event: 0,
            equity_ns: u64::from(equity_seconds.max(1)) * 1_000_000_000,
            next_point: 0,
            point_seq: 0,
        })
    }

    /// Takes one entry; `block_ends` where it is the last of its block.
    ///
    /// # Errors
    /// [`Unfit::UnknownInstrument`].
    #[inline]
    pub fn apply(&mut self, entry: &Entry, block_ends: bool, out: &mut Batch) -> Result<(), Unfit> {
        match entry {
            Entry::Slot(slot) => self.on_slot(slot, out)?,
            Entry::Record(record) => self.on_record(record, out)?,
            Entry::End => {}
        }
        if block_ends {
            self.finish_event(out);
        }
        Ok(())
    }

    /// The run came to its end: the last point of everything.
    pub fn end(&mut self, out: &mut Batch) {
        self.finish_event(out);
        if !self.known.ended {
            let seq = self.seq;
            let untold: Vec<_> =
                self.held.iter().filter(|(_, h)| h.told_seq != seq).map(|(k, _)| *k).collect();
            // Rows of the run's end are at its last event, which may be known while they are not.
            for key in untold {
                self.tell_position(key, true, out);
            }
            if self.point_seq != seq {
                self.tell_equity(true, out);
            }
        }
        out.upto.ended = true;
    }

    /// The last event taken.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether rows of the present event are still to be made.
    #[inline]
    fn is_new(&self) -> bool {
        self.seq > self.known.seq
    }

    fn on_slot(&mut self, slot: &Slot, out: &mut Batch) -> Result<(), Unfit> {
        if slot.is_first() {
            self.finish_event(out);
        }
        self.seq += 1;
        if slot.is_first() {
            self.time = slot.time();
        }
        let id = slot.instrument();
        let kind = slot.kind();
        if id.index() >= self.watched.len() && !matches!(kind, Kind::Clock | Kind::Command) {
            return Err(Unfit::UnknownInstrument(self.seq));
        }
        if matches!(kind, Kind::Clock | Kind::Command) || self.watched[id.index()] {
            self.books.on_slot(slot);
            self.market.on_slot(self.seq, slot, &self.books);
        } else if slot.is_first() {
            // No book is kept of what is not traded, but its events let time pass, which closes bars.
            let mut tick = Slot::clock();
            tick.stamp(self.time, 0, 0);
            self.books.on_slot(&tick);
            self.market.on_slot(self.seq, &tick, &self.books);
        }
        while let Some(message) = self.messages.pop() {
            match message.body {
                MarketBody::Top(id, top) => self.tops[id.index()] = top,
                MarketBody::Bar(bar) => self.on_bar(&bar, out),
                MarketBody::PastBar(_) | MarketBody::Value { .. } | MarketBody::Path { .. } => {}
            }
        }
        if slot.is_last() {
            self.unfinished = true;
            match slot.event() {
                Event::Report(report) => self.on_report(&report, out),
                Event::Denial(denial) => self.on_denial(&denial, out),
                _ => {}
            }
        }
        Ok(())
    }

    fn on_bar(&mut self, bar: &Bar, out: &mut Batch) {
        if !self.is_new() {
            return;
        }
        let instrument = self.table.get(bar.instrument);
        let price = |p| facts::price(p, instrument);
        out.bars.push(BarRow {
            seq: self.seq,
            instrument: u64::from(bar.instrument.0),
            start_ns: bar.start,
            open: price(bar.open),
            high: price(bar.high),
            low: price(bar.low),
            close: price(bar.close),
            volume: facts::qty(bar.volume, instrument),
            trades: u64::from(bar.trades),
        });
    }

    fn on_record(&mut self, record: &Record, out: &mut Batch) -> Result<(), Unfit> {
        let order = &record.order;
        if order.instrument.index() >= self.table.len() {
            return Err(Unfit::UnknownInstrument(record.seq));
        }
        match record.kind {
            RecordKind::Cancel => {
                if let Some(state) = self.live.get_mut(&order.id) {
                    state.cancel_sent();
                    let state = *state;
                    self.tell_step(&state, "cancel-sent", out);
                }
                return Ok(());
            }
            RecordKind::Order => {
                self.live.insert(order.id, OrderState::new(*order));
            }
            RecordKind::Denied => {}
            // The order manager's: an order has its row once it is sent.
            _ => return Ok(()),
        }
        if self.is_new() {
            let instrument = self.table.get(order.instrument);
            let has_limit = order.kind.has_limit();
            let Extras { stop_price, iceberg_qty, trailing_bps, other_leg: _ } = order.extras;
            out.orders.push(OrderRow {
                seq: self.seq,
                time_ns: self.time,
                order_no: order.id.0,
                strategy: u64::from(order.strategy.0),
                instrument: u64::from(order.instrument.0),
                side: side(order.side),
                kind: order.kind.label(),
                tif: match order.tif {
                    TimeInForce::Gtc => "gtc",
                    TimeInForce::Ioc => "ioc",
                    TimeInForce::Fok => "fok",
                },
                reduce_only: order.reduce_only,
                qty: facts::qty(order.qty, instrument),
                price: has_limit.then(|| facts::price(order.price, instrument)),
                client_id: record.client_id,
                denied: record.denied.map(|reason| reason.label()),
                stop_price: (stop_price.0 != 0).then(|| facts::price(stop_price, instrument)),
                iceberg_qty: (iceberg_qty.0 != 0).then(|| facts::qty(iceberg_qty, instrument)),
                trailing_bps: (trailing_bps != 0).then_some(u64::from(trailing_bps)),
            });
        }
        Ok(())
    }

    fn on_denial(&self, denial: &Denial, out: &mut Batch) {
        if !self.is_new() {
            return;
        }
        let rule = rule_of(denial.reason);
        let instrument = self.table.get(denial.instrument);
        let exact =
            rule.and_then(|rule| rule.unit.exact((denial.limit, denial.value, denial.measure), instrument));
        out.denials.push(DenialRow {
            seq: self.seq,
            time_ns: self.time,
            order_no: denial.order.0,
            strategy: u64::from(denial.strategy.0),
            instrument: u64::from(denial.instrument.0),
            reason: denial.reason.label(),
            rule: rule.map(|rule| rule.name),
            rule_limit: exact.and_then(|exact| exact.limit),
            order_value: exact.and_then(|exact| exact.value),
            unit: exact.map(|exact| exact.unit.to_owned()),
            subject: denial.measure.map(|measure| measure.subject.label()),
            binds: denial.measure.map(|measure| measure.binds.label()),
        });
    }

    fn on_report(&mut self, report: &Report, out: &mut Batch) {
        if report.kind.is_of_position() {
            let held = self.held.entry((report.strategy, report.instrument)).or_default();
            held.position.apply_report(report);
            held.changed = true;
            self.on_commission(report, out);
            return;
        }
        let Some(state) = self.live.get_mut(&report.order) else {
            // Of an order that is over: a trade is money whatever became of it, and is told once.
            if report.kind == ReportKind::Fill && report.qty.0 > 0 {
                self.book(report, out);
            }
            return;
        };
        let applied = state.apply(report.kind, report.qty, report.trade_id);
        let state = *state;
        if state.status.is_final() {
            self.live.remove(&report.order);
        }
        if applied != Applied::Changed {
            return;
        }
        let event = match report.kind {
            ReportKind::Accepted => "accepted",
            ReportKind::Rejected => "rejected",
            ReportKind::Fill => "fill",
            ReportKind::Canceled => "canceled",
            ReportKind::Expired => "expired",
            ReportKind::CancelRejected => "cancel-rejected",
            ReportKind::Funding => "funding",
            ReportKind::Liquidated => "liquidated",
            ReportKind::Commission => "commission",
        };
        self.tell_step(&state, event, out);
        if report.kind == ReportKind::Fill {
            self.book(report, out);
        }
    }

    /// What was taken in a third asset: it comes behind its trade, and once more, with no amount, where its worth is known only
    /// then.
    fn on_commission(&self, report: &Report, out: &mut Batch) {
        let Some((asset, amount)) = report.paid().filter(|_| self.is_new()) else { return };
        out.commissions.push(CommissionRow {
            seq: self.seq,
            time_ns: self.time,
            order_no: report.order.0,
            trade_id: report.trade_id,
            strategy: u64::from(report.strategy.0),
            instrument: u64::from(report.instrument.0),
            asset: asset.to_string(),
            amount: (amount != 0).then(|| fee(amount.into())),
            fee: (report.fee != 0).then(|| fee(report.fee.into())),
        });
    }

    fn book(&mut self, report: &Report, out: &mut Batch) {
        let held = self.held.entry((report.strategy, report.instrument)).or_default();
        held.position.book(report);
        held.changed = true;
        if self.is_new() {
            let instrument = self.table.get(report.instrument);
            out.fills.push(FillRow {
                seq: self.seq,
                time_ns: self.time,
                order_no: report.order.0,
                strategy: u64::from(report.strategy.0),
                instrument: u64::from(report.instrument.0),
                side: side(report.side),
                qty: facts::qty(report.qty, instrument),
                price: facts::price(report.price, instrument),
                fee: match report.fee_asset {
                    FeeAsset::Quote => fee(report.fee.into()),
                    FeeAsset::Base => Scaled {
                        value: report.price.times(Qty(report.fee)).0,
                        decimals: instrument.notional_decimals(),
                    },
                },
                maker: report.maker,
                trade_id: report.trade_id,
            });
        }
    }

    fn tell_step(&mut self, state: &OrderState, event: &'static str, out: &mut Batch) {
        self.steps_in_event += 1;
        if self.is_new() {
            let instrument = self.table.get(state.order.instrument);
            out.order_events.push(OrderEventRow {
                seq: self.seq,
                nth: self.steps_in_event,
                time_ns: self.time,
                order_no: state.order.id.0,
                event,
                status: state.status.label(),
                filled: facts::qty(state.filled, instrument),
            });
        }
    }

    /// Tells what an event changed once it and its records are over: positions, and points of equity that are due.
    fn finish_event(&mut self, out: &mut Batch) {
        if !self.unfinished {
            return;
        }
        self.unfinished = false;
        self.steps_in_event = 0;
        let due = self.time.0 >= self.next_point;
        let first = self.next_point == 0;
        if due {
            self.next_point = (self.time.0 / self.equity_ns + 1).saturating_mul(self.equity_ns);
        }
        let point = due && !first;
        if point || self.held.values().any(|h| h.changed) {
            let told: Vec<_> = self
                .held
                .iter()
                .filter(|(_, h)| h.changed || (point && h.position.qty.0 != 0))
                .map(|(key, _)| *key)
                .collect();
            let new = self.is_new();
            for key in told {
                self.tell_position(key, new, out);
            }
            if point {
                self.tell_equity(new, out);
            }
        }
        out.upto.seq = self.seq.max(self.known.seq);
        out.time = self.time;
    }

    fn tell_position(&mut self, key: (StrategyId, InstrumentId), new: bool, out: &mut Batch) {
        let (seq, time) = (self.seq, self.time);
        let Some(held) = self.held.get_mut(&key) else { return };
        held.changed = false;
        held.told_seq = seq;
        if !new {
            return;
        }
        let instrument = self.table.get(key.1);
        let (position, mark) = (&held.position, self.tops[key.1.index()].mid());
        let value = |value| Scaled { value, decimals: instrument.notional_decimals() };
        let worth = Worth::of(position, mark, instrument);
        out.positions.push(PositionRow {
            seq,
            time_ns: time,
            strategy: u64::from(key.0.0),
            instrument: u64::from(key.1.0),
            qty: facts::qty(position.qty, instrument),
            cost: value(position.cost.0),
            realised: value(position.realised.0),
            mark: facts::price(mark, instrument),
            unrealised: value(position.unrealised(mark).0),
            fees: match position.fees_in_base.0 {
                0 => fee(position.fees.into()),
                _ => worth.shown(worth.fees),
            },
            net: worth.net(),
            turnover: value(position.turnover.0),
            fills: position.fills,
        });
    }

    fn tell_equity(&mut self, new: bool, out: &mut Batch) {
        self.point_seq = self.seq;
        if !new {
            return;
        }
        let mut sums: BTreeMap<(StrategyId, &str), Worth> = BTreeMap::new();
        for ((strategy, id), held) in &self.held {
            let instrument = self.table.get(*id);
            let worth = Worth::of(&held.position, self.tops[id.index()].mid(), instrument);
            sums.entry((*strategy, instrument.quote.as_str()))
                .and_modify(|sum| *sum = sum.plus(&worth))
                .or_insert(worth);
        }
        for ((strategy, quote), sum) in sums {
            out.equity.push(EquityRow {
                seq: self.seq,
                time_ns: self.time,
                strategy: u64::from(strategy.0),
                quote: quote.to_owned(),
                realised: sum.shown(sum.realised),
                unrealised: sum.shown(sum.unrealised),
                fees: sum.shown(sum.fees),
                net: sum.net(),
            });
        }
    }
}

fn fee(value: i128) -> Scaled {
    Scaled { value, decimals: FEE_DECIMALS }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}
