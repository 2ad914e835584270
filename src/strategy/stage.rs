//! The strategy stage: hands each event to the strategies that want it, in the order of the configuration.

use super::context::{Context, View};
use super::desk::Desk;
use super::flatten::{ClosingPace, Flatten};
use super::intent::Intent;
use super::{Awaited, Strategy, StrategySpec};
use crate::domain::decimal::POW10;
use crate::domain::event::{Command, Denial, Event, Kind, Report, Trade};
use crate::domain::order::ReportKind;
use crate::domain::{Column, InstrumentId, InstrumentTable, Passed, Price, Qty, Scope, Slot, Stretch, Time};
use crate::market::book::BookKeeper;
use crate::market::message::{MarketBody, MarketMessage};
use crate::market::{Bar, Top};
use crate::pipeline::{LaneReceiver, LaneSender, Lull, Stage, Waker};
use crate::venue::NativeForms;
use crate::venue::binance::filters::Filters;
use std::cell::Cell;

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
    /// Whether the strategy panicked, which ends the run.
    pub panicked: Cell<bool>,
}

/// See the module.
pub struct StrategyStage {
    view: View,
    seats: Vec<Seat>,
    by_instrument: Vec<Vec<usize>>,
    market: LaneReceiver<MarketMessage>,
    intents: LaneSender<Intent>,
    /// Whether strategies are told of it, and whether it is a price of a bar's path.
    tops: Vec<(InstrumentId, Top, Told)>,
    /// Bars, and whether they are of the past.
    bars: Vec<(Bar, bool)>,
    /// Who acted at this event: the others have nothing to send and set no timer, and are not looked at.
    active: ActiveSeats,
    /// No timer is due before.
    next_timer: Time,
    /// Asks, in a simulation, for the moments of timers.
    waker: Waker,
    /// What a kill is to close.
    flatten: Flatten,
}

/// Who is told of a top of book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Order managers and strategies.
    All,
    /// The same; it is a price that a bar went to.
    AllOfPath,
    /// Order managers alone: a price within a bar, which nobody who has only bars can know.
    Managers,
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

    /// Words of 64 seats.
    #[inline]
    fn words(&self) -> usize {
        self.words.len()
    }

    /// Takes out the seats of one word.
    #[inline]
    fn take_word(&mut self, word: usize) -> impl Iterator<Item = usize> + use<> {
        let mut bits = std::mem::take(&mut self.words[word]);
        std::iter::from_fn(move || {
            let first = (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize);
            bits &= bits.wrapping_sub(1);
            first
        })
    }
}

impl StrategyStage {
    /// A stage with these seats. `indicators` is how many indicator slots the run has.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        mut seats: Vec<Seat>,
        indicators: usize,
        market: LaneReceiver<MarketMessage>,
        intents: LaneSender<Intent>,
    ) -> Self {
        for seat in &mut seats {
            seat.desk.trade_only(&seat.instruments);
        }
        let mut by_instrument = vec![Vec::new(); table.len()];
        for (index, seat) in seats.iter().enumerate() {
            for instrument in &seat.instruments {
                by_instrument[instrument.index()].push(index);
            }
        }
        let view = View::new(table, indicators);
        Self {
            active: ActiveSeats::new(seats.len()),
            next_timer: seats
                .iter()
                .filter_map(|seat| seat.desk.next_timer(&view))
                .min()
                .unwrap_or(Time(u64::MAX)),
            waker: Waker::default(),
            flatten: Flatten::new(table, seats.len()),
            view,
            seats,
            by_instrument,
            market,
            intents,
            tops: Vec::with_capacity(table.len().max(64)),
            bars: Vec::with_capacity(64),
        }
    }

    /// The same where venues hold some kinds of order themselves, by instrument.
    #[must_use]
    pub fn with_forms(mut self, forms: Vec<NativeForms>) -> Self {
        self.view.forms = forms;
        self
    }

    /// The same where some instruments are known by their bars alone, by instrument.
    #[must_use]
    pub fn with_bars(mut self, bars: Vec<bool>) -> Self {
        self.view.bars = bars;
        self
    }

    /// The same with orders rounded by these filters, by instrument, before they are asked for.
    #[must_use]
    pub fn with_rounding(mut self, filters: Vec<Filters>) -> Self {
        self.view.rounding = filters;
        self
    }

    /// The same where venues take no market order that is larger than this, by instrument.
    #[must_use]
    pub fn with_market_max(mut self, largest: Vec<Qty>) -> Self {
        self.view.market_max = largest;
        self
    }

    /// The same where nothing is ordered before a moment: what comes until then warms up indicators and strategies.
    #[must_use]
    pub fn with_warm_up(mut self, until: Time) -> Self {
        self.view.trades_from = until;
        self
    }

    /// The same closing what a kill is to close at this pace, where a journal of before it had another is replayed.
    #[must_use]
    pub fn with_closing_pace(self, pace: ClosingPace) -> Self {
        Self { flatten: self.flatten.at_pace(pace), ..self }
    }

    /// The same asking, in a simulation, for time to come to where a timer is due.
    #[must_use]
    pub fn with_waker(self, waker: Waker) -> Self {
        Self { waker, ..self }
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

    /// What the strategies see, as of the last event.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
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
                tops.push((*instrument, *top, Told::All));
            }
            MarketBody::Path { instrument, top, shown } => {
                view.tops[instrument.index()] = *top;
                tops.push((*instrument, *top, if *shown { Told::AllOfPath } else { Told::Managers }));
            }
            MarketBody::Bar(bar) => bars.push((*bar, false)),
            MarketBody::PastBar(bar) => bars.push((*bar, true)),
            MarketBody::Value { slot, values } => view.values[*slot] = Some(*values),
        });
    }

    fn fire_timers(&mut self) {
        if self.view.now < self.next_timer {
            return;
        }
        self.next_timer = Time(u64::MAX);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if seat.desk.next_deadline().is_some_and(|at| at <= self.view.now) {
                seat.desk.expire(&self.view);
                self.active.add(index);
            }
            if seat.desk.retries(&self.view) {
                self.active.add(index);
            }
            while let Some(timer) = seat.desk.due_timer(self.view.now) {
                seat.call(&self.view, |s, ctx| s.on_timer(ctx, timer));
                self.active.add(index);
            }
            self.next_timer =
                seat.desk.next_timer(&self.view).map_or(self.next_timer, |t| t.min(self.next_timer));
        }
    }

    fn on_report(&mut self, report: Report) {
        let Some(seat) = self.seats.get_mut(report.strategy.index()) else { return };
        self.active.add(report.strategy.index());
        let before = seat.held(report.instrument);
        let settled = seat.desk.on_report(&report, self.view.now);
        if seat.held(report.instrument) != before {
            self.flatten.position_changed(report.strategy, report.instrument);
        }
        seat.desk.attend(&self.view);
        let Some(settled) = settled else {
            // Of an order that ended too long ago to be remembered: what it traded is the strategy's all the same.
            if report.kind == ReportKind::Fill && report.qty.0 > 0 {
                seat.call(&self.view, |s, ctx| s.on_fill(ctx, &report));
            }
            return;
        };
        if !settled.changed {
            return;
        }
        if report.kind == ReportKind::Rejected
            && let Some(why) = report.refusal()
        {
            let lot = self.view.table.get(report.instrument).lot;
            self.flatten.refused(&settled.order.order, why, lot, self.view.now);
        }
        if report.kind == ReportKind::Expired && settled.order.filled == Qty::ZERO {
            self.flatten.untraded(&settled.order.order, self.view.now);
        }
        if report.kind == ReportKind::Fill || settled.order.status.is_final() {
            self.flatten.let_go(&settled.order.order, self.view.now);
        }
        if report.kind == ReportKind::Fill {
            self.flatten.traded(report.strategy, report.instrument);
            // Of an iceberg's part the strategy hears as of the whole.
            let report = Report { order: settled.order.order.id, ..report };
            seat.call(&self.view, |s, ctx| s.on_fill(ctx, &report));
        }
        seat.call(&self.view, |s, ctx| s.on_order(ctx, &settled.order, None));
    }

    fn on_denial(&mut self, denial: &Denial) {
        let Some(seat) = self.seats.get_mut(denial.strategy.index()) else { return };
        self.active.add(denial.strategy.index());
        let lot = self.view.table.get(denial.instrument).lot;
        let settled = seat.desk.on_denial(denial, self.view.now, lot).filter(|settled| settled.changed);
        if let Some(settled) = &settled {
            let held = seat.held(denial.instrument);
            self.flatten.denied(&settled.order.order, denial, held, lot, self.view.now);
        }
        seat.desk.attend(&self.view);
        if let Some(settled) = settled {
            seat.call(&self.view, |s, ctx| s.on_order(ctx, &settled.order, Some(denial.reason)));
        }
    }

    /// Moves what trails the last trade.
    fn follow(&mut self, trade: &Trade) {
        for &index in &self.by_instrument[trade.instrument.index()] {
            self.seats[index].desk.follow(trade);
        }
    }

    /// The top of an instrument that is held back is not to be traded on; strategies are told as of any other change of it.
    fn on_command(&mut self, command: Command) {
        self.view.stopped.take(&command);
        match command {
            // What is stopped is denied by risk, which says so, and takes back what is open; what is held here ends here, and
            // what is to be closed is closed.
            Command::Kill(kill) => {
                self.flatten.kill(&kill);
                return self.end_what_is_held(kill.scope);
            }
            Command::Release(scope) => return self.flatten.release(scope),
            Command::Account(account) => self.flatten.moved(&account, &self.view.table, self.view.now),
            _ => {}
        }
        if !self.view.paused.take(command) {
            return;
        }
        self.flatten.held_back(command, &self.view);
        for of in self.view.table.all() {
            if self.view.paused.concerned(command, of.id) && !self.by_instrument[of.id.index()].is_empty() {
                self.tops.push((of.id, self.view.top(of.id), Told::All));
            }
        }
    }

    /// Ends what order managers hold of what is stopped.
    #[cold]
    fn end_what_is_held(&mut self, scope: Scope) {
        let Self { seats, flatten, view, active, .. } = self;
        for (index, seat) in seats.iter_mut().enumerate() {
            let strategy = seat.desk.strategy;
            if seat.desk.end_what_is_held(view, |instrument| flatten.is_in(scope, strategy, instrument)) {
                active.add(index);
            }
        }
    }

    fn dispatch_market(&mut self, slot: &Slot) {
        for &(instrument, top, told) in &self.tops {
            for &index in &self.by_instrument[instrument.index()] {
                let seat = &mut self.seats[index];
                self.active.add(index);
                if told != Told::All {
                    seat.desk.walk(&self.view, instrument, top.bid.price);
                }
                seat.desk.guard(&self.view, instrument, top);
                if told == Told::Managers {
                    continue;
                }
                let shown = Top { valid: top.valid && !self.view.is_paused(instrument), ..top };
                seat.call(&self.view, |s, ctx| s.on_quote(ctx, instrument, &shown));
            }
        }
        let trades_from = self.view.trades_from;
        for (bar, past) in &self.bars {
            if *past {
                self.view.trades_from = View::NEVER;
            }
            for &index in &self.by_instrument[bar.instrument.index()] {
                self.active.add(index);
                if let Some(sizer) = &mut self.seats[index].desk.sizer {
                    sizer.on_bar(bar);
                }
                self.seats[index].call(&self.view, |s, ctx| s.on_bar(ctx, bar));
            }
            self.view.trades_from = trades_from;
        }
        if let Some(trade) = slot.as_trade() {
            for &index in &self.by_instrument[trade.instrument.index()] {
                let seat = &mut self.seats[index];
                self.active.add(index);
                seat.desk.on_trade(&self.view, &trade);
                seat.call(&self.view, |s, ctx| s.on_trade(ctx, &trade));
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

    /// Closes what a kill is to close.
    #[cold]
    fn close_what_is_stopped(&mut self) {
        self.flatten.done(self.view.now);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if self.flatten.close(&mut seat.desk, &seat.instruments, &self.view) {
                self.active.add(index);
            }
        }
    }

    /// Sends what was asked for, in the order of the seats, and notes the timers that were set.
    fn send_intents(&mut self) {
        // Nobody becomes active by what is done here.
        for word in 0..self.active.words() {
            for index in self.active.take_word(word) {
                if !self.seats[index].desk.is_quiet() {
                    self.send_of(index);
                }
            }
        }
    }

    /// Sends what one seat asked for.
    fn send_of(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        seat.tell_notices(&self.view);
        let desk = &mut seat.desk;
        desk.timers_seen();
        for intent in desk.take_intents() {
            self.intents.push(intent);
        }
        self.next_timer = desk.next_timer(&self.view).map_or(self.next_timer, |t| t.min(self.next_timer));
    }
}

/// Dropped only where a strategy panics: a call that returns forgets it, and pays nothing for it.
struct Unwinding<'a> {
    panicked: &'a Cell<bool>,
}

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.panicked.set(true);
    }
}

impl Seat {
    /// Sends what the strategy's requests left to send, and tells it of held orders that ended.
    #[inline]
    fn tell_notices(&mut self, view: &View) {
        self.desk.attend(view);
        while let Some(ended) = self.desk.next_notice() {
            self.call(view, |s, ctx| s.on_order(ctx, &ended, None));
            self.desk.attend(view);
        }
    }

    /// How much its strategy holds.
    #[inline]
    fn held(&self, instrument: InstrumentId) -> Qty {
        self.desk.state.positions.get(instrument.index()).map_or(Qty::ZERO, |position| position.qty)
    }

    /// What its strategy waits for in an instrument's bars.
    #[inline]
    fn awaits(&self, instrument: InstrumentId) -> Awaited {
        self.ask(|strategy| strategy.awaits(instrument, self.desk.state.positions[instrument.index()].qty))
    }

    /// Asks its strategy something that changes nothing.
    #[inline]
    fn ask<T>(&self, f: impl FnOnce(&dyn Strategy) -> T) -> T {
        let unwinding = Unwinding { panicked: &self.panicked };
        let said = f(self.strategy.as_ref());
        std::mem::forget(unwinding);
        said
    }

    #[inline]
    fn call(&mut self, view: &View, f: impl FnOnce(&mut dyn Strategy, &mut Context<'_>)) {
        let mut ctx = Context { view, desk: &mut self.desk };
        let unwinding = Unwinding { panicked: &self.panicked };
        f(self.strategy.as_mut(), &mut ctx);
        std::mem::forget(unwinding);
    }
}

impl Stage<BookKeeper> for StrategyStage {
    fn name(&self) -> &'static str {
        "strategy"
    }

    fn room(&self) -> u64 {
        self.intents.events_room().min(self.waker.room())
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
        // What happened comes before what is decided, timers included: so records can follow their event in a journal.
        match slot.kind() {
            Kind::Quote | Kind::Levels | Kind::KlineTail | Kind::Clock => {}
            Kind::Trade => {
                if let Some(trade) = slot.as_trade() {
                    self.follow(&trade);
                }
            }
            Kind::Report => {
                if let Some(report) = slot.as_report() {
                    self.on_report(report);
                }
            }
            _ => match slot.event() {
                Event::Denial(denial) => self.on_denial(&denial),
                Event::Command(command) => self.on_command(command),
                Event::Rules(rules) => self.view.change(&rules),
                Event::MarketRules(rules) => self.view.change_market(&rules),
                _ => {}
            },
        }
        self.fire_timers();
        self.dispatch_market(slot);
        self.show_books(books);
        if self.flatten.is_due(self.view.now) {
            self.close_what_is_stopped();
        }
        self.send_intents();
        self.waker.wake(self.next_timer, self.view.now, seq);
    }

    fn wakes_at(&self) -> Time {
        self.waker.wakes_at(self.next_timer)
    }

    fn is_calm(&self, lull: &Lull) -> bool {
        let quoted = lull.opens || lull.closes;
        let calm = |seat: &Seat| {
            seat.desk.is_calm()
                && !(quoted && seat.ask(|strategy| strategy.heeds_quotes()))
                && !(lull.closes && seat.awaits(lull.instrument).is_any())
        };
        self.next_timer > lull.ends
            && !self.flatten.is_due(lull.ends)
            && self.by_instrument[lull.instrument.index()].iter().all(|&index| calm(&self.seats[index]))
    }

    fn pass_over(&mut self, seq: u64, price: Price, lull: &Lull) {
        (self.view.seq, self.view.now) = (seq, lull.ends);
        self.view.tops[lull.instrument.index()] = Top::of_path(price);
    }

    fn shorten(&mut self, stretch: &mut Stretch<'_>) {
        stretch.cut_before(self.next_timer.min(self.flatten.next_due()));
        let decimals = self.view.table.get(stretch.instrument).price_decimals;
        let price_unit = 1.0 / POW10[usize::from(decimals)] as f64;
        for &index in &self.by_instrument[stretch.instrument.index()] {
            let awaited = self.seats[index].awaits(stretch.instrument);
            stretch.cut_to(awaited.before(stretch, price_unit));
        }
    }

    fn pass_over_bars(&mut self, passed: Passed, stretch: &Stretch<'_>) {
        let Some((time, last)) = stretch.last() else { return };
        (self.view.seq, self.view.now) = (passed.seq, time);
        self.view.tops[stretch.instrument.index()] = Top::of_path(last.close);
        for Column { slot, values, from } in &stretch.columns {
            let mut passed = (*from..from + stretch.bars().len()).rev();
            if let Some(values) = passed.find_map(|bar| values.at(bar)) {
                self.view.values[usize::from(*slot)] = Some(values);
            }
        }
        for &index in &self.by_instrument[stretch.instrument.index()] {
            if let Some(sizer) = &mut self.seats[index].desk.sizer {
                stretch.bars().bars().for_each(|bar| sizer.on_bar(&bar));
            }
        }
    }

    fn at_fault(&self) -> Option<String> {
        let seat = self.seats.iter().find(|seat| seat.panicked.get())?;
        Some(format!("the strategy {}", seat.label))
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
        let mut all = || (0..active.words()).flat_map(|word| active.take_word(word)).collect::<Vec<_>>();
        assert_eq!(all(), [0, 3, 63, 64, 200, 254]);
        assert_eq!(all(), [0; 0], "they are taken out");
        assert_eq!(ActiveSeats::new(0).words(), 0);
    }
}
