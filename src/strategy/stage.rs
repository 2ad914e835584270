//! The strategy stage: hands each event to the strategies that want it, in the order of the configuration.

use super::context::{Context, View};
use super::desk::Desk;
use super::intent::Intent;
use super::{Strategy, StrategySpec};
use crate::domain::event::{Event, Kind};
use crate::domain::order::ReportKind;
use crate::domain::{InstrumentId, InstrumentTable, Slot, Time};
use crate::market::book::BookKeeper;
use crate::market::message::{MarketBody, MarketMessage};
use crate::market::{Bar, Top};
use crate::pipeline::{LaneReceiver, LaneSender, Stage};

/// A strategy on its desk.
pub struct Seat {
    /// The name it has in output.
    pub label: String,
    /// Which built-in or registered strategy it is.
    pub spec: &'static StrategySpec,
    /// What it may trade.
    pub instruments: Vec<InstrumentId>,
    /// The algorithm.
    pub strategy: Box<dyn Strategy>,
    /// Its state.
    pub desk: Desk,
    /// Whether it wants depth.
    pub wants_book: bool,
}

/// See the module.
pub struct StrategyStage {
    view: View,
    seats: Vec<Seat>,
    by_instrument: Vec<Vec<usize>>,
    market: LaneReceiver<MarketMessage>,
    intents: LaneSender<Intent>,
    tops: Vec<(InstrumentId, Top)>,
    bars: Vec<Bar>,
    /// Who acted at this event: the others have nothing to send and set no timer, and are not looked at.
    active: ActiveSeats,
    /// No timer is due before.
    next_timer: Time,
}

/// A set of seats, a bit each.
struct ActiveSeats {
    words: Vec<u64>,
}

impl ActiveSeats {
    fn new(seats: usize) -> Self {
        Self { words: vec![0; seats.div_ceil(64)] }
    }

    #[inline]
    fn add(&mut self, seat: usize) {
        self.words[seat / 64] |= 1 << (seat % 64);
    }

    /// Takes out the first.
    #[inline]
    fn pop(&mut self) -> Option<usize> {
        let (index, word) = self.words.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(index * 64 + bit as usize)
    }
}

impl StrategyStage {
    /// A stage with these seats. `indicators` is how many indicator slots the run has.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        seats: Vec<Seat>,
        indicators: usize,
        market: LaneReceiver<MarketMessage>,
        intents: LaneSender<Intent>,
    ) -> Self {
        let mut by_instrument = vec![Vec::new(); table.len()];
        for (index, seat) in seats.iter().enumerate() {
            for instrument in &seat.instruments {
                by_instrument[instrument.index()].push(index);
            }
        }
        let view = View {
            table: table.clone(),
            tops: vec![Top::default(); table.len()],
            values: vec![None; indicators],
            now: Time(0),
            seq: 0,
        };
        Self {
            active: ActiveSeats::new(seats.len()),
            next_timer: Time(u64::MAX),
            view,
            seats,
            by_instrument,
            market,
            intents,
            tops: Vec::with_capacity(64),
            bars: Vec::with_capacity(64),
        }
    }

    /// Which instruments' books the seats want to be lent.
    #[must_use]
    pub fn books_wanted(table: &InstrumentTable, seats: &[Seat]) -> Vec<bool> {
        let mut wanted = vec![false; table.len()];
        for instrument in seats.iter().filter(|s| s.wants_book).flat_map(|s| &s.instruments) {
            wanted[instrument.index()] = true;
        }
        wanted
    }

    /// The seats, to read results from.
    #[must_use]
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// How many indicators never left their warm-up.
    #[must_use]
    pub fn indicators_warming_up(&self) -> usize {
        self.view.values.iter().filter(|v| v.is_none()).count()
    }

    /// Takes what the market stage says up to this event.
    fn read_lane(&mut self, seq: u64) {
        let Self { market, tops, bars, view, .. } = self;
        tops.clear();
        bars.clear();
        market.take_up_to(seq, |message| match &message.body {
            MarketBody::Top(instrument, top) => {
                view.tops[instrument.index()] = *top;
                tops.push((*instrument, *top));
            }
            MarketBody::Bar(bar) => bars.push(*bar),
            MarketBody::Value { slot, values } => view.values[usize::from(*slot)] = Some(*values),
        });
    }

    fn fire_timers(&mut self) {
        if self.view.now < self.next_timer {
            return;
        }
        self.next_timer = Time(u64::MAX);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            while let Some(timer) = seat.desk.due_timer(self.view.now) {
                seat.call(&self.view, |s, ctx| s.on_timer(ctx, timer));
                self.active.add(index);
            }
            self.next_timer = seat.desk.next_timer().map_or(self.next_timer, |t| t.min(self.next_timer));
        }
    }

    /// What risk or the venue says of an order, told to whose it is.
    fn settle(&mut self, slot: &Slot) {
        let (strategy, report, denial) = match slot.event() {
            Event::Report(report) => (report.strategy, Some(report), None),
            Event::Denial(denial) => (denial.strategy, None, Some(denial)),
            _ => return,
        };
        let Some(seat) = self.seats.get_mut(strategy.index()) else { return };
        self.active.add(strategy.index());
        let settled = match (&report, &denial) {
            (Some(report), _) => seat.desk.on_report(report),
            (_, Some(denial)) => seat.desk.on_denial(denial),
            _ => None,
        };
        let Some(settled) = settled.filter(|settled| settled.changed) else { return };
        if let Some(report) = &report
            && report.kind == ReportKind::Fill
        {
            seat.call(&self.view, |s, ctx| s.on_fill(ctx, report));
        }
        let denied = denial.map(|denial| denial.reason);
        seat.call(&self.view, |s, ctx| s.on_order(ctx, &settled.order, denied));
    }

    fn dispatch_market(&mut self, slot: &Slot) {
        for (instrument, top) in &self.tops {
            for &index in &self.by_instrument[instrument.index()] {
                let seat = &mut self.seats[index];
                self.active.add(index);
                seat.desk.guard(self.view.seq, *instrument, top);
                seat.call(&self.view, |s, ctx| s.on_quote(ctx, *instrument, top));
            }
        }
        for bar in &self.bars {
            for &index in &self.by_instrument[bar.instrument.index()] {
                self.active.add(index);
                self.seats[index].call(&self.view, |s, ctx| s.on_bar(ctx, bar));
            }
        }
        if let Some(trade) = slot.as_trade() {
            for &index in &self.by_instrument[trade.instrument.index()] {
                self.active.add(index);
                self.seats[index].call(&self.view, |s, ctx| s.on_trade(ctx, &trade));
            }
        }
    }

    fn show_books(&mut self, books: &BookKeeper) {
        let Some(instrument) = books.moved() else { return };
        let Some(sync) = books.valid(instrument) else { return };
        for &index in &self.by_instrument[instrument.index()] {
            let seat = &mut self.seats[index];
            if seat.wants_book {
                let book = sync.book();
                self.active.add(index);
                seat.call(&self.view, |s, ctx| s.on_book(ctx, instrument, book));
            }
        }
    }

    /// Sends what was asked for, in the order of the seats, and notes the timers that were set.
    fn send_intents(&mut self) {
        while let Some(index) = self.active.pop() {
            let desk = &mut self.seats[index].desk;
            desk.take_intents(|intent| self.intents.push(*intent));
            self.next_timer = desk.next_timer().map_or(self.next_timer, |t| t.min(self.next_timer));
        }
    }
}

impl Seat {
    #[inline]
    fn call(&mut self, view: &View, f: impl FnOnce(&mut dyn Strategy, &mut Context<'_>)) {
        let mut ctx = Context { view, desk: &mut self.desk };
        f(self.strategy.as_mut(), &mut ctx);
    }
}

impl Stage<BookKeeper> for StrategyStage {
    fn name(&self) -> &'static str {
        "strategy"
    }

    fn room(&self) -> u64 {
        self.intents.events_room()
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        if slot.is_first() {
            self.view.now = slot.time();
        }
        if !slot.is_last() {
            return;
        }
        self.view.seq = seq;
        self.read_lane(seq);
        self.fire_timers();
        match slot.kind() {
            Kind::Report | Kind::Denial => self.settle(slot),
            _ => {}
        }
        self.dispatch_market(slot);
        self.show_books(books);
        self.send_intents();
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::ActiveSeats;

    #[test]
    fn active_seats_come_once_each_and_in_their_order() {
        let mut active = ActiveSeats::new(255);
        for seat in [200, 3, 64, 3, 63, 0, 254] {
            active.add(seat);
        }
        let all: Vec<_> = std::iter::from_fn(|| active.pop()).collect();
        assert_eq!(all, [0, 3, 63, 64, 200, 254]);
        assert!(ActiveSeats::new(0).pop().is_none());
    }
}
