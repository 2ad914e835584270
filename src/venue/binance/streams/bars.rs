//! Which bars are asked for next: those of before the run, and those that it saw not whole.
//!
//! Owns: what is wanted, in which order, and how often what failed is asked for again. Invariant: no bar is asked for that may
//! still be under way.

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
/// After so many it is given up.
const ATTEMPTS_MAX: u32 = 8;

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
    /// How many of before the run, by instrument.
    past: Vec<u32>,
    waiting: VecDeque<Wanted>,
    asked: Option<(Wanted, BarsAsked)>,
}

#[derive(Debug)]
struct Wanted {
    instrument: InstrumentId,
    /// The bar that was missed; without one those of before the run are wanted.
    missed: Option<MissedBar>,
    due: Time,
    backoff: Backoff,
}

impl BarsQueue {
    fn want(&mut self, instrument: InstrumentId, missed: Option<MissedBar>, due: Time) {
        // What is asked for later reaches back as far.
        self.waiting.retain(|w| w.instrument != instrument || w.missed.is_none() || missed.is_none());
        let backoff = Backoff::new(PAUSE.0, PAUSE.1, u64::from(instrument.0));
        self.waiting.push_back(Wanted { instrument, missed, due, backoff });
    }

    /// Whose turn it is, and what to ask. What was missed so long ago that the bar after it has long been handed out is not
    /// asked for any more: where hundreds of short bars are missed at once, they would only hold books up.
    fn next(&mut self, now: Time) -> Option<(usize, BarsAsked)> {
        let klines = self.klines?;
        let late_ns = klines.length_ns().saturating_mul(3);
        self.waiting.retain(|wanted| wanted.missed.is_none_or(|missed| now.since(missed.start) < late_ns));
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
            None => back(past.max(1)),
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

    /// Asks for the bars whose turn it is, if the venue's limits allow it.
    pub(super) fn poll_bars(&mut self, now: Time, out: &mut Vec<Request>) {
        let Some((at, asked)) = self.bars.next(now) else { return };
        if !self.queue.ask(asked.klines.weight(asked.from, asked.until), now) {
            return;
        }
        let Some(wanted) = self.bars.waiting.remove(at) else { return };
        let instrument = wanted.instrument;
        self.bars.asked = Some((wanted, asked));
        self.counts.bar_fetches += 1;
        if let Some(Some(watched)) = self.watched.get(instrument.index()) {
            let path = asked.klines.path(&watched.symbol, asked.from, asked.until);
            out.push(Request::FetchBars { instrument, path, asked });
        }
    }

    /// Bars came. Those that are to be published are left, with what they are; says what is wrong where the one that was missed
    /// is not among them.
    pub fn bars_came(
        &mut self,
        bars: &mut [Kline],
        used_weight: Option<u64>,
        now: Time,
    ) -> Result<(), &'static str> {
        self.queue.answered(used_weight, now);
        self.next_deadline = now;
        let Some((wanted, _)) = self.bars.asked.take() else { return Ok(()) };
        let start = wanted.missed.map(|missed| missed.start);
        for bar in bars.iter_mut().filter(|bar| Some(bar.open_time) == start) {
            bar.origin = BarOrigin::Missed;
            self.counts.bars_made_good += 1;
        }
        let made_good = bars.last().is_some_and(|bar| Some(bar.open_time) == start);
        self.counts.bars_of_before += (bars.len() - usize::from(made_good)) as u64;
        if start.is_some() && !made_good {
            self.ask_for_bars_again(wanted, now);
            return Err("the venue does not have it yet");
        }
        Ok(())
    }

    /// No bars came. Says whether a person should hear of it: once when it begins, and when it is given up.
    pub fn bars_failed(&mut self, failure: &FetchFailure, now: Time) -> Option<&'static str> {
        self.queue.unanswered(failure, now);
        self.next_deadline = now;
        self.counts.bar_fetch_failures += 1;
        let (wanted, _) = self.bars.asked.take()?;
        match failure {
            // The limits say when there may be a question again.
            FetchFailure::RateLimited { .. } => {
                self.bars.waiting.push_front(wanted);
                Some("asked for again when the venue allows it")
            }
            _ if failure.lasts() => Some("not asked for again"),
            _ => self.ask_for_bars_again(wanted, now),
        }
    }

    fn ask_for_bars_again(&mut self, mut wanted: Wanted, now: Time) -> Option<&'static str> {
        wanted.due = now.plus(wanted.backoff.next_pause());
        let attempts = wanted.backoff.attempts();
        if attempts >= ATTEMPTS_MAX {
            return Some("given up");
        }
        // What was missed since reaches back as far.
        let newer = |w: &Wanted| w.instrument == wanted.instrument && w.missed.is_some();
        if wanted.missed.is_none() || !self.bars.waiting.iter().any(newer) {
            self.bars.waiting.push_back(wanted);
        }
        (attempts == 1).then_some("asked for again")
    }
}
