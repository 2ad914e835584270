//! What backtests of one history share: its events, read and decoded once, and indicators, computed once where equal.
//!
//! Owns: how much memory that may take. What does not fit is not kept, and each run reads or computes it itself.
//! Invariant: a run over what is kept is, byte by byte, the run that it would be alone. So nothing is kept that depends on
//! what a run did: no book, no position, no bar that was closed by the time of an answer.

use super::fault::BacktestError;
use super::feed::{KeptSlots, is_left_out};
use super::path::{First, extent_of, first_of, prices_of};
use crate::domain::event::Kline;
use crate::domain::{
    BarColumns, BarTable, Instrument, InstrumentId, InstrumentTable, KnownValues, Slot, Time, TimedBar,
};
use crate::history::catalogue::{Series, SeriesKind};
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::market::indicator::{IndicatorSpecKey, find};
use crate::market::request::IndicatorBody;
use crate::market::{IndicatorRequest, KnownIndicators, known_values};
use crate::run::config::PathRule;
use crate::venue::Decoded;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bars that are kept, or a stretch of them.
#[derive(Debug, Clone)]
pub(super) struct KeptBars {
    all: Arc<WholeSeries>,
    range: Range<usize>,
}

impl KeptBars {
    pub fn columns(&self) -> BarColumns<'_> {
        self.all.bars.columns().part(self.range.clone())
    }

    pub fn bar(&self, bar: usize) -> Option<TimedBar> {
        self.all.bars.bar(self.range.start + bar)
    }

    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// How many points some of the bars have.
    pub fn points(&self, bars: Range<usize>, rule: PathRule, position: i64) -> u64 {
        let from = self.range.start;
        let before = |bar: usize| match bar.checked_sub(1) {
            Some(last) => self.all.points[last][first_of(rule, position) as usize],
            None => 0,
        };
        before(from + bars.end) - before(from + bars.start)
    }
}

/// The bars of a series, and the points that they have up to the end of each, by what of a bar is [`First`].
#[derive(Debug)]
struct WholeSeries {
    bars: BarTable,
    points: Vec<[u64; 3]>,
}

/// Bytes of a bar.
const BAR_BYTES: usize = BarTable::BAR_BYTES + size_of::<[u64; 3]>();

impl WholeSeries {
    fn with_capacity(instrument: InstrumentId, bars: usize) -> Self {
        Self { bars: BarTable::with_capacity(instrument, bars), points: Vec::with_capacity(bars) }
    }

    /// Those that a query asks for.
    fn within(&self, query: &Query) -> Range<usize> {
        let bars = self.bars.columns();
        // What ended before a moment opened before it; what ends later may have been under way.
        let opened_before = |moment: Time| {
            let ended = bars.before(moment);
            let under_way = |bar: &usize| self.bars.bar(*bar).is_some_and(|of| of.bar.open_time < moment);
            ended + (ended..bars.len()).take_while(under_way).count()
        };
        let until = query.until.map_or(bars.len(), opened_before);
        query.from.map_or(0, opened_before).min(until)..until
    }

    fn push(&mut self, time: Time, bar: Kline) {
        let mut points = self.points.last().copied().unwrap_or_default();
        for (sum, first) in points.iter_mut().zip([First::High, First::Low, First::Nearest]) {
            *sum += extent_of(first, prices_of(&bar)).0;
        }
        self.points.push(points);
        self.bars.push(TimedBar { time, bar });
    }
}

/// See the module.
pub struct Kept {
    bytes_max: usize,
    /// What is kept lies between these.
    from: Option<Time>,
    until: Option<Time>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    bytes: usize,
    /// By the name of their series; none where they did not fit.
    bars: HashMap<String, Option<Arc<WholeSeries>>>,
    /// By the names of theirs, and which are without bars.
    feeds: HashMap<(String, Vec<bool>), Option<Arc<KeptSlots>>>,
    /// By the names of their series and when the range begins.
    books: HashMap<(String, Time), Arc<Vec<Slot>>>,
    values: HashMap<ValuesKey, Values>,
}

/// An indicator over a stretch of a series of bars, which is known by where it lies in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ValuesKey {
    series: usize,
    range: Range<usize>,
    indicator: IndicatorSpecKey,
}

/// Values that are kept, or are being computed.
struct Values {
    bytes: usize,
    values: Arc<OnceLock<Option<Arc<KnownValues>>>>,
}

impl Values {
    fn is_in_use(&self) -> bool {
        let used = |values: &Option<Arc<KnownValues>>| {
            values.as_ref().is_some_and(|values| Arc::strong_count(values) > 1)
        };
        Arc::strong_count(&self.values) > 1 || self.values.get().is_none_or(used)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("bytes", &self.bytes()).field("bytes_max", &self.bytes_max).finish()
    }
}

/// The least and the most that is kept where nobody says how much.
const BYTES_LEAST: usize = 64 << 20;
const BYTES_MOST: usize = 2 << 30;

impl Kept {
    /// Keeps at most `bytes_max` of what lies between two moments.
    #[must_use]
    pub fn new(from: Option<Time>, until: Option<Time>, bytes_max: usize) -> Self {
        Self { bytes_max, from, until, inner: Mutex::default() }
    }

    /// A quarter of the memory that this host has to give now, 64 MiB at least and 2 GiB at most.
    #[must_use]
    pub fn fitting_memory() -> usize {
        let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
        (kib.unwrap_or(0).saturating_mul(1_024) / 4).clamp(BYTES_LEAST, BYTES_MOST)
    }

    /// How much is kept, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner().bytes
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked had changed nothing but what stands whole: an entry is put in when it is made.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn covers(&self, query: &Query) -> bool {
        self.from.is_none_or(|from| query.from.is_some_and(|asked| asked >= from))
            && self.until.is_none_or(|until| query.until.is_some_and(|asked| asked <= until))
    }

    fn read(
        &self,
        catalogue: &Catalogue,
        series: &[Series],
        table: &InstrumentTable,
    ) -> Result<HistoryEvents, HistoryError> {
        let query = Query { from: self.from, until: self.until, ..Query::default() };
        HistoryEvents::open(catalogue, series, table, &query)
    }

    /// The bars of a series within a query's range; none where they do not fit.
    pub(super) fn bars(
        &self,
        catalogue: &Catalogue,
        series: &Series,
        table: &InstrumentTable,
        query: &Query,
    ) -> Result<Option<KeptBars>, BacktestError> {
        if !self.covers(query) {
            return Ok(None);
        }
        let mut inner = self.inner();
        let name = series.name.to_string();
        if !inner.bars.contains_key(&name) {
            let room = self.bytes_max.saturating_sub(inner.bytes) / BAR_BYTES;
            let mut events = self.read(catalogue, std::slice::from_ref(series), table)?;
            let mut bars = table
                .by_name(&series.name.instrument)
                .map(|instrument| WholeSeries::with_capacity(instrument.id, room.min(series.rows as usize)));
            while let Some(event) = events.next_event()? {
                let Decoded::Kline(bar) = event.decoded else { continue };
                let Some(kept) = bars.as_mut().filter(|kept| kept.bars.len() < room) else {
                    bars = None;
                    break;
                };
                kept.push(event.time, bar);
            }
            inner.bytes += bars.as_ref().map_or(0, |bars| bars.bars.capacity() * BAR_BYTES);
            inner.bars.insert(name.clone(), bars.map(Arc::new));
        }
        Ok(inner.bars.get(&name).cloned().flatten().map(|all| {
            let range = all.within(query);
            KeptBars { range, all }
        }))
    }

    /// The events of several series, some of them without bars, merged, as slots; none where they do not fit.
    pub(super) fn feed(
        &self,
        catalogue: &Catalogue,
        series: &[Series],
        without_bars: &[bool],
        table: &InstrumentTable,
        query: &Query,
    ) -> Result<Option<Arc<KeptSlots>>, BacktestError> {
        if !self.covers(query) {
            return Ok(None);
        }
        let mut inner = self.inner();
        let key = (names_of(series), without_bars.to_vec());
        if !inner.feeds.contains_key(&key) {
            let room = self.bytes_max.saturating_sub(inner.bytes) / size_of::<Slot>();
            let rows: u64 = series.iter().map(|series| series.rows).sum();
            let mut events = self.read(catalogue, series, table)?;
            let mut kept = Some(KeptSlots::with_capacity(room.min(rows as usize)));
            while let Some(event) = events.next_event()? {
                if is_left_out(&event, without_bars) {
                    continue;
                }
                let Some(slots) = kept.as_mut().filter(|kept| inner.bytes + kept.used() < self.bytes_max)
                else {
                    kept = None;
                    break;
                };
                slots.push(&event, series[event.series].name.kind == SeriesKind::Bars);
            }
            inner.bytes += kept.as_ref().map_or(0, KeptSlots::bytes);
            inner.feeds.insert(key.clone(), kept.map(Arc::new));
        }
        Ok(inner.feeds.get(&key).cloned().flatten())
    }

    /// The events that a book begins a range with, which `read` works out; kept where they fit.
    pub(super) fn book(
        &self,
        series: &[Series],
        from: Time,
        read: impl FnOnce() -> Result<Vec<Slot>, HistoryError>,
    ) -> Result<Arc<Vec<Slot>>, HistoryError> {
        let key = (names_of(series), from);
        let mut inner = self.inner();
        if let Some(kept) = inner.books.get(&key) {
            return Ok(Arc::clone(kept));
        }
        let slots = Arc::new(read()?);
        let bytes = slots.len() * size_of::<Slot>();
        if inner.bytes + bytes <= self.bytes_max {
            inner.bytes += bytes;
            inner.books.insert(key, Arc::clone(&slots));
        }
        Ok(slots)
    }

    /// The values of an indicator over kept bars; none where they do not fit.
    fn values(
        &self,
        instrument: &Instrument,
        bars: &KeptBars,
        indicator: &IndicatorSpecKey,
    ) -> Option<Arc<KnownValues>> {
        let outputs = find(indicator.name)?.outputs.len();
        let bytes = KnownValues::bytes_max(outputs, bars.range.len());
        let series = Arc::as_ptr(&bars.all) as usize;
        let key = ValuesKey { series, range: bars.range.clone(), indicator: indicator.clone() };
        let values = {
            let mut inner = self.inner();
            match inner.values.get(&key) {
                Some(kept) => Arc::clone(&kept.values),
                None => {
                    inner.make_room(bytes, self.bytes_max, &key).then_some(())?;
                    let values = Arc::default();
                    inner.bytes += bytes;
                    inner.values.insert(key, Values { bytes, values: Arc::clone(&values) });
                    values
                }
            }
        };
        // Not under the lock: others may compute others meanwhile, and whoever wants this one waits for it.
        let compute = || Some(Arc::new(known_values(indicator.build().ok()?, instrument, &bars.columns())));
        values.get_or_init(compute).clone()
    }
}

fn names_of(series: &[Series]) -> String {
    series.iter().map(|series| format!("{};", series.name)).collect()
}

impl Inner {
    /// Whether there is room for so much more, once what was kept of other stretches and nobody uses is forgotten.
    fn make_room(&mut self, bytes: usize, bytes_max: usize, wanted: &ValuesKey) -> bool {
        if self.bytes + bytes > bytes_max {
            let mut freed = 0;
            self.values.retain(|key, values| {
                let stays = key.range == wanted.range || values.is_in_use();
                freed += if stays { 0 } else { values.bytes };
                stays
            });
            self.bytes -= freed;
        }
        self.bytes + bytes <= bytes_max
    }
}

/// What is known of the bars of one run.
#[derive(Debug)]
pub(super) struct KnownOfRun {
    kept: Arc<Kept>,
    bars: Vec<(Instrument, KeptBars)>,
}

impl KnownOfRun {
    pub fn new(kept: Arc<Kept>, bars: Vec<(Instrument, KeptBars)>) -> Self {
        Self { kept, bars }
    }
}

impl KnownIndicators for KnownOfRun {
    fn known(&self, request: &IndicatorRequest) -> Option<Arc<KnownValues>> {
        let IndicatorBody::Closes(indicator) = &request.body else { return None };
        let (instrument, bars) = self.bars.iter().find(|(of, _)| of.id == request.instrument)?;
        self.kept.values(instrument, bars, indicator)
    }
}
