//! The books that a range begins with: what depth before its first moment made of them.
//!
//! A feed has a whole book only now and then, mostly once, at its beginning. A range that begins later would have none, and
//! so would trade nothing where the whole of it trades. So the depth before it is read here, and what it comes to is
//! published as the first event of the range: a book in step as a snapshot of it, one that is not as the diffs that wait
//! for a snapshot. No stage is told of the time before. Invariant: from there on a book is what it would be had all been
//! read.

use super::feed::push_slots;
use super::kept::Kept;
use super::plan::Plan;
use crate::domain::event::DepthHead;
use crate::domain::{Instrument, InstrumentTable, Level, Market, Side, Slot, Time};
use crate::history::catalogue::{Series, SeriesKind};
use crate::history::events::HistoryEvent;
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::market::book::{BookSync, DepthKind, PendingDiffs, SyncOutcome};
use crate::run::sequencer::{Sequencer, Stopped};
use crate::venue::Decoded;

/// How far back is read at first, ns; each time more that does not tell the book, [`FURTHER`] times as far.
const BACK_NS: u64 = 600_000_000_000;
const FURTHER: u64 = 4;

/// What a book stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Nothing: it is not known.
    Nothing,
    /// Partial books: its best levels.
    Partial,
    /// A whole book, and the diffs after it.
    Whole,
}

/// One book, followed up to the beginning of a range.
struct BookBefore {
    instrument: Instrument,
    sync: BookSync,
    pending: PendingDiffs,
    /// Whether what was not read can make no difference any more.
    certain: bool,
    /// The highest id of what was read while that was not so.
    highest: Option<u64>,
    stands: Stands,
    /// The last event that it stands at, and the last diff.
    last: Option<DepthHead>,
    last_diff: Option<DepthHead>,
    /// The diffs that wait for a snapshot.
    waiting: Vec<Slot>,
}

impl BookBefore {
    /// A book of which nothing was read; `certain`: because there is nothing before what will be.
    fn new(instrument: &Instrument, certain: bool) -> Self {
        Self {
            instrument: instrument.clone(),
            sync: BookSync::new(instrument.market, instrument.tick),
            pending: PendingDiffs::new(),
            certain,
            highest: None,
            stands: Stands::Nothing,
            last: None,
            last_diff: None,
            waiting: Vec::new(),
        }
    }

    fn saw(&mut self, event: &HistoryEvent<'_>) {
        match &event.decoded {
            Decoded::DepthDiff(head) => self.take(head, DepthKind::Diff, event),
            Decoded::DepthSnapshot(head) => self.take(head, DepthKind::Snapshot, event),
            Decoded::DepthPartial(head) => self.take(head, DepthKind::Partial, event),
            // Whatever it was, it is none from here on.
            Decoded::Interrupted(_) => *self = Self::new(&self.instrument, true),
            _ => {}
        }
    }

    fn take(&mut self, head: &DepthHead, kind: DepthKind, event: &HistoryEvent<'_>) {
        if !self.certain && kind != DepthKind::Partial {
            // One that is newer than all before it replaces whatever book they had made.
            self.certain = kind == DepthKind::Snapshot && self.highest.is_some_and(|id| head.last_id > id);
            self.highest = self.highest.max(Some(head.last_id));
            if !self.certain {
                return;
            }
            *self = Self::new(&self.instrument, true);
        }
        self.sync.begin(head, kind, &mut self.pending);
        self.sync.levels(event.levels, &mut self.pending);
        let outcome = self.sync.end(&mut self.pending);
        if kind == DepthKind::Diff {
            self.last_diff = Some(*head);
        }
        match outcome {
            SyncOutcome::Applied | SyncOutcome::Synced(_) => {
                self.last = Some(*head);
                if kind == DepthKind::Partial {
                    self.stands = Stands::Partial;
                } else {
                    self.stands = Stands::Whole;
                    self.waiting.clear();
                }
            }
            SyncOutcome::Buffered => push_slots(event, &mut self.waiting),
            SyncOutcome::Gap => {
                self.stands = Stands::Nothing;
                push_slots(event, &mut self.waiting);
            }
            SyncOutcome::NotBridging => self.stands = Stands::Nothing,
            SyncOutcome::Stale => {}
        }
    }

    /// Whether what was read tells the book: also where it is of partial books alone, each of which is all there is.
    fn is_told(&self) -> bool {
        self.certain || (self.stands == Stands::Partial && self.highest.is_none())
    }

    /// The events that bring a book to where this one is.
    fn put_slots(&self, slots: &mut Vec<Slot>) {
        if let Some(last) = self.last.filter(|_| self.stands != Stands::Nothing) {
            let book = self.sync.book();
            let bids: Vec<Level> = book.levels(Side::Buy).collect();
            let counts = (bids.len() as u32, book.len(Side::Sell) as u32);
            let levels: Vec<Level> = bids.into_iter().chain(book.levels(Side::Sell)).collect();
            let id = self.sync.last_update_id();
            let head = DepthHead { last_id: id, bids: counts.0, asks: counts.1, ..last };
            let mut put = |decoded, levels: &[Level]| {
                push_slots(&HistoryEvent { time: Time(0), series: 0, decoded, levels }, slots);
            };
            if self.stands == Stands::Partial {
                put(Decoded::DepthPartial(head), &levels);
            } else {
                put(Decoded::DepthSnapshot(head), &levels);
                // A book of futures that is in step holds the next diff to the last one, not to the snapshot.
                let diff = self.last_diff.filter(|diff| diff.last_id == id);
                if let Some(diff) = diff.filter(|_| self.instrument.market != Market::Spot) {
                    put(Decoded::DepthDiff(DepthHead { bids: 0, asks: 0, ..diff }), &[]);
                }
            }
        }
        slots.extend_from_slice(&self.waiting);
    }
}

/// The books of several instruments, followed up to the beginning of a range.
pub(super) struct BooksBefore {
    books: Vec<Option<BookBefore>>,
}

impl BooksBefore {
    /// The books of those instruments that are `wanted`, from the very first event on.
    pub fn new(table: &InstrumentTable, wanted: &[bool]) -> Self {
        let book = |(of, wanted): (&Instrument, &bool)| wanted.then(|| BookBefore::new(of, true));
        Self { books: table.all().iter().zip(wanted).map(book).collect() }
    }

    /// An event before the range.
    pub fn saw(&mut self, event: &HistoryEvent<'_>) {
        let instrument = match &event.decoded {
            Decoded::DepthDiff(head) | Decoded::DepthSnapshot(head) | Decoded::DepthPartial(head) => {
                head.instrument
            }
            Decoded::Interrupted(instrument) => *instrument,
            _ => return,
        };
        if let Some(book) = &mut self.books[instrument.index()] {
            book.saw(event);
        }
    }

    /// The events that bring books to where these are.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        self.books.iter().flatten().for_each(|book| book.put_slots(&mut slots));
        slots
    }
}

/// What a plan's history says of the books that its range begins with, of those instruments that are `wanted`: as events. It
/// is worked out once for all runs that share what is `kept`.
///
/// # Errors
/// [`HistoryError`] where a file cannot be read.
pub(super) fn of_history(
    catalogue: &Catalogue,
    plan: &Plan,
    table: &InstrumentTable,
    wanted: &[bool],
    kept: Option<&Kept>,
) -> Result<Vec<Slot>, HistoryError> {
    let Some(from) = plan.query.from else { return Ok(Vec::new()) };
    let mut slots = Vec::new();
    for (instrument, _) in table.all().iter().zip(wanted).filter(|(_, wanted)| **wanted) {
        let name = instrument.name();
        let of_depth = |s: &&Series| {
            let has_depth = matches!(s.name.kind, SeriesKind::Depth | SeriesKind::Feed);
            has_depth && s.name.instrument == name && s.first() < from
        };
        let series: Vec<Series> = plan.series.iter().filter(of_depth).cloned().collect();
        if series.is_empty() {
            continue;
        }
        let read = || read_before(catalogue, &series, table, instrument, from);
        match kept {
            Some(kept) => slots.extend_from_slice(&kept.book(&series, from, read)?),
            None => slots.extend(read()?),
        }
    }
    Ok(slots)
}

/// Reads no further back than it takes to know the book.
fn read_before(
    catalogue: &Catalogue,
    series: &[Series],
    table: &InstrumentTable,
    instrument: &Instrument,
    from: Time,
) -> Result<Vec<Slot>, HistoryError> {
    let first = series.iter().map(Series::first).min().unwrap_or(from);
    let mut back = BACK_NS;
    loop {
        let begin = Time(from.0.saturating_sub(back)).max(first);
        let mut book = BookBefore::new(instrument, begin == first);
        let query = Query { from: Some(begin), until: Some(from), ..Query::default() };
        let mut events = HistoryEvents::open(catalogue, series, table, &query)?;
        while let Some(event) = events.next_event()? {
            book.saw(&event);
        }
        if book.is_told() {
            let mut slots = Vec::new();
            book.put_slots(&mut slots);
            return Ok(slots);
        }
        back = back.saturating_mul(FURTHER);
    }
}

/// Publishes what a range begins with, at its first moment.
///
/// # Errors
/// [`Stopped`].
pub(super) fn publish(slots: &[Slot], from: Time, sequencer: &mut Sequencer) -> Result<(), Stopped> {
    if slots.is_empty() {
        return Ok(());
    }
    sequencer.advance(from)?;
    slots.split_inclusive(Slot::is_last).try_for_each(|event| sequencer.publish_event(event, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    /// Pseudo-random numbers below `below`.
    fn drawn(state: &mut u64, below: u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    /// A stream of depth: diffs, now and then one is lost, a book comes that is newer or older than they are, or the stream
    /// is interrupted.
    fn stream(state: &mut u64, of: &Instrument, events: u64) -> Vec<(Decoded, Vec<Level>)> {
        let (mut id, mut all) = (100u64, Vec::new());
        for _ in 0..events {
            let prev = id;
            let level = |state: &mut u64, from: u64| {
                let price = (from + drawn(state, 20)) as i64 * of.tick.0;
                Level::new(price, drawn(state, 3) as i64)
            };
            let levels = vec![level(state, 1_000), level(state, 1_020)];
            let (instrument, venue_time) = (of.id, Time(0));
            let head = |first_id, last_id, prev_id| DepthHead {
                instrument,
                first_id,
                last_id,
                prev_id,
                venue_time,
                bids: 1,
                asks: 1,
            };
            let decoded = match drawn(state, 40) {
                0 => Decoded::Interrupted(instrument),
                1 => {
                    id += 3;
                    Decoded::DepthSnapshot(head(0, id, 0))
                }
                2 | 3 => Decoded::DepthSnapshot(head(0, id - drawn(state, 6), 0)),
                4 => {
                    id += 8;
                    Decoded::DepthDiff(head(id - 1, id, id - 2))
                }
                _ => {
                    id += 2;
                    Decoded::DepthDiff(head(id - 1, id, prev))
                }
            };
            all.push((decoded, levels));
        }
        all
    }

    fn followed(mut book: BookBefore, events: &[(Decoded, Vec<Level>)]) -> BookBefore {
        for (decoded, levels) in events {
            let levels = if matches!(decoded, Decoded::Interrupted(_)) { &[] } else { &levels[..] };
            book.saw(&HistoryEvent { time: Time(1), series: 0, decoded: *decoded, levels });
        }
        book
    }

    /// Levels of both sides, and the id, of a book that can be seen.
    fn shown(sync: &BookSync) -> Option<(u64, Vec<Level>)> {
        let book = sync.book();
        let levels = book.levels(Side::Buy).chain(book.levels(Side::Sell)).collect();
        sync.valid().then(|| (sync.last_update_id(), levels))
    }

    #[test]
    fn a_book_that_is_told_is_the_one_of_the_whole_and_stays_it() {
        let mut state = 9;
        let (mut told, mut seen) = (0, 0);
        for market in [Market::Spot, Market::UsdM] {
            let of = sample(market, "BTCUSDT");
            for _ in 0..200 {
                let events = stream(&mut state, &of, 160);
                let (before, after) = events.split_at(120);
                let from = drawn(&mut state, 120) as usize;
                let whole = followed(BookBefore::new(&of, true), before);
                let part = followed(BookBefore::new(&of, false), &before[from..]);
                if !part.is_told() {
                    continue;
                }
                told += 1;
                let (mut a, mut b) = (Vec::new(), Vec::new());
                whole.put_slots(&mut a);
                part.put_slots(&mut b);
                assert!(a == b, "{market:?} from {from}");
                // A book that begins with those events goes on as the whole does.
                let mut begun = crate::market::book::BookKeeper::new(std::slice::from_ref(&of), |_| true);
                a.iter().for_each(|slot| crate::pipeline::Shared::on_slot(&mut begun, slot));
                let mut whole = whole;
                for event in after {
                    whole = followed(whole, std::slice::from_ref(event));
                    let mut slots = Vec::new();
                    let (decoded, levels) = (event.0, &event.1[..]);
                    let levels = if matches!(decoded, Decoded::Interrupted(_)) { &[] } else { levels };
                    push_slots(&HistoryEvent { time: Time(1), series: 0, decoded, levels }, &mut slots);
                    slots.iter().for_each(|slot| crate::pipeline::Shared::on_slot(&mut begun, slot));
                    let now = shown(&whole.sync);
                    seen += usize::from(now.is_some());
                    assert_eq!(begun.get(of.id).and_then(shown), now, "{market:?} from {from}");
                }
            }
        }
        assert!(told > 250 && seen > 4_000, "{told} told, {seen} seen");
    }
}
