//! The events of a history on their way into the sequencer: the series merged, and the bars that orders fill against
//! spread over their paths.
//!
//! At one moment what ended comes before what begins: closes of bars, then other events, then opens.

use super::fault::BacktestError;
use super::path::BarPath;
use super::plan::Plan;
use crate::domain::event::Kind;
use crate::domain::{InstrumentId, Slot, Time};
use crate::history::catalogue::{Series, SeriesKind};
use crate::history::events::HistoryEvent;
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::market::TopSource;
use crate::run::config::{Config, PathRule};
use crate::run::sequencer::{Sequencer, Stopped};
use crate::venue::Decoded;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A series of bars on its path.
struct PathLane {
    events: HistoryEvents,
    path: Option<BarPath>,
    instrument: InstrumentId,
    /// When the last bar ended.
    ended: Time,
}

impl PathLane {
    /// When the next point is due and in which of the turns of that moment; `None` at the end.
    fn due(&mut self) -> Result<Option<(Time, u8)>, HistoryError> {
        loop {
            if let Some(path) = &self.path
                && let Some(due) = path.due()
            {
                return Ok(Some((due, if path.opens() { OPENS } else { ENDS })));
            }
            let Some(event) = self.events.next_event()? else { return Ok(None) };
            if let Decoded::Kline(bar) = event.decoded {
                self.path = Some(BarPath::new(bar, event.time, self.ended));
                self.ended = event.time;
            }
        }
    }
}

const ENDS: u8 = 0;
const FEED: u8 = 1;
const OPENS: u8 = 2;

/// See the module.
pub(super) struct HistorySource {
    /// All series but those on a path.
    feed: Option<HistoryEvents>,
    paths: Vec<PathLane>,
    /// When each is due that has anything left: time, turn, place.
    due: BinaryHeap<Reverse<(Time, u8, usize)>>,
    rule: PathRule,
    /// Measuring means nothing here: events are not received.
    read: u64,
}

impl HistorySource {
    /// The plan's series from the catalogue.
    pub fn open(config: &Config, catalogue: &Catalogue, plan: &Plan) -> Result<Self, BacktestError> {
        let table = &config.instruments;
        let on_path = |series: &&Series| {
            let instrument = table.by_name(&series.name.instrument);
            series.name.kind == SeriesKind::Bars
                && instrument.is_some_and(|i| plan.simulation.sourcing[i.id.index()].top == TopSource::Bars)
        };
        let open = |series: &[Series], query: &Query| HistoryEvents::open(catalogue, series, table, query);
        let feed: Vec<Series> = plan.series.iter().filter(|s| !on_path(s)).cloned().collect();
        let feed = if feed.is_empty() { None } else { Some(open(&feed, &plan.query)?) };
        let mut paths = Vec::new();
        for series in plan.series.iter().filter(on_path) {
            let Some(instrument) = table.by_name(&series.name.instrument) else { continue };
            let events = open(std::slice::from_ref(series), &plan.query)?;
            paths.push(PathLane { events, path: None, instrument: instrument.id, ended: Time(0) });
        }
        let mut source = Self { feed, paths, due: BinaryHeap::new(), rule: config.backtest.path, read: 0 };
        for place in 0..source.paths.len() {
            if let Some((time, turn)) = source.paths[place].due()? {
                source.due.push(Reverse((time, turn, place)));
            }
        }
        Ok(source)
    }

    /// Publishes the next event that is due before `cut`; `None` where there is none.
    #[inline]
    pub fn publish_next(
        &mut self,
        cut: Time,
        sequencer: &mut Sequencer,
    ) -> Result<Option<Result<(), Stopped>>, HistoryError> {
        let feed = match &mut self.feed {
            Some(feed) => feed.peek()?,
            None => None,
        };
        let path = self.due.peek().map(|Reverse((time, turn, _))| (*time, *turn));
        let of_feed = match (feed, path) {
            (Some(at), Some(path)) => (at, FEED) < path,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return Ok(None),
        };
        if !of_feed {
            return self.publish_point(cut, sequencer);
        }
        let Some(events) = self.feed.as_mut().filter(|_| feed.is_some_and(|at| at < cut)) else {
            return Ok(None);
        };
        let Some(event) = events.next_event()? else { return Ok(None) };
        Ok(Some(publish(&event, self.read, sequencer)))
    }

    fn publish_point(
        &mut self,
        cut: Time,
        sequencer: &mut Sequencer,
    ) -> Result<Option<Result<(), Stopped>>, HistoryError> {
        let Some(&Reverse((time, _, place))) = self.due.peek() else { return Ok(None) };
        if time >= cut {
            return Ok(None);
        }
        self.due.pop();
        // Answers that are due by now tell the position that the path may be chosen by.
        if let Err(stopped) = sequencer.advance(time) {
            return Ok(Some(Err(stopped)));
        }
        let lane = &mut self.paths[place];
        let position = sequencer.position(lane.instrument);
        let point = lane.path.as_mut().and_then(|path| path.next(self.rule, position));
        if let Some((time, turn)) = lane.due()? {
            self.due.push(Reverse((time, turn, place)));
        }
        Ok(Some(match point {
            Some(kline) => sequencer.publish_pair(Slot::kline(&kline), self.read),
            None => Ok(()),
        }))
    }
}

#[inline]
fn publish(event: &HistoryEvent<'_>, read: u64, sequencer: &mut Sequencer) -> Result<(), Stopped> {
    sequencer.advance(event.time)?;
    match &event.decoded {
        Decoded::Trade(trade) => sequencer.publish(Slot::trade(trade), read),
        Decoded::Quote(quote) => sequencer.publish(Slot::quote(quote), read),
        Decoded::DepthDiff(head) => sequencer.publish_depth(Kind::DepthDiff, head, event.levels, read),
        Decoded::DepthSnapshot(head) => {
            sequencer.publish_depth(Kind::DepthSnapshot, head, event.levels, read)
        }
        Decoded::DepthPartial(head) => sequencer.publish_depth(Kind::DepthPartial, head, event.levels, read),
        Decoded::Kline(kline) => sequencer.publish_pair(Slot::kline(kline), read),
        Decoded::Ignored | Decoded::UnknownInstrument => Ok(()),
    }
}
