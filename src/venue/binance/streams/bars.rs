//! Which bars are asked for next: those of before the run, and those that it saw not whole.
//!
//! Owns: what is wanted, in which order, how often what failed is asked for again, and when it is given up. Invariant: no bar is
//! asked for that may still be under way.

use super::super::klines::Klines;
use super::client::{Request, StreamClient};
use super::snapshots::FetchFailure;
use crate::domain::event::{BarOrigin, Kline};
use crate::domain::missed::MissedBar;
use crate::domain::{InstrumentId, Time};
use crate::net::Backoff;
use std::collections::VecDeque;
use std::time::Duration;

/// How much of a bar's end the host's clock may be wrong by, ns: those of before the run are asked for once they are so old.
const SETTLED_NS: u64 = 10_000_000_000;
/// The venue's own bar may lack its last trades for a moment, ns; of short bars less is waited for.
const LATER_NS_MAX: u64 = 1_000_000_000;
/// The first and the longest pause of a question that failed.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// So many lengths after its beginning a bar that was missed is given up: those after it have long been handed out.
const LATE_AFTER: u64 = 3;
/// So many lengths after its beginning the next one is over too: nobody is to act on it as if it were new.
const NEXT_OVER_AFTER: u64 = 2;
/// So many questions for bars to one for a book, where both are wanted: they weigh little, and a book that waits is not traded on.
const BARS_A_BOOK: u32 = 4;

/// What a question for bars is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarsAsked {
    /// Of what length, and how they are asked for.
    pub klines: Klines,
    /// The first.
    pub from: Time,
    /// The end of the last.
    pub until: Time,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BarsQueue {
    /// None where nothing is to be asked.
    klines: Option<Klines>,
    /// How many of before the run, by instrument; none any more where they come too late.
    past: Vec<u32>,
    /// One an instrument.
    waiting: VecDeque<Wanted>,
    asked: Option<(Wanted, BarsAsked)>,
    /// Where the last question was not answered.
    failing: Option<Failing>,
    /// Questions since the last one for a book.
    in_turn: u32,
}

/// Questions are not answered: what holds one back holds back all.
#[derive(Debug)]
struct Failing {
    until: Time,
    backoff: Backoff,
    told: bool,
}

#[derive(Debug)]
struct Wanted {
    instrument: InstrumentId,
    /// The bar that was missed; without one those of before the run are wanted.
    missed: Option<MissedBar>,
    /// The first that was missed, of those that did not come.
    since: Option<Time>,
    due: Time,
    backoff: Backoff,
}

impl Wanted {
    /// It is asked for in place of what was wanted earlier, and with it.
    fn reach_back_to(&mut self, earlier: &Self) {
        self.since = [self.since, earlier.since].into_iter().flatten().min();
    }
}

impl BarsQueue {
    fn want(&mut self, instrument: InstrumentId, missed: Option<MissedBar>, due: Time) {
        let backoff = Backoff::new(PAUSE.0, PAUSE.1, u64::from(instrument.0));
        let since = missed.map(|missed| missed.start);
        let mut wanted = Wanted { instrument, missed, since, due, backoff };
        // What is asked for later reaches back as far.
        self.waiting.retain(|earlier| {
            let same = earlier.instrument == instrument;
            if same {
                wanted.reach_back_to(earlier);
            }
            !same
        });
        self.waiting.push_back(wanted);
    }

    /// What did not come is wanted still.
    fn put_back(&mut self, wanted: Wanted) {
        match self.waiting.iter_mut().find(|later| later.instrument == wanted.instrument) {
            Some(later) => later.reach_back_to(&wanted),
            None => self.waiting.push_back(wanted),
        }
    }

    /// The same after a pause of its own. Says whether a person should hear of it: once when it begins.
    fn ask_again(&mut self, mut wanted: Wanted, now: Time) -> Option<&'static str> {
        wanted.due = now.plus(wanted.backoff.next_pause());
        let begins = wanted.backoff.attempts() == 1;
        self.put_back(wanted);
        begins.then_some("asked for again")
    }

    /// A question was not answered: none is asked for a while, since that may hold the next one up as long. A person hears of
    /// it once, not of each instrument.
    fn hold(&mut self, seed: u64, wanted: Wanted, now: Time) -> Option<&'static str> {
        let begun = || Failing { until: now, backoff: Backoff::new(PAUSE.0, PAUSE.1, seed), told: false };
        let failing = self.failing.get_or_insert_with(begun);
        failing.until = now.plus(failing.backoff.next_pause());
        let told = std::mem::replace(&mut failing.told, true);
        self.ask_again(wanted, now).filter(|_| !told)
    }

    /// Whether books that are wanted come first.
    pub fn books_first(&self) -> bool {
        self.in_turn >= BARS_A_BOOK || self.failing.is_some()
    }

    /// A book is asked for: it is the turn of bars.
    pub fn book_asked(&mut self) {
        self.in_turn = 0;
    }

    /// What would come too late by now, if anything: where hundreds of short bars are missed at once, they would only hold books
    /// up. Where none was handed out yet, what was missed is one of the past that warms up.
    fn take_late(&mut self, now: Time) -> Option<Wanted> {
        let late_ns = self.klines?.length_ns().saturating_mul(LATE_AFTER);
        let is_late = |missed: &MissedBar| now.since(missed.start) >= late_ns;
        for at in 0..self.waiting.len() {
            let wanted = &mut self.waiting[at];
            let past = self.past.get(wanted.instrument.index()).is_some_and(|bars| *bars > 0);
            if past && wanted.missed.is_some_and(|missed| missed.after.is_none() && is_late(&missed)) {
                wanted.missed = None;
            }
            if wanted.missed.as_ref().map_or(!past, is_late) {
                return self.waiting.remove(at);
            }
        }
        None
    }

    /// Whose turn it is, and what to ask.
    fn next(&self, now: Time) -> Option<(usize, BarsAsked)> {
        let klines = self.klines?;
        if self.failing.as_ref().is_some_and(|failing| now < failing.until) {
            return None;
        }
        let at = self.waiting.iter().position(|wanted| now >= wanted.due)?;
        let wanted = self.waiting.get(at)?;
        let past = u64::from(self.past.get(wanted.instrument.index()).copied().unwrap_or(0));
        let until = match wanted.missed {
            Some(missed) => missed.start.plus_nanos(klines.length_ns()),
            None => klines.start_of(Time(now.0.saturating_sub(SETTLED_NS))),
        };
        let back = |bars: u64| Time(until.0.saturating_sub(bars.saturating_mul(klines.length_ns())));
        let from = match wanted.missed.and_then(|missed| missed.after) {
            Some(after) => after.plus_nanos(klines.length_ns()),
            None => back(past.max(1)).min(wanted.since.unwrap_or(until)),
        };
        Some((at, BarsAsked { klines, from: from.max(back(klines.bars_max())).min(back(1)), until }))
    }
}

impl StreamClient {
    /// Asks for bars of so many seconds from now on: of each instrument as many of before the run as `past` says, by
    /// instrument, and those that are [missed](Self::missed_bar). Says how many of them one answer has, if the venue has such.
    pub fn fetch_bars(&mut self, seconds: u32, past: Vec<u32>, now: Time) -> Option<u64> {
        let klines = Klines::new(self.market, seconds);
        self.bars = BarsQueue { klines, past, ..BarsQueue::default() };
        for index in 0..self.watched.len() {
            self.want_past_bars(InstrumentId(index as u16), now);
        }
        klines.map(|klines| klines.bars_max())
    }

    /// An instrument is followed: its bars of before the run are wanted, if any are.
    pub(super) fn want_past_bars(&mut self, instrument: InstrumentId, now: Time) {
        let followed = self.watched.get(instrument.index()).is_some_and(Option::is_some);
        let wanted = self.bars.past.get(instrument.index()).is_some_and(|bars| *bars > 0);
        if followed && wanted && self.bars.klines.is_some() {
            self.bars.want(instrument, None, now);
        }
    }

    /// A bar was withheld, since it is not known to be whole.
    pub fn missed_bar(&mut self, missed: MissedBar, now: Time) {
        let followed = self.watched.get(missed.instrument.index()).is_some_and(Option::is_some);
        if let Some(klines) = self.bars.klines.filter(|_| followed) {
            let due = now.plus_nanos(LATER_NS_MAX.min(klines.length_ns() / 4));
            self.bars.want(missed.instrument, Some(missed), due);
        }
    }

    /// The first bar of the run's own trades was handed out, and none before it: those of before the run come too late.
    pub fn first_bar(&mut self, instrument: InstrumentId) {
        if let Some(past) = self.bars.past.get_mut(instrument.index()) {
            *past = 0;
        }
    }

    /// Asks for the bars whose turn it is, if the venue's limits allow it.
    pub(super) fn poll_bars(&mut self, now: Time, out: &mut Vec<Request>) {
        self.give_up_late_bars(now);
        let Some((at, asked)) = self.bars.next(now) else { return };
        if !self.queue.ask(asked.klines.weight(asked.from, asked.until), now) {
            return;
        }
        let Some(wanted) = self.bars.waiting.remove(at) else { return };
        let instrument = wanted.instrument;
        self.bars.asked = Some((wanted, asked));
        self.bars.in_turn = self.bars.in_turn.saturating_add(1);
        self.counts.bar_fetches += 1;
        if let Some(Some(watched)) = self.watched.get(instrument.index()) {
            let path = asked.klines.path(&watched.symbol, asked.from, asked.until);
            out.push(Request::FetchBars { instrument, path, asked });
        }
    }

    fn give_up_late_bars(&mut self, now: Time) {
        while let Some(wanted) = self.bars.take_late(now) {
            self.counts.bars_given_up += 1;
            if self.bars.waiting.is_empty() {
                // What fails next begins to.
                self.bars.failing = None;
            }
            // Of those that there was no time to ask for the summary tells.
            if wanted.backoff.attempts() == 0 {
                continue;
            }
            let Some(Some(watched)) = self.watched.get(wanted.instrument.index()) else { continue };
            let (market, symbol) = (self.market, &watched.symbol);
            match wanted.missed {
                None => {
                    log::warn!(
                        "{market} {symbol}: bars of before the run are given up: it has a first of its own"
                    );
                }
                Some(missed) => {
                    log::warn!(
                        "{market} {symbol}: the bar of {} is given up: it would come too late",
                        missed.start
                    );
                }
            }
        }
    }

    /// Bars came. Those that are to be published are left, with what they are; where the one that was missed is not among them,
    /// says whether a person should hear of it: once when it begins.
    pub fn bars_came(
        &mut self,
        bars: &mut [Kline],
        used_weight: Option<u64>,
        now: Time,
    ) -> Option<&'static str> {
        self.queue.answered(used_weight, now);
        self.next_deadline = now;
        self.bars.failing = None;
        let (mut wanted, asked) = self.bars.asked.take()?;
        let next_over_ns = asked.klines.length_ns().saturating_mul(NEXT_OVER_AFTER);
        let newer = self.bars.waiting.iter().any(|later| later.instrument == wanted.instrument);
        let mut there = wanted.missed.is_none();
        for bar in bars {
            let missed = wanted.missed.is_some_and(|missed| missed.start == bar.open_time);
            there |= missed;
            if missed && !newer && now.since(bar.open_time) < next_over_ns {
                bar.origin = BarOrigin::Missed;
                self.counts.bars_made_good += 1;
            } else {
                self.counts.bars_of_before += 1;
            }
            // What came is handed out, or too late: it is not asked for again.
            if let Some(missed) = &mut wanted.missed {
                missed.after = missed.after.max(Some(bar.open_time));
                wanted.since = Some(bar.open_time.plus_nanos(asked.klines.length_ns()));
            }
        }
        if there {
            return None;
        }
        self.counts.bar_fetch_failures += 1;
        self.bars.ask_again(wanted, now)
    }

    /// No bars came. Says whether a person should hear of it: once when it begins.
    pub fn bars_failed(&mut self, failure: &FetchFailure, now: Time) -> Option<&'static str> {
        self.queue.unanswered(failure, now);
        self.next_deadline = now;
        self.counts.bar_fetch_failures += 1;
        let (wanted, _) = self.bars.asked.take()?;
        match failure {
            // The limits say when there may be a question again.
            FetchFailure::RateLimited { .. } => {
                self.bars.put_back(wanted);
                Some("asked for again when the venue allows it")
            }
            _ if failure.lasts() => {
                self.bars.failing = None;
                self.counts.bars_given_up += 1;
                Some("not asked for again")
            }
            FetchFailure::Unreadable(_) => {
                self.bars.failing = None;
                self.bars.ask_again(wanted, now)
            }
            _ => self.bars.hold(self.settings.seed, wanted, now),
        }
    }
}
