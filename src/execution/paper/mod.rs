//! The paper gateway: takes approved orders, encodes them as it would for the venue, and fills them against the
//! recorded or live market.
//!
//! Fill model. An order reaches the market `order_latency` after its event. What can trade then sweeps the book level
//! by level at the displayed sizes, taker fee; where an instrument's depth was never told, its last best bid and ask are
//! the book. The rest of a limit order rests. A resting order fills, maker fee, at
//! its own price: when a trade goes through its price (`through`), or already when one happens at it (`touch`), up to
//! the trade's quantity; and when the opposite touch reaches beyond it. Our orders leave no trace in the market. Each
//! answer is due `answer_delay` after the event that caused it. It knows market, limit and post-only orders, all of
//! which show; others are rejected.

mod resting;

use self::resting::Resting;
use super::stage::GatewayMessage;
use crate::domain::event::{FEE_DECIMALS, Kind, Quote, Report, Trade};
use crate::domain::ledger;
use crate::domain::order::ReportKind;
use crate::domain::{
    InstrumentId, InstrumentTable, Level, Order, OrderId, OrderKind, Price, Qty, Side, Slot, Time,
    TimeInForce,
};
use crate::market::book::{Book, BookKeeper};
use crate::market::trade_ids::{Link, TradeIds};
use crate::pipeline::{Answer, LaneReceiver, LaneSender, Stage};
use crate::venue::binance::encode::{OrderBytes, encode_cancel, encode_order};
use std::collections::VecDeque;

/// How the paper gateway behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaperSettings {
    /// From the event that caused an order to its arrival at the market, ns.
    pub order_latency_ns: u64,
    /// From the event that caused an answer to its entry into the ring, ns.
    pub answer_delay_ns: u64,
    /// Whether a trade at a resting order's very price fills it.
    pub fill_on_touch: bool,
    /// Whether aggregate trades are all the trades there are.
    pub aggregates: bool,
}

/// Orders on their way to the market.
const IN_FLIGHT_MAX: usize = 16_384;
/// Levels of the other side that one order may sweep.
const SWEEP_LEVELS_MAX: usize = 256;
/// The most answers one event may cause; more wait for the next event.
pub const ANSWERS_PER_EVENT_MAX: usize = 512;

/// What is known of an instrument's market beside its book.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// Whether depth came: from then on there is the book or nothing.
    depth: bool,
    quote: Option<Quote>,
    /// Which trades came, so that one that comes again fills nothing.
    ids: TradeIds,
}

impl Told {
    /// The best level of a side where quotes are all there is.
    fn level(&self, side: Side) -> Option<Level> {
        let quote = self.quote.filter(|_| !self.depth)?;
        let level = if side == Side::Buy { quote.bid } else { quote.ask };
        (level.price.0 > 0 && level.qty.0 > 0).then_some(level)
    }
}

/// See the module.
pub struct PaperGateway {
    messages: LaneReceiver<GatewayMessage>,
    venue: PaperVenue,
}

/// The venue that is made believe, apart from where messages come from, so that they are read where they lie.
struct PaperVenue {
    table: InstrumentTable,
    settings: PaperSettings,
    /// Absent when a journal is replayed: its answers are in the journal already.
    answers: Option<LaneSender<Answer>>,
    answers_this_event: usize,
    answer_count: u64,
    trade_count: u64,
    in_flight: VecDeque<(Time, GatewayMessage)>,
    resting: Vec<Resting>,
    told: Vec<Told>,
    /// By instrument: orders that found no market.
    unmet: Vec<u64>,
    /// What its fills came to, by strategy and instrument: what only reduces fills no more than is there.
    positions: Vec<Vec<i64>>,
    /// Levels that the order at hand trades with.
    sweep: Vec<Level>,
    encoded: OrderBytes,
    encoded_bytes: u64,
    now: Time,
    seq: u64,
}

impl PaperGateway {
    /// A gateway that fills against the books of its thread; they must be kept of every instrument that is traded.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        settings: PaperSettings,
        messages: LaneReceiver<GatewayMessage>,
        answers: Option<LaneSender<Answer>>,
    ) -> Self {
        let venue = PaperVenue {
            table: table.clone(),
            settings,
            answers,
            answers_this_event: 0,
            answer_count: 0,
            trade_count: 0,
            in_flight: VecDeque::with_capacity(IN_FLIGHT_MAX),
            resting: (0..table.len()).map(|_| Resting::default()).collect(),
            told: vec![Told::default(); table.len()],
            unmet: vec![0; table.len()],
            positions: vec![vec![0; table.len()]; strategies],
            sweep: Vec::with_capacity(SWEEP_LEVELS_MAX),
            encoded: OrderBytes::default(),
            encoded_bytes: 0,
            now: Time(0),
            seq: 0,
        };
        Self { messages, venue }
    }

    /// By instrument: what was not there when orders arrived, so that they were rejected, and how many.
    pub fn unmet(&self) -> impl Iterator<Item = (InstrumentId, &'static str, u64)> {
        let counts = self.venue.table.all().iter().zip(&self.venue.unmet);
        let unmet = counts.filter(|(_, count)| **count > 0);
        unmet.map(|(of, count)| (of.id, "neither a book in step nor, without depth, a quote", *count))
    }

    /// Bytes of requests encoded.
    #[must_use]
    pub fn encoded_bytes(&self) -> u64 {
        self.venue.encoded_bytes
    }
}

impl PaperVenue {
    fn answer(&mut self, report: &Report) {
        let Some(answers) = &mut self.answers else { return };
        self.answers_this_event += 1;
        self.answer_count += 1;
        answers.push(Answer {
            due: self.now.plus_nanos(self.settings.answer_delay_ns),
            cause_seq: self.seq,
            origin: 1,
            number: self.answer_count,
            slot: Slot::report(report),
        });
    }

    fn say(&mut self, order: &Order, kind: ReportKind) {
        let report = Report::of(order, kind);
        self.answer(&report);
    }

    fn fill(&mut self, order: &Order, qty: Qty, price: Price, maker: bool) {
        let instrument = self.table.get(order.instrument);
        let rate = if maker { instrument.maker_fee } else { instrument.taker_fee };
        let fee = ledger::fee(price.times(qty), instrument.notional_decimals(), rate);
        const { assert!(FEE_DECIMALS == 8) };
        if let Some(held) = self.held(order) {
            *held = held.saturating_add(order.side.signed(qty).0);
        }
        self.trade_count += 1;
        let trade_id = self.trade_count;
        let report = Report { qty, price, fee, trade_id, maker, ..Report::of(order, ReportKind::Fill) };
        self.answer(&report);
    }

    fn held(&mut self, order: &Order) -> Option<&mut i64> {
        self.positions.get_mut(order.strategy.index())?.get_mut(order.instrument.index())
    }

    fn fillable(&mut self, order: &Order, left: i64) -> i64 {
        let held = self.held(order).map_or(0, |held| *held);
        order.fillable(left, Qty(held))
    }

    /// Fills a resting order for so much, or for as much of it as is there to reduce, which ends it; how much that was.
    fn fill_resting(&mut self, order: &Order, qty: Qty) -> Qty {
        let fills = self.fillable(order, qty.0);
        if fills > 0 {
            self.fill(order, Qty(fills), order.price, true);
        }
        if fills < qty.0 {
            self.resting[order.instrument.index()].remove(order.id);
            self.say(order, ReportKind::Expired);
        }
        Qty(fills)
    }

    /// Encodes a request and puts it on its way. This is the hand-over: a live gateway writes these bytes to a socket.
    #[inline]
    fn hand_over(&mut self, message: &GatewayMessage) {
        let timestamp_ms = self.now.0 / 1_000_000;
        match message {
            GatewayMessage::New { order, client_id, .. } => {
                let order = order.get();
                let instrument = self.table.get(order.instrument);
                encode_order(order, instrument, client_id, timestamp_ms, &mut self.encoded);
            }
            GatewayMessage::Cancel { instrument, client_id, .. } => {
                let instrument = self.table.get(*instrument);
                encode_cancel(instrument, client_id, timestamp_ms, &mut self.encoded);
            }
        }
        self.encoded_bytes += self.encoded.as_bytes().len() as u64;
        if self.answers.is_some() {
            self.in_flight.push_back((self.now.plus_nanos(self.settings.order_latency_ns), *message));
        }
    }

    #[inline]
    fn arrivals(&mut self, books: &BookKeeper) {
        while let Some((at, _)) = self.in_flight.front() {
            if *at > self.now || self.answers_this_event + SWEEP_LEVELS_MAX + 2 > ANSWERS_PER_EVENT_MAX {
                break;
            }
            let Some((_, message)) = self.in_flight.pop_front() else { break };
            match message {
                GatewayMessage::New { order, .. } => self.arrive(order.get(), books),
                GatewayMessage::Cancel { order, instrument, .. } => self.cancel(order, instrument),
            }
        }
        if self.in_flight.is_empty() {
            // Its room begins anew at the same memory, which is in the cache.
            self.in_flight.clear();
        }
    }

    fn cancel(&mut self, id: OrderId, instrument: InstrumentId) {
        // A cancel that finds nothing came after the last fill, whose report is on its way already.
        if let Some(order) = self.resting[instrument.index()].remove(id) {
            self.say(&order, ReportKind::Canceled);
        }
    }

    fn arrive(&mut self, order: &Order, books: &BookKeeper) {
        let index = order.instrument.index();
        if order.kind.is_conditional() || !order.extras.is_none() {
            // The order manager never asks a venue for what it has not.
            return self.say(order, ReportKind::Rejected);
        }
        let available = match books.valid(order.instrument) {
            Some(sync) => self.meets(order, sync.book()),
            None if self.told[index].level(order.side.opposite()).is_some() => self.meets_quote(order),
            None => {
                self.unmet[index] += 1;
                return self.say(order, ReportKind::Rejected);
            }
        };
        if order.kind == OrderKind::PostOnly && !self.sweep.is_empty() {
            return self.say(order, ReportKind::Rejected);
        }
        if order.tif == TimeInForce::Fok && available < order.qty.0 {
            return self.say(order, ReportKind::Expired);
        }
        self.say(order, ReportKind::Accepted);
        let mut left = order.qty.0;
        // What only reduces may go on to rest, and is cut when it fills.
        let mut fills = self.fillable(order, left);
        for index in 0..self.sweep.len() {
            let level = self.sweep[index];
            let qty = fills.min(level.qty.0);
            if qty == 0 {
                break;
            }
            self.fill(order, Qty(qty), level.price, false);
            (left, fills) = (left - qty, fills - qty);
        }
        if left > 0 {
            let lasts = order.kind != OrderKind::Market && order.tif == TimeInForce::Gtc;
            let rests = lasts && fills > 0;
            if !rests || !self.resting[index].add(*order, Qty(left)) {
                self.say(order, ReportKind::Expired);
            }
        }
    }

    /// Notes the levels that an order trades with at once; how much they offer.
    fn meets(&mut self, order: &Order, book: &Book) -> i64 {
        self.sweep.clear();
        let opposite = order.side.opposite();
        let crosses = |price| crosses(order, price);
        let touch = match opposite {
            Side::Buy => book.best_bid(),
            Side::Sell => book.best_ask(),
        };
        // Most orders meet nothing, which the touch alone says.
        if !touch.is_some_and(|touch| crosses(touch.price)) {
            return 0;
        }
        let mut available = 0i64;
        for level in book.levels(opposite).take(SWEEP_LEVELS_MAX) {
            if !crosses(level.price) || available >= order.qty.0 {
                break;
            }
            self.sweep.push(level);
            available = available.saturating_add(level.qty.0);
        }
        available
    }

    /// The same against the last quote.
    fn meets_quote(&mut self, order: &Order) -> i64 {
        self.sweep.clear();
        let level = self.told[order.instrument.index()].level(order.side.opposite());
        self.sweep.extend(level.filter(|level| crosses(order, level.price)));
        self.sweep.iter().map(|level| level.qty.0).sum()
    }

    /// A trade in the market fills resting orders that it went through.
    fn on_trade(&mut self, trade: &Trade) {
        let index = trade.instrument.index();
        if trade.aggregate != self.settings.aggregates
            || self.told[index].ids.take(trade.id) == Link::Again
            || self.resting[index].is_empty()
        {
            return;
        }
        let side = trade.aggressor.opposite();
        let mut left = trade.qty.0;
        while left > 0 {
            let touch = self.settings.fill_on_touch;
            let resting = &mut self.resting[index];
            let Some((order, qty)) = resting.reached(side, trade.price, touch, Qty(left)) else { break };
            left -= self.fill_resting(&order, qty).0;
        }
    }

    /// What was known holds no longer, and trades may be numbered anew.
    fn interrupted(&mut self, instrument: InstrumentId) {
        let told = &mut self.told[instrument.index()];
        told.quote = None;
        told.ids.interrupted();
    }

    /// A book that moved beyond a resting order has met it.
    fn on_book(&mut self, instrument: InstrumentId, books: &BookKeeper) {
        let index = instrument.index();
        if self.resting[index].is_empty() {
            return;
        }
        let Some(sync) = books.valid(instrument) else { return };
        self.on_touches(instrument, sync.book().best_bid(), sync.book().best_ask());
    }

    /// A quote, where there is no book, has done so.
    fn on_quote(&mut self, quote: &Quote) {
        let index = quote.instrument.index();
        // One that is older than the last, of two streams of one market, is no news.
        let newer = |last: Quote| quote.update_id == 0 || quote.update_id > last.update_id;
        if !self.told[index].quote.is_none_or(newer) {
            return;
        }
        self.told[index].quote = Some(*quote);
        if !self.resting[index].is_empty() {
            let [bid, ask] = [Side::Buy, Side::Sell].map(|side| self.told[index].level(side));
            self.on_touches(quote.instrument, bid, ask);
        }
    }

    fn on_touches(&mut self, instrument: InstrumentId, bid: Option<Level>, ask: Option<Level>) {
        let index = instrument.index();
        for (side, touch) in [(Side::Buy, ask), (Side::Sell, bid)] {
            let Some(touch) = touch else { continue };
            let mut left = touch.qty;
            while left.0 > 0 && self.answers_this_event < ANSWERS_PER_EVENT_MAX {
                let Some((order, qty)) = self.resting[index].reached(side, touch.price, false, left) else {
                    break;
                };
                left = Qty(left.0 - self.fill_resting(&order, qty).0);
            }
        }
    }
}

/// Whether an order trades at a price of the other side.
fn crosses(order: &Order, price: Price) -> bool {
    order.kind == OrderKind::Market || order.side.at_least_as_aggressive(order.price, price)
}

impl Stage<BookKeeper> for PaperGateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn room(&self) -> u64 {
        self.venue.answers.as_ref().map_or(u64::MAX, LaneSender::events_room)
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        let Self { messages, venue } = self;
        venue.seq = seq;
        if slot.is_first() {
            venue.now = slot.time();
        }
        match slot.kind() {
            Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial => {
                venue.told[slot.instrument().index()].depth = true;
            }
            Kind::Interrupted => venue.interrupted(slot.instrument()),
            _ => {}
        }
        if !slot.is_last() {
            return;
        }
        venue.answers_this_event = 0;
        // Most have a book, which says more.
        if slot.kind() == Kind::Quote
            && !venue.told[slot.instrument().index()].depth
            && let Some(quote) = slot.as_quote()
        {
            venue.on_quote(&quote);
        }
        if let Some(trade) = slot.as_trade() {
            venue.on_trade(&trade);
        }
        if let Some(instrument) = books.moved() {
            venue.on_book(instrument, books);
        }
        if !venue.in_flight.is_empty() {
            venue.arrivals(books);
        }
        messages.take_up_to(seq, |message| venue.hand_over(message));
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Event, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::{Extras, Market, StrategyId};
    use crate::pipeline::{Stop, lane};

    #[test]
    fn what_only_reduces_fills_no_more_than_is_held_and_ends_there() {
        let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one instrument");
        let stop = Stop::default();
        let (_orders, messages) = lane("orders", 64, 1, &stop);
        let (answers, mut told) = lane("answers", 64, 64, &stop);
        let settings = PaperSettings {
            order_latency_ns: 0,
            answer_delay_ns: 0,
            fill_on_touch: false,
            aggregates: false,
        };
        let mut venue = PaperGateway::new(&table, 1, settings, messages, Some(answers)).venue;
        let order = |id: u64, side: Side, qty: i64, reduce_only: bool| Order {
            id: OrderId(id),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only,
            qty: Qty(qty),
            price: Price(100),
            extras: Extras::NONE,
        };
        venue.fill(&order(1, Side::Buy, 10, false), Qty(10), Price(100), false);
        // Of ten to leave, seven were sold otherwise by when the market goes through the limit.
        assert!(venue.resting[0].add(order(2, Side::Sell, 10, true), Qty(10)));
        venue.fill(&order(3, Side::Sell, 7, false), Qty(7), Price(99), false);
        let (instrument, price) = (InstrumentId(0), Price(105));
        let trade = Trade {
            instrument,
            id: 1,
            price,
            qty: Qty(50),
            venue_time: Time(0),
            aggressor: Side::Buy,
            aggregate: false,
        };
        venue.on_trade(&trade);
        assert!(venue.resting[0].is_empty() && venue.positions[0][0] == 0);
        let mut reports = Vec::new();
        told.take_up_to(u64::MAX, |answer| {
            if let Event::Report(Report { order, kind, qty, .. }) = answer.slot.event() {
                reports.push((order.0, kind, qty.0));
            }
        });
        assert_eq!(reports[2..], [(2, ReportKind::Fill, 3), (2, ReportKind::Expired, 0)]);
        // A trade that comes again fills nothing; the next does.
        assert!(venue.resting[0].add(order(4, Side::Sell, 10, false), Qty(10)));
        let mut left = |id| {
            venue.on_trade(&Trade { id, qty: Qty(4), ..trade });
            10 + venue.positions[0][0]
        };
        assert_eq!([1, 2, 1, 2, 3].map(&mut left), [10, 6, 6, 6, 2]);
        // After an interruption the venue may number its trades anew.
        assert!(venue.resting[0].add(order(5, Side::Sell, 10, false), Qty(10)));
        venue.interrupted(instrument);
        let mut sold = |id| {
            let before = venue.positions[0][0];
            venue.on_trade(&Trade { id, qty: Qty(4), ..trade });
            before - venue.positions[0][0]
        };
        assert_eq!([1, 1, 2].map(&mut sold), [4, 0, 4]);
    }
}
