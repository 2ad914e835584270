//! The events of several series in one order of time: what a backtest drives a pipeline with.
//!
//! Owns: choosing series, and merging them. Holds one block of each series, whatever their length; of a feed that a capture
//! has in two parts, one of each. Invariant: events come in the order of (time, place of the series in the selection, part),
//! the order within a part always kept.

use super::catalogue::{Catalogue, HistoryError, Segment, Series, SeriesKind, SeriesName};
use super::segment::SegmentReader;
use crate::domain::event::Trade;
use crate::domain::{BarColumns, InstrumentId, InstrumentTable, Level, Time, TimedBar};
use crate::venue::Decoded;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::PathBuf;

/// What to read. A bar is in the range if it opens in it, whenever it ends: of bars of a day, from one first of January until
/// the next are those of that year, in any zone, and of two ranges that follow each other none has a bar of the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Instruments by name, `venue:market:SYMBOL`; all where none is given.
    pub instruments: Vec<String>,
    /// Series by label, `trades` or `bars-1m`; all where none is given.
    pub series: Vec<String>,
    /// The first moment wanted.
    pub from: Option<Time>,
    /// The first moment not wanted any more.
    pub until: Option<Time>,
}

impl Query {
    /// The series that are asked for, in the order of their names.
    ///
    /// # Errors
    /// [`HistoryError`] for an instrument or a series that the history does not have, and for a range that ends before it
    /// starts.
    pub fn select(&self, catalogue: &Catalogue) -> Result<Vec<Series>, HistoryError> {
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            return Err(HistoryError::Range { from: from.to_string(), until: until.to_string() });
        }
        let mut series = catalogue.series();
        let known = |series: &[Series], of: fn(&SeriesName) -> String| {
            let mut known: Vec<String> = series.iter().map(|s| of(&s.name)).collect();
            known.sort();
            known.dedup();
            if known.is_empty() { "nothing yet".into() } else { known.join(", ") }
        };
        let of: fn(&SeriesName) -> String = |name| name.instrument.clone();
        let none = |series: &[Series], name: &str, of: fn(&SeriesName) -> String| {
            !series.iter().any(|s| of(&s.name) == name)
        };
        if let Some(name) = self.instruments.iter().find(|name| none(&series, name, of)) {
            let (what, known) = ("instrument", known(&series, of));
            return Err(HistoryError::Unknown { what, name: name.clone(), known });
        }
        if !self.instruments.is_empty() {
            series.retain(|s| self.instruments.contains(&s.name.instrument));
        }
        if let Some(name) = self.series.iter().find(|name| none(&series, name, SeriesName::label)) {
            let (name, known) = (name.clone(), known(&series, SeriesName::label));
            // Another instrument may well have it.
            return Err(match self.instruments.is_empty() {
                true => HistoryError::Unknown { what: "series", name, known },
                false => HistoryError::NoSeries { instruments: self.instruments.join(", "), name, known },
            });
        }
        if !self.series.is_empty() {
            series.retain(|s| self.series.contains(&s.name.label()));
        }
        Ok(series)
    }
}

/// An event of the history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryEvent<'a> {
    /// When it could be known: its receive time, or, where the source has none, the venue's time; of a bar its end.
    pub time: Time,
    /// Which of the selected series it is from.
    pub series: usize,
    /// What it says.
    pub decoded: Decoded,
    /// The levels of a depth event, bids first.
    pub levels: &'a [Level],
}

/// One series, or one part of it: its segments, one after the other.
#[derive(Debug)]
struct Lane {
    /// The place of its series in the selection.
    series: usize,
    waiting: VecDeque<PathBuf>,
    reader: Option<SegmentReader>,
    instrument: InstrumentId,
    decimals: (u8, u8),
    from: Option<Time>,
    /// Nothing is wanted from this moment on, but a bar that is under way.
    until: Time,
    of_bars: bool,
    /// Whether turnover has the decimals that it is kept with.
    whole_turnover: bool,
}

impl Lane {
    /// The time of the next event; `None` at the end.
    #[inline]
    fn peek(&mut self) -> Result<Option<Time>, HistoryError> {
        loop {
            if let Some(reader) = &mut self.reader
                && let Some(time) = reader.peek()?
            {
                let opened = || reader.bar_ahead(0).bar.open_time;
                let wanted = time < self.until || (self.of_bars && opened() < self.until);
                return Ok(wanted.then_some(time));
            }
            if !self.open_next()? {
                return Ok(None);
            }
        }
    }

    #[cold]
    fn open_next(&mut self) -> Result<bool, HistoryError> {
        self.reader = None;
        let Some(path) = self.waiting.pop_front() else { return Ok(false) };
        let mut reader = SegmentReader::open(&path, self.instrument, self.decimals)?;
        if self.whole_turnover {
            reader.keep_turnover();
        }
        if let Some(from) = self.from {
            reader.seek(from)?;
            // Of bars that end later the first may have been under way.
            while self.of_bars && reader.peek()?.is_some() && reader.bar_ahead(0).bar.open_time < from {
                reader.skip_bars(1);
            }
        }
        self.reader = Some(reader);
        Ok(true)
    }
}

/// See the module.
#[derive(Debug)]
pub struct HistoryEvents {
    lanes: Vec<Lane>,
    /// Next times of the lanes that have one, but of the lane in use.
    others: BinaryHeap<Reverse<(Time, usize)>>,
    /// The lane in use and the time of its next event.
    current: Option<(Time, usize)>,
    /// Whether the lane in use has to be asked for its next time first.
    taken: bool,
}

impl HistoryEvents {
    /// The events of these series within the query's range, with the ids and precisions of `table`.
    ///
    /// # Errors
    /// [`HistoryError`] where the table lacks an instrument, or a file cannot be read.
    pub fn open(
        catalogue: &Catalogue,
        series: &[Series],
        table: &InstrumentTable,
        query: &Query,
    ) -> Result<Self, HistoryError> {
        Self::opened(catalogue, series, table, query, false)
    }

    /// The same, where the turnover of bars has all its decimals
    /// ([`TURNOVER_DECIMALS`](super::segment::TURNOVER_DECIMALS)), instead of those of a notional.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_whole_turnover(
        catalogue: &Catalogue,
        series: &[Series],
        table: &InstrumentTable,
        query: &Query,
    ) -> Result<Self, HistoryError> {
        Self::opened(catalogue, series, table, query, true)
    }

    fn opened(
        catalogue: &Catalogue,
        series: &[Series],
        table: &InstrumentTable,
        query: &Query,
        whole_turnover: bool,
    ) -> Result<Self, HistoryError> {
        let mut lanes = Vec::with_capacity(series.len());
        for (place, series) in series.iter().enumerate() {
            let instrument = table.by_name(&series.name.instrument).ok_or_else(|| HistoryError::Unknown {
                what: "configured instrument",
                name: series.name.instrument.clone(),
                known: table.all().iter().map(|i| i.name()).collect::<Vec<_>>().join(", "),
            })?;
            let of_bars = series.name.kind == SeriesKind::Bars;
            let until = query.until.unwrap_or(Time(u64::MAX));
            // A bar's time is its end, so that the first bar of a segment may have begun before; those that did not are
            // left out when they are read.
            let wanted = |segment: &&Segment| {
                query.from.is_none_or(|from| segment.last >= from.0) && (of_bars || segment.first < until.0)
            };
            lanes.extend(series.parts().into_iter().map(|part| Lane {
                series: place,
                waiting: part.into_iter().filter(wanted).map(|s| catalogue.dir().join(&s.file)).collect(),
                reader: None,
                instrument: instrument.id,
                decimals: (instrument.price_decimals, instrument.qty_decimals),
                from: query.from,
                until,
                of_bars,
                whole_turnover,
            }));
        }
        let mut others = BinaryHeap::with_capacity(lanes.len());
        for (index, lane) in lanes.iter_mut().enumerate() {
            if let Some(time) = lane.peek()? {
                others.push(Reverse((time, index)));
            }
        }
        let current = others.pop().map(|Reverse(first)| first);
        Ok(Self { lanes, others, current, taken: false })
    }

    /// The first moment of series: of one of bars when its first opens. `None` where they have no event.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where a file is damaged.
    pub fn begin(
        catalogue: &Catalogue,
        series: &[Series],
        table: &InstrumentTable,
    ) -> Result<Option<Time>, HistoryError> {
        let mut begin: Option<Time> = None;
        for one in series {
            let mut events = Self::open(catalogue, std::slice::from_ref(one), table, &Query::default())?;
            let Some(event) = events.next_event()? else { continue };
            let first = match event.decoded {
                Decoded::Kline(bar) if one.name.kind == SeriesKind::Bars => bar.open_time,
                _ => event.time,
            };
            begin = Some(begin.map_or(first, |begin| begin.min(first)));
        }
        Ok(begin)
    }

    /// The time of the next event; `None` at the end.
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read or is damaged.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Time>, HistoryError> {
        if self.taken {
            self.taken = false;
            self.advance()?;
        }
        Ok(self.current.map(|(time, _)| time))
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read or is damaged; events given before are good.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<HistoryEvent<'_>>, HistoryError> {
        if self.taken {
            self.taken = false;
            self.advance()?;
        }
        let Some((time, lane)) = self.current else { return Ok(None) };
        self.taken = true;
        let Lane { reader: Some(reader), series, .. } = &mut self.lanes[lane] else { return Ok(None) };
        let series = *series;
        let (decoded, levels) = reader.take();
        Ok(Some(HistoryEvent { time, series, decoded, levels }))
    }

    /// Hands over the trades that come next, at most `max` and where no other event comes between them, and says how many
    /// there were; none where the next event is no trade. It is what [`next_event`](Self::next_event) would give, sooner.
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read or is damaged; events given before are good.
    #[inline]
    pub fn next_trades(&mut self, max: usize, take: impl FnMut(Time, &Trade)) -> Result<usize, HistoryError> {
        let Some((reader, end)) = self.run()? else { return Ok(0) };
        let taken = reader.take_trades(end, max, take);
        self.taken = taken > 0;
        Ok(taken)
    }

    /// How many bars come next, at most `max` and where no other event comes between them; none where the next event is no
    /// bar. They can be [looked at](Self::bar_columns) before they are [taken](Self::skip_bars).
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read or is damaged; events given before are good.
    pub fn bars_ahead(&mut self, max: usize) -> Result<usize, HistoryError> {
        Ok(self.run()?.map_or(0, |(reader, end)| reader.bars_ahead(end, max)))
    }

    /// The first so many of the [bars ahead](Self::bars_ahead).
    ///
    /// # Panics
    /// If it did not say that they are there.
    #[inline]
    #[must_use]
    pub fn bar_columns(&self, bars: usize) -> BarColumns<'_> {
        self.in_use().map_or_else(BarColumns::default, |reader| reader.bar_columns(bars))
    }

    /// One of the bars ahead, whole; the next is 0.
    ///
    /// # Panics
    /// If [`bars_ahead`](Self::bars_ahead) did not say that it is there.
    #[inline]
    #[must_use]
    pub fn bar_ahead(&self, bar: usize) -> Option<TimedBar> {
        self.in_use().map(|reader| reader.bar_ahead(bar))
    }

    /// Takes so many of the bars ahead.
    pub fn skip_bars(&mut self, bars: usize) {
        if let Some((_, lane)) = self.current
            && let Some(reader) = &mut self.lanes[lane].reader
            && bars > 0
        {
            reader.skip_bars(bars);
            self.taken = true;
        }
    }

    #[inline]
    fn in_use(&self) -> Option<&SegmentReader> {
        self.lanes[self.current?.1].reader.as_ref()
    }

    /// Where the next events are, and when that of another series comes.
    #[inline]
    fn run(&mut self) -> Result<Option<(&mut SegmentReader, Time)>, HistoryError> {
        if self.taken {
            self.taken = false;
            self.advance()?;
        }
        let Some((next, lane)) = self.current else { return Ok(None) };
        let Lane { reader: Some(reader), until, .. } = &mut self.lanes[lane] else { return Ok(None) };
        // A bar that was under way comes alone.
        let until = (*until).max(next.plus_nanos(1));
        let others = match self.others.peek() {
            None => until,
            // Of two at one moment the lane that comes first in the selection is first.
            Some(Reverse((time, other))) if lane < *other => Time(time.0.saturating_add(1)),
            Some(Reverse((time, _))) => *time,
        };
        Ok(Some((reader, others.min(until))))
    }

    #[inline]
    fn advance(&mut self) -> Result<(), HistoryError> {
        let Some((_, index)) = self.current else { return Ok(()) };
        let next = self.lanes[index].peek()?.map(|time| (time, index));
        self.current = match (next, self.others.peek()) {
            (next, None) => next,
            (Some(next), Some(Reverse(other))) if next < *other => Some(next),
            (next, Some(_)) => {
                let other = self.others.pop().map(|Reverse(other)| other);
                self.others.extend(next.map(Reverse));
                other
            }
        };
        Ok(())
    }
}
