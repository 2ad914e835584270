//! The score of a backtest: fills, round trips and equity, kept beside the ledgers of record.
//!
//! Owns: when a point of equity is taken. One is taken at the end of each interval in which the market said something,
//! after every event up to that moment and before the first one later; so a bar that closes at midnight is in the day
//! that ends there. Where that end is long after what happened, as of days of a market that closes, the point is at the end
//! of the hour in which the last did: a month, or a day, has what came about in it, whatever the interval. Prices are last trades, closes of bars, or, where an instrument has neither, middles of quotes and of
//! books; what a bar came to on its way is a guess, fills apart, and no price to value anything at.

use super::record::Record;
use crate::domain::event::{FEE_DECIMALS, Kind, Report};
use crate::domain::order::ReportKind;
use crate::domain::performance::{
    EquityPoint, FillRow, FundingRow, Outcome, PricePoint, Provenance, RoundTrip, scale,
};
use crate::domain::{
    Instrument, InstrumentId, InstrumentTable, Notional, OrderId, Position, Price, Qty, Side, Slot, Stretch,
    Time,
};
use crate::pipeline::{Lull, Shared};

/// What a score is to be.
#[derive(Debug, Clone)]
pub struct ScoreSettings {
    /// The asset of all amounts.
    pub currency: String,
    /// What everything is worth at first, units of 10^-8.
    pub start: i64,
    /// Between points of equity, ns.
    pub interval_ns: u64,
    /// When it begins: what comes before only says what prices are.
    pub from: Time,
    /// By instrument: whether strategies have it.
    pub watched: Vec<bool>,
    /// Whether every decision is kept, to compare with those of another run.
    pub decisions: bool,
}

/// The most that a point of equity is later than what it tells of.
const LATE_NS: u64 = 3_600_000_000_000;

/// Fills for which there is room from the start.
const FILLS_AT_FIRST: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub struct Score {
    settings: ScoreSettings,
    outcome: Outcome,
    /// Last prices, by instrument.
    marks: Vec<Price>,
    /// Whether the last price was a trade's or a bar's.
    traded: Vec<bool>,
    /// Places of open round trips, by strategy and instrument.
    open: Vec<Vec<Option<usize>>>,
    next_point: Time,
    now: Time,
    /// Of the last event of the market.
    market_time: Time,
    /// Whether the market has said anything since the last point.
    told: bool,
    /// When something last changed what equity is: a price or a fill.
    changed: Time,
    begun: bool,
    /// What live orders were decided by: bid and ask.
    decided: Vec<(OrderId, [Price; 2])>,
    decisions: Vec<(Time, Record)>,
}

impl Score {
    /// Nothing yet, for `strategies` strategies.
    #[must_use]
    pub fn new(table: &InstrumentTable, strategies: usize, settings: ScoreSettings) -> Self {
        let decimals = table.all().iter().map(Instrument::notional_decimals).max().unwrap_or(0);
        let decimals = decimals.max(FEE_DECIMALS);
        let outcome = Outcome {
            currency: settings.currency.clone(),
            decimals,
            start: scale(i128::from(settings.start), 8, decimals),
            instruments: table.all().to_vec(),
            fills: Vec::with_capacity(FILLS_AT_FIRST),
            trips: Vec::with_capacity(FILLS_AT_FIRST / 2),
            ..Outcome::default()
        };
        Self {
            settings,
            outcome,
            marks: vec![Price(0); table.len()],
            traded: vec![false; table.len()],
            open: vec![vec![None; table.len()]; strategies],
            next_point: Time(0),
            now: Time(0),
            market_time: Time(0),
            told: false,
            changed: Time(0),
            begun: false,
            decided: Vec::new(),
            decisions: Vec::new(),
        }
    }

    /// Takes time and prices from a slot, and from the books that have seen it.
    #[inline]
    pub(super) fn on_slot(&mut self, slot: &Slot, positions: &[Vec<Position>], books: &impl Shared) {
        if slot.is_first() {
            self.now = slot.time();
            if self.now > self.next_point && self.begun {
                self.pass(positions);
            }
        }
        let told = match slot.kind() {
            Kind::Trade => {
                let Some(trade) = slot.as_trade() else { return };
                self.mark(trade.instrument, trade.price);
                true
            }
            Kind::Kline => {
                let Some(kline) = slot.as_kline_head() else { return };
                if kline.closed || self.marks[kline.instrument.index()].0 == 0 {
                    self.mark(kline.instrument, kline.close);
                }
                // What a bar has come to before it closes is a guess; only where it began is known.
                kline.closed || !self.begun
            }
            Kind::Quote => {
                let Some(quote) = slot.as_quote() else { return };
                let index = quote.instrument.index();
                if let Some(middle) = quote.middle().filter(|_| !self.traded[index]) {
                    self.known(index, middle);
                    self.marks[index] = middle;
                }
                true
            }
            Kind::Levels if slot.is_last() => {
                let index = slot.instrument().index();
                if !self.traded[index]
                    && let Some(middle) = books.middle(slot.instrument())
                {
                    self.known(index, middle);
                    self.marks[index] = middle;
                }
                false
            }
            Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial => true,
            _ => false,
        };
        if told {
            (self.told, self.market_time, self.changed) = (true, self.now, self.now);
            if !self.begun && self.now >= self.settings.from {
                self.begin(positions);
            }
        }
    }

    /// Whether a price within a bar changes nothing: its instrument has a first price already.
    pub(super) fn is_calm(&self, lull: &Lull) -> bool {
        (self.begun || lull.ends < self.settings.from) && self.marks[lull.instrument.index()].0 != 0
    }

    /// Leaves of a stretch the bars before it begins, unless it has.
    pub(super) fn shorten(&self, stretch: &mut Stretch<'_>) {
        if !self.begun {
            stretch.cut_before(self.settings.from);
        }
    }

    /// Takes time and prices from bars, of which only the closes are to be seen.
    pub(super) fn pass_over_bars(&mut self, stretch: &Stretch<'_>, positions: &[Vec<Position>]) {
        let mut bars = *stretch.bars();
        if let Some((time, last)) = bars.last().filter(|_| !self.begun) {
            self.mark(stretch.instrument, last.close);
            (self.now, self.market_time) = (time, time);
            return;
        }
        while !bars.is_empty() {
            // Up to the next point only the last price is of any interest.
            let (before, after) = bars.split_at(bars.before(self.next_point.plus_nanos(1)));
            if let Some((time, last)) = before.last() {
                self.mark(stretch.instrument, last.close);
                (self.told, self.now, self.market_time, self.changed) = (true, time, time, time);
            }
            if let Some(first) = after.time(0) {
                self.now = first;
                self.pass(positions);
            }
            bars = after;
        }
    }

    #[inline]
    fn mark(&mut self, instrument: InstrumentId, price: Price) {
        self.known(instrument.index(), price);
        self.marks[instrument.index()] = price;
        self.traded[instrument.index()] = true;
    }

    /// An instrument's first price after the beginning is told at once: what is compared with holding it begins there.
    #[inline]
    fn known(&mut self, index: usize, price: Price) {
        if self.marks[index].0 == 0 && self.begun && self.settings.watched[index] {
            let instrument = self.outcome.instruments[index].id;
            self.outcome.prices.push(PricePoint { time: self.now, instrument, price });
        }
    }

    /// The first event.
    #[cold]
    fn begin(&mut self, positions: &[Vec<Position>]) {
        self.begun = true;
        self.outcome.from = self.now;
        self.point(self.now, positions);
        self.await_end();
    }

    /// Time has passed the end of an interval; a point is taken if the market has said anything in it.
    #[cold]
    fn pass(&mut self, positions: &[Vec<Position>]) {
        if std::mem::take(&mut self.told) {
            let late = Time(self.changed.0.div_ceil(LATE_NS).saturating_mul(LATE_NS));
            self.point(self.next_point.min(late), positions);
        }
        self.await_end();
    }

    fn await_end(&mut self) {
        let interval = self.settings.interval_ns.max(1);
        self.next_point = Time(self.now.0.div_ceil(interval).saturating_mul(interval));
    }

    fn point(&mut self, time: Time, positions: &[Vec<Position>]) {
        if self.outcome.equity.last().is_some_and(|last| last.time >= time) {
            return;
        }
        let Self { outcome, marks, .. } = self;
        let (mut equity, mut long, mut short) = (outcome.start, 0i128, 0i128);
        for of in positions {
            for ((position, mark), instrument) in of.iter().zip(&*marks).zip(&outcome.instruments) {
                if position.fills == 0 && position.fees == 0 {
                    continue;
                }
                let amount =
                    |notional: Notional| scale(notional.0, instrument.notional_decimals(), outcome.decimals);
                equity += amount(position.realised.plus(position.unrealised(*mark)));
                equity -= scale(i128::from(position.fees), FEE_DECIMALS, outcome.decimals);
                let value = amount(mark.times(position.qty));
                if value > 0 { long += value } else { short -= value }
            }
        }
        outcome.equity.push(EquityPoint { time, equity, long, short });
        for ((instrument, mark), watched) in outcome.instruments.iter().zip(marks).zip(&self.settings.watched)
        {
            if *watched && mark.0 != 0 {
                outcome.prices.push(PricePoint { time, instrument: instrument.id, price: *mark });
            }
        }
    }

    /// A fill, or what happened to a position; `positions` have it already.
    pub(super) fn on_report(&mut self, report: &Report, positions: &[Vec<Position>]) {
        let &Report { strategy, instrument, order, side, qty, price, fee, maker, .. } = report;
        let time = self.now;
        self.changed = time;
        // No simulated venue takes one; the positions have it in any case.
        if report.kind == ReportKind::Commission {
            return;
        }
        if report.kind == ReportKind::Funding {
            let qty = side.signed(qty);
            let row = FundingRow { time, strategy, instrument, qty, price, paid: fee };
            return self.outcome.funding.push(row);
        }
        let decided = self.decided.iter().find(|(of, _)| *of == order).map(|(_, prices)| *prices);
        let row = FillRow { time, strategy, instrument, order, side, qty, price, fee, maker, decided };
        grown(&mut self.outcome.fills).push(row);
        let after = positions[strategy.index()][instrument.index()].qty.0;
        let before = after - side.signed(qty).0;
        let closing = if (before > 0) == (side == Side::Sell) { qty.0.min(before.abs()) } else { 0 };
        let opening = qty.0 - closing;
        // The part that closes pays its part of the fee, rounded to it; the part that opens the rest.
        let closing_fee = match closing {
            0 => 0,
            // All of it, which needs no division.
            _ if closing == qty.0 => fee,
            _ => (i128::from(fee) * i128::from(closing) / i128::from(qty.0.max(1))) as i64,
        };
        if closing > 0 {
            self.close(report, Qty(closing), closing_fee, before.abs() == closing);
        }
        if opening > 0 {
            self.enter(report, Qty(opening), fee - closing_fee);
        }
    }

    fn enter(&mut self, report: &Report, qty: Qty, fee: i64) {
        let (strategy, instrument) = (report.strategy, report.instrument);
        let place = &mut self.open[strategy.index()][instrument.index()];
        let index = *place.get_or_insert_with(|| {
            grown(&mut self.outcome.trips).push(RoundTrip {
                strategy,
                instrument,
                side: report.side,
                entry_time: self.now,
                exit_time: None,
                qty: Qty::ZERO,
                entry_value: Notional::ZERO,
                exit_qty: Qty::ZERO,
                exit_value: Notional::ZERO,
                fees: 0,
                profit: 0,
                fills: 0,
            });
            self.outcome.trips.len() - 1
        });
        let trip = &mut self.outcome.trips[index];
        trip.qty = Qty(trip.qty.0.saturating_add(qty.0));
        trip.entry_value = trip.entry_value.plus(report.price.times(qty));
        trip.fees = trip.fees.saturating_add(fee);
        trip.fills += 1;
    }

    fn close(&mut self, report: &Report, qty: Qty, fee: i64, whole: bool) {
        let place = &mut self.open[report.strategy.index()][report.instrument.index()];
        let Some(index) = *place else { return };
        let trip = &mut self.outcome.trips[index];
        trip.exit_qty = Qty(trip.exit_qty.0.saturating_add(qty.0));
        trip.exit_value = trip.exit_value.plus(report.price.times(qty));
        trip.fees = trip.fees.saturating_add(fee);
        trip.fills += 1;
        if whole {
            trip.exit_time = Some(self.now);
            *place = None;
        }
    }

    /// An order leaves for the venue.
    pub(super) fn decided(&mut self, order: OrderId, by: [Price; 2]) {
        self.decided.push((order, by));
    }

    /// An order is over.
    pub(super) fn ended(&mut self, order: OrderId) {
        self.decided.retain(|(of, _)| *of != order);
    }

    #[inline]
    pub(super) fn on_record(&mut self, record: &Record) {
        if self.settings.decisions {
            self.decisions.push((self.now, *record));
        }
    }

    /// The outcome, with its last point and every profit; and the decisions, if they were kept.
    #[must_use]
    pub fn finish(
        mut self,
        positions: &[Vec<Position>],
        strategies: Vec<String>,
        provenance: Provenance,
    ) -> (Outcome, Vec<(Time, Record)>) {
        if self.begun {
            let last = self.market_time;
            // Answers that came after it may have ended an interval before they were booked.
            while self.outcome.equity.last().is_some_and(|point| point.time >= last) {
                self.outcome.equity.pop();
            }
            self.outcome.prices.retain(|point| point.time < last);
            self.point(last, positions);
        }
        let Self { mut outcome, marks, decisions, market_time, .. } = self;
        (outcome.until, outcome.strategies, outcome.provenance) = (market_time, strategies, provenance);
        let mut trips = std::mem::take(&mut outcome.trips);
        for trip in &mut trips {
            let open = Qty(trip.qty.0 - trip.exit_qty.0);
            let out = trip.exit_value.plus(marks[trip.instrument.index()].times(open));
            let gained = match trip.side {
                Side::Buy => out.minus(trip.entry_value),
                Side::Sell => trip.entry_value.minus(out),
            };
            trip.profit = outcome.amount(trip.instrument, gained) - outcome.fee(trip.fees);
        }
        outcome.trips = trips;
        (outcome, decisions)
    }
}

/// Rows with room for one more. What there is no room for gets much of it at once: room that is not used takes no memory, while
/// each move to a larger one takes new pages, which have to be cleared.
fn grown<T>(rows: &mut Vec<T>) -> &mut Vec<T> {
    const MORE: usize = 65_536;
    if rows.len() == rows.capacity() {
        rows.reserve_exact(MORE.max(3 * rows.len()));
    }
    rows
}
