//! The events of a history on their way into the sequencer: the series merged, and the bars that orders fill against
//! spread over their paths.
//!
//! At one moment what ended comes before what begins: closes of bars, then other events, then opens. What of a path would
//! be of use to nobody is passed over ([`Lull`]), and whole bars too ([`Stretch`]): most strategies have nothing to do within
//! most bars, and at most of their closes.

use super::fault::BacktestError;
use super::feed::{Feed, without_bars};
use super::kept::{Kept, KeptBars, KnownOfRun};
use super::path::{BarPath, STEPS, first_of};
use super::plan::{Plan, on_path};
use crate::domain::{BarColumns, Column, InstrumentId, Slot, Stretch, Time, TimedBar};
use crate::history::catalogue::{Series, SeriesKind};
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::market::KnownIndicators;
use crate::pipeline::Lull;
use crate::run::config::{Config, PathRule};
use crate::run::sequencer::{Sequencer, Stopped};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

/// Bars that are read, and looked at, at a time.
const BARS_AT_ONCE: usize = 1_024;

/// The bars of a series, some at a time: read as they are needed, or kept.
enum Bars {
    /// So many of those that come next are looked at.
    Read(Box<HistoryEvents>, usize),
    Kept(KeptBars),
}

impl Bars {
    fn at_hand(&self) -> usize {
        match self {
            Self::Read(_, ahead) => *ahead,
            Self::Kept(kept) => kept.len(),
        }
    }

    fn columns(&self) -> BarColumns<'_> {
        match self {
            Self::Read(events, ahead) => events.bar_columns(*ahead),
            Self::Kept(kept) => kept.columns(),
        }
    }

    /// One of those at hand.
    fn bar(&self, bar: usize) -> Option<TimedBar> {
        match self {
            Self::Read(events, _) => events.bar_ahead(bar),
            Self::Kept(kept) => kept.bar(bar),
        }
    }

    /// How many points these of the bars at hand have.
    fn points(&self, bars: Range<usize>, rule: PathRule, position: i64) -> u64 {
        match self {
            Self::Read(..) => first_of(rule, position).points(&self.columns().part(bars)),
            Self::Kept(kept) => kept.points(bars, rule, position),
        }
    }

    /// Has the bars at hand be the next ones; false where there are none.
    fn go_on(&mut self) -> Result<bool, HistoryError> {
        let Self::Read(events, ahead) = self else { return Ok(false) };
        events.skip_bars(std::mem::take(ahead));
        loop {
            *ahead = events.bars_ahead(BARS_AT_ONCE)?;
            // What is no bar is of no use here.
            if *ahead > 0 || events.next_event()?.is_none() {
                return Ok(*ahead > 0);
            }
        }
    }
}

/// A series of bars on its path.
struct PathLane {
    bars: Bars,
    /// How many of those at hand have begun.
    begun: usize,
    /// Whether all bars of the instrument are these.
    alone: bool,
    path: BarPath,
    instrument: InstrumentId,
    /// When the last bar ended.
    ended: Time,
    /// Of those at hand, the one at which a stretch was found to end.
    busy: usize,
}

/// Of no bar at hand.
const NONE_BUSY: usize = usize::MAX;

impl PathLane {
    /// When the next point is due and in which of the turns of that moment; `None` at the end.
    #[inline]
    fn due(&mut self) -> Result<Option<(Time, u8)>, HistoryError> {
        loop {
            if let Some(due) = self.path.due() {
                return Ok(Some((due, if self.path.opens() { OPENS } else { ENDS })));
            }
            if self.begun == self.bars.at_hand() {
                if !self.bars.go_on()? {
                    self.begun = self.bars.at_hand();
                    return Ok(None);
                }
                (self.begun, self.busy) = (0, NONE_BUSY);
            }
            let Some(TimedBar { time, bar }) = self.bars.bar(self.begun) else { return Ok(None) };
            self.begun += 1;
            self.path = BarPath::new(bar, time, self.ended);
            self.ended = time;
        }
    }

    /// Passes over what is left of the present bar and over those after it, as far as they end before `others` has something
    /// to say and nothing would come of them; says how many steps of paths those were.
    fn pass_over_bars(
        &mut self,
        others: Time,
        rule: PathRule,
        columns: &mut Vec<Column>,
        sequencer: &mut Sequencer,
    ) -> u64 {
        if self.path.is_over() {
            return 0;
        }
        let first = self.begun - 1;
        // Somebody waits for its close, or for a moment within it: to ask again until then is of no use.
        if first == self.busy {
            return 0;
        }
        let ahead = self.bars.at_hand().min(first + BARS_AT_ONCE);
        let ahead = self.bars.columns().part(first..ahead);
        let mut stretch = Stretch::new(self.instrument, ahead, std::mem::take(columns));
        stretch.cut_before(others);
        let looked_at = stretch.bars().len();
        if let Some(ends) = stretch.bars().time(0) {
            let lull = Lull { instrument: self.instrument, opens: self.path.opens(), ends, closes: true };
            sequencer.shorten(&lull, &mut stretch);
        }
        let passed = stretch.bars().len();
        if (1..looked_at).contains(&passed) {
            self.busy = first + passed;
        }
        let mut steps = 0;
        if let Some((time, last)) = stretch.last() {
            let position = sequencer.position(self.instrument);
            let (mut points, mut before);
            (steps, points, before) = self.path.rest(rule, position);
            if passed > 1 {
                steps += STEPS * (passed as u64 - 1);
                points += self.bars.points(first + 1..first + passed, rule, position);
                (_, before) = BarPath::extent(&last, rule, position);
            }
            sequencer.pass_over_bars(2 * points, before, &stretch);
            self.ended = time;
            self.begun = first + passed;
            self.path = BarPath::OVER;
        }
        *columns = stretch.columns;
        steps
    }
}

const ENDS: u8 = 0;
const FEED: u8 = 1;
const OPENS: u8 = 2;

/// What was published at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published {
    /// How many events.
    pub events: u64,
    /// Whether there is more before the cut.
    pub goes_on: bool,
    /// Whether there is nothing more at all.
    pub is_over: bool,
}

/// Trades that are published at once, at most.
const TRADES_AT_ONCE: usize = 256;

/// Events that are published before anything else is looked at.
const EVENTS_AT_ONCE: u64 = 4_096;

/// See the module.
pub(super) struct HistorySource {
    /// All series but those on a path.
    feed: Option<Feed>,
    paths: Vec<PathLane>,
    /// When each is due that has anything left: time, turn, place.
    due: BinaryHeap<Reverse<(Time, u8, usize)>>,
    rule: PathRule,
    known: Option<Arc<dyn KnownIndicators>>,
    /// Room for what indicators will be.
    columns: Vec<Column>,
    /// Whether what nobody waits for is passed over.
    passes_over: bool,
}

impl HistorySource {
    /// The plan's series from the catalogue, or from what is kept of it.
    pub fn open(
        config: &Config,
        catalogue: &Catalogue,
        plan: &Plan,
        kept: Option<&Arc<Kept>>,
    ) -> Result<Self, BacktestError> {
        let (table, query) = (&config.instruments, &plan.query);
        let on_path = |series: &&Series| {
            let instrument = table.by_name(&series.name.instrument);
            series.name.kind == SeriesKind::Bars && instrument.is_some_and(|i| on_path(&plan.simulation, i))
        };
        let open = |series: &[Series], query: &Query| HistoryEvents::open(catalogue, series, table, query);
        let others: Vec<Series> = plan.series.iter().filter(|s| !on_path(s)).cloned().collect();
        let mut feed = None;
        if !others.is_empty() {
            let without_bars = without_bars(&others, &plan.series);
            let kept = kept.map(|kept| kept.feed(catalogue, &others, &without_bars, table, query));
            let kept = kept.transpose()?.flatten();
            feed = Some(match kept {
                Some(kept) => Feed::kept(kept, query.from, query.until),
                None => Feed::read(open(&others, query)?, without_bars),
            });
        }
        let (mut paths, mut shared) = (Vec::new(), Vec::new());
        for series in plan.series.iter().filter(on_path) {
            let Some(instrument) = table.by_name(&series.name.instrument) else { continue };
            let kept = kept.map(|kept| kept.bars(catalogue, series, table, query)).transpose()?.flatten();
            let bars = match kept {
                Some(kept) => {
                    shared.push((instrument.clone(), kept.clone()));
                    Bars::Kept(kept)
                }
                None => {
                    let events = open(std::slice::from_ref(series), query)?;
                    Bars::Read(Box::new(events), 0)
                }
            };
            let of_it = plan.series.iter().filter(|other| {
                other.name.kind == SeriesKind::Bars && other.name.instrument == series.name.instrument
            });
            let alone = of_it.count() == 1;
            let (instrument, ended) = (instrument.id, Time(0));
            paths.push(PathLane {
                bars,
                begun: 0,
                alone,
                path: BarPath::OVER,
                instrument,
                ended,
                busy: NONE_BUSY,
            });
        }
        let known = kept.filter(|_| !shared.is_empty()).map(|kept| KnownOfRun::new(Arc::clone(kept), shared));
        let known = known.map(|known| Arc::new(known) as Arc<dyn KnownIndicators>);
        let (due, rule) = (BinaryHeap::new(), config.backtest.path);
        let mut source = Self { feed, paths, due, rule, known, columns: Vec::new(), passes_over: true };
        for place in 0..source.paths.len() {
            if let Some((time, turn)) = source.paths[place].due()? {
                source.due.push(Reverse((time, turn, place)));
            }
        }
        Ok(source)
    }

    /// Has every event be handed over, or not.
    pub fn hand_over_all(&mut self, all: bool) {
        self.passes_over = !all;
    }

    /// What is known of the indicators over its bars.
    pub fn known(&self) -> Option<Arc<dyn KnownIndicators>> {
        self.known.clone()
    }

    /// Publishes some of the events that are due before `cut`.
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read; what was published before is good.
    pub fn publish(
        &mut self,
        cut: Time,
        sequencer: &mut Sequencer,
    ) -> Result<Result<Published, Stopped>, HistoryError> {
        let mut events = 0;
        while events < EVENTS_AT_ONCE {
            let feed = match &mut self.feed {
                Some(feed) => feed.due()?,
                None => None,
            };
            let path = self.due.peek().map(|Reverse((time, turn, _))| (*time, *turn));
            let of_feed = feed.filter(|at| path.is_none_or(|path| (*at, FEED) < path));
            let next = of_feed.or(path.map(|(at, _)| at));
            let is_over = next.is_none();
            let Some(next) = next.filter(|next| *next < cut) else {
                return Ok(Ok(Published { events, goes_on: false, is_over }));
            };
            let published = match &mut self.feed {
                Some(feed) if of_feed.is_some() => {
                    let end = path.map_or(cut, |(at, _)| cut.min(at));
                    let at_once = if self.passes_over { TRADES_AT_ONCE } else { 0 };
                    match sequencer.publish_trades(feed.ready(at_once), end) {
                        Ok(0) => {
                            let advanced = sequencer.advance(next);
                            advanced.and_then(|()| sequencer.publish_event(feed.take(), 0)).map(|()| 1)
                        }
                        Ok(trades) => {
                            feed.skip(trades);
                            Ok(trades as u64)
                        }
                        Err(stopped) => Err(stopped),
                    }
                }
                _ => self.publish_points(feed.unwrap_or(Time(u64::MAX)).min(cut), sequencer)?,
            };
            match published {
                Ok(more) => events += more,
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
        Ok(Ok(Published { events, goes_on: true, is_over: false }))
    }

    /// Publishes the next point of a path, or passes over a stretch of it that ends before `others` and every other path
    /// has something to say.
    fn publish_points(
        &mut self,
        others: Time,
        sequencer: &mut Sequencer,
    ) -> Result<Result<u64, Stopped>, HistoryError> {
        let Some(Reverse((time, _, place))) = self.due.pop() else { return Ok(Ok(0)) };
        // Answers that are due by now tell the position that the path may be chosen by.
        if let Err(stopped) = sequencer.advance(time) {
            return Ok(Err(stopped));
        }
        let others = self.due.peek().map_or(others, |Reverse((next, ..))| others.min(*next));
        let lane = &mut self.paths[place];
        if lane.alone && self.passes_over {
            let steps = lane.pass_over_bars(others, self.rule, &mut self.columns, sequencer);
            if steps > 0 {
                if let Some((time, turn)) = lane.due()? {
                    self.due.push(Reverse((time, turn, place)));
                }
                return Ok(Ok(steps));
            }
        }
        let path = &mut lane.path;
        let position = sequencer.position(lane.instrument);
        let mut walked = 0;
        if let Some(within) = path.within() {
            // Up to its close, if nothing else happens until then; else to the next point.
            let alone = others > within;
            let lull = Lull {
                instrument: lane.instrument,
                opens: path.opens(),
                ends: if alone { within } else { time },
                closes: false,
            };
            if self.passes_over && sequencer.is_calm(&lull) {
                let (mut points, mut last) = (0, None);
                while path.within().is_some() && (alone || walked == 0) {
                    walked += 1;
                    if path.step(self.rule, position) {
                        (points, last) = (points + 1, Some(path.price()));
                    }
                }
                if let Some(price) = last {
                    sequencer.pass_over(2 * points, price, &lull);
                }
            }
        }
        let point = if walked == 0 {
            walked = 1;
            path.next(self.rule, position)
        } else {
            None
        };
        if let Some((time, turn)) = lane.due()? {
            self.due.push(Reverse((time, turn, place)));
        }
        let published = match point {
            Some(kline) => sequencer.publish_event(&Slot::kline(&kline), 0),
            None => Ok(()),
        };
        Ok(published.map(|()| walked))
    }
}
