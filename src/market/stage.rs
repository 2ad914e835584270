//! The market stage: one state an instrument, and a lane to the strategy stage.

use super::bar::{BarBuilder, BarSpec, IncompleteBars};
use super::book::{BboCheck, BookKeeper, BookSync, SyncCounts};
use super::indicator::{AnyIndicator, BarUnits, Indicator, imbalance::imbalance_of};
use super::known::{KnownIndicators, units_of, values_over};
use super::message::{Bar, MarketBody, MarketMessage, Top, Values};
use super::request::{IndicatorBody, IndicatorRequest};
use crate::domain::contradiction::Contradiction;
use crate::domain::event::{BarOrigin, COUNTED_BY_TIME, Event, Kind, Kline, Quote, Trade};
use crate::domain::missed::{BarNews, MissedBar};
use crate::domain::{
    BarColumns, Column, InstrumentId, InstrumentTable, KnownValues, Level, Passed, Price, Side, Slot,
    Stretch, Time,
};
use crate::pipeline::{LaneSender, Lull, Stage, Waker};
use crate::venue::binance::ids_are_dense;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// How the market stage makes bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketSettings {
    /// What makes a bar.
    pub bar: BarSpec,
    /// How long after its end a time bar waits for late trades in a silent market, ns.
    pub bar_grace_ns: u64,
    /// What becomes of bars that lack trades.
    pub incomplete_bars: IncompleteBars,
}

/// What an instrument's top of book is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopSource {
    /// Quotes and depth, as a venue sends them.
    #[default]
    Feed,
    /// The last trade, on both sides: there is nothing else.
    Trades,
    /// Where the bar under way has got to, on both sides: there are bars alone.
    Bars,
}

/// What is known of an instrument, where it is not what a venue's feed brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sourcing {
    /// Its top of book.
    pub top: TopSource,
    /// Whether its bars are those that come as events, not made here of trades.
    pub bars_given: bool,
    /// Whether aggregate trades are all the trades there are.
    pub aggregates: bool,
    /// Whether ids of trades are not the venue's, so that none that is passed over is missing.
    pub ids_made_up: bool,
    /// From when on all its trades are there, if that is known: a bar that was under way before the first of them may lack
    /// some.
    pub known_from: Option<Time>,
}

/// See the module.
pub struct MarketStage {
    states: Vec<InstrumentState>,
    out: LaneSender<MarketMessage>,
    now: Time,
    next_bar_close: Time,
    /// Asks, in a simulation, for the moments at which time closes bars.
    waker: Waker,
    /// Is told where quotes contradict a book, in a live run.
    contradictions: Option<Sender<Contradiction>>,
    /// Is told of bars that were withheld, in a live run that may ask for them.
    bar_news: Option<Sender<BarNews>>,
    /// The first half of a bar that comes as an event.
    bar_head: Option<Kline>,
}

struct InstrumentState {
    instrument: InstrumentId,
    bbo: BboCheck,
    depth_seen: bool,
    top: Top,
    top_id: u64,
    /// Whether a quote came without an id.
    unnumbered: bool,
    sent: Top,
    watched: bool,
    sourcing: Sourcing,
    bars: BarBuilder,
    /// Bars that closed.
    closed: u64,
    /// Where the last of them began.
    last_bar: Option<Time>,
    units: BarUnits,
    closes: Vec<(u16, Source)>,
    imbalances: Vec<(u16, usize)>,
}

/// Where an indicator's values come from.
struct Source {
    /// What computes them, once those that are known are used up.
    indicator: AnyIndicator,
    /// They are known already, bar by bar: by another run, or because bars were looked at before they came.
    known: Arc<KnownValues>,
    /// The number, in what is known, of the next bar.
    next: usize,
}

impl Source {
    fn new(indicator: AnyIndicator) -> Self {
        Self { indicator, known: Arc::default(), next: 0 }
    }

    fn next(&mut self, units: BarUnits, bar: &Bar) -> Option<Values> {
        if self.next < self.known.bars() {
            self.next += 1;
            return self.known.at(self.next - 1);
        }
        let bar = units.bar(bar.high.0, bar.low.0, bar.close.0, bar.volume.0);
        let values = self.indicator.advance_bar(&bar)?;
        let mut all: Values = [0.0; 3];
        all.iter_mut().zip(values.as_slice()).for_each(|(to, from)| *to = *from);
        Some(all)
    }

    /// How many of these bars, which come next, it is known for: of all, where it was for none.
    fn look_ahead(&mut self, units: BarUnits, bars: &BarColumns<'_>) -> usize {
        if self.next == self.known.bars() {
            (self.known, self.next) = (Arc::new(values_over(&mut self.indicator, units, bars)), 0);
        }
        self.known.bars() - self.next
    }
}

/// What the books of one instrument went through.
#[derive(Debug, Clone, Copy)]
pub struct BookCounts {
    /// Of what.
    pub instrument: InstrumentId,
    /// Synchronisation.
    pub sync: SyncCounts,
    /// Update ids shared by depth and best-bid-and-ask events.
    pub bbo_checked: u64,
    /// Of those, equal in price and size.
    pub bbo_equal: u64,
    /// The top of book at the end.
    pub top: Top,
    /// Memory of the book, bytes.
    pub book_bytes: usize,
    /// Times the book's room for far levels had to grow.
    pub overflow_grown: u64,
    /// Bars that closed, made here or given.
    pub bars: u64,
    /// Trades that came after their bar had closed.
    pub late_trades: u64,
    /// Trades that are dated too far in the future for a bar of time.
    pub ahead_trades: u64,
    /// Trades that are missing by their ids.
    pub missing_trades: u64,
    /// Trades that came again, by their ids.
    pub repeated_trades: u64,
    /// Bars that lacked, or may have lacked, trades.
    pub incomplete_bars: u64,
    /// Whether depth came, and its book is not in step with it in the end.
    pub blind: bool,
}

impl MarketStage {
    /// The most messages that one event can cause, for the lane to the strategy stage.
    #[must_use]
    pub fn messages_per_event_max(watched: &[bool], requests: &[IndicatorRequest]) -> usize {
        // Time can close every bar at once; the event itself adds a top.
        2 + watched.iter().filter(|w| **w).count() + requests.len()
    }

    /// A stage for all instruments of `table`; those in `watched` send messages. Requests are numbered by position.
    ///
    /// # Errors
    /// Never for requests that were checked when they were made.
    pub fn new(
        table: &InstrumentTable,
        watched: &[bool],
        requests: &[IndicatorRequest],
        settings: MarketSettings,
        out: LaneSender<MarketMessage>,
    ) -> Result<Self, super::indicator::ParamError> {
        let mut states: Vec<_> = table
            .all()
            .iter()
            .zip(watched)
            .map(|(i, watched)| InstrumentState {
                instrument: i.id,
                bbo: BboCheck::new(),
                depth_seen: false,
                top: Top::default(),
                top_id: 0,
                unnumbered: false,
                sent: Top::default(),
                watched: *watched,
                sourcing: Sourcing::default(),
                bars: BarBuilder::new(i, settings.bar, settings.bar_grace_ns)
                    .with_incomplete(settings.incomplete_bars)
                    .of_trades(None, ids_are_dense(i, false)),
                closed: 0,
                last_bar: None,
                units: units_of(i),
                closes: Vec::new(),
                imbalances: Vec::new(),
            })
            .collect();
        for (slot, request) in (0u16..).zip(requests) {
            let state = &mut states[request.instrument.index()];
            match &request.body {
                IndicatorBody::Closes(key) => state.closes.push((slot, Source::new(key.build()?))),
                IndicatorBody::Imbalance { levels } => state.imbalances.push((slot, *levels)),
            }
        }
        let next_bar_close = Time(u64::MAX);
        Ok(Self {
            states,
            out,
            now: Time(0),
            next_bar_close,
            waker: Waker::default(),
            contradictions: None,
            bar_news: None,
            bar_head: None,
        })
    }

    /// The same where instruments are known by something else than a venue's feed, by instrument.
    #[must_use]
    pub fn with_sourcing(self, table: &InstrumentTable, sourcing: &[Sourcing]) -> Self {
        let with = |((state, instrument), sourcing): ((InstrumentState, _), &Sourcing)| {
            let dense = !sourcing.ids_made_up && ids_are_dense(instrument, sourcing.aggregates);
            let bars = state.bars.of_trades(sourcing.known_from, dense);
            InstrumentState { sourcing: *sourcing, bars, ..state }
        };
        let states = self.states.into_iter().zip(table.all()).zip(sourcing).map(with).collect();
        Self { states, ..self }
    }

    /// The same telling where quotes contradict a book; what finds no room is counted, and comes again if it lasts.
    #[must_use]
    pub fn with_contradictions(self, told: Sender<Contradiction>) -> Self {
        Self { contradictions: Some(told), ..self }
    }

    /// The same telling of bars that were withheld; what finds no room is not asked for, and comes again with the next.
    #[must_use]
    pub fn with_bar_news(self, told: Sender<BarNews>) -> Self {
        Self { bar_news: Some(told), ..self }
    }

    #[cold]
    fn contradicted(&self, contradiction: Contradiction) {
        if let Some(told) = &self.contradictions {
            let _ = told.try_send(contradiction);
        }
    }

    /// The same asking, in a simulation, for time to come to where it closes a bar.
    #[must_use]
    pub fn with_waker(self, waker: Waker) -> Self {
        Self { waker, ..self }
    }

    /// The same with values that are known already, where they are; `requests` are those that it was made with.
    #[must_use]
    pub fn with_known(mut self, known: &dyn KnownIndicators, requests: &[IndicatorRequest]) -> Self {
        for (slot, request) in (0u16..).zip(requests) {
            let closes = self.states[request.instrument.index()].closes.iter_mut();
            if let Some((_, source)) = closes.into_iter().find(|(of, _)| *of == slot)
                && let Some(values) = known.known(request)
            {
                source.known = values;
            }
        }
        self
    }

    /// What the books went through, by instrument; `books` are those of its thread.
    #[must_use]
    pub fn book_counts(&self, books: &BookKeeper) -> Vec<BookCounts> {
        let counts = |s: &InstrumentState| BookCounts {
            instrument: s.instrument,
            sync: books.get(s.instrument).map(|sync| *sync.counts()).unwrap_or_default(),
            bbo_checked: s.bbo.checked,
            bbo_equal: s.bbo.equal,
            top: s.top,
            book_bytes: books.get(s.instrument).map_or(0, |sync| sync.book().memory_bytes()),
            overflow_grown: books.get(s.instrument).map_or(0, |sync| sync.book().overflow_grown()),
            bars: s.closed,
            late_trades: s.bars.late(),
            ahead_trades: s.bars.ahead(),
            missing_trades: s.bars.missing(),
            repeated_trades: s.bars.repeated(),
            incomplete_bars: s.bars.incomplete(),
            blind: s.depth_seen && books.valid(s.instrument).is_none(),
        };
        self.states.iter().map(counts).collect()
    }

    fn close_bars_by_time(&mut self, seq: u64) {
        let mut next = Time(u64::MAX);
        for state in &mut self.states {
            if let Some(bar) = state.bars.on_time(self.now) {
                state.tell_first(self.bar_news.as_ref());
                state.bar_closed(seq, &bar, &mut self.out);
            }
            state.tell_missed(self.bar_news.as_ref());
            next = state.bars.closes_at().map_or(next, |at| next.min(at));
        }
        self.next_bar_close = next;
    }

    fn on_trade(&mut self, seq: u64, trade: &Trade) {
        let state = &mut self.states[trade.instrument.index()];
        if !state.watched || trade.aggregate != state.sourcing.aggregates {
            return;
        }
        if state.sourcing.top == TopSource::Trades {
            let level = Level { price: trade.price, qty: trade.qty };
            state.show_top(Top { bid: level, ask: level, valid: true }, seq, &mut self.out);
        }
        if state.sourcing.bars_given {
            return;
        }
        if let Some(bar) = state.bars.on_trade(trade, self.now) {
            state.tell_first(self.bar_news.as_ref());
            state.bar_closed(seq, &bar, &mut self.out);
        }
        state.tell_missed(self.bar_news.as_ref());
        if let Some(at) = state.bars.closes_at() {
            self.next_bar_close = self.next_bar_close.min(at);
        }
    }

    /// A bar that came as an event: where it has got to, and, if it is closed, the bar.
    fn on_kline(&mut self, seq: u64, kline: &Kline) {
        let state = &mut self.states[kline.instrument.index()];
        if kline.origin != BarOrigin::Told {
            return state.on_asked(seq, kline, &mut self.out);
        }
        if !state.watched || !state.sourcing.bars_given {
            return;
        }
        if state.sourcing.top == TopSource::Bars {
            state.top = Top::of_path(kline.close);
            state.sent = state.top;
            // A bar under way shows only where it opened: what it has come to since is a guess of its path.
            let shown = kline.closed || kline.high == kline.low;
            let (instrument, top) = (state.instrument, state.top);
            self.out.push(MarketMessage { seq, body: MarketBody::Path { instrument, top, shown } });
        }
        if kline.closed {
            let bar = Bar::from(kline);
            state.bar_closed(seq, &bar, &mut self.out);
        }
    }

    /// Bars may lack one that counts here; of those that do not they have none.
    fn trade_unread(&mut self, slot: &Slot) {
        let Event::TradeUnread(unread) = slot.event() else { return };
        let state = &mut self.states[unread.instrument.index()];
        if unread.aggregate.is_none_or(|aggregate| aggregate == state.sourcing.aggregates) {
            state.bars.unread();
        }
    }

    fn interrupted(&mut self, seq: u64, instrument: InstrumentId) {
        let state = &mut self.states[instrument.index()];
        state.bars.interrupted();
        // Ids may begin anew with the next connection.
        (state.top_id, state.unnumbered) = (0, false);
        state.show_top(Top { valid: false, ..state.top }, seq, &mut self.out);
    }
}

impl InstrumentState {
    /// A bar that was asked for. What was handed out since goes on from there: it is in time, or of no use.
    fn on_asked(&mut self, seq: u64, kline: &Kline, out: &mut LaneSender<MarketMessage>) {
        let bar = Bar::from(kline);
        let in_time = self.last_bar.is_none_or(|last| bar.start > last)
            && self.bars.open_since().is_none_or(|open| bar.start < open);
        if !self.sourcing.bars_given && in_time {
            match kline.origin {
                BarOrigin::Past => self.hand_out(seq, &bar, true, out),
                BarOrigin::Told | BarOrigin::Missed => self.bar_closed(seq, &bar, out),
            }
        }
    }

    /// Tells of a bar that was withheld, where somebody hears it.
    #[inline]
    fn tell_missed(&mut self, told: Option<&Sender<BarNews>>) {
        if let Some(start) = self.bars.take_missed()
            && let Some(told) = told.filter(|_| self.watched)
        {
            let missed = MissedBar { instrument: self.instrument, start, after: self.last_bar };
            let _ = told.try_send(BarNews::Missed(missed));
        }
    }

    /// Tells of a bar that is about to be handed out, where it is the first and somebody hears it.
    fn tell_first(&self, told: Option<&Sender<BarNews>>) {
        if let (Some(told), None, true) = (told, self.last_bar, self.watched) {
            let _ = told.try_send(BarNews::First(self.instrument));
        }
    }

    fn bar_closed(&mut self, seq: u64, bar: &Bar, out: &mut LaneSender<MarketMessage>) {
        self.hand_out(seq, bar, false, out);
    }

    #[inline(always)]
    fn hand_out(&mut self, seq: u64, bar: &Bar, past: bool, out: &mut LaneSender<MarketMessage>) {
        self.closed += 1;
        self.last_bar = Some(bar.start);
        if !self.watched {
            return;
        }
        // Indicators first: a strategy that hears of a bar finds the indicators that the bar made.
        for (slot, source) in &mut self.closes {
            if let Some(values) = source.next(self.units, bar) {
                out.push(MarketMessage { seq, body: MarketBody::Value { slot: usize::from(*slot), values } });
            }
        }
        let body = if past { MarketBody::PastBar(*bar) } else { MarketBody::Bar(*bar) };
        out.push(MarketMessage { seq, body });
    }

    #[inline]
    fn on_quote(
        &mut self,
        seq: u64,
        quote: &Quote,
        sync: Option<&BookSync>,
        out: &mut LaneSender<MarketMessage>,
    ) -> Option<Contradiction> {
        let contradiction = if sync.is_some_and(BookSync::valid) { self.bbo.on_quote(quote) } else { None };
        // A history may have quotes without ids, in the order in which they were.
        self.unnumbered |= quote.update_id == 0;
        if quote.update_id > self.top_id || quote.update_id == 0 {
            self.top_id = self.top_id.max(quote.update_id);
            let valid = self.trusted(sync);
            self.show_top(Top { bid: quote.bid, ask: quote.ask, valid }, seq, out);
        }
        contradiction
    }

    fn book_changed(
        &mut self,
        seq: u64,
        sync: &BookSync,
        out: &mut LaneSender<MarketMessage>,
    ) -> Option<Contradiction> {
        let (mut shown, mut contradiction) = (self.top, None);
        if sync.valid() {
            let book = sync.book();
            let top = Top {
                bid: book.best_bid().unwrap_or_default(),
                ask: book.best_ask().unwrap_or_default(),
                valid: true,
            };
            let id = sync.last_update_id();
            contradiction = self.bbo.on_book(id, &top);
            // A quote may be ahead of the depth stream: the newer of the two is the top. Ids that are not the venue's do not
            // tell which is, and those of quotes, where they have any, are not passed over for them.
            let id = if id < COUNTED_BY_TIME { id } else { 0 };
            if id >= self.top_id {
                self.top_id = id;
                shown = top;
            }
            if self.watched {
                self.send_imbalances(seq, sync, out);
            }
        }
        let valid = self.trusted(Some(sync));
        self.show_top(Top { valid, ..shown }, seq, out);
        contradiction
    }

    fn send_imbalances(&self, seq: u64, sync: &BookSync, out: &mut LaneSender<MarketMessage>) {
        let book = sync.book();
        for &(slot, levels) in &self.imbalances {
            let (bids, asks) = (book.qty_within(Side::Buy, levels), book.qty_within(Side::Sell, levels));
            if let Some(ratio) = imbalance_of(bids, asks) {
                let values = [ratio.to_f64(), 0.0, 0.0];
                out.push(MarketMessage { seq, body: MarketBody::Value { slot: usize::from(slot), values } });
            }
        }
    }

    /// A market whose depth we follow is trusted only while its book is in step.
    #[inline]
    fn trusted(&self, sync: Option<&BookSync>) -> bool {
        if self.depth_seen { sync.is_some_and(BookSync::valid) } else { self.top_id > 0 || self.unnumbered }
    }

    /// Keeps a top, and sends it where it is another than was sent. It is given rather than read from where it is kept: what
    /// was just written in parts cannot be read at once as a whole, and the processor waits for that, three times here.
    #[inline]
    fn show_top(&mut self, mut top: Top, seq: u64, out: &mut LaneSender<MarketMessage>) {
        top.valid &= !top.is_crossed();
        self.top = top;
        if self.watched && top != self.sent {
            self.sent = top;
            out.push(MarketMessage { seq, body: MarketBody::Top(self.instrument, top) });
        }
    }
}

impl Stage<BookKeeper> for MarketStage {
    fn name(&self) -> &'static str {
        "market"
    }

    fn room(&self) -> u64 {
        self.out.events_room().min(self.waker.room())
    }

    fn ends_events(&self) -> bool {
        false
    }

    #[inline]
    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        if slot.is_first() {
            self.now = slot.time();
            if self.now >= self.next_bar_close {
                self.close_bars_by_time(seq);
            }
        }
        match slot.kind() {
            Kind::Trade => {
                if let Some(trade) = slot.as_trade() {
                    self.on_trade(seq, &trade);
                }
            }
            Kind::Quote => {
                if let Some(quote) = slot.as_quote() {
                    let state = &mut self.states[quote.instrument.index()];
                    let books = books.get(quote.instrument);
                    if let Some(contradiction) = state.on_quote(seq, &quote, books, &mut self.out) {
                        self.contradicted(contradiction);
                    }
                }
            }
            Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial => {
                // Where orders fill by something else nobody keeps a book that its quotes could be held against.
                let index = slot.instrument().index();
                self.states[index].depth_seen = books.get(slot.instrument()).is_some();
            }
            Kind::Kline => {
                self.bar_head = slot.as_kline_head();
            }
            Kind::KlineTail => {
                if let Some(head) = self.bar_head.take() {
                    self.on_kline(seq, &head.with_tail(slot));
                }
            }
            Kind::Interrupted => self.interrupted(seq, slot.instrument()),
            Kind::TradeUnread => self.trade_unread(slot),
            _ => {}
        }
        if slot.is_last()
            && let Some(instrument) = books.moved()
            && let Some(sync) = books.get(instrument)
        {
            let state = &mut self.states[instrument.index()];
            if let Some(contradiction) = state.book_changed(seq, sync, &mut self.out) {
                self.contradicted(contradiction);
            }
        }
        if slot.is_last() {
            self.waker.wake(self.next_bar_close, self.now, seq);
        }
    }

    fn wakes_at(&self) -> Time {
        self.waker.wakes_at(self.next_bar_close)
    }

    fn is_calm(&self, lull: &Lull) -> bool {
        let state = &self.states[lull.instrument.index()];
        let shown = state.watched && state.sourcing.bars_given && state.sourcing.top == TopSource::Bars;
        shown && lull.ends < self.next_bar_close
    }

    fn pass_over(&mut self, _seq: u64, price: Price, lull: &Lull) {
        self.now = lull.ends;
        let state = &mut self.states[lull.instrument.index()];
        state.top = Top::of_path(price);
        state.sent = state.top;
    }

    fn shorten(&mut self, stretch: &mut Stretch<'_>) {
        let state = &mut self.states[stretch.instrument.index()];
        let closing = self.next_bar_close;
        stretch.cut_before(closing);
        for (slot, source) in &mut state.closes {
            stretch.cut_to(source.look_ahead(state.units, stretch.bars()));
            let (values, from) = (Arc::clone(&source.known), source.next);
            stretch.columns.push(Column { slot: *slot, values, from });
        }
    }

    fn pass_over_bars(&mut self, _passed: Passed, stretch: &Stretch<'_>) {
        let Some((time, last)) = stretch.last() else { return };
        self.now = time;
        let state = &mut self.states[stretch.instrument.index()];
        state.top = Top::of_path(last.close);
        state.sent = state.top;
        state.closed += stretch.bars().len() as u64;
        for (_, source) in &mut state.closes {
            source.next += stretch.bars().len();
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests;
