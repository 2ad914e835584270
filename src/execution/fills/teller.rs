//! The teller: what every fill model says, and what each fill costs.
//!
//! Owns: trade ids, fees, the account, and the answers' way back. A model decides who trades how much at which price;
//! nothing reaches the ring but through here.

use super::account::Account;
use super::latency::Latencies;
use super::slippage::Slippage;
use super::tiers::FeeTiers;
use crate::domain::event::{FEE_DECIMALS, FeeAsset, Report};
use crate::domain::order::ReportKind;
use crate::domain::{
    InstrumentId, InstrumentTable, Order, OrderId, OrderKind, Price, Qty, Side, Slot, StrategyId, Time,
    ledger,
};
use crate::pipeline::{Answer, LaneSender};
use crate::venue::binance::filters::{FilterName, Filters, MarketState, Terms};

/// The most answers one event may cause; more wait for the next event.
pub const ANSWERS_PER_EVENT_MAX: usize = 1_024;

/// See the module.
pub struct Teller {
    pub(super) table: InstrumentTable,
    pub(super) account: Account,
    pub(super) latencies: Latencies,
    pub(super) slippage: Slippage,
    pub(super) tiers: FeeTiers,
    pub(super) now: Time,
    pub(super) seq: u64,
    filters: Vec<Filters>,
    /// Absent when a journal is replayed: its answers are in the journal already.
    answers: Option<LaneSender<Answer>>,
    floor_ns: u64,
    told: usize,
    /// Answers keep their order, as on one connection.
    last_due: Time,
    answer_count: u64,
    trade_count: u64,
    /// By instrument: orders that found no market.
    unmet: Vec<u64>,
}

impl Teller {
    /// A teller whose answers are `floor_ns` after their cause at the soonest.
    #[must_use]
    pub(super) fn new(
        table: &InstrumentTable,
        account: Account,
        latencies: Latencies,
        slippage: Slippage,
        tiers: FeeTiers,
        answers: Option<LaneSender<Answer>>,
        floor_ns: u64,
    ) -> Self {
        Self {
            table: table.clone(),
            filters: table.all().iter().map(Filters::from).collect(),
            account,
            latencies,
            slippage,
            tiers,
            answers,
            floor_ns,
            now: Time(0),
            seq: 0,
            told: 0,
            last_due: Time(0),
            answer_count: 0,
            trade_count: 0,
            unmet: vec![0; table.len()],
        }
    }

    pub(super) fn begin(&mut self, seq: u64) {
        (self.seq, self.told) = (seq, 0);
    }

    /// Whether answers go out at all.
    pub(super) fn answers(&self) -> bool {
        self.answers.is_some()
    }

    /// Whether so many more answers can be given to this event.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.told + more <= ANSWERS_PER_EVENT_MAX
    }

    pub(super) fn events_room(&self) -> u64 {
        self.answers.as_ref().map_or(u64::MAX, LaneSender::events_room)
    }

    fn tell(&mut self, report: &Report) {
        let Some(answers) = &mut self.answers else { return };
        let due = self.latencies.answer(report.instrument, self.now, self.floor_ns).max(self.last_due);
        self.last_due = due;
        self.told += 1;
        self.answer_count += 1;
        let slot = Slot::report(report);
        answers.push(Answer { due, cause_seq: self.seq, origin: 1, number: self.answer_count, slot });
    }

    /// Asks for a moment, as a waker says.
    pub(super) fn ask(&mut self, asked: Option<Answer>) {
        if let (Some(answers), Some(asked)) = (&mut self.answers, asked) {
            answers.push(asked);
        }
    }

    /// Says something of an order that is no fill.
    pub(super) fn say(&mut self, order: &Order, kind: ReportKind) {
        self.tell(&Report::of(order, kind));
    }

    /// Rejects an order for which there is nothing to meet, nor to rest beside.
    pub(super) fn unmet(&mut self, order: &Order) {
        self.unmet[order.instrument.index()] += 1;
        self.say(order, ReportKind::Rejected);
    }

    /// How many orders of an instrument those were.
    pub(super) fn unmet_of(&self, instrument: InstrumentId) -> u64 {
        self.unmet[instrument.index()]
    }

    /// Ends an order of which `rested` rested.
    pub(super) fn end(&mut self, order: &Order, rested: i64, kind: ReportKind) {
        self.account.ended(order, rested);
        self.say(order, kind);
    }

    /// Fills a part of an order, or all that is left of it. `maker`: its fee is that of an order that rested, as it is
    /// counted among the `rested` until now.
    pub(super) fn fill(&mut self, order: &Order, qty: i64, price: Price, maker: bool, rested: bool) {
        let instrument = self.table.get(order.instrument);
        let qty = Qty(qty);
        let rate = self.tiers.rate(self.now, instrument, maker);
        let value = price.times(qty);
        let decimals = instrument.notional_decimals();
        let fee = ledger::fee(value, decimals, rate);
        const { assert!(FEE_DECIMALS == 8) };
        self.tiers.traded(self.now, crate::risk::rule::quote_units(value, decimals));
        self.trade_count += 1;
        let trade_id = self.trade_count;
        self.account.filled(order, qty, price, fee, rested);
        self.tell(&Report { qty, price, fee, trade_id, maker, ..Report::of(order, ReportKind::Fill) });
    }

    /// What happened to a position without an order.
    pub(super) fn of_position(
        &mut self,
        kind: ReportKind,
        (strategy, instrument): (StrategyId, InstrumentId),
        (side, qty): (Side, Qty),
        price: Price,
        fee: i64,
    ) {
        self.trade_count += 1;
        let (order, trade_id, maker) = (OrderId(0), self.trade_count, false);
        let fee_asset = FeeAsset::Quote;
        self.tell(&Report {
            instrument,
            order,
            strategy,
            side,
            kind,
            qty,
            price,
            fee,
            fee_asset,
            trade_id,
            maker,
        });
    }

    /// The price that a market order of this size comes to where nothing but a last price is known.
    pub(super) fn worsened(&self, order: &Order, qty: i64, price: Price, volume: i64) -> Price {
        let instrument = self.table.get(order.instrument);
        self.slippage.worsened(order.side, price, Qty(qty), volume, instrument)
    }

    /// Whether the venue takes an order where its market is at `price`, which, where it has no limit, may come to `worst`;
    /// says so where it does not.
    pub(super) fn admits(&mut self, order: &Order, price: Price, worst: Price) -> bool {
        let market = MarketState { reference: None, average: Some(price), last: Some(price) };
        let filters = &self.filters[order.instrument.index()];
        let passes = match filters.check_values(&Terms::from(order), &market) {
            Ok(()) => true,
            // What only reduces may be as little as is left.
            Err(breach) => {
                let of_value = matches!(breach.filter, FilterName::MinNotional | FilterName::Notional);
                order.reduce_only && of_value && !matches!(order.kind, OrderKind::Limit | OrderKind::PostOnly)
            }
        };
        let worst = if order.kind.has_limit() { order.price } else { worst };
        if !passes || !self.account.bears(order, worst) {
            self.say(order, ReportKind::Rejected);
            return false;
        }
        self.account.lock(order, worst);
        true
    }

    /// Follows changed rules.
    pub(super) fn change(&mut self, rules: &crate::domain::event::Rules) {
        self.table.change(rules);
        if let Some(filters) = self.filters.get_mut(rules.instrument.index()) {
            filters.change(rules);
        }
    }
}
